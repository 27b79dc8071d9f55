"""Case no_parameters_cell: values for a notebook that declares none, in a new first cell where that is asked for."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.events import Status
from stagebook.planning.plan import NextRun

SCRIPT = """# %% [markdown]
# A title.

# %%
from __future__ import annotations

# %%
given = globals().get("execution_date", "not given")
print(given)
"""
STAGE = "stages: {a: {notebook: a.py, params: {execution_date: '2026-01-31'}%s}}"


def test_the_hint_shows_the_cell_and_the_other_way(builder: ProjectBuilder) -> None:
    builder.file("a.py", SCRIPT)
    (problem,) = builder.problems(STAGE % "")
    assert (problem.line, problem.message) == (
        1,
        "'a.py' has no parameters cell, so nothing can be passed to it",
    )
    assert "# %% tags=[\"parameters\"] execution_date = '2026-01-31'" in problem.hint
    assert problem.hint.endswith(
        "or, with 'inject: first', values come in a new first cell, as papermill does it"
    )


@pytest.mark.kernel
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_values_come_in_a_new_first_cell(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.file("a.py", SCRIPT)
    builder.file("data/in.txt", "in ")
    builder.notebook("b", "open(out, 'w').write(open(source).read() + word)")
    builder.pipeline(f"""
        defaults: {{inject: first, executor: {executor}}}
        stages:
          a: {{notebook: a.py, params: {{execution_date: "2026-01-31"}}}}
          b:
            notebook: notebooks/b.ipynb
            params: {{word: "one"}}
            inputs: {{source: data/in.txt}}
            outputs: {{out: data/out.txt}}
        """)
    source = (builder.root / "notebooks/b.ipynb").read_bytes()
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    cells = builder.executed(report.run, "a")["cells"]
    assert cells[0]["metadata"]["tags"] == ["injected-parameters"]
    assert "execution_date = '2026-01-31'" in "".join(cells[0]["source"])
    assert cells[1]["cell_type"] == "markdown"
    assert "2026-01-31" in json.dumps(cells[-1]["outputs"])
    assert (builder.root / "data/out.txt").read_text() == "in one"
    assert (builder.root / "notebooks/b.ipynb").read_bytes() == source
    assert {stage.next_run for stage in builder.plan().stages} == {NextRun.UP_TO_DATE}
    builder.pipeline((builder.root / "pipelines/p.yaml").read_text().replace('"one"', '"two"'))
    assert builder.plan().stage("b").reasons == ('word: "one" → "two"',)


def test_with_a_parameters_cell_it_changes_nothing_which_is_said(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1", params="n = 1")
    builder.notebook("plain", "1")
    builder.pipeline("""
        defaults: {inject: first}
        stages:
          a: {notebook: notebooks/a.ipynb, inject: first, params: {n: 2}}
          b: {notebook: notebooks/a.ipynb, params: {n: 2}}
          c: {notebook: notebooks/plain.ipynb, params: {anything: 2}}
        """)
    said = looked(builder.root, "check").stdout
    assert "3 stages, 1 warning" in said
    assert (
        "pipelines/p.yaml:3:36: 'notebooks/a.ipynb' has a parameters cell, so values come after that, and "
        "'inject: first' changes nothing\n    remove it" in said
    )
    text = (builder.root / "pipelines/p.yaml").read_text()
    (problem,) = builder.problems(text.replace("{n: 2}", "{m: 2}", 1))
    assert problem.message == "'notebooks/a.ipynb' declares no parameter 'm'"
