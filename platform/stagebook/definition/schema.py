"""The shape of a pipeline file, as pydantic models. A door to pydantic, with `settings`.

The models say which keys there are and of which kind their values are; `loader` goes on from
there. `json_schema` is what an editor needs to complete and check a pipeline file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import pydantic

from stagebook.definition.pipeline import Location
from stagebook.definition.values import describe
from stagebook.errors import did_you_mean

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def parse_duration(value: object) -> float:
    """Seconds from `90`, `45s`, `30m`, `1h30m`. Raises `ValueError`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    text = str(value).replace(" ", "")
    if not isinstance(value, str) or not _DURATION.fullmatch(text):
        msg = f"expected a duration such as 90, 45s, 30m or 1h30m, got {describe(value)}"
        raise ValueError(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_output(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _as_empty(value: object) -> object:
    return {} if value is None else value


Seconds = Annotated[float, pydantic.BeforeValidator(parse_duration)]
Names = Annotated[list[str], pydantic.BeforeValidator(_listed)]
Table = Annotated[dict[str, Any], pydantic.BeforeValidator(_as_empty)]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class ParamFile(_Model):
    """One entry of `params` in its long form."""

    type: str | None = None
    default: Any = None
    help: str = ""


class OutputFile(_Model):
    """One output in its long form."""

    path: str
    kind: Literal["file", "external"] = "file"


class DefaultsFile(_Model):
    """`defaults`: what stages have where they say nothing."""

    retries: Annotated[int, pydantic.Field(ge=0, le=100)] = 0
    retry_delay: Seconds = 1.0
    timeout: Seconds | None = None
    executor: Literal["kernel", "inprocess"] = "kernel"
    kernel: str | None = None


class StageFile(_Model):
    """One entry of `stages`."""

    notebook: str
    description: str = ""
    matrix: Table = pydantic.Field(default_factory=dict)
    params: Table = pydantic.Field(default_factory=dict)
    inputs: Table = pydantic.Field(default_factory=dict)
    outputs: Annotated[
        dict[str, Annotated[OutputFile, pydantic.BeforeValidator(_as_output)]],
        pydantic.BeforeValidator(_as_empty),
    ] = pydantic.Field(default_factory=dict)
    after: Names = pydantic.Field(default_factory=list)
    retries: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    retry_delay: Seconds | None = None
    timeout: Seconds | None = None
    executor: Literal["kernel", "inprocess"] | None = None
    kernel: str | None = None


class PipelineFile(_Model):
    """A pipeline file. Params and stages are read one by one, so that one mistake hides no other."""

    name: str | None = None
    description: str = ""
    params: Table = pydantic.Field(default_factory=dict)
    defaults: Annotated[DefaultsFile, pydantic.BeforeValidator(_as_empty)] = pydantic.Field(
        default_factory=DefaultsFile
    )
    stages: dict[str, Any]


Mistake = tuple[Location, str, str]  # where, what, what to do
ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)


def read_model(model: type[ModelT], data: object) -> tuple[ModelT | None, list[Mistake]]:
    """Read plain data as a model; what is wrong comes back with its location, never raised."""
    try:
        return model.model_validate(data), []
    except pydantic.ValidationError as error:
        return None, [_mistake(model, item) for item in error.errors(include_url=False)]


def _mistake(model: type[pydantic.BaseModel], item: Any) -> Mistake:
    location: Location = tuple(part for part in item["loc"] if not _is_branch(part))
    key = str(location[-1]) if location else ""
    match item["type"]:
        case "extra_forbidden":
            return location, f"unknown key '{key}'", did_you_mean(key, _keys(model, location))
        case "missing":
            return location, f"'{key}' is missing", _WANTED.get(key, "")
        case "value_error":
            return location, f"'{key}': {item['ctx']['error']}", ""
        case "literal_error":
            expected = item["ctx"]["expected"].replace("'", "")
            return location, f"'{key}' is {expected}, not {describe(item['input'])}", ""
        case "model_type" | "model_attributes_type" | "dict_type":
            what = f"'{key}'" if key else "the file"
            return location, f"{what} has to be a mapping of names, not {describe(item['input'])}", ""
        case "greater_than_equal" | "less_than_equal":
            return location, f"'{key}' has to be from 0 to 100, not {item['input']}", ""
    expected = _EXPECTED.get(item["type"], "something else")
    return location, f"'{key}' has to be {expected}, not {describe(item['input'])}", ""


def _is_branch(part: str | int) -> bool:
    # pydantic names the branch of a union or validator in the location; it is no key of the file.
    return isinstance(part, str) and ("[" in part or part in {"float", "int"})


def _keys(model: type[pydantic.BaseModel], location: Location) -> Iterable[str]:
    if len(location) > 1 and "defaults" in location:
        return DefaultsFile.model_fields
    if len(location) > 1 and "outputs" in location:
        return OutputFile.model_fields
    return model.model_fields


_WANTED = {
    "stages": "a pipeline has at least one stage: stages: {name: {notebook: path}}",
    "notebook": "name the notebook that this stage runs: notebook: notebooks/name.ipynb",
    "path": "say where the output is written: path: data/name.parquet",
}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "bool_type": "true or false",
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file (https://json-schema.org, draft 2020-12)."""
    schema = PipelineFile.model_json_schema(mode="validation")
    stage = StageFile.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    schema["$defs"] |= stage.pop("$defs", {}) | {"StageFile": stage}
    schema["properties"]["stages"]["additionalProperties"] = {"$ref": "#/$defs/StageFile"}
    return schema
