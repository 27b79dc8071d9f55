"""Scraps as results, events and the journal keep them: name → a mapping with the `kind` of the scrap (`json`, `text`,
`pandas` or `display`), and its `value`, or the `file` that holds it. What is damaged in a journal is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Scrap = dict[str, Any]
Scraps = Mapping[str, Mapping[str, Any]]
_VALUE, _FILE, _KIND = "value", "file", "kind"


def with_value(kind: str, value: Any) -> Scrap:
    """A scrap with a value, which is plain data."""
    return {_KIND: kind, _VALUE: value}


def in_file(kind: str, file: str, **more: str) -> Scrap:
    """A scrap whose value is in a file of its attempt's folder of scraps."""
    return {_KIND: kind, **more, _FILE: file}


def values_of(scraps: Any) -> dict[str, Any]:
    """The values that are not in files, by name."""
    return {name: scrap[_VALUE] for name, scrap in _described(scraps) if _VALUE in scrap}


def kinds_in_files(scraps: Any) -> dict[str, str]:
    """The kinds of those that are in files, by name."""
    return {name: str(scrap.get(_KIND)) for name, scrap in _described(scraps) if _VALUE not in scrap}


def file_of(scrap: Mapping[str, Any]) -> str:
    """The name of the file that holds a scrap; empty where none does."""
    return str(scrap.get(_FILE, ""))


def _described(scraps: Any) -> list[tuple[str, Mapping[str, Any]]]:
    found = scraps.items() if isinstance(scraps, Mapping) else ()
    return [(name, scrap) for name, scrap in found if isinstance(scrap, Mapping)]
