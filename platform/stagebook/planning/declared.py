"""What a pipeline declares, held against the files: the same for all parameters and intervals, so that many plans share it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Self

from stagebook.contracts.contract import Contract
from stagebook.errors import Problem
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.notebook import NotebookFacts
from stagebook.planning import bookmarks, connections, contracts
from stagebook.planning.checks import NotebookChecks
from stagebook.planning.programs import ProgramChecks
from stagebook.planning.workdirs import workdir_problems
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The notebooks and contracts of a pipeline.

    Args:
        facts: stage → what its notebook says of itself, `None` where it cannot be read.
        notebooks: stage → the path of its notebook, normalised, whether it can be read or not; of a program, that of the
            notebook that is made for it.
        programs: stage → the path of the file of its program.
        contracts: `stage.output` → the contract of an output.
        problems: every mistake in them, `warnings` what may be one.
    """

    facts: Mapping[str, NotebookFacts | None]
    notebooks: Mapping[str, str]
    programs: Mapping[str, str]
    contracts: Mapping[str, Contract]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @classmethod
    def of(cls, pipeline: Pipeline, project: Workspace) -> Self:
        """What is there now."""
        checks = NotebookChecks(pipeline, project)
        programs = ProgramChecks(checks)
        facts = {
            stage.name: checks.facts(stage) if stage.program is None else programs.facts(stage)
            for stage in pipeline.stages.values()
        }
        attached = contracts.attach(pipeline, project)
        return cls(
            facts=facts,
            notebooks={**dict(_notebooks(pipeline, project)), **programs.notebooks},
            programs=programs.files,
            contracts=attached.contracts,
            problems=(
                *checks.problems.found,
                *connections.check(pipeline, project),
                *attached.problems,
                *workdir_problems(pipeline, project),
            ),
            warnings=(*checks.warnings.found, *bookmarks.warnings(pipeline)),
        )

    @property
    def files(self) -> set[str]:
        """The files that stages run: notebooks, and those of programs."""
        notebooks = (path for stage, path in self.notebooks.items() if stage not in self.programs)
        return {*notebooks, *self.programs.values()}


def _notebooks(pipeline: Pipeline, project: Workspace) -> Iterator[tuple[str, str]]:
    for stage in pipeline.stages.values():
        with contextlib.suppress(PathRefused):  # which is among the problems
            yield stage.name, project.inside(stage.notebook)
