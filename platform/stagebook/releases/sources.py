"""The data of a project that no stage makes, as its pipelines name it."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path

from stagebook.errors import StagebookError
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import Input
from stagebook.pipeline.types import Value
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.planning.plan import PlannedStage
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.workspace import Workspace

_EXPRESSION = re.compile(r"\$\{[^}]*\}")


def inputs_of(stage: PlannedStage | Instance) -> list[str]:
    """The inputs of a stage that no other stage of its pipeline makes, and that are files or folders of the project."""
    return [
        path
        for item in stage.inputs.values()
        for path, source in zip(item.paths, item.sources, strict=False)
        if not source and not any(path.startswith(f"{name}:") for name in item.connections)
    ]


def source_paths(
    catalog: Catalog, workspace: Workspace, params: Mapping[str, Value], env: Mapping[str, str]
) -> list[str]:
    """The inputs that no stage of any pipeline makes. Where a pipeline has one of the `params`, it counts in place of the
    default. What cannot be read is left out: planning tells of it."""
    found: dict[str, None] = {}
    made: set[str] = set()
    globs: set[str] = set()  # of inputs and of outputs that are about an interval, which is not known here
    made_globs: set[str] = set()
    for name in catalog.names():
        with contextlib.suppress(StagebookError, OSError):
            pipeline = catalog.load(name).pipeline
            values = {one.name: params.get(one.name, one.default) for one in pipeline.params.values()}
            for instance in Expansion(pipeline, values, workspace, env).expand().values():
                found |= dict.fromkeys(inputs_of(instance))
                made |= {output.path for output in instance.outputs.values()}
            for stage in pipeline.stages.values():
                globs |= {it for item in stage.inputs.values() for it in _globs_of(item)}
                outputs = [output.path for output in stage.outputs.values()]
                made_globs |= {_glob_of(path) for path in outputs if path.mentions("interval")}
    found |= dict.fromkeys(
        path
        for pattern in sorted(globs - made_globs)
        for path in _matches(workspace.root, pattern)
        if not any(fnmatch.fnmatchcase(path, other) for other in made_globs)
    )
    return [path for path in found if path not in made]


def _globs_of(item: Input) -> list[str]:
    """Patterns of all paths of an input, if any of them is about an interval: then none of them is known."""
    is_about = any(ref.text.mentions("interval") for ref in item.refs)
    return [_glob_of(ref.text) for ref in item.refs] if is_about else []


def _glob_of(template: Template) -> str:
    """A pattern that all files fit which a path may name."""
    return _EXPRESSION.sub("*", glob.escape(str(template.source)))


def _matches(root: Path, pattern: str) -> list[str]:
    return sorted(
        name.replace(os.sep, "/")
        for name in glob.glob(pattern, root_dir=root)
        if ".." not in name.split("/") and not os.path.isabs(name)
    )
