"""Bounds for a shared store: what nobody used for long goes, and what others just put there stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shared import kept, put, renamed, result, sha
from stagebook.errors import UsageError
from stagebook.sharing.collect import GRACE, collect_shared
from stagebook.sharing.document import Document, blob_path, head_path
from stagebook.sharing.folder_place import INCOMING, FolderPlace
from stagebook.sharing.place import Entry, PlaceFailed
from stagebook.sharing.shared_store import SharedStore
from stagebook.system.store import Store

DAY = 86_400.0


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    (tmp_path / "remote").mkdir()
    return FolderPlace(tmp_path / "remote")


@pytest.fixture
def giver(tmp_path: Path) -> Store:
    store = Store(tmp_path / "giver")
    kept(store, tmp_path / "files", b"one", b"two", b"both")
    return store


def numbered(number: int, *contents: bytes) -> Document:
    one = result(*contents, parts={"params": {"n": number}})
    return Document(result=one, blobs={sha(content): len(content) for content in contents})


def let_pass(place: FolderPlace, days: float) -> None:
    """Make all that is there so many days older."""
    for path in place.folder.rglob("*"):
        if path.is_file():
            found = path.stat()
            os.utime(path, (found.st_atime, found.st_mtime - days * DAY))


def files(place: FolderPlace) -> set[str]:
    return {str(path.relative_to(place.folder)) for path in place.folder.rglob("*") if path.is_file()}


def test_results_that_nobody_used_go_with_what_they_alone_need(place: FolderPlace, giver: Store) -> None:
    old = put(place, giver, numbered(1, b"one", b"both").result)
    let_pass(place, 40)
    new = put(place, giver, numbered(2, b"two", b"both").result)
    before = files(place)
    dry = collect_shared(place, now=time.time(), days=30, dry=True)
    assert files(place) == before
    done = collect_shared(place, now=time.time(), days=30)
    assert dry == done
    assert (done.results, done.blobs, done.freed, done.kept_results, done.kept) == (1, 1, 3, 1, 2)
    expected = {new.path, head_path(new.result.head)}
    assert files(place) == expected | {blob_path(sha(content)) for content in (b"two", b"both")}
    assert old.path not in files(place)


def test_a_result_that_was_used_stays(place: FolderPlace, giver: Store) -> None:
    one = put(place, giver, numbered(1, b"one").result)
    let_pass(place, 40)
    SharedStore(place, "there").renew(one)
    done = collect_shared(place, now=time.time(), days=30)
    assert (done.results, done.kept_results, done.blobs) == (0, 1, 0)
    assert place.read(blob_path(sha(b"one"))) == b"one"


def test_a_push_that_goes_on_loses_nothing(place: FolderPlace, giver: Store) -> None:
    put(place, giver, numbered(1, b"one").result)
    let_pass(place, 40)
    document = numbered(2, b"one", b"two")
    shared = SharedStore(place, "there")

    class Meanwhile(FolderPlace):
        """In which somebody else pushes between the looks of a collection."""

        def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
            found = super().list(folder, deep=deep)
            if folder in {"results", "blobs"}:
                assert shared.push(document, giver.blobs.path)
            return found

    done = collect_shared(Meanwhile(place.folder), now=time.time(), days=30)
    assert done.results == 1
    (found,) = SharedStore(place, "there").find(document.result.fingerprint)
    assert found.outputs == document.result.outputs
    for content in (b"one", b"two"):
        assert place.read(blob_path(sha(content))) == content


def test_a_result_that_is_used_while_it_is_collected_keeps_its_blobs(
    place: FolderPlace, giver: Store
) -> None:
    document = put(place, giver, numbered(1, b"one").result)
    let_pass(place, 40)

    class Meanwhile(FolderPlace):
        def remove(self, path: str, *, unless_newer: float | None = None) -> bool:
            if path == document.path:
                SharedStore(place, "there").renew(document)
            return super().remove(path, unless_newer=unless_newer)

    done = collect_shared(Meanwhile(place.folder), now=time.time(), days=30)
    assert (done.results, done.kept_results, done.blobs) == (0, 1, 0)
    assert place.read(blob_path(sha(b"one"))) == b"one"


def test_what_was_put_there_within_the_grace_stays_with_no_days_at_all(
    place: FolderPlace, giver: Store
) -> None:
    put(place, giver, numbered(1, b"one").result)
    place.write(blob_path(sha(b"two")), b"two")  # the result is still to come
    done = collect_shared(place, now=time.time(), days=0)
    assert (done.results, done.blobs, done.kept) == (0, 0, 2)
    done = collect_shared(place, now=time.time() + GRACE + 60, days=0)
    assert (done.results, done.blobs, done.kept) == (1, 2, 0)
    assert files(place) == set()


def test_what_is_damaged_or_was_left_by_killed_processes_goes(place: FolderPlace, giver: Store) -> None:
    document = put(place, giver, numbered(1, b"one").result)
    path = place.folder / document.path
    path.chmod(0o600)
    path.write_bytes(b"{}")
    (place.folder / INCOMING / "1-abc").write_bytes(b"half")
    done = collect_shared(place, now=time.time(), days=30)
    assert (done.spoilt, done.blobs) == (0, 0)  # somebody may be writing it
    let_pass(place, 2)
    done = collect_shared(place, now=time.time(), days=30)
    assert (done.results, done.spoilt, done.blobs, done.kept_results) == (0, 1, 1, 0)
    assert files(place) == set()


def test_where_a_result_cannot_be_read_nothing_goes(place: FolderPlace, giver: Store) -> None:
    put(place, giver, numbered(1, b"one").result)
    put(place, giver, renamed(numbered(2, b"two").result, run="r2", folder=""))
    let_pass(place, 2)
    before = files(place)

    class Failing(FolderPlace):
        def read(self, path: str) -> bytes | None:
            raise PlaceFailed("Input/output error")

    with pytest.raises(UsageError, match="Input/output error"):
        collect_shared(Failing(place.folder), now=time.time(), days=30)
    assert files(place) == before


def test_of_what_nobody_knows_the_age_nothing_goes(place: FolderPlace, giver: Store) -> None:
    put(place, giver, numbered(1, b"one").result)

    class Ageless(FolderPlace):
        def list(self, folder: str, *, deep: bool = False) -> list[Entry]:
            return [
                Entry(path=one.path, size=one.size, changed=None) for one in super().list(folder, deep=deep)
            ]

    let_pass(place, 400)
    done = collect_shared(Ageless(place.folder), now=time.time(), days=0)
    assert (done.results, done.blobs) == (0, 0)
