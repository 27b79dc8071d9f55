"""What an environment shows, told through a shared store and seen from another checkout."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.artifact import Artifact
from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.published.manifest import Manifest, PublishedDataset, PublishedPipeline, PublishedStage
from stagebook.published.versions import filler
from stagebook.releases.release import Release, ReleasedFile
from stagebook.runs.push import Sharing
from stagebook.runs.shown import ShownVersion, shown_table, tell
from stagebook.sharing.shown import Shown, shown_path

CODE = b"stages: {}"


def settings(shared: Path, more: str = "") -> str:
    return (
        f"[project]\nname = 'acme/flights'\n[tracking]\nenabled = false\n[store]\nremote = '{shared}'\n"
        f"[environments.prod]\n{more}"
    )


def release_of(project: Project, root: Path) -> Release:
    path = root / "code.yaml"
    path.write_bytes(CODE)
    digest = project.store.blobs.keep_file(path)
    file = ReleasedFile(sha256=digest, size=len(CODE), why="pipeline")
    return project.environments.releases.keep(
        Release(files={"pipelines/p.yaml": file}, versions={}, pipelines=("p",), commit="c")
    )


class Checkout:
    """A project, whose production shows what it is told to, without any run."""

    def __init__(self, builder: ProjectBuilder, shared: Path, more: str = "") -> None:
        builder.file("stagebook.toml", settings(shared, more))
        self.project = Project(builder.root)
        self.root = builder.root
        self.prod = self.project.environments.find("prod")
        self.release = release_of(self.project, builder.root)

    def show(self, text: str = "one", **params: Any) -> Manifest:
        """Show a version with one dataset and one executed notebook."""
        source = self.root / "data/out.txt"
        source.parent.mkdir(exist_ok=True)
        source.write_text(text)
        digest = self.project.store.blobs.keep_file(source)
        artifact = Artifact(path="data/out.txt", size=len(text), sha256=digest, kept=True)
        notebook = self.root / "a.ipynb"
        notebook.write_text(json.dumps({"cells": [], "text": text}))
        stage = PublishedStage(fingerprint="f" * 64, run="r", attempt=1, notebook="executed/p/a.ipynb")
        one = PublishedPipeline(
            run="r",
            at=1.0,
            release=self.release.id,
            params=params,
            stages={"a": stage},
            datasets={"a.out": PublishedDataset(artifact=artifact, run="r")},
        )
        versions = self.project.environments.versions(self.prod)
        with versions.held():
            made = versions.add(
                Manifest(
                    environment="prod", version=0, at=2.0, release=self.release.id, pipelines={"p": one}
                ),
                filler(self.project.store, lambda item: self.root / item.path),
                {stage.notebook: notebook},
            )
            versions.point_to(made.version)
        return made

    @property
    def sharing(self) -> Sharing:
        project = self.project
        shared = project.placement.shared(project.root, project.settings)
        assert shared is not None
        return Sharing(
            root=self.root,
            shared=shared,
            journal=lambda: project.journal,
            store=project.store,
            project=lambda: project.settings.project.name,
        )

    def tell(self) -> bool:
        return tell(self.sharing, self.prod, self.project.environments)

    def find(self) -> ShownVersion | None:
        table = shown_table(self.project.placement, self.project.settings, self.project.store)
        return table.find(self.prod)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture
def production(tmp_path: Path, shared: Path) -> Checkout:
    return Checkout(ProjectBuilder(tmp_path / "production"), shared)


@pytest.fixture
def other(tmp_path: Path, shared: Path) -> Checkout:
    return Checkout(ProjectBuilder(tmp_path / "other"), shared)


def test_another_checkout_sees_what_was_told(production: Checkout, other: Checkout) -> None:
    assert not production.tell(), "nothing is shown yet"
    assert other.find() is None
    made = production.show()
    assert production.tell()
    found = other.find()
    assert found is not None
    assert (found.manifest, found.folder) == (made, None)
    store, shared = other.project.store, other.sharing.shared
    notebook = found.notebook(made.pipelines["p"].stages["a"], shared, store)
    assert notebook is not None
    assert json.loads(notebook.read_text())["text"] == "one"
    assert shared.bring(made.datasets["p.a.out"].artifact.sha256, store.blobs)


def test_its_own_folder_comes_first(production: Checkout, other: Checkout) -> None:
    production.show()
    production.tell()
    own = other.show("mine")
    found = other.find()
    assert found is not None
    assert (found.manifest, found.told) == (own, None)
    assert found.folder == other.root / "environments/prod/versions/000001"
    stage = own.pipelines["p"].stages["a"]
    assert found.notebook(stage, None, other.project.store) == found.folder / stage.notebook
    assert found.notebook(dataclasses.replace(stage, notebook=""), None, other.project.store) is None


def test_a_release_comes_with_its_files(production: Checkout, other: Checkout) -> None:
    production.show()
    production.tell()
    found = other.find()
    assert found is not None
    other.project.environments.releases.folder.joinpath(f"{other.release.id}.json").unlink()
    digest = other.release.files["pipelines/p.yaml"].sha256
    other.project.store.blobs.remove(digest)
    table = shown_table(other.project.placement, other.project.settings, other.project.store)
    assert table.release(found, production.release.id) == production.release
    assert other.project.store.blobs.path(digest).read_bytes() == CODE
    other.project.store.blobs.remove(digest)
    (other.root.parent / "shared/blobs" / digest[:2] / digest).unlink()
    with pytest.raises(UsageError, match=r"'pipelines/p.yaml' of the release .* is not in the shared store"):
        table.release(found, production.release.id)
    assert found.told is not None
    spoilt = {production.release.id: {**found.told.releases[production.release.id], "versions": {"a": "1"}}}
    damaged = dataclasses.replace(found, told=dataclasses.replace(found.told, releases=spoilt))
    with pytest.raises(UsageError, match="in the shared store is damaged"):
        table.release(damaged, production.release.id)
    with pytest.raises(UsageError, match="there is no release"):
        table.release(dataclasses.replace(damaged, told=Shown(manifest={"at": 1.0})), production.release.id)


def test_parameters_that_look_like_secrets_are_told_nobody(production: Checkout, other: Checkout) -> None:
    production.show(api_token="hunter2hunter2")
    assert not production.tell()
    (said,) = production.sharing.shared.cautions
    assert "a parameter looks like a secret" in said.message
    assert other.find() is None


def test_what_is_no_manifest_is_said(production: Checkout, other: Checkout, shared: Path) -> None:
    production.show()
    production.tell()
    path = shared / shown_path("acme/flights", "prod")
    path.write_bytes(Shown(manifest={"at": 1.0}).text)
    assert other.find() is None
    assert "not a manifest" in other.sharing.shared.cautions[0].message


def test_environments_of_commands_are_told_nobody(production: Checkout) -> None:
    production.show()
    made = production.project.environments.create("branch", "prod", {}, 1.0, "ada")
    assert not tell(production.sharing, made, production.project.environments)
