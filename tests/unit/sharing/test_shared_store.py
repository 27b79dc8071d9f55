"""A shared store as a run uses it: what comes is verified, and troubles are said once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import kept, put, renamed, result, sha
from stagebook.planning.result import Results
from stagebook.sharing.document import SHARED, Document, blob_path, result_folder
from stagebook.sharing.folder_place import FolderPlace
from stagebook.sharing.place import Entry, PlaceFailed
from stagebook.sharing.results import ResultsBehind
from stagebook.sharing.shared_store import SharedStore, blobs_of
from stagebook.system.blobs import BlobDamaged
from stagebook.system.store import Store


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    (tmp_path / "remote").mkdir()
    return FolderPlace(tmp_path / "remote")


@pytest.fixture
def giver(tmp_path: Path) -> Store:
    store = Store(tmp_path / "giver")
    kept(store, tmp_path / "files", b"one", b"two")
    return store


class Counting(FolderPlace):
    """A folder that counts what it is asked for; `fails`: what it does instead."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []
        self.fails: Callable[[str], None] = lambda what: None

    def _count(self, what: str) -> None:
        self.asked.append(what)
        self.fails(what)

    def find(self, path: str) -> Entry | None:
        self._count("find")
        return super().find(path)

    def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
        self._count("list")
        return super().list(folder, deep=deep)

    def read(self, path: str) -> bytes | None:
        self._count("read")
        return super().read(path)

    def download(self, path: str, target: Path, size: int) -> bool:
        self._count("download")
        return super().download(path, target, size)

    def write(self, path: str, data: bytes) -> None:
        self._count("write")
        super().write(path, data)

    def upload(self, source: Path, path: str) -> None:
        self._count("upload")
        super().upload(source, path)


def test_what_one_put_there_another_one_takes(place: FolderPlace, giver: Store, tmp_path: Path) -> None:
    one = result(b"one", b"two")
    put(place, giver, one)
    shared = SharedStore(place, "there")
    (found,) = shared.find(one.fingerprint)
    assert found == renamed(one, number=0, source=SHARED)
    assert shared.has_head(one.head)
    assert not shared.has_head(one.fingerprint)
    assert list(shared.find(one.head)) == []
    taker = Store(tmp_path / "taker", lambda: shared)
    assert all(taker.holds(item) for item in found.outputs.values())
    for name, content in (("out", b"one"), ("out1", b"two")):
        taker.fetch(found.outputs[name], tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
    assert taker.blobs.has(sha(b"one"))
    assert shared.cautions == ()


def test_a_folder_comes_with_all_its_files(place: FolderPlace, giver: Store, tmp_path: Path) -> None:
    made = tmp_path / "table"
    (made / "deep").mkdir(parents=True)
    (made / "deep/x.csv").write_bytes(b"x")
    (made / "y.csv").write_bytes(b"y")
    artifact = giver.keep(made, "data/table")
    one = result(b"one", outputs={"out": artifact})
    put(place, giver, one)
    shared = SharedStore(place, "there")
    taker = Store(tmp_path / "taker", lambda: shared)
    assert taker.holds(artifact)
    taker.fetch(artifact, tmp_path / "back")
    assert (tmp_path / "back/deep/x.csv").read_bytes() == b"x"
    other = Store(tmp_path / "other", lambda: SharedStore(place, "there"))
    assert other.bring(artifact)
    assert Store(tmp_path / "other").holds(artifact)
    (place.folder / blob_path(sha(b"y"))).unlink()
    third = Store(tmp_path / "third", lambda: SharedStore(place, "there"))
    assert not third.bring(artifact)
    with pytest.raises(BlobDamaged):
        third.fetch(artifact, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_results_of_one_fingerprint_come_latest_first(place: FolderPlace, giver: Store) -> None:
    for at, run in ((1.0, "r1"), (3.0, "r3"), (2.0, "r2")):
        put(place, giver, result(b"one", at=at, run=run, folder=""))
    found = list(SharedStore(place, "there").find(result(b"one").fingerprint))
    assert [one.run for one in found] == ["r3", "r2", "r1"]


@pytest.mark.parametrize("writes", [True, False])
def test_a_damaged_blob_counts_as_missing_and_is_said_once(
    place: FolderPlace, giver: Store, tmp_path: Path, writes: bool
) -> None:
    one = result(b"one", b"two")
    document = put(place, giver, one)
    for content in (b"one", b"two"):
        path = place.folder / blob_path(sha(content))
        path.chmod(0o600)
        path.write_bytes(b"xxx")
    shared = SharedStore(place, "there", writes=writes)
    taker = Store(tmp_path / "taker", lambda: shared)
    for name, item in one.outputs.items():
        assert taker.holds(item)
        with pytest.raises(BlobDamaged):
            taker.fetch(item, tmp_path / name)
        assert not taker.holds(item)
        assert not (tmp_path / name).exists()
    (said,) = shared.cautions
    assert "a file in it is damaged" in said.message
    assert said.hint == "what needs it is computed here"
    # Who may write there removes it, so that who computes it again puts it back.
    assert (place.find(blob_path(sha(b"one"))) is None) == writes
    if writes:
        assert shared.push(document, giver.blobs.path)
        assert place.read(blob_path(sha(b"one"))) == b"one"


def test_what_is_spoilt_on_the_way_is_brought_once_more(
    place: FolderPlace, giver: Store, tmp_path: Path
) -> None:
    put(place, giver, result(b"one"))
    spoilt = [True]

    class Noisy(FolderPlace):
        def download(self, path: str, target: Path, size: int) -> bool:
            found = super().download(path, target, size)
            if spoilt:
                spoilt.pop()
                target.write_bytes(b"o")
            return found

    shared = SharedStore(Noisy(place.folder), "there")
    assert shared.bring(sha(b"one"), Store(tmp_path / "taker").blobs)
    assert shared.cautions == ()
    assert place.read(blob_path(sha(b"one"))) == b"one"


def test_a_blob_that_is_cut_off_is_written_again(place: FolderPlace, giver: Store) -> None:
    path = place.folder / blob_path(sha(b"one"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"o")
    put(place, giver, result(b"one"))
    assert path.read_bytes() == b"one"


def test_a_blob_that_is_gone_is_not_offered(place: FolderPlace, giver: Store, tmp_path: Path) -> None:
    one = result(b"one")
    put(place, giver, one)
    shared = SharedStore(place, "there")
    taker = Store(tmp_path / "taker", lambda: shared)
    (place.folder / blob_path(sha(b"one"))).unlink()
    assert not taker.holds(one.outputs["out"])
    assert shared.cautions == ()


def test_a_damaged_result_is_left_out_and_the_next_one_taken(place: FolderPlace, giver: Store) -> None:
    put(place, giver, result(b"one", run="r1", folder=""))
    other = put(place, giver, result(b"one", run="r2", folder="", at=2.0))
    path = place.folder / other.path
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-3])
    (place.folder / result_folder(other.result.fingerprint) / "readme.txt").write_text("?")
    shared = SharedStore(place, "there")
    assert [one.run for one in shared.find(other.result.fingerprint)] == ["r1"]
    (said,) = shared.cautions
    assert "a result in it cannot be used" in said.message


def test_what_is_here_is_not_asked_for_there(place: FolderPlace, giver: Store) -> None:
    counting = Counting(place.folder)
    one = result(b"one")
    put(place, giver, one)

    class Own(Results):
        def find(self, fingerprint: str) -> list:
            return [one]

        def has_head(self, head: str) -> bool:
            return True

    behind = ResultsBehind(Own(), SharedStore(counting, "there"))
    found = iter(behind.find(one.fingerprint))
    assert next(found) is one
    assert behind.has_head(one.head)
    assert counting.asked == []
    assert next(found).source == SHARED
    assert counting.asked == ["list", "read"]
    assert behind.latest("p", "a") is None


def test_questions_are_asked_once_in_a_run(place: FolderPlace, giver: Store) -> None:
    one = result(b"one")
    put(place, giver, one)
    counting = Counting(place.folder)
    shared = SharedStore(counting, "there")
    for _ in range(3):
        assert len(list(shared.find(one.fingerprint))) == 1
        assert shared.offers(sha(b"one"))
        assert not shared.offers(sha(b"none"))
        assert not shared.has_head(sha(b"none"))
    assert sorted(counting.asked) == ["find", "find", "find", "list", "read"]
    shared.begin()
    assert len(list(shared.find(one.fingerprint))) == 1
    assert len(counting.asked) == 7


def test_after_a_failure_it_is_left_alone_for_a_while(place: FolderPlace) -> None:
    counting, now = Counting(place.folder), [100.0]

    def fail(what: str) -> None:
        raise PlaceFailed("nothing answers", hint="is it up?", slow=True)

    counting.fails = fail
    shared = SharedStore(counting, "s3://store", clock=lambda: now[0])
    assert list(shared.find(sha(b"x"))) == []
    assert not shared.has_head(sha(b"x"))
    assert not shared.offers(sha(b"x"))
    assert not shared.is_there()
    assert len(counting.asked) == 1
    (said,) = shared.cautions
    assert said.message == "the shared store s3://store: nothing answers; it is left alone"
    assert said.hint == "is it up?"
    now[0] += 10
    shared.begin()
    assert not shared.has_head(sha(b"x"))
    assert len(counting.asked) == 1
    now[0] += 60
    counting.fails = lambda what: None
    shared.begin()
    assert shared.is_there()
    assert shared.cautions == ()


def test_many_slow_answers_are_too_slow(place: FolderPlace) -> None:
    counting, now = Counting(place.folder), [0.0]

    seconds = [2.2]

    def wait(what: str) -> None:
        now[0] += seconds[0]

    counting.fails = wait
    shared = SharedStore(counting, "there", budget=9.0, clock=lambda: now[0])
    for number in range(50):
        shared.has_head(sha(str(number).encode()))
    assert len(counting.asked) == 5
    assert "it is too slow: 10 s went by" in shared.cautions[0].message
    # Many that are quick enough are no waiting, however many.
    counting, seconds[0] = Counting(place.folder), 0.15
    counting.fails = wait
    shared = SharedStore(counting, "there", budget=9.0, clock=lambda: now[0])
    for number in range(500):
        shared.has_head(sha(str(number).encode()))
    assert len(counting.asked) == 500
    assert shared.cautions == ()


def test_time_for_a_large_file_does_not_count_as_waiting(
    place: FolderPlace, giver: Store, tmp_path: Path
) -> None:
    put(place, giver, result(b"one"))
    counting, now = Counting(place.folder), [0.0]
    counting.fails = lambda what: now.__setitem__(0, now[0] + (1.9 if what == "download" else 0.0))
    shared = SharedStore(counting, "there", budget=1.0, clock=lambda: now[0])
    assert shared.bring(sha(b"one"), Store(tmp_path / "taker").blobs)
    assert not shared.access.is_off


@pytest.mark.parametrize("what", ["upload", "write"])
def test_one_that_takes_nothing_can_still_be_read(place: FolderPlace, giver: Store, what: str) -> None:
    one, counting = result(b"one"), Counting(place.folder)
    put(place, giver, renamed(one, run="r0", folder=""))

    def fail(asked: str) -> None:
        if asked == what:
            raise PlaceFailed("No space left on device", hint="make room there")

    counting.fails = fail
    shared = SharedStore(counting, "there")
    blobs = blobs_of(result(b"two", parts={"params": {"n": 5}}), giver)
    assert blobs is not None
    document = Document(result=result(b"two", parts={"params": {"n": 5}}), blobs=blobs)
    assert not shared.push(document, giver.blobs.path)
    asked = len(counting.asked)
    assert not shared.push(document, giver.blobs.path)
    assert len(counting.asked) == asked
    assert len(list(shared.find(one.fingerprint))) == 1
    assert [said.message for said in shared.cautions] == [
        "the shared store there: nothing more can be put into it: No space left on device"
    ]


def test_one_that_is_read_only_is_never_written_to(place: FolderPlace, giver: Store) -> None:
    one = result(b"one")
    document = put(place, giver, one)
    for path in place.folder.rglob("*"):
        os.utime(path, (1, 1))
    counting = Counting(place.folder)
    shared = SharedStore(counting, "there", writes=False)
    list(shared.find(one.fingerprint))
    shared.renew(document)
    assert not shared.push(document, giver.blobs.path)
    assert {"write", "upload"}.isdisjoint(counting.asked)
    assert shared.cautions == ()


def test_what_is_used_or_needed_again_is_renewed(place: FolderPlace, giver: Store) -> None:
    one = result(b"one")
    document = put(place, giver, one)
    blob = place.folder / blob_path(sha(b"one"))
    for path in (blob, place.folder / document.path):
        os.utime(path, (1, 1))
    SharedStore(place, "there").renew(document)
    assert time.time() - (place.folder / document.path).stat().st_mtime < 60
    assert blob.stat().st_mtime == 1
    put(place, giver, renamed(one, run="r2", folder=""))
    assert time.time() - blob.stat().st_mtime < 60


def test_a_result_whose_outputs_are_not_here_has_no_blobs_to_give(giver: Store) -> None:
    assert blobs_of(result(b"one"), giver) == {sha(b"one"): 3}
    assert blobs_of(result(b"one", b"another"), giver) is None
    assert blobs_of(result(b"one", sources=sha(b"two")), giver) == {sha(b"one"): 3, sha(b"two"): 3}
    assert blobs_of(result(b"one", sources=sha(b"gone")), giver) == {sha(b"one"): 3}


def test_a_store_here_that_is_full_is_no_trouble_of_the_shared_one(
    place: FolderPlace, giver: Store, tmp_path: Path
) -> None:
    put(place, giver, result(b"one"))
    (tmp_path / "taker").write_text("no folder")
    shared = SharedStore(place, "there")
    assert not shared.bring(sha(b"one"), Store(tmp_path / "taker").blobs)
    assert "could not be written here" in shared.cautions[0].message
    assert not shared.access.is_off
