"""Reading the inputs and outputs of one stage, whose forms `forms` has brought into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stagebook.pipeline.expressions import Template
from stagebook.pipeline.forms import Variable
from stagebook.pipeline.model import DeltaOptions, Input, InputRef, Location, Output
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.schema import InputFile, OutputFile, read_model
from stagebook.pipeline.types import Value, describe


class PathReader:
    """Reads inputs and outputs. `template`: reads a path with its expressions, and reports what is wrong with it."""

    def __init__(
        self, problems: ProblemCollector, template: Callable[[Value, Location], Template | None]
    ) -> None:
        self._problems = problems
        self._report = problems.report
        self._template = template

    def inputs(
        self, raw: Mapping[str, Any], passed: Mapping[str, Variable], base: Location
    ) -> dict[str, Input]:
        """The inputs by name. `passed`: the variables that get them; `base`: where they stand."""
        inputs: dict[str, Input] = {}
        for name, entry in raw.items():
            location, value = (*base, name), entry
            if isinstance(entry, dict) and "path" in entry:
                _, mistakes = read_model(InputFile, entry)
                self._problems.report_all(mistakes, location)
                if mistakes:
                    continue
                value = entry["path"]
            texts = value if isinstance(value, list) else [value]
            if not self._is_variable(name, passed[name], location) or not self._are_texts(
                name, value, location
            ):
                continue
            refs = []
            for at, text in enumerate(texts):
                where = (*location, at) if isinstance(value, list) else location
                template = self._template(text, where)
                if template is not None:
                    refs.append(InputRef(text=template, location=where))
            many = isinstance(value, list)
            inputs[name] = Input(name=name, refs=tuple(refs), many=many, variable=passed[name])
        return inputs

    def _is_variable(self, name: str, variable: Variable, location: Location) -> bool:
        """Whether the names are those of variables; reported if not."""
        return all(self._problems.is_identifier(it, location) for it in {name, *variable[:1]})

    def _are_texts(self, name: str, value: Any, location: Location) -> bool:
        hint = "name an output as stage.output, or a file of the project"
        if value == []:
            self._report(location, f"the input '{name}' is an empty list", hint)
        elif not isinstance(value, list | str):
            self._report(location, f"the input '{name}' has to be a reference or a list of them", hint)
        for at, text in enumerate(value if isinstance(value, list) else []):
            if not isinstance(text, str):
                msg = f"an item of the input '{name}' has to be a reference, not {describe(text)}"
                self._report((*location, at), msg, hint)
                return False
        return isinstance(value, list | str) and value != []

    def outputs(
        self, given: Mapping[str, OutputFile], passed: Mapping[str, Variable], base: Location
    ) -> dict[str, Output]:
        """The outputs by name; the arguments as of `inputs`."""
        for name, output in given.items():
            if output.kind == "delta" and not passed[name]:
                hint = "let a variable of the notebook get its path: name: {path: …, kind: delta}"
                self._report(
                    (*base, name), "rows of a Delta table are written to a path that is passed", hint
                )
        paths = {
            name: self._template(output.path, (*base, name))
            for name, output in given.items()
            if self._is_variable(name, passed[name], (*base, name))
        }
        return {
            name: Output(
                name=name,
                path=path,
                kind=given[name].kind,
                contract=given[name].contract or "",
                code=given[name].code,
                delta=self._delta(given[name], (*base, name)),
                variable=passed[name],
            )
            for name, path in paths.items()
            if path is not None
        }

    def _delta(self, output: OutputFile, base: Location) -> DeltaOptions | None:
        """What becomes of a Delta table; `None` for another kind of output."""
        if not output.code and output.kind != "notebook":
            hint = "add kind: notebook, or remove it"
            self._report((*base, "code"), "'code' is for kind: notebook, the executed notebook", hint)
        if output.kind != "delta":
            for key in ("mode", "partition_by", "key"):
                if getattr(output, key):
                    self._report((*base, key), f"'{key}' is for kind: delta", "add kind: delta, or remove it")
            return None
        if output.mode == "merge" and not output.key:
            hint = "name the columns that tell rows apart: key: id"
            self._report((*base, "mode"), "rows are merged by a key, and there is none", hint)
        if output.key and output.mode != "merge":
            self._report((*base, "key"), "'key' is for mode: merge", "add mode: merge, or remove it")
        for key in ("partition_by", "key"):
            names = getattr(output, key)
            if twice := next((name for name in names if names.count(name) > 1 or not name), None):
                what = f"'{key}' names {twice} twice" if twice else f"'{key}' has an empty name"
                self._report((*base, key), what, "name each column once")
        return DeltaOptions(
            mode=output.mode or "overwrite", partition_by=tuple(output.partition_by), key=tuple(output.key)
        )
