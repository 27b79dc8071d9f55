"""What is current in a project: its latest runs and the last outcome of each stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from stagebook.events import Event, RunEnded, RunStarted, StageExpanded, Status
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.present import run_info, stage_info

RUNS = 50  # how many of the latest runs the browser knows of
BACK = 10  # how many runs of a pipeline are searched for the last outcome of a stage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is current, up to the event number `seq`.

    `stages` has the last outcome by pipeline and stage, `changed` the number of the event that changed it
    last. `shapes` has for each pipeline the stages of its newest run, and the number of the event that made
    them so. `definitions` is a digest that changes with the pipeline files.
    """

    seq: int = 0
    runs: tuple[wire.RunInfo, ...] = ()
    stages: Mapping[tuple[str, str], wire.StageInfo] = dataclasses.field(default_factory=dict)
    changed: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    shapes: Mapping[str, tuple[int, tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    definitions: str = ""

    def since(self, position: int | None, definitions: str | None = None) -> wire.Change | None:
        """What changed after the event `position`; `None` if nothing did. Everything, where `position` is
        `None` or one that this journal has not reached. `definitions` is the digest that the viewer knows."""
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


class SnapshotReader:
    """Reads the journal of a project, each time only what is new. Use it in the project's thread."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._runs: dict[str, _FollowedRun] = {}

    def read(self) -> Snapshot:
        """The snapshot of now.

        Events are numbered in the order of their commits, but each run is read on its own. A first pass
        finds the highest number; all events below it are committed by then, and a second pass has them.
        What the second pass sees beyond that number is told again by the next snapshot.
        """
        if not self._project.history.has_journal:
            return Snapshot()
        self._follow()
        seq = max((run.seq for run in self._runs.values()), default=0)
        records = self._follow()
        stages: dict[tuple[str, str], wire.StageInfo] = {}
        changed: dict[tuple[str, str], int] = {}
        shapes: dict[str, tuple[int, tuple[str, ...]]] = {}
        for pipeline, group in _by_pipeline(records).items():
            newest = self._run(_newest(group))
            shapes[pipeline] = (newest.shaped, tuple(newest.history.stages))
            for name, (run, number) in self._current(group).items():
                stages[pipeline, name] = stage_info(run.record, run.history.stages[name])
                changed[pipeline, name] = number
        runs = tuple(run_info(record) for record in records)
        return Snapshot(seq=seq, runs=runs, stages=stages, changed=changed, shapes=shapes)

    @property
    def is_live(self) -> bool:
        """Whether a run goes on."""
        return any(run.history.ended is None for run in self._runs.values())

    def _follow(self) -> list[RunRecord]:
        """The latest runs; those that a snapshot needs are read up to now."""
        records = self._project.history.runs(limit=RUNS)
        for record in records:
            known = self._runs.get(record.id)
            if known is not None:
                known.record = record
            if (known is not None and known.history.ended is None) or record.ended is None:
                self._run(record)
        for group in _by_pipeline(records).values():
            self._current(group)
        return records

    def _run(self, record: RunRecord) -> _FollowedRun:
        run = self._runs.setdefault(record.id, _FollowedRun(record))
        if run.history.ended is None:
            run.take(self._project.journal.events.of(record.id, after=run.seq))
        return run

    def _current(self, group: Sequence[RunRecord]) -> dict[str, tuple[_FollowedRun, int]]:
        """For each stage of the newest run of a pipeline, the last run that did not skip it, and the number
        of the event that changed this. A skip changes it, too: an older run becomes current."""
        newest = self._run(_newest(group))
        found: dict[str, tuple[_FollowedRun, int]] = {}
        missing = {name: (newest, newest.changed[name]) for name in newest.history.stages}
        for record in group[:BACK]:
            run = self._runs.get(record.id) or self._run(record)
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


class _FollowedRun:
    """A run up to the event `seq`. `changed` has for each stage the number of its last event, `shaped`
    that of the event that determined the list of stages."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.history = RunHistory()
        self.seq = 0
        self.changed: dict[str, int] = {}
        self.shaped = 0

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
    """The newest run that has all stages of its pipeline: no sweep, no acceptance."""
    return next((record for record in group if record.kind == "run"), group[0])


def _by_pipeline(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.pipeline, []).append(record)
    return groups
