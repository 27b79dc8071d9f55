"""Where secrets come from, what refuses them, and texts that refer to them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stagebook.errors import SecretUnavailable
from stagebook.system import secret_sources
from stagebook.system.secret_sources import (
    SecretSource,
    fill,
    names_in,
    read_secret,
    source_of,
    without_references,
    without_secrets,
)

VALUE = "a-word-of-ours"


def source(kind: str, value: str) -> SecretSource:
    return SecretSource(kind=kind, value=value)  # type: ignore[arg-type]


def refusal(tmp_path: Path, where: SecretSource, **env: str) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        read_secret("DB", where, env, tmp_path)
    assert VALUE not in str(caught.value)
    return str(caught.value)


def test_a_secret_comes_from_where_it_is_declared(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{VALUE}\n")
    file.chmod(0o600)
    command = f"{sys.executable} -c \"print(open('key').read(), end='')\""
    env = {"OTHER": VALUE, "PATH": os.environ["PATH"]}
    for where in (
        source("env", "OTHER"),
        source("file", "key"),
        source("file", str(file)),
        source("command", command),
    ):
        assert read_secret("DB", where, env, tmp_path) == VALUE
    assert read_secret("DB", source_of("DB", {}), {"STAGEBOOK_SECRET_DB": VALUE}, tmp_path) == VALUE
    # What the environment gives wins, as in CI.
    assert read_secret("DB", source("file", "none"), {"STAGEBOOK_SECRET_DB": VALUE}, tmp_path) == VALUE


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(VALUE)
    file.chmod(mode)
    said = refusal(tmp_path, source("file", "key"))
    assert f"others may read or write the file key (its mode is {mode:04o})" in said
    assert "chmod 600 key" in said


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, data in {
        "binary": b"\xff\xfe\xff\xfe\xff\xfe",
        "empty": b"\n",
        "zero": b"abc\0defgh",
        "long": b"x" * 100_001,
    }.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    assert "'DB': the environment variable NONE is not set" in refusal(tmp_path, source("env", "NONE"))
    assert "the file none cannot be read: No such file" in refusal(tmp_path, source("file", "none"))
    assert "the file folder cannot be read: Is a directory" in refusal(tmp_path, source("file", "folder"))
    assert "the file pipe is no file" in refusal(tmp_path, source("file", "pipe"))
    assert "holds no UTF-8 text" in refusal(tmp_path, source("file", "binary"))
    assert "the secret 'DB' is empty" in refusal(tmp_path, source("file", "empty"))
    assert "the number 0" in refusal(tmp_path, source("file", "zero"))
    assert "more than 100,000 bytes" in refusal(tmp_path, source("file", "long"))
    assert "shorter than 6 characters" in refusal(tmp_path, source("env", "A"), A="12345")


def test_a_command_that_fails_is_named_and_not_quoted(tmp_path: Path) -> None:
    failing = f"{sys.executable} -c \"import sys; print('{VALUE}'); sys.exit('{VALUE}')\""
    said = refusal(tmp_path, source("command", failing))
    assert f"the command {sys.executable} gave none (exit code 1)" in said
    assert "the command no-such-program cannot be read: No such file" in refusal(
        tmp_path, source("command", "no-such-program x")
    )
    assert "its command is empty" in refusal(tmp_path, source("command", " "))
    assert "its command cannot be read: No closing quotation" in refusal(tmp_path, source("command", "a 'b"))


def test_a_command_that_asks_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_sources, "PATIENCE", 0.2)
    waits = f'{sys.executable} -c "import time; time.sleep(60)"'
    assert "did not answer within 0.2 s" in refusal(tmp_path, source("command", waits))
    asks = f'{sys.executable} -c "print(input())"'
    monkeypatch.setattr(secret_sources, "PATIENCE", 30.0)
    assert "gave none" in refusal(tmp_path, source("command", asks))  # nobody is at its standard input


KEYRING = """
import keyring.backend
class Ours(keyring.backend.KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return {"db/flights me": "a-word-of-ours"}.get(f"{service} {username}")
    def set_password(self, *_):
        raise NotImplementedError
"""


def test_a_secret_comes_from_the_keyring(tmp_path: Path) -> None:
    pytest.importorskip("keyring")
    (tmp_path / "ours.py").write_text(KEYRING)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "ours.Ours"}
    assert read_secret("DB", source("keyring", "db/flights/me"), env, tmp_path) == VALUE
    with pytest.raises(SecretUnavailable) as caught:
        read_secret("DB", source("keyring", "db/flights/you"), env, tmp_path)
    assert "the keyring, db/flights/you gave none" in caught.value.message
    assert caught.value.hint == "put it in: keyring set db/flights you"


def test_without_the_package_the_keyring_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'stagebook[keyring]'" in refusal(tmp_path, source("keyring", "db/me"))


def test_a_text_refers_to_secrets() -> None:
    text = "postgresql://me:${secret.DB}@db/x?a=${ secret.MORE }&$${secret.NOT}"
    assert names_in(text) == ["DB", "MORE"]
    filled = fill(text, {"DB": "p@ss/word", "MORE": "ä"})
    assert filled == "postgresql://me:p%40ss%2Fword@db/x?a=%C3%A4&${secret.NOT}"
    assert fill("${secret.DB}", {"DB": "p@ss/word"}) == "p@ss/word"  # no URL: as it is
    assert "${" in without_references("${params.x} ${secret.A}")
    assert without_references("${secret.A}") == ""


def test_an_environment_without_secrets() -> None:
    env = {"STAGEBOOK_SECRET_A": "1", "STAGEBOOK_SECRET_B": "2", "MINE": "3", "HOME": "/me"}
    assert without_secrets(env, {"MINE"}) == {"HOME": "/me"}
    assert without_secrets(env, {"MINE"}, kept={"STAGEBOOK_SECRET_B", "MINE"}) == {
        "STAGEBOOK_SECRET_B": "2",
        "MINE": "3",
        "HOME": "/me",
    }
