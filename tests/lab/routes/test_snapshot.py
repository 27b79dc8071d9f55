"""A viewer that takes every change ends with what a new one sees at once, however events interleave."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from building import ProjectBuilder
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    CellStarted,
    Event,
    RunCancelling,
    RunEnded,
    RunStarted,
    ScheduleChecked,
    StageEnded,
    Status,
)
from stagebook.journal.leases import Liveness, Owner
from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.feed.snapshot import SnapshotReader
from stagebook_lab.present import MOST_METRICS

STAGES = ("a", "b", "c")


def story(run: str, pipeline: str, only: str | None, *, ends: bool, kind: str) -> list[Event]:
    """A run of three stages, or of one of them; or an acceptance, or the point of a sweep, which goes on."""
    names = STAGES if kind != "accept" or only is None else (only,)
    plan = {"stages": [{"id": name, "notebook": "n.ipynb", "decision": "RUN"} for name in names]}
    own, ends = ("accept", True) if kind == "accept" else ("run", ends)  # an acceptance is one transaction
    begun = RunStarted(
        run=run, at=1.0, pipeline=pipeline, plan=plan, kind=own, parent="sweep" if kind == "point" else ""
    )
    events: list[Event] = [begun]
    for name in names:
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


runs = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from([None, *STAGES]), st.booleans(),
        st.sampled_from(["run", "run", "point", "accept"]),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=st.data(), wanted=runs)
def test_changes_add_up_to_the_whole(
    data: st.DataObject, wanted: list[tuple[str, str | None, bool, str]]
) -> None:
    """A viewer, also one that a new reader serves after a while, ends with what a new viewer sees."""
    with tempfile.TemporaryDirectory() as folder, Project.open(folder_of_project(folder)) as project:
        stories = [story(f"r{at}", *one[:2], ends=one[2], kind=one[3]) for at, one in enumerate(wanted)]
        reader = SnapshotReader(project)
        position: int | None = None
        stages: dict[tuple[str, str], wire.StageInfo] = {}
        shapes: dict[str, tuple[str, ...]] = {}

        def look() -> None:
            nonlocal position
            change = reader.read().since(position)
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
            count = len(stories[at]) if wanted[at][3] == "accept" else data.draw(st.integers(1, 4))
            batch, stories[at] = stories[at][:count], stories[at][count:]
            write(project, batch)
            if data.draw(st.booleans()):
                reader = SnapshotReader(project) if data.draw(st.booleans()) else reader
                look()
        look()
        look()
        whole = SnapshotReader(project).read().since(None)
        assert whole is not None
        assert shapes == whole.shapes
        seen = {
            key: info for key, info in stages.items() if key[1] in shapes[key[0]]
        }  # as a viewer keeps them
        assert seen == {(stage.pipeline, stage.id): stage for stage in whole.stages}
        for pipeline in shapes:
            for stage, (run, record) in project.history.latest_stages(pipeline).items():
                info = seen.get((pipeline, stage))
                told = info and (info.run, info.status)
                assert told in {None, (run.id, str(record.status))}, "the terminal tells the same"


def test_what_was_long_ago_is_still_so(builder: ProjectBuilder) -> None:
    """A stage that no run of the last fifty touched, and a pipeline that a long sweep of another one follows."""
    (builder.root / "pipelines").mkdir()
    project = builder.project
    write(project, story("old", "quiet", None, ends=True, kind="run"))
    write(project, story("first", "busy", "a", ends=True, kind="run"))
    for at in range(30):
        write(project, story(f"later{at}", "busy", "b", ends=True, kind="run"))
    begun = RunStarted(run="sweep", at=1.0, pipeline="busy", plan={"stages": []}, kind="sweep")
    write(project, [begun])
    for at in range(60):
        write(project, story(f"point{at}", "busy", "b", ends=True, kind="point"))
    snapshot = SnapshotReader(project).read()
    assert [run.id for run in snapshot.runs if run.pipeline == "quiet"] == ["old"]
    busy = [run.id for run in snapshot.runs if run.pipeline == "busy"]
    assert busy == ["sweep", *[f"later{at}" for at in range(29, 19, -1)]]
    of = {key: (info.run, info.status) for key, info in snapshot.stages.items()}
    assert of["busy", "a"] == ("first", "completed")
    assert of["busy", "b"] == ("point59", "completed")
    assert of["busy", "c"] == ("point59", "skipped")
    assert of["quiet", "c"] == ("old", "completed")


def test_a_run_that_was_asked_to_stop_says_so_until_it_is_over(builder: ProjectBuilder) -> None:
    (builder.root / "pipelines").mkdir()
    project = builder.project
    begun, *rest = story("one", "p", None, ends=True, kind="run")
    reader = SnapshotReader(project)
    write(project, [begun])
    assert [run.cancelling for run in reader.read().runs] == [False]
    write(project, [RunCancelling(run="one", at=1.2, reason="asked to end by SIGTERM")])
    for viewer in (reader, SnapshotReader(project)):
        assert [run.cancelling for run in viewer.read().runs] == [True]
    write(project, rest)
    for viewer in (reader, SnapshotReader(project)):
        assert [run.cancelling for run in viewer.read().runs] == [False]


def folder_of_project(folder: str) -> Path:
    root = Path(folder).resolve()
    (root / "pipelines").mkdir()
    return root


def write(project: Project, events: list[Event]) -> None:
    """As a runner does. A run that did not end is found to be interrupted when the next one begins."""
    first, rest = events[0], events[1:]
    if isinstance(first, RunStarted):
        project.journal.close_abandoned(lambda _: Liveness.DEAD, 5.0)
        if first.parent:  # its sweep owns the pipeline
            project.journal.append(events)
        else:
            owner = Owner(pid=1, started=0.0, host="elsewhere")
            project.journal.begin(first, owner, lambda _: Liveness.DEAD)
            project.journal.append(rest)
    else:
        project.journal.append(events)


def test_what_belongs_to_no_run_is_passed_over(builder: ProjectBuilder) -> None:
    builder.pipeline("stages: {}")
    project = builder.project
    project.journal.append(story("r1", "p", None, ends=True, kind="run"))
    reader = SnapshotReader(project)
    before = reader.read()
    project.journal.append([ScheduleChecked(run="", at=5.0, pipeline="p", schedule="nightly", paused=True)])
    after = reader.read()
    assert (after.seq, after.stages, after.runs) == (before.seq + 1, before.stages, before.runs)
    assert not reader.is_live


def test_a_stage_tells_the_numbers_that_it_glued_in_their_order(builder: ProjectBuilder) -> None:
    (builder.root / "pipelines").mkdir()
    project = builder.project
    events = story("r1", "p", None, ends=True, kind="run")
    glued = {"rows": 7, "auc": 0.5, "name": "x", "isgood": True, **{f"m{at}": at for at in range(200)}}
    scraps = {name: {"kind": "json", "value": value} for name, value in glued.items()}
    ended = next(at for at, event in enumerate(events) if isinstance(event, AttemptEnded))
    events[ended] = dataclasses.replace(events[ended], scraps=scraps)
    write(project, events)
    stages = SnapshotReader(project).read().stages
    assert list(stages["p", "a"].metrics.items())[:3] == [("rows", 7), ("auc", 0.5), ("m0", 0)]
    assert len(stages["p", "a"].metrics) == MOST_METRICS
    assert stages["p", "b"].metrics == {}
