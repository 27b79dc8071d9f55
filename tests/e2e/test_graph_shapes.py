"""Lists, conditions and triggers decide what runs: whole pipelines."""

from __future__ import annotations

import pytest

from building import ProjectBuilder, ran
from stagebook.events import Status
from stagebook.journal.history import RunHistory

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]


SHAPES = """
    params: {names: {type: "list[str]", default: [a, b]}, bad: ""}
    defaults: {executor: inprocess}
    stages:
      list: {notebook: notebooks/list.ipynb, params: {names: "${params.names}"}}
      each:
        notebook: notebooks/each.ipynb
        foreach: ${stages.list.scraps.items}
        params: {who: "${item}", bad: "${params.bad}"}
        outputs: {out: "data/each-${item}.txt"}
      upper:
        notebook: notebooks/upper.ipynb
        foreach: ${stages.list.scraps.items}
        inputs: {raw: "each@${item}.out"}
        outputs: {out: "data/upper-${item}.txt"}
      join:
        notebook: notebooks/join.ipynb
        inputs: {parts: upper.out}
        outputs: {out: data/join.txt}
      big:
        notebook: notebooks/big.ipynb
        when: ${stages.join.scraps.size > 2}
      after_big: {notebook: notebooks/big.ipynb, after: [big]}
      alert:
        notebook: notebooks/alert.ipynb
        trigger: one_failed
        after: [each, join]
        params: {failed: "${run.failed}"}
      tidy: {notebook: notebooks/big.ipynb, trigger: all_done, after: [join]}
"""


def shapes(builder: ProjectBuilder) -> None:
    builder.notebook("list", "import scrapbook as sb", "sb.glue('items', names)", params="names = ['a']")
    builder.notebook(
        "each", "assert who != bad", "open(out, 'w').write(who * 2)", params="who = ''\nbad = ''\nout = 'x'"
    )
    builder.notebook("upper", "open(out, 'w').write(open(raw).read().upper())", params="raw = ''\nout = 'x'")
    builder.notebook(
        "join",
        "import scrapbook as sb",
        "open(out, 'w').write(' '.join(open(part).read() for part in parts))\nsb.glue('size', len(parts))",
        params="parts: list[str] = []\nout = 'x'",
    )
    builder.notebook("big", "1")
    builder.notebook("alert", "print('failed:', failed)", params="failed: list[str] = []")
    builder.pipeline(SHAPES)
    builder.without_tracking()


def statuses(history: RunHistory) -> dict[str, str]:
    """The status of each stage."""
    return {name: str(stage.status) for name, stage in history.stages.items()}


@pytest.mark.long
def test_lists_conditions_and_triggers_decide_what_runs(builder: ProjectBuilder) -> None:
    shapes(builder)
    project = builder.project
    report = project.run("p")
    assert report.status is Status.COMPLETED
    assert statuses(report.history) == {
        "list": "completed",
        "each@a": "completed",
        "each@b": "completed",
        "upper@a": "completed",
        "upper@b": "completed",
        "join": "completed",
        "big": "skipped",
        "after_big": "completed",
        "alert": "skipped",
        "tidy": "completed",
    }
    assert (builder.root / "data/join.txt").read_text() == "AA BB"
    assert report.history.stages["big"].reason == "when: ${stages.join.scraps.size > 2} is false"
    assert report.history.stages["alert"].reason == "nothing before it failed"
    # What the journal says adds up to the same.
    assert statuses(RunHistory(builder.events(report.run))) == statuses(report.history)

    # A further item: only that one runs. With three of them the condition holds.
    report = project.run("p", {"names": ["a", "b", "c"]})
    assert ran(report) == ["list", "each@c", "upper@c", "join", "big", "tidy"]
    assert (builder.root / "data/join.txt").read_text() == "AA BB CC"

    # An empty list leaves out what goes over it, and what needs that.
    report = project.run("p", {"names": []})
    assert report.status is Status.COMPLETED
    assert report.history.stages["each"].reason == "the list of its foreach is empty"
    assert report.history.stages["join"].reason == "needs upper, which was skipped"

    # A failure: what is there for failures runs, and knows what failed.
    report = project.run("p", {"bad": "b"}, keep_going=True)
    found = statuses(report.history)
    assert (found["each@b"], found["upper@b"], found["join"]) == ("failed", "blocked", "blocked")
    assert (found["alert"], found["tidy"]) == ("completed", "completed")
    log = builder.root / report.history.stages["alert"].folder / "log.txt"
    assert "failed: ['each@b']" in log.read_text()


def test_a_list_that_is_none_fails_its_stage(builder: ProjectBuilder) -> None:
    shapes(builder)
    builder.notebook("list", "import scrapbook as sb", "sb.glue('items', 7)", params="names = ['a']")
    report = builder.project.run("p")
    assert report.status is Status.FAILED
    stage = report.history.stages["each"]
    assert (stage.status, stage.cause) == (Status.FAILED, "params")
    assert "'foreach' has to be a list, not 7" in stage.message
