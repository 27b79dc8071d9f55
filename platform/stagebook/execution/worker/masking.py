"""Files of an attempt that are not made of the notebook's outputs: secrets in them are overwritten."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

from stagebook.execution.attempt import WORKER_LOG_FILE
from stagebook.execution.file_access.report import REPORT_FILE
from stagebook.system.logins import Redaction

_PIECE = 1 << 20  # bytes
_FILES = (WORKER_LOG_FILE, REPORT_FILE)


def mask_files(folder: Path, redacted: Redaction) -> None:
    """Overwrite secrets in the files that processes of an attempt wrote by themselves, in their places: one of them may
    be open."""
    if redacted.is_empty:
        return
    for name in _FILES:
        with contextlib.suppress(OSError), (folder / name).open("r+b") as file:
            said = file.read()
            if (masked := redacted.masked(said)) != said:
                file.seek(0)
                file.write(masked)


def keep_dump(made: str, target: Path, redacted: Redaction) -> bool:
    """Move a dump, which is compressed, to its place, with secrets overwritten; whether there was one. Raises `OSError`."""
    try:
        with gzip.open(made, "rb") as source, gzip.open(target, "wb", compresslevel=6) as kept:
            for piece in _masked(source, redacted):
                kept.write(piece)
    except FileNotFoundError:
        return False
    except (OSError, EOFError):
        target.unlink(missing_ok=True)  # it is not whole
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(made)
    return True


def _masked(source: gzip.GzipFile, redacted: Redaction) -> Iterator[bytes]:
    """A stream in pieces, masked: what stands at a border is in both of the pieces that are looked at."""
    overlap = max(0, redacted.longest - 1)
    rest = b""
    while piece := source.read(_PIECE):
        whole = redacted.masked(rest + piece)
        cut = max(0, len(whole) - overlap)
        yield whole[:cut]
        rest = whole[cut:]
    yield rest
