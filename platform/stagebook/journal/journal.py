"""The journal: what happened, in SQLite.

An event is acknowledged once its transaction is committed (WAL, `synchronous=FULL`); a killed
process loses nothing that was acknowledged. Runs, results and owners are summed up in tables of
their own, in the same transaction, so that events and sums never disagree.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stagebook.errors import RunBegunAlready
from stagebook.event_reading import from_json
from stagebook.events import (
    AttemptEnded,
    BookmarkMoved,
    Event,
    RunEnded,
    RunStarted,
    StageAccepted,
    StageReused,
    Status,
)
from stagebook.journal.alert_table import AlertTable
from stagebook.journal.database import Database, sum_of
from stagebook.journal.digest_table import DigestTable
from stagebook.journal.event_log import EventLog
from stagebook.journal.facts import FactTable
from stagebook.journal.incident_table import IncidentTable
from stagebook.journal.interval_table import IntervalTable
from stagebook.journal.leases import Lease, Leases, Liveness, Owner, busy
from stagebook.journal.outbox import MLFLOW, Outbox, attempt_key
from stagebook.journal.result_table import ResultTable
from stagebook.journal.run_table import RunRecord, RunTable
from stagebook.journal.tick_table import TickTable
from stagebook.journal.timeline import Timeline

__all__ = ["MLFLOW", "Journal", "Liveness", "Owner", "RunRecord", "attempt_key"]


class Journal:
    """The journal of one project: `events`, `runs`, `results`, `bookmarks`, `leases`, `intervals`, `ticks`, `incidents`, `alerts`, `digests`,
    `facts`, the `timeline`, and the `outbox` of consumers. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = Database(path)
        self.events = EventLog(self._db)
        self.runs = RunTable(self._db)
        self.results = ResultTable(self._db)
        self.bookmarks = self.results.bookmarks
        self.leases = Leases(self._db)
        self.intervals = IntervalTable(self._db)
        self.ticks = TickTable(self._db)
        self.timeline = Timeline(self._db, self.events)
        self.outbox = Outbox(self._db, self.events)
        self.incidents = IncidentTable(self._db, self.events)
        self.alerts = AlertTable(self._db, self.outbox, self.events)
        self.digests = DigestTable(self._db, self.alerts)
        self.facts = FactTable(self._db, self.incidents)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @property
    def is_writable(self) -> bool:
        """Whether the journal can be written; if not, it is read as it was last written out."""
        return self._db.is_writable

    def relax(self) -> None:
        """From here on a power cut may take back what this process wrote last, as it can be written again."""
        self._db.relax()

    def problems(self) -> list[str]:
        """What is wrong with the database file."""
        return self._db.problems()

    def count_damaged(self) -> dict[str, tuple[int, int]]:
        """Of what the journal holds: how many there are, and how many are not as they were written."""
        events, bad_events = self.events.count()
        results, bad_results = self.results.count()
        latest = self._db.read("SELECT pipeline, stage, number, sum FROM latest")
        marks, intervals = self.bookmarks.count(), self.intervals.count()
        return {
            "events": (events, len(bad_events)),
            "results": (results, len(bad_results)),
            "runs": self.runs.count(),
            "latest results": (len(latest), sum(row[-1] != sum_of(*row[:-1]) for row in latest)),
            **({"bookmarks": marks} if marks[0] else {}),
            **({"intervals": intervals} if intervals[0] else {}),
            **self.ticks.count(),
        }

    def append(self, events: Sequence[Event], *, owner: str | None = None) -> None:
        """Write events, all or none; they are acknowledged when this returns.

        Raises:
            RunTakenOver: the run `owner` does not own its pipeline any more; nothing is written.
        """
        with self._db.write() if owner is None else self.leases.owned(owner):
            for event in events:
                if not event.transient:
                    self._append(event)

    def begin(
        self,
        event: RunStarted,
        owner: Owner,
        look: Callable[[Owner], Liveness],
        *,
        presumed_dead: tuple[str, int] | None = None,
        then: Sequence[Event] = (),
    ) -> None:
        """Begin a run and make its process the owner of the pipeline, or neither. `then`: events of the run that are
        written with it; a run that is over by these owns nothing.

        An owner that is no longer there is replaced, and its run marked as interrupted; one of which
        nothing is known is if it is `presumed_dead`: its run, and the beat that it stopped at. A run
        with a parent goes on under the ownership of that.

        Raises:
            PipelineBusy: another process owns it.
            RunBegunAlready: there is a run with this id.
            RunTakenOver: the parent does not own it any more.
        """
        with self.leases.owned(event.parent) if event.parent else self._db.write():
            if self.runs.pipeline_of(event.run) is not None:
                raise RunBegunAlready(
                    f"the run {event.run} began before", hint=f"see: stagebook logs {event.run}"
                )
            for lease in () if event.parent else self.leases.all(event.pipeline):
                if not lease.is_over(look, presumed_dead):
                    raise busy(event.pipeline, lease, lease.liveness(look))
                self._interrupt(lease.run, event.at)
                self.leases.drop(lease)
            self._append(event)
            if not event.parent:
                self.leases.take(event.pipeline, event.run, owner)
            for later in then:
                self._append(later)

    @property
    def last_version(self) -> int:
        """The last version of the environment of which anything is told here; 0 where there is none."""
        rows = self._db.read(
            "SELECT coalesce(max(json_extract(data, '$.version')), 0) FROM events WHERE type = 'VersionPublished'"
        )
        return int(rows[0][0])

    def close_abandoned(
        self, look: Callable[[Owner], Liveness], at: float, *, presumed_dead: tuple[str, int] | None = None
    ) -> list[str]:
        """Mark runs whose owner is gone, or is `presumed_dead` (as in `begin`), as interrupted; their ids."""
        if not any(self._abandoned(look, presumed_dead)):
            return []
        with self._db.write():
            over, lost = self._abandoned(look, presumed_dead)  # another process may have been faster
            found = list(dict.fromkeys([*(lease.run for lease in over), *lost]))
            for run in found:
                self._interrupt(run, at)
            for lease in over:
                self.leases.drop(lease)
        return found

    def _abandoned(
        self, look: Callable[[Owner], Liveness], presumed_dead: tuple[str, int] | None
    ) -> tuple[list[Lease], list[str]]:
        """The owners that are gone, and the runs that go on by the journal and have none."""
        held = self.leases.all()
        over = [lease for lease in held if lease.is_over(look, presumed_dead)]
        going_on = {lease.run for lease in held if lease not in over}
        return over, [
            run for run, parent in self.runs.unfinished() if run not in going_on and parent not in going_on
        ]

    def _interrupt(self, run: str, at: float) -> None:
        rows = self._db.read("SELECT id FROM runs WHERE (id = ? OR parent = ?) AND ended IS NULL", (run, run))
        for (name,) in rows:
            self._append(RunEnded(run=name, at=at, status=Status.INTERRUPTED, reason="its process vanished"))

    def _append(self, event: Event, number: int | None = None) -> None:
        seq = self.events.write(event, number)
        match event:
            case RunStarted():
                self.runs.begin(seq, event)
                self.intervals.begin(event)
            case RunEnded():
                self.runs.end(event)
                self.leases.release(event.run)
            case AttemptEnded() | StageAccepted() | BookmarkMoved():
                if (pipeline := self.runs.pipeline_of(event.run)) is not None:
                    self._keep(seq, pipeline, event)
            case StageReused() if event.number or event.taken:
                if (pipeline := self.runs.pipeline_of(event.run)) is not None:
                    if event.taken:
                        self.results.keep(seq, pipeline, event)
                    else:
                        self.results.keep_latest(pipeline, event.stage, event.number)
            case _:
                pass  # only in the log

    def _keep(self, seq: int, pipeline: str, event: AttemptEnded | StageAccepted | BookmarkMoved) -> None:
        if not isinstance(event, BookmarkMoved) and event.fingerprint:
            self.results.keep(seq, pipeline, event)
        if not isinstance(event, StageAccepted):
            self.bookmarks.move(seq, pipeline, event)

    def restore(self, events: Mapping[int, str], at: float) -> int:
        """Take over the texts of events of another journal, by number; how many could be. Runs whose end
        is not among them are marked as interrupted."""
        taken = 0
        with self._db.write():
            for number, text in events.items():
                with contextlib.suppress(ValueError, TypeError, AttributeError):  # not an event after all
                    self._append(from_json(json.loads(text)), number)
                    taken += 1
            for run in self._abandoned(lambda _owner: Liveness.DEAD, None)[1]:
                self._interrupt(run, at)
        return taken
