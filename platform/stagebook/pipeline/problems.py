"""Collecting what is wrong with a pipeline file, each mistake at its position."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Positions, problem_at

STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NAME_HINT = "use letters, digits, '_' and '-', and start with a letter"
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Mistake = tuple[Location, str, str]  # where, what, what to do


class ProblemCollector:
    """The problems of one pipeline file (`found`), and the checks of names that parts of it have in common."""

    def __init__(self, path: str, positions: Positions, problems: Iterable[Problem] = ()) -> None:
        self.path = path
        self.positions = positions
        self.found = list(problems)
        self._reported: set[Location] = set()

    def report(self, location: Location, message: str, hint: str = "") -> None:
        """Add a problem."""
        self.found.append(problem_at(self.path, self.positions, location, message, hint))

    def report_once(self, location: Location, message: str, hint: str = "") -> None:
        """As `report`, but once for a place: every point of a matrix may meet the same problem."""
        if location not in self._reported:
            self._reported.add(location)
            self.report(location, message, hint)

    def report_all(self, mistakes: Iterable[Mistake], base: Location = ()) -> None:
        """Add the mistakes that a model found below `base`."""
        for location, message, hint in mistakes:
            self.report(base + location, message, hint)

    def is_identifier(self, name: str, location: Location) -> bool:
        """Whether a name can be that of a variable; reported if not."""
        if name.isidentifier() and name.isascii() and not keyword.iskeyword(name):
            return True
        hint = "use the letters a to z, digits and '_', and start with a letter"
        if keyword.iskeyword(name):
            hint = "it is a word of Python's own"
        self.report(location, f"'{name[:60]}' cannot be the name of a variable", hint)
        return False

    def check_env(self, names: Iterable[str], base: Location) -> None:
        """Report what cannot be the name of an environment variable."""
        for at, name in enumerate(names):
            if not ENV_NAME.fullmatch(name):
                message = f"'{name[:60]}' is not the name of an environment variable"
                hint = "write the name alone, such as TZ; its value is taken from the environment"
                self.report((*base, at), message, hint)
