"""What lies on disk in the place of outputs that a run would restore."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stagebook.journal.history import StageRecord
from stagebook.journal.journal import RunRecord
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.views import formatting


def on_disk_instead(
    plan: Plan,
    latest: Mapping[str, tuple[RunRecord, StageRecord]],
    digest: Callable[[str], str | None],
) -> dict[str, str]:
    """A text for each stage whose outputs a run would restore, by its id.

    Args:
        plan: what the run would do.
        latest: for each stage, the last run that did anything about it.
        digest: what stands for the content of a file or folder of the project; `None` where there is none.
    """
    return {
        stage.id: _text(stage, plan.params, latest.get(stage.id), digest)
        for stage in plan.stages
        if stage.judgement is not None and stage.judgement.restores
    }


def _text(
    stage: PlannedStage,
    params: Mapping[str, Any],
    latest: tuple[RunRecord, StageRecord] | None,
    digest: Callable[[str], str | None],
) -> str:
    assert stage.judgement is not None
    path, *others = stage.judgement.restores
    which = f"{path} (and {len(others)} more)" if others else path
    held = digest(path)
    if held is None:
        return f"{which} is not on disk"
    if latest is not None:
        run, record = latest
        if any(output.path == path and output.content == held for output in record.outputs.values()):
            other = {
                name: value for name, value in run.params.items() if not _is_same(params.get(name), value)
            }
            return f"{which} on disk is of {formatting.params(other) or f'the run {run.id}'}"
    return f"{which} on disk is not what the last run left"


def _is_same(value: Any, kept: Any) -> bool:
    """Whether a parameter is the one that the journal kept as JSON."""
    return json.dumps(value, sort_keys=True, default=str) == json.dumps(kept, sort_keys=True)
