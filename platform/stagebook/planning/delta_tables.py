"""What is wrong with the Delta tables among the outputs, as far as it shows before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stagebook.errors import Problem
from stagebook.pipeline.model import Location, Pipeline
from stagebook.planning.instances import Instance
from stagebook.workspace.workspace import Workspace


def table_problems(
    pipeline: Pipeline, instances: Mapping[str, Instance], project: Workspace
) -> Iterator[Problem]:
    """The library is there, and so is the place of each table."""
    for instance in instances.values():
        for name, output in instance.outputs.items():
            if output.delta is None:
                continue
            location: Location = ("stages", instance.stage.name, "outputs", name)
            if not project.tables.can_be_written:
                message, hint = (
                    "Delta tables need deltalake, which is not installed",
                    "pip install 'stagebook[data]'",
                )
                yield pipeline.problem((*location, "kind"), message, hint)
                return
            if project.tables.is_blocked(output.path):
                message = f"'{output.path}' holds something else than a Delta table"
                yield pipeline.problem(location, message, "move it away, or give the output another path")
