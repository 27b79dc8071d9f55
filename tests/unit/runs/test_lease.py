"""Who runs a pipeline: at most one, and one at once where the last one is gone."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from faults.faults_tools import SEED, amount, figure, until
from stagebook.errors import JournalUnreadable, PipelineBusy, RunTakenOver
from stagebook.events import RunEnded, RunStarted, StageEnded, Status
from stagebook.journal import database
from stagebook.journal.journal import Journal, Liveness, Owner
from stagebook.runs import lease
from stagebook.runs.lease import heartbeat, liveness_of, outwait, take_ownership, this_process

PLATFORM = str(Path(__file__).parents[3] / "platform")
ABSENT = 2**22 + 5  # above any process id

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that do not take long."""
    monkeypatch.setattr(lease, "LEASE", 1.0)
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "_POLL", 0.02)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def started(name: str = "one", pipeline: str = "p") -> RunStarted:
    return RunStarted(run=name, at=0.0, pipeline=pipeline, plan={})


def owner_of(pid: int) -> Owner:
    """A process as it would say of itself."""
    here = this_process()
    mark = " ".join([*here.mark.split(" ")[:2], lease._look(pid)[1]])
    return dataclasses.replace(here, pid=pid, started=psutil.Process(pid).create_time(), mark=mark)


def marked(owner: Owner, at: int, text: str) -> Owner:
    """With another word in its mark."""
    words = owner.mark.split(" ")
    words[at] = text
    return dataclasses.replace(owner, mark=" ".join(words))


# -- what is known of an owner ------------------------------------------------------------------


def test_a_process_is_alive_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    assert liveness_of(this_process()) is Liveness.ALIVE
    owner = owner_of(sleeper.pid)
    assert liveness_of(owner) is Liveness.ALIVE
    sleeper.send_signal(signal.SIGSTOP)
    until(lambda: liveness_of(owner) is Liveness.UNSURE, 5, "it is stopped")
    sleeper.send_signal(signal.SIGCONT)
    until(lambda: liveness_of(owner) is Liveness.ALIVE, 5, "it goes on")
    sleeper.kill()
    until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE, 5, "nobody waited for it")
    assert liveness_of(owner) is Liveness.DEAD
    sleeper.wait()
    assert liveness_of(owner) is Liveness.DEAD


def test_another_process_with_its_id_is_another() -> None:
    here = this_process()
    assert liveness_of(marked(here, 2, "1")) is Liveness.DEAD
    assert liveness_of(dataclasses.replace(here, pid=ABSENT)) is Liveness.DEAD


def test_a_clock_that_is_set_kills_nobody() -> None:
    """The time at which a process was started is computed from the clock, and jumps with it."""
    here = this_process()
    for jump in (-1e9, -3600.0, 5.0, 1e9):
        assert liveness_of(dataclasses.replace(here, started=here.started + jump)) is Liveness.ALIVE


def test_what_is_out_of_sight_is_not_known() -> None:
    here = this_process()
    assert liveness_of(marked(here, 1, "pid:[1]")) is Liveness.UNSURE, (
        "a container's processes have their own ids"
    )
    elsewhere = dataclasses.replace(marked(here, 0, "another-boot"), host="elsewhere")
    assert liveness_of(elsewhere) is Liveness.UNSURE
    assert liveness_of(dataclasses.replace(here, host="elsewhere")) is Liveness.ALIVE, (
        "the machine was renamed"
    )


def test_a_machine_that_was_started_anew_has_none_of_its_processes() -> None:
    assert liveness_of(marked(this_process(), 0, "another-boot")) is Liveness.DEAD


def test_without_a_mark_the_time_decides(sleeper: subprocess.Popen[bytes]) -> None:
    """As of version 1, and where there is no /proc."""
    owner = dataclasses.replace(owner_of(sleeper.pid), mark="")
    assert liveness_of(owner) is Liveness.ALIVE
    assert liveness_of(dataclasses.replace(owner, started=owner.started - 5)) is Liveness.DEAD
    assert liveness_of(dataclasses.replace(owner, pid=ABSENT)) is Liveness.DEAD
    assert liveness_of(dataclasses.replace(owner, host="elsewhere")) is Liveness.UNSURE
    sleeper.send_signal(signal.SIGSTOP)
    until(lambda: liveness_of(owner) is Liveness.UNSURE, 5, "it is stopped")
    for nonsense in ("x", "a b", "a b c d", "\0 \0 \0"):
        assert liveness_of(dataclasses.replace(owner, mark=nonsense)) in Liveness


def test_a_machine_without_proc_has_no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_place", tuple)
    here = this_process()
    assert here.mark == ""
    assert liveness_of(here) is Liveness.ALIVE


def test_a_process_that_proc_hides_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(_pid: int) -> tuple[str, str]:
        raise FileNotFoundError

    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    here = this_process()
    monkeypatch.setattr(lease, "_look", hidden)
    assert liveness_of(here) is Liveness.DEAD
    monkeypatch.setattr(os, "kill", refused)
    assert liveness_of(here) is Liveness.UNSURE


# -- to become the owner ------------------------------------------------------------------------


def hold(journal: Journal, owner: Owner, name: str = "held") -> None:
    journal.begin(started(name), owner, lambda _: Liveness.ALIVE)


def test_a_free_pipeline_is_taken(journal: Journal) -> None:
    event = take_ownership(journal, started(), clock=lambda: 7.0)
    assert event == dataclasses.replace(started(), at=7.0)
    assert journal.leases.owners() == [("one", this_process())]


def refuse_to_wait(*_busy: PipelineBusy) -> None:
    """Called where somebody waits."""
    pytest.fail("nobody has to wait here")


def test_a_pipeline_that_is_being_run_is_refused_at_once(journal: Journal) -> None:
    hold(journal, this_process())
    with pytest.raises(PipelineBusy, match=f"held \\(process {os.getpid()} on {socket.gethostname()}\\)"):
        take_ownership(journal, started(), clock=time.time, waiting=refuse_to_wait)


def test_an_owner_that_is_gone_is_replaced_at_once(journal: Journal) -> None:
    hold(journal, dataclasses.replace(this_process(), pid=ABSENT))
    take_ownership(journal, started(), clock=time.time, waiting=refuse_to_wait)
    assert journal.runs.find("held").status is Status.INTERRUPTED  # type: ignore[union-attr]


@pytest.mark.usefixtures("quick")
def test_an_owner_out_of_sight_is_replaced_after_its_lease(journal: Journal) -> None:
    hold(journal, marked(this_process(), 1, "pid:[1]"))
    waited: list[str] = []
    began = time.monotonic()
    take_ownership(journal, started(), clock=time.time, waiting=lambda busy: waited.append(busy.run))
    assert time.monotonic() - began >= 1.0, "the lease"
    assert waited == ["held"]
    assert journal.runs.find("held").status is Status.INTERRUPTED  # type: ignore[union-attr]


@pytest.mark.usefixtures("quick")
def test_an_owner_out_of_sight_that_gives_signs_of_life_keeps_its_pipeline(journal: Journal) -> None:
    hold(journal, marked(this_process(), 1, "pid:[1]"))
    with heartbeat(journal.path, "held"), pytest.raises(PipelineBusy):
        take_ownership(journal, started(), clock=time.time)
    assert journal.runs.find("one") is None


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("in_sight", [True, False])
def test_who_waits_gets_the_pipeline_once_it_is_free(journal: Journal, in_sight: bool) -> None:
    hold(journal, this_process() if in_sight else marked(this_process(), 1, "pid:[1]"))
    path, waited = journal.path, list[str]()

    def end() -> None:
        time.sleep(1.2)
        other = Journal(path)
        other.append([RunEnded(run="held", at=1.0, status=Status.COMPLETED)], owner="held")
        other.close()

    with heartbeat(path, "held"):
        thread = threading.Thread(target=end)
        thread.start()
        began = time.monotonic()
        take_ownership(
            journal, started(), clock=time.time, wait=True, waiting=lambda busy: waited.append(busy.run)
        )
        assert time.monotonic() - began >= 1.2
        thread.join()
    assert waited == ["held"]
    assert journal.runs.find("held").status is Status.COMPLETED  # type: ignore[union-attr]


@pytest.mark.usefixtures("quick")
def test_a_stopped_owner_that_holds_the_journal_is_named(
    journal: Journal, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(journal, owner_of(sleeper.pid))
    sleeper.send_signal(signal.SIGSTOP)
    until(lambda: liveness_of(owner_of(sleeper.pid)) is Liveness.UNSURE, 5, "it is stopped")
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    other = Journal(journal.path)
    with journal._db.write():
        with pytest.raises(JournalUnreadable, match=f"the process {sleeper.pid} on .* holds") as caught:
            take_ownership(other, started(), clock=time.time)
        assert (
            caught.value.hint == f"let it go on: kill -CONT {sleeper.pid}; or end it: kill -9 {sleeper.pid}"
        )
        sleeper.send_signal(signal.SIGCONT)
        until(lambda: liveness_of(owner_of(sleeper.pid)) is Liveness.ALIVE, 5, "it goes on")
        with pytest.raises(JournalUnreadable, match="database is locked"):
            take_ownership(other, started(), clock=time.time)
    other.close()


@pytest.mark.usefixtures("quick")
def test_what_is_left_of_a_run_out_of_sight_can_be_had_after_its_lease(journal: Journal) -> None:
    hold(journal, marked(this_process(), 1, "pid:[1]"))
    waited: list[bool] = []
    with heartbeat(journal.path, "held"):
        outwait(journal, "held", clock=time.time, waiting=lambda: waited.append(True))
    assert journal.runs.find("held").ended is None  # type: ignore[union-attr]
    outwait(journal, "held", clock=lambda: 5.0)
    assert journal.runs.find("held").ended == 5.0  # type: ignore[union-attr]
    outwait(journal, "held", clock=time.time)
    assert waited == [True]


@pytest.mark.usefixtures("quick")
def test_nobody_waits_for_a_run_that_is_alive_or_over(journal: Journal) -> None:
    hold(journal, this_process())
    outwait(journal, "held", clock=time.time, waiting=refuse_to_wait)
    outwait(journal, "unknown", clock=time.time, waiting=refuse_to_wait)


# -- signs of life ------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_the_heart_beats_as_long_as_a_run_goes_on(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(journal, this_process())
    with heartbeat(journal.path, "held"):
        until(lambda: journal.leases.all()[0].beat > 3, 10, "it beats")
        monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.01)
        with journal._db.write():  # nobody else can write for a while
            time.sleep(0.3)
        now = journal.leases.all()[0].beat
        until(lambda: journal.leases.all()[0].beat > now + 2, 10, "it goes on to beat")
    now = journal.leases.all()[0].beat
    time.sleep(0.2)
    assert journal.leases.all()[0].beat == now


@pytest.mark.usefixtures("quick")
def test_a_heart_without_a_journal_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("no journal at all" * 100)
    with heartbeat(tmp_path / "journal.db", "one"):
        time.sleep(0.2)
    assert threading.active_count() == 1 or "heartbeat" not in {t.name for t in threading.enumerate()}


# -- races --------------------------------------------------------------------------------------

RACER = """
import json, sys, time
from pathlib import Path
from stagebook.runs import lease
from stagebook.errors import JournalUnreadable, PipelineBusy, RunTakenOver
from stagebook.events import RunEnded, RunStarted, StageEnded, Status
from stagebook.journal.journal import Journal
lease.LEASE, lease._POLL = 0.3, 0.01
journal = Journal(Path(sys.argv[1]))
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    run = order["run"]
    if "at" in order:
        while time.monotonic() < order["at"]:
            pass
        try:
            event = RunStarted(run=run, at=1.0, pipeline=order["pipeline"], plan={})
            lease.take_ownership(journal, event, clock=time.time)
            told = "won"
        except PipelineBusy:
            told = "busy"
    else:
        try:
            done = [StageEnded(run=run, at=2.0, stage="s", status=Status.COMPLETED)]
            journal.append([*done, RunEnded(run=run, at=3.0, status=Status.COMPLETED)], owner=run)
            told = "ended"
        except RunTakenOver:
            told = "taken over"
    print(json.dumps(told), flush=True)
"""


class Racer:
    """A process that takes pipelines when it is told to."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RACER, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": PLATFORM},
        )  # fmt: skip
        assert self.hear() == "ready"

    def tell(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return str(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=10)


def test_of_several_exactly_one_becomes_the_owner(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    path = tmp_path / "journal.db"
    racers = [Racer(path) for _ in range(3)]
    journal = Journal(path)
    here = this_process()
    before: dict[str, Owner | None] = {
        "free": None,
        "its owner is gone": dataclasses.replace(here, pid=ABSENT),
        "its owner is out of sight": marked(here, 1, "pid:[1]"),
    }
    count = amount(40, 200)
    for race in range(count):
        pipeline = f"p{race}"
        what = dice.choice(list(before))
        previous = before[what]
        if previous is not None:
            journal.begin(started(f"{race}-old", pipeline), previous, lambda _: Liveness.ALIVE)
        taking = racers[: 2 + race % 2]
        at = time.monotonic() + 0.02
        for number, racer in enumerate(taking):
            racer.tell(run=f"{race}-{number}", pipeline=pipeline, at=at + dice.choice([0, 0, 0.0005, 0.002]))
        told = [racer.hear() for racer in taking]
        assert sorted(told) == ["busy"] * (len(taking) - 1) + ["won"], (race, what, told, SEED)
        winner = told.index("won")
        assert [hold.run for hold in journal.leases.all(pipeline)] == [f"{race}-{winner}"]
        known = [record.id for record in journal.runs.latest(pipeline=pipeline)]
        assert known == [f"{race}-{winner}", *([f"{race}-old"] if previous is not None else [])]
        if previous is not None:
            assert journal.runs.find(f"{race}-old").status is Status.INTERRUPTED  # type: ignore[union-attr]
            done = StageEnded(run=f"{race}-old", at=2.0, stage="s", status=Status.COMPLETED)
            with pytest.raises(RunTakenOver):
                journal.append([done], owner=f"{race}-old")
        taking[winner].tell(run=f"{race}-{winner}")
        assert taking[winner].hear() == "ended"
        assert journal.leases.all(pipeline) == []
    for racer in racers:
        racer.close()
    journal.close()
    figure("races for a pipeline, 2 or 3 processes", f"{count}, one owner each")
