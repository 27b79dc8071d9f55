"""Settings come from one file, and a mistake in it is told of like one in a pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagebook.errors import PipelineInvalid
from stagebook.workspace.settings import read_settings


def screen(root: Path) -> str:
    with pytest.raises(PipelineInvalid) as caught:
        read_settings(root)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert (settings.run.jobs, settings.run.grace) == (None, 10.0)
    assert (settings.tracking.enabled, settings.tracking.uri) == (True, "sqlite:///mlflow.db")


def test_stagebook_toml_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.stagebook.run]\njobs = 2\n")
    assert read_settings(tmp_path).run.jobs == 2
    (tmp_path / "stagebook.toml").write_text("[run]\ngrace = 3\n")
    assert (read_settings(tmp_path).run.jobs, read_settings(tmp_path).run.grace) == (None, 3.0)


def test_a_pyproject_of_something_else_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 80\n")
    assert read_settings(tmp_path).run.jobs is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[run]\njbos = 2\n", "stagebook.toml: unknown key 'run.jbos'\n    did you mean 'jobs'?"),
        ("[run]\njobs = 0\n", "stagebook.toml: 'run.jobs' has to be at least 1, not 0"),
        ("[run]\njobs = '2'\n", "stagebook.toml: 'run.jobs' has to be a whole number, not '2' (str)"),
        ("[run]\ngrace = -1\n", "stagebook.toml: 'run.grace' has to be at least 0, not -1"),
        ("[run]\ngrace = 'x'\n", "stagebook.toml: 'run.grace' has to be a number, not 'x' (str)"),
        ("[tracking]\nenabled = 1\n", "stagebook.toml: 'tracking.enabled' has to be true or false, not 1 (int)"),
        ("[tracking]\nuri = 1\n", "stagebook.toml: 'tracking.uri' has to be text, not 1 (int)"),
        ("run = 1\n", "stagebook.toml: 'run' has to be a mapping, not 1 (int)"),
        ("[tracing]\n", "stagebook.toml: unknown key 'tracing'\n    did you mean 'tracking'?"),
        ("[secrets]\nA = 1\n", "stagebook.toml: 'secrets.A' has to be a mapping, not 1 (int)"),
        ("[secrets]\nA = {}\n", "stagebook.toml: 'secrets.A': expected one of env, file, keyring and command"),
        ("[secrets]\nA = {env = 'X', file = 'y'}\n", "stagebook.toml: 'secrets.A': expected one of env, file, keyring and command"),
        ("[secrets]\nA = {fiel = 'y'}\n", "stagebook.toml: unknown key 'secrets.A.fiel'\n    did you mean 'file'?"),
        ("[secrets]\nA = {env = 'a b'}\n", "stagebook.toml: 'secrets.A': 'env' is the name of an environment variable"),
        ("[secrets]\nA = {keyring = 'x'}\n", "stagebook.toml: 'secrets.A': 'keyring' is of the form service/user"),
        ("[secrets]\nA = {file = ' '}\n", "stagebook.toml: 'secrets.A': the source is empty"),
        ("[secrets]\nA = {command = [1]}\n", "stagebook.toml: 'secrets.A.command' has to be text, not [1] (list)"),
        ("[secrets]\n'a-b' = {env = 'X'}\n", "stagebook.toml: 'secrets': 'a-b' is not a name for a secret: use letters, digits and '_'"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "stagebook.toml").write_text(text)
    assert screen(tmp_path) == wanted


def test_secrets_have_one_source_each(tmp_path: Path) -> None:
    (tmp_path / "stagebook.toml").write_text("""
        [secrets]
        A = {env = "X"}
        B = {file = "~/b"}
        C = {keyring = "mail/host/me"}
        D = {command = ["pass", "show", "a b"]}
        E = {command = "pass show e"}
    """)
    found = {name: (one.kind, one.value) for name, one in read_settings(tmp_path).secret_sources.items()}
    assert found == {
        "A": ("env", "X"),
        "B": ("file", "~/b"),
        "C": ("keyring", "mail/host/me"),
        "D": ("command", "pass show 'a b'"),
        "E": ("command", "pass show e"),
    }


def test_what_is_no_toml_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "stagebook.toml").write_text("[run\n")
    assert screen(tmp_path).startswith("stagebook.toml: not readable as TOML: ")
    (tmp_path / "stagebook.toml").write_bytes(b"x = '\xe9'")
    assert screen(tmp_path) == "stagebook.toml: not UTF-8 text"


@pytest.mark.parametrize("text", ["tool = 1\n", "[tool]\nstagebook = 1\n", "tool.stagebook = []\n"])
def test_a_section_that_is_none_is_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if text.startswith("tool = "):
        assert read_settings(tmp_path).run.jobs is None
    else:
        assert "has to be a mapping" in screen(tmp_path)
