"""Rows that a person admitted though they break rules: `contracts/released/PIPELINE.STAGE.OUTPUT.jsonl`, one JSON object in each
line. The file belongs to the project like the contract does, so that what is published stays a function of both and of what
the stage wrote: a row is admitted once, whatever is interrupted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.contracts.contract import Contract
from stagebook.errors import Problem

FOLDER = "contracts/released"
_ID = re.compile("[0-9a-f]{64}")

Released = Mapping[str, tuple[str, ...]]
"""The rules that a row may break, by its id."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A row that is admitted.

    Args:
        row: its id: SHA-256 of the row as JSON, in hex (`contracts.quarantine`).
        breaks: the names of the rules that it broke; it is admitted as long as it breaks no others.
        because: why, in words.
        by: who admitted it.
        at: when, in ISO 8601.
        key: the values of the contract's key, for a reader; nothing depends on them.
    """

    row: str
    breaks: tuple[str, ...]
    because: str
    by: str = ""
    at: str = ""
    key: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def line(self) -> str:
        """The line that `read_releases` reads."""
        values = dataclasses.asdict(self)
        return json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False) + "\n"


def read_releases(text: str, path: str) -> tuple[list[Release], list[Problem]]:
    """The rows of a file, and what is wrong with its lines."""
    found, problems = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append(_release(json.loads(line)))
            except (ValueError, TypeError, RecursionError) as error:
                message = f"the line is no released row: {error}"[:300]
                hint = "remove the line, or write it anew with `stagebook quarantine release`"
                problems.append(Problem(path=path, line=number, column=1, message=message, hint=hint))
    return found, problems


def _release(data: Any) -> Release:
    if not isinstance(data, dict):
        raise TypeError("expected an object")
    row, breaks, key = data.get("row"), data.get("breaks"), data.get("key", {})
    if not isinstance(row, str) or not _ID.fullmatch(row):
        raise ValueError("'row' is not 64 hexadecimal digits")
    if not isinstance(breaks, list) or not breaks or not all(isinstance(name, str) for name in breaks):
        raise ValueError("'breaks' is no list of names of rules")
    if not isinstance(key, dict):
        raise TypeError("'key' is no object")
    words = {name: str(data.get(name, "")) for name in ("because", "by", "at")}
    return Release(row=row, breaks=tuple(breaks), key=key, **words)


def with_released(contract: Contract, rows: Mapping[str, Sequence[str]]) -> Contract:
    """The contract with rows that are admitted. Its digest covers them, after a `+`."""
    if not rows:
        return contract
    released = {row: tuple(sorted(set(breaks))) for row, breaks in sorted(rows.items())}
    digest = hashlib.sha256(json.dumps(released).encode("utf-8", "surrogatepass")).hexdigest()
    return dataclasses.replace(contract, released=released, digest=f"{contract.digest}+{digest}")


def by_row(releases: Iterable[Release]) -> dict[str, tuple[str, ...]]:
    """The rules that each row may break, of all its releases."""
    found: dict[str, tuple[str, ...]] = {}
    for one in releases:
        found[one.row] = tuple(sorted({*found.get(one.row, ()), *one.breaks}))
    return found
