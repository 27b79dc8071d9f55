"""From the text of a pipeline file to a `Pipeline`, with every mistake that the file alone shows."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.errors import Problem, did_you_mean
from stagebook.pipeline.expressions import ExpressionError, Template, compile_value
from stagebook.pipeline.model import (
    Input,
    InputRef,
    Location,
    Output,
    Param,
    Pipeline,
    Stage,
    problem_at,
)
from stagebook.pipeline.names import Names, Place
from stagebook.pipeline.schema import (
    DefaultsFile,
    ParamFile,
    PipelineFile,
    StageFile,
    read_model,
    read_what_can_be,
)
from stagebook.pipeline.types import (
    TypeNotUnderstood,
    Value,
    ValueMismatch,
    accept,
    describe,
    parse_type,
    type_of,
)
from stagebook.pipeline.yaml import read_document

STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NAME_HINT = "use letters, digits, '_' and '-', and start with a letter"
_EVERY = frozenset({"params", "matrix", "env", "run", "stages", "item"})
_PATHS = frozenset({"params", "matrix", "env", "item"})  # what a path may depend on
_MATRIX = frozenset({"params", "env"})
_LIST = frozenset({"params", "env", "stages"})  # what a foreach may depend on
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read of a pipeline file, and everything that is wrong with it."""

    pipeline: Pipeline
    problems: tuple[Problem, ...]


def load_pipeline(text: str | bytes, path: str) -> Loaded:
    """Read the text of a pipeline file. Never raises for what the text holds.

    `path` is the file's path relative to the project root; its stem is the default name.
    """
    document = read_document(text, path)
    stem = PurePosixPath(path).stem
    empty = Pipeline(name=stem, path=path, places=document.places)
    if document.data is None:
        nothing = Problem(
            path=path,
            message="the file is empty",
            hint="a pipeline has at least one stage: stages: {name: {notebook: path}}",
        )
        return Loaded(empty, document.problems or (nothing,))
    return _Loader(path, document.places, list(document.problems)).load(document.data, stem)


class _Loader:
    """Reads one file, part by part, and collects what is wrong."""

    def __init__(
        self, path: str, places: Mapping[Location, tuple[int, int]], problems: list[Problem]
    ) -> None:
        self.path = path
        self.places = places
        self.problems = problems
        self.defaults = DefaultsFile()
        self.params: dict[str, Param] = {}
        self.names = Names(params=(), stages=())

    def report(self, location: Location, message: str, hint: str = "") -> None:
        self.problems.append(problem_at(self.path, self.places, location, message, hint))

    def report_all(self, mistakes: Iterable[tuple[Location, str, str]], base: Location = ()) -> None:
        for location, message, hint in mistakes:
            self.report(base + location, message, hint)

    def load(self, data: Any, stem: str) -> Loaded:
        head, mistakes = read_what_can_be(PipelineFile, data, {"stages": {}})
        self.report_all(mistakes)
        wrong = {where[0] for where, _, _ in mistakes if where}
        head = head or PipelineFile(stages={})
        name = stem if head.name is None else head.name
        if not STAGE_NAME.fullmatch(name):
            self.report(("name",), f"'{name[:60]}' is not a name", _NAME_HINT)
        self.defaults = head.defaults
        if "defaults" in wrong and isinstance(data.get("defaults"), dict):
            self.defaults = read_what_can_be(DefaultsFile, data["defaults"], {})[0] or self.defaults
        self._check_env(self.defaults.env, ("defaults", "env"))
        self._read_params(head.params)
        self.names = Names(
            params=None if "params" in wrong else tuple(head.params), stages=tuple(head.stages)
        )
        stages: dict[str, Stage] = {}
        broken: set[str] = set()
        if isinstance(data, dict) and data.get("stages") == {}:
            self.report(("stages",), "the pipeline has no stage", "add one: name: {notebook: path}")
        for stage_name, raw in head.stages.items():
            before = len(self.problems)
            stage = self._read_stage(stage_name, raw)
            if stage is not None:
                stages[stage_name] = stage
            if stage is None or len(self.problems) > before:
                broken.add(stage_name)
        pipeline = Pipeline(
            name=name,
            path=self.path,
            description=head.description,
            params=self.params,
            stages=stages,
            broken=frozenset(broken),
            broken_params=frozenset(head.params) - set(self.params),
            places=self.places,
        )
        return Loaded(pipeline, tuple(self.problems))

    # -- params ---------------------------------------------------------------------------------

    def _read_params(self, raw: Mapping[str, Any]) -> None:
        for name, value in raw.items():
            location: Location = ("params", name)
            if not self._is_identifier(name, location):
                continue
            param = self._read_param(name, value, location)
            if param is not None:
                self.params[name] = param

    def _read_param(self, name: str, value: Any, location: Location) -> Param | None:
        long_form = isinstance(value, dict) and ("type" in value or "default" in value)
        if not long_form:
            return Param(name=name, type=type_of(value), default=value)
        spec, mistakes = read_model(ParamFile, value)
        self.report_all(mistakes, location)
        if spec is None:
            return None
        try:
            kind = parse_type(spec.type) if spec.type is not None else type_of(spec.default)
        except TypeNotUnderstood as error:
            hint = "types are int, float, bool, str, date, Path, list[int], int | None, Literal['a', 'b'] …"
            self.report((*location, "type"), str(error), hint)
            return None
        if "default" not in value:
            return Param(name=name, type=kind, required=True, help=spec.help)
        try:
            default = accept(kind, spec.default)
        except ValueMismatch as error:
            self.report((*location, "default"), f"the default of '{name}' does not fit: {error}")
            return None
        return Param(name=name, type=kind, default=default, help=spec.help)

    def _is_identifier(self, name: str, location: Location) -> bool:
        if name.isidentifier() and name.isascii() and not keyword.iskeyword(name):
            return True
        hint = "use the letters a to z, digits and '_', and start with a letter"
        if keyword.iskeyword(name):
            hint = "it is a word of Python's own"
        self.report(location, f"'{name[:60]}' cannot be the name of a variable", hint)
        return False

    # -- stages ---------------------------------------------------------------------------------

    def _read_stage(self, name: str, raw: Any) -> Stage | None:
        base: Location = ("stages", name)
        if not STAGE_NAME.fullmatch(name):
            self.report(base, f"'{name[:60]}' is not a name for a stage", _NAME_HINT)
            return None
        spec, mistakes = read_what_can_be(StageFile, raw, {"notebook": ""})
        self.report_all(mistakes, base)
        if spec is None:
            return None
        wrong = {where[0] for where, _, _ in mistakes if where}
        if raw.get("notebook") == "":
            self.report((*base, "notebook"), "'notebook' is empty", "name a notebook: notebooks/name.ipynb")
        self._check_clashes(spec, base)
        if not spec.matrix and "matrix" in raw and "matrix" not in wrong:
            self.report((*base, "matrix"), "the matrix has no points", "name a list: matrix: {month: [1, 2]}")
        after = [
            other for at, other in enumerate(spec.after) if self._is_after(name, other, (*base, "after", at))
        ]
        matrix = self._templates(spec.matrix, (*base, "matrix"), _MATRIX, Place(stage=name))
        foreach = self._read_foreach(spec, base, name)
        place = Place(
            stage=name,
            axes=None if "matrix" in wrong else tuple(spec.matrix),
            each=spec.foreach is not None or "foreach" in wrong,
        )
        trigger = spec.trigger or "all_success"
        outputs = self._read_outputs(spec, (*base, "outputs"), place)
        if foreach is not None:
            self._check_items(outputs, base)
        self._check_env(spec.env, (*base, "env"))
        return Stage(
            name=name,
            notebook=spec.notebook,
            description=spec.description,
            matrix=matrix,
            expandable="matrix" not in wrong
            and len(matrix) == len(spec.matrix)
            and (spec.foreach is None or foreach is not None)
            and "foreach" not in wrong,
            params=self._templates(spec.params, (*base, "params"), _EVERY, place),
            inputs=self._read_inputs(spec.inputs, (*base, "inputs"), place),
            outputs=outputs,
            after=tuple(after),
            retries=self.defaults.retries if spec.retries is None else spec.retries,
            retry_delay=self.defaults.retry_delay if spec.retry_delay is None else spec.retry_delay,
            timeout=self.defaults.timeout if spec.timeout is None else spec.timeout,
            executor=spec.executor or self.defaults.executor,
            kernel=spec.kernel or self.defaults.kernel,
            foreach=foreach,
            when=self._read_when(spec, base, place),
            trigger=trigger,
            env=tuple(dict.fromkeys([*self.defaults.env, *spec.env])),
            # A stage that is there for what others came to, such as an alert, does not go by its inputs.
            cache=trigger == "all_success" if spec.cache is None else spec.cache,
            frozen=spec.frozen,
            strict=self.defaults.strict if spec.strict is None else spec.strict,
        )

    def _read_foreach(self, spec: StageFile, base: Location, name: str) -> Template | None:
        if spec.foreach is None:
            return None
        location = (*base, "foreach")
        if spec.matrix:
            self.report(location, "a stage has a matrix or a foreach, not both", "remove one of them")
            return None
        template = self._template(spec.foreach, location, _LIST, Place(stage=name))
        if template is not None and isinstance(spec.foreach, str) and not template.is_expression:
            hint = "it is a list, or one expression that gives one, such as ${stages.NAME.scraps.KEY}"
            self.report(location, f"'foreach' has to be a list, not {describe(spec.foreach)}", hint)
            return None
        return template

    def _check_items(self, outputs: Mapping[str, Output], base: Location) -> None:
        for name, output in outputs.items():
            if not output.path.mentions("item"):
                self.report(
                    (*base, "outputs", name),
                    f"every item would write the output '{name}' to one path",
                    "put the item into the path, such as data/name-${item}.parquet",
                )

    def _read_when(self, spec: StageFile, base: Location, place: Place) -> Template | None:
        if spec.when is None:
            return None
        template = self._template(spec.when, (*base, "when"), _EVERY, place)
        if template is None or isinstance(spec.when, bool) or template.is_expression:
            return template
        hint = "write all of it within one pair of braces: when: ${…}"
        if "${" not in spec.when:
            hint = f"when: ${{{spec.when.strip() or 'params.NAME'}}}"
        self.report((*base, "when"), "'when' has to be one expression, or true or false", hint)
        return None

    def _check_env(self, names: Iterable[str], base: Location) -> None:
        for at, name in enumerate(names):
            if not _ENV_NAME.fullmatch(name):
                message = f"'{name[:60]}' is not the name of an environment variable"
                hint = "write the name alone, such as TZ; its value is taken from the environment"
                self.report((*base, at), message, hint)

    def _check_clashes(self, spec: StageFile, base: Location) -> None:
        seen: dict[str, str] = {}
        for group, names in (("params", spec.params), ("inputs", spec.inputs), ("outputs", spec.outputs)):
            for name in names:
                if name in seen:
                    self.report(
                        (*base, group, name),
                        f"'{name}' is given twice, under {seen[name]} and {group}",
                        "each is one variable of the notebook; rename one of them",
                    )
                seen[name] = group

    def _is_after(self, stage: str, other: str, location: Location) -> bool:
        if other == stage:
            self.report(location, f"'{stage}' cannot come after itself", "remove it")
        elif other.partition("@")[0] in self.names.stages and "@" in other:
            hint = f"write {other.partition('@')[0]}: a stage comes after all instances of another"
            self.report(location, f"'after' names whole stages, not '{other}'", hint)
        elif other not in self.names.stages:
            self.report(location, f"unknown stage '{other}'", did_you_mean(other, self.names.stages))
        else:
            return True
        return False

    def _read_inputs(self, raw: Mapping[str, Any], base: Location, place: Place) -> dict[str, Input]:
        inputs: dict[str, Input] = {}
        for name, value in raw.items():
            location = (*base, name)
            texts = value if isinstance(value, list) else [value]
            if not self._is_identifier(name, location) or not self._are_texts(name, value, location):
                continue
            refs = []
            for at, text in enumerate(texts):
                where = (*location, at) if isinstance(value, list) else location
                template = self._template(text, where, _PATHS, place)
                if template is not None:
                    refs.append(InputRef(text=template, location=where))
            inputs[name] = Input(name=name, refs=tuple(refs), many=isinstance(value, list))
        return inputs

    def _are_texts(self, name: str, value: Any, location: Location) -> bool:
        hint = "name an output as stage.output, or a file of the project"
        if value == []:
            self.report(location, f"the input '{name}' is an empty list", hint)
        elif not isinstance(value, list | str):
            self.report(location, f"the input '{name}' has to be a reference or a list of them", hint)
        for at, text in enumerate(value if isinstance(value, list) else []):
            if not isinstance(text, str):
                msg = f"an item of the input '{name}' has to be a reference, not {describe(text)}"
                self.report((*location, at), msg, hint)
                return False
        return isinstance(value, list | str) and value != []

    def _read_outputs(self, spec: StageFile, base: Location, place: Place) -> dict[str, Output]:
        outputs: dict[str, Output] = {}
        for name, output in spec.outputs.items():
            location = (*base, name)
            if not self._is_identifier(name, location):
                continue
            template = self._template(output.path, location, _PATHS, place)
            if template is not None:
                outputs[name] = Output(name=name, path=template, kind=output.kind)
        return outputs

    # -- expressions ----------------------------------------------------------------------------

    def _templates(
        self, raw: Mapping[str, Any], base: Location, allowed: frozenset[str], place: Place
    ) -> dict[str, Template]:
        made: dict[str, Template] = {}
        for name, value in raw.items():
            if self._is_identifier(name, (*base, name)):
                template = self._template(value, (*base, name), allowed, place)
                if template is not None:
                    made[name] = template
        return made

    def _template(
        self, value: Value, location: Location, allowed: frozenset[str], place: Place
    ) -> Template | None:
        try:
            template = compile_value(value)
            for reference in sorted(template.references):
                self.names.check(reference, allowed, place)
        except ExpressionError as error:
            self.report(location, str(error), error.hint)
            return None
        return template
