"""`stagebook test`."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import write_json
from stagebook.errors import UsageError, did_you_mean
from stagebook.project import Project
from stagebook.testing.replay import is_named, names_of
from stagebook.workspace.environments import DEV

_PATTERNS = ("test_*.py", "*_test.py")


def test(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH|STAGE]...",
            help="Files, folders or tests (default: tests/, and those beside notebooks); with --replay stages. After `--`"
            " further options of pytest.",
        ),
    ] = None,
    keyword: Annotated[
        str | None,
        typer.Option("-k", metavar="EXPRESSION", help="Only tests whose names fit, as pytest has it."),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Run stages with their last recorded inputs, and compare what they write with what was recorded.",
        ),
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Accept what replays come to: it is expected from now on.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Test notebooks: run the tests of the project by pytest, or replay recorded runs; with coverage of cells."""
    if importlib.util.find_spec("pytest") is None:
        raise UsageError("tests of notebooks need pytest, which is not installed", hint="pip install pytest")
    if update and not replay:
        raise UsageError("--update accepts what replays come to", hint="stagebook test --replay --update")
    project = Project.open(environment=DEV)
    with project:
        words = _replays(project, what or []) if replay else _paths(project, what or [])
    options = [*(["-k", keyword] if keyword is not None else []), *(["--stagebook-update"] if update else [])]
    if not as_json:
        return _run(project.root, [*options, *words], sys.stdout.fileno())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options.append(f"--stagebook-report={report}")
        code = _run(project.root, [*options, *words], sys.stderr.fileno())
        found = json.loads(report.read_bytes()) if report.is_file() else {"tests": [], "notebooks": []}
    write_json({**found, "exit": code})
    return code


def _paths(project: Project, what: Sequence[str]) -> list[str]:
    """The words for pytest: what was asked for, relative to the project; where that names no place, all tests."""
    words, found = [], False
    for word in what:
        path, mark, test_name = word.partition("::")
        if not word.startswith("-") and (place := Path(path)).exists():
            words.append(os.path.relpath(place.resolve(), project.root) + mark + test_name)
            found = True
        elif not word.startswith("-") and (mark or path.endswith(".py")):
            raise UsageError(f"there is no file '{path}'", hint="name a file or folder of tests")
        else:
            words.append(word)
    if found:
        return words
    every = all_tests(project)
    if not every:
        hint = "write tests/test_STAGE.py: def test_it(run_stage): run_stage('STAGE', inputs={…})"
        raise UsageError("the project has no tests: no tests/, and no test_*.py beside a notebook", hint=hint)
    return [*words, *every]


def all_tests(project: Project) -> list[str]:
    """`tests/`, and the files of tests beside notebooks; none where there are none."""
    loaded = [project.catalog.load(name).pipeline for name in project.catalog.names()]
    notebooks = {stage.notebook for one in loaded for stage in one.stages.values() if stage.notebook}
    folders = sorted({notebook.rpartition("/")[0] for notebook in notebooks})
    found = ["tests"] if (project.root / "tests").is_dir() else []
    for folder in folders:
        if folder == "tests" or folder.startswith("tests/"):
            continue
        files = {path for pattern in _PATTERNS for path in (project.root / folder).glob(pattern)}
        found += [path.relative_to(project.root).as_posix() for path in sorted(files)]
    return found


def _replays(project: Project, stages: Sequence[str]) -> list[str]:
    """The words for pytest: the pipeline files that have the stages."""
    texts = [word for word in stages if not word.startswith("-")]
    names = [
        (pipeline, stage) for pipeline in project.catalog.names() for stage in names_of(project, pipeline)
    ]
    for text in texts:
        if not any(is_named([text], *name) for name in names):
            known = dict.fromkeys(stage for _, stage in names)
            raise UsageError(f"there is no stage '{text}'", hint=did_you_mean(text, known))
    files = dict.fromkeys(
        project.catalog.find(pipeline) for pipeline, stage in names if is_named(texts, pipeline, stage)
    )
    if not files:
        raise UsageError(
            "the project has no stages to replay", hint="write a pipeline, and run it: stagebook run"
        )
    rest = [word for word in stages if word.startswith("-")]
    return ["--stagebook-replay", "-rs", *(f"--stagebook-stage={text}" for text in texts), *rest, *files]


def _run(root: Path, words: Sequence[str], output: int) -> int:
    """Run pytest in a process of its own; its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "stagebook.testing.plugin", *words], cwd=root, stdout=output
    )
    before = signal.signal(signal.SIGINT, lambda *_: None)  # pytest gets it, too, and ends in order
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
