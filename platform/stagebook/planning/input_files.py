"""Inputs that are named by their paths: files and folders of the project, patterns of files, and what stages write there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from stagebook.planning.instances import Instance
from stagebook.workspace.paths import PathRefused, folders_around
from stagebook.workspace.patterns import fits, folder_of, is_pattern, matches
from stagebook.workspace.workspace import Workspace

MOST = 10_000  # files that one pattern may stand for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What one reference stands for: paths, each with the instance that writes it (empty for a file of the
    project), and the instances whose paths are not known yet. `many`: it stands for a list. `connection`: that it is
    behind."""

    paths: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    many: bool = False
    connection: str = ""

    @property
    def all_sources(self) -> tuple[str, ...]:
        """All instances that it is about."""
        return (*self.sources, *self.waits)


class NoSuchFile(Exception):
    """A path stands for nothing that can be read; `hint` says what to do. `is_certain`: something is there, so that it is no
    reference which was misspelt."""

    def __init__(self, message: str, hint: str = "", *, is_certain: bool = True) -> None:
        super().__init__(message)
        self.hint = hint
        self.is_certain = is_certain


class InputFiles:
    """Finds what paths stand for. `writers`: path → the instance that writes it."""

    def __init__(
        self, project: Workspace, instances: Mapping[str, Instance], writers: Mapping[str, str]
    ) -> None:
        self._project = project
        self._instances = instances
        self._writers = writers
        # Instances share their inputs, so each is looked for once.
        self._inside: dict[str, list[str]] = {}  # the outputs in each folder
        for path in writers:
            for folder in folders_around(path):
                self._inside.setdefault(folder, []).append(path)
        self._fitting: dict[
            str, dict[str, str]
        ] = {}  # pattern → path → the instance that writes it, or empty

    def find(self, instance: Instance, text: str) -> Sources:
        """What a path that is an input of an instance stands for. Raises `NoSuchFile`."""
        try:
            path = self._project.inside_for_input(text)
        except PathRefused as error:
            raise NoSuchFile(str(error), error.hint) from None
        if is_pattern(path) and not self._project.exists(path):
            return self._pattern(instance, path)
        if path in self._writers:
            self._check_maker(instance, path, self._writers[path])
            return Sources(paths=(path,), sources=(self._writers[path],))
        if self._project.is_special(path):
            hint = "name a file; what comes through a pipe has to be written to one"
            raise NoSuchFile(f"'{path}' is neither a file nor a folder", hint)
        inside = self._inside.get(path, [])
        makers = dict.fromkeys(self._writers[other] for other in inside)
        if instance.id in makers:
            own = next(other for other in inside if self._writers[other] == instance.id)
            what = f"'{own}', which {instance.id} writes, lies inside '{path}'"
            raise NoSuchFile(what, "name the files that it reads, or write to a folder elsewhere")
        if makers or self._project.exists(path):
            # The folder is read as it is once these stages have written to it.
            return Sources(paths=(path,), sources=("",), waits=tuple(makers))
        around = next((folder for folder in folders_around(path) if folder in self._writers), None)
        if around is not None:
            maker = self._writers[around]
            outputs = self._instances[maker].outputs
            name = next(key for key, output in outputs.items() if output.path == around)
            hint = f"refer to it as {maker}.{name}{path.removeprefix(around)}"
            raise NoSuchFile(f"'{path}' lies in '{around}', which {maker} writes", hint)
        hint = "check the path, or make it an output of a stage"
        raise NoSuchFile(f"there is no file '{path}'", hint, is_certain=False)

    def _check_maker(self, instance: Instance, path: str, maker: str) -> None:
        if maker == instance.id:
            hint = "a stage reads what is there before it runs; write to another path"
            raise NoSuchFile(f"'{path}' is an output of {instance.id} itself", hint)

    def _pattern(self, instance: Instance, pattern: str) -> Sources:
        """The files that are there, and those that stages write."""
        if pattern not in self._fitting:
            made = {path: maker for path, maker in self._writers.items() if fits(path, pattern)}
            there = matches(self._project.root, pattern, MOST)
            self._fitting[pattern] = {**dict.fromkeys(there, ""), **made}
        found = self._fitting[pattern]
        for path, maker in found.items():
            self._check_maker(instance, path, maker)
        if len(found) > MOST:
            hint = f"name the folder that they are in: {folder_of(pattern)}/"
            raise NoSuchFile(f"more than {MOST:,} files fit '{pattern}'", hint)
        if not found and not instance.stage.bookmark:
            hint = "check the path; a pattern stands for files that are there, or that another stage writes"
            raise NoSuchFile(f"no file fits '{pattern}'", hint)
        paths = tuple(sorted(found))
        return Sources(paths=paths, sources=tuple(found[path] for path in paths), many=True)
