"""Which process runs a pipeline, as the journal has it."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from collections.abc import Callable, Iterator

from stagebook.errors import PipelineBusy, RunTakenOver
from stagebook.journal.database import Part


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs a pipeline. `started` is in seconds since the epoch; `mark` tells it from any
    other process that has or had its pid, and is empty where this machine has no such thing."""

    pid: int
    started: float
    host: str
    mark: str = ""


class Life(enum.Enum):
    """What is known of an owner. UNSURE: it is stopped, or out of sight; its beat tells."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """A run that owns its pipeline, and its last sign of life. A row that makes no sense has no owner."""

    row: int
    run: str
    owner: Owner | None
    beat: int

    def life(self, life: Callable[[Owner], Life]) -> Life:
        """What is known of the owner."""
        return life(self.owner) if self.owner is not None else Life.DEAD

    def is_over(self, life: Callable[[Owner], Life], presumed_dead: tuple[str, int] | None) -> bool:
        """Whether the owner is gone. One of which nothing is known is if it is `presumed_dead`: its run,
        and the beat that it stopped at."""
        known = self.life(life)
        return known is Life.DEAD or (known is Life.UNSURE and (self.run, self.beat) == presumed_dead)


class Owners(Part):
    """The owners of pipelines."""

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

    def holds(self, pipeline: str | None = None) -> list[Hold]:
        """The runs that own a pipeline, or any."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline is not None else ("", [])
        rows = self._db.read(
            f"SELECT rowid, run, pid, started, host, mark, beat FROM owners {where}",  # noqa: S608 - no text of others
            values,
        )
        return [_hold(*row) for row in rows]

    def owners(self) -> list[tuple[str, Owner]]:
        """The runs that go on, with their processes."""
        return [(hold.run, hold.owner) for hold in self.holds() if hold.owner is not None]

    def _take(self, pipeline: str, run: str, owner: Owner) -> None:
        self._db.do(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?, 0)",
            (pipeline, run, owner.pid, owner.started, owner.host, owner.mark),
        )

    def _release(self, run: str) -> None:
        self._db.do("DELETE FROM owners WHERE run = ?", (run,))

    def _drop(self, hold: Hold) -> None:
        self._db.do("DELETE FROM owners WHERE rowid = ?", (hold.row,))


def _hold(  # noqa: PLR0913, PLR0917 - the columns
    row: int, run: object, pid: object, started: object, host: object, mark: object, beat: object
) -> Hold:
    # SQLite keeps what it is given, and a damaged row holds anything.
    beats = beat if isinstance(beat, int) else 0
    if not (isinstance(pid, int) and isinstance(started, float | int) and 0 < pid < 2**31):
        return Hold(row, str(run), None, beats)
    return Hold(row, str(run), Owner(pid=pid, started=float(started), host=str(host), mark=str(mark)), beats)


def busy(pipeline: str, hold: Hold, life: Life) -> PipelineBusy:
    """The error for a pipeline that another run owns."""
    other = hold.owner
    assert other is not None
    msg = f"'{pipeline}' is being run already: {hold.run} (process {other.pid} on {other.host})"
    hint = f"wait for it with --wait, or stop it with: stagebook cancel {hold.run}"
    return PipelineBusy(msg, hint=hint, run=hold.run, beat=hold.beat, unsure=life is Life.UNSURE)
