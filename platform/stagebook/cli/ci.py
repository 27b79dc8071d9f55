"""`stagebook ci` and `stagebook ci init`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stagebook.ci.report import CiCheck, CiReport
from stagebook.ci.running import CiRequest, run_ci
from stagebook.ci.workflow import write_workflow
from stagebook.cli.event_lines import EventLines
from stagebook.cli.options import Environment, Json, Params
from stagebook.cli.output import console, write_json
from stagebook.cli.progress import show_cautions
from stagebook.cli.test import all_tests
from stagebook.comparing.compare import Options
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.views import ci_markdown, difference_html, difference_tables
from stagebook.views.formatting import plain
from stagebook.workspace.environments import DEV

ci = typer.Typer(
    help="Check a change, run what it changes, and compare that with what an environment shows; or write a workflow.",
    add_completion=False,
)

_TESTED = {0, 5}  # exit codes of pytest: all passed, and there are no tests


@ci.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="The environment to compare with.")
    ] = "",
    env: Environment = None,
    params: Params = None,
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", metavar="NAME", help="This pipeline alone.")
    ] = None,
    fail_on: Annotated[
        Literal["nothing", "breaking", "difference"],
        typer.Option(
            "--fail-on", help="Which differences fail it, too: breaking changes of columns, or any."
        ),
    ] = "nothing",
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write Markdown.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the difference as a page.")
    ] = None,
    tests: Annotated[
        bool, typer.Option("--tests/--no-tests", help="Also run the tests of notebooks, as stagebook test.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Check a change, run what it changes, and compare that with what an environment shows."""
    if context.invoked_subcommand is not None:
        return ExitCode.OK
    home = Project.open(environment=DEV)
    asked = CiRequest(
        against=against,
        environment=env or os.environ.get("STAGEBOOK_ENV", ""),
        pairs=tuple(params or ()),
        pipelines=tuple(pipeline or ()),
        options=Options(),
        tests=(lambda: _tests(home)) if tests else None,
    )
    lines = EventLines(stderr=as_json)
    report = run_ci(home, asked, [lines.take])
    for path, text in _files(report, {"markdown": markdown, "junit": junit, "html": html}):
        _write(path, text)
    _summarize(report)
    if as_json:
        write_json(report.to_json())
    else:
        _print(report)
        show_cautions(console(), home)
    return ExitCode.OK if report.passed and not _differs(report, fail_on) else ExitCode.STAGE_FAILED


@ci.command()
def init(
    service: Annotated[Literal["github", "gitlab"], typer.Argument(help="Where the project is kept.")],
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="The environment to compare with.")
    ] = "prod",
) -> int:
    """Write a workflow that runs `stagebook ci` for each pull request."""
    project = Project.open(environment=DEV)
    project.environments.find(against)
    path = write_workflow(project.root, service, against)
    console().print(f"✓ {path}: read it, commit it, and it runs for each pull request", soft_wrap=True)
    return ExitCode.OK


def _tests(home: Project) -> list[CiCheck]:
    """The tests of notebooks of a project, by `stagebook test`; none where it has none."""
    if not all_tests(home):
        return []
    done = subprocess.run(  # this very program
        [sys.executable, "-P", "-m", "stagebook", "test", "--json"],
        cwd=home.root,
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[CiCheck] = []
    with contextlib.suppress(ValueError, KeyError, TypeError):  # it did not come so far
        found = [_of_test(one) for one in json.loads(done.stdout)["tests"]]
    if done.returncode in _TESTED or any(check.outcome == "failed" for check in found):
        return found
    whole = CiCheck(
        group="test",
        suite="tests",
        name="stagebook test",
        outcome="failed",
        message=why_not(done.stdout, done.returncode),
        details=(done.stdout + done.stderr).strip(),
    )
    return [*found, whole]


def why_not(said: str, code: int) -> str:
    """Why `stagebook test --json` did not come so far as to tell of tests, by what it said."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(said)
        error, hint = str(told["error"]), str(told["hint"])
        return f"{error}: {hint}" if hint else error
    return f"it ended with {code}"


def _of_test(one: Mapping[str, Any]) -> CiCheck:
    suite, _, name = one["test"].partition("::")
    lines = one["message"].strip().splitlines()
    return CiCheck(
        group="test",
        suite=suite,
        name=name or suite,
        outcome=one["outcome"],
        message=lines[-1] if lines and one["outcome"] != "passed" else "",
        details=one["message"] if one["outcome"] == "failed" else "",
    )


def _files(report: CiReport, wanted: dict[str, Path | None]) -> list[tuple[Path, str]]:
    found = []
    for kind, path in wanted.items():
        if path is None:
            continue
        if kind == "html":
            text = (
                difference_html.page(report.difference, report.images)
                if report.difference is not None
                else ""
            )
        else:
            text = ci_markdown.markdown(report) if kind == "markdown" else ci_markdown.junit(report)
        found.append((path, text))
    return [(path, text) for path, text in found if text]


def _write(path: Path, text: str, mode: str = "w") -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}") from error


def _summarize(report: CiReport) -> None:
    """GitHub shows what is written there on the page of the job."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        _write(Path(path), ci_markdown.markdown(report) + "\n", "a")


def _print(report: CiReport) -> None:
    out = console()
    for check in report.checks:
        if check.outcome in {"failed", "warned"}:
            sign, style = ("✗", "red") if check.outcome == "failed" else ("!", "yellow")
            out.print(
                f"{sign} {check.group} {plain(check.suite)} {plain(check.name)}: {plain(check.message)}",
                style=style,
                soft_wrap=True,
                markup=False,
            )
    if report.remark:
        out.print(f"! {plain(report.remark)}", style="yellow", soft_wrap=True, markup=False)
    if report.difference is not None:
        out.print()
        out.print(difference_tables.difference(report.difference, width=out.width))
    out.print()
    sign, style = ("✓", "green") if report.passed else ("✗", "bold red")
    out.print(f"{sign} {ci_markdown.in_short(report)}", style=style)


def _differs(report: CiReport, fail_on: str) -> bool:
    if report.difference is None:
        return False
    return (
        report.difference.is_breaking
        if fail_on == "breaking"
        else fail_on == "difference" and not report.difference.is_same
    )
