"""Deployments that wait for somebody's word: a file for each, in the state of the environment."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.system.files import make_private, write_whole

_NAME = re.compile(r"(\d+)\.json")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A release that somebody wants to be shown in an environment. `at` is in seconds since the epoch."""

    number: int
    release: str
    kind: str
    by: str
    because: str
    at: float


class Proposals:
    """The proposals for one environment, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Proposal]:
        """Those that wait, the oldest first. One that cannot be read is left out."""
        found = []
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if _NAME.fullmatch(path.name):
                try:
                    found.append(Proposal(**json.loads(path.read_bytes())))
                except (OSError, ValueError, TypeError):
                    continue
        return sorted(found, key=lambda one: one.number)

    def find(self, number: int | None = None) -> Proposal:
        """One by its number; without one, the only one. Raises `UsageError`."""
        known = self.all()
        if number is None and len(known) == 1:
            return known[0]
        for one in known:
            if one.number == number:
                return one
        hint = f"there are: {', '.join(str(one.number) for one in known)}" if known else ""
        what = "say which proposal" if number is None and known else "there is no such proposal"
        raise UsageError(what, hint=hint)

    def add(self, proposal: Proposal) -> Proposal:
        """Write a proposal down, with a number of its own. Raises `UsageError`."""
        number = max([0, *(one.number for one in self.all())]) + 1
        made = dataclasses.replace(proposal, number=number)
        try:
            make_private(self._folder)
            text = json.dumps(dataclasses.asdict(made), indent=1)
            write_whole(self._folder / f"{number}.json", text.encode(), durable=True, mode=0o600)
        except OSError as error:
            raise UsageError(f"the proposal cannot be kept: {error.strerror or error}") from error
        return made

    def drop(self, proposal: Proposal) -> None:
        """Remove a proposal: it was carried out, or turned down."""
        (self._folder / f"{proposal.number}.json").unlink(missing_ok=True)
