"""Short texts: durations, sizes, times, values."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

# Control sequences of a terminal (ECMA-48): CSI, OSC with its text, and single ones.
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Control characters but tab and newline, and those that turn the direction of text around (Unicode UAX 9).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_HOURS = 72  # from which on a duration is told in days


def plain(untrusted: str) -> str:
    """A text of a notebook or a file without the codes that would steer a terminal."""
    return _CONTROL.sub("", _ANSI.sub("", untrusted))


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`, `31 d 04 h`, as in JupyterLab; `0.0 s` where the clock was set back meanwhile."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < _HOURS:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"


def size(count: int | None) -> str:
    """`812 B`, `4.1 kB`, `12 MB`."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.0f} GB"


def when(at: float | None, now: float) -> str:
    """`just now`, `5 min ago`, `3 h ago`, and after a day the date, in UTC; in JupyterLab it is that of the browser's time zone. Both times are Unix times in seconds."""
    if at is None:
        return ""
    ago = now - at
    if ago < 60:
        return "just now"
    if ago < 3600:
        return f"{ago // 60:.0f} min ago"
    if ago < 86400:
        return f"{ago // 3600:.0f} h ago"
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")


def value(item: Any, limit: int = 60) -> str:
    """A value on one line, cut to `limit` characters: text as it is, floats with four digits, whole numbers with
    thousands separators, the rest as JSON."""
    if isinstance(item, float):
        text = f"{item:.4g}"
    elif isinstance(item, int) and not isinstance(item, bool):
        text = f"{item:,}"
    else:
        text = item if isinstance(item, str) else json.dumps(item, default=str)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def written(item: Any, limit: int = 60) -> str:
    """The value of a parameter on one line, as it would be given: as `value`, without separators in whole numbers."""
    return value(str(item) if isinstance(item, int) and not isinstance(item, bool) else item, limit)


def pairs(items: Mapping[str, Any], limit: int = 60, shown: Callable[[Any, int], str] = value) -> str:
    """`a=1  b=2`, cut to `limit` characters; each value as `shown` has it."""
    text = "  ".join(f"{name}={shown(item, 30)}" for name, item in items.items())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def params(items: Mapping[str, Any], limit: int = 60) -> str:
    """Parameters, as `pairs`, each as it would be given."""
    return pairs(items, limit, written)


def plural(count: int, word: str) -> str:
    """`1 stage`, `2 stages`."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"
