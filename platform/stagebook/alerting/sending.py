"""Sending one alert to one recipient, within a bounded time; whatever goes wrong is a text."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import SecretUnavailable
from stagebook.system.processes import end_group
from stagebook.system.secret_sources import (
    SecretSource,
    fill,
    names_in,
    read_all,
    source_of,
    variables_of,
    without_secrets,
)

PATIENCE = 30.0  # seconds for one alert, and one recipient
NEEDS_APPRISE = "it needs a package: pip install 'stagebook[alerts]'"
_MOST = 300  # characters of a trouble


class Sender:
    """Sends alerts of the project at `root`. `secrets`: where secrets come from, as far as that is declared."""

    def __init__(
        self, root: Path, secrets: Mapping[str, SecretSource], *, patience: float = PATIENCE
    ) -> None:
        self._root = root
        self._secrets = secrets
        self._patience = patience

    def to_address(self, address: str, message: Mapping[str, Any], key: str) -> str:
        """Send to an address of apprise, in which secrets are references; the trouble, or nothing."""
        if importlib.util.find_spec("apprise") is None:
            return NEEDS_APPRISE
        try:
            sources = {name: source_of(name, self._secrets) for name in names_in(address)}
            values = read_all(sources, os.environ, self._root)
        except SecretUnavailable as error:
            return f"{error.message}; {error.hint}" if error.hint else error.message
        asked = {
            "url": fill(address, values),
            "title": message["title"],
            "body": message["body"],
            "key": key,
            "hidden": list(values.values()),
        }
        words = [sys.executable, "-P", "-m", "stagebook.alerting.apprise_process"]
        code, said, trouble = self._run(words, json.dumps(asked), {})
        if trouble:
            return trouble
        try:
            return str(json.loads(said)["trouble"])[:_MOST]
        except (ValueError, KeyError, TypeError):
            return f"apprise failed (exit code {code})"

    def to_command(self, command: str, message: Mapping[str, Any], key: str) -> str:
        """Give an alert to a program; the trouble, or nothing."""
        try:
            words = shlex.split(command)
        except ValueError as error:
            return f"the command cannot be read: {error}"
        code, said, trouble = self._run(words, json.dumps({"key": key, **message}), {"STAGEBOOK_ALERT": key})
        if trouble or code == 0:
            return trouble
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return f"exit code {code}" + (f": {lines[-1]}" if lines else "")[:_MOST]

    def _run(self, words: Sequence[str], given: str, more: Mapping[str, str]) -> tuple[int, str, str]:
        """Run a program: its exit code, what it said, and a trouble that is none of its own."""
        env = {**without_secrets(os.environ, variables_of(self._secrets.values())), **more}
        try:
            process = subprocess.Popen(
                words,
                cwd=self._root,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if more else subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return 1, "", f"{words[0]} cannot be started: {error.strerror or error}"
        with process:
            try:
                said, _ = process.communicate(given.encode(), timeout=self._patience)
            except subprocess.TimeoutExpired:
                end_group(process)
                return 1, "", f"no answer within {self._patience:g} s"
            except BaseException:  # raised again: nobody waits for it any more
                end_group(process)
                raise
        return process.returncode, said.decode("utf-8", "replace"), ""
