"""How far stages have read, and what is new to them.

The marks move with the end of an attempt that published its outputs, in one transaction with it, and with nothing else but
`stagebook bookmark`. They are no part of a fingerprint: what a stage has read already is in its outputs, which keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stagebook.errors import Problem
from stagebook.pipeline.model import Bookmark, Pipeline
from stagebook.pipeline.types import Value, shorten
from stagebook.planning.instances import Instance
from stagebook.planning.plan import News, PlannedStage
from stagebook.planning.result import Marks

_SHOWN = 80  # characters of a path or a mark


def place_of(paths: Iterable[str]) -> str:
    """What marks are kept under besides the stage: where it writes. Elsewhere it has read nothing yet."""
    return "\n".join(sorted(paths))


def problems(pipeline: Pipeline, instances: Iterable[Instance]) -> Iterator[Problem]:
    """Bookmarks of inputs that are no lists."""
    for name in dict.fromkeys(one.stage.name for one in instances if _is_of_one(one)):
        bookmark = pipeline.stages[name].bookmark
        message = f"the input '{bookmark}' is one path, and a bookmark is of several"
        hint = f"a pattern behind a connection, such as {bookmark}: incoming:*.parquet, or a list"
        yield pipeline.problem(("stages", name, "bookmark"), message, hint)


def _is_of_one(instance: Instance) -> bool:
    bookmark = instance.stage.bookmark
    item = instance.inputs.get(bookmark.input) if bookmark is not None else None
    return item is not None and not item.many


def warnings(pipeline: Pipeline) -> Iterator[Problem]:
    """Outputs that hold only what was new at last."""
    for stage in pipeline.stages.values():
        for name, output in stage.outputs.items() if stage.bookmark is not None else ():
            if output.kind == "file" or (output.delta is not None and not output.delta.accumulates):
                what = f"'{name}' is written anew each time, and holds only what was new to the bookmark"
                hint = "kind: delta with mode: append or merge, or partition_by, keeps what was there"
                yield pipeline.problem(("stages", stage.name, "outputs", name), what, hint)


def news_of(bookmark: Bookmark, pairs: Sequence[Sequence[str]], marks: Marks, *, anew: bool) -> News:
    """What a stage is to read: of the `pairs` of paths and marks that there are those that it has not read. `anew`: nothing
    that it has read counts."""
    known: Mapping[str, Any] = {} if anew else marks.items
    again = () if anew else marks.again
    if not bookmark.input:
        value = known.get(str(bookmark))
        params = {} if value is None else {bookmark.param: value}
        return News(params=params, anew=anew, again=again)
    items = {path: mark for path, mark in pairs if known.get(path) != mark}
    return News(input=bookmark.input, items=items, anew=anew, again=again)


def told(stage: PlannedStage, news: News, pairs: Sequence[Sequence[str]], marks: Marks) -> str:
    """What is new, in a few words."""
    bookmark = stage.bookmark
    assert bookmark is not None
    if not bookmark.input:
        return (
            f"reads what is new since {since}" if (since := _since(news.params)) else "reads from the start"
        )
    parts = []
    changed = [path for path in news.items if path in marks.items and not news.anew]
    new = [path for path in news.items if path not in changed]
    if new and len(new) == len(pairs):
        parts.append(f"reads all {len(new):,} of {bookmark}" if len(new) > 1 else f"reads {_cut(new[0])}")
    elif new:
        parts.append(f"{_first(new)} {'is' if len(new) == 1 else 'are'} new in {bookmark}")
    if changed:
        parts.append(f"{_first(changed)} changed since {'it was' if len(changed) == 1 else 'they were'} read")
    if not parts:
        parts.append(f"nothing is new in {bookmark}")
    there = {path for path, _ in pairs}
    if not news.anew and (gone := [path for path in marks.items if path not in there]):
        parts.append(
            f"{_first(gone)} {'is' if len(gone) == 1 else 'are'} gone, and stay{'s' * (len(gone) == 1)} read"
        )
    return "; ".join(parts)


def _since(params: Mapping[str, Value]) -> str:
    return next((_cut(str(value)) for value in params.values()), "")


def _first(paths: Sequence[str]) -> str:
    return _cut(paths[0]) + (f" and {len(paths) - 1:,} more" if len(paths) > 1 else "")


def _cut(text: str) -> str:
    return shorten(text, _SHOWN)
