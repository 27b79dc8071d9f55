"""Why a stage runs, is reused or waits: everything that changed since the result it came to last."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.definition.facts import Facts
from stagebook.definition.notebook import NotebookUnreadable
from stagebook.planning.fingerprint import Change, changes
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.results import Result, Results

_MOST_LINES = 60  # of one difference


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of a decision. `last` is the result that the stage came to last; `diffs` are the
    lines of the differences of cells and modules, by what changed; `before` are the stages before it
    that run or wait, with their decision and first reason; `unresolved` is what the code may import
    and nobody can tell by reading it."""

    stage: str
    decision: Decision
    reasons: tuple[str, ...]
    last: Result | None
    changes: tuple[Change, ...] = ()
    diffs: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    before: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    unresolved: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        last = self.last
        return {
            "stage": self.stage,
            "decision": str(self.decision),
            "reasons": list(self.reasons),
            "last": last and {"run": last.run, "attempt": last.attempt, "at": last.at},
            "changes": [change.to_json() for change in self.changes],
            "diffs": {name: list(lines) for name, lines in self.diffs.items()},
            "before": {
                name: {"decision": decision, "reason": why} for name, (decision, why) in self.before.items()
            },
            "unresolved": list(self.unresolved),
        }


def explain(plan: Plan, stage: PlannedStage, facts: Facts, results: Results) -> Explanation:
    """Explain the decision about one stage of a plan."""
    judgement = stage.judgement
    last = results.latest(plan.pipeline, stage.id)
    found: list[Change] = []
    diffs: dict[str, Sequence[str]] = {}
    unresolved: tuple[str, ...] = ()
    try:
        code = facts.code(stage.notebook)
        unresolved = code.unresolved
        fingerprint = judgement.fingerprint if judgement else None
        if last is not None and fingerprint is not None:
            chains = {item.path: item.chain for item in code.modules}
            found = changes(last.parts, fingerprint.parts, chains=chains)
            if any(name not in _decided(plan) for name in stage.upstream):
                found = [change for change in found if not _is_open(change, fingerprint.open)]
            diffs = _diffs(found, last, facts, stage)
    except NotebookUnreadable:
        pass  # the reasons tell
    before = {
        other.id: (str(other.decision), other.reasons[0] if other.reasons else "")
        for other in plan.stages
        if other.id in stage.upstream and other.decision in {Decision.RUN, Decision.WAIT}
    }
    return Explanation(
        stage=stage.id,
        decision=stage.decision,
        reasons=stage.reasons,
        last=last,
        changes=tuple(found),
        diffs=diffs,
        before=before,
        unresolved=unresolved,
    )


def _decided(plan: Plan) -> set[str]:
    return {stage.id for stage in plan.stages if stage.decision in {Decision.REUSE, Decision.SKIP}}


def _is_open(change: Change, names: Sequence[str]) -> bool:
    """Whether a change is of what nobody knows before other stages ran."""
    if change.part == "params":
        return change.name in names
    return change.part == "inputs" and any(not digest for _, digest in change.new or ())


def _diffs(
    found: Sequence[Change], last: Result, facts: Facts, stage: PlannedStage
) -> dict[str, Sequence[str]]:
    text = facts.blobs.read_text(last.sources) if last.sources else None
    if text is None:
        return {}
    try:
        old = json.loads(text)
        cells, modules = list(old["cells"]), dict(old["modules"])
    except (ValueError, KeyError, TypeError):
        return {}
    now = facts.sources(stage.notebook)
    diffs: dict[str, Sequence[str]] = {}
    if any(change.part == "code" for change in found):
        diffs["code"] = _cell_diff(cells, list(now["cells"]), found)
    for change in found:
        if change.part in {"modules", "files"} and change.name in modules and change.name in now["modules"]:
            diffs[change.name] = _diff(modules[change.name], now["modules"][change.name])
    return diffs


def _cell_diff(old: Sequence[str], new: Sequence[str], found: Sequence[Change]) -> list[str]:
    """The differences of the cells that count: those of a comment alone are not shown."""
    shown = {change.new for change in found if change.part == "code" and change.new is not None}
    gone = {change.old for change in found if change.part == "code" and change.old is not None}
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    partner: dict[int, int] = {}
    for how, a, b, c, d in matcher.get_opcodes():
        if how == "replace":
            partner.update(zip(range(c + 1, d + 1), range(a + 1, b + 1), strict=False))
    lines = []
    for at in sorted(shown):
        if at <= len(new):
            before = old[partner[at] - 1] if at in partner else ""
            lines += [f"cell {at}", *_diff(before, new[at - 1])]
    for at in sorted(gone):
        if at <= len(old):
            lines += [f"cell {at}, before", *_diff(old[at - 1], "")]
    return lines


def _diff(old: str, new: str) -> list[str]:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    shown = [line for line in lines if not line.startswith("@@")]
    if len(shown) > _MOST_LINES:
        return [*shown[:_MOST_LINES], f"… {len(shown) - _MOST_LINES} more lines"]
    return shown
