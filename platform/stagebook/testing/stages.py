"""Running one stage of a project for a test, in a tree of its own: nothing of the project is written to."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.connections.connection import connection_variables
from stagebook.contracts.contract import Contract
from stagebook.errors import StagebookError, UsageError
from stagebook.events import AttemptEnded, AttemptStarted, Event
from stagebook.execution.engine.local import LocalEngine
from stagebook.execution.fork import client
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.runner import Runner
from stagebook.pipeline.model import Pipeline, Stage
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.workdir import folder_of
from stagebook.planning.contracts import datasets_of
from stagebook.planning.neighbours import Neighbour, Neighbours
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.preload import modules_to_import
from stagebook.planning.programs import notebook_of_stage
from stagebook.project import Project
from stagebook.releases.bundle import CONNECTIONS, functions_of
from stagebook.system.file_cache import FileCache
from stagebook.system.secret_sources import SecretSource
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.system.store import Store
from stagebook.testing.alone import Alone, Point, alone, find_stage, literal, sort_params
from stagebook.testing.cells import CellCoverage
from stagebook.testing.inputs import InputPlaces, Placed, copy
from stagebook.testing.outcome import StageFailed, StageResult, result_of
from stagebook.timing.interval import Interval, IntervalInvalid
from stagebook.timing.reading import parse_interval
from stagebook.workspace.contracts import release_path
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.workspace import Workspace

_RUN = "test"
_GRACE = 2.0  # seconds that a stage has to end after Ctrl-C
_PYTEST = "PYTEST_CURRENT_TEST"  # with it ipykernel does not read what child processes print


class StageTests:
    """The tests of one project's stages in one process: they share a fork server.

    Args:
        start: a folder of the project.
        folder: an empty folder of this process, for what is converted once.
        coverage: takes note of the cells that are executed.
    """

    def __init__(self, start: Path, folder: Path, coverage: CellCoverage) -> None:
        self.project = Project.open(start, environment=DEV)
        self.coverage = coverage
        self._folder = folder
        self._server: client.ForkServer | None = None
        self._numbers = itertools.count(1)
        self.root = self.project.root
        cache = FileCache()
        workspace = Workspace(self.root, cache, converted=folder / "scripts")
        store = Store(folder / "store")
        self.dependencies = ProjectDependencies(workspace, cache, store, os.environ, restores=False)

    def close(self) -> None:
        """End the fork server."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.project.close()

    def run(self, asked: StageTest, tree: Path, near: Path) -> StageResult:
        """Run a stage in an empty folder, its `tree`; `near` is the folder of the test. The result of a stage that failed says
        so.

        Raises:
            UsageError: the stage is not known, or something is lacking that it needs.
            PipelineInvalid: the stage, its notebook or a contract has mistakes.
        """
        self.dependencies.forget()
        whole, stage = find_stage(self.project.catalog, asked.stage, asked.pipeline)
        stage = _with_outputs(stage, asked.outputs)
        given = sort_params(whole, stage, asked.params, self._declared(whole, stage))
        one = alone(
            whole, stage, given=given, point=asked.point, env=os.environ, interval=_interval_of(asked)
        )
        places = InputPlaces(self.root, tree.resolve(), near)
        return self.run_alone(
            whole, one, tree, lambda related: places.place(whole, one, asked.inputs, related)
        )

    def run_alone(
        self, whole: Pipeline, one: Alone, tree: Path, place: Callable[[Sequence[str]], Placed]
    ) -> StageResult:
        """Run a stage of a pipeline by itself. `place` puts its inputs into the tree; it is given the names of the datasets that
        contracts ask for. Raises as `run`."""
        tree = tree.resolve()
        contracts = self._contracts(whole, one.stage)
        self._lay_out(whole, one.stage, contracts, tree)
        placed = place(_asked(whole, one.stage, contracts))
        plan, workspace = self._planned(one, placed, tree)
        with _without_pytest():
            return self._executed(plan, workspace, self._engine(whole, plan.stages[0]))

    def _declared(self, pipeline: Pipeline, stage: Stage) -> Sequence[str]:
        try:
            return tuple(self.dependencies.workspace.facts(self._notebook(pipeline, stage)).parameters or ())
        except NotebookUnreadable:
            return ()  # which planning reports

    def _notebook(self, pipeline: Pipeline, stage: Stage) -> str:
        """The path of the notebook of a stage; of a program that of the one that is made for it."""
        return notebook_of_stage(pipeline, stage, self.dependencies.workspace)

    # -- the tree -------------------------------------------------------------------------------

    def _contracts(self, pipeline: Pipeline, stage: Stage) -> dict[str, Contract]:
        """The contracts of the outputs of a stage, by the name of the dataset."""
        workspace = self.dependencies.workspace
        files = workspace.contracts.paths()
        found = {}
        for output in stage.outputs.values():
            dataset = f"{pipeline.name}.{stage.name}.{output.name}"
            if path := output.contract or files.get(dataset, ""):
                found[dataset] = workspace.contracts.load_for(dataset, path).contract
        return found

    def _lay_out(
        self, pipeline: Pipeline, stage: Stage, contracts: Mapping[str, Contract], tree: Path
    ) -> None:
        """Copy what the stage is made of: its code, contracts and settings."""
        folder = folder_of(stage.workdir, stage.notebook)
        (tree / folder).mkdir(parents=True, exist_ok=True)
        paths = {pipeline.path, stage.notebook, SETTINGS, CONNECTIONS, "pyproject.toml"}
        with contextlib.suppress(NotebookUnreadable):  # which planning reports
            paths |= set(self.dependencies.code_paths(self._notebook(pipeline, stage), stage.runs_in, folder))
        for dataset, contract in contracts.items():
            paths |= {contract.path, release_path(dataset), *functions_of(contract, self.dependencies)}
        for path in paths:
            if path and (self.root / path).is_file():
                copy(self.root / path, tree / path)

    def _planned(self, one: Alone, placed: Placed, tree: Path) -> tuple[Plan, Workspace]:
        pipeline = dataclasses.replace(one.pipeline, stages={placed.stage.name: placed.stage})
        others = {
            path: Neighbour(pipeline=owner, notebook="", stage=maker, output=output)
            for dataset, paths in placed.datasets.items()
            for owner, maker, output in [dataset.split(".")]
            for path in paths
        }
        workspace = Workspace(tree, self.dependencies.file_cache, converted=self._folder / "scripts")
        neighbours = Neighbours(outputs=others)
        planner = Planner(
            pipeline,
            one.params,
            workspace,
            env=os.environ,
            neighbours=neighbours,
            interval=one.interval,
        )
        return planner.plan(), workspace

    # -- the run --------------------------------------------------------------------------------

    def _engine(self, pipeline: Pipeline, stage: PlannedStage) -> LocalEngine:
        """The engine of one run, with the fork server of all of them. The server imports what is safe of all notebooks of the
        pipeline that is tested first."""
        settings = self.project.settings.run
        if self._server is not None and not self._server.is_alive:
            self._server.close()
            self._server = None
        if self._server is None and settings.fork and client.is_possible():
            with contextlib.suppress(OSError):  # stages start the ordinary way then
                self._server = client.take_server()
        ahead = settings.preload if settings.preload is not None else self._modules(pipeline)
        return LocalEngine(
            server=self._server,
            modules=ahead,
            to_come={stage.executor: 2},  # one is held ready for the next test
            keep_server=True,
        )

    def _modules(self, pipeline: Pipeline) -> list[str]:
        imports: set[str] = set()
        local: set[str] = set()
        for stage in pipeline.stages.values():
            if stage.program is not None:
                continue
            with contextlib.suppress(NotebookUnreadable):  # another stage's
                imports |= set(self.dependencies.workspace.facts(stage.notebook).imports)
                for folder in (self.root, (self.root / stage.notebook).parent):
                    local |= {path.stem for path in folder.iterdir()}
        return list(modules_to_import(imports, local))

    def _executed(self, plan: Plan, workspace: Workspace, engine: LocalEngine) -> StageResult:
        told: list[Event] = []
        tree, run = workspace.root, f"{_RUN}-{next(self._numbers)}"
        context = RunContext(
            root=tree,
            folder=tree / STATE_FOLDER / "runs" / run,
            clock=time.time,
            emit=told.extend,
            executable=workspace.executable,
            prepare=lambda _stage, _number: {"MLFLOW_TRACKING_URI": f"sqlite:///{tree / 'mlflow.db'}"},
            code_paths=lambda one: self.dependencies.code_paths(one.notebook, one.runs_in, one.folder),
            variables=lambda one: {
                **connection_variables(workspace.remotes.named(one.connections), tree),
                **one.variables,
            },
            secrets={name: self._source(one) for name, one in self.project.settings.secret_sources.items()},
        )
        options = RunOptions(run_id=run, grace=_GRACE)
        Runner(plan, engine, options, context).run()
        (stage,) = plan.stages
        started = next(event for event in told if isinstance(event, AttemptStarted))
        ended = next(event for event in told if isinstance(event, AttemptEnded))
        outputs: dict[str, Path | str] = {
            name: item.path if item.kind == "external" else tree / item.path
            for name, item in stage.outputs.items()
        }
        result = result_of(stage.id, ended, started.params, context.attempt_folder(stage.id, 1), outputs)
        if stage.program is None:
            self.coverage.note(stage.notebook, ((cell.source, cell.is_executed) for cell in result.cells))
        return result

    def _source(self, source: SecretSource) -> SecretSource:
        """A source of a secret, as seen from the tree."""
        if source.kind != "file" or source.value.startswith("~"):
            return source
        return dataclasses.replace(source, value=str(self.root / source.value))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageTest:
    """What a test asks for: see `RunStage`."""

    stage: str
    pipeline: str | None = None
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    point: Point | None = None
    interval: str = ""


def _interval_of(asked: StageTest) -> Interval | None:
    """What a stage is to be about. Raises `UsageError`."""
    if not asked.interval:
        return None
    try:
        return parse_interval(asked.interval)
    except IntervalInvalid as error:
        raise UsageError(f"interval={asked.interval!r}: {error}", hint=error.hint) from None


class RunStage:
    """The fixture `run_stage` of one test. `tree` makes an empty folder for each call; `near` is the folder of the test."""

    def __init__(self, tests: StageTests, trees: Iterator[Path], near: Path) -> None:
        self._tests = tests
        self._trees = trees
        self._near = near

    def __call__(  # noqa: PLR0913 - what a stage is given
        self,
        stage: str,
        *,
        pipeline: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        point: Point | None = None,
        interval: str = "",
        expect_failure: bool = False,
    ) -> StageResult:
        """Run one stage of the project by itself, with its notebook, contracts and settings as they are now.

        Args:
            stage: its name, or the id of an instance, such as `train@forest-8`.
            pipeline: which has it; may be left out where only one has such a stage.
            inputs: for each input a path, bytes, a pandas DataFrame or a function that is given a path to write to; a list
                where the notebook gets several. One that is a file of the project may be left out. Datasets that
                contracts ask for are given by their names `pipeline.stage.output`.
            params: values of the notebook's parameters, and of the pipeline's.
            outputs: for outputs outside of the project, where a test may write.
            point: which instance: `{axis: value}`, `{"item": value}`, or what its id has after the `@`.
            interval: what it is about, as `--interval` takes it: `2026-01-05`, `2026-01`, `START..END`.
            expect_failure: whether a stage that fails is what is expected.

        Raises:
            StageFailed: the stage failed, and that was not expected.
            AssertionError: it completed, and a failure was expected.
            UsageError: a name is not known, or an input is lacking.
            PipelineInvalid: the pipeline, its notebook or a contract has mistakes.
        """
        __tracebackhide__ = True
        name, _, instance = stage.partition("@")
        asked = StageTest(
            stage=name,
            pipeline=pipeline,
            inputs=inputs or {},
            params=params or {},
            outputs=outputs or {},
            point=point if point is not None else instance or None,
            interval=interval,
        )
        try:
            result = self._tests.run(asked, next(self._trees), self._near)
        except StagebookError as error:
            raise error.with_traceback(
                None
            ) from None  # where in Stagebook it was found says nothing to a test
        if result.error is not None and not expect_failure:
            raise StageFailed(result)
        if result.error is None and expect_failure:
            raise AssertionError(f"{result.stage} completed, and was expected to fail")
        return result


def _asked(pipeline: Pipeline, stage: Stage, contracts: Mapping[str, Contract]) -> list[str]:
    """The datasets of other stages that the contracts of a stage ask for."""
    named = [name for contract in contracts.values() for rule in contract.rules for name in datasets_of(rule)]
    own = f"{pipeline.name}.{stage.name}."
    return [name for name in dict.fromkeys(named) if not name.startswith(own)]


def _with_outputs(stage: Stage, given: Mapping[str, str]) -> Stage:
    """The stage with its outputs outside of the project where the test says. Raises `UsageError`."""
    outputs = dict(stage.outputs)
    for name, output in stage.outputs.items():
        if output.kind == "external":
            if name not in given:
                message = (
                    f"the output '{name}' of {stage.name} is outside of the project: {output.path.source}"
                )
                raise UsageError(message, hint=f"say where a test may write: outputs={{'{name}': …}}")
            outputs[name] = dataclasses.replace(output, path=literal(given[name]))
    for name in given:
        if name not in outputs or outputs[name].kind != "external":
            hint = "leave it out: each test has files of its own"
            raise UsageError(f"{stage.name} has no output '{name}' outside of the project", hint=hint)
    return dataclasses.replace(stage, outputs=outputs)


@contextlib.contextmanager
def _without_pytest() -> Iterator[None]:
    before = os.environ.pop(_PYTEST, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_PYTEST] = before


def untested(project: Project, tested: Mapping[str, Any]) -> list[str]:
    """The notebooks of a project's pipelines of which no cell was executed, sorted. A pipeline that cannot be read has none."""
    found: set[str] = set()
    for name in project.catalog.names():
        with contextlib.suppress(StagebookError):
            stages = project.catalog.load(name).pipeline.stages.values()
            found |= {stage.notebook for stage in stages if stage.program is None}
    return sorted(found - {"", *tested})
