"""Secrets in files that are not made of outputs are overwritten, and the files stay what they are."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest

from stagebook.execution.worker import masking
from stagebook.execution.worker.masking import keep_dump, mask_files
from stagebook.system.logins import Redaction

SECRET = "open-sesame-42"
REDACTED = Redaction({}, [SECRET])


@pytest.mark.parametrize("piece", [1 << 20, 7, 13, 64])
def test_a_dump_is_masked_and_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(masking, "_PIECE", piece)
    held = {"word": SECRET, "all": [f"<{SECRET}>"] * 3, "raw": SECRET.encode(), "n": 42}
    made = tmp_path / "made"
    made.write_bytes(gzip.compress(pickle.dumps(held)))
    assert keep_dump(str(made), tmp_path / "kept", REDACTED)
    assert not made.exists()
    stars = "*" * len(SECRET)
    found = pickle.loads(gzip.decompress((tmp_path / "kept").read_bytes()))
    assert found == {"word": stars, "all": [f"<{stars}>"] * 3, "raw": stars.encode(), "n": 42}


def test_a_dump_that_is_not_whole_is_not_kept(tmp_path: Path) -> None:
    made, kept = tmp_path / "made", tmp_path / "kept"
    made.write_bytes(gzip.compress(pickle.dumps(SECRET))[:-9])
    with pytest.raises((OSError, EOFError)):
        keep_dump(str(made), kept, REDACTED)
    assert not made.exists()
    assert not kept.exists()
    assert not keep_dump(str(made), kept, REDACTED)


def test_files_of_an_attempt_are_masked_in_their_places(tmp_path: Path) -> None:
    log = tmp_path / "worker.txt"
    with log.open("wb") as writer:
        writer.write(f"no way to {SECRET}\n".encode())
        writer.flush()
        mask_files(tmp_path, REDACTED)
        writer.write(b"more\n")
    assert log.read_bytes() == b"no way to **************\nmore\n"
