"""Versions of an environment: made beside what readers see, and shown by one rename."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stagebook.artifact import Artifact
from stagebook.errors import UsageError
from stagebook.published.manifest import Manifest, PublishedDataset, PublishedPipeline, PublishedStage
from stagebook.published.versions import Pin, Versions, filler
from stagebook.system.store import Store


@dataclasses.dataclass(frozen=True)
class Place:
    """An environment, and the store that its versions are filled from."""

    root: Path

    @property
    def versions(self) -> Versions:
        return Versions(self.root / "shown", self.root / "lock")

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    def manifest(self, files: Mapping[str, str], at: float = 0.0, release: str = "") -> Manifest:
        """A manifest of files with these contents, which are in the store."""
        datasets = {}
        for path, text in files.items():
            source = self.root / "made" / path
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text)
            datasets[f"s.{path}"] = PublishedDataset(artifact=self.store.keep(source, path), run="r")
        stage = PublishedStage(fingerprint="f", run="r", attempt=1)
        pipeline = PublishedPipeline(run="r", at=at, datasets=datasets, stages={"s": stage})
        return Manifest(environment="prod", version=0, at=at, release=release, pipelines={"p": pipeline})

    def publish(self, files: Mapping[str, str], at: float = 0.0) -> Manifest:
        versions = self.versions
        made = versions.add(self.manifest(files, at), self.fill, {})
        versions.point_to(made.version)
        return made

    @property
    def fill(self) -> Callable[[Artifact, Path], None]:
        return filler(self.store, lambda item: self.root / "made" / item.path)

    def shown(self) -> dict[str, str]:
        """What readers see below the pointer."""
        current = self.root / "shown" / "current"
        return {
            path.relative_to(current).as_posix(): path.read_text()
            for path in sorted(current.rglob("*"))
            if path.is_file() and path.suffix != ".json"
        }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_version_is_shown_whole_and_never_changed(place: Place) -> None:
    place.publish({"data/a.txt": "1", "data/b.txt": "1"})
    first = place.versions.place(1)
    place.publish({"data/a.txt": "2", "data/b.txt": "1"})
    assert place.shown() == {"data/a.txt": "2", "data/b.txt": "1"}
    assert (first / "data/a.txt").read_text() == "1"
    assert place.versions.numbers() == [1, 2]
    assert (place.versions.place(2) / "data/a.txt").stat().st_mode & 0o222 == 0


def test_what_did_not_change_costs_no_room(place: Place) -> None:
    place.publish({"data/a.txt": "1", "data/b.txt": "1"})
    place.publish({"data/a.txt": "2", "data/b.txt": "1"})
    one, two = (place.versions.place(number) / "data/b.txt" for number in (1, 2))
    assert one.samefile(two)


def test_a_file_that_somebody_wrote_to_is_not_taken_into_the_next_version(place: Place) -> None:
    place.publish({"data/a.txt": "1", "data/b.txt": "1"})
    spoilt = place.versions.place(1) / "data/b.txt"
    spoilt.chmod(0o644)
    spoilt.write_text("spoilt")
    place.publish({"data/a.txt": "2", "data/b.txt": "1"})
    assert place.shown() == {"data/a.txt": "2", "data/b.txt": "1"}


def test_a_manifest_survives_its_file(place: Place) -> None:
    made = place.publish({"data/a.txt": "1"}, at=12.5)
    assert place.versions.current() == place.versions.find(1) == made
    with pytest.raises(ValueError, match="not a manifest"):
        Manifest.from_text("{}")


def test_a_version_that_cannot_be_filled_changes_nothing(place: Place) -> None:
    place.publish({"data/a.txt": "1"})
    manifest = place.manifest({"data/a.txt": "2", "data/b.txt": "2"})

    def fails(artifact: Artifact, target: Path) -> None:
        if artifact.path.endswith("b.txt"):
            raise OSError(28, "No space left on device", str(target))
        place.fill(artifact, target)

    with pytest.raises(
        UsageError, match="the version 2 could not be made: No space left on device"
    ) as caught:
        place.versions.add(manifest, fails, {})
    assert "unchanged" in caught.value.hint
    assert place.shown() == {"data/a.txt": "1"}
    assert os.listdir(place.root / "shown/versions") == ["000001"]


def test_an_output_that_the_store_does_not_have_comes_from_where_the_run_left_it(place: Place) -> None:
    manifest = place.manifest({"data/a.txt": "1"})
    shutil.rmtree(place.root / "store")
    place.versions.add(manifest, place.fill, {})
    (place.root / "made/data/a.txt").write_text("another")
    with pytest.raises(UsageError, match="it is not what the run left"):
        place.versions.add(manifest, place.fill, {})


def test_an_output_that_is_damaged_in_the_store_comes_from_where_the_run_left_it(place: Place) -> None:
    manifest = place.manifest({"data/a.txt": "1"})
    (artifact,) = (one.artifact for one in manifest.datasets.values())
    blob = place.store.blobs.path(artifact.sha256)
    blob.chmod(0o600)
    blob.write_text("other")
    made = place.versions.add(manifest, place.fill, {})
    assert (place.versions.place(made.version) / "data/a.txt").read_text() == "1"


def test_what_a_killed_removal_left_is_removed(place: Place) -> None:
    for at in range(1, 5):
        place.publish({"data/a.txt": str(at)}, at=float(at))
    place.versions.place(1).rename(place.root / "shown/versions/.000001.gone")
    assert place.versions.prune(before=10.0) == [2]
    assert sorted(os.listdir(place.root / "shown/versions")) == ["000003", "000004"]


def test_what_a_killed_publication_left_is_in_nobodys_way(place: Place) -> None:
    place.publish({"data/a.txt": "1"})
    left = place.root / "shown/versions/.000002.incoming/data"
    left.mkdir(parents=True)
    (left / "a.txt").write_text("half")
    place.publish({"data/a.txt": "2"})
    assert place.shown() == {"data/a.txt": "2"}


def test_a_version_that_was_made_and_not_shown_is_not_current(place: Place) -> None:
    place.publish({"data/a.txt": "1"})
    place.versions.add(place.manifest({"data/a.txt": "2"}), place.fill, {})
    assert place.shown() == {"data/a.txt": "1"}
    assert place.publish({"data/a.txt": "3"}).version == 3


def test_old_versions_go_but_what_is_shown_or_held_stays(place: Place) -> None:
    for at in range(1, 7):
        place.publish({"data/a.txt": str(at)}, at=float(at))
    place.versions.point_to(2)
    pin = Pin(place.versions.place(3))
    assert place.versions.prune(before=10.0) == [1, 4]
    assert place.versions.numbers() == [2, 3, 5, 6]
    pin.close()
    assert place.versions.prune(before=10.0) == [3]
    assert place.versions.prune(before=0.0) == []


def test_who_reads_two_datasets_of_one_pin_reads_one_version(place: Place) -> None:
    place.publish({"data/a.txt": "1", "data/b.txt": "1"})
    pin = Pin(place.root / "shown/current")
    place.publish({"data/a.txt": "2", "data/b.txt": "2"})
    assert {(pin.folder / f"data/{name}.txt").read_text() for name in "ab"} == {"1"}


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_pointer_that_is_none_is_told(place: Place, what: str) -> None:
    place.publish({"data/a.txt": "1"})
    current = place.root / "shown/current"
    current.unlink()
    if what == "file":
        current.write_text("mine")
    else:
        (current / "data").mkdir(parents=True)
    manifest = place.manifest({"data/a.txt": "2"})
    made = place.versions.add(manifest, place.fill, {})
    with pytest.raises(UsageError, match="cannot be moved: something else is there") as caught:
        place.versions.point_to(made.version)
    assert "symbolic link" in caught.value.hint
    assert (current / "data").is_dir() if what == "folder" else current.read_text() == "mine"


def test_a_pointer_whose_version_was_removed_is_told(place: Place) -> None:
    place.publish({"data/a.txt": "1"})
    shutil.rmtree(place.versions.place(1))
    with pytest.raises(UsageError, match="leads nowhere") as caught:
        place.versions.current()
    assert "rollback" in caught.value.hint


def test_a_version_that_is_not_there_is_told_with_those_that_are(place: Place) -> None:
    place.publish({"data/a.txt": "1"})
    with pytest.raises(UsageError, match="there is no version 7") as caught:
        place.versions.find(7)
    assert caught.value.hint == "there are: 1"
