"""The file that has a service for continuous integration run `stagebook ci`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from stagebook.errors import UsageError
from stagebook.system.git import git

Service = Literal["github", "gitlab"]
_PLACES = {"github": ".github/workflows/stagebook.yml", "gitlab": ".gitlab-ci.yml"}
# How what a project needs is installed, by the file that says so; the first one that is there counts.
_INSTALLS = {
    "requirements.lock": "pip install -r requirements.lock",
    "requirements.txt": "pip install -r requirements.txt",
    "pyproject.toml": "pip install . 'stagebook[data]' pytest",
}
_INSTALL = "pip install 'stagebook[data]' pytest"


def write_workflow(root: Path, service: Service, environment: str) -> str:
    """Write the workflow for a service into the project at `root`; its path. `environment`: to compare with, and to deploy to.

    Raises:
        UsageError: it is there already, or cannot be written.
    """
    path = _PLACES[service]
    target = root / path
    if target.exists():
        hint = (
            "add a job that runs: stagebook ci"
            if service == "gitlab"
            else "remove it first; nothing was written"
        )
        raise UsageError(f"'{path}' is there already", hint=hint)
    text = (resources.files("stagebook") / "ci" / "workflows" / f"{service}.yml").read_text(encoding="utf-8")
    install = next((how for name, how in _INSTALLS.items() if (root / name).is_file()), _INSTALL)
    head = git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD") or ""
    branch = head.strip().removeprefix("origin/") or "main"
    for word, value in (("INSTALL", install), ("ENVIRONMENT", environment), ("BRANCH", branch)):
        text = text.replace(f"[{word}]", f"[{value}]").replace(f" {word}", f" {value}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}") from error
    return path
