"""`stagebook store`: gc, verify, status and push."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.runs import gc
from stagebook.runs.push import Sharing
from stagebook.runs.shown import tell
from stagebook.sharing.collect import collect_shared
from stagebook.sharing.shared_store import SharedStore
from stagebook.views.formatting import plain, plural, size
from stagebook.views.sharing_lines import caution_lines, sharing_lines
from stagebook.workspace.project_name import project_name

store = typer.Typer(
    help="Look after the store of outputs, and the one that is shared with others.",
    no_args_is_help=True,
    add_completion=False,
)


@store.command("gc")
def collect(
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            "--keep-days",
            metavar="N",
            help="Keep results of the last N days (default: settings).",
            min=0,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Of the shared store: results that nobody used in the last N days."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove outputs that no result refers to any more."""
    project = Project.open()
    keep = project.settings.store.keep_days if days is None else days
    if remote:
        _collect_shared(_shared(project, writes=True), days=keep, dry_run=dry_run, as_json=as_json)
        return
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


def _collect_shared(shared: SharedStore, *, days: float, dry_run: bool, as_json: bool) -> None:
    done = collect_shared(shared.place, now=time.time(), days=days, dry=dry_run)
    if as_json:
        names = ("results", "spoilt", "blobs", "freed", "kept_results", "kept", "size")
        write_json({"dry_run": dry_run, **{name: getattr(done, name) for name in names}})
        return
    verb = "would be removed" if dry_run else "removed"
    damaged = f" and {done.spoilt} that are damaged" if done.spoilt else ""
    console().print(
        f"{plural(done.results, 'result')}{damaged} {verb}, {plural(done.blobs, 'blob')}, {size(done.freed)};"
        f" {plural(done.kept_results, 'result')} kept, {plural(done.kept, 'blob')}, {size(done.size)}"
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


@store.command()
def status(as_json: Json = False) -> int:
    """Show what is in the store, and whether the shared store can be reached."""
    with Project.open() as project:
        blobs = list(project.store.blobs.digests())
        total = sum(length for _, length in blobs)
        shared = project.placement.shared(project.root, project.settings)
        reached = shared is None or shared.is_there()
        waiting = _sharing(project, shared).count_waiting() if shared and project.history.has_journal else 0
    if as_json:
        remote = None
        if shared is not None:
            cautions = [one.to_json() for one in shared.cautions]
            remote = {"place": shared.access.shown, "writes": shared.access.writes, "reached": reached}
            remote |= {"waiting": waiting, "cautions": cautions}
        write_json({"blobs": len(blobs), "size": total, "remote": remote})
    else:
        out = console()
        out.print(f"the store: {plural(len(blobs), 'blob')}, {size(total)}")
        if shared is not None and reached:
            how = (
                "results are taken from it and put into it"
                if shared.access.writes
                else "results are taken from it"
            )
            more = f"; {plural(waiting, 'result')} to be looked at by the next push" if waiting else ""
            out.print(f"✓ the shared store {plain(shared.access.shown)}: {how}{more}", soft_wrap=True)
        for line in caution_lines(shared.cautions if shared is not None else ()):
            out.print(line, style="yellow", soft_wrap=True)
    return ExitCode.OK if reached else ExitCode.STAGE_FAILED


@store.command()
def push(
    every: Annotated[
        bool, typer.Option("--all", help="Look at all results, also those that were pushed before.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Put results into the shared store that are not there yet, and what environments show."""
    with Project.open() as project:
        shared = _shared(project, writes=True)
        sharing = _sharing(project, shared)
        done = sharing.push(all_of_them=every)
        for environment in project.environments.all().values():
            tell(sharing, environment, project.environments)
        done = dataclasses.replace(done, cautions=tuple(dict.fromkeys((*done.cautions, *shared.cautions))))
    if as_json:
        write_json(done.to_json())
    else:
        for line in sharing_lines(done) or ["nothing to put into the shared store"]:
            console().print(line, style="yellow" if line.startswith("!") else None, soft_wrap=True)
        if done.private:
            console().print(f"{plural(done.private, 'result')} not shared: see docs/shared-store.md")
    return ExitCode.STAGE_FAILED if done.cautions else ExitCode.OK


def _sharing(project: Project, shared: SharedStore) -> Sharing:
    return Sharing(
        root=project.root,
        shared=shared,
        journal=lambda: project.journal,
        store=project.store,
        project=lambda: project_name(project.home, project.settings.project.name),
    )


def _shared(project: Project, *, writes: bool) -> SharedStore:
    """The shared store of a project. Raises `UsageError` where it has none, or none that it may write to."""
    shared = project.placement.shared(project.root, project.settings)
    if shared is None:
        hint = 'name one in stagebook.toml, as [store] remote = "…"'
        raise UsageError("the project shares no store with others", hint=hint)
    if writes and not shared.access.writes:
        msg = f"the shared store {shared.access.shown} is only read here"
        raise UsageError(msg, hint='store.remote_mode = "read-write", or STAGEBOOK_STORE_REMOTE_MODE')
    return shared
