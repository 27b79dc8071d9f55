"""`stagebook env list`, `show`, `create` and `remove`."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Annotated

import typer

from stagebook.cli.options import Json, Params
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, PipelineInvalid
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.params import parse_pairs
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.published.models import models_of
from stagebook.runs.origin import user_name
from stagebook.runs.shown import ShownVersion, shown_table
from stagebook.views import environment_tables
from stagebook.workspace.environments import DEV, Environment

env = typer.Typer(
    help="List, show, make and remove environments: named places where results are published.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[str, typer.Argument(help="An environment.")]


@env.command("list")
def list_environments(as_json: Json = False) -> int:
    """List the environments of the project, with what each shows."""
    project = Project.open(environment=DEV)
    shown = shown_table(project.placement, project.settings, project.store)
    found = [(one, _manifest(shown.find(one))) for one in project.environments.all().values()]
    if as_json:
        write_json({"environments": [_to_json(one, manifest) for one, manifest in found]})
    elif found:
        console().print(environment_tables.environments(found, time.time()))
    else:
        console().print(
            "no environment but dev, the working tree; declare one as [environments.NAME] in stagebook.toml"
        )
    return ExitCode.OK


@env.command()
def show(
    name: Name,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", help="This version (default: the current one).", min=1),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show what readers of an environment see, and its versions."""
    project = Project.open(environment=DEV)
    environment = project.environments.find(name)
    versions = project.environments.versions(environment)
    shown = shown_table(project.placement, project.settings, project.store).find(environment, version)
    manifest = _manifest(shown)
    if as_json:
        known = [one.version for one in versions.all()]
        text = json.loads(manifest.to_text()) if manifest is not None else None
        waiting = [dataclasses.asdict(one) for one in project.environments.proposals(environment).all()]
        models = models_of(versions.place(manifest.version)) if manifest is not None else {}
        facts = {"manifest": text, "models": models, "versions": known, "proposals": waiting}
        write_json({**_to_json(environment, None), **facts})
        return ExitCode.OK
    out = console()
    place = None if shown is not None and shown.told is not None else versions
    out.print(environment_tables.facts(environment, manifest, place))
    for one in project.environments.proposals(environment).all():
        out.print(environment_tables.proposal(name, one), soft_wrap=True)
    if manifest is not None:
        out.print()
        out.print(environment_tables.datasets(manifest, time.time()))
    if manifest is not None and place is not None:
        out.print()
        out.print(environment_tables.versions(versions.all(), manifest.version, time.time()))
    return ExitCode.OK


@env.command()
def create(
    name: Name,
    parent: Annotated[str, typer.Option("--from", metavar="NAME", help="What it inherits from.")] = DEV,
    params: Params = None,
    as_json: Json = False,
) -> int:
    """Make an environment, such as for a branch; results of others are taken, not computed again."""
    project = Project.open(environment=DEV)
    values, problems = parse_pairs(Pipeline(name="", path=""), params or [])
    if problems:
        raise PipelineInvalid(problems)
    made = project.environments.create(name, parent, values, time.time(), user_name())
    if as_json:
        write_json(_to_json(made, None))
    else:
        console().print(f"✓ {name} is there, from {parent}; run in it: stagebook run --env {name}")
    return ExitCode.OK


@env.command()
def remove(name: Name, as_json: Json = False) -> int:
    """Remove an environment that `create` made, with its history and all that it shows."""
    project = Project.open(environment=DEV)
    project.environments.remove(name)
    if as_json:
        write_json({"removed": name})
    else:
        console().print(f"✓ {name} is removed")
    return ExitCode.OK


def _manifest(shown: ShownVersion | None) -> Manifest | None:
    return shown.manifest if shown is not None else None


def _to_json(one: Environment, manifest: Manifest | None) -> dict[str, object]:
    shown = {"version": manifest.version, "release": manifest.release, "at": manifest.at} if manifest else {}
    plain = dataclasses.asdict(one)
    return {
        name: plain[name] for name in ("name", "parent", "params", "path", "publish", "protected")
    } | shown
