"""One run, put together: the runner on the local engine, the journal, and the way to MLflow."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.connections.connection import connection_variables
from stagebook.events import RunStarted, Status
from stagebook.execution.engine.protocol import Engine
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.runner import Runner
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal
from stagebook.planning.connections import read_through
from stagebook.planning.plan import Decision, Plan
from stagebook.planning.planner import Planner
from stagebook.planning.undeclared import marks
from stagebook.published.manifest import Manifest
from stagebook.runs.asides import is_unfinished
from stagebook.runs.cancel import why_cancelled
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.lease import heartbeat, take_ownership
from stagebook.runs.measuring import Measuring
from stagebook.runs.origin import describe_origin
from stagebook.runs.push import Shared
from stagebook.runs.recorder import Recorder
from stagebook.system.secret_sources import SecretSource, variables_of
from stagebook.system.store import Store
from stagebook.tracking.delivery import Delivery, MlflowEnvironment
from stagebook.tracking.state import TrackingState, state_of
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import STATE_FOLDER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What became of a run.

    Args:
        undelivered: how many records MLflow has yet to get; `tracking` says more.
        plan: as it has grown.
        quiet: nothing was to be done, and MLflow is not told of it.
        version: what the environment shows from then on; `None` where nothing was published.
        shared: what passed between it and the shared store; `None` where there is none.
    """

    run: str
    status: Status
    history: RunHistory
    undelivered: int
    plan: Plan
    quiet: bool = False
    tracking: TrackingState = dataclasses.field(default_factory=TrackingState)
    version: Manifest | None = None
    shared: Shared | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """What a run works with.

    Args:
        delivery: what tells MLflow of the run; `None` where tracking is switched off, or a sweep's does.
        planner: decides about reuse, and expands stages; without it all stages of the plan run.
        store: `None` where it is switched off.
        wait: whether to wait while another process runs the pipeline.
        resumes: the run that this one goes on with.
        request: what was asked for, as `RunStarted` has it.
        secrets: where secrets come from, as far as that is declared.
        measures: whether outputs that are tables are measured.
        environment: the name of the environment, empty for the working tree; `release`: what is executed in it;
            `experiment`: what is added to the name of the experiment in MLflow.
        schedule: the name of the schedule that started it.
    """

    root: Path
    journal: Journal
    delivery: Delivery | None
    dependencies: ProjectDependencies
    planner: Planner | None
    store: Store | None
    clock: Callable[[], float]
    wait: bool
    hooks: LaunchHooks
    resumes: str
    request: Mapping[str, Any]
    secrets: Mapping[str, SecretSource]
    measures: bool = False
    environment: str = ""
    release: str = ""
    experiment: str = ""
    schedule: str = ""


def run_plan(plan: Plan, *, options: RunOptions, engine: Engine, parts: RunParts) -> RunReport:
    """Run a plan to its end, recorded. SIGINT and SIGTERM cancel it; a second one forces the end.

    Raises:
        PipelineBusy: another process runs this pipeline.
        RunTakenOver: another process took the pipeline over, since this one had been stopped.
        JournalUnreadable: the journal cannot be written; the run is stopped.
    """
    journal, hooks, run = parts.journal, parts.hooks, options.run_id
    quiet = not hooks.parent and _changes_nothing(plan)
    expected = journal.events.durations(plan.pipeline)
    try:
        begin = _started(plan, options, parts, quiet=quiet)
        started = take_ownership(journal, begin, clock=parts.clock, wait=parts.wait, waiting=hooks.waiting)
    except BaseException:  # raised again: nothing else closes the engine then
        engine.close()
        _discard(parts.delivery)
        raise
    recorder = Recorder(journal, run, hooks.listeners)
    with contextlib.ExitStack() as closing:
        closing.callback(engine.close)
        closing.callback(_discard, parts.delivery)
        closing.enter_context(recorder.closing(parts.clock))
        recorder.tell([started])
        own = parts.delivery
        delivery = hooks.delivery or own
        if delivery is not None and any(stage.runs for stage in plan.stages):
            delivery.start(run)
        hidden = variables_of(parts.secrets.values())
        measuring = Measuring(parts.root, parts.clock, hidden) if parts.measures else None
        if measuring is not None:
            closing.callback(measuring.close)
        context = _context(plan, run, parts, recorder, delivery, expected)
        if measuring is not None:
            context = dataclasses.replace(context, emit=lambda told: recorder.emit(measuring.take(told)))
        runner = Runner(plan, engine, options, context)
        with (
            heartbeat(journal.path, run),
            _signals_cancel(
                runner, delivery, lambda number: why_cancelled(parts.root, (run, hooks.parent), number)
            ),
        ):
            try:
                status = runner.run()
            finally:
                undelivered = _end_delivery(own, quiet=quiet, behind=hooks.behind)
    _remember(parts.dependencies, runner.published)
    quiet = quiet and not (delivery and delivery.started)
    return RunReport(
        run=run,
        status=status,
        history=recorder.history,
        undelivered=undelivered,
        plan=runner.plan,
        quiet=quiet,
        tracking=TrackingState()
        if own is None
        else state_of(journal.outbox, undelivered, run=run, behind=hooks.behind),
    )


def _discard(delivery: Delivery | None) -> None:
    if delivery is not None:
        delivery.discard()


def _end_delivery(delivery: Delivery | None, *, quiet: bool, behind: bool) -> int:
    """The run is over; how many records its own delivery has yet to tell, where that is waited for."""
    if delivery is None or (quiet and not delivery.started):
        return 0
    if not delivery.started:
        delivery.leave_behind()  # nothing ran: MLflow is told while nobody waits
        return 0
    return let_go(delivery, behind=behind)


def let_go(delivery: Delivery, *, behind: bool) -> int:
    """The run is over, and MLflow may have yet to be told of it; how many records are left."""
    if not behind:
        return delivery.finish()
    delivery.leave()
    return delivery.left()


def _started(plan: Plan, options: RunOptions, parts: RunParts, *, quiet: bool) -> RunStarted:
    return RunStarted(
        run=options.run_id,
        at=parts.clock(),
        pipeline=plan.pipeline,
        plan=plan.to_json(),
        jobs=options.jobs,
        keep_going=options.keep_going,
        origin=dataclasses.replace(
            describe_origin(parts.root), signals=threading.current_thread() is threading.main_thread()
        ),
        parent=parts.hooks.parent,
        resumes=parts.resumes,
        request=parts.request,
        quiet=quiet,
        environment=parts.environment,
        release=parts.release,
        experiment=parts.experiment,
        interval={} if plan.interval is None else plan.interval.to_json(),
        schedule=parts.schedule,
    )


def _context(
    plan: Plan,
    run: str,
    parts: RunParts,
    recorder: Recorder,
    delivery: Delivery | None,
    expected: Mapping[str, float],
) -> RunContext:
    dependencies = parts.dependencies
    folder = parts.root / STATE_FOLDER / "runs" / run
    return RunContext(
        root=parts.root,
        folder=folder,
        clock=parts.clock,
        emit=recorder.emit,
        executable=dependencies.workspace.executable,
        prepare=MlflowEnvironment(plan.pipeline + parts.experiment, run, folder, delivery),
        expected=expected,
        planner=parts.planner,
        store=parts.store,
        guard=recorder.guard,
        sources=lambda stage: dependencies.sources(stage.notebook, stage.runs_in, stage.folder),
        code_paths=lambda stage: [
            *dependencies.code_paths(stage.notebook, stage.runs_in, stage.folder),
            *read_through(stage, dependencies.workspace),
        ],
        variables=lambda stage: {
            **connection_variables(dependencies.workspace.remotes.named(stage.connections), parts.root),
            **stage.variables,
        },
        secrets=parts.secrets,
        undeclared=lambda stage, observed: marks(stage, observed, dependencies),
        unfinished=lambda run, stage, number: is_unfinished(parts.journal, run, stage, number),
    )


def _changes_nothing(plan: Plan) -> bool:
    """Whether a run of this plan would find all as it is to be."""
    return all(
        stage.decision is Decision.SKIP
        or (stage.decision is Decision.REUSE and not (stage.judgement and stage.judgement.restores))
        for stage in plan.stages
    )


def _remember(dependencies: ProjectDependencies, published: Mapping[str, tuple[object, str]]) -> None:
    """Outputs that are as they were published need not be read again to know what they are."""
    for path, (stamp, digest) in published.items():
        if dependencies.stamp(path) == stamp:
            dependencies.note(path, digest)


@contextlib.contextmanager
def _signals_cancel(runner: Runner, delivery: Delivery | None, why: Callable[[int], str]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0

    def handle(number: int, _frame: object) -> None:
        nonlocal seen
        seen += 1
        if seen > 1 and delivery is not None:
            delivery.give_up()
        runner.cancel(why(number))

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    # What is ignored stays ignored: that is how nohup and a shell's `&` ask a run to go on.
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
