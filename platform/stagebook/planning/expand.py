"""From the stages of a pipeline to stage instances: matrix points, paths, and who waits for whom."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Mapping
from typing import Any, Protocol

from stagebook.definition.expressions import ExpressionError, Template, evaluate
from stagebook.definition.paths import PathRefused
from stagebook.definition.pipeline import InputRef, Location, Pipeline, Stage
from stagebook.definition.values import Value, describe, is_sequence
from stagebook.errors import Problem, did_you_mean
from stagebook.planning.plan import PlannedInput, PlannedOutput
from stagebook.planning.scope import scrap_scope, stages_named

MAX_INSTANCES = 20_000
MAX_SLUG = 100  # characters
_REFERENCE = re.compile(r"([A-Za-z][\w-]*)(?:@(.+))?\.([A-Za-z_]\w*)")


class Files(Protocol):
    """What expansion asks of the project on disk."""

    def inside(self, text: str) -> str:
        """A path of the project, normalised. Raises `PathRefused`."""
        ...

    def inside_for_output(self, text: str) -> str:
        """A path that may be written. Raises `PathRefused`."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        ...


@dataclasses.dataclass(slots=True, kw_only=True)
class Instance:
    """One point of a stage, while it is being put together."""

    id: str
    stage: Stage
    point: Mapping[str, Value]
    params: dict[str, Value] = dataclasses.field(default_factory=dict)
    deferred: dict[str, Template] = dataclasses.field(default_factory=dict)
    inputs: dict[str, PlannedInput] = dataclasses.field(default_factory=dict)
    outputs: dict[str, PlannedOutput] = dataclasses.field(default_factory=dict)
    upstream: dict[str, None] = dataclasses.field(default_factory=dict)
    loosely: set[str] = dataclasses.field(default_factory=set)  # of upstream, what only `after` names
    pending: bool = False  # it stands for instances of a foreach whose list is not known yet
    when: Template | None = None  # a condition on scraps
    skip: str = ""  # why a condition leaves it out
    input_places: dict[tuple[str, str], Location] = dataclasses.field(default_factory=dict)


class Expansion:
    """Expands one pipeline with one set of parameters. `problems` collects what is wrong. `scraps` are
    those that are known already, by stage instance."""

    def __init__(
        self,
        pipeline: Pipeline,
        params: Mapping[str, Value],
        files: Files,
        env: Mapping[str, str],
        scraps: Mapping[str, Mapping[str, Value]] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.files = files
        self.problems: list[Problem] = []
        self.instances: dict[str, Instance] = {}
        self.by_stage: dict[str, list[Instance]] = {}
        self.writers: dict[str, str] = {}  # path → id of the instance that writes it
        self._reported: set[Location] = set()
        self._scraps = scraps or {}
        self._scope: dict[str, Any] = {"params": dict(params), "env": dict(env)}

    def report(self, location: Location, message: str, hint: str = "") -> None:
        """Note a problem at a place of the pipeline file."""
        self.problems.append(self.pipeline.problem(location, message, hint))

    def report_once(self, location: Location, message: str, hint: str = "") -> None:
        """As `report`, for what every point of a matrix may meet: the first one tells of it."""
        if location not in self._reported:
            self._reported.add(location)
            self.report(location, message, hint)

    def expand(self) -> dict[str, Instance]:
        """All stage instances by id, in the order of the file."""
        self._make_instances()
        for instance in self.instances.values():
            self._bind_outputs(instance)
        self._check_nesting()
        for instance in self.instances.values():
            self._bind_params(instance)
            self._bind_inputs(instance)
            self._bind_conditions(instance)
            self._bind_after(instance)
        return self.instances

    # -- matrix and foreach ---------------------------------------------------------------------

    def _make_instances(self) -> None:
        stages = self.pipeline.stages.values()
        for stage in stages:
            if stage.foreach is None:
                self._make_points(stage, self._points(stage))
        left = [stage for stage in stages if stage.foreach is not None]
        while left:  # the list of one may come from the instances of another
            known = [stage for stage in left if self._is_known(stages_named(stage.foreach))]
            for stage in known:
                self._make_points(stage, self._items(stage))
            if not known:
                break
            left = [stage for stage in left if stage not in known]
        for stage in left:
            self._place_holder(stage)
        self.instances = {made.id: made for stage in stages for made in self.by_stage[stage.name]}

    def _is_known(self, stages: set[str]) -> bool:
        """Whether the scraps of these stages are known, of all their instances."""
        return all(
            stage in self.by_stage and all(made.id in self._scraps for made in self.by_stage[stage])
            for stage in stages
        )

    def _scrap_scope(self) -> dict[str, Any]:
        every = (
            (made.stage.name, made.id, bool(made.point)) for found in self.by_stage.values() for made in found
        )
        return scrap_scope(every, self._scraps)

    def _place_holder(self, stage: Stage, skip: str = "") -> None:
        made = Instance(id=stage.name, stage=stage, point={}, pending=not skip, skip=skip)
        self.by_stage[stage.name] = [made]
        self.instances[made.id] = made

    def _items(self, stage: Stage) -> list[dict[str, Value]] | None:
        assert stage.foreach is not None
        location: Location = ("stages", stage.name, "foreach")
        self.by_stage.setdefault(stage.name, [])
        if not stage.expandable:
            return None
        value = self._evaluate(stage.foreach, {}, location, {"stages": self._scrap_scope()})
        if value is _FAILED:
            return None
        if not is_sequence(value):
            hint = "it goes over the items of a list, such as ${stages.NAME.scraps.KEY}"
            self.report(location, f"'foreach' has to be a list, not {describe(value)}", hint)
            return None
        if not value:
            self._place_holder(stage, "the list of its foreach is empty")
            return None
        if len(value) + len(self.instances) > MAX_INSTANCES:
            self.report(location, f"'foreach' makes {len(value):,} stages; the limit is {MAX_INSTANCES:,}")
            return None
        return [{"item": item} for item in value]

    def _make_points(self, stage: Stage, points: list[dict[str, Value]] | None) -> None:
        made = self.by_stage.setdefault(stage.name, [])
        if points is None:
            return
        for point in points:
            instance_id = f"{stage.name}@{_slug_of(point)}" if point else stage.name
            if instance_id in self.instances:
                self._report_twins(stage, self.instances[instance_id], point)
                continue
            instance = Instance(id=instance_id, stage=stage, point=point)
            self.instances[instance_id] = instance
            made.append(instance)

    def _report_twins(self, stage: Stage, first: Instance, point: Mapping[str, Value]) -> None:
        message = f"two points of the matrix are called '{first.id}'"
        if stage.foreach is not None:
            message = f"two items are called '{first.id}'"
        hint = "give every point a value of its own"
        if first.point != point:
            hint = "in a name, all but ASCII letters, digits and '_.+-' becomes '-'; use values that stay different"
        axes = ("stages", stage.name, "matrix" if stage.foreach is None else "foreach")
        axis = next(iter(point)) if len(point) == 1 and stage.foreach is None else None
        self.report_once((*axes, axis) if axis else axes, message, hint)

    def _points(self, stage: Stage) -> list[dict[str, Value]] | None:
        if not stage.expandable:
            return None
        axes: dict[str, list[Value]] = {}
        for name, template in stage.matrix.items():
            location: Location = ("stages", stage.name, "matrix", name)
            value = self._evaluate(template, {}, location)
            if value is _FAILED:
                return None
            if not is_sequence(value):
                self.report(location, f"'{name}' has to be a list, not {describe(value)}", f"{name}: [1, 2]")
                return None
            if not value:
                hint = "give it at least one value"
                self.report(location, f"the matrix has no points: '{name}' is an empty list", hint)
                return None
            axes[name] = list(value)
        count = 1
        for values in axes.values():
            count *= len(values)
        if count + len(self.instances) > MAX_INSTANCES:
            self.report(
                ("stages", stage.name, "matrix"),
                f"the matrix makes {count:,} points; the limit is {MAX_INSTANCES:,} in all stages together",
                "split the pipeline, or let a notebook go over the values itself",
            )
            return None
        return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]

    # -- values ---------------------------------------------------------------------------------

    def _evaluate(
        self,
        template: Template,
        point: Mapping[str, Value],
        location: Location,
        more: Mapping[str, Any] | None = None,
    ) -> Any:
        for reference in template.references:
            if reference[0] == "params" and reference[1] not in self._scope["params"]:
                return _FAILED  # the parameter itself is wrong, which is reported
        try:
            return evaluate(template, {**self._scope, "matrix": point, **point_scope(point), **(more or {})})
        except ExpressionError as error:
            self.report_once(location, str(error), error.hint)
            return _FAILED

    def _bind_params(self, instance: Instance) -> None:
        base: Location = ("stages", instance.stage.name, "params")
        for name, template in instance.stage.params.items():
            for reference in sorted(template.references):
                if reference[0] == "stages":
                    instance.upstream.update((up.id, None) for up in self.by_stage.get(reference[1], ()))
            waits = instance.pending and template.mentions("item")
            if template.mentions("run") or template.mentions("stages") or waits:
                instance.deferred[name] = template
                continue
            value = self._evaluate(template, instance.point, (*base, name))
            if value is not _FAILED:
                instance.params[name] = value

    def _bind_outputs(self, instance: Instance) -> None:
        if instance.pending:
            return  # each item will have its own
        base: Location = ("stages", instance.stage.name, "outputs")
        for name, output in instance.stage.outputs.items():
            location = (*base, name)
            text = self._evaluate(output.path, instance.point, location)
            if text is _FAILED:
                continue
            if not isinstance(text, str):
                self.report_once(location, f"the path of '{name}' has to be text, not {describe(text)}")
                continue
            if output.kind == "external" and not text.strip():
                self.report_once(location, f"output '{name}': the path is empty")
                continue
            try:
                path = text if output.kind == "external" else self.files.inside_for_output(text)
            except PathRefused as error:
                self.report_once(location, f"output '{name}': {error}", error.hint)
                continue
            other = self.writers.get(path)
            if other is not None:
                hint = "give each output a path of its own"
                if other == instance.id:
                    self.report_once(location, f"'{path}' is written by two outputs of {instance.id}", hint)
                    continue
                if instance.point and other.split("@")[0] == instance.stage.name:
                    axis = next(iter(instance.point))
                    name = "item" if instance.stage.foreach is not None else f"matrix.{axis}"
                    hint = f"put the point into the path, such as ${{{name}}}"
                self.report_once(location, f"'{path}' is written by both {other} and {instance.id}", hint)
                continue
            self.writers[path] = instance.id
            instance.outputs[name] = PlannedOutput(path=path, kind=output.kind)

    def _check_nesting(self) -> None:
        for path in self.writers:
            parts = path.split("/")
            for length in range(1, len(parts)):
                around = "/".join(parts[:length])
                other = self.writers.get(around)
                if other is not None:
                    self.report_once(
                        self.output_place(path),
                        f"'{path}' lies inside '{around}', which {other} writes as a whole",
                        "give each output a path of its own",
                    )

    def output_place(self, path: str) -> Location:
        """The place of the output that is written to a path."""
        instance = self.instances[self.writers[path]]
        name = next(key for key, made in instance.outputs.items() if made.path == path)
        return ("stages", instance.stage.name, "outputs", name)

    # -- edges ----------------------------------------------------------------------------------

    def _bind_after(self, instance: Instance) -> None:
        for name in instance.stage.after:
            others = [other.id for other in self.by_stage.get(name, ())]
            instance.loosely.update(other for other in others if other not in instance.upstream)
            instance.upstream.update((other, None) for other in others)
        if instance.stage.trigger != "all_success" and not instance.upstream:
            location: Location = ("stages", instance.stage.name, "trigger")
            hint = "name the stages before it: after: [NAME]"
            self.report_once(location, f"'{instance.stage.name}' waits for no other stage", hint)

    def _bind_conditions(self, instance: Instance) -> None:
        """`foreach` and `when`: what they wait for, and what they say if that is known."""
        stage = instance.stage
        for name in sorted(stages_named(stage.foreach, stage.when)):
            instance.upstream.update((other.id, None) for other in self.by_stage.get(name, ()))
        if stage.when is None or instance.skip:
            return
        location: Location = ("stages", stage.name, "when")
        waits = stage.when.mentions("run") or (instance.pending and stage.when.mentions("item"))
        scraps = stages_named(stage.when)
        if scraps or waits:
            instance.when = stage.when
        if waits or not self._is_known(scraps):
            return
        value = self._evaluate(stage.when, instance.point, location, {"stages": self._scrap_scope()})
        if value is not _FAILED and not value:
            instance.skip = why_not(stage.when)

    def _bind_inputs(self, instance: Instance) -> None:
        for name, item in instance.stage.inputs.items():
            paths: list[str] = []
            sources: list[str] = []
            many = item.many
            complete = True
            for ref in item.refs:
                found = self._resolve(instance, name, ref)
                if found is None:
                    complete = False
                    continue
                ref_paths, ref_sources, ref_many = found
                paths += ref_paths
                sources += ref_sources
                many = many or ref_many
                instance.input_places.update(((name, source), ref.location) for source in ref_sources)
            if complete and sources:
                instance.inputs[name] = PlannedInput(paths=tuple(paths), many=many, sources=tuple(sources))
                instance.upstream.update((source, None) for source in sources if source)

    def _resolve(
        self, instance: Instance, name: str, ref: InputRef
    ) -> tuple[list[str], list[str], bool] | None:
        if instance.pending and ref.text.mentions("item"):
            return self._pending_reference(str(ref.text.source))
        text = self._evaluate(ref.text, instance.point, ref.location)
        if text is _FAILED:
            return None
        if not isinstance(text, str):
            self.report_once(ref.location, f"input '{name}' has to be text, not {describe(text)}")
            return None
        match = _REFERENCE.fullmatch(text)
        if match and match[1] in self.pipeline.stages:
            return self._resolve_reference(match[1], match[2], match[3], ref.location)
        if match and match[1] in self.pipeline.broken:
            return None
        return self._resolve_file(name, text, ref.location, looks_like_reference=match is not None)

    def _pending_reference(self, text: str) -> tuple[list[str], list[str], bool] | None:
        """What a reference that holds an item waits for, as far as it is known."""
        found = re.match(r"([A-Za-z][\w-]*)[@.]", text)
        others = self.by_stage.get(found[1], ()) if found else ()
        return ([], [other.id for other in others] or [""], False)

    def _resolve_reference(
        self, stage_name: str, point: str | None, output: str, location: Location
    ) -> tuple[list[str], list[str], bool] | None:
        stage = self.pipeline.stages[stage_name]
        if output not in stage.outputs:
            if stage_name not in self.pipeline.broken:
                hint = did_you_mean(output, stage.outputs) or f"{stage_name} declares no outputs"
                self.report_once(location, f"'{stage_name}' has no output '{output}'", hint)
            return None
        instances = self.by_stage[stage_name]
        if len(instances) == 1 and not instances[0].point and stage.foreach is not None:
            return [], [instances[0].id], point is None
        if point is not None:
            wanted = f"{stage_name}@{point}"
            known = [instance.id for instance in instances]
            if wanted not in known:
                if instances:
                    self.report_once(location, f"no stage instance '{wanted}'", did_you_mean(wanted, known))
                return None
            instances = [self.instances[wanted]]
        made = [
            (instance.outputs[output].path, instance.id)
            for instance in instances
            if output in instance.outputs
        ]
        if not made or len(made) != len(instances):
            return None  # what is wrong there is reported there
        many = (bool(stage.matrix) or stage.foreach is not None) and point is None
        return [path for path, _ in made], [source for _, source in made], many

    def _resolve_file(
        self, name: str, text: str, location: Location, *, looks_like_reference: bool
    ) -> tuple[list[str], list[str], bool] | None:
        try:
            path = self.files.inside(text)
        except PathRefused as error:
            self.report_once(location, f"input '{name}': {error}", error.hint)
            return None
        if path in self.writers:
            writer = self.instances[self.writers[path]]
            output = next(key for key, made in writer.outputs.items() if made.path == path)
            hint = f"refer to it as {writer.id}.{output}, so that the order is known"
            self.report_once(location, f"'{path}' is written by {writer.id}", hint)
            return None
        if self.files.exists(path):
            return [path], [""], False
        if looks_like_reference:
            stage_name = text.split(".", maxsplit=1)[0].split("@", maxsplit=1)[0]
            hint = did_you_mean(stage_name, self.pipeline.stages)
            self.report_once(location, f"unknown reference '{text}': there is no stage '{stage_name}'", hint)
        else:
            self.report_once(
                location,
                f"input '{name}': there is no file '{path}'",
                "check the path, or make it an output of a stage",
            )
        return None


class _Failed:
    """Marks a value that could not be computed; the problem is noted already."""


_FAILED = _Failed()


def point_scope(point: Mapping[str, Value]) -> dict[str, Value]:
    """What expressions see of a point besides `matrix`: the `item` of a foreach."""
    return {"item": point["item"]} if "item" in point else {}


def why_not(condition: Template) -> str:
    """Why a condition leaves a stage out."""
    return f"when: {condition.source} is false" if isinstance(condition.source, str) else "when: false"


def _slug_of(point: Mapping[str, Value]) -> str:
    """The name of a point, short enough for a folder's name."""
    slug = "-".join(_slug(value) for value in point.values())
    if len(slug) <= MAX_SLUG:
        return slug
    return f"{slug[: MAX_SLUG - 9]}-{hashlib.sha256(repr(point).encode()).hexdigest()[:8]}"


def _slug(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # with its sign
    text = str(value).lower() if isinstance(value, bool | None) else str(value)
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.") or "empty"
