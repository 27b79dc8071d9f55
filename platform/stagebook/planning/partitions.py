"""Partitions: an output whose path has the interval is one dataset, of which each run writes the part of its interval.

A reference takes the part of the same interval, or with a window the parts of earlier ones as well:

    clean.silver        that of this interval
    clean.silver[-3:]   the last three, this one among them
    clean.silver[-2]    the one before this one
    clean.silver[:]     all up to this one
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from stagebook.pipeline.model import InputRef, Pipeline
from stagebook.planning.instances import Instance
from stagebook.planning.scopes import UNKNOWN, Evaluator
from stagebook.timing.interval import Interval
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

_WINDOW = re.compile(r"(-[1-9][0-9]{0,5})?(:)?")
_OFFSET = re.compile(r"(?<=T\d\d)[+-]\d{4}$|(?<=T\d{4})[+-]\d{4}$|(?<=T\d{6})[+-]\d{4}$")
_AT_END = re.compile(r"\.[A-Za-z_]\w*\[[^\[\]]*\]$")
HOW = "write [-3:] for the last three, [-2] for the one before this one, or [:] for all up to this one"


def reads_earlier(pipeline: Pipeline) -> bool:
    """Whether a stage of a pipeline reads partitions of earlier intervals."""
    texts = (
        ref.text.source
        for stage in pipeline.stages.values()
        for item in stage.inputs.values()
        for ref in item.refs
    )
    return any(isinstance(text, str) and _AT_END.search(text) for text in texts)


class Partitions:
    """Finds the partitions of outputs for a run about an `interval`. `earlier`: those that earlier runs were about."""

    def __init__(
        self,
        evaluator: Evaluator,
        project: Workspace,
        interval: Interval | None,
        earlier: Callable[[], Sequence[Interval]],
    ) -> None:
        self._evaluator = evaluator
        self._report = evaluator.problems.report_once
        self._project = project
        self._interval = interval
        self._earlier = earlier
        self._known: Sequence[Interval] | None = None

    def window(self, text: str, output: str, instance: Instance, ref: InputRef) -> list[Interval] | None:
        """The intervals that a window names, of an output of an instance; `None` where it is wrong, which is reported."""
        found = _WINDOW.fullmatch(text)
        if found is None or not text:
            self._report(ref.location, f"'[{text}]' names no partitions", HOW)
            return None
        if not instance.stage.outputs[output].path.mentions("interval"):
            message = (
                f"'{instance.stage.name}.{output}' has no partitions: its path has no ${{interval.name}}"
            )
            self._report(ref.location, message, "leave the brackets out, or put the interval into its path")
            return None
        if self._interval is None:
            return None  # planning reports once that there is none
        known = [*self._before(self._interval), self._interval]
        first = int(found[1]) if found[1] else -len(known)
        if found[2]:
            return known[first:]
        return known[first : first + 1 or None] if -first <= len(known) else []

    def _before(self, interval: Interval) -> list[Interval]:
        """The intervals of earlier runs that are over when this one begins, each once, those of its own kind."""
        if self._known is None:
            self._known = self._earlier()
        kind = _kind(interval)
        found = {one.start: one for one in self._known if one.end <= interval.start and _kind(one) == kind}
        return [found[start] for start in sorted(found)]

    def path(self, interval: Interval, output: str, instance: Instance, ref: InputRef) -> str | None:
        """Where the partition of another interval is; `None` where it is not there, which is reported."""
        template = instance.stage.outputs[output].path
        text = self._evaluator.value(template, ref.location, instance.point, is_path=True, interval=interval)
        if text is UNKNOWN or not isinstance(text, str):
            return None
        try:
            path = self._project.inside_for_input(text)
        except PathRefused as error:
            self._report(ref.location, f"{instance.id}.{output}[{interval.name}]: {error}", error.hint)
            return None
        if self._project.exists(path):
            return path
        message = f"'{path}', the partition {interval.name} of {instance.id}.{output}, is not there"
        hint = f"make it: stagebook run {self._evaluator.pipeline.name} --interval {interval.name}"
        self._report(ref.location, message, hint)
        return None


def _kind(interval: Interval) -> int:
    """What intervals of one kind have in common, days with days: the length of their names, which in the hour that clocks repeat
    have an offset, too."""
    return len(_OFFSET.sub("", interval.name))
