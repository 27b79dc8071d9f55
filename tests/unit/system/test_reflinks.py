"""The store on a file system that shares content (XFS with reflinks), which is made and mounted where the machine allows that."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagebook.system.blobs import Blobs

_SIZE = 64_000_000  # bytes of the file that is kept


@pytest.fixture
def shares_content(tmp_path: Path) -> Iterator[Path]:
    """A folder on such a file system."""
    maker = shutil.which("mkfs.xfs") or "/sbin/mkfs.xfs"
    if os.name != "posix" or os.geteuid() or not os.path.exists(maker):
        pytest.skip("needs root and xfsprogs")
    image, place = tmp_path / "image", tmp_path / "mounted"
    with image.open("wb") as file:
        file.truncate(512_000_000)
    place.mkdir()
    subprocess.run([maker, "-q", "-m", "reflink=1", str(image)], check=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _free(place: Path) -> int:
    os.sync()
    found = os.statvfs(place)
    return found.f_bfree * found.f_frsize


def test_what_is_kept_and_fetched_takes_its_room_once(shares_content: Path) -> None:
    made, fetched = shares_content / "made", shares_content / "fetched"
    made.write_bytes(os.urandom(_SIZE))
    blobs = Blobs(shares_content / "blobs")
    before = _free(shares_content)

    digest = blobs.keep_file(made)
    blobs.fetch(digest, fetched)

    assert fetched.read_bytes() == made.read_bytes()
    assert before - _free(shares_content) < _SIZE // 10


def test_who_writes_into_a_shared_file_changes_no_other(shares_content: Path) -> None:
    made, fetched = shares_content / "made", shares_content / "fetched"
    made.write_bytes(b"before" * 1_000)
    blobs = Blobs(shares_content / "blobs")
    digest = blobs.keep_file(made)
    blobs.fetch(digest, fetched)

    with fetched.open("r+b") as file:
        file.write(b"AFTER!")
    made.unlink()

    assert blobs.is_intact(digest)
    assert blobs.read(digest) == "before" * 1_000
