"""Stages with connections: their secrets, in both executors and in subprocesses; and as inputs that make stages stale."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, stagebook
from sources import Source, http_source

pytestmark = [pytest.mark.e2e, pytest.mark.kernel]
ENV = {"STAGEBOOK_SECRET_FEED": "word-of-the-server"}


@pytest.fixture
def source() -> Iterator[Source]:
    with http_source() as made:
        made.files["/birds.json"] = b'["wren"]'
        yield made


@pytest.fixture
def project(builder: ProjectBuilder, source: Source) -> ProjectBuilder:
    builder.without_tracking()
    builder.file(
        "connections.toml",
        f"""
        feed = {{url = "{source.url}", options = {{headers = {{Authorization = "Bearer ${{secret.FEED}}"}}}}}}
        base = {{url = "sqlite:///birds.db"}}
        incoming = {{url = "incoming"}}
        """,
    )
    with sqlite3.connect(builder.root / "birds.db") as database:
        database.execute("CREATE TABLE birds (name, n)")
        database.execute("INSERT INTO birds VALUES ('owl', 1)")
    database.close()
    for month in (1, 2):
        builder.file(f"incoming/2013-0{month}.csv", f"{month}\n")
    return builder


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_a_notebook_uses_connections(project: ProjectBuilder, executor: str) -> None:
    use = """
    import os, subprocess, sys
    from stagebook.connections import connect
    os.chdir("/")
    print(connect("feed").open("birds.json").read(), connect("feed").options)
    with connect("base").engine().connect() as opened:
        print(opened.exec_driver_sql("SELECT name FROM birds").scalar())
    code = "from stagebook.connections import connect; print(connect('feed').open('birds.json').status)"
    print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True))
    """
    project.notebook("a", use)
    project.pipeline(f"""
        stages:
          a: {{notebook: notebooks/a.ipynb, connections: [feed, base], executor: {executor}}}
    """)
    done = stagebook(project.root, "run", env=environment(**ENV))
    assert done.returncode == 0, done.stdout
    log = next(project.root.glob(".stagebook/runs/*/a/1/log.txt")).read_text()
    assert "b'[\"wren\"]' {'headers': {'Authorization': 'Bearer ***'}}" in log
    assert "owl" in log
    assert "stdout='200\\n'" in log


def test_a_stage_gets_the_secrets_of_what_it_names(project: ProjectBuilder) -> None:
    project.notebook("a", "from stagebook.connections import connect\nconnect('feed')")
    project.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    done = stagebook(project.root, "run", env=environment(**ENV))
    assert done.returncode == 1
    assert "the stage does not declare the connection 'feed'" in done.stdout
    shown = project.screen("stages:\n  a: {notebook: notebooks/a.ipynb, connections: [fed]}")
    assert "pipelines/p.yaml:2:" in shown
    assert "there is no connection 'fed'\n    did you mean 'feed'?" in shown


@pytest.mark.long
def test_what_is_behind_a_connection_makes_a_stage_stale(
    project: ProjectBuilder, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    read = """
    from stagebook.connections import connect
    texts = [connect("incoming").open(month).read().decode() for month in months]
    print(months, texts, connect("feed").open(feed).read(), table)
    """
    project.notebook("a", read, params="months: list = []\nfeed = ''\ntable = ''")
    project.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            inputs: {months: "incoming:2013-*.csv", feed: "feed:birds.json", table: "base:birds"}
    """)

    def run() -> str:
        done = stagebook(project.root, "run", env=environment(**ENV))
        assert done.returncode == 0, done.stdout
        return done.stdout

    def reasons() -> tuple[str, ...]:
        (stage,) = project.plan().stages
        return stage.reasons if stage.runs else ()

    run()
    log = next(project.root.glob(".stagebook/runs/*/a/1/log.txt")).read_text()
    assert (
        log == "['incoming:2013-01.csv', 'incoming:2013-02.csv'] ['1\\n', '2\\n'] b'[\"wren\"]' base:birds\n"
    )
    assert reasons() == ()
    project.file("incoming/2013-03.csv", "3\n")
    assert reasons() == ("the input months has incoming:2013-03.csv as well",)
    run()
    project.file("incoming/2013-01.csv", "changed\n")
    assert reasons() == ("incoming:2013-01.csv changed (input months)",)
    run()
    source.files["/birds.json"] = b'["wren", "owl"]'
    assert reasons() == ("feed:birds.json changed (input feed)",)
    run()
    with sqlite3.connect(project.root / "birds.db") as database:
        database.execute("UPDATE birds SET n = 2")
    database.close()
    assert reasons() == ("base:birds changed (input table)",)
    run()
    assert reasons() == ()
    project.file(
        "connections.toml",
        (project.root / "connections.toml").read_text().replace('"incoming"', '"./incoming"'),
    )
    assert reasons() == ("the connection incoming changed",)


def test_a_source_that_is_down_is_a_mistake_with_its_place(project: ProjectBuilder, source: Source) -> None:
    project.notebook("a", "1", params="x = ''")
    pipeline = 'stages:\n  a:\n    notebook: notebooks/a.ipynb\n    inputs: {x: "%s"}'
    for reference, message in {
        "feed:birds.json": "STAGEBOOK_SECRET_FEED is not set",
        "incoming:2014-*.csv": "nothing fits '2014-*.csv' in 'incoming'",
        "base:fish": "nothing fits 'fish' in 'base'",
        "incomin:x": "there is no connection 'incomin'",
    }.items():
        shown = project.screen(pipeline % reference)
        assert "pipelines/p.yaml:4:" in shown
        assert message in shown


@pytest.mark.long
def test_commands_list_and_test(project: ProjectBuilder, source: Source) -> None:
    env = environment(**ENV)
    listed = stagebook(project.root, "connection", "list", env=env).stdout
    assert "Bearer" not in listed
    assert "sqlite:///birds.db" in listed
    assert stagebook(project.root, "connection", "test", "feed", env=env).stdout == "✓ feed: HTTP 200\n"
    secrets = stagebook(project.root, "secrets", "list", env=env).stdout
    assert "connection feed" in secrets
    wrong = stagebook(
        project.root, "connection", "test", "feed", env=environment(STAGEBOOK_SECRET_FEED="another")
    )
    assert wrong.returncode == 1
    assert "it refuses the login" in wrong.stdout
    source.silent = True
    slow = stagebook(project.root, "connection", "test", "feed", "--timeout", "3", env=env)
    assert "did not answer within 3 s" in slow.stdout
    assert Path(project.root / "birds.db").exists()
