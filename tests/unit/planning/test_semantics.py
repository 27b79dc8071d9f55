"""What a run of any graph comes to, held against a small model of what it should.

A case is a random graph with triggers, conditions, lists, retries, failures, results that are reused,
stages that are not selected, and a stop. The real runner, state and decider run it on the fake engine.
The model, `semantics.model`, says what becomes of a stage once it is known what became of those before it; every
event is held against what may happen at all. A case that fails is made smaller before it is shown.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from effort import SEED, amount
from semantics.cases import TRIGGERS, Case, Fates, Spec, random_case, smaller
from semantics.plans import planner_of
from semantics.runs import Seen, run
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.workspace.workspace import Workspace

CASES = amount(2_000, 10_000)
PLANNED_CASES = amount(200, 1_000)  # through the planner, from a file


def failure_of(case: Case, root: Path, workspace: Workspace | None) -> BaseException | None:
    """What is wrong with a case, if anything; what the planner refuses is no case."""
    try:
        run(case, root, workspace)
    except (PipelineInvalid, UsageError):
        return None
    except Exception as error:
        return error
    return None


def smallest(case: Case, root: Path, workspace: Workspace | None) -> Case:
    """The smallest case in reach that fails too."""
    while True:
        less = next((one for one in smaller(case) if one != case and failure_of(one, root, workspace)), None)
        if less is None:
            return case
        case = less


def explain(case: Case, root: Path, workspace: Workspace | None = None) -> str:
    """A case that fails, made small, as text."""
    case = smallest(case, root, workspace)
    error = failure_of(case, root, workspace)
    fates = Fates(case)
    lines = [f"STAGEBOOK_FAULTS_SEED={SEED}", f"{type(error).__name__}: {error}", repr(case)]
    lines += [f"{spec.name}: {fates.of(spec.name)}" for spec in case.specs]
    return "\n".join(lines)


def look(case: Case, seen: Seen, counts: collections.Counter[str]) -> None:
    """Count what happened, so that the cases can be seen to hold what they should."""
    watcher = seen.watcher
    counts.update({f"{watcher.stages[name].trigger} {status}" for name, status in watcher.final.items()})
    counts.update(f"{growth} grew at once" for growth in watcher.growths)
    for spec in case.specs:
        names = [name for name in watcher.final if name.split("@")[0] == spec.name]
        if spec.foreach and spec.name in watcher.final:
            counts[f"a foreach {watcher.final[spec.name]}"] += 1
        elif spec.foreach:
            counts[f"{len(names)} items"] += 1
            counts["a list of lists"] += bool(seen.model.fates.specs[spec.foreach].foreach)
        counts["joined"] += bool(spec.joins)
        counts["fan-in"] += any(seen.model.fates.specs[need].foreach for need in spec.needs)
    reasons = " ".join(watcher.reasons.values())
    counts["a failure stopped it"] += "not started, since" in reasons
    counts["not tried again"] += "not tried again" in reasons
    counts["a condition was false"] += "is false" in reasons
    counts["tried again"] += any(number > 1 for number in watcher.attempts.values())
    counts["stopped"] += watcher.started_before_stop is not None
    counts["exact"] += case.keep_going and watcher.started_before_stop is None
    counts["not selected"] += not all(spec.selected for spec in case.specs)
    counts["an item is not selected"] += any(
        spec.skips and f"{spec.name}@a" in watcher.final for spec in case.specs
    )


ALWAYS = [
    *(f"{trigger} {status}" for trigger in TRIGGERS for status in ("completed", "failed", "cancelled", "skipped")),
    *(f"{trigger} reused" for trigger in TRIGGERS if trigger != "one_failed"),  # which is rare
    *(f"{trigger} blocked" for trigger in ("all_success", "none_failed", "one_success")),
    "a foreach skipped", "a foreach blocked", "a foreach cancelled", "1 items", "2 items", "3 items",
    "1 grew at once", "2 grew at once", "3 grew at once", "a list of lists", "joined", "fan-in",
    "a failure stopped it", "not tried again", "a condition was false", "tried again", "stopped", "exact",
    "not selected", "an item is not selected",
]  # fmt: skip


def cases(count: int) -> Iterator[Case]:
    """So many cases."""
    return (random_case(f"{SEED}/{at}") for at in range(count))


@pytest.mark.long
def test_any_run_of_any_graph_comes_to_what_the_model_says(tmp_path: Path) -> None:
    counts: collections.Counter[str] = collections.Counter()
    for case in cases(CASES):
        try:
            seen = run(case, tmp_path)
        except Exception:
            pytest.fail(explain(case, tmp_path))
        look(case, seen, counts)
    if CASES >= 2_000:
        lacking = [what for what in ALWAYS if not counts[what]]
        assert not lacking, f"no case has: {lacking}"


@pytest.mark.long
def test_runs_of_a_file_through_the_planner_come_to_the_same(builder: ProjectBuilder) -> None:
    names = ("in0", "in1", "at0", "at1", "p", "out")
    builder.notebook("n", params="\n".join(f"{name} = None" for name in names))
    workspace = Workspace(builder.root)
    counts: collections.Counter[str] = collections.Counter()
    for drawn in cases(PLANNED_CASES):
        case = dataclasses.replace(drawn, specs=tuple(_for_a_file(spec) for spec in drawn.specs))
        if is_refused(case, workspace):
            everything = tuple(dataclasses.replace(one, selected=True, skips=False) for one in case.specs)
            case = dataclasses.replace(case, specs=everything)
        try:
            seen = run(case, builder.root, workspace)
        except Exception:
            pytest.fail(explain(case, builder.root, workspace))
        look(case, seen, counts)
    if PLANNED_CASES >= 200:
        for what in ("1 grew at once", "2 items", "a list of lists", "joined", "fan-in", "not selected"):
            assert counts[what], f"no case has: {what}"


def _for_a_file(spec: Spec) -> Spec:
    """A stage as a file can have it: that nothing is reused is not in the file."""
    joins = tuple(other for other in spec.joins if other not in spec.needs)
    return dataclasses.replace(spec, reused=False, joins=joins)


def is_refused(case: Case, workspace: Workspace) -> bool:
    """Whether the planner refuses a selection, for the reasons that there are to do so."""
    try:
        planner_of(case, Fates(case), workspace).plan()
    except (UsageError, PipelineInvalid) as error:
        found = [problem.message for problem in getattr(error, "problems", [error])]
        known = ("what instances it has is not known", "left none", "leaves no stage to run")
        assert all(message.endswith(known) for message in found), found
        return True
    return False
