"""How a text file is to be read as a table: said to DuckDB in full, from its first line. Left to itself DuckDB takes 40 ms to find
out, and passes over lines that do not fit, such as all before the longest one."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from stagebook.tables import sql

_HEAD = 1 << 16  # bytes in which the first line has to end
_DELIMITERS = (",", "\t", ";", "|")
_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF32_LE: "UTF-32"}


class NotRead(Exception):
    """The file cannot be read as a table; the text says why, in one sentence."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What is between the values, the names of the columns, and how many lines are before these. Values may stand in double
    quotes, which are doubled within."""

    delimiter: str
    names: tuple[str, ...]
    skip: int = 0

    def options(self, *, guessed: bool) -> str:
        """As arguments of `read_csv`; `guessed`: DuckDB is to find out the types of the columns, else all are text."""
        said = (
            f"header = true, delim = {sql.literal(self.delimiter)}, quote = '\"', escape = '\"', skip = {self.skip}, "
            "comment = '', null_padding = false"
        )
        if guessed:
            return said
        columns = ", ".join(f"{sql.literal(name)}: 'VARCHAR'" for name in self.names)
        return f"{said}, auto_detect = false, columns = {{{columns}}}"


def dialect_of(path: Path) -> Dialect | None:
    """The dialect of a text file; `None` where only DuckDB can find it out: quotes are escaped by backslashes, a name goes over
    several lines, the first line is longer than 64 kB, or the file is packed by zstd.

    Raises:
        NotRead: the file is not UTF-8, or has no first line.
        OSError: it cannot be read.
    """
    if path.suffix.lower() == ".zst":
        return None
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
        start = file.read(_HEAD)
        is_whole = len(start) < _HEAD
    text = _decoded(start, final=is_whole)
    body = text.lstrip("\r\n")
    if not body.strip():
        raise NotRead("the file has no line with the names of its columns")
    if '\\"' in text:
        return None
    first, *more = re.split("\r\n|\n|\r", body, maxsplit=1)
    if not is_whole and not more:
        return None
    delimiter = _delimiter(first)
    names = next(csv.reader(io.StringIO(body, newline=""), delimiter=delimiter))
    if any("\n" in name or "\r" in name for name in names):
        return None
    skip = text[: len(text) - len(body)].replace("\r\n", "\n").count("\n")
    return Dialect(delimiter=delimiter, names=tuple(_apart(names)), skip=skip)


def _decoded(start: bytes, *, final: bool) -> str:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            raise NotRead(f"the file is {encoding}; write it as UTF-8")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(start, final)
    except UnicodeDecodeError as error:
        line = start[: error.start].count(b"\n") + 1
        raise NotRead(f"line {line} is not UTF-8; write the file as UTF-8") from error


def _delimiter(line: str) -> str:
    """What occurs most often in the first line, outside of quotes."""
    bare = "".join(itertools.islice(line.split('"'), 0, None, 2))
    return max(_DELIMITERS, key=bare.count)


def _apart(names: list[str]) -> Iterator[str]:
    """The names of columns, each once: DuckDB does not tell upper case from lower case."""
    seen: set[str] = set()
    for at, name in enumerate(names):
        base = name or f"column{at}"
        tries = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(1)))
        found = next(one for one in tries if one.lower() not in seen)
        seen.add(found.lower())
        yield found
