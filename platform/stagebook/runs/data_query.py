"""SQL over the datasets of a project: each is a table of its name, in double quotes or without; `AT (VERSION => 3)` after
it asks for an older version, by its number or the run that made it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stagebook.errors import UsageError, did_you_mean
from stagebook.runs.datasets import Dataset, Datasets
from stagebook.tables import sql
from stagebook.tables.duck import QueryFailed
from stagebook.tables.source import NoTable, Source
from stagebook.tables.text_types import as_typed

_AT = r"(?:\s+AT\s*\(\s*(?:VERSION|RUN)\s*=>\s*(?:'(?P<{0}_run>[^']*)'|(?P<{0}_number>\d+))\s*\))?"
_TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$|--[^\n]*|/\*.*?\*/)"
    rf"|\"(?P<quoted>(?:[^\"]|\"\")*)\"{_AT.format('q')}"
    rf"|(?P<bare>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){{2}}){_AT.format('b')}",
    re.DOTALL | re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query gave: columns with the types of DuckDB, and rows as they come."""

    columns: tuple[tuple[str, str], ...]
    rows: Iterator[tuple[Any, ...]]


@contextlib.contextmanager
def asked(text: str, datasets: Datasets) -> Iterator[Answer]:
    """The answer to one `SELECT`.

    Raises:
        UsageError: it names no such dataset or version, or cannot be answered.
    """
    query, wanted = _resolved(text, datasets)
    with contextlib.ExitStack() as stack:
        sources: dict[str, Source] = {}
        parts: dict[str, list[str]] = {}
        for view, (ones, version) in wanted.items():
            for number, dataset in enumerate(ones):
                part = f"{view} part {number}"
                if not version and len(ones) > 1 and not datasets.place(dataset).exists():
                    continue  # of an instance that has not run yet
                sources[part] = stack.enter_context(_opened(dataset, version, datasets))
                parts.setdefault(view, []).append(part)
        try:
            connection = stack.enter_context(datasets.connected(sources))
            for view, names in parts.items():
                whole = " UNION ALL BY NAME ".join(
                    f"SELECT {as_typed(connection, name, is_text=sources[name].is_text)[0]} FROM {sql.name(name)}"  # noqa: S608 - quoted
                    for name in names
                )
                connection.do(f"CREATE VIEW {sql.name(view)} AS {whole}")
            columns, rows = connection.select(query)
        except NoTable as error:
            raise UsageError(f"a dataset cannot be read: {error}") from error
        except QueryFailed as error:
            raise UsageError(str(error), hint=_hint(str(error), datasets)) from error
        yield Answer(columns=columns, rows=_told(rows))


def _told(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    try:
        yield from rows
    except QueryFailed as error:
        raise UsageError(str(error)) from error


def _resolved(text: str, datasets: Datasets) -> tuple[str, Mapping[str, tuple[list[Dataset], str]]]:
    """The query with views in the place of datasets; and of each view, the datasets and the version."""
    known = datasets.named()
    wanted: dict[str, tuple[list[Dataset], str]] = {}

    def resolve(found: re.Match[str]) -> str:
        name = found["quoted"] or found["bare"]
        if found["text"] is not None or name not in known:
            return found[0]
        version = next(
            (found[part] for part in ("q_run", "q_number", "b_run", "b_number") if found[part]), ""
        )
        if version and len(known[name]) > 1:
            names = ", ".join(one.name for one in known[name][:3])
            raise UsageError(
                f"{name} is of several instances, each with its versions", hint=f"such as {names}"
            )
        view = f"{name} @ {version}" if version else name
        wanted[view] = known[name], version
        return sql.name(view)

    return _TOKEN.sub(resolve, text).rstrip().removesuffix(";"), wanted


@contextlib.contextmanager
def _opened(dataset: Dataset, version: str, datasets: Datasets) -> Iterator[Source]:
    chosen = datasets.version(dataset, version) if version else None
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(datasets.opened(dataset, chosen))
        except NoTable as error:
            shown = f"{dataset.name} at version {version}" if version else dataset.name
            hint = "" if version else f"stagebook run {dataset.pipeline} {dataset.stage}"
            raise UsageError(f"{shown} cannot be read: {error}", hint=hint) from error


def _hint(message: str, datasets: Datasets) -> str:
    """What may have been meant, where a table is not known."""
    found = re.search(r"Table with name (.+?) does not exist", message)
    if found is None:
        return ""
    return (
        did_you_mean(found[1].strip('"'), list(datasets.named())) or "stagebook data list shows their names"
    )
