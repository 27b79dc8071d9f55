"""Nothing runs twice, and it says why: whole pipelines, through the commands and in MLflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from building import ProjectBuilder
from stagebook.events import AttemptStarted, Status
from stagebook.journal.history import RunHistory
from stagebook.project import Given
from stagebook.runs.accept import accept, why
from stagebook.runs.run import RunReport
from stagebook.runs.sweep import SweepOptions, resume_sweep, sweep

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]

PLATFORM = str(Path(__file__).parents[2] / "platform")


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and the text of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "stagebook", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": PLATFORM},
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def chain(builder: ProjectBuilder, *, tracking: bool = False) -> None:
    """Three stages: `make` reads a file and a helper, `count` its output, `tell` that of `count`."""
    builder.file("raw/words.txt", "b a c\n")
    builder.file("helpers/__init__.py")
    builder.file(
        "helpers/words.py",
        "from .order import order\n\ndef read(path):\n    return order(open(path).read().split())\n",
    )
    builder.file("helpers/order.py", "def order(words):\n    return sorted(words)\n")
    builder.notebook(
        "make",
        "#md # Words",
        "from helpers.words import read",
        "open(out, 'w').write('\\n'.join(read(raw)) * times)",
        params="raw = ''\nout = 'x'\ntimes: int = 1",
    )
    builder.notebook(
        "count",
        "import scrapbook as sb",
        "n = len(open(words).read())\nopen(out, 'w').write(str(n))\nsb.glue('n', n)",
        params="words = ''\nout = 'x'",
    )
    builder.notebook("tell", "open(out, 'w').write('n is ' + str(n))", params="n: int = 0\nout = 'x'")
    builder.pipeline("""
        params: {times: 1}
        defaults: {executor: inprocess}
        stages:
          make:
            notebook: notebooks/make.ipynb
            params: {times: "${params.times}"}
            inputs: {raw: raw/words.txt}
            outputs: {out: data/words.txt}
          count:
            notebook: notebooks/count.ipynb
            inputs: {words: make.out}
            outputs: {out: data/count.txt}
          tell:
            notebook: notebooks/tell.ipynb
            params: {n: "${stages.count.scraps.n}"}
            outputs: {out: data/told.txt}
    """)
    if not tracking:
        builder.without_tracking()


def edit(builder: ProjectBuilder, notebook: str, old: str, new: str) -> None:
    """Replace text in the cells of a notebook."""
    path = builder.root / f"notebooks/{notebook}.ipynb"
    data = json.loads(path.read_text())
    for cell in data["cells"]:
        cell["source"] = "".join(cell["source"]).replace(old, new)
    path.write_text(json.dumps(data))


def ran(report: RunReport) -> list[str]:
    """The stages that were executed."""
    return [stage.id for stage in report.history.stages.values() if stage.status is Status.COMPLETED]


def decisions(builder: ProjectBuilder, *pairs: str) -> dict[str, tuple[str, str]]:
    """Each stage's decision and first reason."""
    plan = builder.plan(*pairs)
    return {stage.id: (str(stage.decision), stage.reasons[0]) for stage in plan.stages}


def test_what_changed_runs_and_what_did_not_is_reused(builder: ProjectBuilder) -> None:
    chain(builder)
    project = builder.project
    assert ran(project.run("p")) == ["make", "count", "tell"]
    assert ran(project.run("p")) == []

    # A comment, markdown and outputs change nothing; neither does a comment in a module.
    edit(builder, "make", "open(out", "# as it was\nopen(out")
    edit(builder, "make", "# Words", "# All the words")
    builder.file("helpers/order.py", "# in order\ndef order(words):\n    return sorted(words)\n")
    assert ran(project.run("p")) == []

    # A module deep down changes what imports it; equal outputs leave the followers alone.
    builder.file("helpers/order.py", "def order(words):\n    return sorted(words, key=str)\n")
    found = decisions(builder)
    assert found["make"] == (
        "RUN",
        "helpers/order.py changed (cell 2 → helpers.words → helpers.order)",
    )
    assert found["count"][0] == found["tell"][0] == "WAIT"
    assert ran(project.run("p")) == ["make"]

    # An input: same size, and the time of its last change set back.
    path = builder.root / "raw/words.txt"
    before = path.stat()
    path.write_text("c b d\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert decisions(builder)["make"] == ("RUN", "raw/words.txt changed (input raw)")
    # `count` reads as many characters as before, so `tell` has the same parameters.
    assert ran(project.run("p")) == ["make", "count"]

    # Back to what was before: out of the store, and nothing runs.
    path.write_text("b a c\n")
    report = project.run("p")
    assert ran(report) == []
    assert report.history.stages["make"].restored == ("data/words.txt",)
    assert (builder.root / "data/words.txt").read_text() == "a\nb\nc"

    # Outputs that were deleted or overwritten by hand come back.
    (builder.root / "data/told.txt").unlink()
    (builder.root / "data/count.txt").write_text("wrong")
    assert ran(project.run("p")) == []
    assert (builder.root / "data/count.txt").read_text() == "5"
    assert (builder.root / "data/told.txt").read_text() == "n is 5"


def test_the_kernel_executor_reuses_as_well(builder: ProjectBuilder) -> None:
    chain(builder)
    text = (builder.root / "pipelines/p.yaml").read_text().replace("inprocess", "kernel")
    builder.pipeline(text)
    project = builder.project
    assert ran(project.run("p", Given(values={"times": 2}))) == ["make", "count", "tell"]
    assert ran(project.run("p", Given(values={"times": 2}))) == []


def test_commands_say_what_is_stale_and_why(builder: ProjectBuilder) -> None:
    chain(builder)
    assert command(builder.root, "status", "--check")[0] == 3
    assert command(builder.root, "run")[0] == 0
    assert command(builder.root, "status", "--check")[0] == 0
    edit(builder, "make", "* times", "* (times + 1)")
    code, text = command(builder.root, "status", "--check")
    assert code == 3
    assert "stale" in text
    assert "cell 3 changed" in text
    code, text = command(builder.root, "why", "p", "make")
    assert code == 0
    assert "• cell 3 changed" in text
    assert "- open(out, 'w')" in text.replace("│ -", "│ - ")
    data = json.loads(command(builder.root, "why", "p", "--json")[1])
    assert [item["decision"] for item in data["stages"]] == ["RUN", "WAIT", "WAIT"]
    assert data["stages"][1]["before"]["make"]["decision"] == "RUN"
    plan = json.loads(command(builder.root, "plan", "--json")[1])
    assert plan["stages"][0]["reasons"] == ["cell 3 changed"]
    # As if another parameter were given.
    (item,) = why(builder.project, "p", ["make"], Given(pairs=["times=3"]))
    assert [change.text for change in item.changes] == ["cell 3 changed", "times: 1 → 3"]


def test_judgement_of_a_person(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    project = builder.project
    project.run("p")
    edit(builder, "count", "str(n)", "f'{n}'")
    assert decisions(builder)["count"] == ("RUN", "cell 3 changed")
    done = accept(project, "p", ["count"], "only the formatting changed")
    assert decisions(builder)["count"] == ("REUSE", "accepted: only the formatting changed")
    assert ran(project.run("p")) == []
    (record,) = [run for run in project.runs() if run.kind == "accept"]
    assert (record.id, record.reason) == (done.run, "only the formatting changed")
    project.sync()
    (found,) = mlflow_runs(builder, f"tags.`stagebook.run_id` = '{done.run}'")
    assert found.data.tags["stage.count"] == "accepted: only the formatting changed"
    # Forced, never reused, never run.
    builder.without_tracking()
    project = builder.project
    assert ran(project.run("p", forced=["count"])) == ["count"]
    assert ran(project.run("p", forced=[])) == ["make", "count", "tell"]
    text = (builder.root / "pipelines/p.yaml").read_text()
    builder.pipeline(
        text.replace("outputs: {out: data/count.txt}", "outputs: {out: data/count.txt}\n    cache: false")
    )
    assert ran(project.run("p")) == ["count"]
    builder.pipeline(
        text.replace("outputs: {out: data/count.txt}", "outputs: {out: data/count.txt}\n    frozen: true")
    )
    edit(builder, "count", "f'{n}'", "'broken'")
    assert decisions(builder)["count"] == ("REUSE", "frozen")
    assert ran(project.run("p", forced=[])) == ["make", "tell"]


def mlflow_runs(builder: ProjectBuilder, query: str) -> list[Run]:
    """Runs as MLflow has them."""
    api = MlflowClient(tracking_uri=f"sqlite:///{builder.root}/mlflow.db")
    experiment = api.get_experiment_by_name("p")
    found: list[Run] = list(api.search_runs([experiment.experiment_id], query))
    return found


def test_mlflow_has_the_figures_of_reused_stages_and_no_line_for_nothing(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    project = builder.project
    first = project.run("p")
    nothing = project.run("p")
    assert nothing.quiet
    edit(builder, "tell", "'n is '", "'n = '")
    second = project.run("p")
    assert ran(second) == ["tell"]
    found = mlflow_runs(builder, "tags.`stagebook.kind` = 'run'")
    assert [run.data.tags["stagebook.run_id"] for run in found] == [second.run, first.run]
    assert found[0].data.metrics["count.n"] == 5
    assert found[0].data.tags["stage.count"] == f"reused from {first.run}"


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


def test_the_shape_of_the_graph_at_run_time(builder: ProjectBuilder) -> None:
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
    report = project.run("p", Given(values={"names": ["a", "b", "c"]}))
    assert ran(report) == ["list", "each@c", "upper@c", "join", "big", "tidy"]
    assert (builder.root / "data/join.txt").read_text() == "AA BB CC"

    # An empty list leaves out what goes over it, and what needs that.
    report = project.run("p", Given(values={"names": []}))
    assert report.status is Status.COMPLETED
    assert report.history.stages["each"].reason == "the list of its foreach is empty"
    assert report.history.stages["join"].reason == "needs upper, which was skipped"

    # A failure: what is there for failures runs, and knows what failed.
    report = project.run("p", Given(values={"bad": "b"}), keep_going=True)
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


def grid(builder: ProjectBuilder, *, tracking: bool = True) -> None:
    builder.notebook("data", "open(out, 'w').write('rows')", params="out = 'x'")
    builder.notebook(
        "train",
        "import scrapbook as sb",
        "assert depth != 99, 'too deep'",
        "open(model, 'w').write(str(depth))\nsb.glue('auc', 1 - abs(depth - 4) / 10)",
        params="depth: int = 1\nrows = ''\nmodel = 'm'",
    )
    builder.pipeline("""
        params: {depth: 2, note: plain}
        defaults: {executor: inprocess}
        stages:
          data: {notebook: notebooks/data.ipynb, outputs: {out: data/rows.txt}}
          train:
            notebook: notebooks/train.ipynb
            params: {depth: "${params.depth}"}
            inputs: {rows: data.out}
            outputs: {model: data/model.txt}
    """)
    if not tracking:
        builder.without_tracking()


def test_a_sweep_runs_shared_work_once_and_compares_in_mlflow(builder: ProjectBuilder) -> None:
    grid(builder)
    report = sweep(builder.project, "p", Given(pairs=["depth=[2,4,8]"]))
    assert report.status is Status.COMPLETED
    assert [point.metrics["train.auc"] for point in report.points] == [0.8, 1.0, 0.6]
    assert report.undelivered == 0
    executed = [
        event.stage
        for point in report.points
        for event in builder.events(point.run)
        if isinstance(event, AttemptStarted)
    ]
    assert executed == ["data", "train", "train", "train"]
    (parent,) = mlflow_runs(builder, "tags.`stagebook.kind` = 'sweep'")
    points = mlflow_runs(builder, f"tags.`stagebook.sweep` = '{report.run}'")
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {parent.info.run_id}
    table = {run.data.params["depth"]: run.data.metrics["train.auc"] for run in points}
    assert table == {"2": 0.8, "4": 1.0, "8": 0.6}
    # Each point's model is its own, although all were written to one place.
    api = MlflowClient(tracking_uri=f"sqlite:///{builder.root}/mlflow.db")
    models = {}
    for run in mlflow_runs(builder, "tags.`stagebook.stage` = 'train'"):
        file = api.download_artifacts(run.info.run_id, "outputs/model.txt")
        models[run.data.params["depth"]] = Path(file).read_text()
    assert models == {"2": "2", "4": "4", "8": "8"}
    # Any point is back at once.
    again = builder.project.run("p", Given(values={"depth": 4}))
    assert ran(again) == []
    assert (builder.root / "data/model.txt").read_text() == "4"


def test_a_sweep_ends_early_and_goes_on(builder: ProjectBuilder) -> None:
    grid(builder, tracking=False)
    pairs = ["depth=[2,4,8]", "note=[a,b]"]
    report = sweep(builder.project, "p", Given(pairs=pairs), options=SweepOptions(stop_when="train.auc >= 1"))
    assert [dict(point.params) for point in report.points] == [
        {"depth": 2, "note": "a"},
        {"depth": 2, "note": "b"},
        {"depth": 4, "note": "a"},
    ]
    assert (report.left, report.why) == (3, "train.auc >= 1 holds")
    report = sweep(builder.project, "p", Given(pairs=["depth=[2,99,3]"]), options=SweepOptions(most=2))
    assert [point.status for point in report.points] == [Status.COMPLETED, Status.FAILED]
    assert (report.status, report.left, report.why) == (Status.FAILED, 1, "--max 2")
    edit(builder, "train", "depth != 99", "depth != 98")
    again = resume_sweep(builder.project, builder.project.find_run(report.run))
    assert [dict(point.params) for point in again.points] == [{"depth": 99}]
    assert again.status is Status.COMPLETED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "depth=3"], "nothing is swept"),
        (["-p", "depth=[]"], "'depth' is swept over no values"),
        (["-p", "depth=[1,x]"], "depth"),
        (["-p", "dept=[1,2]"], "dept"),
        (["-p", "depth=[1,2]", "--stop-when", "train.auc"], "cannot read the rule"),
        (["-p", "depth=[1,2]", "--stop-when", "trian.auc > 1"], "did you mean 'train'?"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(builder: ProjectBuilder, arguments: Sequence[str], said: str) -> None:
    grid(builder, tracking=False)
    code, text = command(builder.root, "sweep", "p", *arguments)
    assert code == 2, text
    assert said in text
    assert builder.project.runs() == []


def test_a_second_run_is_refused_or_waits(builder: ProjectBuilder) -> None:
    builder.notebook("slow", "import time, os\nwhile not os.path.exists('go'): time.sleep(0.05)")
    builder.pipeline("stages:\n  slow: {notebook: notebooks/slow.ipynb, executor: inprocess, cache: false}\n")
    builder.without_tracking()
    arguments = [sys.executable, "-m", "stagebook", "run"]
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": PLATFORM}
    with subprocess.Popen(
        arguments, cwd=builder.root, env=environment, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        code, text = command(builder.root, "run")
        assert code == 2
        assert "'p' is being run already" in text
        with subprocess.Popen(
            [*arguments, "--wait"], cwd=builder.root, env=environment, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr is not None
            assert "waiting until it has ended" in second.stderr.readline()
            builder.file("go")
            assert first.wait(60) == 0
            assert second.wait(60) == 0
    assert [run.status for run in builder.project.runs()] == [Status.COMPLETED] * 2


def test_resume_after_a_kill_in_the_journal_and_in_mlflow(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    builder.notebook(
        "count",
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)",
        "n = len(open(words).read())\nopen(out, 'w').write(str(n))",
        "import scrapbook as sb\nsb.glue('n', n)",
        params="words = ''\nout = 'x'",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "stagebook", "run", "--json"],
        cwd=builder.root,
        env={**os.environ, "PYTHONPATH": PLATFORM},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "CellStarted" and event["stage"] == "count":
                break
        process.send_signal(signal.SIGKILL)
    builder.file("go")
    code, text = command(builder.root, "resume")
    assert code == 0, text
    second, first = builder.project.runs()
    assert (first.status, second.status) == (Status.INTERRUPTED, Status.COMPLETED)
    stages = builder.project.history(second).stages
    assert stages["make"].reason.startswith(f"finished in the run {first.id}")
    assert [stages[name].status for name in ("count", "tell")] == [Status.COMPLETED] * 2
    builder.project.sync()
    (run,) = mlflow_runs(builder, f"tags.`stagebook.key` = '{first.id}'")
    assert (run.info.status, run.data.tags["stagebook.status"]) == ("KILLED", "interrupted")
    (run,) = mlflow_runs(builder, f"tags.`stagebook.key` = '{second.id}'")
    assert run.data.tags["stagebook.resumes"] == first.id


def test_an_input_that_changes_while_it_is_read_is_not_trusted(builder: ProjectBuilder) -> None:
    builder.file("raw.txt", "one")
    builder.notebook(
        "a",
        "text = open(raw).read()\nopen(raw, 'w').write('two')\nopen(out, 'w').write(text)",
        params="raw = ''\nout = 'x'",
    )
    builder.pipeline("""
        stages:
          a: {notebook: notebooks/a.ipynb, executor: inprocess, inputs: {raw: raw.txt}, outputs: {out: out.txt}}
    """)
    builder.without_tracking()
    project = builder.project
    report = project.run("p")
    assert report.status is Status.COMPLETED
    assert (
        report.history.stages["a"].remark
        == "not reused later, since raw.txt changed (input raw) while it ran"
    )
    assert ran(project.run("p")) == ["a"]
    assert (builder.root / "out.txt").read_text() == "two"
    builder.file("raw.txt", "one")
    assert ran(project.run("p")) == ["a"], "the result for 'one' was never trusted"
