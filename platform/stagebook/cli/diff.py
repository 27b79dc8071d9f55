"""`stagebook diff`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, lenient, write_json
from stagebook.comparing.compare import Comparer, Options
from stagebook.comparing.sides import TREE, Sides
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.views import difference_html, difference_markdown, difference_tables
from stagebook.workspace.environments import DEV


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A run, an environment, ENVIRONMENT@VERSION, a release, or dev, the working tree.",
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="[B]", help="Another one (default: dev).")] = TREE,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="DATASET=COLUMN[,…]",
            help="What tells the rows of a dataset apart (default: as its contract says).",
        ),
    ] = None,
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", metavar="NAME", help="This pipeline alone.")
    ] = None,
    contents: Annotated[
        bool,
        typer.Option("--contents/--no-contents", help="Compare rows, images and texts, or hashes alone."),
    ] = True,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page, with images side by side.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where anything differs.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show what differs between two runs, environments, versions, releases, or the working tree."""
    project = Project.open(environment=DEV)
    sides = Sides(project)
    two = [sides.find(text) for text in (before, after)]
    if pipeline:
        known = {name for side in two for name in side.pipelines}
        if unknown := next((name for name in pipeline if name not in known), None):
            raise UsageError(
                f"neither side has a pipeline '{unknown}'", hint=f"there are: {', '.join(sorted(known))}"
            )
        two = [side.only(frozenset(pipeline)) for side in two]
    comparer = Comparer(project.root, project.store, Options(contents=contents, keys=_keys(key or ())))
    found = comparer.compare(*two)
    if html is not None:
        write_page(html, difference_html.page(found, comparer.images(found, *two)))
    if as_json:
        write_json(found.to_json())
    elif markdown:
        with lenient():
            sys.stdout.write(difference_markdown.difference(found) + "\n")
    else:
        out = console()
        out.print(difference_tables.difference(found, width=out.width))
        if html is not None:
            out.print(f"\npage: {html}", soft_wrap=True)
    return 1 if exit_code and not found.is_same else ExitCode.OK


def write_page(path: Path, page: str) -> None:
    """Write a page where a person wants it. Raises `UsageError`."""
    try:
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}") from error


def _keys(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for text in texts:
        name, sign, columns = text.partition("=")
        if not (sign and name and columns):
            raise UsageError(f"'{text}' is no key", hint="--key flights.clean.silver=flight,day")
        found[name] = tuple(column.strip() for column in columns.split(","))
    return found
