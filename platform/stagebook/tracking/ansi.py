"""Text for a terminal as HTML: the colours of SGR sequences (ECMA-48, 8.3.117); other sequences are left out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_SEQUENCE = re.compile(r"\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_COLORS = ("#3e424d", "#c0392b", "#1e7d34", "#a06400", "#1f5fa8", "#8e3aa0", "#0f7b83", "#6b6f76")
_LEVELS = (0, 95, 135, 175, 215, 255)
_STYLES = {1: "font-weight:bold", 3: "font-style:italic", 4: "text-decoration:underline"}


def to_html(text: str) -> str:
    """The text as HTML, with `<span style>` where it is coloured or emphasised."""
    parts, at = [], 0
    styles: dict[str, str] = {}
    for found in _SEQUENCE.finditer(text):
        parts.append(_styled(text[at : found.start()], styles))
        at = found.end()
        if found[2] == "m":
            _apply(styles, found[1])
    parts.append(_styled(text[at:], styles))
    return "".join(parts)


def _styled(text: str, styles: dict[str, str]) -> str:
    escaped = html.escape(text, quote=False)
    return f'<span style="{";".join(styles.values())}">{escaped}</span>' if styles and text else escaped


def _apply(styles: dict[str, str], codes: str) -> None:
    numbers = iter([int(code) if code.isdecimal() else 0 for code in codes.replace(":", ";").split(";")])
    for code in numbers:
        if code == 0:
            styles.clear()
        elif code in _STYLES:
            styles[str(code)] = _STYLES[code]
        elif code in {22, 23, 24}:
            styles.pop(str({22: 1, 23: 3, 24: 4}[code]), None)
        elif code in {39, 49}:
            styles.pop("color" if code == 39 else "background", None)
        else:
            _color(styles, code, numbers)


def _color(styles: dict[str, str], code: int, rest: Iterator[int]) -> None:
    if code in {38, 48}:
        color = _extended(rest)
    elif code // 10 in {3, 4, 9, 10}:
        color = _COLORS[code % 10] if code % 10 < 8 else ""
    else:
        return
    name = "background" if code in {48, *range(40, 48), *range(100, 108)} else "color"
    if color:
        styles[name] = f"{name}:{color}"


def _extended(rest: Iterator[int]) -> str:
    """The colour after 38 or 48: `5;INDEX` or `2;RED;GREEN;BLUE`."""
    kind = next(rest, 0)
    if kind == 2:
        red, green, blue = (min(next(rest, 0), 255) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    index = next(rest, 256) if kind == 5 else 256
    if index < 16:
        return _COLORS[index % 8]
    if index < 232:
        index -= 16
        return "#" + "".join(f"{_LEVELS[index // step % 6]:02x}" for step in (36, 6, 1))
    return "#" + f"{8 + 10 * (index - 232):02x}" * 3 if index < 256 else ""
