"""`stagebook doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, JournalUnreadable, PipelineInvalid
from stagebook.project import Project
from stagebook.runs.doctor import Finding, examine
from stagebook.views import reports
from stagebook.views.formatting import plural


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired.")] = False,
    check_store: Annotated[bool, typer.Option("--store", help="Read the whole store, too.")] = False,
    as_json: Json = False,
) -> int:
    """Look for damage in the project's state; repair it with --repair."""
    project = Project.open()
    found = list(examine(project.root, repair=repair, check_store=check_store))
    found += _shared_findings(project)
    found += _alert_findings(project)
    damaged = any(item.level == "error" and not item.mended for item in found)
    if as_json:
        write_json({"ok": not damaged, "findings": [item.to_json() for item in found]})
    else:
        console().print(reports.findings(found), soft_wrap=True)
    return ExitCode.STAGE_FAILED if damaged else ExitCode.OK


def _alert_findings(project: Project) -> list[Finding]:
    """The alerts that could not be sent; of a damaged journal the others tell."""
    try:
        with project:
            waiting = project.journal.alerts.waiting() if project.history.has_journal else []
    except JournalUnreadable:
        return []
    failed = [one for one in waiting if one.tries]
    if not failed:
        return []
    what = f"{plural(len(failed), 'alert')} could not be sent: {failed[-1].trouble}"
    return [Finding(level="warning", what=what, hint="try again: stagebook notify send")]


def _shared_findings(project: Project) -> list[Finding]:
    try:
        with project:
            shared = project.placement.shared(project.root, project.settings)
            if shared is None:
                return []
            if shared.is_there():
                return [Finding(level="ok", what=f"the shared store {shared.access.shown}: it answers")]
            return [Finding(level="warning", what=one.message, hint=one.hint) for one in shared.cautions]
    except PipelineInvalid as error:
        problem = error.problems[0]
        return [Finding(level="error", what=f"{problem.place}: {problem.message}", hint=problem.hint)]
