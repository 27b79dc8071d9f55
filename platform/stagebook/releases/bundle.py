"""What belongs to a release: everything of a project that decides what its pipelines do, and nothing else."""

from __future__ import annotations

import contextlib
import platform as machine
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stagebook.contracts.contract import Contract, FunctionRule
from stagebook.errors import UsageError
from stagebook.origin import Origin
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.releases.release import Release, ReleasedFile
from stagebook.releases.sources import inputs_of
from stagebook.system.blobs import Blobs
from stagebook.system.git import git
from stagebook.system.settings_file import FILE as SETTINGS
from stagebook.workspace.contracts import release_path
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import PathRefused

PYTHON = "python"
CONNECTIONS = "connections.toml"
_PATIENCE = 60.0  # seconds that git has for a large checkout
MAX_DATA = 10_000_000  # bytes of a file of data that is released as it is committed
_LOCKS = (
    "requirements.lock",
    "requirements.txt",
    "uv.lock",
    "poetry.lock",
    "pixi.lock",
    "environment.yml",
    "pyproject.toml",
)


def make_release(  # noqa: PLR0913 - what is released, and what is said of it
    plans: Iterable[Plan],
    dependencies: ProjectDependencies,
    origin: Origin,
    at: float,
    *,
    broken: Iterable[str] = (),
    observed: Callable[[str, str], Iterable[str]] = lambda _pipeline, _stage: (),
    note: str = "",
) -> Release:
    """The release of the pipelines of these plans, as they are on disk, and of the files of those that are `broken`. Its
    files are kept in the store. `observed`: what a stage instance of a pipeline was seen to read undeclared.

    Raises:
        UsageError: a file cannot be read, or not be kept.
    """
    plans = list(plans)
    root, blobs = dependencies.workspace.root, dependencies.store.blobs
    tracked = _tracked(root)
    why: dict[str, str] = dict.fromkeys(broken, "pipeline with mistakes")
    for plan in plans:
        why.setdefault(plan.path, "pipeline")
        for stage in plan.stages:
            for path, reason in _of_stage(plan, stage, dependencies):
                why.setdefault(path, reason)
            for path in (*inputs_of(stage), *observed(plan.pipeline, stage.id)):
                if tracked is not None and path in tracked and _is_small(root / path):
                    why.setdefault(path, "data")
    for path in (SETTINGS, CONNECTIONS, *_LOCKS):
        if (root / path).is_file():
            why.setdefault(path, "settings" if path in {SETTINGS, CONNECTIONS} else "versions")
    made = {output.path for plan in plans for stage in plan.stages for output in stage.outputs.values()}
    why = {path: reason for path, reason in why.items() if reason != "data" or path not in made}
    files = {path: _keep(root, path, why[path], blobs) for path in sorted(why)}
    return Release(
        files=files,
        versions=versions_of(plans, dependencies),
        pipelines=tuple(plan.pipeline for plan in plans),
        commit=origin.commit,
        changed=tuple(_changed(root, files)) if tracked is not None else tuple(files),
        at=at,
        by=origin.user,
        note=note,
    )


def versions_of(plans: Iterable[Plan], dependencies: ProjectDependencies) -> dict[str, str]:
    """The versions of Python, and of the distributions that the notebooks of these plans import, as they are installed."""
    found: dict[str, str] = {PYTHON: machine.python_version()}
    for plan in plans:
        for notebook, runs_in, folder in {(it.notebook, it.runs_in, it.folder) for it in plan.stages}:
            with contextlib.suppress(NotebookUnreadable):
                code = dependencies.code(notebook, runs_in, folder)
                kernel = "" if runs_in == "" else dependencies.kernel(notebook, runs_in)["kernel"]
                found |= dependencies.versions(code.imports, kernel)
    return found


def _of_stage(
    plan: Plan, stage: PlannedStage, dependencies: ProjectDependencies
) -> Iterator[tuple[str, str]]:
    yield stage.path, "notebook" if stage.program is None else stage.program.kind
    with contextlib.suppress(NotebookUnreadable):
        code = dependencies.code(stage.notebook, stage.runs_in, stage.folder)
        yield from ((item.path, "module") for item in code.modules)
        yield from ((item.path, "file of the code") for item in code.files)
    for name, output in stage.outputs.items():
        if output.contract is not None:
            yield output.contract.path, "contract"
            released = release_path(f"{plan.pipeline}.{stage.stage}.{name}")
            if dependencies.workspace.is_file(released):
                yield released, "released rows"
            yield from (
                (path, "function of a contract") for path in functions_of(output.contract, dependencies)
            )


def _is_small(place: Path) -> bool:
    return place.is_file() and place.stat().st_size <= MAX_DATA


def functions_of(contract: Contract, dependencies: ProjectDependencies) -> Iterator[str]:
    """The files of the functions that a contract names, and of the code that these use."""
    for rule in contract.rules:
        if isinstance(rule, FunctionRule):
            text = rule.target.rpartition(":")[0]
            with contextlib.suppress(PathRefused, NotebookUnreadable, OSError):
                path = dependencies.workspace.inside(text)
                if dependencies.workspace.is_file(path):
                    yield path
                    yield from dependencies.code_paths(path, "")


def _keep(root: Path, path: str, why: str, blobs: Blobs) -> ReleasedFile:
    place = root / path
    try:
        found = place.stat()
        return ReleasedFile(
            sha256=blobs.keep_file(place), size=found.st_size, why=why, executable=bool(found.st_mode & 0o111)
        )
    except OSError as error:
        raise UsageError(f"'{path}' cannot be released: {error.strerror or error}") from error


# -- the checkout ----------------------------------------------------------------------------------


def _tracked(root: Path) -> frozenset[str] | None:
    """The files of the project that are under version control; `None` where nothing is."""
    said = git(root, "ls-files", "-z", "--", ".", seconds=_PATIENCE)
    return None if said is None else frozenset(filter(None, said.split("\0")))


def _changed(root: Path, files: Mapping[str, ReleasedFile]) -> list[str]:
    """Those of the files that are not as in the commit."""
    said = git(
        root,
        "status",
        "--porcelain",
        "-z",
        "--ignored=matching",
        "--untracked-files=all",
        "--no-renames",
        "--",
        ".",
        seconds=_PATIENCE,
    )
    prefix = (git(root, "rev-parse", "--show-prefix") or "").strip()
    paths = {line[3:].removeprefix(prefix) for line in (said or "").split("\0") if len(line) > 3}
    folders = tuple(path for path in paths if path.endswith("/"))
    return [path for path in files if path in paths or path.startswith(folders)]
