"""`stagebook store gc` and `stagebook store verify`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.runs import gc
from stagebook.views.formatting import plural, size

store = typer.Typer(
    help="Verify the store of outputs, or remove what is no longer needed.",
    no_args_is_help=True,
    add_completion=False,
)


@store.command("gc")
def collect(
    days: Annotated[
        int | None,
        typer.Option(
            "--days", metavar="N", help="Keep results of the last N days (default: settings).", min=0
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove outputs that no result refers to any more."""
    project = Project.open()
    keep = project.settings.store.keep_days if days is None else days
    files = {
        file.sha256 for release in project.environments.releases.all() for file in release.files.values()
    }
    done = gc.collect(
        project.journal,
        project.store,
        root=project.root,
        now=time.time(),
        days=keep,
        dry=dry_run,
        others=gc.Others(results=project.placement.results_elsewhere(all_of_them=True), files=files),
    )
    if as_json:
        names = ("results", "blobs", "freed", "kept", "size", "data_files")
        write_json({"dry_run": dry_run, **{name: getattr(done, name) for name in names}})
        return
    verb = "would be removed" if dry_run else "removed"
    tables = f" and {plural(done.data_files, 'data file')} of Delta tables" if done.data_files else ""
    console().print(
        f"{plural(done.blobs, 'blob')}{tables} {verb}, {size(done.freed)}; {plural(done.results, 'result')} forgotten;"
        f" {plural(done.kept, 'blob')} kept, {size(done.size)}"
    )


@store.command()
def verify(as_json: Json = False) -> int:
    """Read everything in the store, and remove what is damaged."""
    project = Project.open()
    found = gc.verify(project.journal, project.store)
    if as_json:
        data = {"blobs": found.blobs, "size": found.size}
        write_json({**data, "damaged": list(found.damaged), "missing": list(found.missing)})
    else:
        out = console()
        for digest in found.damaged:
            out.print(f"✗ {digest[:12]} was damaged, and is removed", style="red")
        if found.missing:
            what = plural(len(found.missing), "blob")
            out.print(f"! {what} that results refer to: not in the store; their stages run again when needed")
        if not found.damaged:
            out.print(f"✓ {plural(found.blobs, 'blob')}, {size(found.size)}, all as they were written")
    return ExitCode.STAGE_FAILED if found.damaged else ExitCode.OK
