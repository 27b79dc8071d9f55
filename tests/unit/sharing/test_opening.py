"""The shared store that settings and the environment name."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid
from stagebook.sharing.distant_place import DistantPlace
from stagebook.sharing.folder_place import FolderPlace
from stagebook.sharing.opening import open_shared
from stagebook.workspace.settings import StoreSettings, read_settings


def test_without_a_setting_there_is_none(tmp_path: Path) -> None:
    assert open_shared(tmp_path, StoreSettings(), {}) is None
    assert open_shared(tmp_path, StoreSettings(remote="x"), {"STAGEBOOK_STORE_REMOTE": ""}) is None
    assert open_shared(tmp_path, StoreSettings(remote="x", enabled=False), {}) is None


def test_a_folder_is_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for text, folder in (
        ("../remote", tmp_path / "../remote"),
        ("/mnt/remote", Path("/mnt/remote")),
        ("~/remote", Path("/home/me/remote")),
    ):
        shared = open_shared(tmp_path, StoreSettings(remote=text), {})
        assert shared is not None
        assert isinstance(shared.place, FolderPlace)
        assert shared.place.folder == folder
        assert (shared.access.shown, shared.access.writes) == (text, True)


def test_in_the_tree_of_an_environment_it_is_relative_to_the_project_too(tmp_path: Path) -> None:
    state, tree = tmp_path / ".stagebook/environments/prod/state", tmp_path / "tree"
    state.mkdir(parents=True)
    tree.mkdir()
    (tree / ".stagebook").symlink_to(state)
    shared = open_shared(tree, StoreSettings(remote="../remote"), {})
    assert shared is not None
    assert isinstance(shared.place, FolderPlace)
    assert shared.place.folder == tmp_path / "../remote"


def test_the_environment_wins(tmp_path: Path) -> None:
    env = {"STAGEBOOK_STORE_REMOTE": "s3://store/team", "STAGEBOOK_STORE_REMOTE_MODE": "read"}
    shared = open_shared(tmp_path, StoreSettings(remote="x"), env)
    assert shared is not None
    assert isinstance(shared.place, DistantPlace)
    assert (shared.access.shown, shared.access.writes) == ("s3://store/team", False)
    env["STAGEBOOK_STORE_REMOTE_MODE"] = "readonly"
    with pytest.raises(PipelineInvalid, match="it has to be one of read, read-write"):
        open_shared(tmp_path, StoreSettings(), env)


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        ("laek:team", "there is no connection 'laek'"),
        ("base:team", "the connection 'base' is no store of files, but sql"),
        ("s3://me:hidden-word@store/x", "holds a secret that is written out"),
    ],
)
def test_a_mistake_in_it_is_told_with_its_file(builder: ProjectBuilder, remote: str, message: str) -> None:
    builder.file("connections.toml", 'lake = {url = "s3://store"}\nbase = {url = "sqlite:///x.db"}\n')
    builder.file("stagebook.toml", f'[store]\nremote = "{remote}"\n')
    with pytest.raises(PipelineInvalid, match=message) as caught:
        open_shared(builder.root, read_settings(builder.root).store, {})
    assert caught.value.problems[0].path == "stagebook.toml"
    assert "hidden-word" not in str(caught.value)


def test_a_connection_of_the_project(builder: ProjectBuilder) -> None:
    builder.file("connections.toml", 'lake = {url = "s3://store"}\n')
    shared = open_shared(builder.root, StoreSettings(remote="lake:team/results/"), {})
    assert shared is not None
    assert isinstance(shared.place, DistantPlace)
    assert shared.place._asker._opened == {"connection": "lake", "path": "team/results"}


@pytest.mark.parametrize(
    "text", ['remote_mode = "write"', "remote_timeout = 0", "remote = 3", 'remote_mod = "read"']
)
def test_settings_that_are_wrong_are_told(builder: ProjectBuilder, text: str) -> None:
    builder.file("stagebook.toml", f"[store]\n{text}\n")
    with pytest.raises(PipelineInvalid):
        read_settings(builder.root)
