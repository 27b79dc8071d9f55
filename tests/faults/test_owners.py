"""Two runners on one pipeline: one owner, whatever happens to it."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import signal
import sqlite3
import time

import pytest

from effort import SEED, amount, figure
from faults.faults_tools import Place, Running, kill, tell_pid
from faults.recovery_tools import Recovery
from stagebook.events import AttemptEnded, AttemptStarted, RunEnded, StageEnded, Status
from waiting import until

pytestmark = pytest.mark.e2e

LEASE = 2.0
QUICK = {"lease": LEASE, "beat": 0.2}


HELD = """
import time
from pathlib import Path
while Path('hold').read_text() in ('', os.environ['STAGEBOOK_RUN_ID']): time.sleep(0.05)
"""


def stages(place: Place, executor: str = "inprocess", seconds: float = 600, wait: str = "") -> None:
    """A slow stage with an output, and one after it."""
    wait = wait or f"import time\nfor _ in range({int(seconds * 10)}): time.sleep(0.1)"
    place.pipeline(
        {
            "slow": {
                "cells": [
                    "import os",
                    tell_pid("pid"),
                    wait,
                    "open(out, 'w').write('of ' + os.environ['STAGEBOOK_RUN_ID'])",
                ],
                "declares": "out = ''",
                "executor": executor,
                "outputs": {"out": "data/out.txt"},
            },
            "next": {"cells": ["1"], "executor": executor, "after": "slow"},
        }
    )


@pytest.fixture
def recovery(place: Place) -> Recovery:
    made = Recovery(place)
    stages(place)
    return made


def begun(recovery: Recovery, **options: object) -> Running:
    """A run whose slow stage is at work."""
    (recovery.root / "pid").unlink(missing_ok=True)
    running = recovery.start(**{"orders": QUICK, **options})  # type: ignore[arg-type]
    recovery.place.pid_in("pid")
    return running


def statuses(recovery: Recovery) -> list[Status]:
    return [run.status for run in recovery.runs()]


# -- somebody is there --------------------------------------------------------------------------


@pytest.mark.long
def test_a_second_run_is_refused_at_once_and_leaves_no_trace(recovery: Recovery) -> None:
    first = begun(recovery)
    second = recovery.run()
    assert second.process.returncode == 2
    assert f"'p' is being run already: {first.run} (process {first.process.pid} on " in second.said()
    assert f"wait for it with --wait, or stop it with: stagebook cancel {first.run}" in second.said()
    refused = recovery.resume()
    assert refused.process.returncode == 2
    assert f"the run {first.run} is going on" in refused.said()
    accepted = recovery.place.command("accept", "p", "next", "--because", "x", "--json")
    assert "is being run already" in accepted
    assert statuses(recovery) == [Status.RUNNING]
    first.process.terminate()
    first.wait(20)
    recovery.place.gone(5)


@pytest.mark.long
def test_another_pipeline_is_another_matter(recovery: Recovery) -> None:
    first = begun(recovery)
    recovery.place.builder.notebook("other", "1")
    recovery.place.builder.pipeline('{"stages": {"other": {"notebook": "notebooks/other.ipynb"}}}', "q")
    assert recovery.run(words=("run", "q")).process.returncode == 0
    first.process.terminate()
    assert first.wait(20) == 130


@pytest.mark.long
def test_who_waits_runs_once_the_pipeline_is_free(recovery: Recovery) -> None:
    stages(recovery.place, seconds=3)
    first = begun(recovery)
    second = recovery.run("--wait", orders=QUICK)
    assert first.wait(20) == 0
    assert second.process.returncode == 0, second.said()
    assert "waiting until it has ended" in second.errors()
    one, two = recovery.runs()
    assert [one.status, two.status] == [Status.COMPLETED, Status.COMPLETED]
    assert two.started >= one.ended
    assert (recovery.root / "data/out.txt").read_text() == f"of {two.id}", "both ran, one after the other"


@pytest.mark.long
def test_who_waits_gives_up_when_told_to(recovery: Recovery) -> None:
    first = begun(recovery)
    second = recovery.start("--wait", orders=QUICK)
    until(lambda: "waiting" in second.errors(), 30, "it waits")
    second.process.send_signal(signal.SIGINT)
    assert second.wait(10) == 130
    assert "Traceback" not in second.said()
    first.process.terminate()
    first.wait(20)
    assert statuses(recovery) == [Status.CANCELLED]
    recovery.place.gone(5)


# -- it is gone ---------------------------------------------------------------------------------


@pytest.mark.long
def test_who_waits_takes_over_at_once_from_an_owner_that_is_killed(recovery: Recovery) -> None:
    first = begun(recovery)
    second = recovery.start("--wait", orders=QUICK)
    until(lambda: "waiting" in second.errors(), 30, "it waits")
    first.process.kill()
    killed = time.time()
    until(second.told, 5, "it began")
    took = second.told()[0].at - killed
    assert took < LEASE, "nobody waits for the lease of a process that is gone"
    assert statuses(recovery) == [Status.INTERRUPTED, Status.RUNNING]
    second.process.terminate()
    second.wait(20)
    figure("a killed owner is replaced", f"after {took:.1f} s")
    recovery.place.gone(5)


@pytest.mark.long
def test_of_runs_that_start_at_once_one_becomes_the_owner(recovery: Recovery) -> None:
    met: collections.Counter[str] = collections.Counter()
    count = amount(1, 25)
    for _ in range(count):
        recovery.reset()
        stages(recovery.place, seconds=1)
        runs = [recovery.start(orders=QUICK) for _ in range(3)]
        codes = sorted(run.wait(120) for run in runs)
        known = recovery.runs()
        # One that comes when another has ended already has its turn after it.
        assert codes.count(0) == len(known) >= 1, (codes, SEED)
        assert codes.count(2) == 3 - len(known)
        assert all(run.status is Status.COMPLETED for run in known)
        for one, two in itertools.pairwise(known):
            assert one.ended <= two.started
        met[f"{len(known)} ran"] += 1
        recovery.place.gone(5)
    seen = ", ".join(f"{text} in {number}" for text, number in sorted(met.items()))
    figure("three runs at once", f"{count} times: {seen}; never two at a time")


# -- it is stopped ------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["inprocess", "kernel"])
@pytest.mark.long
def test_an_owner_that_is_stopped_is_replaced_and_changes_nothing_any_more(
    recovery: Recovery, executor: str
) -> None:
    for _ in range(amount(1, 10)):
        recovery.reset()
        stages(recovery.place, executor, seconds=1)
        first = begun(recovery)
        stop_between_writes(first)
        stopped = time.time()
        time.sleep(recovery.place.random.uniform(0, 1.5))  # its stage goes on, and may come to its end
        second = recovery.run(orders=QUICK)
        assert second.process.returncode == 0, second.said()
        assert "waiting to see whether it is still there" in second.errors()
        began = second.told()[0].at
        assert LEASE <= began - stopped < LEASE + 20
        published = (recovery.root / "data/out.txt").read_text()
        assert published == f"of {second.run}"
        before = recovery.events(first.run)
        files = {path for path in recovery.root.rglob("*") if ".stagebook/runs" not in path.as_posix()}
        kill(first.process.pid, signal.SIGCONT)
        assert first.wait(20) == 130
        assert f"the run {first.run} was taken over by another one" in first.said()
        assert "Traceback" not in first.said()
        recovery.place.gone(10)
        assert recovery.events(first.run) == before, "it wrote no event"
        assert (recovery.root / "data/out.txt").read_text() == published, "and no output"
        after = {path for path in recovery.root.rglob("*") if ".stagebook/runs" not in path.as_posix()}
        assert after - files <= {recovery.root / ".stagebook/forkserver.log"}
        (end,) = [event for event in before if isinstance(event, RunEnded)]
        assert end.status is Status.INTERRUPTED
        assert statuses(recovery) == [Status.INTERRUPTED, Status.COMPLETED]
    figure(f"owner stopped, replaced, continued, `{executor}`", f"{amount(1, 10)}: it wrote nothing any more")


@pytest.mark.long
def test_a_stopped_run_can_be_gone_on_with(recovery: Recovery) -> None:
    hold = recovery.root / "hold"  # the run whose slow stage goes on and on; empty for any
    hold.write_text("")
    stages(recovery.place, wait=HELD)
    first = begun(recovery)
    hold.write_text(first.run)
    stop_between_writes(first)
    second = recovery.resume(orders=QUICK)
    assert second.process.returncode == 0, second.said()
    kill(first.process.pid, signal.SIGCONT)
    assert first.wait(20) == 130
    assert statuses(recovery) == [Status.INTERRUPTED, Status.COMPLETED]


@pytest.mark.long
def test_an_owner_that_goes_on_before_its_lease_is_over_stays_the_owner(recovery: Recovery) -> None:
    stages(recovery.place, seconds=4)
    first = begun(recovery)
    stop_between_writes(first)
    second = recovery.start(orders={**QUICK, "lease": 30})
    until(lambda: "waiting to see" in second.errors(), 30, "it looks whether it is there")
    kill(first.process.pid, signal.SIGCONT)
    assert second.wait(20) == 2
    assert "is being run already" in second.said()
    assert first.wait(30) == 0
    assert statuses(recovery) == [Status.COMPLETED]


@pytest.mark.parametrize("executor", ["inprocess", "kernel"])
@pytest.mark.parametrize("timeout", [None, 4])
@pytest.mark.long
def test_ctrl_z_and_fg_are_as_if_nothing_was(recovery: Recovery, executor: str, timeout: int | None) -> None:
    """The stage comes to its end while the runner is stopped, long before its timeout."""
    recovery.place.pipeline(
        {
            "a": {
                "cells": [tell_pid("pid"), "import time\ntime.sleep(1)", "open(out, 'w').write('x')"],
                "declares": "out = ''",
                "executor": executor,
                "outputs": {"out": "data/a.txt"},
                **({"timeout": timeout} if timeout else {}),
            },
            "b": {"cells": ["1"], "executor": executor, "after": "a"},
        }
    )
    # In a process group of its own and in this session, or SIGTSTP would be ignored.
    recovery.place.settings(grace=0.5)
    orders = {**QUICK, "backstop": 1}
    first = begun(recovery, orders=orders, start_new_session=False, process_group=0)
    kill(first.process.pid, signal.SIGTSTP)
    stopped = time.monotonic()
    until(lambda: recovery.place.builder.project.history.find(first.run).ended is None, 5, "the run goes on")
    result = first.folder("a") / "result.json"
    until(result.exists, 30, "the stage came to its end")
    # From outside, a worker is ended 1.5 s after its timeout.
    time.sleep(max(1.0, 7 - (time.monotonic() - stopped)) if timeout else 1.0)
    assert not first.of(AttemptEnded)
    kill(first.process.pid, signal.SIGCONT)
    assert first.wait(30) == 0, first.said()
    assert {event.stage: event.cause for event in first.of(AttemptEnded)} == {"a": None, "b": None}
    assert (recovery.root / "data/a.txt").read_text() == "x"
    assert statuses(recovery) == [Status.COMPLETED]
    recovery.place.gone(5)


@pytest.mark.long
def test_a_stopped_run_can_be_looked_at(recovery: Recovery) -> None:
    first = begun(recovery)
    kill(first.process.pid, signal.SIGSTOP)
    place = recovery.place
    assert "running" in place.command("runs")
    assert "running" in place.command("status", "p")
    found = place.command("doctor")
    assert f"the run {first.run} is held by process {first.process.pid}" in found
    assert "stopped" in found
    kill(first.process.pid, signal.SIGCONT)
    first.process.terminate()
    assert first.wait(20) == 130


# -- it is stopped while it publishes -----------------------------------------------------------


@pytest.mark.long
def test_an_owner_that_is_stopped_while_it_writes_is_named_and_nothing_is_written_twice(
    recovery: Recovery,
) -> None:
    stages(recovery.place, seconds=0.1)
    count, seen = amount(1, 10), 0
    for at in recovery.place.random.sample(range(2, 30), 28):
        if seen == count:
            break
        recovery.reset()
        first = recovery.start(orders={**QUICK, "at": at, "when": "before", "what": "SIGSTOP"})
        until(lambda: is_stopped(first) or first.process.poll() is not None, 60, "it stopped")  # noqa: B023
        if first.process.poll() is not None:
            continue  # it ended before it had written so often
        seen += 1
        began = time.monotonic()
        second = recovery.run(orders={**QUICK, "busy": 1.5})
        waited = time.monotonic() - began
        assert second.process.returncode == 2, second.said()
        assert "Traceback" not in second.said()
        pid = first.process.pid
        # The first transactions are before anybody is known as the owner.
        assert was_told_who_holds(second, first) or (at < 4 and "is locked" in second.said())
        assert waited < 30
        assert "running" in recovery.place.command("runs") or at < 3, "who only looks is not held up"
        if recovery.place.random.random() < 0.5:
            kill(pid, signal.SIGCONT)
            assert first.wait(60) == 0, first.said()
            assert statuses(recovery) == [Status.COMPLETED]
            run = first.run
        else:
            kill(pid, signal.SIGKILL)
            first.wait(10)
            third = recovery.run(orders=QUICK)
            assert third.process.returncode == 0, third.said()
            assert statuses(recovery)[-1] is Status.COMPLETED
            run = third.run
        assert (recovery.root / "data/out.txt").read_text() == f"of {run}"
        ends = [event.stage for event in recovery.events(run) if isinstance(event, StageEnded)]
        assert sorted(ends) == ["next", "slow"]
        recovery.place.gone(10)
    assert seen
    figure("owner stopped while it holds the journal", f"{seen}: the other is told whom to continue or end")


def is_stopped(running: Running) -> bool:
    try:
        with open(f"/proc/{running.process.pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] == b"T"
    except OSError:
        return False


def stop_between_writes(first: Running) -> None:
    """Stop a run at a moment at which it holds no lock of the journal."""
    journal = first.place.root / ".stagebook/journal.db"

    def is_stopped_between() -> bool:
        kill(first.process.pid, signal.SIGSTOP)
        until(lambda: is_stopped(first), 10, "it is stopped")
        with (
            contextlib.closing(sqlite3.connect(journal, timeout=0.2, isolation_level=None)) as database,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            return True
        kill(first.process.pid, signal.SIGCONT)
        return False

    until(is_stopped_between, 60, "it is stopped between two writes", every=0.05)


def was_told_who_holds(second: Running, first: Running) -> bool:
    """Whether a run was refused since another one, that is stopped, holds the journal."""
    pid, said = first.process.pid, second.said()
    if second.process.returncode != 2 or f"the process {pid} on " not in said:
        return False
    assert f"let it go on: kill -CONT {pid}; or end it: kill -9 {pid}" in said
    return True


# -- it is cancelled ----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("p",), ("--now",)])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.long
def test_a_run_is_cancelled_from_another_process(
    recovery: Recovery, words: tuple[str, ...], is_there: bool
) -> None:
    """Also one that is stopped, which could not end else."""
    stages(recovery.place)
    first = begun(recovery)
    if not is_there:
        stop_between_writes(first)
    told = json.loads(recovery.place.command("cancel", *words, "--json"))
    assert (told["run"], told["pid"], told["status"]) == (first.run, first.process.pid, "cancelled")
    assert first.wait(20) == 130
    assert statuses(recovery) == [Status.CANCELLED]
    recovery.place.gone(10)
    again = recovery.place.command("cancel", *words, "--json")
    assert "goes on" in json.loads(again)["error"]
    assert "is over: cancelled" in recovery.place.command("cancel", first.run, "--json")


# -- a sweep ------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_sweep_that_is_killed_is_one_owner_with_its_points(place: Place) -> None:
    recovery = Recovery(place)
    running = recovery.start("-p", "n=[1,2,3]", words=("sweep", "p"), orders=QUICK)
    until(lambda: running.of(AttemptStarted), 60, "a point runs")
    refused = recovery.run()
    assert refused.process.returncode == 2
    assert "is being run already" in refused.said()
    running.process.kill()
    running.wait(10)
    recovery.place.gone(10)
    again = recovery.resume(orders=QUICK)
    assert again.process.returncode == 0, again.said()
    known = recovery.runs()
    assert not [run for run in known if run.status is Status.RUNNING]
    done = {run.params["n"] for run in known if run.status is Status.COMPLETED and run.kind == "run"}
    assert done == {1, 2, 3}
    assert (recovery.root / "data/load.txt").read_text() == "loaded 3 times"
