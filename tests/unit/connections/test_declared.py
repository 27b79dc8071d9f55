"""Connections as they are declared, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagebook.connections.declared import FILE, read_connections
from stagebook.errors import PipelineInvalid


def test_both_files_count_and_the_url_tells_the_kind(tmp_path: Path) -> None:
    (tmp_path / "stagebook.toml").write_text(
        '[secrets]\nDB = {command = ["pass", "show", "a b"]}\n[connections.lake]\nurl = "s3://bucket/raw"\n'
    )
    (tmp_path / FILE).write_text("""
        files = {url = "data/incoming"}
        feed = {url = "https://h/x", options = {headers = {Authorization = "Bearer ${secret.FEED}"}}}
        db = {url = "postgresql+psycopg://me:${secret.DB}@h/x"}
        odd = {url = "own://h/x", kind = "sql"}
    """)
    found = read_connections(tmp_path)
    kinds = {name: one.kind for name, one in found.all.items()}
    assert kinds == {"lake": "files", "files": "files", "feed": "http", "db": "sql", "odd": "sql"}
    assert found.all["db"].secrets == ["DB"]
    assert found.all["feed"].secrets == ["FEED"]
    assert found.sources["DB"].value == "pass show 'a b'"


def test_a_project_without_any(tmp_path: Path) -> None:
    assert read_connections(tmp_path).all == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1", "'a' has to be a mapping with a url"),
        ("a = {}", "'a' needs a url, as text"),
        ("a = {url = ''}", "'a' needs a url, as text"),
        ("a = {url = 'x', ulr = 'y'}", "'a' has an unknown key 'ulr'; did you mean 'url'?"),
        ("a = {url = 'x', kind = 'ftp'}", "'a' has an unknown kind; known: files, sql, http"),
        ("a = {url = 'x', options = 1}", "'a' has options that are no mapping"),
        ("a = {url = 'x/${params.y}'}", "'a' holds an expression other than ${secret.NAME}"),
        ("a = {url = 'mysql://me:hunter22@h/x'}", "'a' holds a secret that is written out"),
        ("a = {url = 's3://b', options = {secret = 'hunter22'}}", "'a' holds a secret that is written out"),
        ("a = {url = 's3://b', options = {deep = {api_key = 'hunter22'}}}", "'a' holds a secret that is written out"),
        ("'a b' = {url = 'x'}", "'a b' has no good name"),
        ("lake = {url = 'x'}", "'lake' is declared in both files"),
    ],
)  # fmt: skip
def test_mistakes_have_their_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "stagebook.toml").write_text('[connections.lake]\nurl = "s3://bucket/raw"\n')
    (tmp_path / FILE).write_text(text)
    with pytest.raises(PipelineInvalid) as caught:
        read_connections(tmp_path)
    assert f"{FILE}: the connection {message}" in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("a =")
    with pytest.raises(PipelineInvalid, match=r"connections\.toml: not readable as TOML"):
        read_connections(tmp_path)
