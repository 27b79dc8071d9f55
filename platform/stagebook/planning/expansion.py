"""What stage instances come to: values, paths, conditions, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from stagebook.errors import Problem
from stagebook.pipeline.arguments import is_argument
from stagebook.pipeline.documents import document_mistake
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Location, Pipeline, find_position
from stagebook.pipeline.types import Value, describe
from stagebook.planning.inputs import References
from stagebook.planning.instances import Instance, Points
from stagebook.planning.partitions import Partitions
from stagebook.planning.plan import PlannedInput, PlannedOutput
from stagebook.planning.scopes import UNKNOWN, Evaluator, stages_named
from stagebook.planning.variables import variables_of
from stagebook.timing.interval import Interval
from stagebook.workspace.paths import PathRefused, folders_around
from stagebook.workspace.workspace import Workspace

_OWN_PATH = "give each output a path of its own"


class Expansion:
    """Expands one pipeline with one set of parameters. `problems` collects what is wrong. `scraps` are
    those that are known already, by stage instance; the foreach of stages that are `held` is not
    expanded, whatever is known. `interval`: what it is about; without one, what mentions it is not known.
    `earlier`: the intervals that earlier runs were about, in order."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is given, and how far it has come
        self,
        pipeline: Pipeline,
        params: Mapping[str, Value],
        project: Workspace,
        env: Mapping[str, str],
        scraps: Mapping[str, Mapping[str, Value]] | None = None,
        held: Collection[str] = (),
        interval: Interval | None = None,
        earlier: Callable[[], Sequence[Interval]] = tuple,
    ) -> None:
        self.pipeline = pipeline
        self._project = project
        self.instances: Mapping[str, Instance] = {}
        self.warnings: Sequence[Problem] = ()
        self.writers: dict[str, str] = {}  # path → id of the instance that writes it
        self._places: dict[str, str] = {}  # where outputs are written → the first path there
        self._interval = interval
        self._earlier = earlier
        self._evaluator = Evaluator(pipeline, params, env, interval)
        self.problems = self._evaluator.problems
        self._scraps = scraps or {}
        self._held = held

    def expand(self) -> Mapping[str, Instance]:
        """All stage instances by id, in the order of the file."""
        self._points = Points(self._evaluator, self._scraps, self._held)
        self.instances = self._points.instances
        self.warnings = self._points.warnings.found
        for instance in self.instances.values():
            if not instance.stands_in:  # the outputs are those of the items
                self._bind_outputs(instance)
        self._check_nesting()
        partitions = Partitions(self._evaluator, self._project, self._interval, self._earlier)
        references = References(self._points, self._evaluator, self._project, self.writers, partitions)
        for instance in self.instances.values():
            self._bind_params(instance)
            instance.variables = variables_of(instance, self._evaluator)
            self._bind_inputs(instance, references)
            self._bind_conditions(instance)
            self._bind_after(instance)
            self._check_trigger(instance)
        return self.instances

    def output_place(self, path: str) -> Location:
        """The place of the output that is written to a path."""
        instance = self.instances[self.writers[path]]
        name = next(key for key, made in instance.outputs.items() if made.path == path)
        return ("stages", instance.stage.name, "outputs", name)

    # -- values ---------------------------------------------------------------------------------

    def _bind_params(self, instance: Instance) -> None:
        base: Location = ("stages", instance.stage.name, "params")
        for name, template in instance.stage.params.items():
            for needed in sorted(stages_named(template)):
                instance.upstream.update((up.id, None) for up in self._points.of(needed))
            open_item = instance.stands_in and template.mentions("item")
            if template.mentions("run") or template.mentions("stages") or open_item:
                instance.deferred[name] = template
                continue
            place = (*base[:2], name) if is_argument(instance.stage.program, name) else (*base, name)
            value = self._evaluator.value(template, place, instance.point)
            if value is not UNKNOWN:
                instance.params[name] = value

    def _bind_outputs(self, instance: Instance) -> None:
        base: Location = ("stages", instance.stage.name, "outputs")
        for name, output in instance.stage.outputs.items():
            path = self._path_of(instance, name, output.path, is_external=output.kind == "external")
            if path is None:
                continue
            if output.kind == "notebook" and (
                mistake := document_mistake(output, path, instance.stage.program)
            ):
                self.problems.report_once((*base, name), *mistake)
                continue
            is_inside = output.kind != "external"
            known = self._places.setdefault(self._project.identity(path), path) if is_inside else path
            other = self.writers.get(path) or self.writers.get(known)
            if other is not None:
                self._report_twins(instance, other, path, (*base, name))
                continue
            self.writers[path] = instance.id
            instance.outputs[name] = PlannedOutput(
                path=path,
                kind=output.kind,
                delta=output.delta,
                place=self._place_of((*base, name)) if output.delta is not None else "",
                partition=self._interval.name if self._interval and output.path.mentions("interval") else "",
                variable=output.variable,
                code=output.code,
                is_folder=str(output.path.source).endswith("/"),
            )

    def _place_of(self, location: Location) -> str:
        line, _ = find_position(self.pipeline.positions, location)
        return f"{self.pipeline.path}:{line}"

    def _path_of(self, instance: Instance, name: str, template: Template, *, is_external: bool) -> str | None:
        location: Location = ("stages", instance.stage.name, "outputs", name)
        report = self.problems.report_once
        text = self._evaluator.value(template, location, instance.point, is_path=not is_external)
        if text is UNKNOWN:
            return None
        if not isinstance(text, str):
            report(location, f"the path of '{name}' has to be text, not {describe(text)}")
            return None
        if is_external:
            if text.strip():
                return text
            report(location, f"output '{name}': the path is empty")
            return None
        if "*" in text:
            folder = text[: text.rfind("/", 0, text.index("*")) + 1] or "data/name/"
            hint = f"an output is a file or a folder: {folder}"
            report(location, f"output '{name}': '{text}' is a pattern", hint)
            return None
        try:
            return self._project.inside_for_output(text)
        except PathRefused as error:
            report(location, f"output '{name}': {error}", error.hint)
            return None

    def _report_twins(self, instance: Instance, other: str, path: str, location: Location) -> None:
        message = f"'{path}' is written by both {other} and {instance.id}"
        hint = _OWN_PATH
        if other == instance.id:
            message = f"'{path}' is written by two outputs of {instance.id}"
        elif instance.point and self.instances[other].stage is instance.stage:
            axis = "item" if instance.stage.foreach is not None else f"matrix.{next(iter(instance.point))}"
            hint = f"put the point into the path, such as ${{{axis}}}"
        self.problems.report_once(location, message, hint)

    def _check_nesting(self) -> None:
        for path in self.writers:
            for around in reversed([*folders_around(path)]):
                if other := self.writers.get(around):
                    message = f"'{path}' lies inside '{around}', which {other} writes as a whole"
                    self.problems.report_once(self.output_place(path), message, _OWN_PATH)

    # -- edges ----------------------------------------------------------------------------------

    def _bind_inputs(self, instance: Instance, references: References) -> None:
        for name, item in instance.stage.inputs.items():
            found = [references.resolve(instance, name, ref) for ref in item.refs]
            for ref, one in zip(item.refs, found, strict=True):
                sources = one.all_sources if one is not None else ()
                instance.input_places.update(((name, source), ref.location) for source in sources)
                instance.upstream.update((source, None) for source in sources if source)
            known = [one for one in found if one is not None]
            if not known or len(known) < len(found):
                continue
            if not any(one.all_sources for one in known) and not instance.stage.reads_news_of(name):
                continue
            # What is to come stands behind what each path has, so that paths and sources stay in step.
            made = [source for one in known for source in one.sources]
            instance.inputs[name] = PlannedInput(
                paths=tuple(path for one in known for path in one.paths),
                many=item.many or any(one.many for one in known),
                sources=(*made, *(source for one in known for source in one.waits)),
                connections=tuple(dict.fromkeys(one.connection for one in known if one.connection)),
                variable=item.variable,
            )

    def _bind_conditions(self, instance: Instance) -> None:
        """`foreach` and `when`: what they wait for, and what they say if that is known."""
        stage = instance.stage
        for name in sorted(stages_named(stage.foreach, stage.when)):
            instance.upstream.update((other.id, None) for other in self._points.of(name))
        if stage.when is None:
            return
        scraps = stages_named(stage.when)
        waits = stage.when.mentions("run") or (instance.stands_in and stage.when.mentions("item"))
        if scraps or waits:
            instance.when = stage.when
        if waits or not self._points.are_known(scraps):
            return
        location: Location = ("stages", stage.name, "when")
        known = self._points.scraps_of(scraps)
        value = self._evaluator.value(stage.when, location, instance.point, known)
        if value is not UNKNOWN and not value:
            source = stage.when.source
            why = f"when: {source} is false" if isinstance(source, str) else "when: false"
            instance.skip = instance.skip or why
            instance.absent = instance.absent or not scraps

    def _bind_after(self, instance: Instance) -> None:
        for name in instance.stage.after:
            others = [other.id for other in self._points.of(name)]
            instance.loosely.update(other for other in others if other not in instance.upstream)
            instance.upstream.update((other, None) for other in others)

    def _check_trigger(self, instance: Instance) -> None:
        stage = instance.stage
        named = [*stage.after, *stages_named(stage.foreach, stage.when, *stage.params.values())]
        if stage.trigger == "all_success" or instance.upstream or named:
            return
        if stage.name in self.pipeline.broken or len(instance.inputs) < len(stage.inputs):
            return  # what it should wait for is wrong, which is reported
        hint = "name the stages before it, such as after: [NAME], or leave the trigger out"
        message = f"'{stage.trigger}' is about the stages before '{stage.name}', and there are none"
        self.problems.report_once(("stages", stage.name, "trigger"), message, hint)
