"""The order of the stages of a draft: who waits for whom, and whether that makes a cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stagebook.importing.draft import Draft, StageDraft


def cycle_of(draft: Draft) -> list[StageDraft]:
    """The stages of a cycle, each before the one that waits for it; empty where there is none."""
    before = {stage.name: list(dict.fromkeys(_before(stage, draft))) for stage in draft.stages}
    left = {name: set(names) for name, names in before.items()}
    while free := [name for name, names in left.items() if not names]:
        for name in free:
            del left[name]
        left = {name: names.difference(free) for name, names in left.items()}
    if not left:
        return []
    seen: list[str] = []
    name = next(iter(left))  # each one left waits for one that is left
    while name not in seen:
        seen.append(name)
        name = next(one for one in before[name] if one in left)
    by_name = {stage.name: stage for stage in draft.stages}
    return [by_name[one] for one in reversed(seen[seen.index(name) :])]


def _before(stage: StageDraft, draft: Draft) -> Iterator[str]:
    """The names of the stages that it waits for."""
    writers = {path: one.name for one in draft.stages for path in _texts(one.keys.get("outputs"))}
    names = {one.name for one in draft.stages}
    yield from (name for name in stage.keys.get("after", ()) if name in names)
    for text in _texts(stage.keys.get("inputs")):
        first = text.partition(".")[0]
        if first in names and "/" not in text:
            yield first
        elif text in writers and writers[text] != stage.name:
            yield writers[text]


def _texts(value: Any) -> Iterator[str]:
    """All paths and references in inputs or outputs."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case Mapping():
            inner = [value["path"]] if "path" in value else value.values()
            for item in inner:
                yield from _texts(item)
