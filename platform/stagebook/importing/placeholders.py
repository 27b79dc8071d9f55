"""The placeholders `{{name}}` of Ploomber as expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stagebook.importing.draft import variable_from

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_FOLDERS = {"root", "here", "cwd"}  # all of them: the folder of the file


class Placeholders:
    """Replaces placeholders. `env`: the data of `env.yaml`; `params`: the parameters that the pipeline gets of it."""

    def __init__(self, env: Any) -> None:
        self.params: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        for key, value in env.items() if isinstance(env, Mapping) else ():
            if isinstance(value, Mapping):
                continue  # what is in it is told where it is used
            plain = self._without_folders(value) if isinstance(value, str) else value
            self._names[key] = variable_from(key, self.params)
            self.params[self._names[key]] = plain

    def path(self, text: str) -> tuple[str, list[str]]:
        """A path with expressions for placeholders, and what is left."""
        return self._replaced(self._without_folders(text))

    def value(self, value: Any) -> tuple[Any, list[str]]:
        """As `path`, for any value."""
        match value:
            case str():
                return self._replaced(self._without_folders(_escaped(value)))
            case list():
                made = [self.value(item) for item in value]
                return [one for one, _ in made], [note for _, notes in made for note in notes]
            case dict():
                pairs = {key: self.value(item) for key, item in value.items()}
                notes = [note for _, left in pairs.values() for note in left]
                return {key: one for key, (one, _) in pairs.items()}, notes
        return value, []

    def _without_folders(self, text: str) -> str:
        return re.sub(r"^\{\{\s*(?:root|here|cwd)\s*\}\}/*", "", text) or "."

    def _replaced(self, text: str) -> tuple[str, list[str]]:
        left: list[str] = []

        def replace(match: re.Match[str]) -> str:
            if match[1] in self._names:
                return f"${{params.{self._names[match[1]]}}}"
            why = "" if match[1] in _FOLDERS else ": it is not in env.yaml as a plain value"
            left.append(f"{match[0]}{why}; write what it stands for")
            return match[0]

        return _PLACEHOLDER.sub(replace, text), left


def _escaped(text: str) -> str:
    return text.replace("${", "$${")
