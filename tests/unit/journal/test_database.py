"""Damaged journals: nothing comes out that was not put in, and what can be read is saved."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.faults_tools import SEED, amount
from stagebook.artifact import Artifact
from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, Event, RunEnded, RunStarted, StageEnded, StageReused, Status
from stagebook.journal import database
from stagebook.journal.database import Database
from stagebook.journal.journal import MLFLOW, Journal, Liveness, Owner
from stagebook.journal.repair import mend
from stagebook.journal.result_table import KnownResults
from stagebook.journal.salvage import salvage
from stagebook.planning.result import Result
from stagebook.system.files import umask

PLATFORM = str(Path(__file__).parents[3] / "platform")
OWNER = Owner(pid=1, started=1.0, host="here", mark="boot 1 2")
RUNS = 12
STAGES = 6


def alive(_owner: Owner) -> Liveness:
    return Liveness.ALIVE


def end_of(run: str, stage: str, fingerprint: str, size: int) -> AttemptEnded:
    output = Artifact(path=f"{stage}.txt", sha256=fingerprint * 8, size=size, kept=True)
    return AttemptEnded(
        run=run, at=2.0, stage=stage, attempt=1, seconds=1.5, message="m" * size, folder=f"runs/{run}",
        fingerprint=fingerprint, head=fingerprint[::-1], outputs={"out": output}, scraps={"n": {"value": 5}},
    )  # fmt: skip


def fill(journal: Journal, dice: random.Random) -> None:
    """Runs with results, small ones and such as take many pages; the last run goes on."""
    for at in range(RUNS):
        run = f"run{at}"
        plan = {"params": {"x": at}, "stages": [{"id": f"s{n}", "notebook": "n"} for n in range(STAGES)]}
        journal.begin(RunStarted(run=run, at=1.0, pipeline=f"p{at % 3}", plan=plan), OWNER, alive)
        for stage in range(STAGES):
            size = dice.choice([1, 40, 700, 9_000, 70_000])
            done: list[Event] = [end_of(run, f"s{stage}", f"{dice.getrandbits(64):08x}", size)]
            if at % 4 == 3:
                number = next(iter(journal.results.where("stage = ?", (f"s{stage}",)))).number
                done = [StageReused(run=run, at=2.0, stage=f"s{stage}", number=number, scraps={"n": at})]
            ended = StageEnded(run=run, at=2.0, stage=f"s{stage}", status=Status.COMPLETED)
            journal.append([*done, ended], owner=run)
        if at < RUNS - 1:
            journal.append([RunEnded(run=run, at=3.0, status=Status.COMPLETED)], owner=run)
    journal.outbox.track("run1", "7", "abc")
    journal.outbox.taken(MLFLOW, 9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Full:
    """A journal with much in it: its files as a writer that was killed leaves them, and what is in it."""

    files: dict[str, bytes]
    events: dict[str, list[tuple[int, Event]]]
    results: dict[int, Result]

    def write(self, path: Path, **damaged: bytes) -> None:
        """Write the files, some of them damaged."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        for suffix, data in {**self.files, **damaged}.items():
            Path(f"{path}{suffix}").write_bytes(data)

    @property
    def numbered(self) -> dict[int, Event]:
        """All events."""
        return {number: event for events in self.events.values() for number, event in events}


@pytest.fixture(scope="module", params=["closed", "killed"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Full:
    path = tmp_path_factory.mktemp("full") / "journal.db"
    journal = Journal(path)
    fill(journal, random.Random(5))
    events = {record.id: journal.events.of(record.id) for record in journal.runs.latest()}
    results = {result.number: result for result in journal.results.where("1", ())}
    if request.param == "closed":
        journal.close()
    files = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal") if _there(path, suffix)}
    journal.close()
    return Full(files=files, events=events, results=results)


def _there(path: Path, suffix: str) -> bool:
    return Path(f"{path}{suffix}").exists()


def flipped(data: bytes, dice: random.Random, count: int) -> bytes:
    """Some bits are not what they were."""
    changed = bytearray(data)
    for _ in range(count):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def look_at_everything(path: Path, full: Full) -> set[str]:
    """Ask a damaged journal for everything: it is as it was written, or told, or a result is left out.
    What was met."""
    met: set[str] = set()

    def ask(question: Callable[[Journal], None]) -> None:
        try:
            question(journal)
        except JournalUnreadable:
            met.add("told")

    def ask_events(journal: Journal) -> None:
        for record in journal.runs.latest():
            found = journal.events.of(record.id)
            assert all(pair in full.events[record.id] for pair in found)

    def ask_results(journal: Journal) -> None:
        known = KnownResults(journal.results)
        for result in full.results.values():
            for found in known.find(result.fingerprint):
                assert found == full.results[found.number]
                assert found.fingerprint == result.fingerprint
        seen = journal.results.where("1", ())
        met.add("whole" if len(seen) == len(full.results) else "left out")
        for pipeline in ("p0", "p1", "p2"):
            for stage in range(STAGES):
                latest = known.latest(pipeline, f"s{stage}")
                assert latest is None or latest == full.results[latest.number]

    def ask_outbox(journal: Journal) -> None:
        numbered = full.numbered
        assert all(numbered[number] == event for number, event in journal.outbox.pending("somebody", 1000))

    try:
        journal = Journal(path)
    except JournalUnreadable:
        return {"not opened"}
    for question in (ask_events, ask_results, ask_outbox):
        ask(question)
    journal.close()
    return met


@pytest.mark.long
def test_a_flipped_bit_never_changes_what_a_journal_says(full: Full, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    met: dict[str, int] = {}
    path = tmp_path / "journal.db"
    for _ in range(amount(60, 2500)):
        suffix = dice.choice(list(full.files))
        data = full.files[suffix]
        if dice.random() < 0.2:  # where it matters most: a text, and not a free page
            at = data.find(b'"fingerprint"', dice.randrange(len(data)))
            changed = bytearray(data)
            changed[max(at, 0) + dice.randrange(60)] ^= 1 << dice.randrange(8)
            damaged = bytes(changed)
        else:
            damaged = flipped(data, dice, dice.choice([1, 1, 3, 30, 1000]))
        full.write(path, **{suffix: damaged})
        for what in look_at_everything(path, full):
            met[what] = met.get(what, 0) + 1
    assert met


def test_a_journal_that_is_too_short_is_told(full: Full, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    path = tmp_path / "journal.db"
    for _ in range(amount(20, 500)):
        suffix = dice.choice(list(full.files))
        data = full.files[suffix]
        full.write(path, **{suffix: data[: dice.randrange(1, len(data))]})
        look_at_everything(path, full)


# -- what is saved ------------------------------------------------------------------------------


def test_everything_is_saved_of_a_journal_that_is_whole(full: Full, tmp_path: Path) -> None:
    full.write(tmp_path / "journal.db")
    assert salvage(tmp_path / "journal.db").keys() == full.numbered.keys()


def damages(full: Full, dice: random.Random) -> Iterator[dict[str, bytes]]:
    """Ways in which a journal can be damaged."""
    size = len(full.files[""])
    yield {"": full.files[""][: size // 2]}
    yield {"": full.files[""][: size // 2 + 100]}
    yield {"": b"\0" * 4096 + full.files[""][4096:]}
    yield {"": full.files[""][:100]}
    yield {"": b""}
    yield {"": b"Dear diary\n" * 1000}
    for _ in range(amount(20, 400)):
        suffix = dice.choice(list(full.files))
        yield {suffix: flipped(full.files[suffix], dice, dice.choice([1, 10, 100, 2000]))}
        yield {suffix: full.files[suffix][: dice.randrange(len(full.files[suffix]))]}


@pytest.mark.long
def test_what_can_be_read_is_saved_and_nothing_else(full: Full, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    path = tmp_path / "journal.db"
    for damaged in damages(full, dice):
        for file in tmp_path.iterdir():
            file.unlink()
        full.write(path, **damaged)
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        done = mend(path, at=99.0)
        aside = {file.name: file.read_bytes() for file in tmp_path.glob(f"{done.aside.name}*")}
        assert aside == {name.replace("journal.db", done.aside.name): data for name, data in before.items()}
        assert done.aside.stat().st_mode & 0o777 == 0o600
        assert sorted(tmp_path.iterdir()) == sorted([path, *(tmp_path / name for name in aside)])
        journal = Journal(path)
        numbered = full.numbered
        told = journal.outbox.pending("somebody", 10_000)
        saved = {number: event for number, event in told if event.at < 99.0}  # and not marked since
        assert len(saved) == done.saved
        assert all(numbered[number] == event for number, event in saved.items())
        assert journal.problems() == []
        assert sum(bad for _, bad in journal.count_damaged().values()) == 0
        assert all(record.ended is not None for record in journal.runs.latest())
        assert journal.leases.owners() == []
        for result in journal.results.where("1", ()):
            assert result == full.results[result.number]
        journal.close()


def test_a_mended_journal_has_what_the_damaged_one_had(full: Full, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    full.write(path)
    journal = Journal(path)
    before = (
        journal.runs.latest(),
        KnownResults(journal.results).latest("p0", "s1"),
        journal.results.where("1", ()),
    )
    journal.close()
    full.write(path)
    done = mend(path, at=99.0)
    assert (done.saved, done.lost) == (len(full.numbered), 0)
    journal = Journal(path)
    latest = KnownResults(journal.results).latest("p0", "s1")
    runs = journal.runs.latest()
    assert runs[0] == dataclasses.replace(
        before[0][0], status=Status.INTERRUPTED, ended=99.0, reason="its process vanished"
    )
    assert (runs[1:], latest, journal.results.where("1", ())) == (before[0][1:], before[1], before[2])
    assert journal.outbox.tracked("run1") == ("7", "abc")
    assert journal.outbox.pending(MLFLOW)[0][0] == 10, "what MLflow took is known"
    journal.close()


def test_without_what_mlflow_took_nothing_is_told_it_twice(full: Full, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    full.write(path, **{"": b"\0" * 4096 + full.files[""][4096:], "-wal": b""})
    done = mend(path, at=99.0)
    journal = Journal(path)
    fresh = [event for _, event in journal.outbox.pending(MLFLOW)]
    assert all(isinstance(event, RunEnded) and event.at == 99.0 for event in fresh)
    assert done.saved > 0 or "-wal" in full.files
    journal.close()


def test_two_journals_that_were_mended_at_the_same_time_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    names = set()
    for text in (b"one", b"two"):
        path.write_bytes(text)
        names.add(mend(path, at=99.0).aside.name)
    assert names == {"journal-damaged-19700101-000139.db", "journal-damaged-19700101-000139-2.db"}


MENDER = """
import os, sys
from pathlib import Path
from stagebook.journal import repair
at = int(sys.argv[2])
count = 0
def die(*_):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), 9)
sys.addaudithook(lambda event, args: die() if event in {"os.rename", "os.remove", "open", "shutil.copyfile"} else None)
repair.mend(Path(sys.argv[1]), 99.0)
print("done")
"""


@pytest.mark.long
def test_a_death_while_mending_loses_nothing(tmp_path: Path) -> None:
    source = Journal(tmp_path / "source" / "journal.db")
    fill(source, random.Random(6))
    last = source.outbox.pending("somebody", 10_000)
    source.close()
    path = tmp_path / "state" / "journal.db"
    environment = {**os.environ, "PYTHONPATH": PLATFORM}
    # It ends before: how many files are opened on the way depends on what is imported.
    for at in range(1, 200):
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        data = (tmp_path / "source" / "journal.db").read_bytes()
        path.write_bytes(b"\0" * 100 + data[100:])
        command = [sys.executable, "-c", MENDER, str(path), str(at)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=60
        )
        try:
            journal = Journal(path)
        except JournalUnreadable:
            mend(path, at=100.0)  # as before: once more
            journal = Journal(path)
        found = journal.outbox.pending("somebody", 10_000)[: len(last)]
        journal.close()
        assert found == last, at
        if done.stdout == "done\n":
            return
    pytest.fail("it never came to its end")


# -- transactions -------------------------------------------------------------------------------


def test_a_journal_that_somebody_holds_is_told_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    one, other = Database(tmp_path / "j.db"), Database(tmp_path / "j.db")
    with one.write():
        with pytest.raises(JournalUnreadable, match="database is locked") as caught, other.write():
            pytest.fail("two hold it")
        assert (caught.value.locked, caught.value.damaged) == (True, False)
        assert "let it go on or end it" in caught.value.hint
        assert other.read("SELECT count(*) FROM events") == [(0,)], "who only looks is not held up"
    with other.write():
        other.do("INSERT INTO positions VALUES ('x', 1)")
    one.close()
    other.close()


def test_a_transaction_within_another_is_a_part_of_it(tmp_path: Path) -> None:
    db = Database(tmp_path / "j.db")

    def fail() -> None:
        with db.write():
            with db.write():
                db.do("INSERT INTO positions VALUES ('x', 1)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert db.read("SELECT * FROM positions") == []
    with db.write(), db.write():
        db.do("INSERT INTO positions VALUES ('x', 1)")
    assert db.read("SELECT * FROM positions") == [("x", 1)]
    db.close()


def test_what_cannot_be_written_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnreadable, match="cannot be used") as caught:
        Database(tmp_path / "file" / "j.db")
    assert (caught.value.locked, caught.value.damaged) == (False, False)
    assert "can be written" in caught.value.hint


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    db = Database(tmp_path / "state" / "j.db")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}
    db.close()


def test_the_format_of_the_file_is_what_salvage_expects(tmp_path: Path) -> None:
    """A row with a text that goes on in other pages, byte by byte around the borders."""
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.begin(RunStarted(run="r", at=1.0, pipeline="p", plan={}), OWNER, alive)
    told = [
        StageEnded(run="r", at=1.0, stage="s", status=Status.FAILED, reason="x" * size)
        for around in (489, 4061, 4096, 8192, 40_000)
        for size in range(around - 140, around + 10, 3)
    ]
    journal.append(told, owner="r")
    assert len(salvage(path)) == len(told) + 1
    journal.close()
    assert len(salvage(path)) == len(told) + 1
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("PRAGMA page_size=1024")
    db.execute("VACUUM")
    db.close()
    assert len(salvage(path)) == len(told) + 1


def test_a_journal_is_private_and_the_umask_of_the_process_stays(tmp_path: Path) -> None:
    changed: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            changed.append(umask())

    before = umask()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(20):
            journal = Journal(tmp_path / str(number) / "journal.db")
            journal.append([RunStarted(run="r", at=1.0, pipeline="p", plan={}, jobs=1, keep_going=False)])
            modes = {path.name: path.stat().st_mode & 0o777 for path in journal.path.parent.iterdir()}
            journal.close()
            assert set(modes.values()) == {0o600}
    finally:
        done.set()
        watcher.join()
    assert set(changed) == {before}
