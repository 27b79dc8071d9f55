"""`stagebook contract list`, `draft`, `test` and `diff`."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated

import typer

from stagebook.audits import Audit, Severity
from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.contracts.contract import FOLDER, Contract
from stagebook.errors import ExitCode, PipelineInvalid, UsageError
from stagebook.project import Project
from stagebook.runs.backtest import Tested, backtest
from stagebook.runs.datasets import Datasets
from stagebook.runs.differences import Difference, difference_of, two_of
from stagebook.runs.drafting import draft_for, write_draft
from stagebook.views import contract_tables, data_tables
from stagebook.workspace.contracts import Contracts

contract = typer.Typer(
    help="Say what must hold of an output: draft it, test it on earlier versions, compare these.",
    no_args_is_help=True,
    add_completion=False,
)

Pipeline = Annotated[str, typer.Argument(help="A name under pipelines/, or a path.")]
Dataset = Annotated[str, typer.Argument(metavar="STAGE.OUTPUT", help="An output of a stage.")]


@contract.command("list")
def list_contracts(
    pipeline: Annotated[str | None, typer.Argument(help="A name under pipelines/, or a path.")] = None,
    as_json: Json = False,
) -> int:
    """Show which outputs have a contract, and what it came to last."""
    project = Project.open()
    rows = []
    for file in [pipeline] if pipeline else project.catalog.names():
        plan = project.plan(file)
        latest = project.history.latest_stages(plan.pipeline)
        for stage in plan.stages:
            for name, output in stage.outputs.items():
                known = latest.get(stage.id)
                audit = known[1].audits.get(name) if known is not None else None
                rows.append((f"{plan.pipeline}.{stage.id}.{name}", output.contract, audit))
    if as_json:
        write_json({"outputs": [_to_json(*row) for row in rows]})
    else:
        console().print(contract_tables.contracts(rows) if rows else "no outputs yet")
    return ExitCode.OK


@contract.command()
def draft(
    pipeline: Pipeline,
    dataset: Dataset,
    write: Annotated[
        bool, typer.Option("--write", help="Write it to contracts/, unless there is one.")
    ] = False,
) -> int:
    """Propose a contract for an output, from what it holds now."""
    project = Project.open()
    instances = _datasets(project, pipeline).instances(dataset)
    if not write:
        typer.echo(draft_for(instances, project.root), nl=False)
        return ExitCode.OK
    path = write_draft(instances, project.root)
    console().print(
        f"wrote {path}; the next run audits {dataset}, without running its notebook", soft_wrap=True
    )
    return ExitCode.OK


@contract.command("test")
def try_on_versions(
    pipeline: Pipeline,
    dataset: Dataset,
    file: Annotated[
        str | None,
        typer.Option("--contract", metavar="FILE", help="Another contract than that of the output."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Hold a contract against all versions of its output that are in the store: when would it have fired?"""
    project = Project.open()
    datasets = _datasets(project, pipeline)
    one = datasets.instances(dataset)[0]
    path = file or f"{FOLDER}/{one.whole}.yaml"
    loaded = Contracts(project.root).load(path)
    if loaded.problems:
        raise PipelineInvalid(list(loaded.problems))
    versions = datasets.written(one)
    if not versions:
        raise UsageError(
            f"there is no version of {one.whole} yet", hint=f"stagebook run {one.pipeline} {one.base}"
        )
    tested = list(backtest(loaded.contract, versions, project.store, project.root))
    if as_json:
        write_json({"versions": [_tested_to_json(one) for one in tested]})
    else:
        console().print(contract_tables.tested(tested, time.time()))
    fired = any(one.audit is not None and one.audit.worst() is Severity.FAIL for one in tested)
    return ExitCode.STAGE_FAILED if fired else ExitCode.OK


@contract.command()
def diff(
    pipeline: Pipeline,
    dataset: Dataset,
    before: Annotated[
        str, typer.Argument(help="A run, or the beginning of its id (default: the one before).")
    ] = "",
    after: Annotated[str, typer.Argument(help="Another run (default: the last one).")] = "",
    as_json: Json = False,
) -> int:
    """Compare the columns of two versions of an output; ends with 1 where a change breaks who reads it."""
    project = Project.open()
    datasets = _datasets(project, pipeline)
    one = datasets.instances(dataset)[0]
    found = difference_of(one, two_of(one.whole, datasets.written(one), (before, after)), datasets)
    if as_json:
        write_json(_diff_to_json(found))
    else:
        out = console()
        out.print(data_tables.difference(found, width=out.width))
    return ExitCode.STAGE_FAILED if found.is_breaking else ExitCode.OK


def _datasets(project: Project, pipeline: str) -> Datasets:
    return Datasets([project.plan(pipeline)], project.preparer)


def _diff_to_json(found: Difference) -> dict[str, object]:
    return {
        "before": found.before.run,
        "after": found.after.run,
        "rows": list(found.counts),
        "changes": [dataclasses.asdict(change) for change in found.columns],
    }


def _to_json(dataset: str, known: Contract | None, audit: Audit | None) -> dict[str, object]:
    return {
        "dataset": dataset,
        "contract": known.path if known else None,
        "checks": len(known.rules) if known else 0,
        "audit": audit.to_json() if audit else None,
    }


def _tested_to_json(one: Tested) -> dict[str, object]:
    return {
        "run": one.version.run,
        "stage": one.version.stage,
        "at": one.version.at,
        "problem": one.problem,
        "audit": one.audit.to_json() if one.audit else None,
    }
