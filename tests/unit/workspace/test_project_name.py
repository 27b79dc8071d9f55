"""The name by which other checkouts know a project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stagebook.workspace.project_name import name_of_origin, project_name


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/flights.git",
        "https://github.com/acme/flights",
        "https://ada:ghp_secret@github.com/acme/flights.git",
        "ssh://git@github.com:2222/acme/flights.git",
        "ssh://git@github.com/acme/flights",
        "git@github.com:acme/flights.git",
        "github.com:acme/flights.git/",
    ],
)
def test_each_form_of_a_url_gives_the_same(url: str) -> None:
    assert name_of_origin(url) == "github.com/acme/flights"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file:///srv/git/flights.git", "srv/git/flights"),
        ("/srv/git/flights.git", "srv/git/flights"),
        ("../flights", "../flights"),
        ("C:/git/flights.git", "C/git/flights"),
    ],
)
def test_paths_are_names_as_well(url: str, name: str) -> None:
    assert name_of_origin(url) == name


def test_its_own_name_comes_first_and_a_folder_of_a_repository_belongs_to_it(tmp_path: Path) -> None:
    assert project_name(tmp_path, "") == ""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert project_name(tmp_path, "") == "", "nobody else knows it"
    url = "git@github.com:acme/flights.git"
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", url], check=True)
    assert project_name(tmp_path, "") == "github.com/acme/flights"
    (tmp_path / "etl/nightly").mkdir(parents=True)
    assert project_name(tmp_path / "etl/nightly", "") == "github.com/acme/flights/etl/nightly"
    assert project_name(tmp_path / "etl", "acme") == "acme"
