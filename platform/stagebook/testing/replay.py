"""Replays: the last recorded inputs of a stage, its notebook as it is now, and its outputs held against the recorded ones."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact, Artifacts, artifacts_from_json, artifacts_to_json
from stagebook.errors import StagebookError, UsageError
from stagebook.events import RunStarted, StageExpanded
from stagebook.journal.journal import Journal
from stagebook.pipeline.model import Input, InputRef, Pipeline, Stage
from stagebook.planning.result import Result
from stagebook.project import Project
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import describe_path, write_whole
from stagebook.testing import frames
from stagebook.testing.alone import Alone, alone, find_stage, literal
from stagebook.testing.inputs import Placed, datasets_given, link
from stagebook.testing.outcome import StageFailed, StageResult
from stagebook.testing.stages import StageTests
from stagebook.timing.interval import Interval
from stagebook.views.formatting import value
from stagebook.workspace.paths import STATE_FOLDER

EXPECTED = "tests/replay"  # the folder of expectations


class NotReplayed(Exception):
    """A stage cannot be replayed; the text says why, and what to do. It says nothing of the notebook."""


class Differs(AssertionError):
    """A replay came to other outputs than were recorded; the text says how."""


def recorded(root: Path, pipeline: str) -> dict[str, Result]:
    """For each stage instance of a pipeline the result that it came to last."""
    path = root / STATE_FOLDER / "journal.db"
    if not path.exists():
        return {}
    journal = Journal(path)
    try:
        return journal.results.latest(pipeline)
    finally:
        journal.close()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a replay has to come to: outputs by name. `accepted` says that somebody accepted them (`--update`)."""

    outputs: Artifacts
    accepted: bool = False


class Replay:
    """The replay of one stage instance, of which `result` is the last one."""

    def __init__(self, tests: StageTests, pipeline: str, result: Result) -> None:
        self._tests = tests
        self._pipeline = pipeline
        self._result = result
        self._store = tests.project.store
        self._file = tests.root / EXPECTED / f"{pipeline}.{result.stage}.json"

    def run(self, tree: Path, *, update: bool = False) -> str:
        """Run the stage in an empty folder, and hold its outputs against the expected ones; a remark for a person, empty as a
        rule. With `update` what differs is expected from now on.

        Raises:
            NotReplayed: something of the recorded run is not there any more, or it cannot be replayed at all.
            StageFailed: the stage failed.
            Differs: an output is another one than was recorded.
        """
        whole, stage = find_stage(self._tests.project.catalog, self._base, self._pipeline)
        _refuse(stage)
        inputs: Mapping[str, Sequence[Sequence[str]]] = self._result.parts.get("inputs", {})
        if lacking := [name for name in stage.inputs if name not in inputs]:
            raise NotReplayed(
                f"it has an input since that the recorded run had not: {lacking[0]}; {self._again}"
            )
        self._tests.dependencies.forget()
        one = self._alone(whole, stage)
        try:
            done = self._tests.run_alone(
                whole, one, tree, lambda asked: self._place(whole, one, tree, inputs, asked)
            )
        except StagebookError as error:
            raise error.with_traceback(None) from None
        if done.error is not None:
            raise StageFailed(done)
        expected = self._expected()
        lines = list(self._compared(done, expected.outputs, tree.resolve()))
        if not lines:
            return "as accepted" if expected.accepted else ""
        if update:
            self._accept(done)
            return f"accepted: {self._file.relative_to(self._tests.root).as_posix()}"
        since = "accepted" if expected.accepted else f"recorded in {self._result.run}"
        head = f"{self._result.stage} does not come to what was {since}:"
        hint = "accept it: stagebook test --replay " + f"{self._base} --update"
        raise Differs("\n".join([head, *(f"  {line}" for line in lines), hint]))

    @property
    def _base(self) -> str:
        return self._result.stage.partition("@")[0]

    @property
    def _again(self) -> str:
        return f"record it anew: stagebook run {self._pipeline} {self._base} --force"

    # -- what was recorded ----------------------------------------------------------------------

    def _alone(self, whole: Pipeline, stage: Stage) -> Alone:
        started, point = self._started()
        own = {
            name: one for name, one in self._result.parts.get("params", {}).items() if name in stage.params
        }
        others = {name: one for name, one in started.plan.get("params", {}).items() if name in whole.params}
        try:
            about = Interval.from_json(started.interval) if started.interval else None
            given, at = (own, others), point or None
            return alone(whole, stage, given=given, point=at, env=os.environ, interval=about)
        except UsageError as error:
            raise NotReplayed(f"{error.message}; {self._again}") from error

    def _started(self) -> tuple[RunStarted, Mapping[str, Any]]:
        """The start of the run that came to the result, and the point of the instance."""
        journal = Journal(self._tests.root / STATE_FOLDER / "journal.db")
        try:
            events = [event for _, event in journal.events.of(self._result.run)]
        finally:
            journal.close()
        started = next((event for event in events if isinstance(event, RunStarted)), None)
        if started is None:
            where = f"was taken from {self._result.source}" if self._result.source else "is gone"
            raise NotReplayed(f"the run {self._result.run} {where}; {self._again}")
        planned = [*started.plan.get("stages", ())]
        planned += [one for event in events if isinstance(event, StageExpanded) for one in event.stages]
        found: Mapping[str, Any] = next((one for one in planned if one.get("id") == self._result.stage), {})
        return started, found.get("point", {})

    def _place(
        self,
        whole: Pipeline,
        one: Alone,
        tree: Path,
        inputs: Mapping[str, Sequence[Sequence[str]]],
        asked: Sequence[str],
    ) -> Placed:
        """Put the recorded inputs into the tree, at the paths that they had."""
        lists = self._result.parts.get("shapes", {})
        placed: dict[str, Input] = {}
        for name, item in one.stage.inputs.items():
            for path, content in inputs[name]:
                self._restore(name, path, content, tree.resolve() / path)
            refs = tuple(
                InputRef(text=literal(path), location=item.refs[0].location) for path, _ in inputs[name]
            )
            placed[name] = dataclasses.replace(item, refs=refs, many=name in lists)
        paths = {name: [path for path, _ in inputs[name]] for name in one.stage.inputs}
        datasets = datasets_given(whole, one.stage, paths)
        if lacking := [name for name in asked if name not in datasets]:
            raise NotReplayed(
                f"its contract asks for {lacking[0]}, which is none of its inputs: test it with run_stage"
            )
        return Placed(stage=dataclasses.replace(one.stage, inputs=placed), datasets=datasets)

    def _restore(self, name: str, path: str, content: str, target: Path) -> None:
        """Put what an input held to its place: out of the store, or from the project, where it is as it was."""
        if target.exists():
            return
        is_folder = content.endswith("/")
        kept = Artifact(path=path, sha256=content.removesuffix("/"), kept=True, folder=is_folder)
        if self._store.holds(kept):
            try:
                self._store.fetch(kept, target)
            except BlobDamaged:
                pass  # it may be in the project
            else:
                return
        if self._tests.dependencies.digest(path) != content:
            why = f"the input {name} ({path}) is not kept as it was"
            raise NotReplayed(
                f"{why}: it is not in the store, and the project has another one; {self._again}"
            )
        link(self._tests.root / path, target)

    # -- what is expected -----------------------------------------------------------------------

    def _expected(self) -> Expected:
        """What was accepted for this very result; else what was recorded."""
        try:
            found = json.loads(self._file.read_bytes())
            if (found["run"], found["attempt"]) == (self._result.run, self._result.attempt):
                return Expected(outputs=artifacts_from_json(found["outputs"]), accepted=True)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            where = self._file.relative_to(self._tests.root).as_posix()
            raise UsageError(
                f"{where} is no expectation: {error}", hint="remove it, or write it anew"
            ) from error
        return Expected(outputs=self._result.outputs)

    def _accept(self, done: StageResult) -> None:
        """Expect what a replay came to: hashes in a file of the project, contents in the store as long as that has them."""
        outputs = {
            name: self._store.keep(Path(path), self._shown(name)) for name, path in done.outputs.items()
        }
        data = {
            "run": self._result.run,
            "attempt": self._result.attempt,
            "outputs": artifacts_to_json(dict(sorted(outputs.items()))),
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, (json.dumps(data, indent=2) + "\n").encode())

    def _shown(self, name: str) -> str:
        known = self._result.outputs.get(name)
        return known.path if known is not None else name

    def _compared(self, done: StageResult, expected: Artifacts, tree: Path) -> Iterator[str]:
        """How outputs differ from those that are expected."""
        yield from (f"{name} is not written any more" for name in expected if name not in done.outputs)
        for name, path in done.outputs.items():
            if name not in expected:
                yield f"{name} is a new output"
                continue
            before, place = expected[name], Path(path)
            if describe_path(place, before.path).content != before.content:
                yield from (
                    f"{name}: {line}" for line in self._explained(before, place, tree / "recorded" / name)
                )

    def _explained(self, before: Artifact, place: Path, folder: Path) -> Iterator[str]:
        """How an output differs whose bytes do; of tables that are no text, rows alone count."""
        old = folder / place.name
        if not self._fetched(before, old):
            yield "its content is another one; the recorded one is not kept, so no more can be said"
            return
        try:
            lines = frames.differences(frames.read(old), frames.read(place))
        except UsageError:  # no table
            lines = []
        else:
            if frames.is_binary(place) and not lines:
                return
        yield from lines or _texts(old, place)

    def _fetched(self, before: Artifact, target: Path) -> bool:
        if not self._store.holds(before):
            return False
        try:
            self._store.fetch(before, target)
        except BlobDamaged:
            return False
        return True


def _refuse(stage: Stage) -> None:
    """Raises `NotReplayed` for a stage whose outputs are no function of its inputs, or are not files."""
    for output in stage.outputs.values():
        if output.kind == "external":
            raise NotReplayed(f"it writes outside of the project ({output.name}): test it with run_stage")
        if output.delta is not None and output.delta.accumulates:
            raise NotReplayed(f"{output.name} has rows of earlier runs: test it with run_stage")


def _texts(old: Path, new: Path) -> Iterator[str]:
    """The first line that differs of two text files; their sizes where they are none."""
    if old.is_dir() or new.is_dir():
        yield "the files in the folder are other ones"
        return
    try:
        before, after = (path.read_text(encoding="utf-8").splitlines() for path in (old, new))
    except UnicodeDecodeError:
        yield f"{new.stat().st_size:,} bytes, before {old.stat().st_size:,}; they differ"
        return
    for number, (a, b) in enumerate(zip(before, after, strict=False), start=1):
        if a != b:
            yield f"line {number}: {value(b)}, before {value(a)}"
            return
    yield f"{len(after):,} lines, before {len(before):,}"


def names_of(project: Project, pipeline: str) -> list[str]:
    """The stages of a pipeline, and their instances that have a result."""
    stages = list(project.catalog.load(pipeline).pipeline.stages)
    instances = [name for name in recorded(project.root, pipeline) if name.partition("@")[0] in stages]
    lonely = [stage for stage in stages if stage not in {name.partition("@")[0] for name in instances}]
    return sorted([*instances, *lonely], key=lambda name: stages.index(name.partition("@")[0]))


def is_named(texts: Sequence[str], pipeline: str, stage: str) -> bool:
    """Whether a stage instance is named by any of the texts: a stage, an instance or a glob, with or without the pipeline
    and a dot before it. Without texts all are."""
    names = {stage, stage.partition("@")[0]}
    names |= {f"{pipeline}.{name}" for name in names}
    return not texts or any(fnmatch.fnmatchcase(name, text) for text in texts for name in names)
