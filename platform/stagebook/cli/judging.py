"""`why`, `accept`, `store` and `doctor`: what is known of results, and what a person says of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Given, Project
from stagebook.runs.accept import accept as accept_stages
from stagebook.runs.accept import why as explain_stages
from stagebook.runs.doctor import examine
from stagebook.runs.gc import collect, verify
from stagebook.views import reports
from stagebook.views.formatting import plural, size


def why(
    pipeline: str | None,
    stages: Sequence[str],
    params: Sequence[str],
    files: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    """Explain the decisions about stages."""
    project = Project.open()
    found = explain_stages(project, pipeline, stages, Given(pairs=params, files=files))
    if as_json:
        write_json({"stages": [item.to_json() for item in found]})
    else:
        out = console()
        for at, item in enumerate(found):
            if at:
                out.print()
            out.print(reports.explanation(item, time.time()), soft_wrap=True)
    project.close()


def accept(
    pipeline: str,
    stages: Sequence[str],
    because: str,
    params: Sequence[str],
    files: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    """Declare outputs good."""
    project = Project.open()
    done = accept_stages(project, pipeline, stages, because, Given(pairs=params, files=files))
    if as_json:
        write_json({"run": done.run, "accepted": list(done.stages)})
    else:
        names = ", ".join(done.stages)
        console().print(f"✓ accepted: {names}  (run {done.run})", soft_wrap=True)
    project.close()


def store_gc(days: int | None, *, dry_run: bool, as_json: bool) -> None:
    """Remove what nothing refers to."""
    project = Project.open()
    keep = project.settings.store.keep_days if days is None else days
    done = collect(project.journal, project.store, now=time.time(), days=keep, dry=dry_run)
    if as_json:
        names = ("results", "blobs", "freed", "kept", "size")
        write_json({"dry_run": dry_run, **{name: getattr(done, name) for name in names}})
        return
    verb = "would be removed" if dry_run else "removed"
    console().print(
        f"{plural(done.blobs, 'blob')} {verb}, {size(done.freed)}; {plural(done.results, 'result')} forgotten;"
        f" {plural(done.kept, 'blob')} kept, {size(done.size)}"
    )


def store_verify(*, as_json: bool) -> int:
    """Read everything in the store; the exit code is 1 if something was damaged."""
    project = Project.open()
    found = verify(project.journal, project.store)
    if as_json:
        write_json(
            {
                "blobs": found.blobs,
                "size": found.size,
                "damaged": list(found.damaged),
                "missing": list(found.missing),
            }
        )
    else:
        out = console()
        for digest in found.damaged:
            out.print(f"✗ {digest[:12]} was damaged, and is removed", style="red")
        if found.missing:
            what = plural(len(found.missing), "blob")
            out.print(f"! {what} that results refer to: not there; the stages run again if they are needed")
        if not found.damaged:
            out.print(f"✓ {plural(found.blobs, 'blob')}, {size(found.size)}, all as they were written")
    return ExitCode.STAGE_FAILED if found.damaged else ExitCode.OK


def doctor(*, repair: bool, check_store: bool, as_json: bool) -> int:
    """Examine the state of the project; the exit code is 1 if something is left to do."""
    root = Project.open().root
    found = list(examine(root, repair=repair, check_store=check_store))
    left = any(item.level == "error" and not item.mended for item in found)
    if as_json:
        write_json({"ok": not left, "findings": [item.to_json() for item in found]})
    else:
        console().print(reports.findings(found), soft_wrap=True)
    return ExitCode.STAGE_FAILED if left else ExitCode.OK
