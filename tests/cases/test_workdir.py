"""Case cwd: cells run in the folder that a stage asks for, and all that is said of paths is seen from there."""

from __future__ import annotations

from typing import Any

import pytest

from building import ProjectBuilder
from commands import looked, stagebook
from stagebook.events import AttemptEnded, Status
from stagebook.planning.plan import Decision, NextRun
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel

SCRIPT = """
# %% tags=["parameters"]
out = "../data/out.txt"

# %%
import sys
from pathlib import Path

import beside

Path("made.txt").write_text("made")
Path(out).write_text(Path("../data/x.txt").read_text() + beside.WORD)
"""


def lay_out(builder: ProjectBuilder, stage: str = "", defaults: str = "") -> None:
    """A project of one notebook that reads `../data/x.txt`; `stage` and `defaults` are more keys."""
    builder.without_tracking()
    builder.file("data/x.txt", "x ")
    builder.file("notebooks/beside.py", "WORD = 'beside'\n")
    builder.file("notebooks/a.py", SCRIPT)
    builder.pipeline(
        f"defaults: {{{defaults}}}\n"
        f"stages: {{a: {{notebook: notebooks/a.py, outputs: {{out: data/out.txt}}{stage}}}}}\n"
    )


def parts(builder: ProjectBuilder) -> dict[str, Any]:
    """What the result of the stage depends on."""
    judged = builder.plan().stage("a").judgement
    assert judged is not None
    assert judged.fingerprint is not None
    return dict(judged.fingerprint.parts)


@EACH_WAY
def test_cells_run_in_the_folder_of_the_notebook(builder: ProjectBuilder, way: str) -> None:
    builder.file("data/x.txt", "x")
    builder.file("notebooks/beside.py", "WORD = 'beside'\n")
    done = execute(
        builder,
        way,
        "import os, subprocess\nprint(os.getcwd())\nopen('../data/x.txt').close()",
        "import beside\n!pwd",
        "%run beside.py\nprint(WORD, os.environ.get('STAGEBOOK_OBSERVED_ROOT'))",
        "open('new.txt', 'w').close()",
        extra=", workdir: notebook",
    )
    assert done.end == "completed"
    assert done.text(0).strip() == done.text(1).strip() == f"{builder.root}/notebooks"
    assert done.text(2).strip() == "beside None"
    assert done.record.observed is not None
    assert done.record.observed.to_json() == {
        "reads": ["data/x.txt", "notebooks/beside.py"],
        "writes": ["notebooks/new.txt"],
    }


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_a_project_as_it_is(builder: ProjectBuilder, executor: str) -> None:
    lay_out(builder, defaults=f"workdir: notebook, executor: {executor}")
    checked = looked(builder.root, "check")
    assert (checked.returncode, " names ../" in checked.stdout) == (0, False)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert (builder.root / "data/out.txt").read_text() == "x beside"
    assert (builder.root / "notebooks/made.txt").read_text() == "made"
    assert builder.plan().stage("a").decision is Decision.REUSE
    again = looked(builder.root, "check").stdout
    assert "a reads data/x.txt, which is not declared" in again
    assert "a writes notebooks/made.txt, which is not declared" in again


def test_another_working_folder_is_another_result_and_the_default_is_as_before(
    builder: ProjectBuilder,
) -> None:
    builder.without_tracking()
    builder.file("data/keep")
    builder.notebook("a", "1")
    text = "stages: {{a: {{notebook: notebooks/a.ipynb{}}}}}\n"
    builder.pipeline(text.format(""))
    first = parts(builder)
    assert builder.project.run("p").status is Status.COMPLETED
    for same in ("project", ".", "./"):
        builder.pipeline(text.format(f', workdir: "{same}"'))
        assert parts(builder) == first
    for other, folder in (("notebook", "notebooks/"), ("data", "data/")):
        builder.pipeline(text.format(f", workdir: {other}"))
        stage = builder.plan().stage("a")
        assert stage.next_run is NextRun.STALE
        assert stage.reasons == (f"the cells run in {folder}, before in the project folder",)


def test_files_of_commands_are_looked_for_in_the_working_folder(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("notebooks/words.txt", "1")
    builder.file("src/helping.py", "VALUE = 1\n")
    builder.notebook("a", "!cat words.txt", "import sys\nsys.path.append('../src')\nimport helping")
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb, workdir: notebook}}")
    found = parts(builder)
    assert (list(found["files"]), list(found["modules"])) == (["notebooks/words.txt"], ["src/helping.py"])
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    found = parts(builder)
    assert [*found["files"], *found["modules"]] == []


def test_modules_in_the_working_folder_count(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("lib/there.py", "VALUE = 7\n")
    builder.notebook("a", "import there\nprint(there.VALUE)")
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb, workdir: lib}}")
    assert builder.project.run("p").status is Status.COMPLETED
    builder.file("lib/there.py", "VALUE = 8\n")
    assert builder.plan().stage("a").reasons == ("lib/there.py changed (cell 1 → there)",)


def test_check_says_what_a_path_would_be_elsewhere(builder: ProjectBuilder) -> None:
    lay_out(builder)
    told = looked(builder.root, "check").stdout
    assert (
        "cell 2 of 'notebooks/a.py' names ../data/x.txt, which leads out of the project root\n"
        "    with 'workdir: notebook' it is data/x.txt; or write data/x.txt" in told
    )
    builder.file("notebooks/a.py", "# %%\nopen('data/x.txt')")
    builder.pipeline("stages: {a: {notebook: notebooks/a.py, workdir: notebook}}")
    told = looked(builder.root, "check").stdout
    assert (
        "cell 1 of 'notebooks/a.py' names data/x.txt, which is not there in notebooks/, where its cells run\n"
        "    with 'workdir: project' it is data/x.txt; or write ../data/x.txt" in told
    )


@EACH_WAY
def test_a_failure_says_it_from_the_working_folder(builder: ProjectBuilder, way: str) -> None:
    builder.file("data/x.txt", "x")
    done = execute(builder, way, "open('data/x.txt')", extra=", workdir: notebook")
    assert done.end.endswith(
        "'data/x.txt'; cells run in notebooks/, from where it is '../data/x.txt': write that, or give the stage "
        "'workdir: project'"
    )


@pytest.mark.parametrize(
    ("workdir", "said"),
    [
        ("nowhere", "there is no folder 'nowhere' for the cells to run in"),
        ("../elsewhere", "workdir: '../elsewhere' leaves the project"),
        ("/tmp", "workdir: '/tmp' is not relative to the project"),
        ("notebooks/a.ipynb", "the working folder 'notebooks/a.ipynb' is a file"),
        ("${params.x}", "'workdir' takes no expressions: '${params.x}'"),
        ("", "workdir: the path is empty"),
        ("away", "leads out of the project through a symlink"),
    ],
)
def test_a_folder_that_is_none_starts_nothing(builder: ProjectBuilder, workdir: str, said: str) -> None:
    builder.notebook("a", "1")
    (builder.root / "away").symlink_to("/tmp")
    problems = builder.problems(
        f'params: {{x: data}}\nstages:\n  a: {{notebook: notebooks/a.ipynb, workdir: "{workdir}"}}'
    )
    assert [(problem.line, said in problem.message, bool(problem.hint)) for problem in problems] == [
        (3, True, workdir != "")
    ]
    shared = "defaults:\n  workdir: nowhere\nstages:\n  a: {notebook: notebooks/a.ipynb}\n  b: {notebook: notebooks/a.ipynb}"
    assert [problem.line for problem in builder.problems(shared)] == [2]


def test_a_folder_that_is_gone_when_it_starts_is_made(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("first", "import os\nos.rmdir('data/work')")
    builder.notebook("second", "import os\nprint(os.getcwd())")
    (builder.root / "data/work").mkdir(parents=True)
    builder.pipeline("""
        stages:
          first: {notebook: notebooks/first.ipynb}
          second: {notebook: notebooks/second.ipynb, after: first, workdir: data/work}
        """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["second"].message


def test_infer_proposes_the_folder_from_which_the_paths_are_right(builder: ProjectBuilder) -> None:
    lay_out(builder)
    builder.notebook("plain", "open('data/out.txt').close()")
    done = stagebook(
        builder.root, "infer", "notebooks/a.py", "notebooks/plain.ipynb", "-o", "pipelines/q.yaml"
    )
    assert done.returncode == 0, done.stderr
    text = (builder.root / "pipelines/q.yaml").read_text()
    assert text.count("workdir: notebook") == 1
    assert "  a:\n    notebook: notebooks/a.py\n    workdir: notebook\n" in text
    assert "out: data/out.txt" in text
    assert "    inputs: [data/x.txt]\n" in text
    assert builder.project.run("q").status is Status.COMPLETED


def test_a_test_of_a_notebook_runs_there_too(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "import os\nopen(out, 'w').write(os.path.basename(os.getcwd()))", params="out = ''")
    builder.file("data/keep")
    builder.pipeline(
        "stages:\n"
        "  a: {notebook: notebooks/a.ipynb, workdir: notebook, outputs: {out: a.txt}}\n"
        "  b: {notebook: notebooks/a.ipynb, workdir: data, outputs: {out: b.txt}}\n"
    )
    builder.file(
        "tests/test_it.py",
        "def test_it(run_stage):\n"
        "    for stage, folder in (('a', 'notebooks'), ('b', 'data')):\n"
        "        assert run_stage(stage).outputs['out'].read_text() == folder\n",
    )
    done = stagebook(builder.root, "test")
    assert done.returncode == 0, done.stdout


def test_the_result_says_where_files_were_as_seen_from_the_project(builder: ProjectBuilder) -> None:
    lay_out(builder, stage=", strict: true, workdir: notebook")
    report = builder.project.run("p")
    ended = next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded))
    assert ended.message == "it is strict, and reads what is not declared as an input: data/x.txt"
