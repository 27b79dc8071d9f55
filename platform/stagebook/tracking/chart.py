"""Time and memory of an executed notebook's cells: read from its metadata, and drawn."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path

from stagebook.system.markup import in_xml


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellProfile:
    """One code cell that ran: `number` counts code cells from 1; `seconds` by the clock, `cpu` in
    seconds, `memory` the peak in bytes."""

    number: int
    first_line: str
    status: str
    seconds: float
    cpu: float
    memory: int


def profiles(notebook: Path) -> list[CellProfile]:
    """The cells of an executed notebook that ran, in their order."""
    found = []
    number = 0
    for cell in json.loads(notebook.read_bytes()).get("cells", []):
        source = "".join(cell.get("source", ""))
        if cell.get("cell_type") != "code" or not source.strip():
            continue
        number += 1
        meta = cell.get("metadata", {}).get("papermill", {})
        used = meta.get("profile")
        if not used or meta.get("duration") is None:
            continue
        found.append(
            CellProfile(
                number=number,
                first_line=source.strip().splitlines()[0],
                status=str(meta.get("status", "")),
                seconds=float(meta["duration"]),
                cpu=float(used.get("cpu_seconds", 0.0)),
                memory=int(used.get("peak_memory", 0)),
            )
        )
    return found


_WIDTH, _HEIGHT, _LEFT, _TOP = 760, 110, 64, 26


def chart(cells: Sequence[CellProfile]) -> str:
    """An SVG of two bar charts over the cells: seconds, with the CPU time within, and peak memory. It holds
    no script and fetches nothing; it fits the width that it gets."""
    if not cells:
        return ""
    seconds = [cell.seconds for cell in cells]
    memory = [cell.memory / 1e6 for cell in cells]
    parts = [
        _panel(cells, seconds, "s", "seconds by the clock (dark: CPU)", 0, inner=[c.cpu for c in cells]),
        _panel(cells, memory, "MB", "peak memory", _HEIGHT + _TOP + 18),
    ]
    total = 2 * (_HEIGHT + _TOP) + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {total}" role="img"'
        ' aria-label="Time and memory of each cell" style="width:100%;min-width:34rem;max-width:60rem;height:auto;'
        'display:block;margin:1rem auto;font:11px system-ui,sans-serif;color:inherit">'
        f"{''.join(parts)}</svg>"
    )


def _panel(
    cells: Sequence[CellProfile],
    values: Sequence[float],
    unit: str,
    title: str,
    y: int,
    *,
    inner: Sequence[float] = (),
) -> str:
    top = y + _TOP
    highest = max(values) or 1.0
    step = (_WIDTH - _LEFT) / len(values)
    bar = max(1.0, min(step * 0.8, 40.0))
    parts = [
        f'<text x="{_LEFT}" y="{y + 14}" fill="currentColor" font-weight="600">{title}</text>',
        f'<text x="{_LEFT - 6}" y="{top + 9}" fill="currentColor" text-anchor="end">{_short(highest)} {unit}</text>',
        f'<path d="M{_LEFT} {top + _HEIGHT}H{_WIDTH}" stroke="currentColor" stroke-opacity="0.4"/>',
    ]
    for at, (cell, value) in enumerate(zip(cells, values, strict=True)):
        x = _LEFT + step * at + (step - bar) / 2
        color = "#c0392b" if cell.status == "failed" else "#4c8dbf"
        note = html.escape(in_xml(f"cell {cell.number}: {_short(value)} {unit} - {cell.first_line[:80]}"))
        parts.append(_bar(x, top, bar, value / highest, color, note))
        if inner:
            parts.append(_bar(x, top, bar, min(inner[at], value) / highest, "#1f4e79", note))
        if len(cells) <= 40 or cell.number % 10 == 0:
            parts.append(
                f'<text x="{x + bar / 2:.1f}" y="{top + _HEIGHT + 13}" fill="currentColor"'
                f' text-anchor="middle">{cell.number}</text>'
            )
    return "".join(parts)


def _bar(x: float, top: int, width: float, share: float, color: str, note: str) -> str:
    height = max(0.5, share * _HEIGHT)
    return (
        f'<rect x="{x:.1f}" y="{top + _HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' fill="{color}"><title>{note}</title></rect>'
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
