"""Reading one schedule: of a pipeline file, or of an environment in the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location, Param, Schedule, find_position
from stagebook.pipeline.problems import NAME_HINT, STAGE_NAME, ProblemCollector
from stagebook.pipeline.schema import ExpectFile, ScheduleFile, read_what_can_be
from stagebook.pipeline.types import Value, ValueMismatch, accept
from stagebook.timing.cron import CronInvalid, check_cron
from stagebook.timing.expected import Expectations, read_clock, read_usual
from stagebook.timing.times import CronTimes, EveryTimes, Times
from stagebook.timing.zones import ZoneUnknown, find_zone

Report = Callable[[Location, str, str], None]  # where in the schedule, what, what to do

_KINDS = ("cron", "every", "on", "files")
_HOW = "cron: 0 6 * * * with a zone; every: 15m; on: [pipeline.stage.output]; or files: CONNECTION:path/*.csv"
_DATASET = re.compile(r"[A-Za-z][\w-]*\.[A-Za-z][\w-]*(@[^.]+)?\.[A-Za-z_]\w*")
_FILES = re.compile(r"[A-Za-z][\w-]*:(?!//).+", re.DOTALL)
_NO_ZONE = "name the time zone: zone: Europe/Berlin, or zone: UTC"


def read_schedule(
    name: str, raw: Any, problems: ProblemCollector, params: Mapping[str, Param]
) -> Schedule | None:
    """A schedule of a pipeline file; `None` where it is wrong, which is reported. `params`: those of the pipeline."""
    base: Location = ("schedules", name)

    def report(where: Location, message: str, hint: str) -> None:
        problems.report((*base, *where), message, hint)

    line, _ = find_position(problems.positions, base)
    return make_schedule(name, raw, report, place=f"{problems.path}:{line}", params=params)


def make_schedule(
    name: str,
    raw: Any,
    report: Report,
    *,
    place: str,
    params: Mapping[str, Param] | None = None,
) -> Schedule | None:
    """A schedule of plain data; `None` where it is wrong. `place` is where that stands; `params` are those of the pipeline,
    `None` where they are not known."""
    wrong = False

    def tell(where: Location, message: str, hint: str) -> None:
        nonlocal wrong
        wrong = True
        report(where, message, hint)

    if not STAGE_NAME.fullmatch(name):
        tell((), f"'{name[:60]}' is not a name for a schedule", NAME_HINT)
    spec, mistakes = read_what_can_be(ScheduleFile, raw, {})
    for mistake in mistakes:
        tell(*mistake)
    if spec is None:
        return None
    _check_kind(spec, {str(where[0]) for where, _, _ in mistakes if where}, tell)
    times = _times(spec, tell)
    _check_names(spec, tell)
    values = _values(spec, params, tell)
    if wrong:
        return None
    return Schedule(
        name=name,
        times=times,
        on=tuple(dict.fromkeys(spec.on)),
        files=spec.files or "",
        interval=spec.interval,
        zone=spec.zone or "UTC",
        catch_up=spec.catch_up or "latest",
        params=values,
        env="" if spec.env == "dev" else spec.env or "",
        paused=spec.pause,
        expect=_expectations(spec.expect),
        place=place,
    )


def _check_kind(spec: ScheduleFile, wrong: set[str], tell: Report) -> None:
    given = [kind for kind in _KINDS if kind in wrong or getattr(spec, kind) not in (None, [])]
    if not given:
        tell((), "the schedule does not say when it fires", _HOW)
    elif len(given) > 1:
        what = f"{', '.join(given[:-1])} and {given[-1]}"
        tell((given[1],), f"a schedule fires in one way, and this one has {what}", "make two schedules of it")
    elif spec.catch_up is not None and given[0] in {"on", "files"}:
        hint = "remove it: what is new fires once, however long nobody looked"
        tell(("catch_up",), f"'catch_up' is for cron and every, and this schedule has '{given[0]}'", hint)


def _times(spec: ScheduleFile, tell: Report) -> Times | None:
    zone = spec.zone
    if zone is not None:
        try:
            find_zone(zone)
        except ZoneUnknown as error:
            tell(("zone",), str(error), error.hint)
            zone = "UTC"
    if spec.cron is not None:
        try:
            check_cron(spec.cron)
        except CronInvalid as error:
            tell(("cron",), str(error), error.hint)
        if zone is None:
            tell(("cron",), "a cron text says nothing without a time zone", _NO_ZONE)
        return CronTimes(" ".join(spec.cron.split()), zone or "UTC")
    if spec.every is None:
        return None
    if spec.every < 1 or spec.every % 1:
        tell(("every",), "'every' has to be whole seconds, 1s at least", "such as every: 15m")
        return None
    return EveryTimes(int(spec.every), zone or "UTC")


def _expectations(spec: ExpectFile | None) -> Expectations | None:
    if spec is None:
        return None
    factor = read_usual(spec.duration) if isinstance(spec.duration, str) else None
    return Expectations(
        end_by=read_clock(spec.end_by) if spec.end_by is not None else None,
        start_within=spec.start_within,
        duration=float(spec.duration) if spec.duration is not None and factor is None else None,
        usual=factor,
        fresh=spec.fresh,
        rows=spec.rows == "usual",
    )


def _check_names(spec: ScheduleFile, tell: Report) -> None:
    for at, dataset in enumerate(spec.on):
        if not _DATASET.fullmatch(dataset):
            hint = "write pipeline.stage.output, of another pipeline"
            tell(("on", at), f"'{dataset[:60]}' is not the name of a dataset", hint)
    if spec.files is not None and not _FILES.fullmatch(spec.files):
        hint = "write CONNECTION:path/*.csv, with a connection of the project"
        tell(("files",), f"'{spec.files[:60]}' is no pattern behind a connection", hint)


def _values(spec: ScheduleFile, params: Mapping[str, Param] | None, tell: Report) -> dict[str, Value]:
    if params is None:
        return dict(spec.params)
    values: dict[str, Value] = {}
    for name, value in spec.params.items():
        if name not in params:
            hint = did_you_mean(name, params) or "the pipeline has no parameters"
            tell(("params", name), f"unknown parameter '{name[:60]}'", hint)
            continue
        try:
            values[name] = accept(params[name].type, value)
        except ValueMismatch as error:
            tell(("params", name), f"'{name}' does not fit: {error}", "")
    return values
