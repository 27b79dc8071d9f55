"""Who and what asked for a run: the command with its words, of any other program the name alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import environment, python
from stagebook.runs.origin import describe_origin
from stagebook.system.this_process import ASKED_BY, Asker

SECRET = "hunter2-token"
TELL = "import json, pathlib; from stagebook.runs.origin import describe_origin; print(json.dumps(describe_origin(pathlib.Path('.')).to_json()))"
NAMED = "import os, sys; from stagebook.system.this_process import ASKED_BY, name_command; name_command(sys.argv[1:]);"


def told(folder: Path, *arguments: str, **variables: str) -> dict[str, Any]:
    done = python(folder, *arguments, env=environment(**variables))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["script", "module", "package", "text"])
def test_of_another_program_the_name_is_told_and_never_its_arguments(tmp_path: Path, kind: str) -> None:
    (tmp_path / "nightly.py").write_text(TELL)
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch/__main__.py").write_text(TELL)
    how = {
        "script": ("nightly.py",),
        "module": ("-m", "nightly"),
        "package": ("-m", "batch"),
        "text": ("-c", TELL),
    }
    origin = told(tmp_path, *how[kind], f"--token={SECRET}", SECRET)
    wanted = {"script": "nightly.py", "module": "nightly.py", "package": "batch"}
    assert origin["command"] == wanted.get(kind, origin["command"])
    assert origin["command"].startswith("python") or kind != "text"
    assert SECRET not in json.dumps(origin)
    assert {"user", "host", "pid"} <= origin.keys()


def test_the_command_is_told_with_its_words_and_for_whom_it_was_started(tmp_path: Path) -> None:
    ada = Asker(user="Ada 'the first' Lovelace", program="JupyterLab")
    origin = told(tmp_path, "-c", f"{NAMED}{TELL}", "run", "a b", **ada.environment())
    assert origin["command"] == "stagebook run 'a b'"
    assert (origin["user"], origin["via"]) == (ada.user, "JupyterLab")
    assert origin["account"] == describe_origin(tmp_path).user
    left = told(
        tmp_path,
        "-c",
        f"{NAMED}print(json.dumps(list(os.environ)))".replace("import os", "import json, os"),
        **ada.environment(),
    )
    assert ASKED_BY not in left, "what a notebook starts nobody asked for"


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"user": "x"}', "null"])
def test_a_variable_that_names_nobody_is_passed_over(tmp_path: Path, text: str) -> None:
    origin = told(tmp_path, "-c", f"{NAMED}{TELL}", "runs", **{ASKED_BY: text})
    assert origin["command"] == "stagebook runs"
    assert "via" not in origin
    assert origin["user"] == describe_origin(tmp_path).user


def test_a_program_that_asks_for_a_person_is_told_with_the_account(tmp_path: Path) -> None:
    own = describe_origin(tmp_path).user
    origin = describe_origin(tmp_path, Asker(user="Ada", program="JupyterLab"))
    assert (origin.user, origin.via, origin.account) == ("Ada", "JupyterLab", own)
    assert not describe_origin(tmp_path, Asker(user=own, program="JupyterLab")).account
