"""A look at what is behind a connection, in a process of its own: `python -m stagebook.connections.probe`.

The request comes by standard input, as JSON, and the answer goes to standard output: `{"answer": …}` or `{"problem": …,
"hint": …}`. A source that does not answer holds up this process alone, and whoever asked ends it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import socket
import sys
import urllib.error
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stagebook.connections.connection import Connection, open_declared
from stagebook.connections.declared import read_connections
from stagebook.errors import StagebookError
from stagebook.system.logins import Redaction, shown
from stagebook.system.secret_sources import read_all, source_of

MAX_FILES = 100_000
_HTTP_TIMEOUT = 15.0  # seconds
_MOST = 300  # characters of a reason
_PATTERN = re.compile(r"[*?\[]")
# What servers and their libraries say → what is said here.
_KNOWN = (
    (r"(?i)password|authenticat|access denied for user|unauthori[sz]ed|\b401\b|invalid\w*access|access key id|signaturedoesnotmatch|login failed|no password supplied", "it refuses the login"),
    (r"(?i)\b403\b|forbidden|permission denied|access ?denied", "it refuses access"),
    (r"(?i)connection refused|connect call failed|errno 111", "nothing answers: the connection was refused"),
    (r"(?i)name or service not known|name resolution|getaddrinfo|nodename nor servname", "there is no such host"),
    (r"(?i)timed? ?out", "it did not answer in time"),
)  # fmt: skip


def main() -> int:
    """The process."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    request = json.loads(sys.stdin.buffer.read())
    redacted = Redaction({})
    try:
        root = Path(request["root"])
        found = read_connections(root)
        declared = found.all[request["name"]]
        sources = {name: source_of(name, found.sources) for name in declared.secrets}
        secrets = read_all(sources, os.environ, root)
        redacted = Redaction({}, secrets.values())
        connection = open_declared(declared, secrets, root)
        answer: dict[str, Any] = {"answer": _answer(connection, request)}
    except StagebookError as error:
        answer = {"problem": redacted.text(error.message), "hint": redacted.text(error.hint)}
    except Exception as error:  # noqa: BLE001 - whatever the libraries of sources raise: it is told as the reason
        answer = {"problem": reason_of(error, redacted), "hint": ""}
    channel.write(json.dumps(answer))
    channel.flush()
    return 0


def _answer(connection: Connection, request: Mapping[str, Any]) -> Any:
    if request["what"] == "test":
        return _TESTS[connection.kind](connection)
    return {pattern: _LISTS[connection.kind](connection, pattern) for pattern in request["patterns"]}


def reason_of(error: Exception, redacted: Redaction) -> str:
    """Why a source failed, for a person: what its library said, in one line and without secrets."""
    if isinstance(error, urllib.error.HTTPError):
        said = f"HTTP {error.code} {error.reason}"
    else:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    line = " ".join(shown(redacted.text(said)).split())[:_MOST]
    for pattern, known in _KNOWN:
        if re.search(pattern, said) or (
            isinstance(error, TimeoutError | socket.timeout) and "in time" in known
        ):
            return f"{known} ({line})"
    return line


# -- tests: is it there? --------------------------------------------------------------------------


def _test_sql(connection: Connection) -> str:
    import sqlalchemy  # noqa: PLC0415 - only where there is a database

    url = sqlalchemy.engine.make_url(connection.url)
    if url.get_backend_name() == "sqlite" and url.database and not os.path.exists(url.database):
        raise FileNotFoundError(f"there is no file {url.database}")  # SQLite would make one
    engine = connection.engine()
    with engine.connect() as opened:
        opened.execute(sqlalchemy.select(sqlalchemy.literal(1))).all()
        version = ".".join(map(str, engine.dialect.server_version_info or ()))
    engine.dispose()
    return f"{engine.dialect.name} {version}".strip()


def _test_files(connection: Connection) -> str:
    count = len(connection.filesystem().ls("", detail=False))
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _test_http(connection: Connection) -> str:
    with _requested(connection, "") as answer:
        return f"HTTP {answer.status}"


_TESTS: Mapping[str, Callable[[Connection], str]] = {
    "sql": _test_sql, "files": _test_files, "http": _test_http,
}  # fmt: skip


# -- lists: what is there, and how one knows that it changed --------------------------------------


def _list_files(connection: Connection, pattern: str) -> list[list[str]]:
    files = connection.filesystem()
    if not _PATTERN.search(pattern):
        return (
            [[pattern, _mark_of_file(files, pattern, files.info(pattern))]] if files.exists(pattern) else []
        )
    found = {
        path: info for path, info in files.glob(pattern, detail=True).items() if info.get("type") == "file"
    }
    if len(found) > MAX_FILES:
        raise ValueError(f"'{pattern}' fits {len(found):,} files; at most {MAX_FILES:,}")
    return [[path, _mark_of_file(files, path, info)] for path, info in sorted(found.items())]


_TAGS = ("VersionId", "version_id", "ETag", "etag", "e_tag", "md5Hash", "md5", "checksum", "sha", "uid")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "timeModified", "modify")


def _mark_of_file(files: Any, path: str, info: Mapping[str, Any]) -> str:
    """What changes with the content of a file: its tag or version; else its size and time; else what it holds."""
    if info.get("type") == "directory":
        inside = files.find(path, detail=True)
        lines = [f"{name} {_mark_of_file(files, name, one)}" for name, one in sorted(inside.items())]
        return f"folder {_sha(line.encode() for line in lines)}"
    if tag := next((info[name] for name in _TAGS if info.get(name)), None):
        return f"tag {tag}"
    if time := next((info[name] for name in _TIMES if info.get(name)), None):
        return f"size {info.get('size')} time {time}"
    with files.open(path, "rb") as file:
        return f"sha256 {_sha(iter(lambda: file.read(1 << 20), b''))}"


def _list_http(connection: Connection, pattern: str) -> list[list[str]]:
    if "*" in pattern:
        raise ValueError("an HTTP server has no list of its files: name each of them")
    try:
        with _requested(connection, pattern) as answer:
            head = answer.headers
    except urllib.error.HTTPError as error:
        if error.code in {404, 410}:
            return []
        raise
    if tag := head.get("ETag"):
        return [[pattern, f"tag {tag}"]]
    if time := head.get("Last-Modified"):
        return [[pattern, f"size {head.get('Content-Length')} time {time}"]]
    with connection.request(pattern, timeout=_HTTP_TIMEOUT) as answer:
        return [[pattern, f"sha256 {_sha(iter(lambda: answer.read(1 << 20), b''))}"]]


def _requested(connection: Connection, path: str) -> Any:
    try:
        return connection.request(path, "HEAD", _HTTP_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code not in {405, 501}:
            raise
        return connection.request(path, "GET", _HTTP_TIMEOUT)


def _list_sql(connection: Connection, pattern: str) -> list[list[str]]:
    import sqlalchemy  # noqa: PLC0415

    engine = connection.engine()
    schema, _, name = pattern.rpartition(".")
    look = sqlalchemy.inspect(engine)
    names = [*look.get_table_names(schema or None), *look.get_view_names(schema or None)]
    found = sorted(one for one in names if fnmatch.fnmatchcase(one, name))
    marks = [[f"{schema}.{one}" if schema else one, _mark_of_table(engine, schema, one)] for one in found]
    engine.dispose()
    return marks


def _mark_of_table(engine: Any, schema: str, name: str) -> str:
    """A hash of all rows, in whatever order they come: databases keep no mark of their own."""
    import sqlalchemy  # noqa: PLC0415

    table = sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=schema or None, autoload_with=engine)
    columns = [f"{column.name} {column.type}" for column in table.columns]
    total, count = 0, 0
    with engine.connect().execution_options(stream_results=True) as opened:
        for row in opened.execute(sqlalchemy.select(table)).yield_per(1_000):
            total = (total + int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest())) % (1 << 256)
            count += 1
    return f"rows {count} {_sha([repr(columns).encode(), str(total).encode()])}"


def _sha(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        digest.update(b"\n" if len(part) < 1 << 20 else b"")
    return digest.hexdigest()


_LISTS: Mapping[str, Callable[[Connection, str], list[list[str]]]] = {
    "sql": _list_sql, "files": _list_files, "http": _list_http,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
