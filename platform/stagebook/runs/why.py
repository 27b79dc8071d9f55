"""Why a stage runs, is reused or waits: everything that changed since the result it came to last."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import UsageError, did_you_mean
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.fingerprint import Change, Fingerprint
from stagebook.planning.plan import Decision, NextRun, Plan, PlannedStage
from stagebook.planning.result import Result, Results
from stagebook.planning.select import Matching
from stagebook.planning.since import changes_of, is_open
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.workspace.dependencies import ProjectDependencies

_MOST_LINES = 60  # of one difference


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of a decision. `last` is the result that the stage came to last; `diffs` are the
    lines of the differences of cells and modules, by what changed; `before` are the stages before it
    that run or wait, with their decision and first reason; `unresolved` is what the code may import
    and nobody can tell by reading it; `unnoticed` what changed of what the stage does not declare."""

    stage: str
    decision: Decision
    next_run: NextRun
    reasons: tuple[str, ...]
    last: Result | None
    changes: tuple[Change, ...] = ()
    diffs: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    before: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    unresolved: tuple[str, ...] = ()
    unnoticed: str = ""

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
            "unnoticed": self.unnoticed,
        }


def why(preparer: Preparer, request: RunRequest, stages: Sequence[str] = ()) -> list[Explanation]:
    """Explain the decisions about stages of a pipeline; about all of them if none is named.

    Raises:
        UsageError: a name fits no stage.
        PipelineInvalid: as `Preparer.prepare`.
    """
    plan = preparer.prepare(request).plan
    results = preparer.results()
    return [explain(plan, stage, preparer.dependencies, results) for stage in stages_named(plan, stages)]


def stages_named(plan: Plan, texts: Sequence[str]) -> list[PlannedStage]:
    """The stages that names or globs fit; all if there are none. Raises `UsageError` for one that fits no
    stage."""
    names = [stage.id for stage in plan.stages]
    for text in texts:
        if not any(name in Matching([text]) for name in names):
            msg = f"no stage '{text}'"
            raise UsageError(msg, hint=did_you_mean(text, dict.fromkeys(n.split("@")[0] for n in names)))
    return [stage for stage in plan.stages if not texts or stage.id in Matching(texts)]


def explain(
    plan: Plan, stage: PlannedStage, dependencies: ProjectDependencies, results: Results
) -> Explanation:
    """Explain the decision about one stage of a plan."""
    last = results.latest(plan.pipeline, stage.id)
    fingerprint = stage.judgement.fingerprint if stage.judgement else None
    found: list[Change] = []
    diffs: dict[str, Sequence[str]] = {}
    unresolved: tuple[str, ...] = ()
    with contextlib.suppress(NotebookUnreadable):  # the reasons tell
        code = dependencies.code(stage.notebook, stage.runs_in, stage.folder)
        unresolved = code.unresolved
        if last is not None and fingerprint is not None:
            found = changes_of(last, fingerprint, code)
            if any(other.runs for other in plan.stages if other.id in stage.upstream):
                found = [change for change in found if not _is_unknown(change, fingerprint)]
            diffs = _diffs(found, last, dependencies, stage)
    before = {
        other.id: (str(other.decision), other.reasons[0] if other.reasons else "")
        for other in plan.stages
        if other.id in stage.upstream and other.runs
    }
    return Explanation(
        stage=stage.id,
        decision=stage.decision,
        next_run=stage.next_run,
        reasons=stage.reasons,
        last=last,
        changes=tuple(found),
        diffs=diffs,
        before=before,
        unresolved=unresolved,
        unnoticed=stage.judgement.unnoticed if stage.judgement else "",
    )


def _is_unknown(change: Change, fingerprint: Fingerprint) -> bool:
    """Whether a change is of what nobody knows before the stages before it ran: an open parameter, or an
    input of which a content is not known."""
    if change.part == "inputs":
        return any(not content for _, content in change.new or ())
    return is_open(change, fingerprint)


def _diffs(
    found: Sequence[Change], last: Result, dependencies: ProjectDependencies, stage: PlannedStage
) -> dict[str, Sequence[str]]:
    text = dependencies.store.blobs.read(last.sources) if last.sources else None
    if text is None:
        return {}
    try:
        old = json.loads(text)
        cells, modules = list(old["cells"]), dict(old["modules"])
    except (ValueError, KeyError, TypeError):
        return {}
    now = dependencies.sources(stage.notebook, stage.runs_in, stage.folder)
    diffs: dict[str, Sequence[str]] = {}
    of_cells = [change for change in found if change.part == "code"]
    if of_cells:
        diffs["code"] = [line for change in of_cells for line in _cell_diff(change, cells, now["cells"])]
    for change in found:
        if change.part in {"modules", "files"} and change.name in modules and change.name in now["modules"]:
            diffs[change.name] = _diff(modules[change.name], now["modules"][change.name])
    return diffs


def _cell_diff(change: Change, old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The difference of a cell, as far as its texts are known."""
    if max(change.old or 0, 0) > len(old) or max(change.new or 0, 0) > len(new):
        return []
    before = old[change.old - 1] if change.old else ""
    after = new[change.new - 1] if change.new else ""
    head = f"cell {change.name}" if change.new else f"cell {change.name}, before"
    return [head, *_diff(before, after)]


def _diff(old: str, new: str) -> list[str]:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    shown = [line for line in lines if not line.startswith("@@")]
    if len(shown) > _MOST_LINES:
        return [*shown[:_MOST_LINES], f"… {len(shown) - _MOST_LINES} more lines"]
    return shown
