"""`cancel`: stop a run that another process goes on with."""

from __future__ import annotations

import contextlib
import time

from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.runs.cancel import cancel as cancel_run
from stagebook.runs.cancel import going_on
from stagebook.views.formatting import duration

_APART = 0.5  # seconds between two signals, lest they are taken for one
_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 20.0  # seconds beyond those that stages have to end


def cancel(name: str | None, *, now: bool, as_json: bool) -> int:
    """Stop a run and wait for its end; the exit code is 1 if it did not come."""
    project = Project.open()
    run = going_on(project, name)
    owner = cancel_run(project, run)
    began = time.monotonic()
    if now:
        time.sleep(_APART)
        with contextlib.suppress(UsageError):  # it is over already
            cancel_run(project, run)
    limit = project.settings.run.grace + _PATIENCE
    while (run := project.find_run(run.id)).ended is None and time.monotonic() - began < limit:
        time.sleep(_POLL)
    if as_json:
        write_json({"run": run.id, "pid": owner.pid, "status": str(run.status), "ended": run.ended})
    elif run.ended is not None:
        console().print(f"✓ {run.id} {run.status}", soft_wrap=True)
        console().print(f"  to go on with it: stagebook resume {run.id}", soft_wrap=True)
    else:
        passed = duration(time.monotonic() - began)
        console().print(f"! {run.id} goes on after {passed}; at once: stagebook cancel --now {run.id}")
    project.close()
    return ExitCode.OK if run.ended is not None else ExitCode.STAGE_FAILED
