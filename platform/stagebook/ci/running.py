"""Carrying continuous integration out: check, run what changed, compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from stagebook.audits import Audit, Outcome, Severity
from stagebook.ci.report import CiCheck, CiReport
from stagebook.comparing.compare import Comparer, Options
from stagebook.comparing.side import Side, SidePipeline
from stagebook.comparing.sides import Sides
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.events import Status
from stagebook.journal.history import StageRecord
from stagebook.project import Project
from stagebook.releases.release import Release
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.prepare import PreparedRun
from stagebook.runs.recorder import Listener
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport
from stagebook.runs.shown import ShownVersion
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER

ENVIRONMENT = "ci"  # where it runs, if it is declared
_SAMPLE = 5  # rows of a check that does not hold


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CiRequest:
    """What is asked for.

    Args:
        against: the environment to compare with; empty: none.
        environment: where to run; empty: `ci` if it is declared, else the working tree.
        pairs: parameters as `NAME=VALUE`, for the pipelines that have them.
        pipelines: these alone; all by default.
        options: what is compared.
        tests: tests of notebooks, which give their checks; `None`: none.
    """

    against: str = ""
    environment: str = ""
    pairs: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    options: Options = dataclasses.field(default_factory=Options)
    tests: Callable[[], Sequence[CiCheck]] | None = None


def run_ci(home: Project, request: CiRequest, listeners: Sequence[Listener] = ()) -> CiReport:
    """Check the working tree, run what changed, and compare it. What fails is in the report.

    Raises:
        UsageError: there is no such environment or pipeline.
        PipelineBusy: a run of the environment goes on.
    """
    if request.against:
        home.environments.find(request.against)  # raises
    name = request.environment or (ENVIRONMENT if ENVIRONMENT in home.environments.all() else DEV)
    names = _pipelines(home, request)
    checks: list[CiCheck] = []
    sound = []
    for pipeline in names:
        found = list(_mistakes(home, pipeline, request))
        checks += found or [CiCheck(group="check", suite=pipeline, name="check", outcome="passed")]
        if not found:
            sound.append(pipeline)
    project = home if name == DEV else home.in_environment(name)
    try:
        reports = {one: _run(project, one, request, listeners) for one in sound}
    finally:
        project.launcher.cool_down()
    for pipeline, report in reports.items():
        checks += _of_run(pipeline, report)
    checks += request.tests() if request.tests is not None else ()
    made = CiReport(
        against=request.against,
        environment=name,
        checks=tuple(checks),
        runs={pipeline: report.run for pipeline, report in reports.items()},
    )
    compared = _compared(home, project, made, reports, request)
    if project.launcher.sharing is not None:  # so that production takes what was computed here
        project.launcher.sharing.push()
    return compared


def _pipelines(home: Project, request: CiRequest) -> list[str]:
    known = home.catalog.names()
    for pipeline in request.pipelines:
        home.catalog.find(pipeline)  # raises
    if not known:
        raise UsageError("there is no pipeline to check", hint="make one: stagebook init NAME")
    return list(request.pipelines) or known


def _request(project: Project, pipeline: str, pairs: Sequence[str]) -> RunRequest:
    """A run of a pipeline, with those of the parameters that it has."""
    known = project.catalog.load(pipeline).pipeline.params
    own = tuple(pair for pair in pairs if pair.partition("=")[0] in known)
    return RunRequest(pipeline=pipeline, pairs=own, keep_going=True)


def _mistakes(home: Project, pipeline: str, request: CiRequest) -> Iterator[CiCheck]:
    try:
        home.preparer.prepare(_request(home, pipeline, request.pairs))
    except PipelineInvalid as error:
        for problem in error.problems:
            message, details = problem.message, problem.hint
            yield CiCheck(
                group="check",
                suite=pipeline,
                name=problem.place,
                outcome="failed",
                message=message,
                details=details,
            )


def _run(project: Project, pipeline: str, request: CiRequest, listeners: Sequence[Listener]) -> RunReport:
    asked = _request(project, pipeline, request.pairs)
    hooks = LaunchHooks(listeners=listeners, publishes=False, keep_server=True)
    return project.launcher.run(project.preparer.prepare(asked), asked, hooks)


# -- checks ---------------------------------------------------------------------------------------


def _of_run(pipeline: str, report: RunReport) -> Iterator[CiCheck]:
    for stage in report.history.stages.values():
        yield _of_stage(pipeline, stage)
        for output, audit in stage.audits.items():
            yield from _of_audit(pipeline, f"{stage.id}.{output}", audit)


def _of_stage(pipeline: str, stage: StageRecord) -> CiCheck:
    made = CiCheck(
        group="stage",
        suite=pipeline,
        name=stage.id,
        outcome="passed",
        seconds=stage.seconds(0.0) or 0.0 if stage.ended is not None else 0.0,
    )
    match stage.status:
        case Status.COMPLETED:
            return made
        case Status.REUSED:
            where = f"as in the run {stage.of_run}" if stage.of_run else "as before"
            return dataclasses.replace(made, message=f"taken: {where}")
        case Status.SKIPPED:
            return dataclasses.replace(made, outcome="skipped", message=stage.reason)
    at = f"at cell {stage.cell} of {stage.cells}: " if stage.cell and stage.cells else ""
    message = f"{at}{stage.message or stage.reason or stage.status}"
    return dataclasses.replace(made, outcome="failed", message=message, details=stage.traceback)


_OUTCOMES = {
    Severity.FAIL: "failed",
    Severity.QUARANTINE: "warned",
    Severity.WARN: "warned",
    Severity.LOG: "passed",
}


def _of_audit(pipeline: str, dataset: str, audit: Audit) -> Iterator[CiCheck]:
    for check in audit.checks:
        name = f"{dataset}: {check.text}"
        if check.outcome is Outcome.PASSED:
            yield CiCheck(group="contract", suite=pipeline, name=name, outcome="passed")
            continue
        rows = ("  ".join(f"{key}={item}" for key, item in row.items()) for row in check.sample[:_SAMPLE])
        place = f"{audit.contract}:{check.line}" if check.line else audit.contract
        yield CiCheck(
            group="contract",
            suite=pipeline,
            name=name,
            outcome=_OUTCOMES[check.severity],  # type: ignore[arg-type]
            message=check.message,
            details="\n".join([place, *rows]),
        )


# -- comparing ------------------------------------------------------------------------------------


def _compared(
    home: Project, project: Project, made: CiReport, reports: Mapping[str, RunReport], request: CiRequest
) -> CiReport:
    if not request.against:
        return made
    sides = Sides(home)
    shown = sides.shown.find(home.environments.find(request.against))
    if shown is None:
        remark = f"{request.against} shows nothing yet, so that there is nothing to compare with"
        return dataclasses.replace(made, remark=remark)
    before, baseline, remark = _before(home, project, sides, shown, reports)
    after = _after(project, sides, reports)
    comparer = Comparer(home.root, home.store, request.options)
    difference = comparer.compare(before.only(frozenset(after.pipelines)), after)
    images = comparer.images(difference, before, after)
    return dataclasses.replace(made, difference=difference, images=images, baseline=baseline, remark=remark)


def _after(project: Project, sides: Sides, reports: Mapping[str, RunReport]) -> Side:
    found: dict[str, SidePipeline] = {}
    for report in reports.values():
        run = project.journal.runs.find(report.run)
        if run is not None:
            found |= sides.run(run, project.journal, project.root / STATE_FOLDER).pipelines
    return Side(label="this change", pipelines=found)


def _before(
    home: Project, project: Project, sides: Sides, found: ShownVersion, reports: Mapping[str, RunReport]
) -> tuple[Side, str, str]:
    """What to compare with, what that is, and a remark. Where the parameters are not those of the environment, that is what
    its release comes to with the same parameters: else each difference would be one of the parameters."""
    shown, manifest = sides.of_shown(found), found.manifest
    other = [
        name
        for name, report in reports.items()
        if name in manifest.pipelines and dict(manifest.pipelines[name].params) != dict(report.plan.params)
    ]
    if not other or project is home:
        return shown, "", ""
    try:
        ran = {}
        for name in other:
            release = sides.shown.release(found, manifest.pipelines[name].release)
            ran[name] = _baseline(home, project, release, reports[name])
    except (UsageError, PipelineInvalid) as error:
        remark = f"the parameters are not those of {manifest.environment}, and its release cannot be run here: {error}"
        return shown, "", remark
    runs = _after(project, sides, ran)
    failed = [name for name, report in ran.items() if report.status is not Status.COMPLETED]
    label = f"{shown.label}, with the same parameters"
    remark = f"of {', '.join(failed)} not all could be run as in {manifest.environment}" if failed else ""
    both = Side(label=label, release=shown.release, pipelines={**shown.pipelines, **runs.pipelines})
    return both, label, remark


def _baseline(home: Project, project: Project, release: Release, report: RunReport) -> RunReport:
    """A run of what an environment was made by, with the parameters of another run."""
    environment, pipeline = project.placement.environment, report.plan.pipeline
    assert environment is not None
    earlier = home.in_environment(environment.name, release)
    known = earlier.catalog.load(pipeline).pipeline.params
    values = {name: value for name, value in report.plan.params.items() if name in known}
    asked = RunRequest(pipeline=pipeline, values=values, keep_going=True)
    try:
        prepared: PreparedRun = earlier.preparer.prepare(asked)
        return earlier.launcher.run(prepared, asked, LaunchHooks(publishes=False))
    finally:
        earlier.close()
