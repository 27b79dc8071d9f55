"""An earlier version of a dataset, made the present one.

That is recorded as a run which declares it good for the stage as it is now (`stagebook accept`): the next run leaves it in
its place. What it replaces is kept in the store, and of a Delta table as a version.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.errors import StagebookError, StageFailure, UsageError
from stagebook.events import Event, RunEnded, RunStarted, Status
from stagebook.execution.attempt import OutputSlot, TableSlot
from stagebook.execution.runner import commits, staging
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.reuse import ReusePolicy
from stagebook.runs.accept import Statement, accepted_events
from stagebook.runs.bookmarks import moved_with
from stagebook.runs.datasets import Dataset, Version
from stagebook.runs.launcher import Launcher
from stagebook.runs.lease import take_ownership
from stagebook.runs.origin import describe_origin
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest
from stagebook.system.blobs import BlobDamaged
from stagebook.system.delta_log import is_table
from stagebook.tables import delta
from stagebook.tables.delta import DeltaFailed
from stagebook.tables.lake import READY, LakeRefused, Prepared, back_to
from stagebook.workspace.paths import STATE_FOLDER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done: the run that records it, and the new version of a Delta table (`None` for another kind); whether a
    bookmark moved with it."""

    run: str
    version: int | None
    moved: bool = False


def restore(
    dataset: Dataset, version: Version, request: RunRequest, preparer: Preparer, launcher: Launcher
) -> Restored:
    """Make a version the present one; `request` is of its pipeline, with the parameters that it counts for. The bookmark of
    its stage moves to where it stood then, so that what the version lacks is read again.

    Raises:
        UsageError: it is the present one, or cannot be had any more.
        PipelineBusy: the pipeline is being run.
    """
    if version.is_present:
        raise UsageError(f"version {version.number} of {dataset.name} is the present one")
    prepared = preparer.prepare(request)
    policy = prepared.planner.policy
    assert policy is not None
    stage = prepared.plan.stage(dataset.stage)
    origin = describe_origin(launcher.root)
    said = Statement(
        run=launcher.new_run_id(),
        at=launcher.now(),
        because=f"version {version.number} of {dataset.name} was restored",
        by=origin.user or str(os.getuid()),
    )
    accepted_events(
        launcher, prepared.plan, policy, [stage], said
    )  # whether it can be, and what is there is kept
    moved = moved_with(preparer.history, prepared.planner.pipeline, stage, version.run)
    if moved is not None:
        moved = dataclasses.replace(moved, run=said.run, at=said.at, because=said.because, by=said.by)
    folder = launcher.root / STATE_FOLDER / "restoring" / said.run
    try:
        slot, near = _made_ready(dataset, version, said.run, folder, launcher)
        started = RunStarted(
            run=said.run,
            at=said.at,
            pipeline=prepared.plan.pipeline,
            plan={**prepared.plan.to_json(), "stages": [stage.to_json()]},
            origin=origin,
            kind="accept",
        )
        take_ownership(launcher.journal, started, clock=launcher.now)
        _publish(slot, near, launcher, said, (prepared.plan, policy, stage), [moved] if moved else [])
    except (BlobDamaged, DeltaFailed, LakeRefused) as error:
        raise UsageError(f"version {version.number} of {dataset.name} cannot be had: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    launcher.tell_mlflow()
    found = launcher.store.keep(launcher.root / dataset.path, dataset.path)
    return Restored(run=said.run, version=found.version, moved=moved is not None)


def _publish(
    slot: OutputSlot,
    near: Path | None,
    launcher: Launcher,
    said: Statement,
    subject: tuple[Plan, ReusePolicy, PlannedStage],
    also: Sequence[Event],
) -> None:
    plan, policy, stage = subject
    journal = launcher.journal
    status = Status.FAILED
    reason = said.because
    try:
        with journal.leases.owned(said.run):
            if near is not None:
                staging.publish(launcher.root, {"it": slot}, {"it": near})
            policy.fingerprints.forget()
            journal.append([*accepted_events(launcher, plan, policy, [stage], said), *also], owner=said.run)
        status = Status.COMPLETED
    except StageFailure as error:
        reason = error.message
        raise StagebookError(error.message) from error
    finally:
        journal.append([RunEnded(run=said.run, at=launcher.now(), status=status, reason=reason)])


def _made_ready(
    dataset: Dataset, version: Version, run: str, folder: Path, launcher: Launcher
) -> tuple[OutputSlot, Path | None]:
    """The content of a version, on the disk of its place; `None` where that has it."""
    root, path = launcher.root, dataset.path
    content = folder / path.rpartition("/")[2]
    artifact = _content(dataset, version, content, launcher)
    slot = OutputSlot(path=path, staged=content.relative_to(root).as_posix())
    table = root / path
    if dataset.delta is None or not is_table(table):
        return slot, staging.bring_near(root, {"it": slot})["it"]
    prepared = back_to(content, table, folder / "table", path)
    who = {"run": run, "pipeline": dataset.pipeline, "stage": dataset.stage, "output": dataset.output}
    prepared.seal(artifact, {**who, "restores": version.number})
    ready = (folder / "table").relative_to(root).as_posix()
    slot = dataclasses.replace(slot, table=TableSlot(options=dataset.delta, ready=ready))
    return slot, commits.place_files(folder / "table" / READY, table)


def _content(dataset: Dataset, version: Version, target: Path, launcher: Launcher) -> Artifact:
    """Put the content of a version to `target`, out of the store or out of the table itself."""
    store, known = launcher.store, version.artifact
    if known is not None and store.holds(known):
        store.fetch(known, target)
        return known
    if dataset.delta is None:
        raise UsageError(f"version {version.number} of {dataset.name} is not in the store any more")
    table = launcher.root / dataset.path
    state = delta.state(table, version.number)
    if not all((table / name).is_file() for name in state.files):
        what = f"the data files of version {version.number} were removed"
        raise UsageError(
            f"{what}, and the store does not have them", hint=f"stagebook data history {dataset.name}"
        )
    whole = Prepared(table=table, folder=target.parent / "whole", before=None, after=state, places={})
    links, digests = whole.assemble()
    shutil.copytree(links, target)
    return store.keep(target, dataset.path, known=digests)
