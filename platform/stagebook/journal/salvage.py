"""What can still be read of a damaged journal, without SQLite, which gives up on the whole file.

Every page of the file and of its write-ahead log that may be a leaf of a table is looked through for
rows of `events`. A row counts if it has the sum of its text, so that what is found is what was written,
however much around it is not. The formats: https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from stagebook.journal.database import numbered_sum

_MAGIC = b"SQLite format 3\0"
_PAGE = 4096  # bytes, where the file does not say any more
_LEAF = 0x0D  # of a table
_FRAME = 24  # bytes before each page of the log
_LOG_HEAD = 32
# Of a row of `events`: seq (which is the row's key), run, type, stage, at, data, sum.
_DATA, _SUM, _COLUMNS = 5, 6, 7


def salvage(path: Path) -> dict[int, str]:
    """The texts of all events that can still be read, by number, in their order."""
    with contextlib.suppress(OSError):
        pages = _Pages(path)
        found = {number: text for page in pages.all() for number, text in pages.rows(page)}
        return dict(sorted(found.items()))
    return {}


class _Pages:
    """The pages of a database. What committed transactions left in the log comes after the file."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        log = path.with_name(path.name + "-wal")
        logged = log.read_bytes() if log.is_file() else b""
        self.size = _page_size(data, logged)
        self._now: dict[int, bytes] = {}
        for at in range(0, len(data), self.size):
            self._now[at // self.size + 1] = data[at : at + self.size].ljust(self.size, b"\0")
        self._before: list[bytes] = []  # what the log replaces; its frames may be the damaged ones
        for number, page in _committed(logged, self.size):
            if number in self._now:
                self._before.append(self._now[number])
            self._now[number] = page

    def all(self) -> Iterator[bytes]:
        """Every page that may hold rows, what counts most last."""
        yield from self._before
        yield from self._now.values()

    def rows(self, page: bytes) -> Iterator[tuple[int, str]]:
        """The events in a page."""
        if page[0] != _LEAF:
            return
        count = int.from_bytes(page[3:5])
        for at in range(8, min(8 + 2 * count, self.size - 1), 2):
            with contextlib.suppress(IndexError, ValueError, struct.error):
                found = self._row(page, int.from_bytes(page[at : at + 2]))
                if found is not None:
                    yield found

    def _row(self, page: bytes, at: int) -> tuple[int, str] | None:
        length, at = _varint(page, at)
        number, at = _varint(page, at)
        if not (0 < length <= self.size * len(self._now) and 0 < number < 2**53):
            return None
        record = self._payload(page, at, length)
        values = _values(record)
        text = values[_DATA]
        if not isinstance(text, bytes) or len(values) > _COLUMNS or not isinstance(json.loads(text), dict):
            return None
        data = text.decode("utf-8")
        # What version 1 wrote, and no later one read, has no sum.
        whole = len(values) == _SUM or values[_SUM] == numbered_sum(number, data)
        return (number, data) if whole else None

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """A record, with what does not fit into its page, from a chain of others."""
        most, least = self.size - 35, (self.size - 12) * 32 // 255 - 23
        local = length
        if length > most:
            local = least + (length - least) % (self.size - 4)
            local = least if local > most else local
        pieces = [page[at : at + local]]
        left, following = length - local, page[at + local : at + local + 4]
        while left > 0:
            more = self._now.get(int.from_bytes(following), b"")
            pieces.append(more[4 : 4 + left])
            if len(more) < self.size:
                break
            left, following = left - (self.size - 4), more[:4]
        return b"".join(pieces)


def _page_size(data: bytes, logged: bytes) -> int:
    sizes = [int.from_bytes(data[16:18]) if data.startswith(_MAGIC) else 0, int.from_bytes(logged[8:12])]
    return next((size for size in sizes if 512 <= size <= 32768 and size & (size - 1) == 0), _PAGE)


def _committed(log: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages of committed transactions in a log, by number. The log is overwritten from its start;
    what is older has other salts than its head and its first page."""
    salts = {log[16:24], log[_LOG_HEAD + 8 : _LOG_HEAD + 16]}
    waiting: list[tuple[int, bytes]] = []
    for at in range(_LOG_HEAD, len(log) - _FRAME - size + 1, _FRAME + size):
        number, pages, *_ = struct.unpack_from(">II", log, at)
        if log[at + 8 : at + 16] not in salts:
            continue
        waiting.append((number, log[at + _FRAME : at + _FRAME + size]))
        if pages:  # the last of its transaction
            yield from waiting
            waiting.clear()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where the next thing begins."""
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | data[at + 8], at + 9


_SIZES: Mapping[int, int] = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}


def _values(record: bytes) -> list[bytes | int | None]:
    """The values of a row: texts as bytes, whole numbers; other things stand as None."""
    end, at = _varint(record, 0)
    kinds = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    found: list[bytes | int | None] = []
    for kind in kinds:
        size = _SIZES.get(kind, (kind - 12) // 2)
        if size < 0:
            raise ValueError("no kind of value")
        piece = record[at : at + size]
        at += size
        if kind >= 12:
            found.append(piece)
        elif kind in {8, 9}:
            found.append(kind - 8)
        else:
            found.append(int.from_bytes(piece, signed=True) if 1 <= kind <= 6 else None)
    return found
