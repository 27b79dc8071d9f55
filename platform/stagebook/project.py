"""A project: the composition root, and the public Python API.

project = Project.open()
plan = project.plan("flights", {"months": [1, 2]})
report = project.run("flights", {"months": [1, 2]})
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stagebook.definition.loader import Loaded, load_pipeline
from stagebook.definition.overrides import bind_params, parse_file, parse_pairs
from stagebook.definition.paths import STATE_FOLDER
from stagebook.definition.pipeline import Pipeline
from stagebook.definition.settings import FILE, Settings, read_settings
from stagebook.definition.values import Value
from stagebook.definition.workspace import Workspace
from stagebook.errors import (
    PipelineInvalid,
    PipelineNotFound,
    Problem,
    ProjectNotFound,
    RunNotFound,
    UsageError,
    did_you_mean,
)
from stagebook.events import Status
from stagebook.planning.build import build_plan
from stagebook.planning.expand import Expansion
from stagebook.planning.plan import Plan
from stagebook.planning.preload import modules_to_import
from stagebook.planning.select import Selection
from stagebook.record.history import RunHistory, StageRecord
from stagebook.record.journal import Journal, Owner, RunRecord

if TYPE_CHECKING:
    from stagebook.execution.engine import Engine
    from stagebook.execution.forking import ForkServer
    from stagebook.running import Listener, RunReport

PIPELINES = "pipelines"
_SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The parameters that were given for a run: `name=value` texts, files, and values."""

    pairs: Sequence[str] = ()
    files: Sequence[Path] = ()
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


class Project:
    """A folder with pipelines. Nothing is read before it is asked for."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._clock = clock
        self._journal: Journal | None = None
        self._settings: Settings | None = None
        self._server: ForkServer | None = None

    def close(self) -> None:
        """Close the journal. A project may also be used in a `with` statement."""
        self.cool_down()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @classmethod
    def open(cls, start: Path | str | None = None) -> Project:
        """The project at a folder or above it: the nearest one with `stagebook.toml`, a
        `[tool.stagebook]` in `pyproject.toml`, or a folder `pipelines`.

        Raises:
            ProjectNotFound: there is none up to the root of the file system.
        """
        here = Path(start) if start is not None else Path.cwd()
        if not here.is_dir():
            msg = f"there is no folder '{here}'"
            raise ProjectNotFound(msg)
        here = here.resolve()
        for folder in (here, *here.parents):
            if (folder / FILE).is_file() or (folder / PIPELINES).is_dir() or _has_section(folder):
                return cls(folder)
        msg = f"no project in {here} or above it"
        raise ProjectNotFound(
            msg, hint="go to a folder with pipelines/, or make a project: stagebook init NAME"
        )

    @property
    def settings(self) -> Settings:
        """The settings of the project. Raises `PipelineInvalid` for mistakes in them."""
        if self._settings is None:
            self._settings = read_settings(self.root)
        return self._settings

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use; runs whose process vanished are closed then."""
        if self._journal is None:
            self._journal = Journal(self.root / STATE_FOLDER / "journal.db")
            self.close_ghosts()
        return self._journal

    @property
    def has_journal(self) -> bool:
        """Whether anything was recorded yet."""
        return (self.root / STATE_FOLDER / "journal.db").exists()

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow keeps runs; None if tracking is switched off."""
        tracking = self.settings.tracking
        return (os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri) if tracking.enabled else None

    # -- pipelines ------------------------------------------------------------------------------

    def pipelines(self) -> list[str]:
        """The names of the pipelines under `pipelines/`, sorted."""
        folder = self.root / PIPELINES
        if not folder.is_dir():
            return []
        return sorted(path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES)

    def find(self, name: str | None = None) -> str:
        """The path of a pipeline file, relative to the project.

        `name` is a name under `pipelines/` or a path; it may be left out where there is just one.

        Raises:
            PipelineNotFound: there is none of that name, or more than one to choose from.
        """
        known = self.pipelines()
        if name is None:
            if len(known) != 1:
                what = (
                    f"name one of the pipelines: {', '.join(known)}"
                    if known
                    else "there is no pipeline under pipelines/"
                )
                raise PipelineNotFound(
                    what, hint="" if known else "make a project with one: stagebook init NAME"
                )
            name = known[0]
        for suffix in _SUFFIXES:
            if name in known and (self.root / PIPELINES / f"{name}{suffix}").is_file():
                return f"{PIPELINES}/{name}{suffix}"
        if name.endswith(_SUFFIXES):
            for base in (Path.cwd(), self.root):
                path = (base / name).resolve()
                if path.is_file():
                    if not path.is_relative_to(self.root):
                        msg = f"'{name}' is outside of the project {self.root}"
                        raise PipelineNotFound(msg)
                    return path.relative_to(self.root).as_posix()
        msg = f"there is no pipeline '{name}'"
        raise PipelineNotFound(msg, hint=did_you_mean(name, known))

    def load(self, name: str | None = None) -> Loaded:
        """Read a pipeline file; its mistakes come along."""
        path = self.find(name)
        try:
            text = (self.root / path).read_bytes()
        except OSError as error:
            raise PipelineInvalid(
                [Problem(path=path, message=f"cannot be read: {error.strerror}")]
            ) from error
        return load_pipeline(text, path)

    def plan(
        self, name: str | None = None, given: Given | None = None, selection: Selection | None = None
    ) -> Plan:
        """What a run would do.

        Raises:
            PipelineInvalid: with every mistake of the file, its notebooks and the parameters.
            UsageError: the selection matches nothing.
        """
        loaded = self.load(name)
        params, problems = self._params(loaded.pipeline, given or Given())
        missing = [p for p in loaded.pipeline.params.values() if p.required and params[p.name] is None]
        if missing and problems:
            raise PipelineInvalid([*loaded.problems, *problems])
        return build_plan(
            loaded.pipeline,
            params,
            Workspace(self.root),
            selection=selection,
            env=os.environ,
            earlier=_Earlier(self, loaded.pipeline.name),
            problems=[*loaded.problems, *problems],
        )

    def stage_ids(self, name: str | None = None) -> list[str]:
        """The stage instances of a pipeline as its file has them now, with the default parameters.
        Notebooks are not read, and mistakes are not told."""
        loaded = self.load(name)
        params, _ = self._params(loaded.pipeline, Given())
        return list(Expansion(loaded.pipeline, params, Workspace(self.root), os.environ).expand())

    def _params(self, pipeline: Pipeline, given: Given) -> tuple[dict[str, Value], list[Problem]]:
        values: dict[str, Value] = {}
        origins: dict[str, tuple[str, int, int]] = {}
        problems: list[Problem] = []
        for file in given.files:
            try:
                more, places, found = parse_file(file.read_bytes(), str(file))
            except OSError as error:
                problems.append(Problem(path=str(file), message=f"cannot be read: {error.strerror}"))
                continue
            values |= more
            origins |= places
            problems += found
        more, found = parse_pairs(pipeline, given.pairs)
        values |= more | dict(given.values)
        for name in {**more, **given.values}:
            origins.pop(name, None)  # what is given on the command line wins, and is to blame
        bound, wrong = bind_params(pipeline, values, origins)
        return bound, [*problems, *found, *wrong]

    # -- runs -----------------------------------------------------------------------------------

    def run(  # noqa: PLR0913 - the options of a run
        self,
        name: str | None = None,
        given: Given | None = None,
        selection: Selection | None = None,
        *,
        jobs: int | None = None,
        keep_going: bool = False,
        listeners: Sequence[Listener] = (),
        engine: Engine | None = None,
        keep_dump: bool = False,
        keep_kernel: bool = False,
    ) -> RunReport:
        """Plan and run a pipeline. Raises as `plan` and `running.run_plan` do."""
        if engine is None:
            self.warm_up()
        try:
            plan = self.plan(name, given, selection)
        except BaseException:
            self.cool_down()
            raise
        return self.run_planned(
            plan,
            jobs=jobs,
            keep_going=keep_going,
            listeners=listeners,
            engine=engine,
            keep_dump=keep_dump,
            keep_kernel=keep_kernel,
        )

    def cool_down(self) -> None:
        """End what `warm_up` started and no run took over."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def warm_up(self) -> None:
        """Start what a run needs, so that it comes up while the run is planned: the fork server."""
        from stagebook.execution import forking  # noqa: PLC0415 - as in run_planned

        if self._server is not None or not self.settings.run.fork or not forking.is_possible():
            return
        with contextlib.suppress(OSError):  # stages start the ordinary way then
            self._server = forking.ForkServer()

    def run_planned(  # noqa: PLR0913 - the options of a run
        self,
        plan: Plan,
        *,
        jobs: int | None = None,
        keep_going: bool = False,
        listeners: Sequence[Listener] = (),
        engine: Engine | None = None,
        keep_dump: bool = False,
        keep_kernel: bool = False,
    ) -> RunReport:
        """Run a plan that was made before. `keep_dump` and `keep_kernel`: what a failed stage leaves
        for a look afterwards."""
        if jobs is not None and jobs < 1:
            msg = f"--jobs has to be 1 or more, not {jobs}"
            raise UsageError(msg)
        # Commands that only look never come here, and do without the modules of execution.
        from stagebook.execution.local import LocalEngine  # noqa: PLC0415
        from stagebook.execution.runner import RunOptions  # noqa: PLC0415
        from stagebook.running import run_plan  # noqa: PLC0415

        settings = self.settings
        options = RunOptions(
            run_id=self.new_run_id(),
            jobs=jobs or settings.run.jobs or os.cpu_count() or 1,
            keep_going=keep_going,
            grace=settings.run.grace,
            keep_dump=keep_dump,
            keep_kernel=keep_kernel,
        )
        if engine is None:
            self.warm_up()
            server, self._server = self._server, None
            if server is not None:
                server.keep_log = self.root / STATE_FOLDER / "forkserver.log"
            engine = LocalEngine(
                server=server,
                modules=self._modules_ahead(plan),
                to_come=Counter(stage.executor for stage in plan.stages if stage.runs),
                jobs=options.jobs,
                clock=self._clock,
            )
        return run_plan(
            plan,
            root=self.root,
            options=options,
            journal=self.journal,
            engine=engine,
            executable=Workspace(self.root).executable,
            tracking_uri=self.tracking_uri,
            listeners=listeners,
            clock=self._clock,
        )

    def _modules_ahead(self, plan: Plan) -> list[str]:
        """What the fork server imports: as the settings say, or what is safe of the notebooks' imports."""
        if self.settings.run.preload is not None:
            return self.settings.run.preload
        folders = {self.root, *((self.root / stage.notebook).parent for stage in plan.stages if stage.runs)}
        local = {path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}
        return list(modules_to_import(plan.imports, local))

    def new_run_id(self) -> str:
        """An id for a run: its start in UTC, and four letters that make it unique."""
        at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock()))
        return f"{at}-{secrets.token_hex(2)}"

    def runs(self, pipeline: str | None = None, limit: int = 20) -> list[RunRecord]:
        """The latest runs, the newest first."""
        return self.journal.runs(pipeline=pipeline, limit=limit) if self.has_journal else []

    def close_ghosts(self) -> None:
        """Mark runs whose process vanished as interrupted."""
        self.journal.close_ghosts(_is_alive, self._clock())

    def find_run(self, run: str | None = None, pipeline: str | None = None) -> RunRecord:
        """A run by its id or the beginning of it; the latest one if none is named.

        Raises:
            RunNotFound: there is none, or the beginning fits several.
        """
        known = self.runs(pipeline, limit=10_000)
        if run in {None, "latest"}:
            if not known:
                msg = "nothing was run yet"
                raise RunNotFound(msg, hint="start with: stagebook run")
            return known[0]
        found = [record for record in known if record.id == run] or [
            record for record in known if record.id.startswith(str(run)) or record.id.endswith(str(run))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            msg = f"'{run}' fits {len(found)} runs"
            raise RunNotFound(msg, hint=f"such as {found[0].id} and {found[1].id}")
        msg = f"there is no run '{run}'"
        raise RunNotFound(msg, hint="stagebook runs lists them")

    def history(self, run: RunRecord) -> RunHistory:
        """What happened in a run, stage by stage."""
        return RunHistory(event for _, event in self.journal.events(run.id))

    def stage_of(self, run: RunRecord, stage: str) -> StageRecord:
        """One stage of a run. Raises `RunNotFound`."""
        stages = self.history(run).stages
        if stage not in stages:
            msg = f"the run {run.id} has no stage '{stage}'"
            raise RunNotFound(msg, hint=did_you_mean(stage, stages))
        return stages[stage]

    def dump_of(self, run: RunRecord, stage: str) -> Path:
        """The dump that a failed stage left for a debugger. Raises `RunNotFound`."""
        record = self.stage_of(run, stage)
        path = self.root / record.folder / record.dump
        if not record.dump or not path.is_file():
            what = "did not fail" if record.cause is None else "left no dump"
            msg = f"the stage '{stage}' of the run {run.id} {what}"
            raise RunNotFound(msg, hint="run it with: stagebook run --debug-on-failure")
        return path

    def kept_kernels(self) -> list[tuple[RunRecord, StageRecord]]:
        """The kernels that failed stages left alive, the latest runs first."""
        if not self.has_journal:
            return []
        found = []
        for name in self.journal.runs_with_kernels():
            run = self.find_run(name)
            stages = self.history(run).stages.values()
            found += [(run, stage) for stage in stages if stage.kernel and _is_kernel(stage.kernel)]
        return found

    def end_kernel(self, run: RunRecord, stage: str) -> bool:
        """End a kernel that was kept; whether there was one."""
        kernel = self.stage_of(run, stage).kernel
        if kernel is None or not _is_kernel(kernel):
            return False
        from stagebook.system.processes import end  # noqa: PLC0415 - commands that look do without

        end(kernel["pid"])
        shutil.rmtree(Path(kernel["connection_file"]).parent, ignore_errors=True)  # made for it alone
        return True

    def latest_stages(self, pipeline: str) -> dict[str, tuple[RunRecord, StageRecord]]:
        """For each stage of a pipeline, the last run that did anything about it."""
        latest: dict[str, tuple[RunRecord, StageRecord]] = {}
        for run in self.runs(pipeline, limit=20):
            for name, stage in self.history(run).stages.items():
                if name not in latest and stage.status is not Status.SKIPPED:
                    latest[name] = (run, stage)
        return latest

    def sync(self) -> int:
        """Deliver to MLflow what is pending; the number of records that are left."""
        uri = self.tracking_uri
        if uri is None:
            msg = "tracking is switched off in the settings"
            raise UsageError(msg, hint="set tracking.enabled to true")
        if not self.has_journal:
            return 0
        from stagebook.running import Delivery  # noqa: PLC0415 - as in run_planned

        delivery = Delivery(self.journal, self.root, uri)
        delivery.start(None)
        return delivery.finish(patience=120.0)


class _Earlier:
    """The scraps that the latest runs of a pipeline left, read when they are first asked for."""

    def __init__(self, project: Project, pipeline: str) -> None:
        self._project = project
        self._pipeline = pipeline
        self._latest: dict[str, tuple[RunRecord, StageRecord]] | None = None

    def __call__(self, stage: str) -> Mapping[str, Value] | None:
        if self._latest is None:
            self._latest = self._project.latest_stages(self._pipeline)
        known = self._latest.get(stage)
        if known is None or known[1].status is not Status.COMPLETED:
            return None
        return {name: scrap["value"] for name, scrap in known[1].scraps.items() if "value" in scrap}


def _is_kernel(kernel: Mapping[str, Any]) -> bool:
    """Whether a kept kernel is still there: a process of that id may be another one by now."""
    from stagebook.system.processes import started_at  # noqa: PLC0415 - as above

    at = started_at(kernel["pid"])
    return at is not None and abs(at - kernel["started"]) < 1.0


def _is_alive(owner: Owner) -> bool:
    from stagebook.running import is_alive  # noqa: PLC0415 - asked only where a run has an owner

    return is_alive(owner)


def _has_section(folder: Path) -> bool:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    try:
        return "stagebook" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False
