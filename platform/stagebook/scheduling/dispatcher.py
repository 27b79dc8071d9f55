"""What a scheduler does at each look: notes what is due, starts what is to be started, once, and says when to look again.

    due ──► claimed, with the id of the run to come, in one transaction of the journal ──► a process is started
                                                         │                                  │
         killed here: the next scheduler finds the claim, ◄── and no run of that id, and no process: it starts it
                                                                                            ▼
                              the run begins: its id is in the journal, and cannot begin again ──► ends ──► done

A schedule has one claimed tick at a time. What comes due meanwhile is missed, and its policy says what becomes of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stagebook.errors import JournalUnreadable
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import Tick
from stagebook.pipeline.types import Value
from stagebook.runs.lease import liveness_of
from stagebook.runs.request import RunRequest
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.settling import Mark, Settling
from stagebook.scheduling.starting import Start, Starter
from stagebook.scheduling.telling import Say, Telling
from stagebook.timing.due import ON_TIME
from stagebook.timing.zones import at as moment_at
from stagebook.workspace.environments import DEV

LOOK = 2.0  # seconds until the next look, at the most: so a clock that jumps is seen
_AGAIN = (5.0, 30.0, 120.0, 600.0)  # seconds after which a run that could not begin is tried again


@dataclasses.dataclass(slots=True)
class _Waiting:
    """A tick whose run could not begin."""

    tries: int
    again: float  # seconds of the clock that only grows
    why: str


class Dispatcher:
    """Looks at the schedules of one project.

    Args:
        starter: starts runs.
        clock: seconds since the epoch, as the machine has it.
        steady: seconds of a clock that only grows.
        mark: what is there of what a schedule waits for.
        jobs: how many stages at a time, in all runs together.
        say: takes what a person should know, a line each.
        opened: opens the journal at a path.
    """

    def __init__(  # noqa: PLR0913 - all that touches the machine is passed in
        self,
        starter: Starter,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float],
        mark: Mark,
        jobs: int,
        say: Say = lambda _line: None,
        opened: Callable[[Path], Journal] = Journal,
    ) -> None:
        self._starter = starter
        self._clock = clock
        self._steady = steady
        self._jobs = jobs
        self._opened = opened
        self._telling = Telling(say)
        self._settling = Settling(clock, mark, self._telling)
        self._journals: dict[Path, Journal] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._shares: dict[str, int] = {}  # the jobs of runs that go on

    def close(self) -> None:
        """Close the journals."""
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

    @property
    def going_on(self) -> int:
        """How many runs go on."""
        return len(self._shares)

    def look(self, places: Sequence[Place], *, settles: bool = True) -> float:
        """Do what there is to do now; how many seconds it has until the next look. Unless it `settles`, only what is claimed
        already is looked after."""
        wanted: list[tuple[Tick, Place]] = []
        soonest = LOOK
        going: set[str] = set()
        for place in places:
            self._telling.problems(place)
            journal = self._journal_of(place)
            if journal is None:
                continue
            try:
                if settles:
                    soonest = min(soonest, self._settling.settle(place, journal, LOOK))
                open_ = journal.ticks.open()
                wanted += [(it, place) for it in open_ if self._is_to_start(place, journal, it, going)]
            except JournalUnreadable as error:
                self._telling.once((place.environment, ""), f"! {place.environment}: {error.message}")
        for run in self._shares.keys() - going:
            del self._shares[run]
        for tick, place in sorted(wanted, key=lambda it: (it[0].due, str(it[0].key))):
            self._start(tick, place)
        return max(0.0, soonest)

    def _journal_of(self, place: Place) -> Journal | None:
        """The journal of a place; `None` where nothing is scheduled in it and it has none."""
        if place.journal not in self._journals:
            if not place.scheduled and not place.journal.is_file():
                return None
            try:
                self._journals[place.journal] = self._opened(place.journal)
            except JournalUnreadable as error:
                self._telling.once((place.environment, ""), f"! {place.environment}: {error.message}")
                return None
        return self._journals[place.journal]

    # -- what is to be started ------------------------------------------------------------------

    def _is_to_start(self, place: Place, journal: Journal, tick: Tick, going: set[str]) -> bool:
        """Whether a claimed tick has no run and no process; one whose run is over is done. `going` takes the others."""
        record = journal.runs.find(tick.run)
        if record is not None:
            if record.ended is None and not self._starter.is_alive(tick.run):
                journal.close_abandoned(liveness_of, self._clock())
                record = journal.runs.find(tick.run)
            if record is None or record.ended is None:
                going.add(tick.run)
                return False
            self._done(journal, tick)
            where = "" if place.environment == DEV else f" in {place.environment}"
            self._telling.say(f"{tick.key}{where}: run {tick.run} {record.status}")
            return False
        if (ended := self._starter.ended(tick.run)) is not None:
            self._could_not_begin(place, tick, f"{ended.text or f'its process ended with {ended.code}'}")
        elif self._starter.is_alive(tick.run):
            going.add(tick.run)
            return False
        waiting = self._waiting.get(tick.run)
        if waiting is not None and self._is_outdated(place, tick):
            journal.ticks.give_up(tick, f"could not begin: {waiting.why[:300]}")
            self._drop(tick)
            return False
        return waiting is None or self._steady() >= waiting.again

    def _done(self, journal: Journal, tick: Tick) -> None:
        journal.ticks.finish(tick)
        self._drop(tick)

    def _drop(self, tick: Tick) -> None:
        self._waiting.pop(tick.run, None)
        self._shares.pop(tick.run, None)
        self._starter.forget(tick.run)

    def _could_not_begin(self, place: Place, tick: Tick, why: str) -> None:
        before = self._waiting.get(tick.run)
        tries = before.tries + 1 if before is not None else 1
        wait = _AGAIN[min(tries, len(_AGAIN)) - 1]
        self._waiting[tick.run] = _Waiting(tries=tries, again=self._steady() + wait, why=why)
        self._starter.forget(tick.run)
        self._telling.once(
            (place.environment, str(tick.key)), f"! {tick.key} could not begin, and waits:\n{why}"
        )

    def _is_outdated(self, place: Place, tick: Tick) -> bool:
        """Whether by its policy another firing takes the place of one that could not begin."""
        one = next((it for it in place.scheduled if it.key == tick.key), None)
        if one is None:  # the schedule is gone, and nobody asks for its run any more
            return not place.waits(tick.key.pipeline)
        if tick.kind != "time" or one.schedule.times is None:
            return False
        now = moment_at(self._clock())
        if one.schedule.catch_up == "skip":
            return (now - moment_at(tick.due)) > ON_TIME
        later = one.schedule.times.after(moment_at(tick.due))
        return one.schedule.catch_up == "latest" and later is not None and later <= now

    def _start(self, tick: Tick, place: Place) -> None:
        free = self._jobs - sum(self._shares.values())
        if free < 1 or place.waits(tick.key.pipeline):
            return
        one = next((it for it in place.scheduled if it.key == tick.key), None)
        share = max(1, free // 2) if self._jobs > 1 else 1
        start = Start(run=tick.run, environment=place.environment, request=request_of(tick, one, share))
        try:
            self._starter.start(start)
        except OSError as error:
            self._could_not_begin(place, tick, str(error))
            return
        self._shares[tick.run] = share


def request_of(tick: Tick, one: Scheduled | None, jobs: int) -> RunRequest:
    """The run of a tick. It waits while another run of the pipeline goes on. `one`: `None` where the schedule is gone."""
    params: Mapping[str, Value] = one.schedule.params if one is not None else {}
    return RunRequest(
        pipeline=one.file if one is not None else tick.key.pipeline,
        values=params,
        jobs=jobs,
        wait=True,
        interval=str(tick.interval) if tick.interval is not None else "",
        schedule=tick.key.schedule,
        run_id=tick.run,
    )
