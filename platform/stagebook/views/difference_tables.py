"""What differs between two sides, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from stagebook.comparing.difference import DatasetDifference, Difference, PipelineDifference, StageDifference
from stagebook.views import difference_words as words
from stagebook.views.data_tables import rows_of
from stagebook.views.formatting import plain, plural

_SIGNS = {
    "changed": ("~", "yellow"),
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "pending": ("▷", "blue"),
}
_FIGURES = 6  # of one table


def difference(found: Difference, *, width: int) -> RenderableType:
    """All that differs; a pipeline of which nothing does is one line."""
    head = Text(plain(f"{found.before} → {found.after}"), style="bold")
    parts: list[RenderableType] = [head]
    if found.is_same:
        return Group(head, Text("✓ nothing differs", style="green"))
    for one in found.pipelines:
        parts += [Text(), *_pipeline(one, width)]
    return Group(*parts)


def _pipeline(one: PipelineDifference, width: int) -> Iterator[RenderableType]:
    if one.is_same:
        yield Text.assemble((plain(one.pipeline), "bold"), ("  nothing differs", "dim"))
        return
    what = {"added": "  is new", "removed": "  is gone"}.get(one.what, "")
    yield Text.assemble((plain(one.pipeline), "bold"), what)
    for param in one.params:
        yield Text(plain(f"parameter  {param.name}: {words.change(param)}"))
    yield Text(f"stages     {words.counted(one.stages)}")
    for stage in one.stages:
        yield from _stage(stage)
    for metric in one.metrics:
        yield Text(plain(f"metric     {metric.name}: {words.change(metric)}"))
    if one.datasets:
        yield Text(f"data       {words.counted(one.datasets)}")
    for dataset in one.datasets:
        yield from _dataset(dataset, width)


def _stage(stage: StageDifference) -> Iterator[RenderableType]:
    if stage.what == "same":
        return
    sign, style = _SIGNS[stage.what]
    first, *rest = stage.reasons or ("",)
    yield Text.assemble("  ", (sign, style), plain(f" {stage.stage}{f': {first}' if first else ''}"))
    for reason in rest:
        yield Text(plain(f"      {reason}"), style="dim")
    if told := words.of_notebook(stage.notebook):
        yield Text(plain(f"      {told}"), style="dim")


def _dataset(dataset: DatasetDifference, width: int) -> Iterator[RenderableType]:
    if dataset.what == "same":
        return
    sign, style = _SIGNS[dataset.what]
    yield Text.assemble(
        "  ",
        (sign, style),
        plain(f" {dataset.name}  "),
        (plain(dataset.path), "dim"),
        f"  {words.in_short(dataset)}",
    )
    for text, is_breaking in words.columns(dataset):
        yield Text(plain(f"      {text}"), style="red" if is_breaking else "")
    if dataset.rows is not None and dataset.rows.columns:
        told = ", ".join(f"{name} in {count:,}" for name, count in dataset.rows.columns.items())
        yield Text(plain(f"      changed: {told}"), style="dim")
    for figure in dataset.figures[:_FIGURES]:
        yield Text(plain(f"      {figure.name} {words.change(figure)}"), style="dim")
    if len(dataset.figures) > _FIGURES:
        more = plural(len(dataset.figures) - _FIGURES, "more figure")
        yield Text(f"      and {more}: --html, --json", style="dim")
    for line in dataset.lines[:_FIGURES]:
        shown = Text(plain(f"      {line}"), style="green" if line.startswith("+") else "red", no_wrap=True)
        shown.truncate(width, overflow="ellipsis")
        yield shown
    if dataset.remark:
        yield Text(plain(f"      {dataset.remark}"), style="dim")
    for what, some in (dataset.rows.samples if dataset.rows is not None else {}).items():
        if some:
            yield Padding(Group(Text(f"{what}:"), rows_of(some, width=width - 6)), (0, 0, 0, 6))
