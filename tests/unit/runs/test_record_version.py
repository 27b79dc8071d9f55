"""The journal of an environment is told of the version that the pointer leads to, whoever was killed when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stagebook.events import RunEnded, RunStarted, VersionPublished
from stagebook.journal.journal import Journal
from stagebook.origin import Origin
from stagebook.published.manifest import Manifest, PublishedPipeline, PublishedStage
from stagebook.published.versions import Versions
from stagebook.runs.publishing import record
from stagebook.workspace.environments import Environment

PROD = Environment(name="prod", alias="champion")


class Place:
    """The folder of an environment and its journal, without any run."""

    def __init__(self, root: Path) -> None:
        self.versions = Versions(root / "prod", root / "publish.lock")
        self.journal = Journal(root / "journal.db")
        self.count = 0

    def publish(self, *, kind: str = "run", shows: int = 0, **runs: str) -> Manifest:
        """Show a version in which pipelines are what these runs came to."""
        pipelines = {
            name: PublishedPipeline(
                run=run, at=1.0, stages={"a": PublishedStage(fingerprint=run, run=run, attempt=1)}
            )
            for name, run in runs.items()
        }
        manifest = Manifest(
            environment="prod", version=0, at=2.0, kind=kind, by="ada", shows=shows, pipelines=pipelines
        )
        with self.versions.held():
            made = self.versions.add(manifest, lambda _item, _path: None, {})
            self.versions.point_to(made.version)
        return made

    def record(self) -> bool:
        def make_id() -> str:
            self.count += 1
            return f"own-{self.count}"

        return record(self.versions, self.journal, PROD, Origin(), make_id)

    @property
    def told(self) -> list[VersionPublished]:
        return [event for _, event in self.journal.events.after(0) if isinstance(event, VersionPublished)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.journal.close()


def test_it_is_told_once(place: Place) -> None:
    assert not place.record(), "nothing is shown yet"
    place.publish(p="run-1")
    assert place.record()
    assert not place.record()
    (event,) = place.told
    assert (event.run, event.version, event.by, event.alias) == ("run-1", 1, "ada", "champion")
    assert event.stages == {"a": ["run-1", 1]}
    assert place.journal.last_version == 1


def test_only_pipelines_that_changed_are_told(place: Place) -> None:
    place.publish(p="run-1", q="run-2")
    place.record()
    place.publish(p="run-3", q="run-2")
    place.record()
    assert [(event.version, event.run) for event in place.told] == [(1, "run-1"), (1, "run-2"), (2, "run-3")]


def test_a_rollback_is_a_run_of_its_own_for_each_pipeline(place: Place) -> None:
    place.publish(p="run-1", q="run-2")
    place.record()
    place.publish(p="run-3", q="run-2")
    place.publish(kind="rollback", shows=1, p="run-1", q="run-2")
    assert place.record()
    runs = {one.id: one for one in place.journal.runs.latest(limit=10)}
    assert {one.pipeline for one in runs.values()} == {"p", "q"}
    assert {(one.kind, one.reason) for one in runs.values()} == {("rollback", "shows version 1")}
    events = [event for _, event in place.journal.events.of("own-1")]
    assert [type(event) for event in events] == [RunStarted, VersionPublished, RunEnded]
    assert {event.version for event in place.told} == {1, 3}, "of what nobody sees any more nothing is told"


def test_where_the_version_before_is_gone_all_is_told(place: Place) -> None:
    place.publish(p="run-1", q="run-2")
    place.record()
    place.publish(p="run-1", q="run-4")
    (place.versions.place(1) / "manifest.json").unlink()
    assert place.record()
    assert [event.run for event in place.told if event.version == 2] == ["run-1", "run-4"]
