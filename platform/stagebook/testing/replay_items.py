"""Replays as tests of pytest: an item for each stage instance of a pipeline file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagebook.errors import ProjectNotFound, StagebookError
from stagebook.project import Project
from stagebook.testing import plugin
from stagebook.testing.outcome import StageFailed
from stagebook.testing.replay import Differs, NotReplayed, Replay, is_named, names_of, recorded
from stagebook.workspace.catalog import PIPELINES
from stagebook.workspace.environments import DEV


def replays(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The replays of a pipeline file; `None` for any other file."""
    if path.suffix not in {".yaml", ".yml"} or path.parent.name != PIPELINES:
        return None
    try:
        project = Project.open(path.parent, environment=DEV)
    except ProjectNotFound:
        return None
    with project:
        if path.parent != project.root / PIPELINES:
            return None
    made: pytest.Collector = PipelineReplays.from_parent(parent, path=path)
    return made


class PipelineReplays(pytest.File):
    """A pipeline file."""

    def collect(self) -> Iterator[pytest.Item]:
        """A replay of each of its stage instances that was asked for."""
        asked = self.config.getoption("--stagebook-stage")
        with Project.open(self.path.parent, environment=DEV) as project:
            pipeline = project.catalog.load(self.path.stem).pipeline.name
            names = names_of(project, self.path.stem)
        for name in names:
            if is_named(asked, pipeline, name):
                yield ReplayItem.from_parent(self, name=name, pipeline=pipeline)


class ReplayItem(pytest.Item):
    """The replay of one stage instance."""

    def __init__(self, *, pipeline: str, **more: Any) -> None:
        super().__init__(**more)
        self.pipeline = pipeline

    def runtest(self) -> None:
        """Replay the stage; it is skipped where what was recorded is not there any more."""
        factory: pytest.TempPathFactory = self.config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001 - an item has no fixtures
        tests = plugin.tests_of(self.config, self.path.parent, factory)
        result = recorded(tests.root, self.pipeline).get(self.name)
        if result is None:
            pytest.skip(
                f"{self.name} has no result: stagebook run {self.pipeline} {self.name.partition('@')[0]}"
            )
        try:
            remark = Replay(tests, self.pipeline, result).run(
                factory.mktemp("replay"), update=self.config.getoption("--stagebook-update")
            )
        except NotReplayed as error:
            pytest.skip(f"{self.name}: {error}")
        if remark:
            self.user_properties.append((plugin.REMARK, remark))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differs, or why it failed, without a traceback of Stagebook."""
        if isinstance(excinfo.value, Differs | StageFailed | StagebookError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What stands above a failure."""
        return self.path, None, f"replay of {self.pipeline}.{self.name}"
