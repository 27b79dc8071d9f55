"""Kernels that are killed or frozen, and notebooks that end themselves in every way."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from effort import IS_FULL, SEED, amount, figure
from faults.faults_tools import EXECUTORS, Place, agree, kill, outputs_of, statuses, tell_pid, text_of
from stagebook.events import AttemptFrozen, Cause, RunEnded, Status

pytestmark = pytest.mark.e2e

STEP = "import time\nprint('step'); time.sleep(0.15)"
SLEEP = "import time\ntime.sleep(600)"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_kernel_that_is_killed_at_any_moment_is_a_failed_stage(place: Place, executor: str) -> None:
    count = amount(3, 50)
    names = [f"s{at}" for at in range(count)]
    place.pipeline(
        {name: {"cells": [tell_pid(f"{name}.pid"), *[STEP] * 5], "executor": executor} for name in names}
    )
    # One in each part of the time that a stage takes, and a little after it: the first is always in time.
    delays = {name: (at + place.random.random()) * 1.1 / count for at, name in enumerate(names)}
    killed: dict[str, float] = {}

    def kill_it(name: str) -> None:
        pid = place.pid_in(f"{name}.pid", 600)
        time.sleep(delays[name])
        if kill(pid):
            killed[name] = time.time()

    running = place.start("--jobs", "3", "--keep-going")
    threads = [threading.Thread(target=kill_it, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    running.wait(1800 if IS_FULL else 120)
    for thread in threads:
        thread.join()
    ends = running.ends()
    slowest = 0.0
    for name in names:
        end, how = ends[name], f"{name}, killed after {delays[name]:.3f} s, seed {SEED}"
        agree(running, name)
        if end.cause is None:  # it had done everything before
            assert statuses(running, name) == ["completed"] * 6, how
            continue
        assert end.cause is Cause.KERNEL_DIED, (how, end)
        assert "SIGKILL" in end.message, (how, end)
        assert statuses(running, name).count("failed") == 1, how
        slowest = max(slowest, end.at - killed[name])
        assert end.at - killed[name] < 2.0, how
    died = sum(end.cause is not None for end in ends.values())
    assert died
    figure(f"kernels killed, `{executor}`", f"{count}; {died} in a cell, told after {slowest:.2f} s at most")
    place.gone(2)


@pytest.mark.long
def test_frozen_kernels_are_flagged_and_a_busy_one_never_is(place: Place) -> None:
    count = amount(1, 25)  # of each executor
    seconds = 60 if IS_FULL else 7  # longer than it takes to flag a frozen one
    frozen = [f"frozen-{executor}-{at}" for executor in EXECUTORS for at in range(count)]
    stages = {
        name: {
            "cells": [tell_pid(f"{name}.pid"), SLEEP],
            "executor": name.split("-")[1],
            "timeout": f"{25 + count}s" if IS_FULL else "16s",
        }
        for name in frozen
    }
    busy = f"import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pow(7, 3_000_000)"
    held = "import re\n" + busy.replace("pow(7, 3_000_000)", "re.match('(a+)+$', 'a' * 25 + 'b')")
    for executor in EXECUTORS:
        stages[f"busy-{executor}"] = {
            "cells": [busy if executor == "kernel" else held],
            "executor": executor,
        }
    place.pipeline(stages)
    running = place.start("--jobs", "8", "--keep-going")
    stopped: dict[str, float] = {}

    def freeze(name: str) -> None:
        pid = place.pid_in(f"{name}.pid", 1200)
        assert kill(pid, signal.SIGSTOP)
        stopped[name] = time.time()

    threads = [threading.Thread(target=freeze, args=(name,)) for name in frozen]
    for thread in threads:
        thread.start()
    running.wait(1800 if IS_FULL else 120)
    flagged: dict[str, float] = {}
    for event in running.events():
        if isinstance(event, AttemptFrozen):  # told again and again; the first one counts
            flagged.setdefault(event.stage, event.at)
    assert set(flagged) == set(frozen), (running.ends(), running.errors())
    ends = running.ends()
    for name in frozen:
        assert flagged[name] - stopped[name] < 15.0, name
        assert ends[name].cause is Cause.TIMEOUT, ends[name]
        agree(running, name)
    for executor in EXECUTORS:
        assert ends[f"busy-{executor}"].cause is None, ends[f"busy-{executor}"]
    slowest = max(flagged[name] - stopped[name] for name in frozen)
    figure(
        "kernels frozen", f"{len(frozen)}; flagged after {slowest:.1f} s at most, all ended at the timeout"
    )
    figure("busy C code holding the interpreter", f"2 of {seconds} s, never flagged")
    place.gone(2)


SWALLOW = """
import time
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        pass
"""
TOO_MUCH = """
import resource
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, -1))
data = bytearray(2_000_000_000)
"""
DETACHED = """
import os, subprocess, sys
def away(name, run):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(name + ".tmp", "w") as file:
                file.write(str(os.getpid()))
            os.rename(name + ".tmp", name)
            run()
        os._exit(0)
    os.wait()
import time
away("plain.pid", lambda: time.sleep(600))
away("exec.pid", lambda: os.execv("/bin/sleep", ["sleep", "600"]))
away("bare.pid", lambda: os.execve("/bin/sleep", ["sleep", "600"], {}))
while not all(map(os.path.exists, ["plain.pid", "exec.pid", "bare.pid"])):
    time.sleep(0.01)
"""
GONE = """
import os
def there(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
left = [name for name in ("plain", "exec", "bare") if there(open(name + ".pid").read())]
assert not left, left
"""
OWN_ENDS = {
    "exits": ("import os; os._exit(3)", Cause.KERNEL_DIED, "exit code 3"),
    "crashes": ("import ctypes; ctypes.string_at(0)", Cause.KERNEL_DIED, "SIGSEGV"),
    "memory": (TOO_MUCH, Cause.EXCEPTION, "MemoryError"),
    "killed": (
        "import os; data = b'x' * 50_000_000; os.kill(os.getpid(), 9)",
        Cause.KERNEL_DIED,
        "SIGKILL (out of memory?)",
    ),
    "sysexit": ("import sys; sys.exit(3)", Cause.EXCEPTION, "SystemExit: 3"),
    "syntax": ("def broken(:", Cause.EXCEPTION, "SyntaxError"),
    "swallows": (SWALLOW, Cause.TIMEOUT, "not done after"),
}


@pytest.mark.parametrize("fork", [True, *([False] if IS_FULL else [])])
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_a_notebook_may_end_itself_in_any_way(place: Place, executor: str, fork: bool) -> None:
    place.settings(fork=fork)
    limit = "2s" if fork else "15s"  # what is started takes seconds to come up on a busy machine
    stages = {
        name: {"cells": ["x = 1", cell, "y = 2"], "timeout": limit if name == "swallows" else "60s"}
        for name, (cell, _, _) in OWN_ENDS.items()
    }
    stages["parent"] = {
        "cells": ["x = 1", "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)", "y = 2"]
    }
    stages["beside"] = {"cells": ["import time\ntime.sleep(5)", "print('on')"]}
    stages["detached"] = {"cells": [DETACHED]}
    stages["after"] = {"cells": [GONE], "after": "detached"}
    place.pipeline({name: {**stage, "executor": executor} for name, stage in stages.items()})
    running = place.run("--jobs", "4", "--keep-going")
    assert running.process.returncode == 1, running.errors()
    ends = running.ends()
    for name, (_, cause, message) in OWN_ENDS.items():
        assert (ends[name].cause, message in ends[name].message) == (cause, True), ends[name]
        assert statuses(running, name) == ["completed", "failed", "pending"]
        agree(running, name)
    for name in ("beside", "detached", "after"):
        assert ends[name].cause is None, ends[name]
    # The parent of the process is its keeper; where nothing is forked it is the stage's worker.
    assert ends["parent"].cause is (Cause.KERNEL_DIED if fork else Cause.WORKER_DIED), ends["parent"]
    assert "SIGKILL" in ends["parent"].message
    if fork:
        agree(running, "parent")
    assert [event.status for event in running.of(RunEnded)] == [Status.FAILED]
    figure(
        f"a notebook's own ends, `{executor}`, {'forked' if fork else 'not forked'}",
        f"{len(stages)}, all told",
    )
    place.gone(2)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_output_of_a_child_that_goes_on_forever_does_not_hold_up_the_stage(
    place: Place, executor: str
) -> None:
    cell = "import subprocess, time\nsubprocess.Popen(['yes'])\ntime.sleep(0.3)"
    place.pipeline({"a": {"cells": [cell, "print('on')"], "executor": executor, "timeout": "60s"}})
    running = place.run()
    assert running.ends()["a"].cause is None, running.ends()["a"]
    # Python writes the end of a line by itself, so that the child's lines may come before it.
    assert "on" in text_of(outputs_of(running, "a")[1])
    assert "Traceback" not in (running.folder("a") / "worker.txt").read_text()
    place.gone(2)
