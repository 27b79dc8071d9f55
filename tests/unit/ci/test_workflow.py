"""The workflow files that `stagebook ci init` writes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagebook.ci.workflow import Service, write_workflow
from stagebook.errors import UsageError

PLACES: dict[Service, str] = {"github": ".github/workflows/stagebook.yml", "gitlab": ".gitlab-ci.yml"}


def flow_of(root: Path, service: Service, environment: str = "prod") -> dict[Any, Any]:
    assert write_workflow(root, service, environment) == PLACES[service]
    text = (root / PLACES[service]).read_text()
    for word in ("INSTALL", "ENVIRONMENT", "BRANCH]"):
        assert word not in text, "every place is filled"
    found: dict[Any, Any] = yaml.safe_load(text)
    return found


def installs(flow: dict[Any, Any], service: Service) -> str:
    if service == "gitlab":
        return str(flow["stagebook"]["before_script"][0])
    return next(str(step["run"]) for step in flow["jobs"]["ci"]["steps"] if step.get("name") == "Install")


@pytest.mark.parametrize("service", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ((), "pip install 'stagebook[data]' pytest"),
        (("requirements.txt",), "pip install -r requirements.txt"),
        (("requirements.txt", "requirements.lock"), "pip install -r requirements.lock"),
        (("pyproject.toml",), "pip install . 'stagebook[data]' pytest"),
    ],
)
def test_it_installs_what_the_project_says(
    tmp_path: Path, service: Service, files: tuple[str, ...], wanted: str
) -> None:
    for name in files:
        (tmp_path / name).write_text("")
    assert installs(flow_of(tmp_path, service), service) == wanted


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_it_compares_with_the_environment_that_was_named(tmp_path: Path, service: Service) -> None:
    flow_of(tmp_path, service, "live")
    text = (tmp_path / PLACES[service]).read_text()
    assert "stagebook ci --against live" in text
    assert "stagebook deploy --to live --yes --because" in text


def test_it_runs_for_pull_requests_and_for_the_branch_of_the_origin(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for words in (
        ("init", "-q", "-b", "trunk", str(origin)),
        ("-C", str(origin), "commit", "-q", "--allow-empty", "-m", "one"),
    ):
        subprocess.run(["git", *identity, *words], check=True)
    subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True)
    triggers = flow_of(clone, "github")[True]  # YAML 1.1 takes `on` for a truth value
    assert triggers == {"pull_request": None, "push": {"branches": ["trunk"]}}


def test_a_step_takes_nothing_of_a_pull_request_into_a_shell(tmp_path: Path) -> None:
    steps = flow_of(tmp_path, "github")["jobs"]["ci"]["steps"]
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")], "that would be executed"
    rights = flow_of_rights(tmp_path)
    assert rights == {"contents": "read", "pull-requests": "write"}


def flow_of_rights(root: Path) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load((root / PLACES["github"]).read_text())["permissions"]
    return found


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_what_is_there_is_left_alone(tmp_path: Path, service: Service) -> None:
    path = tmp_path / PLACES[service]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write_workflow(tmp_path, service, "prod")
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".github").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        write_workflow(tmp_path, "github", "prod")
