"""`stagebook cancel`."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.runs.cancel import cancel as cancel_run
from stagebook.runs.cancel import going_on
from stagebook.runs.origin import person_name
from stagebook.views.formatting import duration

_APART = 0.5  # seconds between two signals, since signals that arrive together count as one
_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 20.0  # seconds to wait beyond the grace that stages have


def cancel(
    run: Annotated[
        str | None, typer.Argument(help="A run, or a pipeline; may be left out where one run goes on.")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="At once: stages get no time to end.")] = False,
    as_json: Json = False,
) -> int:
    """Stop a run, whoever started it, and wait for its end."""
    with Project.open() as project:
        record = going_on(project.history, run)
        owner = cancel_run(project.history, record, person_name())
        began = time.monotonic()
        if now:
            time.sleep(_APART)
            with contextlib.suppress(UsageError):  # it has ended
                cancel_run(project.history, record)
        limit = project.settings.run.grace + _PATIENCE
        while (record := project.history.find(record.id)).ended is None and time.monotonic() - began < limit:
            time.sleep(_POLL)
    if as_json:
        state = {"status": str(record.status), "ended": record.ended}
        write_json({"run": record.id, "pid": owner.pid, **state})
    elif record.ended is not None:
        console().print(f"✓ {record.id} {record.status}", soft_wrap=True)
        console().print(f"  go on with   stagebook resume {record.id}", soft_wrap=True)
    else:
        passed = duration(time.monotonic() - began)
        console().print(
            f"! {record.id} still runs after {passed}; at once: stagebook cancel --now {record.id}"
        )
    return ExitCode.OK if record.ended is not None else ExitCode.STAGE_FAILED
