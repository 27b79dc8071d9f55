"""Noting what is seen of schedules: an event in the journal of their environment, where it is not what was seen before, so that
incidents and alerts come of it as of the events of runs.

    look ──► what is not as it is expected, what is paused ──► as before? nothing is written
                                                           └─► `ScheduleChecked` ──► incidents ──► a process sends alerts

Who is killed after the event was written loses nothing: the next look sees that no alert was made of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.alerting.delivery import is_due
from stagebook.errors import UsageError
from stagebook.events import ScheduleChecked
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import ScheduleKey
from stagebook.project import Project
from stagebook.runs.environments import tree_of
from stagebook.runs.telling import tell_people
from stagebook.scheduling.expecting import Missed, missed_in
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.settling import is_paused
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.workspace.environments import DEV
from stagebook.workspace.settings import Settings, read_settings

INVALID = "invalid"  # the kind of what is noted of a schedule that waits for what has mistakes
_AGAIN = (
    60.0  # seconds between two processes that send alerts of one environment, unless something new was noted
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """How an environment is set up: its settings, and where its runs run; `None` where nothing was laid out yet."""

    settings: Settings
    root: Path | None


@dataclasses.dataclass(slots=True)
class _Seen:
    """What was noted of an environment, up to the event with the number `until`. `last`: the latest event of each schedule;
    `number`: of the latest one of all."""

    until: int = 0
    number: int = 0
    last: dict[ScheduleKey, ScheduleChecked] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """A process that sends alerts: of events up to a `number`, begun at a time of the clock that only grows."""

    process: subprocess.Popen[bytes]
    number: int
    begun: float


class Noting:
    """Looks at the schedules of one project, and has people told.

    Args:
        root: the project.
        clock: seconds since the epoch.
        steady: seconds of a clock that only grows.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._clock = clock
        self._steady = steady
        self._setups: dict[str, tuple[Place, object, _Setup]] = {}
        self._seen: dict[Path, _Seen] = {}
        self._sending: dict[str, _Sending] = {}

    def look(self, place: Place) -> list[Missed]:
        """What is not as it is expected in a place. Where incidents are opened it is noted, and whoever is to be told is told,
        in a process that goes on by itself; what waits to be sent is sent, too.

        Raises:
            JournalUnreadable: the journal is damaged.
            PipelineInvalid: there are mistakes in the settings.
        """
        if not place.journal.is_file():
            return []  # nothing ran there yet, and nobody paused anything
        setup, now = self._setup(place), self._clock()
        found = list(missed_in(place, setup.settings.monitors, now))
        if setup.settings.opens_incidents(place.environment):
            with contextlib.closing(Journal(place.journal)) as journal:
                if journal.is_writable:
                    self._note(journal, place, setup, found)
        return found

    def _setup(self, place: Place) -> _Setup:
        """Read again only where something changed."""
        known = self._setups.get(place.environment)
        if known is not None and known[0] is place and known[1] == _stamp(known[2].root):
            return known[2]
        home = Project(self._root)
        root: Path | None = self._root
        if place.environment != DEV:
            root = None
            with contextlib.suppress(
                UsageError
            ):  # nothing was deployed, or it is damaged: its own commands tell
                root = tree_of(home.environments, home.environments.find(place.environment))
        stamp = _stamp(root)
        made = _Setup(settings=home.settings if root is None else read_settings(root), root=root)
        self._setups[place.environment] = (place, stamp, made)
        return made

    def _note(self, journal: Journal, place: Place, setup: _Setup, found: Sequence[Missed]) -> None:
        tells = any(rule.tells_of(place.environment) for rule in setup.settings.notify.values())
        if tells:
            journal.alerts.begin()  # of what is noted now, too
        seen = self._seen.setdefault(place.journal, _Seen())
        _read_on(journal, seen)
        if new := list(changes(place, journal, found, seen.last, self._clock())):
            journal.append(new)
            _read_on(journal, seen)
        if tells and setup.root is not None:
            self._send(journal, place.environment, setup.root, setup.settings, seen.number)

    def _send(self, journal: Journal, environment: str, root: Path, settings: Settings, number: int) -> None:
        """Start the process that sends, if there is something to send and none is at it."""
        before, now = self._sending.get(environment), self._steady()
        if before is not None and before.process.poll() is None:
            return
        if before is not None and before.number == number and now - before.begun < _AGAIN:
            return
        is_told = number <= (journal.alerts.position or 0)
        if is_told and not is_due(journal.alerts.waiting(), settings.notify, self._clock()):
            return
        if (process := tell_people(root, settings, environment)) is not None:
            self._sending[environment] = _Sending(process=process, number=number, begun=now)


def changes(
    place: Place,
    journal: Journal,
    found: Sequence[Missed],
    last: Mapping[ScheduleKey, ScheduleChecked],
    now: float,
) -> Iterator[ScheduleChecked]:
    """The events of what is not as it was when it was `last` noted. Nothing is said of a schedule that nobody has seen yet, or that
    its file declares to be paused."""
    states = journal.ticks.states()
    for one in place.scheduled:
        state = states.get(one.key)
        by_person = state is not None and state.paused is True
        if state is None or (is_paused(one, state) and not by_person):
            continue
        event = _event(one, found, now, paused=by_person)
        before = last.get(one.key)
        if _what(before) != _what(event):
            yield _with_person(event, journal, one.key) if by_person or (before and before.paused) else event
    here = {one.key for one in place.scheduled}
    waiting = (key for key, state in states.items() if state.rule and state.paused is not True)
    for key in waiting:
        if key not in here and place.waits(key.pipeline):
            yield from _waits(key, place, last.get(key), now)
    for key, before in last.items():
        is_gone = key not in here and not place.waits(key.pipeline)
        if is_gone and (before.missed or before.paused):
            yield ScheduleChecked(run="", at=now, pipeline=key.pipeline, schedule=key.schedule, gone=True)


def _waits(
    key: ScheduleKey, place: Place, before: ScheduleChecked | None, now: float
) -> Iterator[ScheduleChecked]:
    """That a schedule waits for what has mistakes, unless that was noted. Of what else was missed nobody can say now whether it is
    well."""
    known = [dict(one) for one in before.missed] if before is not None else []
    since = next((float(one["since"]) for one in known if one["kind"] == INVALID), now)
    problem = next(iter((*place.problems.get(key.pipeline, ()), *place.problems.get("", ()))), None)
    if problem is None:
        return
    found = {
        "kind": INVALID,
        "message": f"{problem.place}: {problem.message}",
        "since": since,
        "run": "",
        "due": 0.0,
    }
    missed = [*(one for one in known if one["kind"] != INVALID), found]
    if missed != known:
        yield ScheduleChecked(run="", at=now, pipeline=key.pipeline, schedule=key.schedule, missed=missed)


def _event(one: Scheduled, found: Sequence[Missed], now: float, *, paused: bool) -> ScheduleChecked:
    missed = [it.told() for it in found if it.one.key == one.key]
    name = one.schedule.name
    return ScheduleChecked(run="", at=now, pipeline=one.pipeline, schedule=name, missed=missed, paused=paused)


def _with_person(event: ScheduleChecked, journal: Journal, key: ScheduleKey) -> ScheduleChecked:
    """An event with who paused the schedule, or resumed it."""
    action = "pause" if event.paused else "resume"
    said = next((it for it in journal.ticks.log(key) if it.action == action), None)
    return event if said is None else dataclasses.replace(event, by=said.by, because=said.because)


def _what(event: ScheduleChecked | None) -> tuple[object, ...]:
    """What an event says that is worth another one."""
    return ([], False) if event is None else ([dict(one) for one in event.missed], event.paused)


def _read_on(journal: Journal, seen: _Seen) -> None:
    """Read what was noted since, by whomever. Where an event is damaged the same may be noted once more, which changes no
    incident."""
    for number, event in journal.events.of("", after=seen.until, lenient=True):
        seen.until = number
        if isinstance(event, ScheduleChecked):
            seen.number = number
            seen.last[ScheduleKey(pipeline=event.pipeline, schedule=event.schedule)] = event


def _stamp(root: Path | None) -> object:
    """What tells whether the settings at a place are as they were."""
    if root is None:
        return object()  # nobody knows where they are yet: it is looked at again
    found = []
    for name in (SETTINGS, "pyproject.toml"):
        with contextlib.suppress(OSError):
            stat = (root / name).stat()
            found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return found
