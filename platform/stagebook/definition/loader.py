"""From the text of a pipeline file to a `Pipeline`, with every mistake that the file alone shows."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.definition.document import read_document
from stagebook.definition.expressions import ExpressionError, Template, compile_value
from stagebook.definition.pipeline import (
    Input,
    InputRef,
    Location,
    Output,
    Param,
    Pipeline,
    Stage,
    find_place,
)
from stagebook.definition.schema import (
    DefaultsFile,
    ParamFile,
    PipelineFile,
    StageFile,
    read_model,
)
from stagebook.definition.values import (
    TypeNotUnderstood,
    Value,
    ValueMismatch,
    accept,
    parse_type,
    type_of,
)
from stagebook.errors import Problem, did_you_mean

STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
RUN_NAMES = ("id", "pipeline", "started")
_SECRET = re.compile(r"(?i)(secret|token|passw|credential|api_?key|private_?key|access_?key)")


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
        self.known_params: set[str] = set()
        self.stage_names: list[str] = []

    def report(self, location: Location, message: str, hint: str = "") -> None:
        line, column = find_place(self.places, location)
        self.problems.append(Problem(path=self.path, line=line, column=column, message=message, hint=hint))

    def report_all(self, mistakes: Iterable[tuple[Location, str, str]], base: Location = ()) -> None:
        for location, message, hint in mistakes:
            self.report(base + location, message, hint)

    def load(self, data: Any, stem: str) -> Loaded:
        head = self._head(data)
        name = head.name or stem
        if not STAGE_NAME.fullmatch(name):
            self.report(("name",), f"'{name}' is not a name", "use letters, digits, '_' and '-'")
        self.defaults = head.defaults
        self._read_params(head.params)
        self.stage_names = list(head.stages)
        stages: dict[str, Stage] = {}
        broken: set[str] = set()
        if not head.stages and isinstance(data, dict) and data.get("stages") == {}:
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
            places=self.places,
        )
        return Loaded(pipeline, tuple(self.problems))

    def _head(self, data: Any) -> PipelineFile:
        head, mistakes = read_model(PipelineFile, data)
        self.report_all(mistakes)
        if head is not None:
            return head
        # Keep what is well-formed, so that mistakes further down are reported in the same go.
        kept = {
            key: value
            for key, value in (data if isinstance(data, dict) else {}).items()
            if key in PipelineFile.model_fields
            and not any(where[0] == key for where, _, _ in mistakes if where)
        }
        kept.setdefault("stages", {})
        again, _ = read_model(PipelineFile, kept)
        return again or PipelineFile(stages={})

    # -- params ---------------------------------------------------------------------------------

    def _read_params(self, raw: Mapping[str, Any]) -> None:
        self.known_params = set(raw)
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
        self.report(
            location,
            f"'{name[:60]}' cannot be the name of a variable",
            "use letters, digits and '_', and start with a letter",
        )
        return False

    # -- stages ---------------------------------------------------------------------------------

    def _read_stage(self, name: str, raw: Any) -> Stage | None:
        base: Location = ("stages", name)
        if not STAGE_NAME.fullmatch(name):
            self.report(base, f"'{name[:60]}' is not a name for a stage", "use letters, digits, '_' and '-'")
            return None
        spec, mistakes = read_model(StageFile, raw)
        self.report_all(mistakes, base)
        if spec is None:
            return None
        for names in (spec.params, spec.inputs, spec.outputs):
            for key in names:
                group = "params" if names is spec.params else "inputs" if names is spec.inputs else "outputs"
                self._is_identifier(key, (*base, group, key))
        self._check_clashes(spec, base)
        for at, other in enumerate(spec.after):
            self._check_after(name, other, (*base, "after", at))
        matrix = self._templates(spec.matrix, (*base, "matrix"), {"params", "env"}, ())
        points = tuple(spec.matrix)
        every = {"params", "matrix", "env", "run", "stages"}
        return Stage(
            name=name,
            notebook=spec.notebook,
            description=spec.description,
            matrix=matrix,
            params=self._templates(spec.params, (*base, "params"), every, points, stage=name),
            inputs=self._read_inputs(spec.inputs, (*base, "inputs"), points),
            outputs=self._read_outputs(spec, (*base, "outputs"), points),
            after=tuple(spec.after),
            retries=self.defaults.retries if spec.retries is None else spec.retries,
            retry_delay=self.defaults.retry_delay if spec.retry_delay is None else spec.retry_delay,
            timeout=self.defaults.timeout if spec.timeout is None else spec.timeout,
            executor=spec.executor or self.defaults.executor,
            kernel=spec.kernel or self.defaults.kernel,
        )

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

    def _check_after(self, stage: str, other: str, location: Location) -> None:
        if other == stage:
            self.report(location, f"'{stage}' cannot come after itself")
        elif other not in self.stage_names:
            self.report(location, f"unknown stage '{other}'", did_you_mean(other, self.stage_names))

    def _read_inputs(
        self, raw: Mapping[str, Any], base: Location, points: tuple[str, ...]
    ) -> dict[str, Input]:
        inputs: dict[str, Input] = {}
        for name, value in raw.items():
            location = (*base, name)
            texts = value if isinstance(value, list) else [value]
            if not texts or not all(isinstance(text, str) for text in texts):
                hint = "name an output as stage.output, or a file of the project"
                self.report(location, f"the input '{name}' has to be a reference or a list of them", hint)
                continue
            refs = []
            for at, text in enumerate(texts):
                where = (*location, at) if isinstance(value, list) else location
                template = self._template(text, where, {"params", "matrix", "env"}, points)
                if template is not None:
                    refs.append(InputRef(text=template, location=where))
            inputs[name] = Input(name=name, refs=tuple(refs), many=isinstance(value, list))
        return inputs

    def _read_outputs(self, spec: StageFile, base: Location, points: tuple[str, ...]) -> dict[str, Output]:
        outputs: dict[str, Output] = {}
        for name, output in spec.outputs.items():
            location = (*base, name)
            template = self._template(output.path, location, {"params", "matrix", "env"}, points)
            if template is not None:
                outputs[name] = Output(name=name, path=template, kind=output.kind)
        return outputs

    # -- expressions ----------------------------------------------------------------------------

    def _templates(
        self,
        raw: Mapping[str, Any],
        base: Location,
        roots: set[str],
        points: tuple[str, ...],
        *,
        stage: str = "",
    ) -> dict[str, Template]:
        made: dict[str, Template] = {}
        for name, value in raw.items():
            template = self._template(value, (*base, name), roots, points, stage=stage)
            if template is not None:
                made[name] = template
        return made

    def _template(
        self,
        value: Value,
        location: Location,
        roots: set[str],
        points: tuple[str, ...],
        *,
        stage: str = "",
    ) -> Template | None:
        try:
            template = compile_value(value)
            for reference in sorted(template.references):
                self._check_reference(reference, roots, points, stage)
        except ExpressionError as error:
            self.report(location, str(error), error.hint)
            return None
        return template

    def _check_reference(
        self, reference: tuple[str, ...], roots: set[str], points: tuple[str, ...], stage: str
    ) -> None:
        root, *names = reference
        text = ".".join(reference)
        if root not in roots:
            msg = f"'{text}' is not available here"
            raise ExpressionError(msg, f"what is: {', '.join(sorted(roots))}")
        if not names:
            msg = f"'{root}' needs a name: {root}.NAME"
            raise ExpressionError(msg)
        known: Iterable[str] | None = {
            "params": sorted(self.known_params), "matrix": points, "run": RUN_NAMES,
            "stages": self.stage_names, "env": None,
        }[root]  # fmt: skip
        if known is not None and names[0] not in known:
            msg = f"unknown name '{text}'"
            raise ExpressionError(msg, did_you_mean(names[0], known))
        if root == "env" and _SECRET.search(names[0]):
            msg = f"'{text}' looks like a secret, and values of a pipeline are kept in its records"
            raise ExpressionError(
                msg, f"read os.environ['{names[0]}'] in the notebook: stages see the environment"
            )
        if root == "stages" and (len(names) < 3 or names[1] != "scraps"):
            msg = f"'{text}' names no scrap"
            raise ExpressionError(msg, f"write stages.{names[0]}.scraps.NAME")
        if root == "stages" and names[0] == stage:
            msg = f"'{text}' is a scrap of the stage itself"
            raise ExpressionError(msg)
