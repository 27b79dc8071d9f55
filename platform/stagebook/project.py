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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stagebook.errors import (
    PipelineBusy,
    PipelineInvalid,
    ProjectNotFound,
    UsageError,
)
from stagebook.journal.journal import MLFLOW
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.preload import modules_to_import
from stagebook.planning.select import Selection
from stagebook.runs.prepare import PIPELINES, Given, Ordered, Orders
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.settings import FILE

if TYPE_CHECKING:
    from stagebook.execution.engine.protocol import Engine
    from stagebook.execution.fork.client import ForkServer
    from stagebook.runs.run import Delivery, Listener, RunReport

__all__ = ["Given", "Ordered", "Project"]


class Project(Orders):
    """A folder with pipelines. Nothing is read before it is asked for."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(root, clock=clock)
        self._server: ForkServer | None = None

    def close(self) -> None:
        """Close the journal. A project may also be used in a `with` statement."""
        self.cool_down()
        if self._dependencies is not None:
            self._dependencies.file_cache.save()
            self._dependencies = None
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
        from stagebook.execution.fork import client  # noqa: PLC0415 - as in run_planned

        if self._server is not None or not self.settings.run.fork or not client.is_possible():
            return
        with contextlib.suppress(OSError):  # stages start the ordinary way then
            self._server = client.ForkServer()

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
        from stagebook.execution.engine.local import LocalEngine  # noqa: PLC0415
        from stagebook.execution.runner.context import RunOptions  # noqa: PLC0415
        from stagebook.runs.run import Around, run_plan  # noqa: PLC0415

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
            dependencies=self.dependencies,
            planner=ordered.planner if ordered is not None else None,
            store=self.store if settings.store.enabled else None,
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
            self.dependencies.file_cache.save()

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
        texts = json.dumps(self.dependencies.sources(stage.notebook, stage.runs_in)).encode()
        return self.store.blobs.keep_bytes(texts) or ""

    def tell_mlflow(self) -> None:
        """Tell MLflow of what is pending, in a process that goes on by itself."""
        uri = self.tracking_uri
        if uri is not None and self.has_journal and self.journal.count_pending(MLFLOW):
            from stagebook.runs.run import Delivery  # noqa: PLC0415 - as in run_planned

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
        from stagebook.runs.run import Delivery  # noqa: PLC0415 - as in run_planned

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
