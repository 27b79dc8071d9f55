"""The settings of a project, from `stagebook.toml` or `[tool.stagebook]` in `pyproject.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from stagebook.errors import PipelineInvalid, Problem
from stagebook.pipeline.model import Location, make_problem
from stagebook.pipeline.schema import read_model

FILE = "stagebook.toml"
DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


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
    `keep_days`: what `stagebook store gc` keeps."""

    enabled: bool = True
    max_output_mb: Annotated[int, pydantic.Field(ge=0)] = 5_000
    keep_days: Annotated[int, pydantic.Field(ge=0)] = 30


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


class Settings(_Section):
    """All settings of a project."""

    run: RunSettings = RunSettings()
    tracking: TrackingSettings = TrackingSettings()
    store: StoreSettings = StoreSettings()
    monitors: MonitorSettings = MonitorSettings()


def read_settings(root: Path) -> Settings:
    """The settings of the project at `root`; the defaults where it has none.

    Raises:
        PipelineInvalid: the file is not TOML, or holds unknown keys or wrong values.
    """
    data, name = _raw(root)
    settings, mistakes = read_model(Settings, data)
    if settings is None:
        raise PipelineInvalid(
            make_problem(name, (0, 0), _in_full(message, where), hint) for where, message, hint in mistakes
        )
    return settings


def _in_full(message: str, where: Location) -> str:
    """A message that names a key by all that leads to it."""
    return message.replace(f"'{where[-1]}'", f"'{'.'.join(map(str, where))}'", 1) if where else message


def _raw(root: Path) -> tuple[dict[str, Any], str]:
    for name in (FILE, "pyproject.toml"):
        path = root / name
        if not path.is_file():
            continue
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise PipelineInvalid([Problem(path=name, message="not UTF-8 text")]) from error
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise PipelineInvalid([Problem(path=name, message=f"not readable as TOML: {error}")]) from error
        except OSError as error:
            problem = Problem(path=name, message=f"cannot be read: {error.strerror}")
            raise PipelineInvalid([problem]) from error
        if name == FILE:
            return data, name
        tool = data.get("tool")
        section = tool.get("stagebook") if isinstance(tool, dict) else None
        if section is not None:
            return section, name
    return {}, FILE
