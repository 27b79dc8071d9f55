"""Artifacts: what stands for their content, and their form in journals."""

from __future__ import annotations

from typing import Any

import pytest

from stagebook.artifact import Artifact


@pytest.mark.parametrize(
    ("data", "artifact"),
    [
        (
            {"path": "a.csv", "size": 3, "sha256": "0a", "kept": True},
            Artifact(path="a.csv", size=3, sha256="0a", kept=True),
        ),
        (
            {"path": "f", "size": 0, "sha256": "0a", "kept": True, "folder": True, "executable": ["x.sh"]},
            Artifact(path="f", size=0, sha256="0a", kept=True, folder=True, executable=("x.sh",)),
        ),
        ({"path": "db://t", "external": True}, Artifact(path="db://t", external=True)),
    ],
)
def test_the_form_in_journals_stays(data: dict[str, Any], artifact: Artifact) -> None:
    assert Artifact.from_json(data) == artifact
    assert artifact.to_json() == data


def test_what_a_newer_version_added_is_ignored() -> None:
    assert Artifact.from_json({"path": "a", "colour": "red"}) == Artifact(path="a")
    assert not Artifact.from_json({"path": "a", "sha256": "0a", "kept": False}).kept


@pytest.mark.parametrize("data", [None, "a", [], {}, {"size": 1}, {"path": "a", "size": [1]}])
def test_what_is_no_artifact_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="not an artifact"):
        Artifact.from_json(data)


def test_the_content_of_a_folder_is_not_that_of_a_file() -> None:
    assert Artifact(path="a", sha256="0a").content == "0a"
    assert Artifact(path="a", sha256="0a", folder=True).content == "0a/"
    assert Artifact(path="a", external=True).content is None
    assert Artifact(path="a", sha256="0a", folder=True).at("b").content == "0a/"
