"""Where the inputs of a stage come from: outputs of other stages, and files of the project."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import ConnectionUnusable, did_you_mean
from stagebook.pipeline.model import InputRef, Location, Stage
from stagebook.pipeline.types import describe
from stagebook.planning.input_files import InputFiles, NoSuchFile, Sources
from stagebook.planning.instances import Instance, Points, slug_of
from stagebook.planning.partitions import Partitions
from stagebook.planning.scopes import UNKNOWN, Evaluator
from stagebook.workspace.patterns import is_pattern
from stagebook.workspace.remotes import PATTERN, split
from stagebook.workspace.workspace import Workspace

REFERENCE = re.compile(r"([A-Za-z][\w-]*)(?:@(.+?))?\.([A-Za-z_]\w*)(?:\[([^\[\]]*)\])?(?:/(.*))?")
_SAME_ITEM = re.compile(r"([A-Za-z][\w-]*@)\$\{\s*item\s*\}(\.[A-Za-z_]\w*(?:/.*)?)")


class References:
    """Resolves the references of one pipeline. `writers`: path → the instance that writes it."""

    def __init__(
        self,
        points: Points,
        evaluator: Evaluator,
        project: Workspace,
        writers: Mapping[str, str],
        partitions: Partitions,
    ) -> None:
        self._partitions = partitions
        self._points = points
        self._evaluator = evaluator
        self._report = evaluator.problems.report_once
        self._pipeline = evaluator.pipeline
        self._project = project
        self._files = InputFiles(project, points.instances, writers)

    def resolve(self, instance: Instance, name: str, ref: InputRef) -> Sources | None:
        """What the input `name` of an instance stands for; None where it is wrong, which is reported."""
        if instance.stands_in and ref.text.mentions("item"):
            return self._ahead(instance, ref)
        text = self._text(instance, ref)
        if text is UNKNOWN:
            return None
        if not isinstance(text, str):
            self._report(ref.location, f"input '{name}' has to be text, not {describe(text)}")
            return None
        match = REFERENCE.fullmatch(text)
        if match and match[1] in self._pipeline.stages and not self._is_file(match, text):
            return self._output(instance, match, ref)
        if match and match[1] in self._pipeline.broken:
            return None
        if self._evaluator.value(ref.text, ref.location, instance.point, is_path=True) is UNKNOWN:
            return None
        remote = split(text)
        if remote and not self._project.exists(text):
            return self._remote(instance, name, *remote, ref.location)
        return self._file(instance, name, text, ref.location, looks_like_reference=match is not None)

    def _is_file(self, match: re.Match[str], text: str) -> bool:
        """Whether what reads like a file within an output of a stage is one of the project, as in `data.v1/raw.csv`."""
        is_output = match[3] in self._pipeline.stages[match[1]].outputs
        return match[5] is not None and not is_output and self._project.exists(text)

    def _file(
        self, instance: Instance, name: str, text: str, location: Location, *, looks_like_reference: bool
    ) -> Sources | None:
        try:
            return self._files.find(instance, text)
        except NoSuchFile as error:
            if looks_like_reference and not error.is_certain:
                self._report_unknown(text, location)
            else:
                self._report(location, f"input '{name}': {error}", error.hint)
            return None

    def _remote(
        self, instance: Instance, name: str, connection: str, path: str, location: Location
    ) -> Sources | None:
        """What is behind a connection, by a path or pattern there."""
        remotes = self._project.remotes
        if connection not in remotes.declared:
            if not remotes.declared:
                return self._file(
                    instance, name, f"{connection}:{path}", location, looks_like_reference=False
                )
            hint = did_you_mean(connection, remotes.declared)
            self._report(location, f"input '{name}': there is no connection '{connection}'", hint)
            return None
        try:
            paths = remotes.find(connection, path)
        except ConnectionUnusable as error:
            self._report(location, f"input '{name}': {error.message}", error.hint)
            return None
        many = PATTERN.search(path) is not None
        # Where only what is new counts, nothing may be there: what was read is moved away, or not there yet.
        if not paths and not (many and instance.stage.reads_news_of(name)):
            hint = f"look at the source: stagebook connection test {connection}"
            self._report(location, f"input '{name}': nothing fits '{path}' in '{connection}'", hint)
            return None
        return Sources(paths=tuple(paths), sources=("",) * len(paths), many=many, connection=connection)

    def _text(self, instance: Instance, ref: InputRef) -> Any:
        same = _SAME_ITEM.fullmatch(ref.text.source) if isinstance(ref.text.source, str) else None
        if same and "item" in instance.point:  # which may be a mapping, or have a name of another form
            other = self._points.like(same[1][:-1], instance.point["item"])
            name = slug_of(instance.labels) if other is None else other.id.partition("@")[2]
            return f"{same[1]}{name}{same[2]}"
        return self._evaluator.value(ref.text, ref.location, instance.point)

    def _ahead(self, instance: Instance, ref: InputRef) -> Sources | None:
        """What can be said of a reference that holds an item which is not known yet."""
        match = REFERENCE.fullmatch(str(ref.text.source))
        if match is None or match[2] is None:
            return Sources()  # a file: it is looked for once the item is known
        if match[1] in self._pipeline.stages:
            return self._output(instance, match, ref)
        if match[1] not in self._pipeline.broken:
            self._report_unknown(match[0], ref.location)
        return None

    def _output(self, instance: Instance, match: re.Match[str], ref: InputRef) -> Sources | None:
        stage, name, output = self._pipeline.stages[match[1]], match[2], match[3]
        if output not in stage.outputs:
            if stage.name not in self._pipeline.broken:
                hint = did_you_mean(output, stage.outputs) or f"{stage.name} declares no outputs"
                self._report(ref.location, f"'{stage.name}' has no output '{output}'", hint)
            return None
        if name is not None and self._is_guess(instance.stage, stage, ref):
            hint = f"refer to all of them: {stage.name}.{output}; or give both stages one foreach, and write {stage.name}@${{item}}.{output}"
            message = f"which instances '{stage.name}' has is known only in the run"
            self._report(ref.location, message, hint)
            return None
        instances = self._points.of(stage.name)
        # What stands in for instances is alone.
        if (instances and instances[0].stands_in) or (name is not None and instance.stands_in):
            return Sources(waits=tuple(one.id for one in instances), many=name is None)
        if name is not None and instances:
            found = self._points.find(stage.name, name)
            if found is None:
                hint = did_you_mean(f"{stage.name}@{name}", [one.id for one in instances])
                self._report(ref.location, f"no stage instance '{stage.name}@{name}'", hint)
                return None
            instances = [found]
        if not instances or not all(output in one.outputs for one in instances):
            return None  # what is wrong there is reported there
        if match[4] is not None:
            return self._window(match[4], output, instances, ref)
        if match[5] is not None and (why := _not_within(match[5])):
            self._report(
                ref.location, f"'{match[0]}': {why}", f"refer to the folder: {match[0].split('/')[0]}"
            )
            return None
        return Sources(
            paths=tuple(_within(one.outputs[output].path, match[5]) for one in instances),
            sources=tuple(one.id for one in instances),
            many=name is None and (bool(stage.matrix) or stage.foreach is not None),
        )

    def _window(
        self, window: str, output: str, instances: Sequence[Instance], ref: InputRef
    ) -> Sources | None:
        """Partitions of an output: those of earlier intervals are files, that of this one is to be written."""
        made: list[tuple[str, str]] = []
        for instance in instances:
            intervals = self._partitions.window(window, output, instance, ref)
            if intervals is None:
                return None
            planned = instance.outputs[output]
            for one in intervals:
                if one.name == planned.partition:
                    made.append((planned.path, instance.id))
                elif path := self._partitions.path(one, output, instance, ref):
                    made.append((path, ""))
                else:
                    return None
        if not made:
            self._report(
                ref.location, f"there is no partition '[{window}]' yet", "run earlier intervals first"
            )
            return None
        return Sources(
            paths=tuple(path for path, _ in made),
            sources=tuple(source for _, source in made),
            many=":" in window or len(instances) > 1,
        )

    def _is_guess(self, stage: Stage, other: Stage, ref: InputRef) -> bool:
        """Whether a reference names one instance of a stage whose list only the run knows, without going
        over the same list."""
        lists = other.foreach.under("stages") if other.foreach else set()
        own = stage.foreach.under("stages") if stage.foreach else set()
        return bool(lists) and not (ref.text.mentions("item") and own == lists)

    def _report_unknown(self, text: str, location: Location) -> None:
        stage = text.split(".", maxsplit=1)[0].split("@", maxsplit=1)[0]
        message = f"unknown reference '{text}': there is no stage '{stage}'"
        self._report(location, message, did_you_mean(stage, self._pipeline.stages))


def _within(path: str, rest: str | None) -> str:
    return f"{path}/{posixpath.normpath(rest)}" if rest else path


def _not_within(rest: str) -> str:
    """Why a text names nothing within a folder; empty if it does."""
    if is_pattern(rest):
        return "what is in the folder is known only once it is written"
    normal = posixpath.normpath(rest) if rest else "."
    return "it leads out of the folder" if normal.startswith(("..", "/")) else ""
