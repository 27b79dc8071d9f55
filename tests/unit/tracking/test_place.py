"""URIs of tracking stores: the same from any folder, and without their logins for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagebook.system.logins import secrets, shown, without_login
from stagebook.system.tracking_uri import absolute, database, is_remote
from stagebook.tracking.reasons import reason_of

ROOT = Path("/a/project")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///mlflow.db", "sqlite:////a/project/mlflow.db"),
        ("sqlite:///data/x.db?timeout=5", "sqlite:////a/project/data/x.db?timeout=5"),
        ("sqlite+pysqlite:///x.db", "sqlite+pysqlite:////a/project/x.db"),
        ("sqlite:////elsewhere/x.db", "sqlite:////elsewhere/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("file:mlruns", "file:///a/project/mlruns"),
        ("file:./mlruns", "file:///a/project/mlruns"),
        ("file:///elsewhere", "file:///elsewhere"),
        ("mlruns", "/a/project/mlruns"),
        ("http://host:5000", "http://host:5000"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
        ("databricks", "databricks"),
    ],
)
def test_a_relative_store_is_made_absolute(uri: str, expected: str) -> None:
    assert absolute(uri, ROOT) == expected
    assert absolute(expected, Path("/other")) == expected


@pytest.mark.parametrize("folder", ["/a/100%20", "/a b/c", "/a#b"])
def test_the_file_of_a_store_is_found_again(folder: str) -> None:
    assert database(absolute("sqlite:///x.db", Path(folder))) == Path(folder, "x.db")


def test_other_stores_have_no_file() -> None:
    assert database("http://host") is None
    assert database("sqlite:///:memory:") is None
    assert (is_remote("https://h"), is_remote("sqlite:////x")) == (True, False)


@pytest.mark.parametrize(
    ("uri", "expected", "hidden"),
    [
        ("http://me:pass%40@host:1/x", "http://***@host:1/x", {"pass%40", "pass@", "me:pass%40"}),
        ("postgresql+psycopg2://me:secret@h/db", "postgresql+psycopg2://***@h/db", {"secret"}),
        ("https://host?token=abcdef&x=1", "https://host?token=***&x=1", {"abcdef"}),
        ("sqlite:////a/mlflow.db", "sqlite:////a/mlflow.db", set()),
        ("http://host:5000", "http://host:5000", set()),
    ],
)
def test_a_login_is_not_shown(uri: str, expected: str, hidden: set[str]) -> None:
    assert shown(uri) == expected
    assert hidden <= set(secrets(uri))
    said = reason_of(ValueError(f"no way to {uri}, {' '.join(secrets(uri))}"), uri)
    assert not any(secret in said for secret in secrets(uri))
    assert "@" not in without_login(uri)
