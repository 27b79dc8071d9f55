"""Secrets by their names: where each comes from, texts that refer to them, and their values, taken when they are needed.

Nothing heavy is imported: this runs in a worker, and in notebooks through `stagebook.connections`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from stagebook.errors import SecretUnavailable
from stagebook.system.logins import MIN_SECRET

PREFIX = "STAGEBOOK_SECRET_"  # of the variable that holds the secret of that name
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PATIENCE = 30.0  # seconds for a command, or for the keyring
_MOST = 100_000  # bytes
_REFERENCE = re.compile(r"\$\$\{|\$\{\s*secret\.([A-Za-z_][A-Za-z0-9_]*)\s*\}")

Kind = Literal["env", "file", "keyring", "command"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """Where a secret comes from. `value` is the name of a variable, a path, `service/user` of the keyring, or a command."""

    kind: Kind
    value: str

    @property
    def shown(self) -> str:
        """It for a person. Of a command the program alone: its arguments may say more than they should."""
        match self.kind:
            case "env":
                return f"the environment variable {self.value}"
            case "file":
                return f"the file {self.value}"
            case "keyring":
                return f"the keyring, {self.value}"
        return f"the command {next(iter(self.value.split()), '')}"


def source_of(name: str, declared: Mapping[str, SecretSource]) -> SecretSource:
    """The source of a secret: as declared, else the environment."""
    return declared.get(name) or SecretSource(kind="env", value=f"{PREFIX}{name}")


def variables_of(declared: Iterable[SecretSource]) -> frozenset[str]:
    """The environment variables that sources name."""
    return frozenset(source.value for source in declared if source.kind == "env")


def without_secrets(
    env: Mapping[str, str], hidden: Collection[str] = (), *, kept: Collection[str] = ()
) -> dict[str, str]:
    """An environment without the variables that hold secrets: those of `PREFIX`, and those that are `hidden`; but with
    those that are `kept`."""
    return {
        name: value
        for name, value in env.items()
        if name in kept or (name not in hidden and not name.startswith(PREFIX))
    }


# -- texts ----------------------------------------------------------------------------------------


def names_in(text: str) -> list[str]:
    """The secrets that a text refers to."""
    return list(dict.fromkeys(found[1] for found in _REFERENCE.finditer(text) if found[1]))


def split_references(text: str) -> list[tuple[str, bool]]:
    """A text in pieces, in order: each with whether it refers to a secret, or is `$${`, which stands for a plain `${`."""
    pieces, at = [], 0
    for found in _REFERENCE.finditer(text):
        pieces += [(text[at : found.start()], False), (found[0], True)]
        at = found.end()
    return [(piece, is_reference) for piece, is_reference in (*pieces, (text[at:], False)) if piece]


def without_references(text: str) -> str:
    """A text without what refers to secrets. An expression that is left is of another kind."""
    return _REFERENCE.sub("", text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with the secrets in their places. Within a URL they are quoted, as parts of one have to be."""

    def put(found: re.Match[str]) -> str:
        if not found[1]:
            return "${"
        value = values[found[1]]
        return quote(value, safe="") if "://" in text[: found.start()] else value

    return _REFERENCE.sub(put, text)


# -- values ---------------------------------------------------------------------------------------


def read_all(sources: Mapping[str, SecretSource], env: Mapping[str, str], root: Path) -> dict[str, str]:
    """The values of secrets, as `read_secret`."""
    return {name: read_secret(name, source, env, root) for name, source in sources.items()}


def filled(
    texts: Mapping[str, str], declared: Mapping[str, SecretSource], env: Mapping[str, str], root: Path
) -> dict[str, str]:
    """Texts, by any keys, with the secrets in their places. Raises `SecretUnavailable`."""
    names = {name for text in texts.values() for name in names_in(text)}
    values = read_all({name: source_of(name, declared) for name in names}, env, root)
    return {key: fill(text, values) for key, text in texts.items()}


def read_secret(name: str, source: SecretSource, env: Mapping[str, str], root: Path) -> str:
    """The value of a secret: that of `STAGEBOOK_SECRET_…` if it is set, else what its source holds. Relative paths are
    seen from `root`, where commands run as well.

    Raises:
        SecretUnavailable: there is none, it cannot be read, or it is too short to be found in outputs.
    """
    given = env.get(f"{PREFIX}{name}")
    try:
        value = _value(name, source, env, root) if given is None else given
    except OSError as error:
        reason = error.strerror or str(error)
        raise SecretUnavailable(f"the secret '{name}': {source.shown} cannot be read: {reason}") from None
    if not value:
        raise SecretUnavailable(f"the secret '{name}' is empty", hint=f"it comes from {source.shown}")
    if "\0" in value:
        raise SecretUnavailable(f"the secret '{name}' has a character with the number 0 in it")
    if len(value) < MIN_SECRET:
        raise SecretUnavailable(
            f"the secret '{name}' is shorter than {MIN_SECRET} characters",
            hint="it could not be taken out of outputs without spoiling them; choose a longer one",
        )
    return value


def _value(name: str, source: SecretSource, env: Mapping[str, str], root: Path) -> str:
    match source.kind:
        case "env":
            value = env.get(source.value)
            if value is None:
                hint = "set it, or declare another source under [secrets] in stagebook.toml"
                raise SecretUnavailable(f"the secret '{name}': {source.shown} is not set", hint=hint)
            return value
        case "file":
            return _file(name, os.path.join(root, os.path.expanduser(source.value)), source)
        case "keyring":
            return _keyring(name, source, env, root)
        case "command":
            return _output(name, _words(name, source), source, env, root)


def _file(name: str, path: str, source: SecretSource) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe would wait for its writer
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SecretUnavailable(f"the secret '{name}': {source.shown} is no file")
        if os.name == "posix" and status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise SecretUnavailable(
                f"the secret '{name}': others may read or write {source.shown} (its mode is {mode:04o})",
                hint=f"chmod 600 {shlex.quote(source.value)}",
            )
        return _text(name, file.read(_MOST + 1), source)


def _keyring(name: str, source: SecretSource, env: Mapping[str, str], root: Path) -> str:
    if importlib.util.find_spec("keyring") is None:
        hint = "pip install 'stagebook[keyring]'"
        raise SecretUnavailable(f"the secret '{name}' is in the keyring, which needs a package", hint=hint)
    service, _, user = source.value.rpartition("/")
    # In a process of its own: a keyring that asks somebody to unlock it waits for ever.
    words = [sys.executable, "-m", "keyring", "get", service, user]
    return _output(name, words, source, env, root)


def _words(name: str, source: SecretSource) -> list[str]:
    try:
        if words := shlex.split(source.value):
            return words
    except ValueError as error:
        raise SecretUnavailable(f"the secret '{name}': its command cannot be read: {error}") from None
    raise SecretUnavailable(f"the secret '{name}': its command is empty")


def _output(name: str, words: list[str], source: SecretSource, env: Mapping[str, str], root: Path) -> str:
    try:
        done = subprocess.run(
            words,
            cwd=root,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        what = f"the secret '{name}': {source.shown} did not answer within {PATIENCE:g} s"
        raise SecretUnavailable(what, hint="nobody can answer it here: it must not ask") from None
    if done.returncode != 0:  # what it said may hold the secret
        if source.kind == "keyring":
            service, _, user = source.value.rpartition("/")
            hint = f"put it in: {shlex.join(['keyring', 'set', service, user])}"
        else:
            hint = "run it by hand to see why"
        raise SecretUnavailable(
            f"the secret '{name}': {source.shown} gave none (exit code {done.returncode})", hint=hint
        )
    return _text(name, done.stdout, source)


def _text(name: str, data: bytes, source: SecretSource) -> str:
    if len(data) > _MOST:
        raise SecretUnavailable(f"the secret '{name}': {source.shown} holds more than {_MOST:,} bytes")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"the secret '{name}': {source.shown} holds no UTF-8 text") from None
