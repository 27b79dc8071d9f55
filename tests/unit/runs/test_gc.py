"""Looking after the store: what results refer to stays, what is damaged goes."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakes import ABC, Lake
from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, RunStarted, StageReused
from stagebook.journal.journal import Journal, Liveness, Owner
from stagebook.runs.gc import collect, verify
from stagebook.system.store import Store
from stagebook.tables import delta

DAY = 86_400.0
NOW = 1_000_000_000.0  # far back: every blob of a test is newer than that, unless it is made older


class Keeping:
    """A journal and a store, and results in both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal.db")
        self.store = Store(folder / "store")
        self._count = 0

    def begin(self, run: str = "r") -> None:
        started = RunStarted(run=run, at=NOW, pipeline="p", plan={})
        self.journal.begin(started, Owner(pid=1, started=1.0, host="h"), lambda _: Liveness.DEAD)

    def file(self, content: bytes) -> Path:
        self._count += 1
        path = self.folder / f"file{self._count}"
        path.write_bytes(content)
        return path

    def result(self, stage: str, *, days_ago: float, sources: bytes = b"", **outputs: Path) -> dict[str, Any]:
        """A stage came to a result some days ago; what was kept of it."""
        self._count += 1
        kept = {name: self.store.keep(path, name) for name, path in outputs.items()}
        event = AttemptEnded(
            run="r", at=NOW - days_ago * DAY, stage=stage, attempt=1, seconds=1.0, outputs=kept,
            fingerprint=f"fingerprint {self._count}", head="h",
            sources=(self.store.blobs.keep_bytes(sources) or "") if sources else "",
        )  # fmt: skip
        self.journal.append([event], owner="r")
        return kept

    def make_old(self) -> None:
        """Every blob was kept long ago."""
        for digest, _ in self.store.blobs.digests():
            os.utime(self.store.blobs.path(digest), (NOW - 100 * DAY, NOW - 100 * DAY))

    @property
    def count(self) -> int:
        return sum(1 for _ in self.store.blobs.digests())

    def close(self) -> None:
        self.journal.close()


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    made = Keeping(tmp_path)
    made.begin()
    yield made
    made.close()


def test_what_no_result_needs_goes(keeping: Keeping, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "odd \udcff").write_bytes(b"odd")
    (folder / "x").write_bytes(b"in a folder")
    keeping.result("a", days_ago=40, out=keeping.file(b"old"), both=keeping.file(b"shared"))
    kept = keeping.result("a", days_ago=1, sources=b"cells", out=keeping.file(b"shared"), folder=folder)
    keeping.result("b", days_ago=90, out=keeping.file(b"the last of b"))
    keeping.store.blobs.keep_bytes(b"of nobody")
    keeping.make_old()
    before = keeping.count
    dry = collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30, dry=True)
    assert keeping.count == before
    assert len(keeping.journal.results.where("1", ())) == 3
    done = collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30)
    assert done == dry
    assert (done.results, done.blobs, done.freed) == (1, 2, len(b"old") + len(b"of nobody"))
    assert (done.kept, done.size) == (keeping.count, sum(size for _, size in keeping.store.blobs.digests()))
    assert keeping.count == before - 2
    for name, item in kept.items():
        assert keeping.store.holds(item)
        keeping.store.fetch(item, tmp_path / "back" / name)
    assert (tmp_path / "back" / "folder" / "odd \udcff").read_bytes() == b"odd"
    assert [result.fingerprint for result in keeping.journal.results.where("1", ()) if result.stage == "b"]
    again = collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30)
    assert (again.results, again.blobs, again.freed) == (0, 0, 0)


def test_what_was_kept_within_the_hour_stays(keeping: Keeping) -> None:
    """A run that goes on keeps an output before it tells of it."""
    keeping.store.blobs.keep_bytes(b"being written")
    now = time.time()
    assert collect(keeping.journal, keeping.store, root=keeping.folder, now=now, days=0).blobs == 0
    assert collect(keeping.journal, keeping.store, root=keeping.folder, now=now + 7200, days=0).blobs == 1


def test_an_old_blob_that_a_run_keeps_again_stays(keeping: Keeping, tmp_path: Path) -> None:
    keeping.result("a", days_ago=90, out=keeping.file(b"content"), sources=b"cells")
    keeping.result("a", days_ago=80, out=keeping.file(b"other"))
    keeping.make_old()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").write_bytes(b"content")
    for keep in (lambda: keeping.store.keep(folder, ""), lambda: keeping.store.blobs.keep_bytes(b"cells")):
        keep()  # and is not told of yet
    done = collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30)
    assert done.results == 1
    assert done.blobs == 0


def test_an_old_result_that_a_stage_came_to_again_stays(keeping: Keeping) -> None:
    keeping.result("a", days_ago=90, out=keeping.file(b"one"))
    keeping.result("a", days_ago=1, out=keeping.file(b"two"))
    keeping.make_old()
    keeping.journal.append([StageReused(run="r", at=NOW, stage="a", number=2)], owner="r")
    done = collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30)
    assert (done.results, done.blobs) == (0, 0)


def test_what_was_left_half_written_goes(keeping: Keeping) -> None:
    keeping.store.blobs.keep_bytes(b"x")
    left = keeping.store.folder / "incoming" / "left"
    left.write_text("half")
    now = time.time()
    collect(keeping.journal, keeping.store, root=keeping.folder, now=now, days=30)
    assert left.exists()
    collect(keeping.journal, keeping.store, root=keeping.folder, now=now + 7200, days=30, dry=True)
    assert left.exists()
    collect(keeping.journal, keeping.store, root=keeping.folder, now=now + 7200, days=30)
    assert not left.exists()


def test_nothing_goes_while_results_cannot_be_read(keeping: Keeping) -> None:
    keeping.result("a", days_ago=1, out=keeping.file(b"needed"))
    keeping.make_old()
    db = sqlite3.connect(keeping.journal.path)
    db.execute("UPDATE results SET data = replace(data, 'a', 'b')")
    db.commit()
    db.close()
    with pytest.raises(JournalUnreadable, match="1 results in the journal are damaged") as caught:
        collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30)
    assert "stagebook doctor --repair" in caught.value.hint
    assert keeping.count == 1


def test_an_empty_store_is_looked_after(keeping: Keeping) -> None:
    assert collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=30).kept == 0
    assert verify(keeping.journal, keeping.store).blobs == 0


def test_what_is_damaged_or_missing_is_found(keeping: Keeping, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").write_bytes(b"one of a folder")
    kept = keeping.result("a", days_ago=1, out=keeping.file(b"a file"), folder=folder)
    gone = keeping.result("b", days_ago=1, out=keeping.file(b"another"))["out"].sha256
    assert verify(keeping.journal, keeping.store).damaged == ()
    blob = keeping.store.blobs.path(kept["out"].sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"A FILE")
    keeping.store.blobs.path(gone).unlink()
    found = verify(keeping.journal, keeping.store)
    assert found.damaged == (kept["out"].sha256,)
    assert set(found.missing) == {kept["out"].sha256, gone}
    assert found.blobs == 3
    assert not blob.exists()
    again = verify(keeping.journal, keeping.store)
    assert (again.damaged, again.blobs) == ((), 2)
    assert verify(None, keeping.store).missing == ()


def test_data_files_that_no_version_needs_go(keeping: Keeping) -> None:
    lake = Lake(keeping.folder)
    contents = []
    for rows in (ABC[:1], ABC[:2], ABC, ABC[1:]):
        content, ready = lake.made_ready(rows)
        lake.publish(ready)
        contents.append(content)
    for at, content in ((1, contents[0]), (2, contents[1])):
        event = AttemptEnded(
            run="r", at=NOW + at, stage="a", attempt=at, seconds=1.0, outputs={"t": content},
            fingerprint=f"table {at}", head="h",
        )  # fmt: skip
        keeping.journal.append([event], owner="r")
    before = sorted(lake.table.rglob("*"))
    assert (
        collect(keeping.journal, keeping.store, root=keeping.folder, now=time.time(), days=30).data_files == 0
    )
    later = max(time.time(), NOW) + 40 * DAY
    dry = collect(keeping.journal, keeping.store, root=keeping.folder, now=later, days=30, dry=True)
    assert (dry.data_files, sorted(lake.table.rglob("*"))) == (2, before)
    done = collect(keeping.journal, keeping.store, root=keeping.folder, now=later, days=30)
    assert done.data_files == 2, "of the first version and the third"
    assert delta.dataset(lake.table, 1).count_rows() == 2, "the last result refers to it"
    assert lake.rows == ABC[1:]
    assert not any((lake.table / name).exists() for name in delta.state(lake.table, 0).files)
    assert not any((lake.table / name).exists() for name in delta.state(lake.table, 2).files)


STEPS = st.sampled_from(["result", "result", "reuse", "collect"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(STEPS, st.integers(0, 3), st.integers(0, 100)), max_size=25),
    seed=st.integers(0, 10**6),
)
def test_whatever_goes_each_result_that_stays_can_be_had(
    tmp_path: Path, steps: list[tuple[str, int, int]], seed: int
) -> None:
    shutil.rmtree(tmp_path / "all", ignore_errors=True)
    (tmp_path / "all").mkdir()
    dice, contents = random.Random(seed), [bytes([65 + at]) * 50 for at in range(4)]
    keeping = Keeping(tmp_path / "all")
    keeping.begin()
    for at, (what, number, days) in enumerate(steps):
        known = keeping.journal.results.where("1", ())
        if what == "result":
            folder = tmp_path / "all" / f"folder{at}"
            folder.mkdir()
            for name in range(number):
                (folder / str(name)).write_bytes(dice.choice(contents))
            outputs = {"out": keeping.file(dice.choice(contents)), "folder": folder}
            keeping.result(f"s{number}", days_ago=days, sources=contents[number], **outputs)
            keeping.make_old()
        elif what == "reuse" and known:
            reused = StageReused(run="r", at=NOW, stage=f"s{number}", number=dice.choice(known).number)
            keeping.journal.append([reused], owner="r")
        elif what == "collect":
            collect(keeping.journal, keeping.store, root=keeping.folder, now=NOW, days=days)
        for result in keeping.journal.results.where("1", ()):
            assert keeping.store.blobs.read(result.sources) is not None
            assert all(keeping.store.holds(output) for output in result.outputs.values())
    for result in keeping.journal.results.where("1", ()):
        for name, output in result.outputs.items():
            keeping.store.fetch(output, tmp_path / "all" / "back" / str(result.number) / name)
    assert verify(keeping.journal, keeping.store).missing == ()
    keeping.close()
