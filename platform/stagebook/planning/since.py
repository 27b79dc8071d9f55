"""What changed since a result, and what lies in the places of its outputs."""

from __future__ import annotations

from stagebook.code.closure import Code
from stagebook.planning.fingerprint import Change, Fingerprint, changes
from stagebook.planning.plan import PlannedStage
from stagebook.planning.result import Result
from stagebook.workspace.dependencies import ProjectDependencies


def changes_of(result: Result, fingerprint: Fingerprint, code: Code) -> list[Change]:
    """What changed since a result. `code` is the code now: its import chains and cell numbers go into the texts."""
    chains = {item.path: item.chain for item in (*code.modules, *code.files)}
    return changes(result.parts, fingerprint.parts, chains=chains, numbers=code.numbers)


def is_open(change: Change, fingerprint: Fingerprint) -> bool:
    """Whether a change is of a value that is known only once other stages have run."""
    names = {"params": fingerprint.open, "inputs": fingerprint.made}
    return change.name in names.get(change.part, ())


def changes_since(
    stage: PlannedStage, latest: Result, fingerprint: Fingerprint, dependencies: ProjectDependencies
) -> list[Change]:
    """The same of a stage, as it is now."""
    return changes_of(latest, fingerprint, dependencies.code(stage.notebook, stage.runs_in, stage.folder))


def are_there(stage: PlannedStage, dependencies: ProjectDependencies) -> bool:
    """Whether something lies in the place of each output."""
    return all(
        output.kind == "external" or dependencies.digest(output.path) is not None
        for output in stage.outputs.values()
    )


def is_strange(path: str, latest: Result | None, dependencies: ProjectDependencies) -> bool:
    """Whether an output holds what no run is known to have made, such as an edit by hand. `latest`: the result that its stage
    came to last."""
    here = dependencies.digest(path)
    if here is None or dependencies.store.blobs.has(here.rstrip("/")):
        return False
    return latest is None or here not in {item.content for item in latest.outputs.values()}
