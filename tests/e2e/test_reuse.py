"""Nothing runs twice, and it says why: whole pipelines, through the commands and in MLflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from commands import looked, stagebook, start
from stagebook.events import Status
from stagebook.planning.select import Selection
from stagebook.runs.accept import accept
from stagebook.runs.request import RunRequest
from stagebook.runs.why import why
from tracked import tracked_runs

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and the text of a command."""
    done = (stagebook if arguments[0] in {"run", "resume"} else looked)(folder, *arguments)
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
    builder.edit("make", "open(out", "# as it was\nopen(out")
    builder.edit("make", "# Words", "# All the words")
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
    assert ran(project.run("p", {"times": 2})) == ["make", "count", "tell"]
    assert ran(project.run("p", {"times": 2})) == []


@pytest.mark.long
def test_commands_say_what_is_stale_and_why(builder: ProjectBuilder) -> None:
    chain(builder)
    assert command(builder.root, "status", "--check")[0] == 3
    assert command(builder.root, "run")[0] == 0
    assert command(builder.root, "status", "--check")[0] == 0
    builder.edit("make", "* times", "* (times + 1)")
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
    (item,) = why(builder.project.preparer, RunRequest(pipeline="p", pairs=["times=3"]), ["make"])
    assert [change.text for change in item.changes] == ["cell 3 changed", "times: 1 → 3"]


@pytest.mark.usefixtures("with_store")
@pytest.mark.long
def test_a_person_accepts_forces_and_freezes_results(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    project = builder.project
    project.run("p")
    builder.edit("count", "str(n)", "f'{n}'")
    assert decisions(builder)["count"] == ("RUN", "cell 3 changed")
    done = accept(
        project.preparer, project.launcher, RunRequest(pipeline="p"), ["count"], "only the formatting changed"
    )
    assert decisions(builder)["count"] == ("REUSE", "accepted: only the formatting changed")
    assert ran(project.run("p")) == []
    (record,) = [run for run in project.history.runs() if run.kind == "accept"]
    assert (record.id, record.reason) == (done.run, "only the formatting changed")
    project.sync()
    (found,) = tracked_runs(builder.root, f"tags.`stagebook.run_id` = '{done.run}'")
    assert found.data.tags["stage.count"] == "accepted: only the formatting changed"
    # Forced, never reused, never run.
    builder.without_tracking()
    project = builder.project
    assert ran(project.run("p", selection=Selection(targets=("count",)), force=True)) == ["count"]
    assert ran(project.run("p", force=True)) == ["make", "count", "tell"]
    text = (builder.root / "pipelines/p.yaml").read_text()
    builder.pipeline(
        text.replace("outputs: {out: data/count.txt}", "outputs: {out: data/count.txt}\n    cache: false")
    )
    assert ran(project.run("p")) == ["count"]
    builder.pipeline(
        text.replace("outputs: {out: data/count.txt}", "outputs: {out: data/count.txt}\n    frozen: true")
    )
    builder.edit("count", "f'{n}'", "'broken'")
    assert decisions(builder)["count"] == ("REUSE", "frozen")
    assert ran(project.run("p", force=True)) == ["make", "tell"]


@pytest.mark.usefixtures("with_store")
@pytest.mark.long
def test_mlflow_has_the_figures_of_reused_stages_and_no_line_for_nothing(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    project = builder.project
    first = project.run("p")
    nothing = project.run("p")
    assert nothing.quiet
    builder.edit("tell", "'n is '", "'n = '")
    second = project.run("p")
    assert ran(second) == ["tell"]
    found = tracked_runs(builder.root, "tags.`stagebook.kind` = 'run'")
    assert [run.data.tags["stagebook.run_id"] for run in found] == [second.run, first.run]
    assert found[0].data.metrics["count.n"] == 5
    assert found[0].data.tags["stage.count"] == f"reused from {first.run}"


@pytest.mark.long
def test_a_second_run_is_refused_or_waits(builder: ProjectBuilder) -> None:
    builder.notebook("slow", "import time, os\nwhile not os.path.exists('go'): time.sleep(0.05)")
    builder.pipeline("stages:\n  slow: {notebook: notebooks/slow.ipynb, executor: inprocess, cache: false}\n")
    builder.without_tracking()
    with start(builder.root, "run", stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        code, text = command(builder.root, "run")
        assert code == 2
        assert "'p' is being run already" in text
        with start(builder.root, "run", "--wait", stderr=subprocess.PIPE) as second:
            assert second.stderr is not None
            assert "waiting until it has ended" in second.stderr.readline()
            builder.file("go")
            assert first.wait(60) == 0
            assert second.wait(60) == 0
    assert [run.status for run in builder.project.history.runs()] == [Status.COMPLETED] * 2


@pytest.mark.usefixtures("with_store")
@pytest.mark.long
def test_resume_after_a_kill_in_the_journal_and_in_mlflow(builder: ProjectBuilder) -> None:
    chain(builder, tracking=True)
    builder.notebook(
        "count",
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)",
        "n = len(open(words).read())\nopen(out, 'w').write(str(n))",
        "import scrapbook as sb\nsb.glue('n', n)",
        params="words = ''\nout = 'x'",
    )
    with start(builder.root, "run", "--json", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "CellStarted" and event["stage"] == "count":
                break
        process.send_signal(signal.SIGKILL)
    builder.file("go")
    code, text = command(builder.root, "resume")
    assert code == 0, text
    second, first = builder.project.history.runs()
    assert (first.status, second.status) == (Status.INTERRUPTED, Status.COMPLETED)
    stages = builder.project.history.of(second).stages
    assert stages["make"].reason.startswith(f"finished in the run {first.id}")
    assert [stages[name].status for name in ("count", "tell")] == [Status.COMPLETED] * 2
    builder.project.sync()
    (run,) = tracked_runs(builder.root, f"tags.`stagebook.key` = '{first.id}'")
    assert (run.info.status, run.data.tags["stagebook.status"]) == ("KILLED", "interrupted")
    (run,) = tracked_runs(builder.root, f"tags.`stagebook.key` = '{second.id}'")
    assert run.data.tags["stagebook.resumes"] == first.id


@pytest.mark.long
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
