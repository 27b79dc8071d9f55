"""Building the plan: expansion, checks, order, selection. The one place that decides."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from stagebook.errors import PipelineInvalid, Problem, StageFailure
from stagebook.pipeline.model import Pipeline, StageOptions
from stagebook.pipeline.notebook import NotebookFacts, NotebookUnreadable
from stagebook.pipeline.types import Type, Value
from stagebook.pipeline.workdir import ROOT, folder_of
from stagebook.planning import bookmarks, conflicts, contracts, graph
from stagebook.planning.checks import NotebookChecks
from stagebook.planning.declared import Declared
from stagebook.planning.delta_tables import table_problems
from stagebook.planning.documents import with_documents
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.planning.intervals import interval_problems
from stagebook.planning.neighbours import PROGRAMS, Neighbours, module_paths
from stagebook.planning.plan import Decision, Plan, PlannedOutput, PlannedStage
from stagebook.planning.prior_outputs import Earlier, PriorOutputs
from stagebook.planning.result import Made
from stagebook.planning.reuse import ReusePolicy, made_by
from stagebook.planning.scopes import Scopes, condition_of, depends_on_run, params_of, stages_named
from stagebook.planning.select import Selection, select
from stagebook.timing.interval import Interval
from stagebook.workspace.workspace import Workspace

_OPTIONS = tuple(field.name for field in dataclasses.fields(StageOptions))


@dataclasses.dataclass(eq=False)
class Planner:
    """Plans one pipeline with one set of parameters: before a run, and again as it grows.

    Attributes:
        pipeline: what the file defines.
        params: a value for each parameter of the pipeline.
        project: the files on disk.
        selection: which stages; all by default.
        env: the environment variables that expressions may read.
        earlier: the scraps of a stage instance as an earlier run left them.
        problems: mistakes found before, to be reported with those found here.
        policy: decides what is reused; without one, everything runs.
        neighbours: the other pipelines of the project.
        interval: what the run is about.
        intervals: what earlier runs of the pipeline were about that completed, in order.
        declared: what the pipeline declares, where that is known already.
    """

    pipeline: Pipeline
    params: Mapping[str, Value]
    project: Workspace
    _: dataclasses.KW_ONLY
    selection: Selection | None = None
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    earlier: Earlier = lambda _stage: None
    problems: Sequence[Problem] = ()
    policy: ReusePolicy | None = None
    neighbours: Neighbours = dataclasses.field(default_factory=Neighbours)
    interval: Interval | None = None
    intervals: Callable[[], Sequence[Interval]] = tuple
    declared: Declared | None = None

    def plan(self) -> Plan:
        """The plan of a run.

        Raises:
            PipelineInvalid: with every mistake of the pipeline, its paths and its notebooks.
            UsageError: the selection matches nothing.
        """
        known: dict[str, Mapping[str, Value]] = {}
        while True:
            shape = self._shape(known)
            plan, scraps = self._judge(shape)
            pending = {item.stage.name for item in shape.instances.values() if item.pending}
            lists = stages_named(*(self.pipeline.stages[name].foreach for name in pending))
            # What has to come out of the store may turn out damaged there, and its stage run after all.
            unsure = {stage.id for stage in plan.stages if stage.judgement and stage.judgement.restores}
            news = {
                name: found
                for name, found in scraps.items()
                if name not in known and name not in unsure and shape.instances[name].stage.name in lists
            }
            if not news and shape.prior.unknown:
                raise PipelineInvalid(shape.prior.unknown)
            if not news:
                # What was left before the run decides what stages there are as it grows, too.
                left = {name: found for name, found in known.items() if name not in shape.chosen}
                return dataclasses.replace(plan, relied=frozenset(known), scraps={**left, **plan.scraps})
            # What a stage that is reused left decides what stages there are.
            known |= news

    def grow(self, scraps: Mapping[str, Mapping[str, Value]], held: Collection[str] = ()) -> Plan:
        """The plan again, with what is known by now, but for the foreach of stages that are `held`, which
        ended as they are. Nothing is judged: that comes when a stage's turn has come. Raises as `plan`."""
        shape = self._shape(scraps, held)
        stages = [self._planned(shape, name, decision=Decision.WAIT) for name in shape.ordered]
        return self._plan_of(shape, stages)

    def _shape(self, scraps: Mapping[str, Mapping[str, Value]], held: Collection[str] = ()) -> _Shape:
        """All stage instances, checked. Raises `PipelineInvalid`."""
        expansion = Expansion(
            self.pipeline, self.params, self.project, self.env, scraps, held, self.interval, self.intervals
        )
        instances = expansion.expand()
        found = [
            *self.problems,
            *interval_problems(self.pipeline, self.interval),
            *expansion.problems.found,
            *conflicts.cycles(self.pipeline, instances),
        ]
        checks = NotebookChecks(self.pipeline, self.project)
        declared = self.declared or Declared.of(self.pipeline, self.project)
        facts = declared.facts
        types = {
            name: checks.check_values(instance, known) if (known := facts[instance.stage.name]) else {}
            for name, instance in instances.items()
        }
        found += [*declared.problems, *checks.problems.found]
        found += conflicts.overwritten(
            self.pipeline,
            expansion,
            declared.files,
            code=self._code(declared, expansion.writers),
            neighbours=self.neighbours,
        )
        edges = {name: tuple(instance.upstream) for name, instance in instances.items()}
        found += table_problems(self.pipeline, instances, self.project)
        found += bookmarks.problems(self.pipeline, instances.values())
        if found:
            raise PipelineInvalid(found)
        related, wrong = contracts.related(
            self.pipeline, declared.contracts, instances, edges, self.neighbours.paths_of
        )
        if wrong:
            raise PipelineInvalid(wrong)
        grows = {stage.name for stage in self.pipeline.stages.values() if stages_named(stage.foreach)}
        chosen = select(self.selection, edges, grows) if self.selection else set(edges)
        prior = PriorOutputs(self.pipeline, instances, chosen, self.project, self.earlier)
        if prior.missing:
            raise PipelineInvalid(prior.missing)
        return _Shape(
            instances=instances,
            edges=edges,
            ordered=graph.order(edges),
            chosen=chosen,
            declared=declared,
            types=types,
            prior=prior,
            related=related,
            warnings=(
                *declared.warnings,
                *expansion.warnings,
                *conflicts.shared(self.pipeline, expansion, self.neighbours),
            ),
        )

    def _code(self, declared: Declared, written: Collection[str]) -> dict[str, dict[str, str]]:
        """The programs that notebooks import or execute, and where modules would be found before those that they
        import, if an output may meet one: path → who → the stage of this pipeline, or empty."""
        policy, facts, notebooks = self.policy, declared.facts, declared.notebooks
        if policy is None or not any(it.endswith(PROGRAMS) or self.project.is_folder(it) for it in written):
            return {}
        users = [
            (stage.name, stage.name, made, stage.runs_in, folder_of(stage.workdir, stage.notebook))
            for stage in self.pipeline.stages.values()
            if (made := notebooks.get(stage.name))
        ]
        others = self.neighbours.notebooks.items()
        users += [(f"the pipeline {one.pipeline}", "", notebook, None, ROOT) for notebook, one in others]
        found: dict[str, dict[str, str]] = {}
        for who, stage, notebook, kernel, folder in users:
            with contextlib.suppress(NotebookUnreadable):  # which is reported
                known = facts.get(stage) or self.project.facts(notebook)
                paths = policy.dependencies.code_paths(notebook, kernel, folder)
                for path in (*paths, *module_paths(notebook, known.imports)):
                    if path.endswith(PROGRAMS):
                        found.setdefault(path, {})[who] = stage
        return found

    def _judge(self, shape: _Shape) -> tuple[Plan, dict[str, Mapping[str, Any]]]:
        """The plan, and the scraps that are known without running anything."""
        points = ((item.stage.name, item.id, bool(item.point)) for item in shape.instances.values())
        scopes = Scopes(self.pipeline.name, self.params, self.env, points, interval=self.interval)
        made: dict[str, Made] = {}
        scraps: dict[str, Mapping[str, Any]] = {}
        stages = []
        for name in shape.ordered:
            stage = self._planned(shape, name, decision=Decision.RUN, reasons=("selected",))
            if not stage.selected:
                stage = stage.decided(Decision.SKIP, "not selected")
                if self.policy is not None:
                    made[name] = self.policy.from_disk(stage, shape.prior.scraps.get(name, {}))
                if name in shape.prior.scraps:
                    scraps[name] = shape.prior.scraps[name]
            elif shape.instances[name].skip:
                stage = stage.decided(Decision.SKIP, shape.instances[name].skip)
            else:
                stage = self._decide(stage, scopes, made, scraps)
                found = stage.judgement
                if found is not None and found.result is not None:
                    made[name] = made_by(stage, found.result)
                    scraps[name] = made[name].scraps
            stages.append(stage)
        if absent := conflicts.frozen_without_outputs(self.pipeline, stages):
            raise PipelineInvalid(absent)
        stages = _with_what_follows(stages)
        return self._plan_of(shape, stages), scraps

    def _decide(
        self,
        stage: PlannedStage,
        scopes: Scopes,
        made: Mapping[str, Made],
        scraps: Mapping[str, Mapping[str, Any]],
    ) -> PlannedStage:
        if self.policy is None:
            return _decide_simply(stage)
        needs = scopes.needs(stage)
        params: Mapping[str, Value] | None = None
        if all(name in scraps for name in needs) and not depends_on_run(stage):
            try:
                params = params_of(stage, scopes.of(stage, scraps))
            except StageFailure as error:
                return stage.decided(stage.decision, error.message)  # the attempt tells
        found = self.policy.decide(stage, params, made, needs=needs)
        if params is not None and stage.when is not None:
            with contextlib.suppress(StageFailure):  # the attempt tells
                if not condition_of(stage, scopes.of(stage, scraps)):
                    return stage.decided(Decision.SKIP, f"when: {stage.when.source} is false")
        decision, reasons = found.decision, found.reasons
        if stage.when is not None and any(name not in scraps for name in needs):
            decision, reasons = Decision.WAIT, (f"when: {stage.when.source}", *reasons)
        return dataclasses.replace(stage, decision=decision, reasons=reasons, judgement=found)

    def _planned(
        self, shape: _Shape, name: str, *, decision: Decision, reasons: tuple[str, ...] = ()
    ) -> PlannedStage:
        instance = shape.instances[name]
        stage, known = instance.stage, shape.declared.facts[instance.stage.name]
        behind = [one for item in instance.inputs.values() for one in item.connections]
        options = {option: getattr(stage, option) for option in _OPTIONS}
        return PlannedStage(
            id=name,
            stage=stage.name,
            notebook=shape.declared.notebooks[stage.name],
            program=stage.program,
            program_file=shape.declared.programs.get(stage.name, ""),
            point=instance.point,
            params=instance.params,
            deferred=instance.deferred,
            types=shape.types[name],
            inputs=instance.inputs,
            outputs=shape.outputs(instance),
            upstream=shape.edges[name],
            decision=decision,
            reasons=(instance.skip,) if instance.skip else reasons,
            foreach=None if instance.point else stage.foreach,
            when=instance.when,
            loosely=tuple(sorted(instance.loosely)),
            selected=name in shape.chosen,
            absent=instance.absent,
            uses_mlflow=known is not None
            and any(module.split(".")[0] == "mlflow" for module in known.imports),
            **{
                **options,
                "connections": tuple(dict.fromkeys([*stage.connections, *behind])),
                "variables": instance.variables,
            },
        )

    def _plan_of(self, shape: _Shape, stages: Sequence[PlannedStage]) -> Plan:
        return Plan(
            pipeline=self.pipeline.name,
            path=self.pipeline.path,
            description=self.pipeline.description,
            params=dict(self.params),
            stages=tuple(stages),
            scraps=shape.prior.scraps,
            env=_mentioned(self.env, stages),
            imports=_imports(stages, shape.declared.facts),
            warnings=shape.warnings,
            interval=self.interval,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    instances: Mapping[str, Instance]
    edges: Mapping[str, tuple[str, ...]]
    ordered: Sequence[str]
    chosen: set[str]
    declared: Declared
    types: Mapping[str, Mapping[str, Type]]
    prior: PriorOutputs
    related: Mapping[str, Mapping[str, tuple[str, ...]]]
    warnings: tuple[Problem, ...]

    def outputs(self, instance: Instance) -> Mapping[str, PlannedOutput]:
        """The outputs of an instance, with their contracts."""
        contracts = self.declared.contracts
        outputs = with_documents(instance.outputs, self.declared.facts[instance.stage.name])
        if not contracts:
            return outputs
        names = {name: f"{instance.stage.name}.{name}" for name in outputs}
        return {
            name: dataclasses.replace(
                output, contract=contracts[names[name]], related=self.related[names[name]]
            )
            if names[name] in contracts
            else output
            for name, output in outputs.items()
        }


def _with_what_follows(stages: Sequence[PlannedStage]) -> list[PlannedStage]:
    """What needs a stage that a condition leaves out is left out with it, as it is in the run; what is
    there for failures waits for them."""
    out: dict[str, PlannedStage] = {}
    absent: set[str] = set()
    for stage in stages:
        needed = next((name for name in stage.upstream if name in absent and name not in stage.loosely), None)
        if stage.selected and stage.decision is Decision.SKIP:
            absent.add(stage.id)
        elif stage.selected and needed is not None and stage.trigger == "all_success":
            stage = stage.decided(Decision.SKIP, f"needs {needed}, which is skipped")  # noqa: PLW2901
            absent.add(stage.id)
        elif stage.trigger in {"one_failed", "all_failed"} and stage.runs:
            if any(out[name].runs for name in stage.upstream):
                stage = stage.decided(Decision.WAIT, "if a stage before it fails")  # noqa: PLW2901
            else:
                stage = stage.decided(Decision.SKIP, "nothing before it runs, so nothing fails")  # noqa: PLW2901
        out[stage.id] = stage
    return list(out.values())


def _decide_simply(stage: PlannedStage) -> PlannedStage:
    """The decision where nothing is known of earlier results."""
    scraps = sorted(".".join(ref) for template in stage.open for ref in template.under("stages"))
    return stage.decided(Decision.WAIT, *(f"needs {scrap}" for scrap in scraps)) if scraps else stage


def _imports(stages: Sequence[PlannedStage], facts: Mapping[str, NotebookFacts | None]) -> frozenset[str]:
    known = [facts[name] for name in {stage.stage for stage in stages if stage.runs}]
    return frozenset().union(*(item.imports for item in known if item is not None))


def _mentioned(env: Mapping[str, str], stages: Sequence[PlannedStage]) -> dict[str, str]:
    names = {name for stage in stages for item in stage.open for _, name, *_ in item.under("env")}
    return {name: env[name] for name in names if name in env}
