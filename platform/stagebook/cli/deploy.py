"""`stagebook deploy`, `promote`, `approve` and `rollback`."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Annotated, Any

import typer

from stagebook.cli.event_lines import EventLines
from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.cli.progress import show_cautions, write_events
from stagebook.deploying import (
    Deployment,
    carry_out,
    prepare,
    propose,
    proposed,
    release_now,
    roll_back,
    source_of,
)
from stagebook.deploying import approve as carry_out_proposal
from stagebook.errors import ExitCode, UsageError
from stagebook.planning.plan import Decision
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.published.proposals import Proposal
from stagebook.views import deployment_tables
from stagebook.views.formatting import plain
from stagebook.workspace.environments import DEV, Environment

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; for a protected environment say --because, too.")
]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")]
Propose = Annotated[
    bool, typer.Option("--propose", help="Leave it to somebody else's word: stagebook approve.")
]
Dirty = Annotated[bool, typer.Option("--allow-dirty", help="Also with what is not committed; it is noted.")]


def deploy(
    release: Annotated[
        str | None,
        typer.Argument(help="The beginning of the id of a release (default: the working tree, released)."),
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="The environment.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    propose: Propose = False,
    because: Because = "",
    allow_dirty: Dirty = False,
    as_json: Json = False,
) -> int:
    """Run a release beside what an environment shows, and then show that, all at once."""
    if not to:
        raise UsageError("say where: --to NAME", hint="stagebook env list")
    home = Project.open(environment=DEV)
    found = (
        home.environments.releases.find(release) if release else release_now(home, allow_dirty=allow_dirty)
    )
    how = _How(dry_run=dry_run, yes=yes, propose=propose, because=because, as_json=as_json)
    return _go(prepare(home, to, found), how)


def promote(
    source: Annotated[
        str, typer.Argument(help="The environment that it stands in: dev is the working tree.")
    ],
    to: Annotated[str, typer.Argument(help="The environment that is to show it.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    propose: Propose = False,
    because: Because = "",
    allow_dirty: Dirty = False,
    as_json: Json = False,
) -> int:
    """Deploy to an environment what stands in another one: what came out there is taken, not computed again."""
    home = Project.open(environment=DEV)
    found = source_of(home, source, allow_dirty=allow_dirty)
    how = _How(dry_run=dry_run, yes=yes, propose=propose, because=because, as_json=as_json)
    return _go(prepare(home, to, found, "promotion"), how)


def approve(
    environment: Annotated[str, typer.Argument(help="The environment that it was proposed for.")],
    number: Annotated[
        int | None, typer.Argument(help="The proposal; may be left out where there is one.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Turn it down.")] = False,
    yes: Yes = False,
    because: Because = "",
    as_json: Json = False,
) -> int:
    """Carry out a deployment that somebody proposed, or turn it down."""
    home = Project.open(environment=DEV)
    if reject:
        proposals = home.environments.proposals(home.environments.find(environment))
        found = proposals.find(number)
        proposals.drop(found)
        if as_json:
            write_json({"rejected": found.number})
        else:
            console().print(f"✓ the proposal {found.number} for {environment} is turned down")
        return ExitCode.OK
    found, deployment = proposed(home, environment, number)
    if not as_json:
        why = f": {plain(found.because)}" if found.because else ""
        console().print(f"proposal {found.number} of {plain(found.by)}{why}", soft_wrap=True)
    return _go(deployment, _How(yes=yes, because=because, as_json=as_json, proposal=found))


def rollback(
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="VERSION", help="This version (default: the one before).", min=1),
    ] = None,
    env: Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")] = "",
    because: Because = "",
    tables: Annotated[
        bool,
        typer.Option(
            "--tables", help="Also put back tables that runs add to, with the bookmarks of their stages."
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Show an earlier version of an environment again, with its code."""
    if not env:
        raise UsageError("say where: --env NAME", hint="stagebook env list")
    home = Project.open(environment=DEV)
    started = time.monotonic()
    made = roll_back(home, env, to, because=because, tables=tables)
    if as_json:
        write_json(_told(made))
    else:
        took = time.monotonic() - started
        console().print(
            f"✓ {env} shows what version {made.shows} had, as version {made.version}  ({took:.1f} s)"
        )
    return ExitCode.OK


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How to go about a deployment; `proposal`: it is one that was proposed."""

    dry_run: bool = False
    yes: bool = False
    propose: bool = False
    because: str = ""
    as_json: bool = False
    proposal: Proposal | None = None


def _go(deployment: Deployment, how: _How) -> int:
    environment, out = deployment.environment, console()
    if not how.as_json:
        out.print(deployment_tables.deployment(deployment), soft_wrap=True)
    if how.dry_run or deployment.changes_nothing:
        if how.as_json:
            write_json(_planned(deployment))
        elif deployment.changes_nothing:
            out.print(f"✓ {environment.name} shows this already")
        return ExitCode.OK
    if how.propose:
        found = propose(deployment, how.because)
        if how.as_json:
            write_json(dataclasses.asdict(found))
        else:
            out.print(
                f"✓ proposal {found.number}; approve it: stagebook approve {environment.name} {found.number}"
            )
        return ExitCode.OK
    because = _ask(environment, how)
    listeners = [write_events if how.as_json else EventLines().take]
    if how.proposal is not None:
        made = carry_out_proposal(deployment, how.proposal, because, listeners)
    else:
        made = carry_out(deployment, because=because, listeners=listeners)
    if how.as_json:
        write_json(_told(made))
    else:
        back = f"; back again: stagebook rollback --env {environment.name}" if made.before else ""
        out.print(
            f"✓ {environment.name} shows version {made.version}, of the release {deployment.release.short}{back}",
            soft_wrap=True,
        )
        show_cautions(out, deployment.project)
    return ExitCode.OK


def _ask(environment: Environment, how: _How) -> str:
    """Ask whether to go on, and why where that has to be said; the reason. Raises `UsageError` where nobody is there to
    ask, and `typer.Abort` where the answer is no."""
    because = how.because
    if how.yes and (because or not environment.protected):
        return because
    if how.as_json or not sys.stdin.isatty() or how.yes:
        said = "--yes and --because TEXT, or --propose" if environment.protected else "--yes"
        what = (
            "is protected" if how.yes else "is not changed without an answer, and nobody is there to give one"
        )
        raise UsageError(f"{environment.name} {what}", hint=f"say {said}")
    if environment.protected and not because:
        because = typer.prompt(f"{environment.name} is protected; why is this right")
    typer.confirm(f"go on, and show this in {environment.name}?", abort=True)
    return because


def _planned(deployment: Deployment) -> dict[str, Any]:
    return {
        "environment": deployment.environment.name,
        "release": deployment.release.id,
        "protected": deployment.environment.protected,
        "runs": deployment.stages(Decision.RUN, Decision.WAIT),
        "audits": deployment.stages(Decision.AUDIT),
        "takes": deployment.stages(Decision.REUSE),
        "datasets": deployment.changed_datasets,
        "params": {name: list(pair) for name, pair in deployment.changed_params.items()},
        "doubts": list(deployment.doubts),
    }


def _told(made: Manifest) -> dict[str, Any]:
    names = (
        "environment", "version", "release", "kind", "by", "because", "approved_by", "before", "shows",
    )  # fmt: skip
    return {name: getattr(made, name) for name in names}
