"""Which process runs a pipeline, as the journal has it."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from collections.abc import Callable, Iterator

from stagebook.errors import PipelineBusy, RunTakenOver
from stagebook.journal.database import Database


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs a pipeline. `started` is in seconds since the epoch; `mark` tells it from any
    other process that has or had its pid, and is empty where this machine has no such thing."""

    pid: int
    started: float
    host: str
    mark: str = ""


class Liveness(enum.Enum):
    """What is known of an owner. UNSURE: it is stopped, or out of sight; its beat tells."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """A run that owns its pipeline, and its last sign of life. A row that makes no sense has no owner."""

    row: int
    run: str
    owner: Owner | None
    beat: int

    def liveness(self, look: Callable[[Owner], Liveness]) -> Liveness:
        """What is known of the owner."""
        return look(self.owner) if self.owner is not None else Liveness.DEAD

    def is_over(self, look: Callable[[Owner], Liveness], presumed_dead: tuple[str, int] | None) -> bool:
        """Whether the owner is gone. One of which nothing is known is if it is `presumed_dead`: its run,
        and the beat that it stopped at."""
        known = self.liveness(look)
        return known is Liveness.DEAD or (known is Liveness.UNSURE and (self.run, self.beat) == presumed_dead)


class Leases:
    """The owners of pipelines."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @contextlib.contextmanager
    def owned(self, run: str) -> Iterator[None]:
        """A transaction within which a run owns its pipeline: nobody takes it over meanwhile.

        Raises:
            RunTakenOver: it does not own it any more.
        """
        with self._db.write():
            found = self._db.read(
                "SELECT o.run FROM runs r JOIN owners o ON o.pipeline = r.pipeline"
                " AND (o.run = r.id OR o.run = r.parent) WHERE r.id = ? AND r.ended IS NULL",
                (run,),
            )
            if not found:
                msg = f"the run {run} was taken over by another one, since its process had been stopped"
                raise RunTakenOver(msg, hint="see: stagebook runs")
            yield

    def beat(self, run: str) -> None:
        """A sign of life of the process that owns a run."""
        with self._db.write():
            self._db.do("UPDATE owners SET beat = beat + 1 WHERE run = ?", (run,))

    def all(self, pipeline: str | None = None) -> list[Lease]:
        """The runs that own a pipeline, or any."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline is not None else ("", [])
        rows = self._db.read(
            f"SELECT rowid, run, pid, started, host, mark, beat FROM owners {where}",  # noqa: S608 - no text of others
            values,
        )
        return [_lease(*row) for row in rows]

    def owners(self) -> list[tuple[str, Owner]]:
        """The runs that go on, with their processes."""
        return [(lease.run, lease.owner) for lease in self.all() if lease.owner is not None]

    def take(self, pipeline: str, run: str, owner: Owner) -> None:
        """Make a run the owner of its pipeline, within a transaction."""
        self._db.do(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?, 0)",
            (pipeline, run, owner.pid, owner.started, owner.host, owner.mark),
        )

    def release(self, run: str) -> None:
        """A run that ended owns nothing, within a transaction."""
        self._db.do("DELETE FROM owners WHERE run = ?", (run,))

    def drop(self, lease: Lease) -> None:
        """Remove one lease, within a transaction."""
        self._db.do("DELETE FROM owners WHERE rowid = ?", (lease.row,))


def _lease(  # noqa: PLR0913, PLR0917 - the columns
    row: int, run: object, pid: object, started: object, host: object, mark: object, beat: object
) -> Lease:
    # SQLite keeps what it is given, and a damaged row holds anything.
    beats = beat if isinstance(beat, int) else 0
    if not (isinstance(pid, int) and isinstance(started, float | int) and 0 < pid < 2**31):
        return Lease(row, str(run), None, beats)
    return Lease(row, str(run), Owner(pid=pid, started=float(started), host=str(host), mark=str(mark)), beats)


def busy(pipeline: str, lease: Lease, liveness: Liveness) -> PipelineBusy:
    """The error for a pipeline that another run owns."""
    other = lease.owner
    assert other is not None
    msg = f"'{pipeline}' is being run already: {lease.run} (process {other.pid} on {other.host})"
    hint = f"wait for it with --wait, or stop it with: stagebook cancel {lease.run}"
    return PipelineBusy(msg, hint=hint, run=lease.run, beat=lease.beat, unsure=liveness is Liveness.UNSURE)
