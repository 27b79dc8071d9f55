"""A project: the composition root, and the public Python API.

project = Project.open()
plan = project.plan("flights", {"months": [1, 2]})
report = project.run("flights", {"months": [1, 2]})
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stagebook.archive import Archive, Earlier
from stagebook.definition.facts import Facts
from stagebook.definition.loader import Loaded, load_pipeline
from stagebook.definition.overrides import bind_params, parse_file, parse_pairs
from stagebook.definition.paths import STATE_FOLDER
from stagebook.definition.pipeline import Pipeline
from stagebook.definition.settings import FILE, Settings, read_settings
from stagebook.definition.values import Value
from stagebook.definition.workspace import Workspace
from stagebook.errors import (
    PipelineBusy,
    PipelineInvalid,
    PipelineNotFound,
    Problem,
    ProjectNotFound,
    UsageError,
    did_you_mean,
)
from stagebook.planning.build import Planner
from stagebook.planning.expand import Expansion
from stagebook.planning.judging import Judge, Rules
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.preload import modules_to_import
from stagebook.planning.results import NoResults, Result
from stagebook.planning.select import Matching, Selection
from stagebook.record.journal import MLFLOW, RunRecord
from stagebook.record.results import KnownResults
from stagebook.resuming import Rest, changed_since, refuse_changed, rest_of
from stagebook.system.blobs import Blobs
from stagebook.system.memo import Memo

if TYPE_CHECKING:
    from stagebook.execution.engine import Engine
    from stagebook.execution.forking import ForkServer
    from stagebook.running import Delivery, Listener, RunReport

PIPELINES = "pipelines"
_SUFFIXES = (".yaml", ".yml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The parameters that were given for a run: `name=value` texts, files, and values."""

    pairs: Sequence[str] = ()
    files: Sequence[Path] = ()
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A run that was planned. `forced`: stages to run whatever is known (names or globs; None: none);
    `rest`: what it goes on with."""

    plan: Plan
    planner: Planner
    selection: Selection
    forced: tuple[str, ...] | None = None
    rest: Rest | None = None


class Project(Archive):
    """A folder with pipelines. Nothing is read before it is asked for."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(root, clock=clock)
        self._settings: Settings | None = None
        self._server: ForkServer | None = None
        self._facts: Facts | None = None
        self._blobs: Blobs | None = None

    def close(self) -> None:
        """Close the journal. A project may also be used in a `with` statement."""
        self.cool_down()
        if self._facts is not None:
            self._facts.memo.save()
            self._facts = None
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
        return self.order(name, given, selection).plan

    def order(
        self,
        name: str | None = None,
        given: Given | None = None,
        selection: Selection | None = None,
        *,
        forced: Sequence[str] | None = None,
        rest: Rest | None = None,
    ) -> Ordered:
        """Plan a run. Raises as `plan`."""
        loaded = self.load(name)
        params, problems = self._params(loaded.pipeline, given or Given())
        missing = [p for p in loaded.pipeline.params.values() if p.required and params[p.name] is None]
        if missing and problems:
            raise PipelineInvalid([*loaded.problems, *problems])
        pipeline = loaded.pipeline.name
        facts = self.facts
        facts.forget()
        rules = Rules(
            forced=() if forced is None else Matching(forced or ("*",)),
            finished=rest.finished if rest is not None else {},
        )
        results = KnownResults(self.journal) if self.has_journal else NoResults()
        planner = Planner(
            loaded.pipeline,
            params,
            facts.workspace,
            selection=selection,
            env=os.environ,
            earlier=Earlier(self, results, pipeline),
            problems=[*loaded.problems, *problems],
            judge=Judge(pipeline, facts, results, rules),
        )
        try:
            plan = planner.plan()
        finally:
            facts.memo.save()
        return Ordered(
            plan=plan,
            planner=planner,
            selection=selection or Selection(),
            forced=None if forced is None else tuple(forced),
            rest=rest,
        )

    def order_rest(self, run: RunRecord, *, failed_only: bool = False, keep: bool = False) -> Ordered:
        """Plan what is left of a run: what it finished is not run again. With `failed_only`, what failed
        and what depends on it; with `keep`, also where what was finished would come out otherwise today.

        Raises:
            UsageError: nothing is left, or the run is going on.
            ResumeRefused: what was finished depends on what changed since.
        """
        if run.ended is None:
            from stagebook.ownership import outwait  # noqa: PLC0415 - psutil, which looking does without

            outwait(self.journal, run.id, clock=self._clock)
        rest = rest_of(run.id, self.journal.events, self._result)
        if failed_only and not rest.failed:
            msg = f"no stage of the run {run.id} failed"
            raise UsageError(msg, hint=f"go on with the rest of it: stagebook resume {run.id}")
        selection = rest.with_failed_only() if failed_only else rest.selection
        given = Given(values=dict(rest.started.plan.get("params", {})))
        path = str(rest.started.plan.get("path", run.pipeline))
        ordered = self.order(path, given, selection, forced=rest.forced, rest=rest)
        judge = ordered.planner.judge
        assert judge is not None
        if not keep:
            changed = changed_since(ordered.plan, judge, rest.finished)
            if changed:
                raise refuse_changed(run.id, run.pipeline, changed)
        return ordered

    def _result(self, number: int) -> Result | None:
        return next(iter(self.journal.results("number = ?", (number,))), None)

    @property
    def blobs(self) -> Blobs:
        """The store."""
        if self._blobs is None:
            self._blobs = Blobs(self.root / STATE_FOLDER / "store")
        return self._blobs

    @property
    def facts(self) -> Facts:
        """What results depend on, as it is on disk and on this machine."""
        if self._facts is None:
            memo = Memo(self.root / STATE_FOLDER / "cache" / "files.json")
            self._facts = Facts(
                Workspace(self.root, memo),
                memo,
                self.blobs,
                os.environ,
                restores=self.settings.store.enabled,
            )
        return self._facts

    def check_params(self, name: str | None, given: Given) -> None:
        """Raises `PipelineInvalid` for what is wrong with parameters."""
        loaded = self.load(name)
        _, problems = self._params(loaded.pipeline, given)
        if problems:
            raise PipelineInvalid([*loaded.problems, *problems])

    def stage_ids(self, name: str | None = None) -> list[str]:
        """The stage instances of a pipeline as its file has them now, with the default parameters.
        Notebooks are not read, and mistakes are not told."""
        loaded = self.load(name)
        params, _ = self._params(loaded.pipeline, Given())
        return list(Expansion(loaded.pipeline, params, self.facts.workspace, os.environ).expand())

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

    def run(
        self,
        name: str | None = None,
        given: Given | None = None,
        selection: Selection | None = None,
        *,
        forced: Sequence[str] | None = None,
        **options: Any,
    ) -> RunReport:
        """Plan and run a pipeline: `order`, then `run_planned` with its `options`. Raises as these do."""
        if options.get("engine") is None:
            self.warm_up()
        try:
            ordered = self.order(name, given, selection, forced=forced)
        except BaseException:
            self.cool_down()
            raise
        return self.run_planned(ordered, **options)

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
        planned: Ordered | Plan,
        *,
        jobs: int | None = None,
        keep_going: bool = False,
        listeners: Sequence[Listener] = (),
        engine: Engine | None = None,
        keep_dump: bool = False,
        keep_kernel: bool = False,
        wait: bool = False,
        waiting: Callable[[PipelineBusy], None] = lambda _busy: None,
        parent: str = "",
        delivery: Delivery | None = None,
        keep_server: bool = False,
    ) -> RunReport:
        """Run what was planned before; a plan alone runs all of its stages.

        `keep_dump` and `keep_kernel`: what a failed stage leaves for a look afterwards. `wait` until no
        other process runs the pipeline; `waiting` is told whom it waits for. `parent`: the sweep that
        this is a point of, and `delivery` what tells MLflow of it.

        Raises:
            PipelineBusy: another process runs this pipeline.
            RunTakenOver: this process was stopped so long that another one took over.
        """
        if jobs is not None and jobs < 1:
            msg = f"--jobs has to be 1 or more, not {jobs}"
            raise UsageError(msg)
        # Commands that only look never come here, and do without the modules of execution.
        from stagebook.execution.local import LocalEngine  # noqa: PLC0415
        from stagebook.execution.runner import RunOptions  # noqa: PLC0415
        from stagebook.running import Around, run_plan  # noqa: PLC0415

        settings = self.settings
        ordered = planned if isinstance(planned, Ordered) else None
        plan = ordered.plan if ordered is not None else planned
        assert isinstance(plan, Plan)
        rest = ordered.rest if ordered is not None else None
        options = RunOptions(
            run_id=self.new_run_id(),
            jobs=jobs or (rest.started.jobs if rest else None) or settings.run.jobs or os.cpu_count() or 1,
            keep_going=keep_going or bool(rest and rest.started.keep_going),
            grace=settings.run.grace,
            keep_dump=keep_dump,
            keep_kernel=keep_kernel,
            store_most=settings.store.max_output_mb * 1_000_000,
        )
        if engine is None:
            self.warm_up()
            server = self._server
            if not keep_server:
                self._server = None
            if server is not None:
                server.keep_log = self.root / STATE_FOLDER / "forkserver.log"
            engine = LocalEngine(
                server=server,
                modules=self._modules_ahead(plan),
                to_come=Counter(stage.executor for stage in plan.stages if stage.runs),
                jobs=options.jobs,
                clock=self._clock,
                keep_server=keep_server,
            )
        request: dict[str, Any] = {}
        if ordered is not None:
            asked = dataclasses.asdict(ordered.selection)
            request = {
                "selection": {name: list(texts) for name, texts in asked.items()},
                "forced": None if ordered.forced is None else list(ordered.forced),
            }
        around = Around(
            root=self.root,
            journal=self.journal,
            tracking_uri=self.tracking_uri,
            facts=self.facts,
            planner=ordered.planner if ordered is not None else None,
            blobs=self.blobs if settings.store.enabled else None,
            clock=self._clock,
            wait=wait,
            waiting=waiting,
            parent=parent,
            delivery=delivery,
            resumes=rest.started.run if rest else "",
            request=request,
        )
        try:
            return run_plan(plan, options=options, engine=engine, around=around, listeners=listeners)
        finally:
            self.facts.memo.save()

    def _modules_ahead(self, plan: Plan) -> list[str]:
        """What the fork server imports: as the settings say, or what is safe of the notebooks' imports."""
        if self.settings.run.preload is not None:
            return self.settings.run.preload
        folders = {self.root, *((self.root / stage.notebook).parent for stage in plan.stages if stage.runs)}
        local = {path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}
        return list(modules_to_import(plan.imports, local))

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def keep_sources(self, stage: PlannedStage) -> str:
        """Keep the texts of a stage's code, to compare them later; the digest of that."""
        texts = json.dumps(self.facts.sources(stage.notebook)).encode()
        return self.blobs.keep_bytes(texts) or ""

    def tell_mlflow(self) -> None:
        """Tell MLflow of what is pending, in a process that goes on by itself."""
        uri = self.tracking_uri
        if uri is not None and self.has_journal and self.journal.count_pending(MLFLOW):
            from stagebook.running import Delivery  # noqa: PLC0415 - as in run_planned

            Delivery(self.journal, self.root, uri).leave_behind()

    def close_ghosts(self) -> list[str]:
        """Mark runs whose process vanished as interrupted, here and in MLflow; their ids."""
        found = super().close_ghosts()
        if found:
            with contextlib.suppress(PipelineInvalid):  # of the settings, which the command tells
                self.tell_mlflow()
        return found

    def new_run_id(self) -> str:
        """An id for a run: its start in UTC, and four letters that make it unique."""
        at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock()))
        return f"{at}-{secrets.token_hex(2)}"

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
        delivery.start()
        return delivery.finish(patience=120.0)


def _has_section(folder: Path) -> bool:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    try:
        return "stagebook" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False
