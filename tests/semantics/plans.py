"""Plans of a case: made by hand, and by the planner from a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from semantics.cases import Case, Fates, Spec
from stagebook.pipeline.expressions import Template, compile_value
from stagebook.pipeline.loader import load_pipeline
from stagebook.planning.plan import Decision, Judgement, Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.planning.result import Made, Result
from stagebook.planning.select import Selection
from stagebook.workspace.workspace import Workspace


class HandPolicy:
    """In place of the reuse policy: reuses the stages that the case says, and is its own fingerprints."""

    def __init__(self, fates: Fates) -> None:
        self._fates = fates
        self.fingerprints = self

    def decide(self, stage: PlannedStage, *_: Any) -> Judgement:
        """What becomes of a stage."""
        if not self._fates.specs[stage.stage].reused or stage.foreach is not None:
            return Judgement(decision=Decision.RUN, reasons=("so",))
        scraps = {name: {"value": value} for name, value in self._fates.scraps(stage.id).items()}
        result = Result(
            number=7, pipeline="p", stage=stage.id, run="q", attempt=1, at=0.0, fingerprint="", scraps=scraps
        )
        return Judgement(decision=Decision.REUSE, reasons=("as it was",), result=result)

    def from_disk(self, stage: PlannedStage, scraps: Mapping[str, Any]) -> Made:
        """What a stage that takes no part leaves."""
        return Made(scraps=scraps)

    def forget(self, _doubtful: Iterable[str] = ()) -> None:
        """Look at the disk anew."""


class HandPlanner:
    """Stands for the planner: plans of a case, with the lists that are known."""

    def __init__(self, case: Case, fates: Fates) -> None:
        self.case = case
        self.fates = fates
        self.policy = HandPolicy(fates)
        self.made: list[Plan] = []

    def plan(self) -> Plan:
        """The plan of the run."""
        scraps: dict[str, Mapping[str, Any]] = {}
        while True:
            plan = self.grow(scraps)
            more = [one.id for one in plan.stages if self.fates.is_known_before(one) and not one.foreach]
            if set(more) == set(scraps):
                break
            scraps = {name: self.fates.scraps(name) for name in more}
        stages = tuple(
            dataclasses.replace(one, judgement=self.policy.decide(one)) if one.selected else one
            for one in plan.stages
        )
        kept = {one.id: scraps[one.id] for one in stages if not one.selected and one.id in scraps}
        return dataclasses.replace(plan, stages=stages, scraps=kept, relied=frozenset(scraps))

    def grow(self, scraps: Mapping[str, Mapping[str, Any]], held: Collection[str] = ()) -> Plan:
        """The plan again."""
        ids: dict[str, list[str]] = {}
        stages = []
        for spec in self.case.specs:
            items = None if spec.name in held else self._items(spec, ids, scraps)
            ids[spec.name] = [f"{spec.name}@{item}" for item in items] if items else [spec.name]
            stages += [self._stage(spec, name, ids) for name in ids[spec.name]]
        left = {one.id: self.fates.scraps(one.id) for one in stages if not one.selected and not one.foreach}
        self.made.append(Plan(pipeline="p", path="p.yaml", stages=tuple(stages), scraps=left))
        return self.made[-1]

    def _items(
        self, spec: Spec, ids: Mapping[str, list[str]], scraps: Mapping[str, Mapping[str, Any]]
    ) -> list[str] | None:
        if not spec.foreach or not all(name in scraps for name in ids[spec.foreach]):
            return None
        if self.fates.specs[spec.foreach].foreach:
            return [scraps[name]["name"] for name in ids[spec.foreach]]
        return list(scraps[spec.foreach]["items"])

    def _stage(self, spec: Spec, name: str, ids: Mapping[str, list[str]]) -> PlannedStage:
        item = name.partition("@")[2]
        data: dict[str, None] = {}
        for other in spec.joins:
            own = f"{other}@{item}"
            data |= dict.fromkeys([own] if own in ids[other] else ids[other])
        for other in (*spec.needs, *spec.in_values):
            data |= dict.fromkeys(ids[other])
        after = [one for other in spec.after for one in ids[other] if one not in data]
        stands_in = bool(spec.foreach) and not item
        return PlannedStage(
            id=name,
            stage=spec.name,
            notebook="n.ipynb",
            point={"item": item} if item else {},
            upstream=(*data, *dict.fromkeys(after)),
            loosely=tuple(after),
            foreach=scrap(spec.foreach) if stands_in else None,
            when=self._condition(spec.condition),
            deferred={"p": scrap(spec.reads)} if spec.reads else {},
            trigger=spec.trigger,
            retries=spec.retries,
            retry_delay=0.5,
            selected=spec.is_selected(name),
            absent=spec.when == "no" or (spec.when == "not a" and item == "a"),
        )

    def _condition(self, stage: str) -> Template | None:
        if not stage:
            return None
        many = bool(self.fates.specs[stage].foreach)
        return _compiled(
            f"${{sum(stages.{stage}.scraps.ok) > 0}}" if many else f"${{stages.{stage}.scraps.ok}}"
        )


_templates: dict[str, Template] = {}


def _compiled(text: str) -> Template:
    if text not in _templates:
        _templates[text] = compile_value(text)
    return _templates[text]


def scrap(stage: str) -> Template:
    """An expression with a scrap of a stage."""
    return _compiled(f"${{stages.{stage}.scraps.ok}}")


def text_of(case: Case, fates: Fates) -> str:
    """The pipeline file of a case."""
    stages: dict[str, Any] = {}
    for spec in case.specs:
        inputs = {f"in{at}": f"{need}.out" for at, need in enumerate(spec.needs)}
        inputs |= {f"at{at}": f"{other}@${{item}}.out" for at, other in enumerate(spec.joins)}
        path = f"x://{spec.name}/${{item}}" if spec.foreach else f"x://{spec.name}"
        stage: dict[str, Any] = {
            "notebook": "notebooks/n.ipynb",
            "inputs": inputs,
            "outputs": {"out": {"path": path, "kind": "external"}},
            "after": list(spec.after),
            "trigger": spec.trigger,
            "retries": spec.retries,
            "retry_delay": 0.5,
        }
        if spec.foreach:
            key = "name" if fates.specs[spec.foreach].foreach else "items"
            stage["foreach"] = f"${{stages.{spec.foreach}.scraps.{key}}}"
        if spec.reads:
            stage["params"] = {"p": f"${{stages.{spec.reads}.scraps.ok}}"}
        if spec.when in {"no", "not a"}:
            stage["when"] = False if spec.when == "no" else "${item != 'a'}"
        elif spec.when:
            many = bool(fates.specs[spec.when].foreach)
            said = f"stages.{spec.when}.scraps.ok"
            stage["when"] = f"${{sum({said}) > 0}}" if many else f"${{{said}}}"
        stages[spec.name] = stage
    return json.dumps({"stages": stages})


class FilePlanner(Planner):
    """The planner, and the plans that it made."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.made: list[Plan] = []

    def grow(self, scraps: Mapping[str, Mapping[str, Any]], held: Collection[str] = ()) -> Plan:
        self.made.append(super().grow(scraps, held))
        return self.made[-1]


def planner_of(case: Case, fates: Fates, workspace: Workspace) -> FilePlanner:
    """The planner of a case's file."""
    loaded = load_pipeline(text_of(case, fates), "pipelines/p.yaml")
    left_out = tuple(spec.name for spec in case.specs if not spec.selected)
    left_out += tuple(f"{spec.name}@a" for spec in case.specs if spec.skips)
    return FilePlanner(
        loaded.pipeline,
        {},
        workspace,
        selection=Selection(skip=left_out) if left_out else None,
        earlier=fates.scraps,
        problems=loaded.problems,
    )
