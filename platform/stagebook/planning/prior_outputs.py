"""What selected stages need of those that are not selected: what earlier runs left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from stagebook.errors import Problem
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Location, Pipeline
from stagebook.pipeline.types import Value
from stagebook.planning.instances import Instance
from stagebook.planning.scopes import stages_named
from stagebook.workspace.workspace import Workspace

Earlier = Callable[[str], Mapping[str, Value] | None]
"""The scraps of a stage instance as an earlier run left them."""


class PriorOutputs:
    """What the `chosen` instances need of the others, as earlier runs left it: their `scraps`. `missing` is
    what is not there, and `unknown` what nobody can say as long as the list of a foreach is not known."""

    def __init__(
        self,
        pipeline: Pipeline,
        instances: Mapping[str, Instance],
        chosen: set[str],
        project: Workspace,
        earlier: Earlier,
    ) -> None:
        self.scraps: dict[str, Mapping[str, Value]] = {}
        self.missing: list[Problem] = []
        self.unknown: list[Problem] = []
        self._pipeline = pipeline
        self._instances = instances
        self._chosen = chosen
        self._project = project
        self._earlier = earlier
        self._others: dict[str, list[Instance]] = {}
        for name, instance in instances.items():
            if name not in chosen:
                self._others.setdefault(instance.stage.name, []).append(instance)
        for name, instance in instances.items():
            if name in chosen:
                self._look_at_inputs(instance)
                self._look_at_scraps(instance)

    def _look_at_inputs(self, instance: Instance) -> None:
        for name, item in instance.inputs.items():
            for path, source in zip(item.paths, item.sources, strict=False):
                if not source or source in self._chosen:
                    continue
                made = self._instances[source].outputs.values()
                is_external = any(one.path == path and one.kind == "external" for one in made)
                if is_external or self._project.exists(path):
                    continue
                place = instance.input_places.get((name, source), ("stages", instance.stage.name))
                message = f"{instance.id} needs '{path}', which is not there"
                hint = f"select {source} as well, which makes it"
                self.missing.append(self._pipeline.problem(place, message, hint))
            for source in item.sources[len(item.paths) :]:
                if source not in self._chosen and self._instances[source].pending:
                    self._note_unknown(instance, source, instance.input_places[(name, source)])

    def _look_at_scraps(self, instance: Instance) -> None:
        for place, template in _open(instance):
            for reference in sorted(template.under("stages")):
                for other in self._others.get(reference[1], ()):
                    if other.pending:
                        self._note_unknown(instance, other.id, place)
                    elif other.stands_in or reference[3] not in self._known(other.id):
                        what = (
                            f"{instance.id} needs scraps of '{other.id}', which is not selected and left none"
                        )
                        hint = f"select {other.id} as well"
                        self.missing.append(self._pipeline.problem(place, what, hint))

    def _known(self, name: str) -> Mapping[str, Value]:
        if name not in self.scraps:
            found = self._earlier(name)
            if found is None:
                return {}
            self.scraps[name] = found
        return self.scraps[name]

    def _note_unknown(self, instance: Instance, other: str, place: Location) -> None:
        unknown = "which is not selected, and what instances it has is not known"
        message, hint = f"{instance.id} needs '{other}', {unknown}", f"select {other} as well"
        self.unknown.append(self._pipeline.problem(place, message, hint))
        self._look_for_list(self._instances[other])

    def _look_for_list(self, instance: Instance) -> None:
        """What a list that is not known depends on may have been left by an earlier run."""
        for name in stages_named(instance.stage.foreach):
            for other in self._others.get(name, ()):
                if other.pending:
                    self._look_for_list(other)
                elif not other.stands_in:
                    self._known(other.id)


def _open(instance: Instance) -> Iterator[tuple[Location, Template]]:
    """The expressions of an instance that are evaluated during the run, with their places."""
    base: Location = ("stages", instance.stage.name)
    for name, template in instance.deferred.items():
        yield (*base, "params", name), template
    if instance.when is not None:
        yield (*base, "when"), instance.when
    if instance.stage.foreach is not None:
        yield (*base, "foreach"), instance.stage.foreach
