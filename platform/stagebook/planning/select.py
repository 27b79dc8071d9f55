"""Which stage instances a run is asked for."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Container, Sequence

from stagebook.errors import UsageError, did_you_mean
from stagebook.planning.graph import Graph, closure, followers_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for; each text names a stage, a stage instance, or a glob of them.

    `targets`: these and all that they depend on. `start`: these and all that depends on them.
    `only`: these alone. `skip`: not these. Given together, each narrows what the others leave.
    """

    targets: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The stages that are named as such, which force and audit are about; `()` for all."""
        return self.targets or self.only


def select(selection: Selection, graph: Graph, foreach: Container[str] = ()) -> set[str]:
    """The ids of the selected stage instances. `foreach` names the stages whose instances only the run
    knows: one that is in the graph as such stands for those that a text may name.

    Raises:
        UsageError: a text matches no stage, or nothing is left to run.
    """
    chosen = set(graph)
    if selection.targets:
        chosen &= closure(graph, _match(selection.targets, graph, foreach))
    if selection.start:
        chosen &= closure(followers_of(graph), _match(selection.start, graph, foreach))
    if selection.only:
        chosen &= _match(selection.only, graph, foreach)
    if selection.skip:
        chosen -= _match(selection.skip, graph, foreach, to_skip=True)
    if not chosen:
        msg = "the selection leaves no stage to run"
        raise UsageError(msg, hint="run the command without a selection to see all stages")
    return chosen


def _names(text: str, node: str) -> bool:
    return text in {node, node.partition("@")[0]} or fnmatch.fnmatchcase(node, text)


def _match(texts: Sequence[str], graph: Graph, foreach: Container[str], *, to_skip: bool = False) -> set[str]:
    found: set[str] = set()
    for text in texts:
        name, _, point = text.partition("@")
        matched = {node for node in graph if _names(text, node)}
        if not matched and point:
            stands_in = {node for node in graph if node in foreach and fnmatch.fnmatchcase(node, name)}
            if to_skip and (stands_in or name in foreach):
                continue  # the instance is still to come, or there is none to be skipped
            matched = stands_in
        if not matched:
            names = dict.fromkeys(node.split("@")[0] for node in graph)
            raise UsageError(f"no stage '{text}'", hint=did_you_mean(text, names))
        found |= matched
    return found


class Matching:
    """The ids of stage instances that any of some texts names, as a container."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)

    def __contains__(self, node: object) -> bool:
        return any(_names(text, str(node)) for text in self._texts)
