"""The environments of a project as its settings declare them: named places where results are published.

`dev` is the working tree, and needs no declaration. Any other one has a history, a lock and a folder of its own; what it does
not say itself it has from the one that it `inherits` from.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from stagebook.errors import PipelineInvalid, Problem, UsageError, did_you_mean
from stagebook.pipeline.model import Location, Schedule
from stagebook.pipeline.schedules import make_schedule
from stagebook.pipeline.types import Value
from stagebook.workspace.paths import STATE_FOLDER
from stagebook.workspace.settings import EnvironmentSettings, Publish

DEV = "dev"
CHAMPION = "champion"  # what MLflow's documentation calls the model that production uses
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_OWN = {
    "inherits",
    "path",
    "experiment",
    "alias",
    "schedules",
}  # not inherited: two environments have neither in common


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment, with what it inherits. `path` is relative to the project; `tracking_uri` is empty where it is the
    project's; `keep_days` are days; `alias` is that of models in MLflow;
    `schedules` are those of the settings, by pipeline and name."""

    name: str
    parent: str = ""
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    path: str = ""
    publish: Publish = "run"
    keep_days: int = 30
    experiment: str = ""
    tracking_uri: str = ""
    alias: str = ""
    protected: bool = False
    connections: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schedules: Mapping[str, Mapping[str, Schedule]] = dataclasses.field(default_factory=dict)


def name_problem(name: str) -> str:
    """What is wrong with the name of an environment; empty if nothing is."""
    if name == DEV:
        return "'dev' is the working tree, and cannot be declared"
    if not _NAME.fullmatch(name):
        return f"'{name}' is no name for an environment: use up to 40 small letters, digits, '-' and '_'"
    return ""


def declared(
    raw: Mapping[str, EnvironmentSettings], made: Mapping[str, EnvironmentSettings], file: str
) -> dict[str, Environment]:
    """The environments of a project by their names: those of the settings, which are in `file`, and those that were `made`
    by a command.

    Raises:
        PipelineInvalid: with every mistake in those of the settings.
    """
    problems = [
        Problem(path=file, message=f"[environments.{name}]: {mistake}")
        for name, one in raw.items()
        if (mistake := name_problem(name) or _mistake(name, one, raw))
    ]
    known = {**made, **raw}
    schedules = {name: _schedules(name, one, file, problems) for name, one in raw.items()}
    if problems:
        raise PipelineInvalid(problems)
    return {name: _resolve(name, known, schedules.get(name, {})) for name in known}


def find(environments: Mapping[str, Environment], name: str) -> Environment:
    """An environment by its name. Raises `UsageError`."""
    if name in environments:
        return environments[name]
    hint = did_you_mean(name, environments) if environments else "declare it as [environments.NAME]"
    raise UsageError(f"there is no environment '{name}'", hint=hint)


def _mistake(name: str, one: EnvironmentSettings, known: Mapping[str, EnvironmentSettings]) -> str:
    seen, current = [name], one.inherits
    while current is not None and current != DEV:
        if current in seen:
            return f"inherits from itself: {' → '.join([*seen, current])}"
        if current not in known:
            return f"inherits from '{current}', which is not declared; {did_you_mean(current, known)}"
        seen.append(current)
        current = known[current].inherits
    path = _path_of(name, one)
    if path.startswith("/") and not path.strip("/"):
        return "'path' is the root of the file system"
    if ".." in path.split("/"):
        return f"'{path}' leaves the project; a path elsewhere is an absolute one"
    if path.split("/")[0] in {STATE_FOLDER, ".git"}:
        return f"'{path}' is of the project's state"
    if twin := next(
        (other for other, it in known.items() if other != name and _path_of(other, it) == path), ""
    ):
        return f"both {' and '.join(sorted([name, twin]))} show theirs in '{path}'"
    return ""


def _path_of(name: str, one: EnvironmentSettings) -> str:
    return posixpath.normpath(one.path) if one.path else f"environments/{name}"


def _schedules(
    name: str, one: EnvironmentSettings, file: str, problems: list[Problem]
) -> dict[str, dict[str, Schedule]]:
    found: dict[str, dict[str, Schedule]] = {}
    for key, raw in one.schedules.items():
        place = f"[environments.{name}.schedules.{key}]"

        def report(where: Location, message: str, hint: str, place: str = place) -> None:
            at = f" {'.'.join(map(str, where))}" if where else ""
            problems.append(Problem(path=file, message=f"{place}{at}: {message}", hint=hint))

        data = {**raw} if isinstance(raw, dict) else {}
        pipeline = data.pop("pipeline", None)
        if not isinstance(pipeline, str):
            report((), "it does not say of which pipeline it is", 'pipeline = "NAME"')
        elif "env" in data:
            report(("env",), "the environment is the one that it stands in", "remove it")
        elif made := make_schedule(key, data, report, place=f"{file} {place}"):
            found.setdefault(pipeline, {})[key] = dataclasses.replace(made, env=name)
    return found


def _resolve(
    name: str, known: Mapping[str, EnvironmentSettings], schedules: Mapping[str, Mapping[str, Schedule]]
) -> Environment:
    chain: list[EnvironmentSettings] = []
    current: str | None = name
    while current is not None and current in known and len(chain) <= len(known):
        chain.append(known[current])
        current = known[current].inherits
    merged: dict[str, Any] = {}
    for one in reversed(chain):
        for key, value in one.model_dump(exclude_none=True, exclude=_OWN).items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    own = known[name]
    return Environment(
        name=name,
        parent=own.inherits or DEV,
        path=_path_of(name, own),
        experiment=f" ({name})" if own.experiment is None else own.experiment,
        alias=own.alias if own.alias is not None else (CHAMPION if merged.get("protected") else ""),
        schedules=schedules,
        **merged,
    )
