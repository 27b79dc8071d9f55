"""What is due in one place: noted in its journal, in one transaction with the claim."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from stagebook.errors import StagebookError
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import ScheduleKey, ScheduleState, Tick
from stagebook.runs.intervals import latest_of
from stagebook.scheduling.news import is_news, together
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.telling import Telling
from stagebook.timing.due import next_due
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at as moment_at

Mark = Callable[[Scheduled, Journal], str]


class Settling:
    """Notes what is due.

    Args:
        clock: seconds since the epoch, as the machine has it.
        mark: what is there of what a schedule waits for.
        telling: takes what a person should know.
    """

    def __init__(self, clock: Callable[[], float], mark: Mark, telling: Telling) -> None:
        self._clock = clock
        self._mark = mark
        self._telling = telling
        self._next: dict[tuple[str, ScheduleKey], tuple[float, object, float]] = {}

    def settle(self, place: Place, journal: Journal, most: float) -> float:
        """Note what is due; how many seconds it is until something else will be, `most` at the most."""
        now, table = self._clock(), journal.ticks
        states = table.states()
        here = {one.key for one in place.scheduled}
        for key, state in states.items():
            if state.rule and key not in here and not place.waits(key.pipeline):
                table.lose(key)
        busy = {tick.key for tick in table.open()}
        soonest = most
        for one in place.scheduled:
            seen = self._seen(one, states.get(one.key), journal, now)
            if seen is None or one.key in busy or is_paused(one, seen):
                continue
            if one.schedule.times is None:
                self._settle_news(one, seen, journal, now)
            elif (left := self._until_next(one, seen)) > now:
                soonest = min(soonest, left - now)
            else:
                self._settle_times(one, seen, journal, now)
        return soonest

    def _seen(
        self, one: Scheduled, state: ScheduleState | None, journal: Journal, now: float
    ) -> ScheduleState | None:
        rule = rule_of(one)
        if state is not None and state.rule == rule:
            return state
        mark = ""
        if one.schedule.times is None:
            mark = self._look_for(one, journal)
            if not mark:
                return None  # nobody could look: it begins when somebody can
        return journal.ticks.see(one.key, rule, now, mark)

    def _until_next(self, one: Scheduled, state: ScheduleState) -> float:
        """When it fires next, in seconds since the epoch."""
        times, name = one.schedule.times, (one.environment, one.key)
        assert times is not None
        known = self._next.get(name)
        if known is None or known[:2] != (state.handled, times):
            found = times.after(moment_at(state.handled))
            due = float("inf") if found is None else found.timestamp()
            self._next[name] = known = (state.handled, times, due)
        return known[2]

    def _settle_times(self, one: Scheduled, state: ScheduleState, journal: Journal, now: float) -> None:
        schedule = one.schedule
        assert schedule.times is not None
        due = next_due(
            schedule.times, moment_at(state.handled), moment_at(now), schedule.catch_up, schedule.interval
        )
        if due is None:
            return
        ticks = []
        if due.skipped is not None:
            first, last = (it.timestamp() for it in due.skipped)
            reason = f"missed, and catch_up is {schedule.catch_up}"
            ticks.append(Tick(key=one.key, due=first, until=last, state="skipped", at=now, reason=reason))
        if due.firing is not None:
            firing = due.firing
            ticks.append(Tick(key=one.key, due=firing.due.timestamp(), at=now, interval=firing.interval))
        made = journal.ticks.settle(
            state, due.handled.timestamp(), ticks, choose=lambda: new_run_id(self._clock())
        )
        self._telling.ticks(one, made or [])

    def _settle_news(self, one: Scheduled, state: ScheduleState, journal: Journal, now: float) -> None:
        mark = self._look_for(one, journal)
        if not is_news(state.mark, mark):
            return
        due = max(float(int(now)), state.handled + 1.0)
        interval = latest_of(one.schedule, moment_at(now)) or Interval(
            start=moment_at(state.handled), end=moment_at(due), zone=one.schedule.zone
        )
        tick = Tick(key=one.key, due=due, kind="news", at=now, interval=interval)
        made = journal.ticks.settle(
            state, due, [tick], mark=together(state.mark, mark), choose=lambda: new_run_id(self._clock())
        )
        self._telling.ticks(one, made or [])

    def _look_for(self, one: Scheduled, journal: Journal) -> str:
        try:
            found = self._mark(one, journal)
        except StagebookError as error:
            self._telling.once((one.environment, str(one.key)), f"! {one}: {error.message}")
            return ""
        return found


def new_run_id(at: float) -> str:
    """An id for a run that is claimed at a time, longer than that of other runs: many are chosen for the same second."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{secrets.token_hex(4)}"


def rule_of(one: Scheduled) -> str:
    """What a schedule says of when it fires: with another rule it begins anew."""
    return str(one.schedule)


def is_paused(one: Scheduled, state: ScheduleState | None) -> bool:
    """Whether a schedule is paused: as somebody said, or else as it is declared."""
    said = state.paused if state is not None else None
    return one.schedule.paused if said is None else said
