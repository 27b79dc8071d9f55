"""Running what was planned: the engine, its fork server, and the delivery to MLflow."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from stagebook.errors import JournalUnreadable, UsageError
from stagebook.events import Status
from stagebook.execution.engine.local import LocalEngine
from stagebook.execution.engine.protocol import Engine
from stagebook.execution.fork import client
from stagebook.execution.runner.context import RunOptions
from stagebook.journal.journal import MLFLOW, Journal
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.preload import modules_to_import
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.incidents import compared
from stagebook.runs.origin import describe_origin, person_name
from stagebook.runs.prepare import PreparedRun
from stagebook.runs.publishing import Publisher, record
from stagebook.runs.push import Shared, Sharing
from stagebook.runs.request import RunRequest
from stagebook.runs.resume import asked_for
from stagebook.runs.run import RunParts, RunReport, run_plan
from stagebook.runs.shown import tell
from stagebook.runs.telling import tell_people
from stagebook.sharing.shared_store import SharedStore
from stagebook.system.secret_sources import variables_of
from stagebook.system.store import Store
from stagebook.tracking.delivery import Delivery
from stagebook.tracking.state import TrackingState, state_of
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER, home_of
from stagebook.workspace.project_name import project_name
from stagebook.workspace.settings import Settings


class Launcher:
    """Starts runs of one project."""

    def __init__(  # noqa: PLR0913 - the parts of a project that a run works with
        self,
        root: Path,
        *,
        settings: Settings,
        journal: Callable[[], Journal],
        dependencies: ProjectDependencies,
        store: Store,
        tracking_uri: str | None,
        clock: Callable[[], float],
        make_id: Callable[[float], str],
        publisher: Publisher | None = None,
        shared: SharedStore | None = None,
    ) -> None:
        self.root = root
        self.publisher = publisher
        self.sharing = (
            None
            if shared is None
            else Sharing(
                root=root,
                shared=shared,
                journal=journal,
                store=store,
                project=lambda: project_name(home_of(root), settings.project.name),
            )
        )
        self.dependencies = dependencies
        self.store = store
        self.tracking_uri = tracking_uri
        self.now = clock
        self._make_id = make_id
        self.settings = settings
        self.hidden = variables_of(settings.secret_sources.values())
        self._journal = journal
        self._server: client.ForkServer | None = None
        self._delivery: Delivery | None = None

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use."""
        return self._journal()

    def warm_up(self) -> None:
        """Start what a run needs, so that it comes up while the run is planned: the fork server, and what tells
        MLflow."""
        if not self.settings.run.fork:
            client.discard_early()
        elif self._server is None and client.is_possible():
            with contextlib.suppress(OSError):  # stages start the ordinary way then
                self._server = client.take_server(self.hidden)
        if self._delivery is None and self.tracking_uri is not None and self.has_journal:
            self._delivery = _new_delivery(self, self.tracking_uri)
            with contextlib.suppress(OSError):  # it is started with the run then
                self._delivery.warm_up()

    @property
    def has_journal(self) -> bool:
        """Whether anything was recorded yet."""
        return (self.root / STATE_FOLDER / "journal.db").is_file()

    def delivery(self) -> Delivery | None:
        """What tells MLflow of a run that begins now; `None` where tracking is switched off."""
        found, self._delivery = self._delivery, None
        if found is None and self.tracking_uri is not None:
            found = _new_delivery(self, self.tracking_uri)
        return found

    def cool_down(self) -> None:
        """End what `warm_up` started and no run took over."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._delivery is not None:
            self._delivery.discard()
            self._delivery = None

    def run(
        self, planned: PreparedRun | Plan, request: RunRequest, hooks: LaunchHooks | None = None
    ) -> RunReport:
        """Run what was planned; of a plan alone, all of its stages. Of `request`, how to run counts.

        Raises:
            PipelineBusy: another process runs this pipeline.
            RunTakenOver: this process was stopped so long that another one took over.
            UsageError: the number of jobs is none.
        """
        if request.jobs is not None and request.jobs < 1:
            raise UsageError(f"--jobs has to be 1 or more, not {request.jobs}")
        hooks = hooks or LaunchHooks()
        prepared = planned if isinstance(planned, PreparedRun) else None
        plan = planned.plan if isinstance(planned, PreparedRun) else planned
        rest = prepared.rest if prepared is not None else None
        asked = asked_for(prepared.selection, prepared.forced) if prepared is not None else {}
        options = self._options(request, prepared)
        if self.settings.notify:
            self.journal.alerts.begin()
        engine = hooks.engine or self._engine(plan, options, keep_server=hooks.keep_server)
        parts = RunParts(
            root=self.root,
            journal=self.journal,
            delivery=None if hooks.delivery is not None else self.delivery(),
            dependencies=self.dependencies,
            planner=prepared.planner if prepared is not None else None,
            store=self.store if self.settings.store.enabled else None,
            clock=self.now,
            wait=request.wait,
            hooks=hooks,
            resumes=rest.started.run if rest else "",
            request=asked,
            secrets=self.settings.secret_sources,
            measures=self.settings.monitors.enabled,
            schedule=request.schedule or (rest.started.schedule if rest else ""),
            **(self.publisher.told if self.publisher is not None else {}),
        )
        try:
            report = run_plan(plan, options=options, engine=engine, parts=parts)
        finally:
            self.dependencies.file_cache.save()
        if not hooks.parent:
            compare_figures(self, report)
            tell_people(self.root, self.settings, _environment(self))
        taken = self.sharing.adopt(plan.pipeline, report.history) if self.sharing is not None else 0
        publishes = hooks.publishes and not hooks.parent and report.status is Status.COMPLETED
        if self.publisher is not None and publishes:
            made = self.publisher.publish([report], by=person_name())
            _record_version(self)
            report = dataclasses.replace(report, version=made)
        if self.sharing is None or not hooks.publishes:
            return report
        # All of the run is safe by now, and readers see it: what comes of this changes nothing about it.
        return dataclasses.replace(report, shared=dataclasses.replace(share(self, self.sharing), taken=taken))

    def _options(self, request: RunRequest, prepared: PreparedRun | None) -> RunOptions:
        started = prepared.rest.started if prepared is not None and prepared.rest is not None else None
        before = started.jobs if started is not None else None
        return RunOptions(
            run_id=request.run_id or self.new_run_id(),
            jobs=request.jobs or before or self.settings.run.jobs or os.cpu_count() or 1,
            keep_going=request.keep_going or (started is not None and started.keep_going),
            grace=self.settings.run.grace,
            keep_dump=request.keep_dump,
            keep_kernel=request.keep_kernel,
            store_most=self.settings.store.max_output_mb * 1_000_000,
        )

    def _engine(self, plan: Plan, options: RunOptions, *, keep_server: bool) -> Engine:
        self.warm_up()
        server = self._server
        if not keep_server:
            self._server = None
        if server is not None:
            server.keep_log = self.root / STATE_FOLDER / "forkserver.log"
        return LocalEngine(
            server=server,
            modules=self._modules_ahead(plan),
            to_come=Counter(stage.executor for stage in plan.stages if stage.runs),
            jobs=options.jobs,
            keep_server=keep_server,
        )

    def _modules_ahead(self, plan: Plan) -> list[str]:
        """What the fork server imports: as the settings say, or what is safe of the notebooks' imports."""
        if self.settings.run.preload is not None:
            return self.settings.run.preload
        folders = {self.root, *((self.root / stage.notebook).parent for stage in plan.stages if stage.runs)}
        local = {path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}
        return list(modules_to_import(plan.imports, local))

    def new_run_id(self) -> str:
        """An id for a run that begins now."""
        return self._make_id(self.now())

    def keep_sources(self, stage: PlannedStage) -> str:
        """Keep the texts of a stage's code, to compare them later; the digest of that."""
        texts = json.dumps(self.dependencies.sources(stage.notebook, stage.runs_in, stage.folder)).encode()
        return self.store.blobs.keep_bytes(texts) or ""

    def tell_mlflow(self) -> None:
        """Tell MLflow of what is pending, in a process that goes on by itself."""
        if self.tracking_uri is not None and self.journal.outbox.count_pending(MLFLOW):
            _new_delivery(self, self.tracking_uri).leave_behind()

    def tracking_state(self, left: int) -> TrackingState:
        """How far MLflow has been told of all runs, of which `left` records are left."""
        return state_of(self.journal.outbox, left)

    def sync(self) -> int:
        """Deliver to MLflow what is pending; the number of records that are left.

        Raises:
            UsageError: tracking is switched off.
        """
        if self.tracking_uri is None:
            raise UsageError("tracking is switched off in the settings", hint="set tracking.enabled to true")
        delivery = _new_delivery(self, self.tracking_uri)
        delivery.start()
        try:
            return delivery.finish(patience=120.0)
        except BaseException:  # raised again: nobody waits for it any more
            delivery.stop()
            raise


def share(launcher: Launcher, sharing: Sharing) -> Shared:
    """Put what came since into the store that is shared with others, and tell there what the environment shows."""
    done = sharing.push()
    if launcher.publisher is not None:
        tell(sharing, launcher.publisher.environment, launcher.publisher.table)
    return dataclasses.replace(
        done, cautions=tuple(dict.fromkeys((*done.cautions, *sharing.shared.cautions)))
    )


def record_version(launcher: Launcher) -> None:
    """Tell the journal, MLflow and people of the version that the environment shows, if that is not told yet."""
    if _record_version(launcher):
        tell_people(launcher.root, launcher.settings, _environment(launcher))


def tell_of_series(launcher: Launcher) -> None:
    """Tell people what came of runs that were started together: of each by itself they are not told."""
    tell_people(launcher.root, launcher.settings, _environment(launcher))


def _record_version(launcher: Launcher) -> bool:
    """The same without people, who are not told of the versions of runs; whether there was anything to tell."""
    one = launcher.publisher
    if one is None or not record(
        one.versions, launcher.journal, one.environment, describe_origin(one.root), launcher.new_run_id
    ):
        return False
    launcher.tell_mlflow()
    return True


def compare_figures(launcher: Launcher, report: RunReport) -> None:
    """Record what is unusual about a run that may open incidents."""
    if not launcher.settings.opens_incidents(_environment(launcher)):
        return
    monitors, pipeline = launcher.settings.monitors, report.plan.pipeline
    with contextlib.suppress(JournalUnreadable):  # it is a courtesy
        if (event := compared(launcher, monitors, pipeline, report.run, report.history)) is not None:
            launcher.journal.append([event])


def _environment(launcher: Launcher) -> str:
    return launcher.publisher.environment.name if launcher.publisher is not None else DEV


def _new_delivery(launcher: Launcher, uri: str) -> Delivery:
    return Delivery(launcher.journal, launcher.root, uri, launcher.hidden)
