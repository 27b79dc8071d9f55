"""Whether a stage has to run, and why. The one place that decides about reuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

from stagebook.artifact import Artifact
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.pipeline.types import Value
from stagebook.planning.bookmarks import news_of, place_of, told
from stagebook.planning.dependencies import ABSENT, Fingerprints, made_inputs
from stagebook.planning.fingerprint import Change, Fingerprint
from stagebook.planning.plan import NO_RESULT, Decision, Judgement, PlannedOutput, PlannedStage
from stagebook.planning.result import Made, Result, Results, made_of, mark_of, why_as_good
from stagebook.planning.since import are_there, changes_since, is_open, is_strange
from stagebook.planning.undeclared import what_changed
from stagebook.timing.interval import Interval
from stagebook.workspace.dependencies import ProjectDependencies

_SAME = "nothing changed"


class ReusePolicy:
    """Decides about the stages of one pipeline."""

    def __init__(  # noqa: PLR0913 - what of earlier runs counts, and for whom
        self,
        pipeline: str,
        dependencies: ProjectDependencies,
        results: Results | None = None,
        *,
        forced: Container[str] = (),
        finished: Mapping[str, Result] | None = None,
        audited: Container[str] = (),
        interval: Interval | None = None,
    ) -> None:
        """Args:
        pipeline: its name.
        dependencies: what results depend on, as it is now.
        results: the earlier results; none by default.
        forced: the stage instances that run in any case.
        finished: the results of the run that is resumed, by stage instance; these do not run again.
        audited: the stage instances whose outputs are audited again where they are reused.
        interval: what the run is about.
        """
        self.pipeline = pipeline
        self.dependencies = dependencies
        self.fingerprints = Fingerprints(dependencies)
        self.results = results or Results()
        self._forced = forced
        self._finished = finished or {}
        self._audits = audited
        self._interval = interval

    def decide(
        self,
        stage: PlannedStage,
        params: Mapping[str, Value] | None,
        made: Mapping[str, Made],
        *,
        needs: Collection[str] = (),
    ) -> Judgement:
        """The decision about a stage.

        Args:
            stage: as it is planned.
            params: its parameters; `None` while they depend on scraps that are not known.
            made: what the stages before it made, by instance, as far as it is known.
            needs: the instances whose scraps its parameters or its condition depend on.
        """
        if stage.foreach is not None:
            return Judgement(decision=Decision.WAIT, reasons=(f"for each of {stage.foreach.source}",))
        finished, lost = self._finished.get(stage.id), ""
        if finished is not None and not _has_inputs(finished, stage, made):
            finished = None  # a stage before it ran again, with another result
        if finished is not None:
            lost, restores = self._obtain(stage, finished)
            if not lost:
                reused = self._reuse(stage, finished, restores, f"finished in the run {finished.run}")
                if self._audited(stage, finished, reused, made) is reused:
                    return reused
        elif stage.frozen:
            return self._frozen(stage)
        try:
            fingerprint = self.fingerprints.of(stage, stage.params if params is None else params, made)
        except NotebookUnreadable as error:
            return _run(f"'{stage.path}' {error}")  # the attempt tells
        must = "" if stage.bookmark else lost or self._must_run(stage)
        if must:
            return _run(must, fingerprint=fingerprint, anyway=not lost)
        sources = (source for item in stage.inputs.values() for source in item.sources if source)
        waits = list(dict.fromkeys(name for name in (*sources, *needs) if name not in made))
        latest = self.results.latest(self.pipeline, stage.id)
        if waits or params is None:
            return self._wait(stage, fingerprint, waits, latest)
        decide = self._look_up if stage.bookmark is None else self._read_on
        return decide(stage, fingerprint, latest, made)

    def _must_run(self, stage: PlannedStage) -> str:
        """Why a stage runs whatever results there are; empty if it need not."""
        if stage.id in self._forced:
            return "forced"
        if not stage.cache:
            why = "cache: false" if stage.trigger == "all_success" else f"trigger: {stage.trigger}"
            return f"{why}: it runs every time"
        return ""

    def _wait(
        self, stage: PlannedStage, fingerprint: Fingerprint, waits: list[str], latest: Result | None
    ) -> Judgement:
        is_new = latest is None if stage.bookmark else not self.results.has_head(fingerprint.head)
        if is_new:
            # No result fits, whatever the stages before it produce.
            if latest is None:
                return _run(NO_RESULT, fingerprint=fingerprint)
            changed = changes_since(stage, latest, fingerprint, self.dependencies)
            found = [change for change in changed if not is_open(change, fingerprint)]
            if found:
                return _run(*(change.text for change in found), fingerprint=fingerprint, changes=found)
        why = f"only if {waits[0]}'s output changes" if waits else "depends on the run"
        return Judgement(decision=Decision.WAIT, reasons=(why,), fingerprint=fingerprint)

    def _look_up(
        self, stage: PlannedStage, fingerprint: Fingerprint, latest: Result | None, made: Mapping[str, Made]
    ) -> Judgement:
        for path, content in (pair for pairs in fingerprint.parts["inputs"].values() for pair in pairs):
            if not content:
                return _run(f"nobody knows what '{path}' holds")
        lost = ""
        for result in self.results.find(fingerprint.digest):
            found_as = self._as_found(stage, result, latest)
            if found_as is None:
                continue
            obstacle, restores = found_as
            if not obstacle:
                why = why_as_good(result, latest) or _SAME
                unnoticed = what_changed(result.undeclared, self.dependencies)
                if unnoticed and result.source:
                    continue  # what it read there is not what it would read here
                reused = self._reuse(stage, result, restores, why, unnoticed)
                reused = dataclasses.replace(reused, fingerprint=fingerprint)
                return self._audited(stage, result, reused, made)
            lost = lost or obstacle
        if lost:
            return _run(lost, fingerprint=fingerprint)
        if latest is None:
            return _run(NO_RESULT, fingerprint=fingerprint)
        found = changes_since(stage, latest, fingerprint, self.dependencies)
        texts = [change.text for change in found] or ["its last result cannot be reused"]
        return _run(*texts, fingerprint=fingerprint, changes=found)

    def _read_on(
        self, stage: PlannedStage, fingerprint: Fingerprint, latest: Result | None, made: Mapping[str, Made]
    ) -> Judgement:
        """The decision about a stage with a bookmark: it runs where something is new to it, or it has to ask whether there
        is, or it must. What it has read is in its outputs: another change counts for what comes next."""
        assert stage.bookmark is not None
        place = place_of(output.path for output in stage.outputs.values())
        must = self._must_run(stage)
        if latest is not None and place_of(item.path for item in latest.outputs.values()) != place:
            latest = None
        lost, restores = self._obtain(stage, latest) if latest is not None else (NO_RESULT, ())
        if latest is not None and lost and are_there(stage, self.dependencies):
            lost = ""  # others write to it as well
        is_of_files = bool(stage.bookmark.input)
        pairs = self.fingerprints.input(stage, stage.bookmark.input, made) if is_of_files else []
        pairs = [pair for pair in pairs if pair[1] != ABSENT]
        marks = self.results.marks(self.pipeline, stage.id, place)
        news = news_of(stage.bookmark, pairs, marks, anew=bool(lost))
        said = told(stage, news, pairs, marks)
        found = changes_since(stage, latest, fingerprint, self.dependencies) if latest is not None else []
        asks = not is_of_files and (bool(found) or not stage.inputs)
        if latest is None or lost or must or news.items or news.again or asks:
            reasons = [lost or must, said, *(change.text for change in found)]
            anyway = bool(must) and latest is not None and not lost
            ran = _run(*filter(None, reasons), fingerprint=fingerprint, changes=found, anyway=anyway)
            return dataclasses.replace(ran, news=news)
        if found:
            said = f"{said}; what changed counts for what comes next: {found[0].text}"
        reused = dataclasses.replace(self._reuse(stage, latest, restores, said), fingerprint=fingerprint)
        audited = self._audited(stage, latest, reused, made)
        return reused if audited.decision is Decision.RUN else audited

    def _as_found(
        self, stage: PlannedStage, result: Result, latest: Result | None
    ) -> tuple[str, tuple[str, ...]] | None:
        """As `_obtain`; `None` where a result does not count any more. An effect cannot be restored, nor may rows be taken back
        that came since: of those the last result counts. That of another interval has not taken the place of the one of this."""
        is_last = latest is not None and result.number == latest.number
        only_last = stage.accumulates or not (stage.outputs or result.scraps)
        if is_last or not only_last:
            return self._obtain(stage, result)
        if self._interval is None or not result.number:
            return None
        if self.results.latest_about(self.pipeline, stage.id, self._interval) != result.number:
            return None
        there = stage.accumulates and are_there(stage, self.dependencies)
        return ("", ()) if there else self._obtain(stage, result)

    def _stands(self, stage: PlannedStage, result: Result) -> bool:
        """Whether the external outputs of a result are still its own, as far as the journal knows."""
        own = (result.pipeline, result.stage) == (self.pipeline, stage.id)
        return own and not self.results.is_overwritten(result)

    def _obtain(self, stage: PlannedStage, result: Result) -> tuple[str, tuple[str, ...]]:
        """Why a result cannot be used any more, empty if it can; and the paths of its outputs that have to come
        from the store."""
        if stage.writes_outside and not self._stands(stage, result):
            return "what it wrote outside of the project may have been overwritten since", ()
        restores = []
        for name, output in stage.outputs.items():
            if output.kind == "external":
                continue
            known = result.outputs.get(name)
            content = known.content if known is not None else None
            if content is None or self.dependencies.digest(output.path) != content:
                if known is None or content is None or not self.dependencies.holds(known):
                    return f"its output '{output.path}' is not there any more, and not in the store", ()
                restores.append(output.path)
        return "", tuple(restores)

    def _reuse(
        self, stage: PlannedStage, result: Result, restores: tuple[str, ...], why: str, unnoticed: str = ""
    ) -> Judgement:
        reasons = [why]
        if unnoticed:
            unnoticed = f"nothing declared changed; {unnoticed}"
            reasons = [unnoticed if why == _SAME else f"{why}; {unnoticed}"]
        if restores:
            latest = self.results.latest(self.pipeline, stage.id)
            first = next((path for path in restores if is_strange(path, latest, self.dependencies)), "")
            more = f" and {len(restores) - 1} more" if len(restores) > 1 else ""
            over = " over a change that no run made" if first else ""
            reasons.append(f"restores {first or restores[0]}{more}{over}")
        return Judgement(
            decision=Decision.REUSE,
            reasons=tuple(reasons),
            result=result,
            restores=restores,
            unnoticed=unnoticed,
        )

    def related(self, stage: PlannedStage, output: PlannedOutput, made: Mapping[str, Made]) -> dict[str, str]:
        """What the datasets hold that the contract of an output asks for, but for those of the stage itself: dataset →
        `Artifact.content`, of the first of its files that is there."""
        found: dict[str, str] = {}
        if not output.related:
            return found
        own = {one.path for one in stage.outputs.values()}
        for dataset, paths in output.related.items():
            elsewhere = (path for path in paths if path not in own)
            contents = (_made_at(path, made) or self.dependencies.digest(path) for path in elsewhere)
            if content := next(filter(None, contents), None):
                found[dataset] = content
        return found

    def _audited(
        self, stage: PlannedStage, result: Result, reused: Judgement, made: Mapping[str, Made]
    ) -> Judgement:
        """The judgement that a result is reused, unless a contract says something else than when it was audited, or other
        datasets hold something else that it asks for: then it is audited, or the stage runs where the store does not have
        what it wrote."""
        changed = {
            name: why
            for name, output in stage.outputs.items()
            if (why := self._why_audited(stage, name, result, made))
        }
        if not changed and stage.id in self._audits:
            names = [name for name, output in stage.outputs.items() if output.contract is not None]
            changed = dict.fromkeys(names, "audited again, as asked")
        if not changed:
            return reused
        why = next(iter(changed.values()))
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        whole = result.whole
        kept = all(
            name in whole
            and (output.kind == "file" or name in result.written)
            and self.dependencies.holds(whole[name])
            for name, output in stage.outputs.items()
            if output.kind != "external"
        )
        if not kept:
            return _run(
                f"{why}{more}, and what the stage wrote is not in the store", fingerprint=reused.fingerprint
            )
        return dataclasses.replace(
            reused,
            decision=Decision.AUDIT,
            reasons=(f"{why}{more}; the notebook does not run",),
            restores=(),
        )

    def _why_audited(self, stage: PlannedStage, name: str, result: Result, made: Mapping[str, Made]) -> str:
        """Why what a result wrote as an output has to be audited; empty if it has not."""
        output, audit = stage.outputs[name], result.audits.get(name)
        contract = output.contract
        if output.kind == "delta" and name not in result.written:
            return ""  # it was accepted as it is: nobody knows what was written for it
        if contract is None:
            is_split = name in result.written and name in result.audits
            return f"{name} has no contract any more" if is_split else ""
        if audit is None:
            return f"{contract.path} is new"
        if audit.digest != contract.digest:
            before, now = (text.partition("+")[0] for text in (audit.digest, contract.digest))
            return f"other rows of {name} are released" if before == now else f"{contract.path} changed"
        for dataset, content in self.related(stage, output, made).items():
            if audit.related.get(dataset, content) != content:
                return f"{dataset} changed, which {contract.path} asks for"
        return ""

    def _frozen(self, stage: PlannedStage) -> Judgement:
        """Reuse the outputs on disk; where one is missing, those of the last result."""
        absent = [
            output.path
            for output in stage.outputs.values()
            if output.kind != "external" and self.dependencies.digest(output.path) is None
        ]
        latest = self.results.latest(self.pipeline, stage.id)
        if absent:
            obstacle, restores = self._obtain(stage, latest) if latest else (absent[0], ())
            if latest is None or obstacle:
                return Judgement(decision=Decision.SKIP, reasons=(f"frozen, and '{absent[0]}' is not there",))
            return self._reuse(stage, latest, restores, "frozen")
        outputs = {}
        for name, output in stage.outputs.items():
            content = self.dependencies.digest(output.path) or "" if output.kind != "external" else ""
            outputs[name] = Artifact(
                path=output.path,
                sha256=content.rstrip("/"),
                folder=content.endswith("/"),
                external=output.kind == "external",
            )
        known = latest or Result(
            number=0, pipeline=self.pipeline, stage=stage.id, run="", attempt=0, at=0.0, fingerprint=""
        )
        found = dataclasses.replace(known, fingerprint="", parts={}, outputs=outputs, sources="", because="")
        return self._reuse(stage, found, (), "frozen")

    def from_disk(self, stage: PlannedStage, scraps: Mapping[str, Any]) -> Made:
        """What a stage that is not selected has made: its outputs on disk, and these `scraps`."""
        outputs = {
            output.path: self.dependencies.digest(output.path) or ABSENT
            for output in stage.outputs.values()
            if output.kind != "external"
        }
        mark = ""
        if stage.writes_outside:
            latest = self.results.latest(self.pipeline, stage.id)
            if latest is not None and self._stands(stage, latest):
                mark = mark_of(latest.run, latest.stage, latest.attempt)
        return Made(outputs=outputs, scraps=scraps, mark=mark)


def made_by(stage: PlannedStage, result: Result) -> Made:
    """What a stage makes by reusing a result: its contents at the paths of the stage."""
    moved = {
        name: item.at(stage.outputs[name].path)
        for name, item in result.outputs.items()
        if name in stage.outputs
    }
    mark = mark_of(result.run, result.stage, result.attempt) if result.run else ""
    return made_of(moved, result.scraps, mark)


def _made_at(path: str, made: Mapping[str, Made]) -> str:
    """What a stage made at a path; empty if none did so far."""
    return next((one.outputs[path] for one in made.values() if path in one.outputs), "")


def _has_inputs(result: Result, stage: PlannedStage, made: Mapping[str, Made]) -> bool:
    """Whether a result comes from the inputs as the stages before it made them, as far as both are known."""
    for name, path, content in made_inputs(stage, made):
        if dict(result.parts.get("inputs", {}).get(name, ())).get(path, content) != content:
            return False
    return True


def _run(
    *reasons: str,
    fingerprint: Fingerprint | None = None,
    changes: Iterable[Change] = (),
    anyway: bool = False,
) -> Judgement:
    return Judgement(
        decision=Decision.RUN, reasons=reasons, fingerprint=fingerprint, changes=tuple(changes), anyway=anyway
    )
