"""Whether a stage has to run, and why. The one place that decides about reuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any, Protocol

from stagebook.artifact import Artifact
from stagebook.code.closure import Code
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.types import Value
from stagebook.planning.fingerprint import Change, Fingerprint, changes
from stagebook.planning.plan import Decision, Judgement, PlannedStage
from stagebook.planning.result import (
    Made,
    NoResults,
    Result,
    Results,
    made_of,
    mark_of,
)


class Facts(Protocol):
    """What judging asks of the project on disk and of the machine."""

    def code(self, notebook: str, kernel: str | None) -> Code:
        """What a notebook's code consists of, in a kernel as `kernel` names it. Raises `NotebookUnreadable`."""
        ...

    def digest(self, path: str) -> str | None:
        """The SHA-256 of a file of the project, or of a folder with a slash at the end; None if it is not
        there."""
        ...

    def stamp(self, path: str) -> object:
        """What changes whenever a file or folder of the project is written to, whatever it holds then."""
        ...

    def freshen(self, notebook: str, kernel: str | None) -> None:
        """See to it that the notebook imports its modules as they are now. Raises `NotebookUnreadable`."""
        ...

    def holds(self, output: Artifact) -> bool:
        """Whether the store holds an output."""
        ...

    def versions(self, imports: Iterable[str], kernel: str) -> Mapping[str, str]:
        """The distributions that imported modules belong to, with their versions, as a kernel has them; an
        empty name stands for this interpreter."""
        ...

    def kernel(self, notebook: str, name: str | None) -> Mapping[str, str]:
        """The kernel that a notebook runs in, and what tells its version. `name` is that of the stage: None
        for that of the notebook, empty for none but this interpreter."""
        ...

    def env_mark(self, name: str) -> str | None:
        """What stands for the value of an environment variable; None where it is not set."""
        ...

    def forget(self) -> None:
        """Look at the disk anew."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run asks for besides: `forced` stages run, whatever is known; `finished` ones are not run
    again, since the run that is gone on with has their results already."""

    forced: Container[str] = ()
    finished: Mapping[str, Result] = dataclasses.field(default_factory=dict)


class Judge:
    """Judges the stages of one pipeline."""

    def __init__(
        self, pipeline: str, facts: Facts, results: Results | None = None, rules: Rules | None = None
    ) -> None:
        self.pipeline = pipeline
        self.facts = facts
        self.results = results or NoResults()
        self.rules = rules or Rules()
        self._code: dict[tuple[str, str, str | None], dict[str, Any]] = {}

    def forget(self) -> None:
        """Look at the disk anew."""
        self._code.clear()
        self.facts.forget()

    # -- fingerprints ---------------------------------------------------------------------------

    def fingerprint(
        self, stage: PlannedStage, params: Mapping[str, Value], made: Mapping[str, Made]
    ) -> Fingerprint:
        """The fingerprint of a stage with these parameters, as far as its inputs are known. Raises
        `NotebookUnreadable`."""
        known = self._code_parts(stage)
        # A command of the notebook may name its own outputs, which are no reason to run it again.
        own = tuple(f"{item.path}/" for item in stage.outputs.values())
        parts = {
            **known,
            "files": {
                path: digest for path, digest in known["files"].items() if not f"{path}/".startswith(own)
            },
            "params": dict(params),
            "inputs": {name: self._input(stage, name, made) for name in stage.inputs},
            "shapes": {name: "list" for name, item in stage.inputs.items() if item.many},
            "outputs": {
                name: [item.kind, item.path if item.kind == "external" else item.path.rsplit("/", 1)[-1]]
                for name, item in stage.outputs.items()
            },
            "env": {name: self.facts.env_mark(name) for name in stage.env},
        }
        of_stages = tuple(name for name, item in stage.inputs.items() if any(item.sources))
        return Fingerprint(parts=parts, open=tuple(stage.deferred), made=of_stages)

    def _input(self, stage: PlannedStage, name: str, made: Mapping[str, Made]) -> list[list[str]]:
        item = stage.inputs[name]
        found = []
        for path, source in zip(item.paths, item.sources, strict=False):
            if source:
                known = made.get(source)
                digest = (known.outputs.get(path) or known.mark) if known else ""
            else:
                digest = self.facts.digest(path) or "absent"
            found.append([path, digest])
        return found

    def _code_parts(self, stage: PlannedStage) -> dict[str, Any]:
        key = (stage.notebook, stage.executor, stage.kernel)
        if key not in self._code:
            code = self.facts.code(stage.notebook, stage.runs_in)
            kernel = dict(self.facts.kernel(stage.notebook, stage.runs_in))
            name = "" if stage.runs_in == "" else kernel["kernel"]
            self._code[key] = {
                "code": list(code.cells),
                "modules": {item.path: item.digest for item in code.modules},
                "files": {item.path: item.digest for item in code.files},
                "libraries": dict(self.facts.versions(code.imports, name)),
                "kernel": kernel,
            }
        return self._code[key]

    def _is_made_of(self, stage: PlannedStage, result: Result, made: Mapping[str, Made]) -> bool:
        """Whether what the stages before it made is what a result was made of, as far as both are known."""
        for name, item in stage.inputs.items():
            before = dict(result.parts.get("inputs", {}).get(name, ()))
            for path, source in zip(item.paths, item.sources, strict=False):
                content = made[source].outputs.get(path) if source in made else None
                if content and before.get(path, content) != content:
                    return False
        return True

    def stamps(self, stage: PlannedStage, fingerprint: Fingerprint) -> dict[str, object]:
        """The stamps of all files besides the notebook that a result depends on, to be looked at again
        by `what_changed`. The notebook is read at once, and is often saved without a change."""
        paths = [*fingerprint.parts["modules"], *fingerprint.parts["files"]]
        paths += [path for item in stage.inputs.values() for path in item.paths]
        return {path: self.facts.stamp(path) for path in paths}

    def what_changed(
        self,
        stage: PlannedStage,
        params: Mapping[str, Value],
        made: Mapping[str, Made],
        before: Fingerprint,
        stamps: Mapping[str, object],
    ) -> str:
        """What a result depends on and that changed while it was made, if anything: then nobody can say
        what it depends on. `before` and `stamps` are as they were when it was begun."""
        self.forget()
        try:
            found = changes(before.parts, self.fingerprint(stage, params, made).parts)
        except NotebookUnreadable as error:
            return f"'{stage.notebook}' {error}"
        if found:
            return found[0].text
        for item in stage.inputs.values():
            for path, source in zip(item.paths, item.sources, strict=False):
                content = made[source].outputs.get(path) if source in made else None
                if content and content != (self.facts.digest(path) or "absent"):
                    return f"{path} changed"
        # What was changed and changed back looks the same, and may have been read in between.
        return next((f"{path} was written" for path in stamps if self.facts.stamp(path) != stamps[path]), "")

    # -- decisions ------------------------------------------------------------------------------

    def judge(
        self,
        stage: PlannedStage,
        params: Mapping[str, Value] | None,
        made: Mapping[str, Made],
        *,
        needs: Collection[str] = (),
    ) -> Judgement:
        """What becomes of a stage. `params` are None while they depend on scraps that are not known;
        `needs` are the stages whose scraps they, or a condition, depend on."""
        if stage.foreach is not None:
            return Judgement(decision=Decision.WAIT, reasons=(f"for each of {stage.foreach.source}",))
        finished, lost = self.rules.finished.get(stage.id), ""
        if finished is not None and not self._is_made_of(stage, finished, made):
            finished = None  # a stage before it had to run again, and came to something else
        if finished is not None:
            lost, restores = self._obtain(stage, finished)
            if not lost:
                return self._reuse(finished, restores, f"finished in the run {finished.run}")
        elif stage.frozen:
            return self._frozen(stage)
        try:
            fingerprint = self.fingerprint(stage, stage.params if params is None else params, made)
        except NotebookUnreadable as error:
            return _run(f"'{stage.notebook}' {error}")  # the attempt tells
        if lost or (lost := self._must_run(stage)):
            return _run(lost, fingerprint=fingerprint)
        open_inputs = [
            source
            for item in stage.inputs.values()
            for source in item.sources
            if source and source not in made
        ]
        waits = list(dict.fromkeys([*open_inputs, *(name for name in needs if name not in made)]))
        latest = self.results.latest(self.pipeline, stage.id)
        if waits or params is None:
            return self._wait(stage, fingerprint, waits, latest)
        return self._look_up(stage, fingerprint, latest)

    def _must_run(self, stage: PlannedStage) -> str:
        """Why a stage has to run, whatever is known of it; empty if it need not."""
        if stage.id in self.rules.forced:
            return "forced"
        if not stage.cache:
            why = "cache: false" if stage.trigger == "all_success" else f"trigger: {stage.trigger}"
            return f"{why}: it runs every time"
        return ""

    def _wait(
        self, stage: PlannedStage, fingerprint: Fingerprint, waits: list[str], latest: Result | None
    ) -> Judgement:
        if not self.results.has_head(fingerprint.head):
            # Whatever the stages before it come to, there is no such result.
            if latest is None:
                return _run("no result yet", fingerprint=fingerprint)
            found = [
                change
                for change in self._changes(stage, latest, fingerprint)
                if not is_open(change, fingerprint)
            ]
            if found:
                return _run(*(change.text for change in found), fingerprint=fingerprint, changes=found)
        why = f"if {waits[0]} comes to something new" if waits else "depends on the run"
        return Judgement(decision=Decision.WAIT, reasons=(why,), fingerprint=fingerprint)

    def _look_up(self, stage: PlannedStage, fingerprint: Fingerprint, latest: Result | None) -> Judgement:
        for path, content in (pair for pairs in fingerprint.parts["inputs"].values() for pair in pairs):
            if not content:
                return _run(f"nobody knows what '{path}' holds")
        lost = ""
        for result in self.results.find(fingerprint.digest):
            if not (stage.outputs or result.scraps) and (latest is None or result.number != latest.number):
                continue  # it ran for what it did, not for what it left
            obstacle, restores = self._obtain(stage, result)
            if not obstacle:
                why = "nothing changed"
                if result.because:
                    why = f"accepted: {result.because}"
                elif latest is None or result.number != latest.number:
                    why = f"as in the run {result.run}"
                return self._reuse(result, restores, why, fingerprint)
            lost = lost or obstacle
        if lost:
            return _run(lost, fingerprint=fingerprint)
        if latest is None:
            return _run("no result yet", fingerprint=fingerprint)
        found = self._changes(stage, latest, fingerprint)
        texts = [change.text for change in found] or ["what it came to last cannot be reused"]
        return _run(*texts, fingerprint=fingerprint, changes=found)

    def _changes(self, stage: PlannedStage, latest: Result, fingerprint: Fingerprint) -> list[Change]:
        return changes_of(latest, fingerprint, self.facts.code(stage.notebook, stage.runs_in))

    def _stands(self, stage: PlannedStage, result: Result) -> bool:
        """Whether what a result wrote outside of the project is there still, as far as anybody knows."""
        own = (result.pipeline, result.stage) == (self.pipeline, stage.id)
        return own and not self.results.is_overwritten(result)

    def _obtain(self, stage: PlannedStage, result: Result) -> tuple[str, tuple[str, ...]]:
        """Why a result cannot be had any more, if so, and the paths of those of its outputs that have to
        come from the store."""
        if stage.writes_outside and not self._stands(stage, result):
            return "what it wrote outside of the project may have been overwritten since", ()
        restores = []
        for name, output in stage.outputs.items():
            if output.kind == "external":
                continue
            known = result.outputs.get(name)
            content = known.content if known is not None else None
            if known is None or content is None or self.facts.digest(output.path) != content:
                if known is None or content is None or not self.facts.holds(known):
                    return f"its output '{output.path}' is not there any more, and not in the store", ()
                restores.append(output.path)
        return "", tuple(restores)

    def _reuse(
        self, result: Result, restores: tuple[str, ...], why: str, fingerprint: Fingerprint | None = None
    ) -> Judgement:
        reasons = [why]
        if restores:
            more = f" and {len(restores) - 1} more" if len(restores) > 1 else ""
            reasons.append(f"restores {restores[0]}{more}")
        return Judgement(
            decision=Decision.REUSE,
            reasons=tuple(reasons),
            fingerprint=fingerprint,
            result=result,
            restores=restores,
        )

    def _frozen(self, stage: PlannedStage) -> Judgement:
        """The outputs as they are; where one is not there, as they were last."""
        absent = [
            output.path
            for output in stage.outputs.values()
            if output.kind == "file" and self.facts.digest(output.path) is None
        ]
        latest = self.results.latest(self.pipeline, stage.id)
        if absent:
            obstacle, restores = self._obtain(stage, latest) if latest else (absent[0], ())
            if latest is None or obstacle:
                return Judgement(decision=Decision.SKIP, reasons=(f"frozen, and '{absent[0]}' is not there",))
            return self._reuse(latest, restores, "frozen")
        outputs = {
            name: self._described(output.path)
            if output.kind == "file"
            else Artifact(path=output.path, external=True)
            for name, output in stage.outputs.items()
        }
        result = Result(
            number=latest.number if latest else 0,
            pipeline=self.pipeline,
            stage=stage.id,
            run=latest.run if latest else "",
            attempt=latest.attempt if latest else 0,
            at=latest.at if latest else 0.0,
            fingerprint="",
            folder=latest.folder if latest else "",
            outputs=outputs,
            scraps=latest.scraps if latest else {},
        )
        return self._reuse(result, (), "frozen")

    def _described(self, path: str) -> Artifact:
        content = self.facts.digest(path) or ""
        return Artifact(path=path, sha256=content.rstrip("/"), folder=content.endswith("/"))

    def from_disk(self, stage: PlannedStage, scraps: Mapping[str, Any]) -> Made:
        """What a stage that takes no part leaves: its outputs as they are."""
        outputs = {
            output.path: self.facts.digest(output.path) or "absent"
            for output in stage.outputs.values()
            if output.kind == "file"
        }
        mark = ""
        if stage.writes_outside:
            latest = self.results.latest(self.pipeline, stage.id)
            if latest is not None and self._stands(stage, latest):
                mark = mark_of(latest.run, latest.stage, latest.attempt)
        return Made(outputs=outputs, scraps=scraps, mark=mark)


def made_by(stage: PlannedStage, result: Result) -> Made:
    """What a stage leaves that reuses a result, at its own paths."""
    moved = {
        name: item.at(stage.outputs[name].path)
        for name, item in result.outputs.items()
        if name in stage.outputs
    }
    mark = mark_of(result.run, result.stage, result.attempt) if result.run else ""
    return made_of(moved, result.scraps, mark)


def changes_of(result: Result, fingerprint: Fingerprint, code: Code) -> list[Change]:
    """What changed since a result, told with what the code says of itself."""
    chains = {item.path: item.chain for item in (*code.modules, *code.files)}
    return changes(result.parts, fingerprint.parts, chains=chains, numbers=code.numbers)


def is_open(change: Change, fingerprint: Fingerprint) -> bool:
    """Whether a change is of what nobody knows before other stages ran."""
    return (change.part == "params" and change.name in fingerprint.open) or (
        change.part == "inputs" and change.name in fingerprint.made
    )


def _run(*reasons: str, fingerprint: Fingerprint | None = None, changes: Iterable[Change] = ()) -> Judgement:
    return Judgement(decision=Decision.RUN, reasons=reasons, fingerprint=fingerprint, changes=tuple(changes))
