"""What the results of stages depend on, put into fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.types import Value
from stagebook.pipeline.workdir import ROOT
from stagebook.planning.connections import definitions
from stagebook.planning.documents import text_digest
from stagebook.planning.fingerprint import FOLDER, Fingerprint, changes
from stagebook.planning.plan import PlannedOutput, PlannedStage
from stagebook.planning.programs import program_part
from stagebook.planning.result import Made
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import folders_around

ABSENT = "absent"  # in place of the hash of a file that is not there


class Fingerprints:
    """The fingerprints of stages, from their dependencies as they are now."""

    def __init__(self, dependencies: ProjectDependencies) -> None:
        self._dependencies = dependencies
        self._code: dict[tuple[str, str, str | None, str], dict[str, Any]] = {}

    def forget(self) -> None:
        """Read everything anew when it is asked for next."""
        self._code.clear()
        self._dependencies.forget()

    def of(self, stage: PlannedStage, params: Mapping[str, Value], made: Mapping[str, Made]) -> Fingerprint:
        """The fingerprint of a stage with these parameters, as far as its inputs are known. `made` is what the
        stages before it made, by instance. Raises `NotebookUnreadable`."""
        known = self._code_parts(stage)
        # A command of the notebook may name its own outputs, which are no reason to run it again.
        own = tuple(f"{item.path}/" for item in stage.outputs.values())
        files = {path: digest for path, digest in known["files"].items() if not f"{path}/".startswith(own)}
        parts = {
            **known,
            "files": files,
            "params": dict(params),
            # What a bookmark is of counts by what is new in it.
            "inputs": {
                name: [] if stage.reads_news_of(name) else self.input(stage, name, made)
                for name in stage.inputs
            },
            "shapes": {name: "list" for name, item in stage.inputs.items() if item.many and item.is_passed},
            "outputs": {name: self._output(stage, item) for name, item in stage.outputs.items()},
            # Of a secret its name counts, and never its value.
            "env": {**{name: self._dependencies.env_mark(name) for name in stage.env}, **stage.variables},
        }
        if stage.program is not None:
            parts["program"] = program_part(stage.program)
        if stage.connections:
            parts["connections"] = definitions(stage, self._dependencies.workspace)
        of_stages = tuple(name for name, item in stage.inputs.items() if any(item.sources))
        return Fingerprint(parts=parts, open=tuple(stage.deferred), made=of_stages)

    def input(self, stage: PlannedStage, name: str, made: Mapping[str, Made]) -> list[list[str]]:
        """The paths of an input, each with the digest of what it holds; that is empty where nobody knows."""
        item = stage.inputs[name]
        found = []
        for path, source in zip(item.paths, item.sources, strict=False):
            if source:
                known = made.get(source)
                digest = self._content(known, path) if known else ""
            else:
                # What stages write into a folder is not there yet when it is looked at first.
                is_written_into = len(item.sources) > len(item.paths)
                look = self._dependencies.now if is_written_into else self._dependencies.digest
                digest = look(path) or ABSENT
            found.append([path, digest])
        return found

    def _output(self, stage: PlannedStage, output: PlannedOutput) -> list[str]:
        if output.kind != "notebook":
            return _output_part(output)
        digest = text_digest(stage.notebook, self._dependencies)
        return [*_output_part(output), "with its code" if output.code else "without code", digest]

    def _content(self, made: Made, path: str) -> str:
        """The digest of what a stage wrote to a path, or of a file or folder within what it wrote; of what is outside of the
        project that which stands for it."""
        if path in made.outputs:
            return made.outputs[path]
        for folder in folders_around(path):
            if content := made.outputs.get(folder):
                return self._within(content, path.removeprefix(f"{folder}/"))
        return made.mark

    def _within(self, folder: str, path: str) -> str:
        """The digest of a file or folder within a folder of this content: that of the whole folder where nobody knows what is
        in it, and `ABSENT` where that is not."""
        listed = self._dependencies.store.listed(folder.rstrip("/"))
        if listed is None:
            return folder
        inside = sorted((name, digest) for name, digest in listed.items() if name.startswith(f"{path}/"))
        if not inside:
            return listed.get(path, ABSENT)
        return f"{hashlib.sha256(repr(inside).encode()).hexdigest()}/"

    def _code_parts(self, stage: PlannedStage) -> dict[str, Any]:
        key = (stage.notebook, stage.executor, stage.kernel, stage.folder)
        if key not in self._code:
            code = self._dependencies.code(stage.notebook, stage.runs_in, stage.folder)
            kernel = dict(self._dependencies.kernel(stage.notebook, stage.runs_in))
            name = "" if stage.runs_in == "" else kernel["kernel"]
            if stage.folder != ROOT:
                kernel[FOLDER] = stage.folder
            self._code[key] = {
                "code": list(code.cells),
                "modules": {item.path: item.digest for item in code.modules},
                "files": {item.path: item.digest for item in code.files},
                "libraries": dict(self._dependencies.versions(code.imports, name)),
                "kernel": kernel,
            }
        return self._code[key]

    def stamps(self, stage: PlannedStage, fingerprint: Fingerprint) -> dict[str, object]:
        """The stamps of all files that a result depends on, for `what_changed`. Without the notebook: it is read
        at the start, and often saved without a change."""
        paths = [*fingerprint.parts["modules"], *fingerprint.parts["files"]]
        paths += [path for item in stage.inputs.values() for path in item.paths]
        return {path: self._dependencies.stamp(path) for path in paths}

    def what_changed(
        self,
        stage: PlannedStage,
        params: Mapping[str, Value],
        made: Mapping[str, Made],
        before: Fingerprint,
        stamps: Mapping[str, object],
    ) -> str:
        """The first dependency that changed while a result was made, as a text; empty if none did.

        With a change nobody can say what the result depends on. `before` and `stamps` are from the start of the
        attempt, the other arguments as in `of`.
        """
        self._code.clear()
        self._dependencies.forget(path for item in stage.inputs.values() for path in item.paths)
        try:
            found = changes(before.parts, self.of(stage, params, made).parts)
        except NotebookUnreadable as error:
            return f"'{stage.path}' {error}"
        if found:
            return found[0].text
        for _, path, content in made_inputs(stage, made):
            if content != (self._dependencies.digest(path) or ABSENT):
                return f"{path} changed"
        # A file that was changed and changed back looks the same, and may have been read in between.
        written = (path for path in stamps if self._dependencies.stamp(path) != stamps[path])
        return next((f"{path} was written" for path in written), "")


def _output_part(output: PlannedOutput) -> list[str]:
    """What the code gets of an output, and what becomes of what it writes."""
    if output.is_in_place:
        return ["in place", output.path]
    found = [output.kind, output.path if output.kind == "external" else output.path.rsplit("/", 1)[-1]]
    if output.delta is not None:
        found += [output.delta.mode, ", ".join(output.delta.partition_by), ", ".join(output.delta.key)]
    return found


def made_inputs(stage: PlannedStage, made: Mapping[str, Made]) -> Iterator[tuple[str, str, str]]:
    """The inputs that other stages made, as far as their contents are known: name, path, content."""
    for name, item in stage.inputs.items():
        for path, source in zip(item.paths, item.sources, strict=False):
            if source in made and (content := made[source].outputs.get(path)):
                yield name, path, content
