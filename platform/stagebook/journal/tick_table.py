"""Schedules and what came of them: up to when each is handled, and its ticks. Tables of the journal, made when they are first
written to, so that a journal without schedules is as it was and an older version reads one that has some.

A tick is one firing. It is claimed, with the id of the run that is to come, in the transaction that notes it as handled: from
then on it cannot be claimed again, and the run with that id begins once, whoever starts it. So a scheduler that is killed at any
moment neither fires twice nor forgets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from stagebook.journal.database import Database, has_table, sum_of
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at as moment_at

TickState = Literal["claimed", "done", "skipped"]
TickKind = Literal["time", "news", "manual"]

_STATE = "pipeline, schedule, rule, handled, mark, paused"
_TICK = "pipeline, schedule, due, kind, until, state, run, start, end, zone, at, reason"
ROWS = (f"SELECT {_STATE}, sum FROM schedules", f"SELECT {_TICK}, sum FROM ticks")  # noqa: S608 - no text of others
_TABLES = (
    """CREATE TABLE IF NOT EXISTS schedules (
    pipeline TEXT NOT NULL, schedule TEXT NOT NULL, rule TEXT NOT NULL, handled REAL NOT NULL, mark TEXT NOT NULL,
    paused INTEGER, sum INTEGER NOT NULL, PRIMARY KEY (pipeline, schedule)
)""",
    """CREATE TABLE IF NOT EXISTS ticks (
    pipeline TEXT NOT NULL, schedule TEXT NOT NULL, due REAL NOT NULL, kind TEXT NOT NULL, until REAL NOT NULL,
    state TEXT NOT NULL, run TEXT NOT NULL, start REAL, end REAL, zone TEXT NOT NULL, at REAL NOT NULL,
    reason TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (pipeline, schedule, due, kind)
)""",
    "CREATE INDEX IF NOT EXISTS ticks_that_are_open ON ticks (run) WHERE state = 'claimed'",
    """CREATE TABLE IF NOT EXISTS schedule_log (
    pipeline TEXT NOT NULL, schedule TEXT NOT NULL, at REAL NOT NULL, action TEXT NOT NULL, by TEXT NOT NULL,
    because TEXT NOT NULL
)""",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleKey:
    """A schedule by its pipeline and name; its journal is that of one environment."""

    pipeline: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.pipeline}/{self.schedule}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """What is known of a schedule. `rule`: what it said when it was last seen, empty once it is gone; `handled`: up to which
    moment its firings are, in seconds since the epoch; `mark`: of what it waits for, what is no news; `paused`: whether somebody
    paused it, `None` where nobody said anything."""

    key: ScheduleKey
    rule: str
    handled: float
    mark: str = ""
    paused: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One firing, due at a time (seconds since the epoch), or with the state `skipped` all from `due` to `until`. `at`: when it was
    claimed; `interval`: what it is about; `reason`: why it is skipped, or who triggered it."""

    key: ScheduleKey
    due: float
    kind: TickKind = "time"
    until: float = 0.0
    state: TickState = "claimed"
    run: str = ""
    interval: Interval | None = None
    at: float = 0.0
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAction:
    """What a person did about a schedule: `pause`, `resume` or `trigger`."""

    key: ScheduleKey
    at: float
    action: str
    by: str
    because: str


class _Rows:
    """The rows of the tables, read and written within transactions of others."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._is_made = False

    def add(self, tick: Tick, choose: Callable[[], str]) -> Tick:
        """Write a tick; one that is claimed gets an id for its run that no other run or tick has."""
        self.make()
        if tick.state == "claimed":
            run = choose()
            while self._db.read(
                "SELECT 1 FROM runs WHERE id = ?1 UNION SELECT 1 FROM ticks WHERE run = ?1", (run,)
            ):
                run = choose()
            tick = dataclasses.replace(tick, run=run)
        row = _row(tick)
        marks = ", ".join("?" * (len(row) + 1))
        self._db.do(f"INSERT INTO ticks VALUES ({marks})", (*row, sum_of(*row)))  # noqa: S608
        return tick

    def change(self, tick: Tick, state: TickState, reason: str) -> None:
        """Write what became of a claimed tick."""
        row = _row(dataclasses.replace(tick, state=state, reason=reason))
        with self._db.write():
            self._db.do(
                "UPDATE ticks SET state = ?, reason = ?, sum = ? WHERE run = ? AND state = 'claimed'",
                (state, reason, sum_of(*row), tick.run),
            )

    def put(self, one: ScheduleState) -> None:
        """Write the state of a schedule."""
        self.make()
        paused = None if one.paused is None else int(one.paused)
        row = (one.key.pipeline, one.key.schedule, one.rule, one.handled, one.mark, paused)
        self._db.do("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, sum_of(*row)))

    def note(self, key: ScheduleKey, at: float, action: str, by: str, because: str) -> None:
        """Write what a person did."""
        self.make()
        row = (key.pipeline, key.schedule, at, action, by, because)
        self._db.do("INSERT INTO schedule_log VALUES (?, ?, ?, ?, ?, ?)", row)

    def make(self) -> None:
        """Make the tables, if they are not there."""
        if not self._is_made:
            for statement in _TABLES:
                self._db.do(statement)

    def read(self, table: str, columns: str, where: str, values: Sequence[Any]) -> list[Any]:
        """Rows of a table, with their sums. Raises `JournalUnreadable` for one that is not as it was written."""
        if not self._is_made and not has_table(self._db, table):
            return []
        self._is_made = True
        rows = self._db.read(f"SELECT {columns}, sum FROM {table} {where}", values)  # noqa: S608
        for row in rows:
            if row[-1] != sum_of(*row[:-1]):
                raise self._db.damaged(f"the schedule {row[0]}/{row[1]}")
        return rows

    def ticks(self, where: str, values: Sequence[Any]) -> list[Tick]:
        """Ticks."""
        return [_tick(row) for row in self.read("ticks", _TICK, where, values)]


class TickTable:
    """The schedules of one environment, and their ticks."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._rows = _Rows(database)

    # -- reading --------------------------------------------------------------------------------

    def states(self) -> dict[ScheduleKey, ScheduleState]:
        """All schedules that were ever seen. Raises `JournalUnreadable`."""
        return {one.key: one for one in map(_state, self._rows.read("schedules", _STATE, "", ()))}

    def open(self) -> list[Tick]:
        """The ticks that are claimed and not done, in the order in which they were due. Raises `JournalUnreadable`."""
        return self._rows.ticks("WHERE state = 'claimed' ORDER BY due, pipeline, schedule", ())

    def of(self, key: ScheduleKey, limit: int = 20) -> list[Tick]:
        """The latest ticks of a schedule, the latest first. Raises `JournalUnreadable`."""
        where = "WHERE pipeline = ? AND schedule = ? ORDER BY at DESC, due DESC LIMIT ?"
        return self._rows.ticks(where, (key.pipeline, key.schedule, limit))

    def log(self, key: ScheduleKey, limit: int = 20) -> list[LoggedAction]:
        """What people did about a schedule, the latest first."""
        if not has_table(self._db, "schedule_log"):
            return []
        rows = self._db.read(
            "SELECT at, action, by, because FROM schedule_log WHERE pipeline = ? AND schedule = ?"
            " ORDER BY rowid DESC LIMIT ?",
            (key.pipeline, key.schedule, limit),
        )
        return [LoggedAction(key=key, at=row[0], action=row[1], by=row[2], because=row[3]) for row in rows]

    def count(self) -> dict[str, tuple[int, int]]:
        """How many rows there are, and how many are not as they were written, by table; without those that are not made."""
        found = {}
        for table, columns in (("schedules", _STATE), ("ticks", _TICK)):
            if has_table(self._db, table):
                rows = self._db.read(f"SELECT {columns}, sum FROM {table}")  # noqa: S608
                found[table] = (len(rows), sum(row[-1] != sum_of(*row[:-1]) for row in rows))
        return found

    # -- writing --------------------------------------------------------------------------------

    def see(self, key: ScheduleKey, rule: str, now: float, mark: str = "") -> ScheduleState:
        """The state of a schedule that says this. One that is new, or says something else than before, begins now: nothing that
        came before is due, and `mark` is no news."""
        with self._db.write():
            known = self.states().get(key)
            if known is not None and known.rule == rule:
                return known
            handled = now if known is None else max(now, known.handled)
            paused = known.paused if known is not None else None
            made = ScheduleState(key=key, rule=rule, handled=handled, mark=mark, paused=paused)
            self._rows.put(made)
            return made

    def lose(self, key: ScheduleKey) -> None:
        """A schedule is gone; if it comes back, it begins anew."""
        with self._db.write():
            known = self.states().get(key)
            if known is not None and known.rule:
                self._rows.put(dataclasses.replace(known, rule=""))

    def settle(
        self,
        before: ScheduleState,
        handled: float,
        ticks: Sequence[Tick],
        *,
        mark: str | None = None,
        choose: Callable[[], str],
    ) -> list[Tick] | None:
        """Note what was due since a state, all or none: the ticks, those that are claimed with ids of runs, which `choose` makes
        up. What was written; `None` where the state is another one by now, since somebody else was faster."""
        with self._db.write():
            if self.states().get(before.key) != before:
                return None
            news = before.mark if mark is None else mark
            self._rows.put(dataclasses.replace(before, handled=handled, mark=news))
            return [self._rows.add(tick, choose) for tick in ticks]

    def trigger(self, tick: Tick, by: str, because: str, *, choose: Callable[[], str]) -> Tick:
        """Claim a firing that a person asks for."""
        with self._db.write():
            made = self._rows.add(tick, choose)
            self._rows.note(tick.key, tick.at, "trigger", by, because)
            return made

    def finish(self, tick: Tick) -> None:
        """The run of a tick is over."""
        self._rows.change(tick, "done", tick.reason)

    def give_up(self, tick: Tick, reason: str) -> None:
        """A tick whose run never began is skipped after all."""
        self._rows.change(tick, "skipped", reason)

    def pause(self, state: ScheduleState, at: float, by: str, because: str, *, paused: bool) -> None:
        """Pause a schedule, or resume it; who did is kept."""
        with self._db.write():
            known = self.states().get(state.key, state)
            self._rows.put(dataclasses.replace(known, paused=paused))
            self._rows.note(state.key, at, "pause" if paused else "resume", by, because)

    def take_over(self, schedules: Iterable[Sequence[Any]], ticks: Iterable[Sequence[Any]]) -> None:
        """Take over the rows of another journal (`ROWS`) that are as they were written. Of a schedule that is not among them
        nothing is due: it begins anew."""
        for table, rows in (("schedules", schedules), ("ticks", ticks)):
            for row in rows:
                if row[-1] == sum_of(*row[:-1]):
                    with self._db.write():
                        self._rows.make()
                        marks = ", ".join("?" * len(row))
                        self._db.do(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608


def _state(row: Sequence[Any]) -> ScheduleState:
    key = ScheduleKey(pipeline=row[0], schedule=row[1])
    paused = None if row[5] is None else bool(row[5])
    return ScheduleState(key=key, rule=row[2], handled=row[3], mark=row[4], paused=paused)


def _row(tick: Tick) -> tuple[Any, ...]:
    one = tick.interval
    start, end = (one.start.timestamp(), one.end.timestamp()) if one is not None else (None, None)
    zone = one.zone if one is not None else ""
    return (
        tick.key.pipeline, tick.key.schedule, float(tick.due), tick.kind, float(tick.until), tick.state, tick.run,
        start, end, zone, float(tick.at), tick.reason,
    )  # fmt: skip


def _tick(row: Sequence[Any]) -> Tick:
    values = dict(zip(_TICK.split(", "), row[:-1], strict=True))
    interval = None
    if values["start"] is not None:
        start, end = moment_at(values["start"]), moment_at(values["end"])
        interval = Interval(start=start, end=end, zone=values["zone"])
    key = ScheduleKey(pipeline=values["pipeline"], schedule=values["schedule"])
    same = {name: values[name] for name in ("due", "kind", "until", "state", "run", "at", "reason")}
    return Tick(key=key, interval=interval, **same)
