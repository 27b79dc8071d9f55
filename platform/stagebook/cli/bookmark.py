"""`stagebook bookmark list`, `show`, `rewind` and `reset`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.runs import bookmarks
from stagebook.views import bookmark_tables
from stagebook.views.formatting import plural

bookmark = typer.Typer(
    help="Show how far stages with a bookmark have read, and have them read again.",
    no_args_is_help=True,
    add_completion=False,
)

Pipeline = Annotated[str, typer.Argument(help="A name under pipelines/, or a path.")]
Stage = Annotated[str, typer.Argument(help="A stage with a bookmark, or an instance of one.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")]


@bookmark.command("list")
def list_bookmarks(
    pipeline: Annotated[str | None, typer.Argument(help="A name under pipelines/, or a path.")] = None,
    as_json: Json = False,
) -> int:
    """List the stages that have a bookmark, and how far they have read."""
    project = Project.open()
    found: list[bookmarks.Reading] = []
    for name in [pipeline] if pipeline else project.catalog.names():
        found += bookmarks.readings(project.catalog.load(name).pipeline, project.history)
    if as_json:
        write_json({"bookmarks": [one.to_json() for one in found]})
    elif found:
        console().print(bookmark_tables.readings(found, time.time()))
    else:
        console().print("no stage has a bookmark; see docs/bookmarks.md")
    return ExitCode.OK


@bookmark.command()
def show(
    pipeline: Pipeline,
    stage: Stage,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most so many items.", min=1)] = 50,
    as_json: Json = False,
) -> int:
    """Show what a stage has read, and in which run."""
    project = Project.open()
    found = bookmarks.reading(project.catalog.load(pipeline).pipeline, project.history, stage)
    if as_json:
        write_json({"bookmarks": [one.to_json() for one in found]})
        return ExitCode.OK
    out = console()
    for one in found:
        if not one.items:
            out.print(f"{one.stage} has read nothing of {one.of} yet", soft_wrap=True)
            continue
        out.print(bookmark_tables.items(one, time.time(), limit))
        if len(one.items) > limit:
            out.print(f"the last {limit} of {len(one.items):,}; --limit shows more", style="dim")
    return ExitCode.OK


@bookmark.command()
def rewind(
    pipeline: Pipeline,
    stage: Stage,
    to: Annotated[str, typer.Option("--to", metavar="RUN", help="As it stood after this run.")] = "",
    items: Annotated[
        list[str] | None,
        typer.Option("--item", metavar="GLOB", help="Read these again, as `show` names them."),
    ] = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="VALUE", help="Read again what is new since this value.")
    ] = None,
    because: Because = "",
) -> int:
    """Move a bookmark back, so that the next run reads again what came after."""
    if bool(to) + bool(items) + (value is not None) != 1:
        raise UsageError("say how far: --to RUN, --item GLOB, or --value VALUE")
    with Project.open() as project:
        loaded = project.catalog.load(pipeline).pipeline
        chosen = bookmarks.reading(loaded, project.history, stage)
        run = project.history.find(to).id if to else ""
        back = bookmarks.Back(run=run, items=items or (), value=value)
        moved = bookmarks.move(project.launcher, loaded, chosen, back, because)
    return _tell(moved, pipeline)


@bookmark.command()
def reset(pipeline: Pipeline, stage: Stage, because: Because = "") -> int:
    """Have a stage read everything again."""
    with Project.open() as project:
        loaded = project.catalog.load(pipeline).pipeline
        chosen = bookmarks.reading(loaded, project.history, stage)
        moved = bookmarks.move(project.launcher, loaded, chosen, bookmarks.Back(), because)
    return _tell(moved, pipeline)


def _tell(moved: bookmarks.Moved, pipeline: str) -> int:
    told = ", ".join(f"{plural(count, 'mark')} of {name}" for name, count in moved.stages.items())
    console().print(
        f"✓ moved back: {told}  (run {moved.run}); the next run reads again: stagebook run {pipeline}",
        soft_wrap=True,
    )
    return ExitCode.OK
