"""Values as MLflow takes them: names, texts, numbers and times that it does not refuse, whatever an event holds."""

from __future__ import annotations

import json
import math
import posixpath
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

MAX_NAME = 250  # characters
MAX_PARAM = 6000
MAX_TAG = 5000
_UNFIT = re.compile(r"[^\w./ -]")
_LATEST = 253402300799_000  # the last millisecond of the year 9999
_T = TypeVar("_T")


def number(value: Any) -> float | None:
    """A number that is a metric: finite, and no larger than a float. Else `None`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def text(value: Any, most: int = MAX_TAG) -> str:
    """A text that can be stored anywhere: as MLflow writes a value (`str`), as UTF-8, of at most `most` characters."""
    try:
        found = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, or something too deep
        found = hex(value) if isinstance(value, int) else f"<{type(value).__name__}>"
    found = found[:most].encode("utf-8", "backslashreplace").decode()
    return found.replace("\0", "\\x00")[:most]


def as_json(value: Any) -> str:
    """A value as JSON; as `text` writes it where it is none. A text is itself."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return text(value)


def fit(key: Any) -> str:
    """A name for a metric, a parameter or a tag: letters, digits, `_ - . /` and space, and a path that leads nowhere
    else."""
    parts = _UNFIT.sub("-", text(key, 4 * MAX_NAME)).split("/")
    found = "/".join(part for part in parts if part not in {"", ".", ".."})[:MAX_NAME].rstrip("/")
    found = f"-{found[2:]}" if found.startswith("..") else found
    return found if found and posixpath.normpath(found) == found else "-"


def named(values: Mapping[Any, _T], prefix: str = "") -> dict[str, _T]:
    """Values under names that MLflow takes; two names that become alike stay two."""
    made: dict[str, _T] = {}
    exact = {f"{prefix}{key}" for key in values}
    for key, value in values.items():
        wanted = f"{prefix}{key}"
        found, at = fit(wanted), 1
        while found in made or (found != wanted and found in exact):
            at += 1
            found = f"{fit(wanted)[: MAX_NAME - 8]}-{at}"
        made[found] = value
    return made


def milliseconds(at: Any) -> int:
    """A time of an event, in seconds, as MLflow has it; now where it is none."""
    seconds = number(at)
    if seconds is None:
        seconds = time.time()
    return round(min(max(seconds * 1000, 0), _LATEST))  # the product may be infinite


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping of an event; empty where it is none."""
    return value if isinstance(value, Mapping) else {}


def batches(items: Iterable[_T], size: int) -> Iterator[Sequence[_T]]:
    """Items in groups of at most `size`."""
    group: list[_T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
