"""The settings of a project, from `stagebook.toml` or `[tool.stagebook]` in `pyproject.toml`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import pydantic

from stagebook.errors import PipelineInvalid
from stagebook.pipeline.model import Location, make_problem
from stagebook.pipeline.schema import read_model
from stagebook.system.secret_sources import NAME, Kind, SecretSource
from stagebook.system.settings_file import read_raw
from stagebook.workspace.notify_settings import IncidentSettings, Rules

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
Publish = Literal["run", "stage"]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class ProjectSettings(_Section):
    """`[project]`. `name`: what the shared store knows the project by (default: where it is cloned from, such as
    `github.com/acme/flights`)."""

    name: Annotated[str, pydantic.Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._/-]*)?$")] = ""


class RunSettings(_Section):
    """`[run]`. `jobs`: stages at a time (default: the CPU count). `grace`: seconds that a stage has
    to end after it was asked to, before it is killed. `fork`: fork stages from a server that has
    imported what they need (Linux), instead of starting each anew. `preload`: the modules that the
    server imports, in place of those that the notebooks import and that are known to be safe."""

    jobs: Annotated[int, pydantic.Field(ge=1)] | None = None
    grace: Annotated[float, pydantic.Field(ge=0, strict=False)] = 10.0
    fork: bool = True
    preload: list[str] | None = None


class TrackingSettings(_Section):
    """`[tracking]`. Where MLflow keeps runs; `MLFLOW_TRACKING_URI` in the environment wins."""

    enabled: bool = True
    uri: str = DEFAULT_TRACKING_URI


class StoreSettings(_Section):
    """`[store]`. `enabled`: keep the outputs of stages, so that results of earlier parameters and code
    can be restored. `max_output_mb`: a larger output is reused only while it is in its place.
    `keep_days`: what `stagebook store gc` keeps. `remote`: a store to share with others (docs/shared-store.md): a folder,
    relative to the project; a URL of fsspec; or `NAME:PATH` behind a connection. `STAGEBOOK_STORE_REMOTE` in the environment
    wins. `remote_mode`: `read` takes results and puts none there, `read-write` does both; `STAGEBOOK_STORE_REMOTE_MODE` wins.
    `remote_timeout`: seconds for an answer, after which the run goes on without it."""

    enabled: bool = True
    max_output_mb: Annotated[int, pydantic.Field(ge=0)] = 5_000
    keep_days: Annotated[int, pydantic.Field(ge=0)] = 30
    remote: str = ""
    remote_mode: Literal["read", "read-write"] = "read-write"
    remote_timeout: Annotated[float, pydantic.Field(gt=0, strict=False)] = 10.0


class MonitorSettings(_Section):
    """`[monitors]`. `enabled`: measure what stages write (with `stagebook[data]`), and compare it with earlier runs.
    `sensitivity`: how far from the median, in standard deviations as a normal distribution has them, a figure is unusual;
    more is less strict. `minimum`: of how many earlier runs there have to be figures. `seasonal`: compare with those runs
    alone that were on the same weekday, or in the same month, where they are as many. `fail`: `stagebook run` ends with 1
    where a figure is unusual."""

    enabled: bool = True
    sensitivity: Annotated[float, pydantic.Field(gt=0, strict=False)] = 3.5
    minimum: Annotated[int, pydantic.Field(ge=3)] = 8
    seasonal: Literal["none", "weekday", "month"] = "none"
    fail: bool = False


def _as_command(value: object) -> object:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return shlex.join(value)
    return value


def _with_names(value: object) -> object:
    for name in value if isinstance(value, dict) else ():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name for a secret: use letters, digits and '_'")
    return value


class SecretSettings(_Section):
    """`[secrets]`. Where a secret comes from: `NAME = {env = "VARIABLE"}`, `{file = "PATH"}` (mode 0600),
    `{keyring = "SERVICE/USER"}` or `{command = "PROGRAM …"}`. One that is not named here comes from the environment
    variable `STAGEBOOK_SECRET_NAME`."""

    env: str | None = None
    file: str | None = None
    keyring: str | None = None
    command: Annotated[
        str | None, pydantic.BeforeValidator(_as_command, json_schema_input_type=str | list[str] | None)
    ] = None

    @pydantic.model_validator(mode="after")
    def _check(self) -> Self:
        if len(given := self.model_dump(exclude_none=True)) != 1:
            raise ValueError("expected one of env, file, keyring and command")
        if self.env is not None and not NAME.fullmatch(self.env):
            raise ValueError("'env' is the name of an environment variable")
        if self.keyring is not None and not all(self.keyring.rpartition("/")):
            raise ValueError("'keyring' is of the form service/user")
        if not all(value.strip() for value in given.values()):
            raise ValueError("the source is empty")
        return self

    @property
    def source(self) -> SecretSource:
        """It as it crosses rooms."""
        ((kind, value),) = self.model_dump(exclude_none=True).items()
        return SecretSource(kind=cast("Kind", kind), value=value)


class EnvironmentSettings(_Section):
    """`[environments.NAME]`. `inherits`: the environment that it has everything else from. `params`: values in place of the
    defaults of all pipelines that have these parameters. `path`: the folder that readers look at (default
    `environments/NAME`), with the latest version as `current`. `publish`: `run`, a version for each run that completed, or
    `stage`, each output once its stage has completed. `keep_days`: how long versions stay that are not current.
    `experiment`: what is added to the names of experiments in MLflow (default ` (NAME)`). `tracking_uri`: in place of
    `tracking.uri`. `alias`: what models that its runs registered in MLflow are called while it shows them (default
    `champion` where it is protected, else nothing). `protected`: it runs releases alone, which somebody else approves. `connections` and `secrets`: in place of
    those of the same names. `schedules`: by their names, each of a `pipeline`, with the keys of a schedule of a pipeline file
    but `env`."""

    inherits: str | None = None
    params: dict[str, Any] = pydantic.Field(default_factory=dict)
    path: str | None = None
    publish: Publish | None = None
    keep_days: Annotated[int, pydantic.Field(ge=0)] | None = None
    experiment: str | None = None
    tracking_uri: str | None = None
    alias: str | None = None
    protected: bool | None = None
    connections: dict[str, Any] = pydantic.Field(default_factory=dict)  # read by `connections.declared`
    secrets: dict[str, Any] = pydantic.Field(default_factory=dict)  # read as those of the project
    schedules: dict[str, Any] = pydantic.Field(default_factory=dict)  # read by `environments.declared`


class Settings(_Section):
    """All settings of a project."""

    project: ProjectSettings = ProjectSettings()
    run: RunSettings = RunSettings()
    tracking: TrackingSettings = TrackingSettings()
    store: StoreSettings = StoreSettings()
    monitors: MonitorSettings = MonitorSettings()
    connections: dict[str, Any] = pydantic.Field(default_factory=dict)  # read by `connections.declared`
    secrets: Annotated[dict[str, SecretSettings], pydantic.BeforeValidator(_with_names)] = pydantic.Field(
        default_factory=dict
    )
    environments: dict[str, EnvironmentSettings] = pydantic.Field(default_factory=dict)
    incidents: IncidentSettings = IncidentSettings()
    notify: Rules = pydantic.Field(default_factory=dict)

    def opens_incidents(self, environment: str) -> bool:
        """Whether runs in an environment open incidents. In the working tree each mistake of an author would be one: there
        they do so where the settings say it, or where a rule tells of it."""
        rules = self.notify.values()
        return environment != "dev" or self.incidents.dev or any(rule.tells_of("dev") for rule in rules)

    @property
    def secret_sources(self) -> dict[str, SecretSource]:
        """The declared sources of secrets, by their names."""
        return {name: item.source for name, item in self.secrets.items()}


def read_settings(root: Path) -> Settings:
    """The settings of the project at `root`; the defaults where it has none.

    Raises:
        PipelineInvalid: the file is not TOML, or holds unknown keys or wrong values.
    """
    data, name = read_raw(root)
    settings, mistakes = read_model(Settings, data)
    if settings is None:
        raise PipelineInvalid(
            make_problem(name, (0, 0), _in_full(message, where), hint) for where, message, hint in mistakes
        )
    return settings


def _in_full(message: str, where: Location) -> str:
    """A message that names a key by all that leads to it."""
    return message.replace(f"'{where[-1]}'", f"'{'.'.join(map(str, where))}'", 1) if where else message
