"""What differs between two sides as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.comparing.difference import DatasetDifference, Difference, PipelineDifference, StageDifference
from stagebook.views import difference_words as words
from stagebook.views.formatting import plain, value

_CELL = 40  # characters of a value
_COLUMNS = 8  # of a sample


def difference(found: Difference, *, level: int = 2) -> str:
    """All that differs, as GitHub-flavoured Markdown; headings begin at a `level`."""
    lines = [f"{'#' * level} {text(found.before)} → {text(found.after)}", ""]
    if found.is_same:
        lines += ["Nothing differs.", ""]
    for one in found.pipelines:
        lines += _pipeline(one, level + 1)
    return "\n".join(lines)


def _pipeline(one: PipelineDifference, level: int) -> Iterator[str]:
    if one.is_same:
        yield from (f"**{text(one.pipeline)}**: nothing differs.", "")
        return
    what = {"added": " is new", "removed": " is gone"}.get(one.what, "")
    yield from (f"{'#' * level} {text(one.pipeline)}{what}", "")
    values = [("parameter", each) for each in one.params] + [("metric", each) for each in one.metrics]
    if values:
        yield from ("| | | before → after |", "| --- | --- | --- |")
        yield from (f"| {kind} | {text(each.name)} | {text(words.change(each))} |" for kind, each in values)
        yield ""
    yield from (f"Stages: {words.counted(one.stages)}.", "")
    for stage in one.stages:
        yield from _stage(stage)
    yield ""
    if one.datasets:
        yield from (f"Data: {words.counted(one.datasets)}.", "")
    for dataset in one.datasets:
        yield from _dataset(dataset)


def _stage(stage: StageDifference) -> Iterator[str]:
    if stage.what == "same":
        return
    reasons = "; ".join(text(reason) for reason in stage.reasons) or stage.what
    yield f"- **{text(stage.stage)}**: {reasons}"
    if told := words.of_notebook(stage.notebook):
        yield f"  {text(told)}"
    changed = [
        cell for cell in (stage.notebook.cells if stage.notebook else ()) if cell.source or cell.outputs
    ]
    if changed:
        yield from ("", "  <details><summary>cells</summary>", "")
        for cell in changed[:10]:
            yield from (f"  cell {cell.number}", "", *fenced([*cell.source, *cell.outputs], indent="  "), "")
        yield from ("  </details>", "")


def _dataset(dataset: DatasetDifference) -> Iterator[str]:
    if dataset.what == "same":
        return
    yield from (f"**{text(dataset.name)}** `{_code(dataset.path)}`: {text(words.in_short(dataset))}", "")
    lines = [f"- {'⚠ ' if is_breaking else ''}{text(told)}" for told, is_breaking in words.columns(dataset)]
    if dataset.rows is not None and dataset.rows.columns:
        told = ", ".join(f"{name} in {count:,}" for name, count in dataset.rows.columns.items())
        lines.append(f"- changed: {text(told)}")
    lines += [f"- {text(figure.name)} {text(words.change(figure))}" for figure in dataset.figures[:12]]
    if dataset.remark:
        lines.append(f"- {text(dataset.remark)}")
    yield from (*lines, *([""] if lines else []))
    if dataset.lines:
        yield from (*fenced(dataset.lines), "")
    samples = {what: some for what, some in (dataset.rows.samples if dataset.rows else {}).items() if some}
    if samples:
        yield from ("<details><summary>rows</summary>", "")
        for what, some in samples.items():
            yield from (f"{what}:", "", *_table(some), "")
        yield from ("</details>", "")


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = names[:_COLUMNS]
    more = f" and {len(names) - _COLUMNS} more |" if len(names) > _COLUMNS else ""
    yield f"| {' | '.join(text(name) for name in shown)} |{more}"
    yield f"|{' --- |' * (len(shown) + bool(more))}"
    for row in rows:
        cells = ("" if row.get(name) is None else text(value(row[name], _CELL)) for name in shown)
        yield f"| {' | '.join(cells)} |{' |' if more else ''}"


def fenced(lines: Sequence[str], indent: str = "") -> Iterator[str]:
    """Lines of a difference as a block of code."""
    fence = "`" * max(3, 1 + max((_ticks(line) for line in lines), default=0))
    yield f"{indent}{fence}diff"
    yield from (f"{indent}{plain(line)}" for line in lines)
    yield f"{indent}{fence}"


def _ticks(text: str) -> int:
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


_SPECIAL = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\`*_[]|#~"}
    | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
)


def text(untrusted: str) -> str:
    """A text that is no markup, and mentions nobody."""
    return plain(untrusted).translate(_SPECIAL).replace("@", "@\u200b")


def _code(untrusted: str) -> str:
    return plain(untrusted).replace("`", "'").replace("\n", " ")
