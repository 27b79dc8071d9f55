"""Who and what started a run, as a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who and what started a run.

    `command` is that of `stagebook`, of another program its name alone. `commit` is that of the checkout, and `changed`
    whether it had changes. Where a program asked on behalf of the user, `via` is the program and `account` the user that
    the process belongs to. `signals`: whether a signal to the process is for the run; not so within another program.
    """

    user: str = ""
    host: str = ""
    pid: int = 0
    command: str = ""
    commit: str = ""
    changed: bool = False
    via: str = ""
    account: str = ""
    signals: bool = True

    def to_json(self) -> dict[str, Any]:
        """It as plain data, without what is not known."""
        lacks = {"pid"} if not self.pid else set()
        lacks |= {"changed"} if not self.commit else set()
        return {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value != "" and name not in lacks
        }

    @classmethod
    def from_json(cls, data: Any) -> Origin:
        """What `to_json` made; what is damaged, or not known, is left out."""
        known = data if isinstance(data, Mapping) else {}
        kinds = {field.name: type(field.default) for field in dataclasses.fields(cls)}
        return cls(**{name: known[name] for name, kind in kinds.items() if isinstance(known.get(name), kind)})
