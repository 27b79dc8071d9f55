"""Outputs of cells without what differs in each run: addresses, times, ids, the names of temporary files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

_IMAGES = {"image/png", "image/svg+xml"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ID = re.compile(r"[0-9a-f]{32}")
_VOLATILE = (
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py"), "<cell>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "0x…"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ns|[µμu]s|ms|s)\b"), "<time>"),
    (re.compile(r"(?:CPU times: user|total:|sys:).*"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(?=<| *\[|, )|\d+(?:\.\d+)?(?:it/s|s/it)"), "<time>"),
    (re.compile(r"(?<=%\|)[█▏▎▍▌▋▊▉ ]*(?=\|)"), "<bar>"),
    (re.compile(r"display_id=\w+|Thread-\d+"), "<name>"),
    (re.compile(r"(?:Cell In\[\d+\], line 2, in forever\(\)\s+1 def forever\(\):\s+----> 2     return forever\(\)\s+)+"), "<again>"),
    (re.compile(r"\[\.\.\. skipping similar frames.*"), "<again>"),
    (re.compile(r"(?:sb-\w+|stagebook-(?:kernel|cells)|/\S*(?:stage_kernel|ipykernel_launcher)\.py)\S*"), "<own>"),
    (re.compile(r"stages?/(?:kernel|inprocess)\b|\bid=\"?[\w-]+\"?|data:[^\"']{40,}"), "<id>"),
)  # fmt: skip


def plain(value: Any) -> Any:
    """A value without what differs in each run. Of an image it matters that there is one."""
    if isinstance(value, dict) and "traceback" in value:
        lines = _COLOUR.sub("", "\n".join(value["traceback"])).splitlines()
        frames = [line.partition(", line")[0] for line in lines if line.startswith(("Cell In", "File <"))]
        frames = [frame for frame, _ in itertools.groupby(frames)]  # as many as a recursion has
        return {**value, "traceback": [*frames, plain("".join(lines[-1:]))], "evalue": plain(value["evalue"])}
    if isinstance(value, dict) and value and all(_ID.fullmatch(name) for name in value):
        return sorted((plain(item) for item in value.values()), key=repr)
    if isinstance(value, dict):
        return {name: "<image>" if name in _IMAGES else plain(item) for name, item in value.items()}
    if isinstance(value, list):
        is_text = all(isinstance(item, str) for item in value)
        return plain("".join(value)) if is_text else [plain(item) for item in value]
    if isinstance(value, str):
        value = _COLOUR.sub("", value)
        for pattern, instead in _VOLATILE:
            value = pattern.sub(instead, value)
    return value


def outputs_of(cell: Mapping[str, Any]) -> list[Any]:
    """The outputs of a cell so, without their counts; neighbouring parts of one stream are one."""
    found: list[Any] = []
    for out in cell.get("outputs", ()):
        kept = {name: item for name, item in out.items() if name != "execution_count"}
        if kept.get("name") and found and found[-1].get("name") == kept["name"]:
            found[-1] = {**found[-1], "text": "".join((*found[-1]["text"], *kept["text"]))}
        else:
            found.append(kept)
    return [plain(out) for out in found]
