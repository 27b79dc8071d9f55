"""How far the stages of a project have read, and moving that by hand: `stagebook bookmark`."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import UsageError, did_you_mean
from stagebook.events import AttemptEnded, BookmarkMoved, RunEnded, RunStarted, Status
from stagebook.journal.journal import Journal
from stagebook.pipeline.model import Pipeline, Stage
from stagebook.planning.bookmarks import place_of
from stagebook.planning.plan import PlannedStage
from stagebook.runs.history import History
from stagebook.runs.launcher import Launcher
from stagebook.runs.lease import take_ownership
from stagebook.runs.origin import describe_origin
from stagebook.system import delta_log


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that was read: its name and mark, and when, in seconds since the epoch, and in which run its bookmark moved
    there."""

    name: str
    mark: Any
    run: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a stage instance has read that writes to the paths `places`. `of` is the input or column; empty where the
    pipeline file says it no more."""

    pipeline: str
    stage: str
    of: str
    places: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def last(self) -> Item | None:
        """What it has read last."""
        return max(self.items, key=lambda item: item.at, default=None)

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {**dataclasses.asdict(self), "places": list(self.places)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What moved a bookmark: an attempt, with those that audited its rows again after it; or a person, without any."""

    number: int
    run: str
    attempts: tuple[str, ...]
    bookmark: Mapping[str, Any]


def readings(pipeline: Pipeline, history: History) -> list[Reading]:
    """How far each stage of a pipeline has read, by its name. Those that have read nothing yet are there without items."""
    found: list[Reading] = []
    declared = {name: stage for name, stage in pipeline.stages.items() if stage.bookmark is not None}
    if history.has_journal:
        journal = history.journal
        times: dict[int, tuple[str, float]] = {}
        for (owner, stage, place), numbers in sorted(journal.bookmarks.all().items()):
            if owner != pipeline.name:
                continue
            for number in {*numbers.values()} - times.keys():
                event = journal.events.find(number)
                times[number] = (event.run, event.at) if event is not None else ("", 0.0)
            marks = journal.bookmarks.of(owner, stage, place).items
            items = (
                Item(name=name, mark=mark, run=times[numbers[name]][0], at=times[numbers[name]][1])
                for name, mark in marks.items()
            )
            known = declared.get(stage.partition("@")[0])
            found.append(
                Reading(
                    pipeline=owner,
                    stage=stage,
                    of=str(known.bookmark) if known is not None else "",
                    places=tuple(place.split("\n")),
                    items=tuple(items),
                )
            )
    read = {one.stage.partition("@")[0] for one in found}
    found += [
        Reading(pipeline=pipeline.name, stage=name, of=str(stage.bookmark), places=(), items=())
        for name, stage in declared.items()
        if name not in read
    ]
    return found


def reading(pipeline: Pipeline, history: History, stage: str) -> list[Reading]:
    """How far a stage, or an instance of one, has read: for each place that it wrote to. Raises `UsageError`."""
    known = readings(pipeline, history)
    found = [one for one in known if stage in {one.stage, one.stage.partition("@")[0]}]
    if not found:
        names = dict.fromkeys(one.stage for one in known)
        message = f"no stage '{stage}' with a bookmark in {pipeline.name}"
        raise UsageError(message, hint=did_you_mean(stage, names))
    return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was done: the run that records it; for each stage how many marks it took back or changed."""

    run: str
    stages: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """How far a bookmark goes back: to where it stood after a `run`, by forgetting `items` (globs), to a `value` of a
    column; by default to the start."""

    run: str = ""
    items: Sequence[str] = ()
    value: str | None = None


def move(
    launcher: Launcher, pipeline: Pipeline, chosen: Sequence[Reading], back: Back, because: str = ""
) -> Moved:
    """Move bookmarks back, so that the next run reads again what came after.

    Raises:
        UsageError: nothing is to be moved, or rows that are to be read again would be there twice.
        PipelineBusy: the pipeline is being run.
    """
    origin = describe_origin(launcher.root)
    by = origin.user or (str(os.getuid()) if hasattr(os, "getuid") else "somebody")
    run, at = launcher.new_run_id(), launcher.now()
    events, counts = [], {}
    for one in chosen:
        if not one.items:
            continue
        stage = pipeline.stages.get(one.stage.partition("@")[0])
        event = _Course(launcher.journal, launcher.root, one, stage).moved(back)
        if event.bookmark["marks"] or event.bookmark["anew"]:
            events.append(dataclasses.replace(event, run=run, at=at, because=because, by=by))
            counts[one.stage] = len(one.items if event.bookmark["anew"] else event.bookmark["marks"])
    if not events:
        names = ", ".join(dict.fromkeys(one.stage for one in chosen))
        raise UsageError(f"the bookmark of {names} stands there already", hint="see: stagebook bookmark show")
    plan = {"pipeline": pipeline.name, "path": pipeline.path, "params": {}, "stages": []}
    started = RunStarted(
        run=run, at=at, pipeline=pipeline.name, plan=plan, origin=origin, kind="bookmark", quiet=True
    )
    end = RunEnded(run=run, at=at, status=Status.COMPLETED, reason=because)
    take_ownership(launcher.journal, started, clock=launcher.now, then=[*events, end])
    return Moved(run=run, stages=counts)


def moved_with(history: History, pipeline: Pipeline, stage: PlannedStage, run: str) -> BookmarkMoved | None:
    """The event that moves the bookmark of a stage to where it stood after a `run`, whose outputs are put back; `None` where
    it stands there, or the stage has none."""
    place = place_of(output.path for output in stage.outputs.values())
    found = (one for one in readings(pipeline, history) if one.stage == stage.id and one.items)
    one = next((one for one in found if place_of(one.places) == place), None)
    if stage.bookmark is None or one is None or not run:
        return None
    course = _Course(history.journal, history.root, one, pipeline.stages[stage.stage])
    event = course.moved(Back(run=run))
    return event if event.bookmark["marks"] or event.bookmark["anew"] else None


class _Course:
    """The course that one bookmark took."""

    def __init__(self, journal: Journal, root: Path, now: Reading, stage: Stage | None) -> None:
        self._now = now
        self._root = root
        self._journal = journal
        self._outputs = stage.outputs.values() if stage is not None else ()
        place = place_of(now.places)
        events = journal.events.of_bookmark(now.pipeline, now.stage)
        self._groups = list(_groups((number, one) for number, one in events if _place(one) == place))
        self._numbers = journal.bookmarks.all().get((now.pipeline, now.stage, place), {})
        self._pending = journal.bookmarks.of(now.pipeline, now.stage, place).again

    def moved(self, back: Back) -> BookmarkMoved:
        """The event that moves it back."""
        if back.items:
            return self._without(back.items)
        if back.value is not None:
            return self._to_value(back.value)
        numbers = (number for number, _ in self._journal.events.of(back.run)) if back.run else ()
        return self._back_to(max(numbers, default=0))

    def _back_to(self, number: int) -> BookmarkMoved:
        """As it stood after the event with a number."""
        before: dict[str, Any] = {}
        for group in self._groups:
            if group.number <= number:
                before = _moved(before, group.bookmark)
        known = {item.name: item.mark for item in self._now.items}
        marks: dict[str, Any] = {name: None for name in known if name not in before}
        marks |= {name: mark for name, mark in before.items() if known.get(name) != mark}
        taken = [group for group in self._groups if group.number > number]
        return self._event({} if not before else marks, taken, anew=not before)

    def _without(self, globs: Sequence[str]) -> BookmarkMoved:
        """Without the items that fit; where rows are added, what was read with them goes, too."""
        names = [name for name in self._numbers if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]
        if not names:
            raise UsageError(
                f"nothing that {self._now.stage} has read fits {' '.join(globs)}",
                hint=f"see: stagebook bookmark show {self._now.pipeline} {self._now.stage}",
            )
        numbers = {self._numbers[name] for name in names} if self._adds else set()
        names = [name for name, number in self._numbers.items() if name in names or number in numbers]
        taken = [group for group in self._groups if group.number in numbers]
        return self._event(dict.fromkeys(names), taken)

    def _to_value(self, text: str) -> BookmarkMoved:
        """At another value of its column."""
        known = {item.name: item.mark for item in self._now.items}
        if len(known) != 1 or self._now.of not in known:
            raise UsageError(
                f"the bookmark of {self._now.stage} is of files", hint="name them: --item 'incoming:2013-*'"
            )
        if self._adds:
            message = (
                f"{', '.join(self._now.places)} is appended to: rows that are read again would be there twice"
            )
            raise UsageError(message, hint="go back to a run, whose rows are known: --to RUN")
        return self._event({self._now.of: _like(known[self._now.of], text)}, [])

    def _event(
        self, marks: Mapping[str, Any], taken: Sequence[_Group], *, anew: bool = False
    ) -> BookmarkMoved:
        attempts = [attempt for group in taken for attempt in group.attempts] if self._adds else []
        again = dict.fromkeys([*self._pending, *self._that_added(attempts)])
        return BookmarkMoved(
            run="",
            at=0.0,
            stage=self._now.stage,
            places=list(self._now.places),
            bookmark={"marks": dict(marks), "anew": anew},
            again=list(again),
        )

    @property
    def _adds(self) -> bool:
        """Whether rows that are read again would be there twice."""
        return any(output.delta is not None and output.delta.mode == "append" for output in self._outputs)

    def _that_added(self, attempts: Sequence[str]) -> Iterator[str]:
        """Those of the attempts that added rows. Raises `UsageError` where nobody can tell any more."""
        tables = [self._root / place for place in self._now.places if delta_log.is_table(self._root / place)]
        noted = {
            f"{note.get('run')}/{note.get('stage')}/{note.get('attempt')}"
            for table in tables
            for _, note in delta_log.notes(table)
        }
        for attempt in attempts:
            if attempt in noted:
                yield attempt
            elif any(min(delta_log.versions(table), default=0) > 0 for table in tables):
                message = f"nobody can tell any more which rows the attempt {attempt} added: the log of the table was cut"
                hint = f"begin anew: move {', '.join(self._now.places)} away, and run the stage: it reads everything"
                raise UsageError(message, hint=hint)


def _groups(events: Iterator[tuple[int, AttemptEnded | BookmarkMoved]]) -> Iterator[_Group]:
    group: _Group | None = None
    for number, event in events:
        if isinstance(event, AttemptEnded):
            marker = f"{event.run}/{event.stage}/{event.attempt}"
            if event.bookmark is None:  # audited again, and published in the place of what it was
                if group is not None:
                    group = dataclasses.replace(group, attempts=(*group.attempts, marker))
                continue
            attempts: tuple[str, ...] = (marker,)
        else:
            attempts = ()
        if group is not None:
            yield group
        group = _Group(number=number, run=event.run, attempts=attempts, bookmark=event.bookmark or {})
    if group is not None:
        yield group


def _moved(marks: Mapping[str, Any], bookmark: Mapping[str, Any]) -> dict[str, Any]:
    found = {**({} if bookmark.get("anew") else marks), **bookmark.get("marks", {})}
    return {name: mark for name, mark in found.items() if mark is not None}


def _place(event: AttemptEnded | BookmarkMoved) -> str:
    if isinstance(event, BookmarkMoved):
        return place_of(event.places)
    return place_of(item.path for item in event.outputs.values())


def _like(before: Any, text: str) -> Any:
    """A value that a person typed, of the kind that it was before. Raises `UsageError`."""
    if isinstance(before, str):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"'{text}' is no number, and the bookmark is {before!r}")
    return value
