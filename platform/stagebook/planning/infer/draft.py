"""A stage of a pipeline that is being proposed, and its text."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterator, Mapping

from stagebook.pipeline.forms import names_alone
from stagebook.pipeline.notebook import DeclaredParam
from stagebook.pipeline.types import Value, type_of
from stagebook.pipeline.workdir import PROJECT, ROOT, folder_of, seen_from, written_from
from stagebook.pipeline.yaml_text import one_line, yaml


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A notebook that ran. `reads` and `writes` are None where they could not be observed. `texts` are
    the text constants of its cells, but for the parameters cell, each with the number of its cell. `kernel`: the
    one that it ran in instead of its own; empty for its own. `workdir`: the value of that key."""

    stage: str
    notebook: str
    parameters: Mapping[str, DeclaredParam] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    texts: tuple[tuple[int, str], ...] = ()
    kernel: str = ""
    workdir: str = PROJECT

    def seen(self, text: str) -> str:
        """The path in the project that a relative path of its cells means."""
        folder = folder_of(self.workdir, self.notebook)
        return text if folder == ROOT or "://" in text else seen_from(folder, text)

    def written(self, path: str) -> str:
        """What its cells write for a path of the project."""
        folder = folder_of(self.workdir, self.notebook)
        return path if folder == ROOT else written_from(folder, path)


@dataclasses.dataclass(slots=True, kw_only=True)
class Draft:
    """A stage while it is being put together."""

    trial: Trial
    at: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    values: dict[str, list[str]]  # the variables that hold paths
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    inputs: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # as the file has them
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    after: dict[str, None] = dataclasses.field(default_factory=dict)
    remarks: list[str] = dataclasses.field(default_factory=list)
    # What the notebook names by itself: inputs as the file has them, and the paths of outputs by their names.
    alone_inputs: list[str] = dataclasses.field(default_factory=list)
    alone_outputs: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self.trial.stage

    @property
    def made(self) -> dict[str, str]:
        """The paths of all outputs, by their names."""
        return {**self.outputs, **self.alone_outputs}


def stage_lines(draft: Draft) -> Iterator[str]:
    """The lines of a stage in a pipeline file."""
    yield f"{draft.name}:"
    yield f"  notebook: {yaml(draft.trial.notebook)}"
    if draft.trial.kernel:
        yield f"  kernel: {yaml(draft.trial.kernel)}"
    if draft.trial.workdir != PROJECT:
        yield f"  workdir: {yaml(draft.trial.workdir)}"
    for remark in draft.remarks:
        yield f"  # {one_line(remark)}"
    if draft.params:
        yield "  params:"
        yield from (f"    {name}: {yaml(value)}" for name, value in draft.params.items())
    inputs = {}
    for name, refs in draft.inputs.items():
        many = isinstance((draft.trial.parameters or {})[name].default, list)
        inputs[name] = f"[{', '.join(map(yaml, refs))}]" if many else yaml(refs[0])
    alone = dict(zip(names_apart(draft.alone_inputs, inputs), draft.alone_inputs, strict=True))
    yield from _paths("inputs", inputs, alone)
    outputs = {name: yaml(path) for name, path in draft.outputs.items()}
    shown = {name: _as_written(draft, path) for name, path in draft.alone_outputs.items()}
    yield from _paths("outputs", outputs, shown)
    if draft.after:
        yield f"  after: [{', '.join(draft.after)}]"


def _paths(group: str, passed: Mapping[str, str], alone: Mapping[str, str]) -> Iterator[str]:
    """The lines of inputs or outputs: as a list where nothing is passed."""
    if not passed and alone:
        yield f"  {group}: [{', '.join(map(yaml, alone.values()))}]"
    elif passed:
        yield f"  {group}:"
        yield from (f"    {name}: {text}" for name, text in passed.items())
        yield from (f"    {name}: {{path: {yaml(path)}, inject: false}}" for name, path in alone.items())


def _as_written(draft: Draft, path: str) -> str:
    """A folder that the notebook did not make itself has to be there: a slash says so."""
    is_folder = any(other.startswith(f"{path}/") for other in draft.writes)
    return f"{path}/" if is_folder and path not in draft.writes else path


def names_apart(paths: list[str], taken: Collection[str]) -> list[str]:
    """The names of what is declared by path alone, with none of those that are `taken`."""
    names = names_alone(paths)
    return [f"{name}_" if name in taken else name for name in names]


def param_text(param: DeclaredParam) -> str:
    """A parameter in a pipeline file, after its name."""
    if param.type == type_of(param.default) and not param.help and not isinstance(param.default, dict):
        return yaml(param.default)
    parts = [f"type: {yaml(str(param.type))}", f"default: {yaml(param.default)}"]
    if param.help:
        parts.append(f"help: {json.dumps(param.help, ensure_ascii=False)}")
    return f"{{{', '.join(parts)}}}"


def can_be_given(param: DeclaredParam) -> bool:
    """Whether a pipeline file can hold its default, and hand it on as it is."""
    return (
        param.type is not None
        and param.default is not None
        and param.name.isascii()
        and _is_plain(param.default)
        and "${" not in yaml(param.default)
    )


def _is_plain(value: Value) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_is_plain, value))
        case dict():
            return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
        case str():
            return value.isprintable()
    return value is None or isinstance(value, bool | int)
