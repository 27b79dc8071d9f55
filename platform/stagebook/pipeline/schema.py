"""The keys of a pipeline file and the kinds of their values, as pydantic models. A door to pydantic, like
`settings`.

`loader` and `stages` check the rest. `json_schema` lets an editor complete and check a pipeline file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import pydantic

from stagebook.errors import did_you_mean
from stagebook.pipeline.kinds import (
    ArgList,
    Command,
    Condition,
    Env,
    ListOf,
    Seconds,
    Table,
    TextList,
    Timeout,
    as_empty,
    parse_duration,
)
from stagebook.pipeline.meanings import MEANINGS
from stagebook.pipeline.model import Inject, Location, Trigger
from stagebook.pipeline.problems import Mistake
from stagebook.pipeline.types import describe
from stagebook.pipeline.workdir import PROJECT
from stagebook.timing.due import CatchUp
from stagebook.timing.expected import read_clock, read_usual
from stagebook.timing.units import Unit


def _as_output(value: object) -> object:
    if isinstance(value, str):
        return {"path": value}
    if not isinstance(value, dict):
        msg = f"expected a path or {{path: …, kind: …}}, got {describe(value)}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports it with the others
    return value


def _as_bookmark(value: object) -> object:
    if isinstance(value, str):
        return {"input": value}
    if value is not None and not isinstance(value, dict):
        msg = f"expected the name of an input, or {{param: …, column: OUTPUT.COLUMN}}, got {describe(value)}"
        raise ValueError(msg)
    return value


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
    kind: Literal["file", "external", "delta", "notebook"] = "file"
    code: bool = True
    contract: str | None = None
    mode: Literal["overwrite", "append", "merge"] | None = None
    partition_by: TextList = pydantic.Field(default_factory=list)
    key: TextList = pydantic.Field(default_factory=list)
    inject: bool = True


class InputFile(_Model):
    """One input in its long form."""

    path: TextList
    inject: bool = True


class BookmarkFile(_Model):
    """How far a stage has read: `input` of files, `param` and `column` of a column of an output."""

    input: str = ""
    param: str = ""
    column: str = ""


class InstancesFile(_Model):
    """`instances`: which points of the matrix a stage has, and how its instances are called."""

    name: str | None = None
    zip: list[list[str]] = pydantic.Field(default_factory=list)
    include: list[dict[str, Any]] = pydantic.Field(default_factory=list)
    exclude: list[dict[str, Any]] = pydantic.Field(default_factory=list)


BookmarkOf = Annotated[
    BookmarkFile | None,
    pydantic.BeforeValidator(_as_bookmark, json_schema_input_type=BookmarkFile | str | None),
]
Output = Annotated[OutputFile, pydantic.BeforeValidator(_as_output, json_schema_input_type=OutputFile | str)]


# `forms` has brought them into mappings of names before.
Inputs = Annotated[
    dict[str, Any],
    pydantic.BeforeValidator(
        as_empty,
        json_schema_input_type=dict[str, str | list[str] | InputFile | dict[str, Any]] | TextList | None,
    ),
]
Outputs = Annotated[
    dict[str, Output],
    pydantic.BeforeValidator(
        as_empty, json_schema_input_type=dict[str, str | OutputFile | dict[str, Any]] | TextList | None
    ),
]


class DefaultsFile(_Model):
    """`defaults`: the values of keys that a stage leaves out."""

    retries: Annotated[int, pydantic.Field(ge=0, le=100)] = 0
    retry_delay: Seconds = 1.0
    timeout: Timeout = None
    executor: Literal["kernel", "inprocess"] = "kernel"
    kernel: str | None = None
    workdir: str = PROJECT
    inject: Inject = "tagged"
    env: Env = pydantic.Field(default_factory=list)
    strict: bool = False


class StageFile(_Model):
    """One entry of `stages`."""

    notebook: str | None = None
    script: str | None = None
    function: str | None = None
    sql: str | None = None
    command: Command = None
    description: str = ""
    matrix: Table = pydantic.Field(default_factory=dict)
    instances: InstancesFile | None = None
    foreach: ListOf = None
    when: Condition = None
    trigger: Trigger | None = None
    params: Table = pydantic.Field(default_factory=dict)
    inputs: Inputs = pydantic.Field(default_factory=dict)
    outputs: Outputs = pydantic.Field(default_factory=dict)
    after: TextList = pydantic.Field(default_factory=list)
    retries: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    retry_delay: Seconds | None = None
    timeout: Timeout = None
    executor: Literal["kernel", "inprocess"] | None = None
    kernel: str | None = None
    workdir: str | None = None
    inject: Inject | None = None
    env: Env = pydantic.Field(default_factory=list)
    args: ArgList = None
    connection: str | None = None
    connections: TextList = pydantic.Field(default_factory=list)
    bookmark: BookmarkOf = None
    cache: bool | None = None
    frozen: bool = False
    strict: bool | None = None


def _as_expected_duration(value: object) -> object:
    return value if isinstance(value, str) and read_usual(value) is not None else parse_duration(value)


def _as_clock(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        value = f"{value // 60}:{value % 60:02}"  # YAML 1.1 reads 6:00 as a number in base 60
    if value is not None:
        read_clock(str(value))
    return value


class ExpectFile(_Model):
    """What is expected of the runs of a schedule."""

    end_by: Annotated[str | None, pydantic.BeforeValidator(_as_clock)] = None
    start_within: Seconds | None = None
    duration: Annotated[
        float | str | None,
        pydantic.BeforeValidator(_as_expected_duration, json_schema_input_type=float | str | None),
    ] = None
    fresh: Seconds | None = None
    rows: Literal["usual"] | None = None


class ScheduleFile(_Model):
    """One entry of `schedules`: when the pipeline is run by itself. One of `cron`, `every`, `on` and `files` is given."""

    cron: str | None = None
    zone: str | None = None
    every: Seconds | None = None
    on: TextList = pydantic.Field(default_factory=list)
    files: str | None = None
    interval: Unit | None = None
    catch_up: CatchUp | None = None
    params: Table = pydantic.Field(default_factory=dict)
    env: str | None = None
    pause: bool = False
    expect: ExpectFile | None = None


class PipelineFile(_Model):
    """A pipeline file. Its params, schedules and stages are read one by one, so that one mistake hides no other."""

    name: str | None = None
    description: str = ""
    params: Table = pydantic.Field(default_factory=dict)
    defaults: Annotated[DefaultsFile, pydantic.BeforeValidator(as_empty)] = pydantic.Field(
        default_factory=DefaultsFile
    )
    schedules: Table = pydantic.Field(default_factory=dict)
    stages: dict[str, Any]


ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)


def read_model(model: type[ModelT], data: object) -> tuple[ModelT | None, list[Mistake]]:
    """Read plain data as a model. Mistakes are returned with their locations, never raised."""
    try:
        return model.model_validate(data), []
    except pydantic.ValidationError as error:
        found = [_mistake(model, item) for item in error.errors(include_url=False)]
    # A misspelt key is not also a missing one.
    guessed = {hint for _, _, hint in found}
    return None, [
        mistake
        for mistake in found
        if not (mistake[1].endswith("is missing") and f"did you mean '{mistake[0][-1]}'?" in guessed)
    ]


def read_what_can_be(
    model: type[ModelT], data: object, stand_in: Mapping[str, Any]
) -> tuple[ModelT | None, list[Mistake]]:
    """As `read_model`, but without the keys that are wrong, so that one mistake hides no other. The model is
    None only where `data` is not a mapping. `stand_in`: values for the required keys."""
    read, mistakes = read_model(model, data)
    if read is not None or not isinstance(data, dict):
        return read, mistakes
    known = {field.alias or name for name, field in model.model_fields.items()}
    kept = {key: value for key, value in data.items() if key in known}
    for where, _, _ in mistakes:
        key = str(where[0]) if where else ""
        is_item = len(where) > 2 or (len(where) == 2 and key == "outputs")
        if is_item and isinstance(kept.get(key), dict):
            kept[key] = {name: item for name, item in kept[key].items() if name != where[1]}
        else:
            kept.pop(key, None)
    return read_model(model, {**stand_in, **kept})[0], mistakes


def _mistake(model: type[pydantic.BaseModel], item: Any) -> Mistake:
    location: Location = tuple(item["loc"])
    key = str(location[-1]) if location else ""
    if len(location) > 1 and isinstance(location[-1], int):
        key = f"{location[-2]}[{key}]"
    match item["type"]:
        case "extra_forbidden":
            return location, f"unknown key '{key}'", _meant(model, key, location)
        case "missing":
            return location, f"'{key}' is missing", _WANTED.get(key, "")
        case "value_error":
            return location, f"'{key}': {item['ctx']['error']}", ""
        case "literal_error":
            expected = item["ctx"]["expected"].replace("'", "")
            return location, f"'{key}' is {expected}, not {describe(item['input'])}", ""
        case "model_type" | "model_attributes_type" | "dict_type":
            what, hint = f"'{key}'" if key else "the file", ""
            if model is ScheduleFile and not key:
                what, hint = "a schedule", "say when: cron: 0 6 * * *, with a zone; or every: 1h"
            if model is StageFile and not key:
                what, hint = "a stage", "name its notebook: notebook: notebooks/name.ipynb"
            return location, f"{what} has to be a mapping, not {describe(item['input'])}", hint
        case "greater_than_equal" | "less_than_equal":
            bounds = f"at least {item['ctx'].get('ge'):g}" if key != "retries" else "from 0 to 100"
            return location, f"'{key}' has to be {bounds}, not {item['input']}", ""
    expected = _EXPECTED.get(item["type"], "something else")
    return location, f"'{key}' has to be {expected}, not {describe(item['input'])}", ""


def _meant(model: type[pydantic.BaseModel], key: str, location: Location) -> str:
    hint = did_you_mean(key, _keys(model, location))
    if model is ParamFile and hint.startswith("known"):
        return "a mapping as the value of a parameter is written as default: {…}"
    return hint


def _keys(model: type[pydantic.BaseModel], location: Location) -> Iterable[str]:
    """The known keys of the mapping that holds this location."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        inner = _INNER.get(str(part)) or (field.annotation if field else None)
        if get_origin(inner) is dict:  # names of a person's own, each with the same keys
            inner = get_args(inner)[1]
        if isinstance(inner, type) and issubclass(inner, pydantic.BaseModel):
            model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


_INNER: Mapping[str, type[pydantic.BaseModel]] = {
    "inputs": InputFile,
    "outputs": OutputFile,
    "bookmark": BookmarkFile,
    "instances": InstancesFile,
    "expect": ExpectFile,
}
_WANTED = {
    "stages": "a pipeline has at least one stage: stages: {name: {notebook: path}}",
    "notebook": "name the notebook that this stage runs: notebook: notebooks/name.ipynb",
    "path": "say where the output is written: path: data/name.parquet",
}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "list_type": "a list",
    "bool_type": "true or false",
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file (https://json-schema.org, draft 2020-12)."""
    schema = PipelineFile.model_json_schema(mode="validation")
    stage = StageFile.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    schema["$defs"] |= stage.pop("$defs", {}) | {"StageFile": stage}
    schema["properties"]["stages"]["additionalProperties"] = {"$ref": "#/$defs/StageFile"}
    schedule = ScheduleFile.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    schema["$defs"] |= schedule.pop("$defs", {}) | {"ScheduleFile": schedule}
    schedules = {"additionalProperties": {"$ref": "#/$defs/ScheduleFile"}, "type": "object"}
    schema["properties"]["schedules"] |= {"anyOf": [schedules, {"type": "null"}]}
    for name, part in {**schema["$defs"], "PipelineFile": schema}.items():
        for key, text in MEANINGS.get(name, {}).items():
            part["properties"][key]["description"] = text
    return schema
