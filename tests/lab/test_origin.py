"""Whom JupyterLab records: the person who is logged in. No token of its command line is kept anywhere."""

from __future__ import annotations

import getpass
import json
import urllib.request
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, python
from lab.server import TOKEN, Lab, running_lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SECRET = "hunter2-token"
NOTEBOOK = """
import json, os
with open(out, 'w') as file:
    json.dump(sorted(os.environ), file)
"""


def make_project(root: Path) -> ProjectBuilder:
    """A project with tracking, whose stage writes down the names of its environment."""
    builder = ProjectBuilder(root)
    builder.notebook("n", NOTEBOOK, params="out = ''")
    builder.pipeline("stages:\n  n: {notebook: notebooks/n.ipynb, outputs: {out: data/names.json}}\n")
    return builder


def logged_in(lab: Lab, name: str = "") -> dict[str, str]:
    """The headers of somebody who came with the token, and gave themselves a name in JupyterLab."""
    headers = {"Authorization": f"token {TOKEN}"}
    body = json.dumps({"display_name": name}).encode() if name else None
    for method, data in (("GET", None), ("PATCH", body)) if name else (("GET", None),):
        request = urllib.request.Request(f"{lab.url}/api/me", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            cookies = [text.split(";")[0] for text in answer.headers.get_all("Set-Cookie") or ()]
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
    return headers


@pytest.mark.long
def test_a_run_and_an_acceptance_are_the_persons_and_hold_no_token(tmp_path: Path) -> None:
    name = "Ada of the tests"
    with running_lab(tmp_path, make_project, "--IdentityProvider.updatable_fields=display_name") as lab:
        known = logged_in(lab, name)
        started = lab.ask("runs", {"pipeline": "p"}, headers=known)
        run = lab.ended(started["pid"])["run"]
        lab.project.edit("n", "import json, os", "import json, os  # edited\nx = 1")
        body = {"pipeline": "p", "stages": ["n"], "because": "only a name"}
        accepted = lab.ask("accept", body, headers=known)["run"]
        note = lab.ask(f"runs/{accepted}/notes", {"text": "so it is"}, headers=known)
        of_run, of_accept = (lab.ask(f"runs/{one}")["run"] for one in (run, accepted))
        assert (of_run["user"], of_run["via"], of_run["command"]) == (name, "JupyterLab", "stagebook run p")
        assert (of_accept["user"], of_accept["command"]) == (name, "JupyterLab")
        assert note["by"] == name
        # Whom Jupyter Server named by chance is the user whom it belongs to, no "Anonymous Himalia".
        note = lab.ask(f"runs/{accepted}/notes", {"text": "nor anybody else"}, headers=logged_in(lab))
        assert note["by"] == getpass.getuser()
        stage = lab.ask(f"runs/{accepted}")["stages"][0]
        assert stage["reason"] == f"accepted by {name}: only a name"
        assert "STAGEBOOK_ASKED_BY" not in json.loads((lab.project.root / "data/names.json").read_text())
        # From a program of one's own.
        code = "from stagebook.project import Project; Project.open().run('p', force=True)"
        done = python(lab.project.root, "-c", code, f"--token={SECRET}", env=environment())
        assert done.returncode == 0, done.stderr
        assert python(lab.project.root, "-m", "stagebook", "sync").returncode == 0
    held = {
        path.relative_to(lab.project.root).as_posix(): path.read_bytes()
        for path in lab.project.root.rglob("*")
        if path.is_file()
    }
    assert {".stagebook/journal.db", "mlflow.db"} <= held.keys()
    assert name.encode() in held["mlflow.db"], "MLflow has the name"
    for secret in (TOKEN, SECRET):
        assert [path for path, content in held.items() if secret.encode() in content] == []
