"""Whether a stage has to run, and why. The one place that decides about reuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any, Protocol

from stagebook.definition.closure import Code
from stagebook.definition.notebook import NotebookUnreadable
from stagebook.definition.values import Value
from stagebook.planning.fingerprint import Change, Fingerprint, changes
from stagebook.planning.plan import Decision, Judgement, PlannedStage
from stagebook.planning.results import Made, NoResults, Result, Results, made_of


class Facts(Protocol):
    """What judging asks of the project on disk and of the machine."""

    def code(self, notebook: str) -> Code:
        """What a notebook's code consists of. Raises `NotebookUnreadable`."""
        ...

    def digest(self, path: str) -> str | None:
        """The SHA-256 of a file or folder of the project; None if it is not there."""
        ...

    def holds(self, output: Mapping[str, Any]) -> bool:
        """Whether the store holds an output, as `events.AttemptEnded` describes it."""
        ...

    def versions(self, packages: Iterable[str]) -> Mapping[str, str]:
        """The distributions that these import names belong to, with their versions."""
        ...

    def kernel(self, notebook: str, name: str | None) -> Mapping[str, str]:
        """The kernel that a notebook runs in, and what tells its version."""
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
        own = {item.path for item in stage.outputs.values()}
        parts = {
            **known,
            "files": {path: digest for path, digest in known["files"].items() if path not in own},
            "params": dict(params),
            "inputs": {name: self._input(stage, name, made) for name in stage.inputs},
            "outputs": {
                name: [item.kind, item.path if item.kind == "external" else item.path.rsplit("/", 1)[-1]]
                for name, item in stage.outputs.items()
            },
            "env": {name: self.facts.env_mark(name) for name in stage.env},
        }
        return Fingerprint(parts=parts, open=tuple(stage.deferred))

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
            code = self.facts.code(stage.notebook)
            self._code[key] = {
                "code": list(code.cells),
                "modules": {item.path: item.digest for item in code.modules},
                "files": {item.path: item.digest for item in code.files},
                "libraries": dict(sorted(self.facts.versions(code.imports).items())),
                "kernel": dict(self.facts.kernel(stage.notebook, stage.kernel)),
            }
        return self._code[key]

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
        finished = self.rules.finished.get(stage.id)
        if finished is not None:
            missing, restores = self._obtain(stage, finished)
            if not missing:
                return self._reuse(finished, restores, f"finished in the run {finished.run}")
            return _run(f"its output '{missing}' is not there any more, and not in the store")
        if stage.frozen:
            return self._frozen(stage)
        if stage.foreach is not None:
            return Judgement(decision=Decision.WAIT, reasons=(f"for each of {stage.foreach.source}",))
        try:
            fingerprint = self.fingerprint(stage, stage.params if params is None else params, made)
        except NotebookUnreadable as error:
            return _run(f"'{stage.notebook}' {error}")  # the attempt tells
        if stage.id in self.rules.forced:
            return _run("forced", fingerprint=fingerprint)
        if not stage.cache:
            why = "cache: false" if stage.trigger == "all_success" else f"trigger: {stage.trigger}"
            return _run(f"{why}: it runs every time", fingerprint=fingerprint)
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

    def _wait(
        self, stage: PlannedStage, fingerprint: Fingerprint, waits: list[str], latest: Result | None
    ) -> Judgement:
        if not self.results.has_head(fingerprint.head):
            # Whatever the stages before it come to, there is no such result.
            if latest is None:
                return _run("it never ran", fingerprint=fingerprint)
            found = [
                change
                for change in self._changes(stage, latest, fingerprint)
                if change.part != "inputs" and change.name not in fingerprint.open
            ]
            if found:
                return _run(*(change.text for change in found), fingerprint=fingerprint, changes=found)
        why = f"if {waits[0]} comes to something new" if waits else "depends on the run"
        return Judgement(decision=Decision.WAIT, reasons=(why,), fingerprint=fingerprint)

    def _look_up(self, stage: PlannedStage, fingerprint: Fingerprint, latest: Result | None) -> Judgement:
        lost = ""
        for result in self.results.find(fingerprint.digest):
            if not stage.outputs and (result.pipeline, result.stage) != (self.pipeline, stage.id):
                continue  # it ran for what it did, not for what it left
            missing, restores = self._obtain(stage, result)
            if not missing:
                why = "nothing changed"
                if result.because:
                    why = f"accepted: {result.because}"
                elif latest is None or result.number != latest.number:
                    why = f"as in the run {result.run}"
                return self._reuse(result, restores, why, fingerprint)
            lost = missing
        if lost:
            return _run(
                f"its output '{lost}' is not there any more, and not in the store", fingerprint=fingerprint
            )
        if latest is None:
            return _run("it never ran", fingerprint=fingerprint)
        found = self._changes(stage, latest, fingerprint)
        texts = [change.text for change in found] or ["what it came to last cannot be reused"]
        return _run(*texts, fingerprint=fingerprint, changes=found)

    def _changes(self, stage: PlannedStage, latest: Result, fingerprint: Fingerprint) -> list[Change]:
        chains = {item.path: item.chain for item in self.facts.code(stage.notebook).modules}
        return changes(latest.parts, fingerprint.parts, chains=chains)

    def _obtain(self, stage: PlannedStage, result: Result) -> tuple[str, tuple[str, ...]]:
        """The path of an output of a result that cannot be had any more, if any, and the paths of those
        that have to come from the store."""
        restores = []
        for name, output in stage.outputs.items():
            if output.kind == "external":
                continue
            known = result.outputs.get(name)
            if known is None or "sha256" not in known:
                return output.path, ()
            if self.facts.digest(output.path) != known["sha256"]:
                if not self.facts.holds(known):
                    return output.path, ()
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
            missing, restores = self._obtain(stage, latest) if latest else (absent[0], ())
            if latest is None or missing:
                return Judgement(decision=Decision.SKIP, reasons=(f"frozen, and '{absent[0]}' is not there",))
            return self._reuse(latest, restores, "frozen")
        outputs = {
            name: {"path": output.path, "sha256": self.facts.digest(output.path)}
            for name, output in stage.outputs.items()
            if output.kind == "file"
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

    def from_disk(self, stage: PlannedStage, scraps: Mapping[str, Any]) -> Made:
        """What a stage that takes no part leaves: its outputs as they are."""
        outputs = {
            output.path: self.facts.digest(output.path) or "absent"
            for output in stage.outputs.values()
            if output.kind == "file"
        }
        return Made(outputs=outputs, scraps=scraps, mark="as it is")


def made_by(stage: PlannedStage, result: Result) -> Made:
    """What a stage leaves that reuses a result, at its own paths."""
    moved = {
        name: {**item, "path": stage.outputs[name].path}
        for name, item in result.outputs.items()
        if name in stage.outputs
    }
    return made_of(moved, result.scraps, f"result {result.number}")


def _run(*reasons: str, fingerprint: Fingerprint | None = None, changes: Iterable[Change] = ()) -> Judgement:
    return Judgement(decision=Decision.RUN, reasons=reasons, fingerprint=fingerprint, changes=tuple(changes))
