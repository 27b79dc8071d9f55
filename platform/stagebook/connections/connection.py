"""A connection, ready to be used: its URL, an engine of SQLAlchemy, a file system of fsspec. The door to both."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from stagebook.connections.declared import Declared, read_connections
from stagebook.errors import ConnectionUnusable, PipelineInvalid, did_you_mean
from stagebook.system.secret_sources import PREFIX, fill, read_all, source_of
from stagebook.system.settings_file import FILE as SETTINGS

PROJECT = "STAGEBOOK_PROJECT"  # in the environment of a stage: the root of its project
DECLARED = "STAGEBOOK_CONNECTIONS"  # and the connections that it declares, with spaces between them
_TIMEOUT = 60.0  # seconds for an answer of an HTTP server


def connect(name: str) -> Connection:
    """The connection of that name, with its secrets, in the project around the working folder.

    Raises:
        ConnectionUnusable: there is none, or the stage does not declare it.
        SecretUnavailable: a secret of it cannot be had.
    """
    root = _root()
    try:
        found = read_connections(root)
    except PipelineInvalid as error:
        raise ConnectionUnusable(str(error.problems[0])) from None
    declared = found.all.get(name)
    if declared is None:
        raise ConnectionUnusable(f"there is no connection '{name}'", hint=did_you_mean(name, found.all))
    if (
        declared.secrets
        and "STAGEBOOK_STAGE" in os.environ
        and name not in os.environ.get(DECLARED, "").split()
    ):
        hint = f"a stage gets the secrets of the connections that it declares: connections: [{name}]"
        raise ConnectionUnusable(f"the stage does not declare the connection '{name}'", hint=hint)
    sources = {secret: source_of(secret, found.sources) for secret in declared.secrets}
    return open_declared(declared, read_all(sources, os.environ, root), root)


def open_declared(declared: Declared, secrets: Mapping[str, str], root: Path) -> Connection:
    """A connection with the values of its secrets."""
    url = fill(declared.url, secrets)
    return Connection(declared, _absolute(url, root), _filled(declared.options, secrets))


def connection_variables(connections: Sequence[Declared], root: Path) -> dict[str, str]:
    """The variables by which a stage gets the connections that it declares, as texts that refer to their secrets."""
    if not connections:
        return {}
    secrets = [secret for one in connections for secret in one.secrets]
    own = {PROJECT: str(root), DECLARED: " ".join(one.name for one in connections)}
    return {**own, **{f"{PREFIX}{secret}": f"${{secret.{secret}}}" for secret in secrets}}


def _root() -> Path:
    if given := os.environ.get(PROJECT):
        return Path(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).exists() for name in (SETTINGS, "connections.toml", "pipelines")):
            return folder
    raise ConnectionUnusable(f"there is no project in {here} or above it", hint="go to a folder of one")


def _absolute(url: str, root: Path) -> str:
    """A URL that is the same from every folder: paths in it are relative to the project."""
    head, found, path = url.partition(":///")
    if found and head.partition("+")[0] in {"sqlite", "duckdb"} and path and path[0] not in "/:":
        return f"{head}:///{root}/{path}"
    return url if "://" in url else str(root / os.path.expanduser(url))


def _filled(value: Any, secrets: Mapping[str, str]) -> Any:
    match value:
        case str():
            return fill(value, secrets)
        case Mapping():
            return {key: _filled(item, secrets) for key, item in value.items()}
        case list():
            return [_filled(item, secrets) for item in value]
    return value


class Connection:
    """What is behind a name. `url` and `options` hold the secrets; what is shown of the connection does not."""

    def __init__(self, declared: Declared, url: str, options: Mapping[str, Any]) -> None:
        self.name = declared.name
        self.kind = declared.kind
        self.url = url
        self.options = dict(options)

    def __repr__(self) -> str:
        return f"<Connection {self.name}: {self.kind}>"

    def engine(self, **more: Any) -> Any:
        """An engine of SQLAlchemy; `more` are further arguments of `create_engine`."""
        if self.kind != "sql":
            raise ConnectionUnusable(f"'{self.name}' is no SQL database, but {self.kind}")
        sqlalchemy = self._imported("sqlalchemy", "SQLAlchemy")
        try:
            return sqlalchemy.create_engine(self.url, **{**self.options, **more})
        except (ImportError, sqlalchemy.exc.ArgumentError) as error:
            raise ConnectionUnusable(
                f"the connection '{self.name}': {error}", hint=_to_install(error)
            ) from None

    def filesystem(self) -> Any:
        """A file system of fsspec in which paths are relative to the URL."""
        if self.kind == "sql":
            raise ConnectionUnusable(f"'{self.name}' is a SQL database: use engine()")
        self._imported("fsspec", "fsspec")
        core, folder = (
            importlib.import_module("fsspec.core"),
            importlib.import_module("fsspec.implementations.dirfs"),
        )
        try:
            files, path = core.url_to_fs(self.url, **self.options)
        except (ImportError, ValueError) as error:
            raise ConnectionUnusable(
                f"the connection '{self.name}': {error}", hint=_to_install(error)
            ) from None
        return folder.DirFileSystem(path=path, fs=files)

    def open(self, path: str, mode: str = "rb") -> IO[Any]:
        """A file below the URL: by its path there, as an input of a stage has it (`name:path`), or by its whole URL."""
        inside = path.removeprefix(f"{self.name}:")
        if path.startswith(f"{self.url.rstrip('/')}/"):
            inside = path[len(self.url.rstrip("/")) + 1 :]
        if self.kind == "http":
            if mode != "rb":
                raise ConnectionUnusable(f"'{self.name}' can be read only: open(path)")
            answer: IO[Any] = self.request(inside)
            return answer
        if "://" not in self.url and not self.options:
            # fsspec's own local file is closed under whoever iterates over it and keeps no name for it.
            return open(f"{self.url}/{inside}", mode)
        opened: IO[Any] = self.filesystem().open(inside, mode)
        return opened

    def request(self, path: str = "", method: str = "GET", timeout: float = _TIMEOUT) -> Any:
        """The answer of an HTTP server, as `urllib.request.urlopen` gives it; `options.headers` go with the request."""
        import urllib.request  # noqa: PLC0415 - every plan imports this module, and few ask a server

        url = f"{self.url.rstrip('/')}/{path}" if path else self.url
        asked = urllib.request.Request(url, headers=self.options.get("headers", {}), method=method)  # noqa: S310 - of a declared connection
        return urllib.request.urlopen(asked, timeout=timeout)  # noqa: S310

    def _imported(self, module: str, package: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError:
            what = f"the connection '{self.name}' needs {package}"
            raise ConnectionUnusable(what, hint="pip install 'stagebook[connections]'") from None


def _to_install(error: Exception) -> str:
    """What to install, where a package of the kind of store or database is missing."""
    name = getattr(error, "name", None)
    return f"pip install {name}" if isinstance(error, ImportError) and name else ""
