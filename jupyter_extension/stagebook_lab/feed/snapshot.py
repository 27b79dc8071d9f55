"""What the latest runs of a project add up to, kept up to date by reading only what is new."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from stagebook.events import Event, RunEnded, RunStarted, StageExpanded, Status
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.convert import run_info, stage_info

RUNS = 50  # how many of the latest runs the browser knows of
BACK = 10  # how many runs of a pipeline are looked through for what last became of a stage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is current. `changed` says for each stage which event changed it last. `shapes` are the
    stages of the newest run of each pipeline, each with the event that made it so."""

    seq: int = 0
    runs: tuple[wire.RunInfo, ...] = ()
    stages: Mapping[tuple[str, str], wire.StageInfo] = dataclasses.field(default_factory=dict)
    changed: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    shapes: Mapping[str, tuple[int, tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    definitions: str = ""

    def since(self, position: int | None, definitions: str | None = None) -> wire.Change | None:
        """What is new after the event `position`; None if nothing is. Without a position, or with one
        that this journal has not reached, it is everything."""
        full = position is None or position > self.seq
        after = -1 if position is None or full else position
        stages = tuple(info for key, info in self.stages.items() if self.changed[key] > after)
        if not full and self.seq == position and not stages and definitions == self.definitions:
            return None
        shapes = {name: ids for name, (seq, ids) in self.shapes.items() if seq > after}
        return wire.Change(
            seq=self.seq,
            full=full,
            runs=self.runs,
            stages=stages,
            shapes=shapes,
            definitions=self.definitions,
        )


class Ledger:
    """Reads the journal of a project. Belongs to the thread that made it, as the journal does."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._runs: dict[str, _Folded] = {}
        self._seq = 0

    def look(self) -> Snapshot:
        """Read what is new.

        Numbers of events grow in the order in which they are committed, but each run is read on its
        own. So the highest number is taken in a first pass; whatever is below it is committed then,
        and a second pass has it all. What the second pass sees beyond it is told again next time.
        """
        if not self._project.has_journal:
            return Snapshot()
        self._read()
        self._seq = max((run.seq for run in self._runs.values()), default=0)
        records = self._read()
        stages: dict[tuple[str, str], wire.StageInfo] = {}
        changed: dict[tuple[str, str], int] = {}
        shapes: dict[str, tuple[int, tuple[str, ...]]] = {}
        for pipeline, group in _by_pipeline(records).items():
            newest = self._folded(_newest(group))
            shapes[pipeline] = (newest.shaped, tuple(newest.history.stages))
            for name, (run, seq) in self._current(group).items():
                key = (run.record.pipeline, name)
                stages[key] = stage_info(run.record, run.history.stages[name])
                changed[key] = seq
        return Snapshot(
            seq=self._seq,
            runs=tuple(run_info(record) for record in records),
            stages=stages,
            changed=changed,
            shapes=shapes,
        )

    @property
    def is_live(self) -> bool:
        """Whether a run goes on."""
        return any(not run.is_closed for run in self._runs.values())

    def _read(self) -> list[RunRecord]:
        records = self._project.runs(limit=RUNS)
        for record in records:
            known = self._runs.get(record.id)
            if known is not None:
                known.record = record
            if (known is not None and not known.is_closed) or record.ended is None:
                self._folded(record)
        for group in _by_pipeline(records).values():
            self._current(group)
        return records

    def _folded(self, record: RunRecord) -> _Folded:
        run = self._runs.setdefault(record.id, _Folded(record))
        if not run.is_closed:
            run.take(self._project.journal.events(record.id, after=run.seq))
        return run

    def _current(self, group: Sequence[RunRecord]) -> dict[str, tuple[_Folded, int]]:
        """For each stage of the newest run of a pipeline, the last run that did anything about it, and
        when that changed last. A run that skipped it has changed it, too: it shows an older run then."""
        newest = self._folded(_newest(group))
        found: dict[str, tuple[_Folded, int]] = {}
        missing = {name: (newest, newest.changed[name]) for name in newest.history.stages}
        for record in group[:BACK]:
            run = self._runs.get(record.id) or self._folded(record)
            stages = run.history.stages
            for name, (first, seq) in list(missing.items()):
                if name not in stages:
                    continue
                missing[name] = (first, max(seq, run.changed[name]))
                if stages[name].status is not Status.SKIPPED:
                    found[name] = (run, missing.pop(name)[1])
            if not missing:
                break
        return {**found, **missing}


class _Folded:
    """A run, as far as it was read."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.history = RunHistory()
        self.seq = 0
        self.changed: dict[str, int] = {}
        self.shaped = 0

    @property
    def is_closed(self) -> bool:
        """Whether all of it was read."""
        return self.history.ended is not None

    def take(self, events: Sequence[tuple[int, Event]]) -> None:
        """Add further events."""
        for seq, event in events:
            self.history.take(event)
            self.seq = seq
            stage = getattr(event, "stage", None)
            if isinstance(event, RunStarted | StageExpanded):
                self.shaped = seq
            if isinstance(event, RunStarted | RunEnded):
                self.changed = dict.fromkeys(self.history.stages, seq)
            elif stage is not None:
                self.changed[stage] = seq
        for name in self.history.stages:
            self.changed.setdefault(name, self.seq)


def _newest(group: Sequence[RunRecord]) -> RunRecord:
    """The newest run that has the stages of the pipeline; a sweep has none, a judgement some."""
    return next((record for record in group if record.kind == "run"), group[0])


def _by_pipeline(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.pipeline, []).append(record)
    return groups
