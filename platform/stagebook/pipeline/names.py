"""The names that an expression of a pipeline file may refer to, by where it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from stagebook.errors import did_you_mean
from stagebook.pipeline.expressions import ExpressionError, Reference
from stagebook.system.logins import looks_secret
from stagebook.timing.interval import NAMES as INTERVAL_NAMES

RUN_NAMES = ("id", "pipeline", "started", "failed")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageScope:
    """What a stage adds to the names: the axes of its matrix (None where that could not be read), and
    `item` where it has a foreach."""

    stage: str
    axes: tuple[str, ...] | None = ()
    has_item: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DefinedNames:
    """The names that a pipeline file defines. `params` is None where that part could not be read."""

    params: Iterable[str] | None
    stages: Iterable[str]

    def check(self, reference: Reference, allowed: frozenset[str], scope: StageScope) -> None:
        """Raise `ExpressionError` if an expression may not refer to this. `allowed`: the roots that it may refer
        to; `scope`: the stage that it stands in."""
        root, *names = reference
        text = ".".join(reference)
        if root == "secret":
            hint = "it is passed by 'env' of a stage: env: {VARIABLE: \"${secret.NAME}\"}"
            raise ExpressionError(f"'{text}' is a secret, which cannot stand here", hint)
        if root not in allowed:
            msg = f"'{text}' is not available here"
            available = allowed if scope.has_item else allowed - {"item"}
            raise ExpressionError(msg, f"what is: {', '.join(sorted(available))}")
        if root == "item":
            if not scope.has_item:
                msg = "'item' is not available here"
                raise ExpressionError(msg, f"the stage '{scope.stage}' has no foreach")
            return
        if not names:
            raise ExpressionError(f"'{root}' needs a name: {root}.NAME")
        known, none = {
            "params": (self.params, "the pipeline has no parameters"),
            "matrix": (scope.axes, f"the stage '{scope.stage}' has no matrix"),
            "run": (RUN_NAMES, ""),
            "interval": (INTERVAL_NAMES, ""),
            "stages": (self.stages, ""),
            "env": (None, ""),
        }[root]
        if known is not None and names[0] not in known:
            raise ExpressionError(f"unknown name '{text}'", did_you_mean(names[0], known) or none)
        if root == "env" and looks_secret(names[0]):
            msg = f"'{text}' looks like a secret, and values of a pipeline are kept in its records"
            hint = f"read os.environ['{names[0]}'] in the notebook: stages see the environment"
            raise ExpressionError(msg, hint)
        if root == "stages":
            _check_scrap(text, names, scope.stage)


def _check_scrap(text: str, names: list[str], stage: str) -> None:
    if len(names) < 3 or names[1] != "scraps":
        raise ExpressionError(f"'{text}' names no scrap", f"write stages.{names[0]}.scraps.NAME")
    if names[0] == stage:
        msg = f"'{text}' is a scrap of the stage itself"
        raise ExpressionError(msg, "a stage can use scraps of the stages before it")
