"""Where MLflow keeps runs: a URI that means the same from any folder."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from urllib.parse import unquote

URI = (
    "STAGEBOOK_TRACKING_URI"  # in the environment of the delivery: arguments of a process can be read by all
)
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^/?:][^?]*)(\?.*)?$", re.DOTALL)
_FILE = re.compile(r"(file:)(?://)?(?!/)(.+)$", re.DOTALL)


def absolute(uri: str, root: Path) -> str:
    """The URI of the same store from any working folder: that of a local file or folder is relative to `root`."""
    if found := _SQLITE.match(uri):
        head, path, query = found.groups()
        folder = str(root)
        if ("%" in folder or "?" in folder) and _has_escapes():
            folder = folder.replace("%", "%25").replace("?", "%3F")
        elif "?" in folder:
            return uri
        return f"{head}{folder}/{path}{query or ''}"
    if found := _FILE.match(uri):
        return (root / unquote(found[2])).as_uri()
    if "://" not in uri and not uri.startswith(("file:", "databricks", "uc:")):
        return str(root / uri)
    return uri


def database(uri: str) -> Path | None:
    """The file of a local SQLite store, of an absolute URI; `None` for any other store."""
    head, found, path = uri.partition(":///")
    if not found or head.partition("+")[0] != "sqlite" or not path.startswith("/"):
        return None
    path = path.partition("?")[0]
    return Path(unquote(path) if "%" in path and _has_escapes() else path)


def _has_escapes() -> bool:
    """Whether `%25` is a percent sign in the path of a database: since SQLAlchemy 2.1."""
    try:
        first, second = importlib.metadata.version("SQLAlchemy").split(".")[:2]
        return (int(first), int(second)) >= (2, 1)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False


def is_remote(uri: str) -> bool:
    """Whether it is a server's."""
    return uri.startswith(("http:", "https:", "databricks", "uc:"))
