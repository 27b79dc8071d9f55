"""The pipelines of a project: their files, and their parameters with the values given for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stagebook.errors import PipelineInvalid, PipelineNotFound, Problem, did_you_mean
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.params import Origins, bind_params, parse_file, parse_pairs
from stagebook.pipeline.types import Value

PIPELINES = "pipelines"
_SUFFIXES = (".yaml", ".yml")


class Catalog:
    """The pipelines of the project at `root`. Nothing is read before it is asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The names of the pipelines under `pipelines/`, sorted."""
        folder = self.root / PIPELINES
        if not folder.is_dir():
            return []
        return sorted(path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES)

    def find(self, name: str | None = None) -> str:
        """The path of a pipeline file, relative to the project.

        `name` is a name under `pipelines/` or a path; it may be left out where there is just one.

        Raises:
            PipelineNotFound: there is none of that name, or more than one to choose from.
        """
        known = self.names()
        if name is None:
            if not known:
                hint = "make a project with one: stagebook init NAME"
                raise PipelineNotFound("there is no pipeline under pipelines/", hint=hint)
            if len(known) > 1:
                raise PipelineNotFound(f"name one of the pipelines: {', '.join(known)}")
            name = known[0]
        for suffix in _SUFFIXES:
            if name in known and (self.root / PIPELINES / f"{name}{suffix}").is_file():
                return f"{PIPELINES}/{name}{suffix}"
        if name.endswith(_SUFFIXES):
            for base in (Path.cwd(), self.root):
                path = (base / name).resolve()
                if path.is_file():
                    if not path.is_relative_to(self.root):
                        raise PipelineNotFound(f"'{name}' is outside of the project {self.root}")
                    return path.relative_to(self.root).as_posix()
        raise PipelineNotFound(f"there is no pipeline '{name}'", hint=did_you_mean(name, known))

    def load(self, name: str | None = None) -> LoadedPipeline:
        """Read a pipeline file; its mistakes come along."""
        path = self.find(name)
        try:
            text = (self.root / path).read_bytes()
        except OSError as error:
            problem = Problem(path=path, message=f"cannot be read: {error.strerror}")
            raise PipelineInvalid([problem]) from error
        return load_pipeline(text, path)


def bind(
    pipeline: Pipeline,
    *,
    defaults: Mapping[str, Value] | None = None,
    files: Sequence[Path] = (),
    pairs: Sequence[str] = (),
    values: Mapping[str, Value],
) -> tuple[dict[str, Value], list[Problem]]:
    """The parameters of a run, and the problems with what was given for them. `values` win over `pairs`, these over
    `files`, these over `defaults`, and these over the defaults of the file."""
    given: dict[str, Value] = dict(defaults or {})
    origins: Origins = {}
    problems: list[Problem] = []
    for file in files:
        try:
            more, places, found = parse_file(file.read_bytes(), str(file))
        except OSError as error:
            problems.append(Problem(path=str(file), message=f"cannot be read: {error.strerror}"))
            continue
        given |= more
        origins |= places
        problems += found
    more, found = parse_pairs(pipeline, pairs)
    given |= more | dict(values)
    for name in {**more, **values}:
        origins.pop(name, None)  # what is given on the command line wins, and is to blame
    bound, wrong = bind_params(pipeline, given, origins)
    return bound, [*problems, *found, *wrong]
