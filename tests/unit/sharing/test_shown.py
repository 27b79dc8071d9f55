"""What an environment shows, in a shared store."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import kept, sha
from stagebook.sharing.collect import collect_shared
from stagebook.sharing.document import blob_path
from stagebook.sharing.folder_place import FolderPlace
from stagebook.sharing.shared_store import SharedStore
from stagebook.sharing.shown import Shown, find_shown, shown_of, shown_path, tell_shown
from stagebook.system.store import Store

PATH = shown_path("github.com/acme/flights", "prod")


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    (tmp_path / "remote").mkdir()
    return FolderPlace(tmp_path / "remote")


@pytest.fixture
def giver(tmp_path: Path) -> Store:
    store = Store(tmp_path / "giver")
    kept(store, tmp_path / "files", b"one", b"two")
    return store


def shown(at: float, *contents: bytes) -> Shown:
    return Shown(
        manifest={"environment": "prod", "at": at},
        notebooks={"executed/p/a.ipynb": sha(contents[0])},
        blobs={sha(content): len(content) for content in contents},
    )


def tell(place: FolderPlace, giver: Store, one: Shown) -> SharedStore:
    shared = SharedStore(place, "there")
    tell_shown(shared, PATH, one, giver.blobs.path)
    return shared


def test_what_is_told_is_found_with_its_blobs(place: FolderPlace, giver: Store, tmp_path: Path) -> None:
    one = shown(5.0, b"one", b"two")
    assert tell(place, giver, one).cautions == ()
    other = SharedStore(place, "there")
    assert find_shown(other, PATH) == one
    assert find_shown(other, shown_path("github.com/acme/other", "prod")) is None
    store = Store(tmp_path / "taker")
    assert other.bring(sha(b"two"), store.blobs)


def test_what_is_older_takes_nothings_place(place: FolderPlace, giver: Store) -> None:
    tell(place, giver, shown(9.0, b"one"))
    tell(place, giver, shown(5.0, b"two"))
    found = find_shown(SharedStore(place, "there"), PATH)
    assert found is not None
    assert found.at == 9.0
    tell(place, giver, shown(10.0, b"two"))
    found = find_shown(SharedStore(place, "there"), PATH)
    assert found is not None
    assert found.at == 10.0


def test_what_is_damaged_is_said_and_written_anew(place: FolderPlace, giver: Store) -> None:
    tell(place, giver, shown(9.0, b"one"))
    path = place.folder / PATH
    path.write_bytes(path.read_bytes()[:-1])
    shared = SharedStore(place, "there")
    assert find_shown(shared, PATH) is None
    (said,) = shared.cautions
    assert f"{PATH} in it cannot be read" in said.message
    tell(place, giver, shown(5.0, b"two"))
    assert find_shown(SharedStore(place, "there"), PATH) is not None


def test_a_blob_that_is_damaged_here_is_told_nobody(place: FolderPlace, giver: Store) -> None:
    target = giver.blobs.path(sha(b"two"))
    target.chmod(0o600)
    target.write_bytes(b"owt")
    shared = tell(place, giver, shown(9.0, b"one", b"two"))
    assert "is damaged here" in shared.cautions[0].message
    assert find_shown(SharedStore(place, "there"), PATH) is None


def test_its_blobs_are_kept(place: FolderPlace, giver: Store) -> None:
    tell(place, giver, shown(9.0, b"one"))
    old = time.time() - 90 * 86_400
    place.upload(giver.blobs.path(sha(b"two")), blob_path(sha(b"two")))
    for path in place.folder.rglob("*"):
        os.utime(path, (old, old))
    done = collect_shared(place, now=time.time(), days=30)
    assert (done.blobs, done.kept) == (1, 1)
    assert place.find(blob_path(sha(b"one"))) is not None
    assert place.find(PATH) is not None


@given(st.text())
def test_a_path_stays_in_its_folder(project: str) -> None:
    path = shown_path(project, "prod")
    assert path.startswith("shown/")
    assert path.endswith("prod.json")
    assert not {"", ".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    "change",
    [
        {"manifest": {}},
        {"blobs": {"../../x": 3}},
        {"notebooks": []},
    ],
)
def test_what_is_no_such_thing_is_refused(change: dict[str, object]) -> None:
    text = dataclasses.replace(shown(1.0, b"one"), **change).text  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"tells of no environment|blobs are none"):
        shown_of(text)
