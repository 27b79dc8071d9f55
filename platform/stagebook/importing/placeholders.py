"""The placeholders `{{name}}` of Ploomber as expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stagebook.importing.draft import variable_from

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_FOLDERS = {"root", "here", "cwd"}  # all of them: the folder of the file


class Placeholders:
    """Replaces placeholders. `env`: the data of `env.yaml`."""

    def __init__(self, env: Any) -> None:
        self._values: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        for key, value in env.items() if isinstance(env, Mapping) else ():
            self._names[key] = variable_from(key, self._names.values())
            self._values[key] = _plain(value)
        self._used: set[str] = set()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that the pipeline needs for what was replaced so far."""
        return {self._names[key]: value for key, value in self._values.items() if key in self._used}

    def path(self, text: str) -> tuple[str, list[str]]:
        """A path with expressions for placeholders, and what is left. A value that names folders is put in as it is, since
        no expression within a path may do that."""
        return self._replaced(_without_folders(text), is_path=True)

    def value(self, value: Any) -> tuple[Any, list[str]]:
        """As `path`, for any value."""
        match value:
            case str():
                return self._replaced(_without_folders(_escaped(value)), is_path=False)
            case list():
                made = [self.value(item) for item in value]
                return [one for one, _ in made], [note for _, notes in made for note in notes]
            case dict():
                pairs = {key: self.value(item) for key, item in value.items()}
                notes = [note for _, left in pairs.values() for note in left]
                return {key: one for key, (one, _) in pairs.items()}, notes
        return value, []

    def _replaced(self, text: str, *, is_path: bool) -> tuple[str, list[str]]:
        left: list[str] = []

        def replace(match: re.Match[str]) -> str:
            first, *others = match[1].split(".")
            found = self._values.get(first)
            for key in others:
                found = found.get(key) if isinstance(found, Mapping) else None
            if found is None or isinstance(found, Mapping) or not all(one.isidentifier() for one in others):
                why = "" if match[1] in _FOLDERS else ": it is not in env.yaml as a plain value"
                left.append(f"{match[0]}{why}; write what it stands for")
                return match[0]
            if is_path and isinstance(found, str) and "/" in found:
                return found
            self._used.add(first)
            return f"${{params.{'.'.join([self._names[first], *others])}}}"

        return _PLACEHOLDER.sub(replace, text), left


def _plain(value: Any) -> Any:
    """A value of `env.yaml` as one of a parameter."""
    match value:
        case str():
            return _escaped(_without_folders(value))
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value


def _without_folders(text: str) -> str:
    return re.sub(r"^\{\{\s*(?:root|here|cwd)\s*\}\}/*", "", text) or "."


def _escaped(text: str) -> str:
    return text.replace("${", "$${")
