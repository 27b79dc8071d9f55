"""The connections of a project as they are declared, without any secret."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from stagebook.errors import PipelineInvalid, Problem, did_you_mean
from stagebook.system.logins import MIN_SECRET, holds_login, is_secret
from stagebook.system.secret_sources import Kind as SourceKind
from stagebook.system.secret_sources import SecretSource, names_in, without_references
from stagebook.system.settings_file import read_raw, read_toml

FILE = "connections.toml"
Kind = Literal["files", "sql", "http"]
_KINDS = ("files", "sql", "http")
_KEYS = ("url", "kind", "options")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# Of SQLAlchemy, its dialects on PyPI included.
_SQL = {
    "sqlite", "postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "duckdb", "snowflake", "redshift",
    "bigquery", "trino", "presto", "clickhouse", "clickhousedb", "cockroachdb", "db2", "hana", "teradatasql", "databricks",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One connection. In `url` and `options` there may be references to secrets."""

    name: str
    url: str
    kind: Kind
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def local(self) -> str | None:
        """The path of its folder, or of the file of its database, as it is written; `None` where it is elsewhere."""
        if self.kind == "sql":
            head, _, path = self.url.partition(":///")
            is_file = head.partition("+")[0] in {"sqlite", "duckdb"}
            return path.partition("?")[0] or None if is_file else None
        if self.kind != "files" or ("://" in self.url and not self.url.startswith("file://")):
            return None
        return self.url.removeprefix("file://")

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets in it."""
        return list(
            dict.fromkeys(name for text in (self.url, *_texts(self.options)) for name in names_in(text))
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """All of a project, and the declared sources of secrets."""

    all: Mapping[str, Declared]
    sources: Mapping[str, SecretSource]


def read_connections(root: Path) -> Connections:
    """The connections of the project at `root`. Raises `PipelineInvalid` for mistakes in their files."""
    settings, settings_name = read_raw(root)
    own = read_toml(root, FILE) or {}
    problems: list[Problem] = []
    found: dict[str, Declared] = {}
    shared = settings.get("connections", {})
    for path, raw in ((settings_name, shared), (FILE, own)):
        if not isinstance(raw, dict):
            problems.append(Problem(path=path, message="'connections' has to be a mapping of names"))
            continue
        for name, value in raw.items():
            mistake = "is declared in both files" if name in found else _mistake_in(name, value)
            if mistake:
                problems.append(Problem(path=path, message=f"the connection '{name}' {mistake}"))
            else:
                found[name] = _declared(name, value)
    if problems:
        raise PipelineInvalid(problems)
    return Connections(all=found, sources=_sources(settings.get("secrets")))


def _declared(name: str, raw: Mapping[str, Any]) -> Declared:
    kind = cast("Kind", raw.get("kind") or _kind_of(raw["url"]))
    return Declared(name=name, url=raw["url"], kind=kind, options=raw.get("options", {}))


def _kind_of(url: str) -> Kind:
    scheme, found, _ = url.partition("://")
    if not found:
        return "files"
    if scheme in {"http", "https"}:
        return "http"
    return "sql" if scheme.partition("+")[0] in _SQL else "files"


def _mistake_in(name: str, raw: Any) -> str:
    if not _NAME.fullmatch(name):
        return "has no good name: use letters, digits, '_' and '-', and start with a letter"
    if not isinstance(raw, dict):
        return "has to be a mapping with a url"
    if unknown := [key for key in raw if key not in _KEYS]:
        return f"has an unknown key '{unknown[0]}'; {did_you_mean(unknown[0], _KEYS)}"
    url, options = raw.get("url"), raw.get("options", {})
    if not isinstance(url, str) or not url.strip():
        return "needs a url, as text"
    if raw.get("kind", "files") not in _KINDS:
        return f"has an unknown kind; known: {', '.join(_KINDS)}"
    if not isinstance(options, dict):
        return "has options that are no mapping"
    if any("${" in without_references(text) for text in (url, *_texts(options))):
        return "holds an expression other than ${secret.NAME}"
    if holds_login(without_references(url).replace(":@", "@")) or _is_written_out(options):
        return "holds a secret that is written out: write ${secret.NAME}, and say under [secrets] where it comes from"
    return ""


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _is_written_out(options: Mapping[str, Any]) -> bool:
    for key, value in options.items():
        if isinstance(value, Mapping) and _is_written_out(value):
            return True
        is_plain = isinstance(value, str) and len(value) >= MIN_SECRET and not names_in(value)
        if is_plain and (holds_login(value) or is_secret(key, value)):
            return True
    return False


def _sources(raw: Any) -> dict[str, SecretSource]:
    """The sources of secrets, as far as they are well declared; `workspace.settings` tells what is not."""
    found = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        if isinstance(value, dict) and len(value) == 1:
            ((kind, where),) = value.items()
            text = shlex.join(map(str, where)) if isinstance(where, list) else where
            found[name] = SecretSource(kind=cast("SourceKind", kind), value=str(text))
    return found
