"""Blobs: each under the digest of its content, and none other than that."""

from __future__ import annotations

import hashlib
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.system.blobs import BlobDamaged, Blobs, is_digest


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_some_bytes_come_back(blobs: Blobs) -> None:
    digest = blobs.keep_bytes(b"text \xff")
    assert digest == sha(b"text \xff")
    assert blobs.read(digest) == "text \udcff"
    assert blobs.keep_bytes(b"text \xff") == digest
    assert blobs.read(sha(b"other")) is None
    assert blobs.read("") is None


def test_only_what_is_old_is_discarded(blobs: Blobs) -> None:
    digest = blobs.keep_bytes(b"content")
    assert digest is not None
    assert blobs.is_newer(digest, time.time() - 60)
    assert blobs.discard(digest, unless_newer=time.time() - 60) is None
    assert blobs.has(digest)
    assert not blobs.is_newer(digest, time.time() + 60)
    assert blobs.discard(digest, unless_newer=time.time() + 60) == 7
    assert not blobs.has(digest)
    assert blobs.discard(digest, unless_newer=time.time() + 60) is None
    assert list((blobs.folder / "incoming").iterdir()) == []


def test_a_damaged_text_is_mended_by_keeping_it_again(blobs: Blobs) -> None:
    digest = blobs.keep_bytes(b"content")
    assert digest is not None
    blobs.path(digest).chmod(0o600)
    blobs.path(digest).write_bytes(b"contend")
    assert not blobs.is_intact(digest)
    assert blobs.keep_bytes(b"content") == digest
    assert blobs.read(digest) == "content"


def test_other_files_in_the_store_are_no_blobs(blobs: Blobs) -> None:
    assert list(blobs.digests()) == []
    digest = blobs.keep_bytes(b"content")
    assert digest is not None
    for path in (".DS_Store", "ab", "zz", digest[:2] + "/.DS_Store", digest[:2] + "/" + "z" * 62, "ff"):
        if not (blobs.folder / path).exists():
            (blobs.folder / path).write_text("x")
    (blobs.folder / digest[:2] / ("a" * 62)).mkdir()
    assert list(blobs.digests()) == [(digest, 7)]


def test_what_was_left_half_written_is_found_once_it_is_old(blobs: Blobs) -> None:
    assert blobs.leftovers(before=time.time() + 60) == []
    blobs.keep_bytes(b"content")
    left = blobs.folder / "incoming" / "left"
    left.write_text("half")
    assert blobs.leftovers(before=time.time() - 60) == []
    assert blobs.leftovers(before=time.time() + 60) == [left]


@settings(max_examples=50, deadline=None)
@given(contents=st.lists(st.binary(max_size=50), max_size=6))
def test_equal_contents_are_one_blob_however_they_are_kept(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("blobs")
    blobs = Blobs(root / "blobs")
    for at, data in enumerate(contents):
        if at % 2:
            (root / "file").write_bytes(data)
            assert blobs.keep_file(root / "file") == sha(data)
        else:
            assert blobs.keep_bytes(data) == sha(data)
    assert dict(blobs.digests()) == {sha(data): len(data) for data in contents}
    for data in contents:
        blobs.fetch(sha(data), root / "back")
        assert (root / "back").read_bytes() == data
        assert blobs.is_intact(sha(data))


def test_a_file_that_is_fetched_is_an_ordinary_one(blobs: Blobs, tmp_path: Path) -> None:
    digest = str(blobs.keep_bytes(b"content"))
    (tmp_path / "plain").touch()
    for name, executable in (("back", False), ("run", True)):
        blobs.fetch(digest, tmp_path / name, executable=executable)
        mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
        plain = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
        assert mode & 0o666 == plain
        assert bool(mode & 0o100) is executable


@pytest.mark.parametrize("damage", [b"contend", b"", b"content and more"])
def test_a_blob_that_does_not_match_its_name_is_removed_once_it_is_read(
    blobs: Blobs, tmp_path: Path, damage: bytes
) -> None:
    def damaged() -> str:
        digest = str(blobs.keep_bytes(b"content"))
        blobs.path(digest).chmod(0o600)
        blobs.path(digest).write_bytes(damage)
        assert blobs.has(digest), "only reading it shows that"
        assert not blobs.is_intact(digest)
        return digest

    assert blobs.read(damaged()) is None
    assert list(blobs.digests()) == []
    with pytest.raises(BlobDamaged, match=f"^{sha(b'content')[:12]} in the store is damaged$"):
        blobs.fetch(damaged(), tmp_path / "back")
    with pytest.raises(BlobDamaged, match="is not in the store"):
        blobs.fetch(sha(b"content"), tmp_path / "back")


def test_a_folder_in_the_place_of_a_blob_is_none(blobs: Blobs, tmp_path: Path) -> None:
    blobs.path(sha(b"content")).mkdir(parents=True)
    assert not blobs.has(sha(b"content"))
    assert blobs.read(sha(b"content")) is None
    assert blobs.keep_bytes(b"content") is None, "it cannot be written there"
    assert list((blobs.folder / "incoming").iterdir()) == []


def test_a_digest_is_64_small_hexadecimal_digits() -> None:
    assert is_digest(sha(b""))
    assert not any(
        map(is_digest, ["", sha(b"")[:-1], sha(b"") + "0", sha(b"").upper(), "g" * 64, "../" + "0" * 61])
    )
