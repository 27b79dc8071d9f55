"""The doctor: what is damaged is told with the way forward, and put right where that is asked for."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagebook.events import AttemptEnded, RunEnded, RunStarted, Status
from stagebook.journal import database
from stagebook.journal.journal import Journal, Liveness, Owner
from stagebook.runs.doctor import Finding, examine
from stagebook.runs.lease import this_process
from stagebook.system.store import Store

NOW = time.time
HOUR = 3700.0  # seconds: a little more than what counts as old


class State:
    """A project's state, with a run that came to a result."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".stagebook"
        self.path = self.state / "journal.db"
        self.store = Store(self.state / "store")

    def fill(self) -> None:
        journal = Journal(self.path)
        (self.root / "data").mkdir()
        (self.root / "data" / "a.txt").write_text("content")
        (self.root / "data" / "folder").mkdir()
        outputs = {
            "file": self.store.keep(self.root / "data/a.txt", "data/a.txt"),
            "folder": self.store.keep(self.root / "data/folder", "data/folder"),
        }
        self.begin(journal, "one", dataclasses.replace(this_process(), pid=2**22 + 5))
        end = AttemptEnded(
            run="one", at=2.0, stage="a", attempt=1, seconds=1.0, outputs=outputs, fingerprint="f", head="h"
        )
        journal.append([end, RunEnded(run="one", at=3.0, status=Status.COMPLETED)])
        journal.close()
        (self.state / "runs/one/a/1").mkdir(parents=True)

    @staticmethod
    def begin(journal: Journal, run: str, owner: Owner) -> None:
        started = RunStarted(run=run, at=1.0, pipeline="p", plan={"params": {}, "stages": []})
        journal.begin(started, owner, lambda _: Liveness.DEAD)

    def examine(self, *, repair: bool = False, store: bool = False, later: float = 0.0) -> list[Finding]:
        return list(examine(self.root, repair=repair, check_store=store, clock=lambda: time.time() + later))

    def worst(self, **options: object) -> list[Finding]:
        """What is not as it should be."""
        return [found for found in self.examine(**options) if found.level != "ok"]  # type: ignore[arg-type]


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "project")
    made.root.mkdir()
    return made


@pytest.fixture
def full(state: State) -> State:
    state.fill()
    return state


def texts(found: list[Finding]) -> list[str]:
    return [f"{item.level}: {item.what}" for item in found]


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.index(b'"RunStarted"')
    data[at + 3] ^= 1
    path.write_bytes(data)


# -- what is well -------------------------------------------------------------------------------


def test_a_project_in_which_nothing_ran(state: State) -> None:
    assert texts(state.examine()) == ["ok: nothing was run here yet"]
    assert not state.state.exists(), "who looks makes nothing"
    state.state.mkdir(mode=0o700)
    assert texts(state.examine()) == ["ok: nothing is recorded yet"]
    assert list(state.state.iterdir()) == []


def test_a_project_that_is_well(full: State) -> None:
    assert texts(full.examine()) == [
        "ok: the journal: 3 events, all as they were written",
        "ok: the store: 2 blobs",
    ]
    assert texts(full.examine(store=True, repair=True)) == [
        "ok: the journal: 3 events, all as they were written",
        "ok: the store: 2 blobs, all as they were written",
    ]
    assert sorted(path.name for path in full.state.iterdir()) == ["journal.db", "runs", "store"]


# -- the folder ---------------------------------------------------------------------------------


def test_a_folder_that_others_can_read(full: State) -> None:
    full.state.chmod(0o755)
    (found,) = full.worst()
    assert found.level == "warning"
    assert found.hint == f"chmod 700 {full.state}"


def test_what_is_no_folder(state: State) -> None:
    state.state.write_text("x")
    (found,) = state.examine(repair=True)
    assert (found.level, found.what) == ("error", ".stagebook is not a folder")
    assert "move it away" in found.hint


def test_a_folder_that_cannot_be_written(full: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    (found,) = full.examine(repair=True)
    assert (found.level, found.what) == ("error", ".stagebook cannot be read and written")
    assert "ls -la" in found.hint


def test_a_disk_that_is_nearly_full(full: State, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 5_000_000))
    (found,) = full.worst()
    assert found.what == "the disk has 5 MB of room left"
    assert found.hint.startswith("stagebook store gc")


# -- the journal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told", "saved"),
    [
        (None, "1 of 3 events are not as they were written", "2 events were saved, 1 are lost"),
        (b"Dear diary", "file is not a database", "nothing of it could be read"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "is damaged", "nothing of it could be read"),
    ],
)
def test_a_damaged_journal_is_told_and_mended(
    full: State, content: bytes | None, told: str, saved: str
) -> None:
    if content is None:
        damage(full.path)
    else:
        full.path.write_bytes(content)
    before = full.path.read_bytes()
    (found,) = full.worst()
    assert found.level == "error"
    assert found.what.startswith("the journal is damaged: ")
    assert told in found.what
    assert found.hint == "stagebook doctor --repair saves what can be read, and keeps the damaged file"
    assert full.path.read_bytes() == before
    (found,) = full.worst(repair=True)
    assert (found.level, found.mended) == ("warning", True)
    assert saved in found.what
    (aside,) = full.state.glob("journal-damaged-*.db")
    assert aside.read_bytes() == before
    assert f".stagebook/{aside.name}" in found.what
    assert found.hint == "results that are lost are made anew by the next run"
    assert full.worst() == []


def test_an_empty_journal_is_told_where_there_were_runs(full: State) -> None:
    full.path.write_bytes(b"")
    (found,) = full.worst()
    assert found.level == "error"
    assert found.what.endswith("journal.db is empty, though something was run here")
    assert full.path.read_bytes() == b""
    (found,) = full.worst(repair=True)
    assert found.mended
    assert "nothing of it could be read" in found.what
    assert full.worst() == []


def test_a_journal_that_is_not_there_is_told_where_there_were_runs(full: State) -> None:
    full.path.unlink()
    (found,) = full.worst(repair=True)
    assert found.level == "warning"
    assert found.what == "there is no journal, though there are the folders of 1 runs"
    assert found.hint == "what was recorded of them is lost; the next run makes new results"
    assert not full.path.exists(), "who looks makes nothing"


def test_a_journal_of_a_newer_version_is_left_alone(full: State) -> None:
    db = sqlite3.connect(full.path)
    db.execute("PRAGMA user_version=99")
    db.execute("PRAGMA application_id=0")
    db.close()
    before = full.path.read_bytes()
    (found,) = full.worst(repair=True)
    assert found.level == "error"
    assert "of a newer version of Stagebook (99)" in found.what
    assert "upgrade" in found.hint
    assert full.path.read_bytes() == before


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT 1 FROM sqlite_master").fetchall() if sys.argv[2] == "read" else None
print("open", flush=True)
input()
"""


@pytest.fixture
def holder(full: State) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(full.path), "read"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_damaged_journal_that_is_in_use_is_not_replaced(full: State, holder: subprocess.Popen[str]) -> None:
    damage(full.path)
    before = full.path.read_bytes()
    (found,) = full.worst(repair=True)
    assert found.level == "error"
    assert f"the journal is damaged, and in use: process {holder.pid} (" in found.what
    assert "end that first" in found.hint
    assert full.path.read_bytes() == before
    holder.kill()
    holder.wait()
    (found,) = full.worst(repair=True)
    assert found.mended


def test_no_room_for_a_new_journal(full: State, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(full.path)

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stagebook.journal.repair.salvage", refuse)
    (found,) = full.worst(repair=True)
    assert (found.level, found.mended) == ("error", False)
    assert "no new one can be written: [Errno 28] No space left on device" in found.what
    assert "room on the disk" in found.hint


# -- owners -------------------------------------------------------------------------------------


def test_a_run_whose_process_is_gone_is_closed(full: State) -> None:
    journal = Journal(full.path)
    full.begin(journal, "two", dataclasses.replace(this_process(), pid=2**22 + 5))
    journal.close()
    (found,) = full.worst()
    assert (found.level, found.mended) == ("warning", True)
    assert found.what == "the run two was marked as interrupted: its process is gone"
    assert found.hint == "go on with it: stagebook resume two"
    assert full.worst() == []


def test_a_run_that_is_held_by_a_process_out_of_sight(full: State) -> None:
    journal = Journal(full.path)
    full.begin(journal, "two", Owner(pid=7, started=1.0, host="elsewhere"))
    journal.close()
    (found,) = full.worst()
    assert found.what == "the run two is held by process 7 on elsewhere, which is stopped or out of sight"
    assert "takes over" in found.hint


@pytest.mark.parametrize(
    "values", ["'p', 'one', 'x', 'y', 'z', 'm', 'b'", "'p', x'ff', -1, 0, x'00', '', 1e99"]
)
def test_an_owner_that_makes_no_sense_is_none(full: State, values: str) -> None:
    db = sqlite3.connect(full.path)
    db.execute(f"INSERT INTO owners VALUES ({values})")
    db.commit()
    db.close()
    full.examine()
    journal = Journal(full.path)
    assert journal.leases.all() == []
    journal.close()


def test_a_journal_that_somebody_holds_is_told(full: State, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(full.path)
    full.begin(journal, "two", dataclasses.replace(this_process(), pid=2**22 + 5))
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    with journal._db.write():
        (found,) = full.worst()
    journal.close()
    assert found.level == "error"
    assert "database is locked" in found.what
    assert "let it go on or end it" in found.hint


# -- the store ----------------------------------------------------------------------------------


def test_damaged_and_missing_blobs(full: State) -> None:
    digests = [digest for digest, _ in full.store.blobs.digests()]
    blob = full.store.blobs.path(digests[0])
    blob.chmod(0o600)
    blob.write_bytes(b"x")
    assert full.worst() == [], "the store is read only if that is asked for"
    damaged, missing = full.worst(store=True)
    assert damaged.what == "1 of 2 blobs of the store were damaged, and are removed"
    assert damaged.mended
    assert missing.what == "1 blobs that results refer to are not there"
    assert missing.hint == "the stages that need them run again"


def test_a_store_without_a_journal_is_looked_at_too(full: State) -> None:
    full.path.write_bytes(b"Dear diary")
    assert texts(full.examine(store=True))[1:] == ["ok: the store: 2 blobs, all as they were written"]


# -- what was left ------------------------------------------------------------------------------


def left_over(full: State) -> list[Path]:
    """What killed processes leave, and somebody's own files with such names."""
    pid = 2**22 + 5
    gone = [
        full.state / "store/incoming/tmpabc",
        full.root / f"data/.a.txt.{pid}.incoming",
        full.root / f"data/.a.txt.{pid}.before",
        full.root / f"data/.folder.{pid}.incoming",
        full.state / "cache" / f".files.json.{pid}.tmp",
        full.state / "cache/scripts" / f".x.ipynb.{pid}.tmp",
        full.state / f".key.{pid}.tmp",
        full.state / "journal.db.new",
        full.state / "journal.db.new-wal",
        full.state / f"runs/one/a/1/.notebook.ipynb.{pid}.tmp",
        full.state / "runs/one/a/1/outputs",
    ]
    for path in gone:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x") if path.suffix else path.mkdir() if path.name == "outputs" else path.write_text(
            "x"
        )
    (full.state / "runs/one/a/1/outputs/out").mkdir()
    return gone


def mine(full: State) -> list[Path]:
    kept = [
        full.root / "data/.mine.5.before",
        full.root / "data/.a.txt.before",
        full.root / f"data/.a.txt.{os.getpid()}.incoming",
        full.state / "cache/files.json",
        full.state / "runs/one/a/1/notebook.ipynb",
        full.state / "runs/one/a/1/.notebook.tmp",
    ]
    for path in kept:
        path.write_text("x")
    return kept


def test_what_killed_processes_left_is_removed_once_it_is_old(full: State) -> None:
    gone, kept = left_over(full), mine(full)
    assert full.worst(repair=True) == [], "it may be in use"
    (found,) = full.worst(later=HOUR)
    assert found.what.startswith(f"{len(gone)} half-written files of processes that were killed, such as ")
    assert found.hint == "stagebook doctor --repair removes them"
    assert all(path.exists() for path in gone)
    (found,) = full.worst(later=HOUR, repair=True)
    assert (found.mended, found.hint) == (True, "")
    assert [path for path in gone if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert (full.root / "data/a.txt").read_text() == "content"
    assert full.worst(later=HOUR) == []


def test_what_a_run_is_about_to_publish_stays(full: State) -> None:
    journal = Journal(full.path)
    full.begin(journal, "two", this_process())
    journal.close()
    staged = full.state / "runs/two/a/1/outputs"
    staged.mkdir(parents=True)
    assert full.worst(later=HOUR, repair=True) == []
    assert staged.exists()


def test_an_output_that_was_taken_away_is_put_back(full: State) -> None:
    """The run was killed between two renames: a folder cannot be replaced in one."""
    before = full.root / f"data/.folder.{2**22 + 5}.before"
    (full.root / "data/folder").rename(before)
    (found,) = full.worst(later=HOUR)
    assert found.what == "data/folder was taken away by a run that was killed before it put the new one there"
    assert found.hint == "stagebook doctor --repair puts it back"
    (found,) = full.worst(later=HOUR, repair=True)
    assert found.what.endswith("; it is back")
    assert (full.root / "data/folder").is_dir()
    assert not before.exists()
    assert full.worst(later=HOUR) == []


def test_a_finding_is_plain_data() -> None:
    found = Finding(level="ok", what="x")
    assert found.to_json() == {"level": "ok", "what": "x", "hint": "", "mended": False}
