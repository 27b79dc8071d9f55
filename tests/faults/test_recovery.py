"""A runner that is killed at any moment: nothing acknowledged is lost, nothing finished runs again, and the
run that goes on comes to what an uninterrupted one comes to."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import python
from effort import IS_FULL, SEED, amount, figure
from faults.faults_tools import Place, Running
from faults.recovery_tools import Recovery
from stagebook.events import AttemptEnded, AttemptStarted, RunEnded, StageReused, Status
from waiting import until

pytestmark = pytest.mark.e2e

EACH = ["each@x", "each@y", "each@z"]
ALL = sorted(["load", "flaky", "items", *EACH, "always", "folder", "two", "table", "beside", "join"])


@pytest.fixture
def recovery(place: Place) -> Recovery:
    return Recovery(place)


class Whole:
    """What an uninterrupted run comes to, how long it takes, and how often it writes to the journal."""

    def __init__(self, recovery: Recovery) -> None:
        recovery.reset()
        count = recovery.root / "commits"
        began = time.monotonic()
        running = recovery.run(orders={"count": str(count)})
        self.seconds = time.monotonic() - began
        assert running.process.returncode == 0, running.said()
        self.commits = int(count.read_text())
        self.outputs = recovery.outputs()
        assert recovery.executions() == dict.fromkeys(ALL, 1)
        names = {"data/join.txt", "data/folder/deep/empty", "data/folder/nothing", "data/each/z.txt"}
        assert names <= self.outputs.keys()
        assert self.outputs["data/beside.txt"][0] == b"loaded 2 times beside beside"
        assert self.outputs["data/table.csv"][0] == b"id,speed\n0,0\n1,100\n2,200\n"
        assert recovery.quarantined() == [("p.table.out", ["3"])]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """An uninterrupted run in a project of its own; what it comes to does not depend on the place."""
    place = Place(tmp_path_factory.mktemp("whole"))
    yield Whole(Recovery(place))
    place.close()


def go_on(recovery: Recovery, killed: Running, whole: Whole, how: str) -> str:
    """Resume what was killed, and hold it against the uninterrupted run. What there was to go on with."""
    recovery.place.gone(10)
    recovery.nothing_lost(killed)
    runs = recovery.runs()  # the next command that looks
    if not runs:
        left = "nothing"
        refused = recovery.resume()
        assert (refused.process.returncode, "nothing was run yet" in refused.said()) == (2, True), how
        last = recovery.run()
    elif runs[-1].status is Status.COMPLETED:
        left = "all"
        refused = recovery.resume()
        assert (refused.process.returncode, "completed" in refused.said()) == (2, True), how
        last = recovery.run()
    else:
        left = "some"
        assert runs[-1].status is Status.INTERRUPTED, how
        last = recovery.resume()
    assert last.process.returncode == 0, (how, last.errors(), last.said()[-2000:])
    assert recovery.outputs() == whole.outputs, how
    assert recovery.quarantined() == [("p.table.out", ["3"])], how
    recovery.nothing_twice()
    recovery.statuses_are_final()
    if left == "all":
        assert [event.stage for event in last.of(AttemptEnded)] == ["always"], how
    recovery.place.gone(10)
    return left


def killed_at(recovery: Recovery, at: int, when: str, *words: str) -> Running:
    """A run that kills itself at a commit."""
    orders = {"at": at, "when": when, "what": "SIGKILL"}
    running = recovery.run(orders=orders, **({"words": words} if words else {}))
    assert running.process.returncode == -signal.SIGKILL, (at, when, running.errors())
    return running


@pytest.mark.long
def test_a_run_that_is_killed_at_a_write_to_the_journal_is_gone_on_with(
    recovery: Recovery, whole: Whole
) -> None:
    points = [(at, when) for at in range(1, whole.commits + 1) for when in ("before", "after")]
    chosen = sorted(recovery.place.random.sample(points, min(len(points), amount(1, 10_000))))
    met: dict[str, int] = {}
    for at, when in chosen:
        recovery.reset()
        # The order in which stages end differs, and with it the number of commits.
        running = recovery.run(orders={"at": at, "when": when, "what": "SIGKILL"})
        how = f"{when} commit {at} of {whole.commits}"
        assert running.process.returncode in {0, -signal.SIGKILL}, (how, running.errors())
        left = go_on(recovery, running, whole, how)
        met[left] = met.get(left, 0) + 1
    seen = ", ".join(f"{count} with {left} of the run there" for left, count in sorted(met.items()))
    figure("runner killed at a write to the journal", f"{len(chosen)} of {len(points)} places: {seen}")


@pytest.mark.long
def test_a_run_that_is_killed_at_any_moment_is_gone_on_with(recovery: Recovery, whole: Whole) -> None:
    count, met = amount(1, 200), dict[str, int]()
    for _ in range(count):
        recovery.reset()
        after = recovery.place.random.uniform(0.2, whole.seconds)
        running = recovery.start()
        time.sleep(after)
        running.process.kill()
        running.wait(10)
        left = go_on(recovery, running, whole, f"after {after:.3f} s, seed {SEED}")
        met[left] = met.get(left, 0) + 1
    seen = ", ".join(f"{count} with {left} of the run there" for left, count in sorted(met.items()))
    figure("runner killed at a random moment", f"{count}: {seen}")


@pytest.mark.long
def test_what_goes_on_with_a_run_may_be_killed_too(recovery: Recovery, whole: Whole) -> None:
    dice = recovery.place.random
    count, most = amount(1, 40), 0
    for _ in range(count):
        recovery.reset()
        running = recovery.run(orders=at_random(recovery, whole.commits))
        for deaths in range(1, 6):
            most = max(most, deaths)
            recovery.place.gone(10)
            recovery.nothing_lost(running)
            runs = recovery.runs()
            if not runs or running.process.returncode == 0 or runs[-1].status is Status.COMPLETED:
                break
            running = recovery.resume(orders=at_random(recovery, whole.commits // 2))
        if dice.random() < 0.5 and (recovery.root / "data").exists():
            (recovery.root / "data" / "load.txt").unlink(missing_ok=True)  # it is in the store
        go_on(recovery, running, whole, f"seed {SEED}")
    figure("what goes on killed as well", f"{count} runs, up to {most} deaths each")


def at_random(recovery: Recovery, commits: int) -> dict[str, Any]:
    dice = recovery.place.random
    return {"at": dice.randrange(1, commits + 1), "when": dice.choice(["before", "after"]), "what": "SIGKILL"}


@pytest.mark.long
def test_a_run_that_is_killed_while_it_restores_is_gone_on_with(recovery: Recovery) -> None:
    """Nothing runs: all outputs come out of the store."""
    whole = Whole(recovery)
    count = amount(1, 40)
    for _ in range(count):
        for name in ("load.txt", "join.txt", "each/x.txt", "one.txt"):
            (recovery.root / "data" / name).unlink(missing_ok=True)
        running = recovery.run(orders=at_random(recovery, 12))
        recovery.place.gone(10)
        if running.process.returncode != 0:
            last = recovery.run()
            assert last.process.returncode == 0, last.errors()
        assert recovery.outputs() == whole.outputs
        ran = {
            event.stage
            for run in recovery.runs()[1:]
            for event in recovery.events(run.id)
            if isinstance(event, AttemptStarted)
        }
        assert ran <= {"always"}
    figure("runner killed while it restores", f"{count}, nothing ran again")


@pytest.mark.long
def test_a_cancelled_run_is_gone_on_with(recovery: Recovery, whole: Whole) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        recovery.reset()
        running = recovery.start()
        until(lambda: running.of(AttemptEnded, "load"), 30, "a stage ended")  # noqa: B023
        running.process.send_signal(number)
        assert running.wait(20) in {130, 0}
        if running.process.returncode == 130:
            assert recovery.runs()[-1].status is Status.CANCELLED
            assert recovery.resume().process.returncode == 0
        assert recovery.outputs() == whole.outputs
        recovery.nothing_twice()


# -- after a failure ----------------------------------------------------------------------------


def break_join(recovery: Recovery) -> str:
    """The last stage raises; the text of its notebook as it was."""
    path = recovery.root / "notebooks/join.ipynb"
    good = path.read_text()
    broken = json.loads(good)
    broken["cells"].insert(3, {**broken["cells"][2], "id": "broken", "source": "1 / 0"})
    path.write_text(json.dumps(broken))
    return good


def fail_and_mend(recovery: Recovery) -> None:
    """A run whose last stage failed, and its notebook as it was."""
    recovery.reset()
    good = break_join(recovery)
    recovery.run()
    (recovery.root / "notebooks/join.ipynb").write_text(good)


@pytest.mark.long
def test_a_notebook_that_failed_is_mended_and_the_run_gone_on_with(recovery: Recovery, whole: Whole) -> None:
    recovery.reset()
    good = break_join(recovery)
    running = recovery.run()
    assert running.process.returncode == 1
    assert "data/join.txt" not in recovery.outputs()
    again = recovery.resume()
    assert again.process.returncode == 1, "it fails as before"
    assert [event.stage for event in again.of(AttemptStarted)] == ["join"]
    (recovery.root / "notebooks/join.ipynb").write_text(good)
    last = recovery.resume()
    assert last.process.returncode == 0, last.errors()
    assert [event.stage for event in last.of(AttemptStarted)] == ["join"]
    assert sorted(event.stage for event in last.of(StageReused)) == sorted(set(ALL) - {"join"})
    assert recovery.outputs() == whole.outputs
    assert recovery.executions()["always"] == 1, "not even a stage that runs every time runs again"
    refused = recovery.resume()
    assert refused.process.returncode == 2
    assert "completed: nothing is left of it" in refused.said()


@pytest.mark.long
def test_what_was_finished_and_changed_is_refused_and_can_be_kept(recovery: Recovery) -> None:
    fail_and_mend(recovery)
    load = recovery.root / "notebooks/load.ipynb"
    load.write_text(load.read_text().replace("f'loaded", "f'fetched"))
    before, log = recovery.outputs(), recovery.executions()
    refused = recovery.resume()
    assert refused.process.returncode == 2
    said = refused.said()
    assert "has changed since: load (cell 3 changed)" in said
    assert "--keep" in said
    assert (recovery.outputs(), recovery.executions()) == (before, log)
    kept = recovery.resume("--keep")
    assert kept.process.returncode == 0, kept.errors()
    assert [event.stage for event in kept.of(AttemptStarted)] == ["join"]
    assert b"loaded 2 times" in (recovery.root / "data/load.txt").read_bytes()
    run = recovery.run()
    assert sorted(event.stage for event in run.of(AttemptEnded)) == sorted(
        ["load", "flaky", "always", "beside", "join"]
    )
    assert b"FETCHED 2 TIMES" in (recovery.root / "data/join.txt").read_bytes()


@pytest.mark.long
def test_what_was_made_of_something_that_is_gone_is_made_again(place: Place) -> None:
    """The first stage comes to something else each time; its output is lost, and not in the store."""
    place.builder.file("stagebook.toml", "[tracking]\nenabled = false\n[store]\nenabled = false\n")
    recovery = Recovery(place)
    load = recovery.root / "notebooks/load.ipynb"
    load.write_text(load.read_text().replace("text = f'loaded {n} times'", "text = str(time.time())"))
    good = break_join(recovery)
    assert recovery.run().process.returncode == 1
    (recovery.root / "notebooks/join.ipynb").write_text(good)
    (recovery.root / "data/load.txt").unlink()
    last = recovery.resume()
    assert last.process.returncode == 0, last.said()
    assert sorted(event.stage for event in last.of(AttemptStarted)) == ["beside", "flaky", "join", "load"]
    loaded = (recovery.root / "data/load.txt").read_text()
    assert (recovery.root / "data/flaky.txt").read_text() == loaded
    assert loaded in (recovery.root / "data/join.txt").read_text()


@pytest.mark.long
def test_a_comment_is_no_change(recovery: Recovery) -> None:
    fail_and_mend(recovery)
    load = recovery.root / "notebooks/load.ipynb"
    load.write_text(load.read_text().replace("import os, time", "import os, time  # what for?"))
    last = recovery.resume()
    assert last.process.returncode == 0, last.errors()
    assert [event.stage for event in last.of(AttemptStarted)] == ["join"]


@pytest.mark.long
def test_what_failed_is_tried_again_and_nothing_else(recovery: Recovery, whole: Whole) -> None:
    """An item of a list failed. The last stage needs it, and all the others."""
    recovery.reset()
    each = recovery.root / "notebooks/each.ipynb"
    good = each.read_text()
    broken = json.loads(good)
    broken["cells"][-1]["source"] = "assert item != 'y'"
    each.write_text(json.dumps(broken))
    running = recovery.run()
    assert running.process.returncode == 1
    failed = {stage: event.cause for stage, event in running.ends().items() if event.cause}
    assert failed.keys() - {"flaky"} == {"each@y"}, "the other one may have been about to be tried again"
    each.write_text(good)
    done = {event.stage for event in running.of(AttemptEnded) if event.cause is None}
    if done & {"each@x", "each@z"}:
        refused = recovery.run(words=("retry",))
        assert refused.process.returncode == 2, "the notebook is that of what was finished, too"
        assert "each@" in refused.said()
    again = recovery.run("--keep", words=("retry", "--failed"))
    assert again.process.returncode == 0, (again.errors(), again.said()[-1000:])
    assert {"each@y", "join"} <= {event.stage for event in again.of(AttemptStarted)}
    recovery.nothing_twice()
    assert recovery.outputs() == whole.outputs


@pytest.mark.long
def test_the_parameters_of_a_run_are_those_that_it_is_gone_on_with(recovery: Recovery) -> None:
    recovery.reset()
    recovery.run("-p", "n=1")
    one = recovery.outputs()
    recovery.reset()
    running = recovery.start("-p", "n=1")
    until(lambda: running.of(AttemptEnded, "load"), 30, "a stage ended")
    running.process.kill()
    running.wait(10)
    recovery.place.gone(10)
    if recovery.runs()[-1].status is not Status.COMPLETED:
        assert recovery.resume().process.returncode == 0
    assert recovery.outputs() == one
    assert "data/each/z.txt" not in one


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("around", ["spawn", "folder", "remove"])
@pytest.mark.long
def test_a_runner_that_is_killed_as_its_fork_server_comes_or_goes_leaves_no_folder(
    recovery: Recovery, around: str, when: str
) -> None:
    recovery.reset()
    running = recovery.run(orders={"around": around, "when": when})
    assert running.process.returncode == -signal.SIGKILL, running.errors()
    recovery.place.gone(20)


# -- in MLflow ----------------------------------------------------------------------------------


@pytest.mark.skipif(
    not IS_FULL, reason="with full numbers; tests/e2e/test_reuse.py kills a run with MLflow, too"
)
def test_a_run_whose_process_vanished_is_closed_in_mlflow_by_the_next_command(place: Place) -> None:
    recovery = Recovery(place, slowly=3)
    place.builder.file("stagebook.toml", "[tracking]\nenabled = true\n")
    running = recovery.start()
    until(lambda: running.of(AttemptEnded), 60, "a stage ended")
    look = (
        "import json, sys; from mlflow import MlflowClient; c = MlflowClient('sqlite:///mlflow.db');"
        "ids = [e.experiment_id for e in c.search_experiments()];"
        "print(json.dumps([[r.info.status, r.data.tags] for r in c.search_runs(ids, max_results=1000)]))"
    )

    def in_mlflow() -> list[Any]:
        done = python(place.root, "-c", look)
        return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout else []

    run = running.run
    journal = place.builder.project.journal
    until(lambda: journal.outbox.tracked(run) or running.process.poll() is not None, 90, "MLflow knows it")
    running.process.kill()
    running.wait(10)
    assert "interrupted" in place.command("runs")

    def closed() -> list[Any]:
        found = [item for item in in_mlflow() if item[1].get("stagebook.run_id") == run]
        return found if found and all(status != "RUNNING" for status, _ in found) else []

    found = until(closed, 90, "it is closed in MLflow")
    (parent,) = [item for item in found if item[1]["stagebook.kind"] == "run"]
    assert (parent[0], parent[1]["stagebook.status"]) == ("KILLED", "interrupted")
    assert parent[1]["stagebook.reason"] == "its process vanished"
    (end,) = [event for event in recovery.events(run) if isinstance(event, RunEnded)]
    assert end.status is Status.INTERRUPTED
    assert recovery.resume().process.returncode == 0
    resumed = [item for item in in_mlflow() if item[1].get("stagebook.resumes") == run]
    assert [status for status, _ in resumed] == ["FINISHED"]
    place.gone(60)


# -- the driver ---------------------------------------------------------------------------------


@pytest.mark.long
def test_the_driver_kills_where_it_is_told_to(recovery: Recovery, tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    recovery.reset()
    first = killed_at(recovery, 1, "before")
    assert first.told() == []
    recovery.reset()
    after = killed_at(recovery, 4, "after")
    assert recovery.events(after.run) != []
    assert recovery.runs()[-1].status is Status.INTERRUPTED
