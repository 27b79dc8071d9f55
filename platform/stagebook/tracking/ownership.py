"""Where artifacts lie belongs to the project: MLflow keeps whole paths in its database, and a project that was moved or
copied takes the database along.

The paths are put right before anything is delivered, so that nothing lands in the project that was copied, and what
lies in this one is found.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT_TAG = "stagebook.root"  # of an experiment: the project whose artifacts it has

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_EXPERIMENTS = (
    "SELECT e.experiment_id, e.artifact_location, t.value FROM experiments e"
    " LEFT JOIN experiment_tags t ON t.experiment_id = e.experiment_id AND t.key = ?"
)


def own_artifacts(client: Any, root: Path, database: Path) -> None:
    """Put right where the experiments and runs of a database in the project at `root` keep their artifacts."""
    if not database.is_relative_to(root):
        return
    with contextlib.closing(client._tracking_client.store.engine.raw_connection()) as connection:  # noqa: SLF001 - MLflow has no public way
        cursor = connection.cursor()
        rows = cursor.execute(_EXPERIMENTS, (ROOT_TAG,)).fetchall()
        for former in sorted(_former_roots(rows, root)):
            _move(cursor, former, root)
        if "%" in str(root):
            _escape(cursor, root)
        connection.commit()


def _former_roots(rows: list[Any], root: Path) -> set[str]:
    found = set()
    for _, location, tag in rows:
        if tag:
            found.add(str(tag))
            continue
        place = _path_of(str(location or ""))  # of an older version of Stagebook, or a notebook's
        if place is None or place.is_relative_to(root) or place.parent.name != "mlruns":
            continue
        if (root / "mlruns" / place.name).is_dir():
            found.add(str(place.parent.parent))
    return {former for former in found if former != str(root) and former != "/"}


def _path_of(location: str) -> Path | None:
    if location.startswith("/"):
        return Path(location)
    if location.startswith("file:"):
        return Path(unquote(urlsplit(location).path))
    return None


def _move(cursor: Any, former: str, root: Path) -> None:
    for before, after in (
        (f"{former}/", f"{root}/"),
        (f"{Path(former).as_uri()}/", f"{root.as_uri()}/"),
    ):
        for table, column in _COLUMNS:
            with contextlib.suppress(Exception):  # a table that this version of MLflow has not
                cursor.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - constants
                    (after, len(before) + 1, len(before), before),
                )
    cursor.execute(
        "UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?", (str(root), ROOT_TAG, former)
    )


def _escape(cursor: Any, root: Path) -> None:
    """MLflow takes `%20` in a path for a space; as a URI it is the path that it is."""
    before, after = f"{root}/mlruns/", f"{root.as_uri()}/mlruns/"
    cursor.execute(
        "UPDATE experiments SET artifact_location = ? || substr(artifact_location, ?)"
        " WHERE substr(artifact_location, 1, ?) = ?",
        (after, len(before) + 1, len(before), before),
    )
