"""The models of a version, in a file beside its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagebook.published.manifest import Manifest, PublishedPipeline
from stagebook.published.models import FILE, models_of, note_models


def version(folder: Path, number: int, *pipelines: str) -> Path:
    made = Manifest(
        environment="prod",
        version=number,
        at=1.0,
        before=number - 1,
        pipelines={name: PublishedPipeline(run="r", at=1.0) for name in pipelines},
    )
    place = folder / f"{number:06}"
    place.mkdir()
    (place / "manifest.json").write_text(made.to_text())
    return place


def test_each_pipeline_has_its_own_and_those_of_others_stay(tmp_path: Path) -> None:
    first = version(tmp_path, 1, "a", "b", "gone")
    note_models(first, "a", {"trees": 1})
    note_models(first, "b", {"lines": 4})
    note_models(first, "gone", {"old": 9})
    assert models_of(first) == {"a": {"trees": 1}, "b": {"lines": 4}, "gone": {"old": 9}}
    second = version(tmp_path, 2, "a", "b")
    assert models_of(second) == {}
    note_models(second, "a", {"trees": 2, "bushes": 1})
    assert models_of(second) == {"a": {"trees": 2, "bushes": 1}, "b": {"lines": 4}}
    note_models(second, "a", {})  # told again: of this run there are none any more
    assert models_of(second) == {"b": {"lines": 4}}
    assert models_of(first)["a"] == {"trees": 1}, "an earlier version is as it was"


def test_where_there_are_none_there_is_no_file(tmp_path: Path) -> None:
    place = version(tmp_path, 1, "a")
    note_models(place, "a", {})
    assert not (place / FILE).exists()
    note_models(tmp_path / "removed", "a", {"trees": 1})
    assert not (tmp_path / "removed").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 3}', '{"a": {"x": "y"}}', json.dumps({"a": None})])
def test_a_damaged_file_tells_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert models_of(tmp_path) == {}
