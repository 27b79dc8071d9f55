"""The inputs of a stage in a test: files, bytes, frames or functions, written into the test's own tree."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stagebook.errors import UsageError, did_you_mean
from stagebook.pipeline.model import Input, InputRef, Pipeline, Stage
from stagebook.planning.input_files import MOST
from stagebook.planning.inputs import REFERENCE
from stagebook.planning.scopes import UNKNOWN, Evaluator
from stagebook.testing import frames
from stagebook.testing.alone import Alone, literal
from stagebook.workspace.paths import PathRefused, inside_for_input
from stagebook.workspace.patterns import folder_of, is_pattern, matches
from stagebook.workspace.remotes import PATTERN, split

_FOLDER = "inputs"  # in the tree
_WAYS = "a path, bytes, a DataFrame or a function that is given a path to write to"

Given = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """What the pipeline file says of an input. `source`: `stage.output`, empty for a file; `name`: of the file that the
    stage would get; `is_delta`: it is a Delta table; `many`: the notebook gets a list. `place`: where the notebook reads it by
    itself, a folder where they are `many`; empty where it is passed."""

    source: str
    name: str
    is_delta: bool
    many: bool
    place: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The inputs of a stage, with a stage that refers to them. `datasets`: the paths of datasets that contracts may ask
    for, by their names."""

    stage: Stage
    datasets: Mapping[str, Sequence[str]]


class InputPlaces:
    """Places inputs into the tree of a test.

    Args:
        project: the root of the project, whose files may be linked.
        tree: the root of the tree.
        near: the folder that relative paths are looked up in first: that of the test.
    """

    def __init__(self, project: Path, tree: Path, near: Path) -> None:
        self._project = project
        self._tree = tree
        self._near = near

    def place(self, whole: Pipeline, one: Alone, given: Given, asked: Sequence[str]) -> Placed:
        """Place what a stage is given, and what it has in the project otherwise.

        Args:
            whole: the pipeline as its file says.
            one: the stage by itself.
            given: values by the names of inputs, and of datasets that contracts ask for.
            asked: the datasets of other stages that contracts of this one ask for.

        Raises:
            UsageError: an input is lacking or cannot be written, or a name is not known.
        """
        stage = one.stage
        _check_names(stage, given, asked)
        inputs: dict[str, Input] = {}
        params = dict(stage.params)
        written: dict[str, Sequence[str]] = {}
        lacking: list[str] = []
        evaluator = Evaluator(one.pipeline, one.params, dict(os.environ), one.interval)
        for name, item in stage.inputs.items():
            declared = self._placed(whole, item, evaluator, one)
            if name in given:
                paths = self._written(name, given[name], declared)
                refs = tuple(InputRef(text=literal(path), location=item.refs[0].location) for path in paths)
                if refs:
                    inputs[name] = dataclasses.replace(item, refs=refs, many=declared.many)
                else:
                    params[name] = literal([])
                written[name] = paths
            else:
                lacking += [f"{name} ({why})" for why in self._linked(whole, item, evaluator, one)]
                inputs[name] = item
        datasets = datasets_given(whole, stage, written)
        for dataset in asked:
            if dataset in given:
                datasets[dataset] = self._written(dataset, given[dataset], _named(whole, dataset))
            elif dataset not in datasets:
                lacking.append(f"{dataset} (its contract asks for it)")
        if lacking:
            first = lacking[0].partition(" ")[0]
            hint = f"inputs={{'{first}': …}} with {_WAYS}"
            raise UsageError(
                f"{stage.name} needs what the test does not give: {', '.join(lacking)}", hint=hint
            )
        return Placed(stage=dataclasses.replace(stage, inputs=inputs, params=params), datasets=datasets)

    def _placed(self, whole: Pipeline, item: Input, evaluator: Evaluator, one: Alone) -> _Declared:
        """What the file says of an input, with the place at which the notebook looks for it. Raises `UsageError`."""
        found = _declared(whole, item)
        if item.passed_as:
            return found
        ref = item.refs[0]
        text = str(evaluator.value(ref.text, ref.location, one.point))
        match = REFERENCE.fullmatch(text)
        if match and match[1] in whole.stages:
            made = whole.stages[match[1]].outputs.get(match[3])
            text = str(made.path.source).rstrip("/") if made is not None else text
            text = f"{text}/{match[5]}" if match[5] else text
        if "${" in text:
            hint = "let a variable of the notebook get it: inputs: {name: …}"
            raise UsageError(
                f"where the notebook reads the input '{item.name}' is known only in a run", hint=hint
            )
        place = folder_of(text) if found.many else text
        return dataclasses.replace(found, place=place or ".")

    def _linked(self, whole: Pipeline, item: Input, evaluator: Evaluator, one: Alone) -> Iterator[str]:
        """Link the files of the project that an input names; what is not there, or not a file of the project."""
        for ref in item.refs:
            text = evaluator.value(ref.text, ref.location, one.point)
            if text is UNKNOWN or not isinstance(text, str):
                continue  # which planning reports
            match = REFERENCE.fullmatch(text)
            if match and match[1] in {*whole.stages, *whole.broken}:
                yield text
            elif split(text) and not (self._project / text).exists():
                yield f"{text}, which is behind a connection"
            else:
                try:
                    path = inside_for_input(self._project, text)
                except PathRefused:
                    continue  # which planning reports
                is_there = (self._project / path).exists()
                found = [path] if is_there else matches(self._project, path, MOST) if is_pattern(path) else []
                if not found:
                    yield f"{text}, which the project does not have"
                for each in found:
                    link(self._project / each, self._tree / each)

    def _written(self, name: str, value: Any, declared: _Declared) -> list[str]:
        """Write what was given for an input; its paths in the tree."""
        values = list(value) if isinstance(value, list | tuple) else [value]
        if isinstance(value, list | tuple) and not declared.many:
            raise UsageError(f"the input '{name}' is one path, and not a list", hint="give one value")
        folder = f"{_FOLDER}/{name}"
        paths = []
        for number, each in enumerate(values, start=1):
            path = Path(declared.name)
            stem = f"{path.name.removesuffix(''.join(path.suffixes))}-{number}"
            numbered = f"{stem}{''.join(path.suffixes)}" if len(values) > 1 else path.name
            source = self._file(name, each) if isinstance(each, str | Path) else None
            target = f"{folder}/{source.name if source else numbered}"
            if declared.place:
                target = f"{declared.place}/{Path(target).name}" if declared.many else declared.place
            if target in paths:
                target = f"{folder}/{number}/{source.name if source else numbered}"
            place = self._tree / target
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(name, source or each, place, is_delta=declared.is_delta)
            paths.append(target)
        return paths

    def _file(self, name: str, value: str | Path) -> Path:
        """A file or folder that was given by its path."""
        for base in (self._near, self._project):
            if (base / value).exists():
                return base / value
        text = str(value)
        if "\n" in text:
            hint = "a text is taken for a path: give its content as bytes, such as text.encode()"
            raise UsageError(f"the input '{name}' is a text of several lines", hint=hint)
        hint = f"paths are relative to the folder of the test, or to the project; {_WAYS} can be given"
        raise UsageError(f"the input '{name}': there is no file '{text}'", hint=hint)


def _write(name: str, value: Any, place: Path, *, is_delta: bool) -> None:
    if isinstance(value, Path):
        copy(value, place)
    elif isinstance(value, bytes):
        place.write_bytes(value)
    elif isinstance(value, pd.DataFrame):
        frames.write(value, place, is_delta=is_delta)
    elif isinstance(value, Callable):  # type: ignore[arg-type] # any of them
        value(place)
        if not place.exists():
            hint = "it is given the path to write to, a Path"
            raise UsageError(f"the function that was given for the input '{name}' wrote nothing", hint=hint)
    else:
        raise UsageError(f"the input '{name}' cannot be a {type(value).__name__}", hint=f"give {_WAYS}")


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def link(source: Path, target: Path) -> None:
    """Link a file or folder of the project into the tree."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def datasets_given(
    whole: Pipeline, stage: Stage, paths: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """The paths of datasets by their names, of those that are inputs of a stage. `paths`: by the names of inputs."""
    found = {name: _declared(whole, item).source for name, item in stage.inputs.items() if name in paths}
    return {f"{whole.name}.{source}": paths[name] for name, source in found.items() if source}


def _check_names(stage: Stage, given: Given, asked: Sequence[str]) -> None:
    for name in given:
        if name not in stage.inputs and name not in asked:
            hint = did_you_mean(name, [*stage.inputs, *asked]) or f"{stage.name} has no inputs"
            if name in stage.params:
                hint = f"it is a parameter: params={{'{name}': …}}"
            raise UsageError(f"{stage.name} has no input '{name}'", hint=hint)


def _declared(whole: Pipeline, item: Input) -> _Declared:
    """What the file says of an input, by the first thing that it refers to."""
    text = str(item.refs[0].text.source)
    match = REFERENCE.fullmatch(text)
    if match and match[1] in whole.stages:
        found = _of_output(whole, item.name, match[1], match[3])
        several = match[2] is None and bool(whole.stages[match[1]].matrix or whole.stages[match[1]].foreach)
        return dataclasses.replace(found, many=item.many or several)
    remote = split(text)
    several = PATTERN.search(remote[1]) is not None if remote else is_pattern(text)
    name = item.name if several or "${" in Path(text).name else Path(text).name
    return _Declared(
        source="",
        name=name if "." in name else f"{name}{''.join(Path(text).suffixes[-1:])}",
        is_delta=False,
        many=item.many or several,
    )


def _of_output(whole: Pipeline, name: str, stage: str, output: str) -> _Declared:
    made = whole.stages[stage].outputs.get(output)
    path = Path(str(made.path.source)) if made is not None else Path(name)
    shown = path.name if "${" not in path.name else f"{name}{''.join(path.suffixes[-1:])}"
    is_delta = made is not None and made.kind == "delta"
    return _Declared(source=f"{stage}.{output}", name=shown, is_delta=is_delta, many=False)


def _named(whole: Pipeline, dataset: str) -> _Declared:
    """What is known of a dataset that a contract asks for."""
    owner, stage, output = dataset.split(".")
    if owner == whole.name and stage in whole.stages:
        return dataclasses.replace(_of_output(whole, output, stage, output), many=True)
    return _Declared(source="", name=f"{output}.parquet", is_delta=False, many=True)
