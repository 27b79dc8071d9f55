"""A viewer that takes every change ends with what a new one sees at once, however events interleave."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    CellStarted,
    Event,
    RunEnded,
    RunStarted,
    StageEnded,
    Status,
)
from stagebook.journal.leases import Liveness, Owner
from stagebook.project import Project
from stagebook_lab.feed.snapshot import SnapshotReader

STAGES = ("a", "b", "c")


def story(run: str, pipeline: str, only: str | None, *, ends: bool) -> list[Event]:
    """A run of three stages, or of one of them."""
    plan = {"stages": [{"id": name, "notebook": "n.ipynb", "decision": "RUN"} for name in STAGES]}
    events: list[Event] = [RunStarted(run=run, at=1.0, pipeline=pipeline, plan=plan)]
    for name in STAGES:
        if only not in {None, name}:
            events.append(StageEnded(run=run, at=1.5, stage=name, status=Status.SKIPPED))
            continue
        events += [
            AttemptStarted(run=run, at=2.0, stage=name, attempt=1, folder="f"),
            CellStarted(run=run, at=2.1, stage=name, attempt=1, cell=1, cells=2),
            AttemptEnded(run=run, at=3.0, stage=name, attempt=1, seconds=1.0),
            StageEnded(run=run, at=3.0, stage=name, status=Status.COMPLETED),
        ]
    return [*events, RunEnded(run=run, at=4.0, status=Status.COMPLETED)] if ends else events[:-2]


runs = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from([None, *STAGES]), st.booleans()), max_size=4)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), wanted=runs)
def test_changes_add_up_to_the_whole(data: st.DataObject, wanted: list[tuple[str, str | None, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Project.open(folder_of_project(folder)) as project:
        stories = [story(f"r{at}", *one[:2], ends=one[2]) for at, one in enumerate(wanted)]
        reader = SnapshotReader(project)
        position: int | None = None
        stages: dict[tuple[str, str], object] = {}
        shapes: dict[str, tuple[str, ...]] = {}

        def look() -> None:
            nonlocal position
            change = reader.read().since(position, "")
            if change is not None:
                if change.full:
                    stages.clear()
                    shapes.clear()
                stages.update({(stage.pipeline, stage.id): stage for stage in change.stages})
                shapes.update(change.shapes)
                position = change.seq

        while any(stories):
            first = {wanted[at][0]: at for at, events in reversed(list(enumerate(stories))) if events}
            at = data.draw(st.sampled_from(sorted(first.values())))  # a pipeline has one run at a time
            count = data.draw(st.integers(1, 4))
            batch, stories[at] = stories[at][:count], stories[at][count:]
            write(project, batch)
            if data.draw(st.booleans()):
                look()
        look()
        look()
        whole = SnapshotReader(project).read().since(None)
        assert whole is not None
        assert shapes == whole.shapes
        assert stages == {(stage.pipeline, stage.id): stage for stage in whole.stages}


def folder_of_project(folder: str) -> Path:
    root = Path(folder).resolve()
    (root / "pipelines").mkdir()
    return root


def write(project: Project, events: list[Event]) -> None:
    """As a runner does. A run that did not end is found to be interrupted when the next one begins."""
    first, rest = events[0], events[1:]
    if isinstance(first, RunStarted):
        owner = Owner(pid=1, started=0.0, host="elsewhere")
        project.journal.begin(first, owner, lambda _: Liveness.DEAD)
        project.journal.append(rest)
    else:
        project.journal.append(events)
