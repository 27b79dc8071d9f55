"""What is known of the schedules of a project, and what a person does about them: pause, resume, trigger."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from stagebook.errors import UsageError, did_you_mean
from stagebook.events import Status
from stagebook.journal.journal import Journal
from stagebook.journal.run_table import RunRecord
from stagebook.journal.tick_table import LoggedAction, ScheduleState, Tick
from stagebook.runs.intervals import latest_of
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.settling import is_paused, new_run_id, rule_of
from stagebook.timing.due import interval_of
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at as moment_at

_LOG = 100  # lines of what people did about a schedule, in which the last pause is looked for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule, and what is known of it. Times are seconds since the epoch; `due` is when it fires next, `None` where nobody can
    say; `last` is its latest tick and `run` the run of that; `said` what somebody did about it at last, and `turned` who paused or
    resumed it at last."""

    one: Scheduled
    state: ScheduleState | None
    due: float | None
    last: Tick | None
    run: RunRecord | None
    said: LoggedAction | None
    turned: LoggedAction | None = None

    @property
    def paused(self) -> bool:
        """Whether it does not fire at present."""
        return is_paused(self.one, self.state)

    @property
    def outcome(self) -> str:
        """What became of the latest tick, in a word."""
        if self.last is None:
            return ""
        if self.last.state == "skipped":
            return "skipped"
        return str(self.run.status) if self.run is not None else "waits"

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        last, schedule = self.last, self.one.schedule
        return {
            "pipeline": self.one.pipeline,
            "schedule": schedule.name,
            "environment": self.one.environment,
            "fires": str(schedule),
            "catch_up": schedule.catch_up,
            "interval": schedule.interval,
            "params": dict(schedule.params),
            "place": schedule.place,
            "paused": self.paused,
            "next": self.due,
            "last": last
            and {
                "due": last.due,
                "state": last.state,
                "kind": last.kind,
                "run": last.run,
                "outcome": self.outcome,
                "interval": last.interval and last.interval.to_json(),
                "reason": last.reason,
            },
            "said": self.said
            and {name: getattr(self.said, name) for name in ("action", "by", "at", "because")},
        }


def views_of(places: Sequence[Place], now: float) -> Iterator[ScheduleView]:
    """All schedules of all places, as their journals know them. Raises `JournalUnreadable`."""
    for place in places:
        with _journal(place) as journal:
            states = journal.ticks.states() if journal is not None else {}
            for one in place.scheduled:
                state = states.get(one.key)
                last = next(iter(journal.ticks.of(one.key, 1)), None) if journal is not None else None
                found = last is not None and journal is not None and last.run
                log = journal.ticks.log(one.key, _LOG) if journal is not None else []
                yield ScheduleView(
                    one=one,
                    state=state,
                    due=_next(one, state, now),
                    last=last,
                    run=journal.runs.find(found) if journal is not None and found else None,
                    said=next(iter(log), None),
                    turned=next((it for it in log if it.action in {"pause", "resume"}), None),
                )


def _next(one: Scheduled, state: ScheduleState | None, now: float) -> float | None:
    if one.schedule.times is None or is_paused(one, state):
        return None
    same = state is not None and state.rule == rule_of(one)
    found = one.schedule.times.after(moment_at(state.handled if state is not None and same else now))
    return None if found is None else found.timestamp()


def firings(one: Scheduled, now: float, count: int) -> Iterator[tuple[float, Interval]]:
    """The next firings of a schedule after a time, with what they will be about; none of one that waits for news."""
    times, moment = one.schedule.times, moment_at(now)
    for _ in range(count if times is not None else 0):
        assert times is not None
        found = times.after(moment)
        if found is None:
            return
        yield found.timestamp(), interval_of(times, found, one.schedule.interval)
        moment = found


def upcoming(
    views: Sequence[ScheduleView], now: float, count: int
) -> list[tuple[float, Scheduled, Interval]]:
    """The next firings of all schedules that are not paused, in order."""
    found = [
        (at, view.one, interval)
        for view in views
        if not view.paused
        for at, interval in firings(view.one, now, count)
    ]
    return sorted(found, key=lambda it: (it[0], str(it[1])))[:count]


def find(places: Sequence[Place], name: str, environment: str = "") -> tuple[Place, Scheduled]:
    """A schedule by `pipeline/name`, or by its name alone where it is the only one; in an environment, or in any.

    Raises:
        UsageError: there is none, or several.
    """
    known = [(place, one) for place in places for one in place.scheduled]
    found = [
        (place, one)
        for place, one in known
        if name in {str(one.key), one.schedule.name} and environment in {"", place.environment}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(str(one) for _, one in found))
        hint = f"write PIPELINE/NAME, and --env for the environment; there are: {names}"
        raise UsageError(f"several schedules are called '{name}'", hint=hint)
    waiting = [it for place in places for it in itertools.chain(*place.problems.values())]
    hint = did_you_mean(name, [str(one.key) for _, one in known])
    raise UsageError(
        f"there is no schedule '{name}'",
        hint=hint
        or (f"{waiting[0].path} has mistakes: stagebook check" if waiting else "see docs/schedules.md"),
    )


def set_paused(place: Place, one: Scheduled, now: float, by: str, because: str, *, paused: bool) -> bool:
    """Pause a schedule or resume it. Firings of a pause are handled by its policy, as those of any downtime. Whether anything was
    written: not where it is so already and nothing is said of why, so that whoever did it before stays known."""
    with contextlib.closing(Journal(place.journal)) as journal:
        state = journal.ticks.states().get(one.key)
        if is_paused(one, state) is paused and not because:
            return False
        if state is None:  # no scheduler has seen it yet: it does when it runs, and then it begins
            state = ScheduleState(key=one.key, rule="", handled=now)
        journal.ticks.pause(state, now, by, because, paused=paused)
        return True


def trigger(place: Place, one: Scheduled, now: float, by: str, because: str) -> Tick:
    """Claim a firing now, about the latest complete interval. A scheduler starts its run.

    Raises:
        UsageError: an earlier firing of the schedule goes on, or waits.
    """
    with contextlib.closing(Journal(place.journal)) as journal:
        open_ = next((tick for tick in journal.ticks.open() if tick.key == one.key), None)
        record = journal.runs.find(open_.run) if open_ is not None else None
        if open_ is not None and (record is None or record.status is Status.RUNNING):
            raise UsageError(f"{one} runs, or is about to: {open_.run}", hint="wait for its end")
        interval = latest_of(one.schedule, moment_at(now))
        tick = Tick(
            key=one.key, due=now, kind="manual", at=now, interval=interval, reason=f"triggered by {by}"
        )
        return journal.ticks.trigger(tick, by, because, choose=lambda: new_run_id(now))


@contextlib.contextmanager
def _journal(place: Place) -> Iterator[Journal | None]:
    """The journal of a place; `None` where nothing was recorded yet."""
    if not place.journal.is_file():
        yield None
        return
    with contextlib.closing(Journal(place.journal)) as journal:
        yield journal
