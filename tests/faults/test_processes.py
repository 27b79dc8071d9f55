"""Many starts, and the processes of the platform killed at random moments."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from functools import partial

import pytest

from effort import SEED, amount, figure
from faults.faults_tools import EXECUTORS, Place, Running, agree, ended, kill, tell_pid
from stagebook.events import AttemptEnded, Cause, CellStarted, RunEnded, StageEnded, Status
from waiting import until

pytestmark = pytest.mark.e2e

SLEEP = "import time\ntime.sleep(600)"


@pytest.mark.long
def test_many_starts_lose_nothing(place: Place) -> None:
    count = amount(32, 1000)
    place.pipeline({f"s{at}": {"cells": ["1"], "executor": EXECUTORS[at % 2]} for at in range(count)})
    running = place.start("--jobs", "16")
    server = place.fork_server()
    seen: dict[int, list[tuple[int, int]]] = {running.process.pid: [], server: []}
    looks = done = 0
    while running.process.poll() is None:
        if looks % 20 == 0:
            done = len(running.of(AttemptEnded))
        looks += 1
        for pid, counts in seen.items():
            try:
                counts.append((done, len(os.listdir(f"/proc/{pid}/fd"))))
            except OSError:
                break
        time.sleep(0.02)
    assert running.process.returncode == 0, running.errors()
    ends = running.ends()
    assert len(ends) == count
    assert [end for end in ends.values() if end.cause is not None] == []
    peaks = {}
    for name, counts in zip(("runner", "fork server"), seen.values(), strict=True):
        early = max(number for done, number in counts if done <= count / 2)
        late = max((number for done, number in counts if done > count / 2), default=0)
        assert late <= early + 8, f"descriptors of the {name}: {early}, then {late}"
        peaks[name] = f"{early} → {late}"
    figure("starts, 16 at once", f"{count}, none failed")
    figure("descriptors, first half → second", ", ".join(f"{name} {seen}" for name, seen in peaks.items()))
    place.gone(2)


def slow(place: Place, executor: str, names: str = "ab") -> Running:
    """A run of slow stages, at the point where all of them run a cell."""
    place.pipeline(
        {
            **{name: {"cells": [tell_pid(f"{name}.pid"), SLEEP], "executor": executor} for name in names},
            "z": {"cells": ["1"], "after": list(names), "executor": executor},
        }
    )
    running = place.start("--jobs", str(len(names)), "--keep-going")
    until(lambda: len([e for e in running.of(CellStarted) if e.cell == 2]) == len(names), 60, "cells run")
    return running


@pytest.mark.long
def test_a_fork_server_that_no_run_takes_is_ended(place: Place) -> None:
    place.builder.pipeline("stages: {a: {}}")
    running = place.start()
    assert running.wait(60) == 2
    place.gone(0)

    place.settings(fork=False)
    place.pipeline({"a": {"cells": [tell_pid("pid"), "import time\ntime.sleep(0.5)"]}})
    running = place.start()
    place.pid_in("pid")
    assert place.named("sb-forkserver") == []
    assert running.wait(60) == 0
    place.gone(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_a_worker_that_is_killed_fails_its_stage_alone(place: Place, executor: str, number: int) -> None:
    for _ in range(amount(1, 10)):
        cells = [tell_pid("pid"), SLEEP]
        quick = {"cells": ["import time\ntime.sleep(2)"], "executor": executor}
        place.pipeline({"a": {"cells": cells, "executor": executor}, "b": quick})
        (place.root / "pid").unlink(missing_ok=True)
        running = place.start("--jobs", "2", "--keep-going")
        pid = place.pid_in("pid")
        worker = place.worker_of(running, "a")
        time.sleep(place.random.uniform(0, 0.5))
        kill(worker, number)
        killed = time.time()
        ended([worker, pid], 10)
        running.wait(60)
        ends = running.ends()
        wanted = {Cause.WORKER_DIED} if number == signal.SIGKILL else {Cause.CANCELLED}
        assert ends["a"].cause in wanted, (ends["a"], SEED)
        assert ends["a"].at - killed < 10
        assert ends["b"].cause is None, ends["b"]
        if number == signal.SIGTERM:
            agree(running, "a")
        place.gone(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.long
def test_stages_do_not_need_the_fork_server_to_live(place: Place, number: int) -> None:
    for _ in range(amount(1, 10)):
        stages = {
            f"{executor}{at}": {
                "cells": ["import time\ntime.sleep(0.4)", "print('on')"],
                "executor": executor,
            }
            for at in range(4)
            for executor in EXECUTORS
        }
        place.pipeline(stages)
        running = place.start("--jobs", "3")
        server = place.fork_server()
        time.sleep(place.random.uniform(0, 3.0))
        kill(server, number)
        running.wait(120)
        bad = [end for end in running.ends().values() if end.cause is not None]
        assert (running.process.returncode, bad) == (0, []), (SEED, running.errors())
        for name in stages:
            agree(running, name)
        place.gone(2)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.long
def test_a_run_that_is_process_1_of_a_container_survives_the_fork_server(place: Place) -> None:
    prefix = ("unshare", "-rpf", "--kill-child", "--mount-proc")
    if subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("needs name spaces of users and processes")
    for executor in EXECUTORS:
        (place.root / "pid").unlink(missing_ok=True)
        cells = [tell_pid("pid"), "import time\ntime.sleep(1.5)"]
        place.pipeline(
            {
                "a": {"cells": cells, "executor": executor},
                "b": {"cells": ["1"], "executor": executor, "after": "a"},
            }
        )
        running = place.start(prefix=prefix)
        place.pid_in("pid")
        server = place.fork_server()
        kill(server)
        running.wait(20)
        assert [(e.stage, e.status) for e in running.of(StageEnded)] == [
            ("a", Status.COMPLETED),
            ("b", Status.COMPLETED),
        ]


@pytest.mark.long
def test_a_run_can_be_cancelled_while_the_fork_server_hangs(place: Place) -> None:
    place.pipeline({"a": {"cells": ["1"]}, "b": {"cells": ["1"], "after": "a"}})
    running = place.start()
    server = place.fork_server()
    kill(server, signal.SIGSTOP)
    until(running.told, 30, "the run began")
    time.sleep(1)
    running.process.send_signal(signal.SIGTERM)
    assert running.wait(15) == 130
    place.gone(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_a_runner_that_is_killed_takes_everything_along(place: Place, executor: str, number: int) -> None:
    for _ in range(amount(1, 10)):
        for name in "ab":
            (place.root / f"{name}.pid").unlink(missing_ok=True)
        running = slow(place, executor)
        time.sleep(place.random.uniform(0, 0.6))
        running.process.send_signal(number)
        killed = time.monotonic()
        running.wait(20)
        place.gone(20 if number == signal.SIGTERM else 10)
        took = time.monotonic() - killed
        told = [event.to_json() for event in running.told() if not type(event).transient]
        said = place.command("status", "p")
        kept = [event.to_json() for event in running.events()]
        assert [event for event in told if event not in kept] == [], "what was told is in the journal"
        record = place.builder.project.history.find(running.run)
        history = place.builder.project.history.of(record)
        found = {name: stage.status for name, stage in history.stages.items()}
        if number == signal.SIGTERM:
            assert running.process.returncode == 130
            assert found == dict.fromkeys("abz", Status.CANCELLED)
            assert "cancelled" in said
            for name in "ab":
                agree(running, name)
        else:
            assert record.status is Status.INTERRUPTED
            assert found == {"a": Status.INTERRUPTED, "b": Status.INTERRUPTED, "z": Status.BLOCKED}
            assert "interrupted" in said
        before = {e.stage: e.status for e in running.events() if isinstance(e, StageEnded)}
        place.command("status", "p")
        again = {e.stage: e.status for e in running.events() if isinstance(e, StageEnded)}
        assert again == before, "what ended stays as it ended"
    figure(f"runner ended by {signal.Signals(number).name}, `{executor}`", f"all gone after {took:.1f} s")


def test_stages_that_ended_before_the_runner_was_killed_stay_as_they_ended(place: Place) -> None:
    for _ in range(amount(1, 15)):
        place.pipeline({f"s{at}": {"cells": ["1"], "executor": EXECUTORS[at % 2]} for at in range(12)})
        running = place.start("--jobs", "2")
        until(partial(running.of, StageEnded), 60, "a stage ended")
        time.sleep(place.random.uniform(0, 1.0))
        running.process.kill()
        running.wait(10)
        place.gone(10)
        told = {event.stage: event.status for event in running.of(StageEnded)}
        place.command("status", "p")
        record = place.builder.project.history.find(running.run)
        history = place.builder.project.history.of(record)
        for name, status in told.items():
            assert history.stages[name].status is status
        assert all(stage.status.is_final for stage in history.stages.values())
        if not running.of(RunEnded):
            assert record.status in {Status.INTERRUPTED, Status.COMPLETED}
