"""What is current in a project: its latest runs and the last outcome of each stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from stagebook.events import (
    AttemptStarted,
    Event,
    RunCancelling,
    RunEnded,
    RunStarted,
    StageEnded,
    StageExpanded,
    Status,
)
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.project import Project
from stagebook.runs.history import History
from stagebook_lab import wire
from stagebook_lab.present import run_info, stage_info

_OF_ROWS = RunStarted | RunCancelling | RunEnded  # events that change what is told of a run
RUNS = 10  # how many of the latest runs of each pipeline the browser knows of; points of sweeps do not count


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is current, up to the event number `seq`.

    `stages` has the last outcome by pipeline and stage, `changed` the number of the event that changed it
    last. `shapes` has for each pipeline the stages of its newest run, and the number of the event that made
    them so. `definitions` is a digest that changes with the pipeline files and their
    notebooks, `elsewhere` a mark of the journal of each environment.
    """

    seq: int = 0
    runs: tuple[wire.RunInfo, ...] = ()
    stages: Mapping[tuple[str, str], wire.StageInfo] = dataclasses.field(default_factory=dict)
    changed: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    shapes: Mapping[str, tuple[int, tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    definitions: str = ""
    elsewhere: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def since(self, position: int | None, known: wire.Change | None = None) -> wire.Change | None:
        """What changed after the event `position`; `None` if nothing did. Everything, where `position` is
        `None` or one that this journal has not reached. `known` is the change that the viewer got last."""
        full = position is None or position > self.seq
        after = -1 if position is None or full else position
        stages = tuple(info for key, info in self.stages.items() if self.changed[key] > after)
        others = (self.definitions, self.elsewhere)
        is_known = known is not None and (known.definitions, known.elsewhere) == others
        if not full and self.seq == position and not stages and is_known:
            return None
        shapes = {name: ids for name, (seq, ids) in self.shapes.items() if seq > after}
        return wire.Change(
            seq=self.seq,
            full=full,
            runs=self.runs,
            stages=stages,
            shapes=shapes,
            definitions=self.definitions,
            elsewhere=dict(self.elsewhere),
        )


class SnapshotReader:
    """Reads the journal of a project: once as far as it says what is current, then only what is new. Use it in the
    project's thread."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seq: int | None = None  # all events up to this one were taken
        self._pipelines: dict[str, _Pipeline] = {}
        self._runs: dict[str, _FollowedRun] = {}
        self._latest: tuple[wire.RunInfo, ...] = ()

    def read(self) -> Snapshot:
        """The snapshot of now.

        Events are numbered in the order of their commits. Those up to a number are taken first, and then the rows of
        runs, which may be ahead of them: the next snapshot has the events, too.
        """
        if not self._project.history.has_journal:
            return Snapshot()
        if self._seq is None:
            self._seq = self._begin()
        events = self._project.journal.events.after(self._seq)
        for seq, event in events:
            if event.run:  # of those that belong to no run none is shown here
                self._take(seq, event)
            self._seq = seq
        if not self._latest or any(isinstance(event, _OF_ROWS) for _, event in events):
            self._read_rows()
        stages: dict[tuple[str, str], wire.StageInfo] = {}
        changed: dict[tuple[str, str], int] = {}
        shapes: dict[str, tuple[int, tuple[str, ...]]] = {}
        for name, pipeline in self._pipelines.items():
            shapes[name] = (pipeline.shaped, tuple(pipeline.newest.history.stages))
            for stage, info in pipeline.current(self._project.history).items():
                stages[name, stage] = info
                changed[name, stage] = pipeline.changed[stage]
        return Snapshot(seq=self._seq, runs=self._latest, stages=stages, changed=changed, shapes=shapes)

    @property
    def is_live(self) -> bool:
        """Whether a run goes on."""
        return any(run.history.ended is None for run in self._runs.values())

    def _begin(self) -> int:
        """Read what says how the stages of each pipeline are; the number of the last event of that."""
        journal = self._project.journal
        until = journal.events.last_number()
        going_on = [run for run, _ in journal.runs.unfinished()]
        newest: dict[str, RunRecord] = {}
        for record in journal.runs.latest_of_each(1, points=True):
            known = newest.setdefault(record.pipeline, record)
            if known.kind != "run" and record.kind == "run":
                newest[record.pipeline] = record
        for name, record in newest.items():
            pipeline = self._pipelines[name] = _Pipeline(self._load(record.id, until), until)
            for stage, run in journal.events.last_runs(name, until=until).items():
                pipeline.touched(stage, self._load(run, until))
        for run in going_on:
            self._load(run, until)
        return until

    def _load(self, run: str, until: int) -> _FollowedRun:
        """A run with its events up to a number."""
        known = self._runs.get(run)
        if known is None:
            events = self._project.journal.events.of(run)
            known = self._runs[run] = _FollowedRun(run)
            for seq, event in events:
                if seq <= until:
                    known.take(event)
        return known

    def _take(self, seq: int, event: Event) -> None:
        run = self._runs.get(event.run)
        if run is None:
            run = self._load(event.run, seq - 1)
        run.take(event)
        started = run.history.started
        if started is None:
            return  # its beginning was lost with a damaged journal
        pipeline = self._pipelines.get(started.pipeline)
        if pipeline is None:
            pipeline = self._pipelines[started.pipeline] = _Pipeline(run, seq)
        pipeline.take(seq, event, run)
        if isinstance(event, RunStarted | RunEnded):
            self._forget()

    def _forget(self) -> None:
        """Let go of the runs that nothing is shown of any more."""
        shown = {id(run) for pipeline in self._pipelines.values() for run in pipeline.runs()}
        self._runs = {
            name: run for name, run in self._runs.items() if run.history.ended is None or id(run) in shown
        }

    def _read_rows(self) -> None:
        runs = self._project.journal.runs
        stopping = {name for name, run in self._runs.items() if run.is_stopping and run.history.ended is None}
        self._latest = tuple(
            run_info(record, cancelling=record.id in stopping) for record in runs.latest_of_each(RUNS)
        )


class _FollowedRun:
    """A run as far as its events were taken."""

    def __init__(self, run: str) -> None:
        self.id = run
        self.history = RunHistory()
        self.is_stopping = False  # it was asked to stop

    def take(self, event: Event) -> None:
        """Take the next event of the run."""
        self.history.take(event)
        self.is_stopping |= isinstance(event, RunCancelling)


class _Pipeline:
    """The stages of a pipeline: of each the last run that did anything about it.

    `newest` is the newest run that has all stages, and `shaped` the number of the event that determined them;
    `changed` has for each stage the number of the event that changed how it is.
    """

    def __init__(self, newest: _FollowedRun, seq: int) -> None:
        self.newest = newest
        self.shaped = seq
        self.changed: dict[str, int] = dict.fromkeys(newest.history.stages, seq)
        self._touched: dict[str, _FollowedRun] = {}
        self._infos: dict[str, wire.StageInfo] = {}

    def touched(self, stage: str, run: _FollowedRun) -> None:
        """The last run that did anything about a stage is this one."""
        self._touched[stage] = run

    def take(self, seq: int, event: Event, run: _FollowedRun) -> None:
        """Take an event of a run of the pipeline, which has it already."""
        started, stages = run.history.started, run.history.stages
        assert started is not None
        match event:
            case RunStarted():
                if started.kind == "run" or self._is_of_other_kind:  # a sweep and an acceptance lack stages
                    self.newest = run
            case AttemptStarted():
                self.touched(event.stage, run)
            case StageEnded() if event.status is not Status.SKIPPED:
                self.touched(event.stage, run)
            case _:
                pass
        whole = isinstance(event, RunStarted | RunEnded | StageExpanded)
        stage = getattr(event, "stage", "")
        names = tuple(stages) if whole or not stage else (stage,)
        for name in names:
            self.changed[name] = seq
            self._infos.pop(name, None)
        if whole and run is self.newest:
            self.shaped = seq

    def current(self, history: History) -> dict[str, wire.StageInfo]:
        """How each stage is: as the run has it that goes on, or else the last one that did anything about it. Of a
        reused stage the times are those of its result."""
        for name, own in self.newest.history.stages.items():
            self.changed.setdefault(name, self.shaped)
            if name not in self._infos:
                is_live = self.newest.history.ended is None and own.status is not Status.SKIPPED
                run = self.newest if is_live else self._touched.get(name, self.newest)
                found = run.history.stages.get(name)
                run, found = (self.newest, own) if found is None else (run, found)
                self._infos[name] = stage_info(run.id, self._name, history.with_times(found))
        return {name: self._infos[name] for name in self.newest.history.stages}

    def runs(self) -> list[_FollowedRun]:
        """The runs that something is shown of."""
        return [self.newest, *self._touched.values()]

    @property
    def _name(self) -> str:
        started = self.newest.history.started
        return started.pipeline if started is not None else ""

    @property
    def _is_of_other_kind(self) -> bool:
        started = self.newest.history.started
        return started is not None and started.kind != "run"
