"""Executed notebooks, cell by cell: source, text outputs, images. What differs in every run is left out, and counted."""

from __future__ import annotations

import base64
import binascii
import difflib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.comparing.contents import lines_between
from stagebook.comparing.difference import CellDifference, NotebookDifference
from stagebook.comparing.images import share_of
from stagebook.execution.attempt import INJECTED_TAG

# What differs in every run: addresses in memory; times of day with their date; what %time and %timeit print; progress bars
# of tqdm; folders for temporary files; identifiers of elements in HTML.
_VOLATILE = re.compile(
    r"0x[0-9a-fA-F]{6,}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?:CPU times|Wall time|user|sys|total): [\d.]+ ?(?:ns|µs|us|ms|s|min)\b"
    r"|[\d.]+ (?:ns|µs|us|ms|s) ± [\d.]+ (?:ns|µs|us|ms|s) per loop[^\n]*"
    r"| *\d+%\|[^\n]*\|[^\n]*(?:it/s|s/it)\]?"
    r"|/tmp/[\w./-]+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
_IMAGES = ("image/png", "image/jpeg", "image/gif")


def compare_notebooks(before: Path, after: Path) -> NotebookDifference:
    """What differs between two executed notebooks."""
    try:
        old, new = (_code_cells(path) for path in (before, after))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return NotebookDifference(remark=f"executed notebooks: one cannot be read: {error}")
    found: list[CellDifference] = []
    volatile = 0
    for one, two in _pairs(old, new):
        difference, count = _cell(one, two)
        volatile += count
        if difference is not None:
            found.append(difference)
    return NotebookDifference(cells=tuple(found), volatile=volatile)


def images_that_differ(before: Path, after: Path) -> list[tuple[bytes | None, bytes | None]]:
    """The images in the outputs of two executed notebooks that differ, in their order; `None` where one is not there."""
    old, new = (_code_cells(path) for path in (before, after))
    found: list[tuple[bytes | None, bytes | None]] = []
    for one, two in _pairs(old, new):
        shown = [_images_of(side[1]) if side is not None else [] for side in (one, two)]
        pairs = itertools.zip_longest(shown[0], shown[1])
        found += [(first, second) for first, second in pairs if first != second]
    return found


Numbered = tuple[int, Mapping[str, Any]]


def _code_cells(path: Path) -> list[Numbered]:
    """The code cells with their numbers, from 1. Raises `OSError`, and `ValueError` or one of its like where it is no
    notebook."""
    return list(enumerate(code_cells(json.loads(path.read_bytes())), start=1))


def code_cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The code cells of an executed notebook that are its own and that hold code, in order."""
    for cell in notebook["cells"]:
        is_own = INJECTED_TAG not in cell.get("metadata", {}).get("tags", ())
        if cell["cell_type"] == "code" and is_own and _text(cell["source"]).strip():
            yield cell


def _pairs(
    before: Sequence[Numbered], after: Sequence[Numbered]
) -> Iterable[tuple[Numbered | None, Numbered | None]]:
    """Cells that belong together: those with the same source, and in the gaps between these those at the same place."""
    sources = [[_text(cell["source"]) for _, cell in side] for side in (before, after)]
    matcher = difflib.SequenceMatcher(a=sources[0], b=sources[1], autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        for at in range(max(b - a, d - c)):
            one = before[a + at] if a + at < b else None
            two = after[c + at] if c + at < d else None
            yield one, two


def _cell(before: Numbered | None, after: Numbered | None) -> tuple[CellDifference | None, int]:
    if before is None or after is None:
        number, cell = after or before or (0, {"source": ""})
        mark, what = ("+", "added") if before is None else ("-", "removed")
        lines = tuple(f"{mark}{line}" for line in _text(cell["source"]).splitlines()[:20])
        return CellDifference(number=number, what=what, source=lines), 0  # type: ignore[arg-type]
    (_, old), (number, new) = before, after
    source = lines_between(_text(old["source"]).splitlines(), _text(new["source"]).splitlines())
    outputs, volatile = _outputs(old, new)
    images = _images(old, new)
    if not (source or outputs or images):
        return None, volatile
    return CellDifference(
        number=number, what="changed", source=source, outputs=outputs, images=images
    ), volatile


def _outputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """The lines of text that differ; and how many differ by what differs in every run alone."""
    old, new = (_shown(cell).splitlines() for cell in (before, after))
    plain_old, plain_new = ([_VOLATILE.sub("…", line) for line in side] for side in (old, new))
    lines = lines_between(plain_old, plain_new)
    if lines:
        return lines, 0
    return (), sum(1 for one, two in zip(old, new, strict=True) if one != two)


def _shown(cell: Mapping[str, Any]) -> str:
    """All that the outputs of a cell show as text."""
    texts = []
    for output in cell.get("outputs", ()):
        kind = output.get("output_type")
        if kind == "stream":
            texts.append(_text(output.get("text", "")))
        elif kind == "error":
            texts.append(f"{output.get('ename', '')}: {output.get('evalue', '')}")
        else:
            data = output.get("data", {})
            if not any(name in data for name in _IMAGES):
                texts.append(_text(data.get("text/plain", data.get("text/html", ""))))
    return "\n".join(text.rstrip("\n") for text in texts)


def _images(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[float, ...]:
    old, new = (_images_of(cell) for cell in (before, after))
    shares = [share_of(one, two) for one, two in zip(old, new, strict=False)]
    shares += [1.0] * abs(len(old) - len(new))
    return tuple(share for share in shares if share > 0)


def _images_of(cell: Mapping[str, Any]) -> list[bytes]:
    found = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        for name in _IMAGES:
            if name in data:
                try:
                    found.append(base64.b64decode(_text(data[name])))
                except (binascii.Error, ValueError):
                    found.append(_text(data[name]).encode())
                break
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(map(str, value or ()))
