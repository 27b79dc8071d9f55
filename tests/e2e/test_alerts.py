"""Alerts of whole runs: to a real mail server, a real web server and real programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import stagebook, start
from recipients import Hook, Post, hook, post, text_of
from stagebook.project import Project
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PIPELINE = """
params: {bad: none}
defaults: {executor: inprocess}
stages:
  clean:
    notebook: notebooks/clean.ipynb
    params: {bad: "${params.bad}"}
    outputs: {rows: data/rows.txt}
  load:
    notebook: notebooks/load.ipynb
    params: {bad: "${params.bad}"}
    outputs: {loaded: data/loaded.txt}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """Two stages that fail when they are told to, and an environment."""
    for name, output in (("clean", "rows"), ("load", "loaded")):
        builder.notebook(
            name,
            f"open({output}, 'w').write('x')",
            f"assert bad not in ('all', '{name}'), 'NaN in dep_delay'",
            params=f"bad = ''\n{output} = ''",
        )
    builder.pipeline(PIPELINE, "flights")
    return builder


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


def settings(project: ProjectBuilder, *rules: str) -> None:
    project.file(
        "stagebook.toml", "\n".join(["[tracking]", "enabled = false", "[environments.prod]", *rules])
    )


def run(project: ProjectBuilder, bad: str = "none", *, code: int = 0) -> None:
    done = stagebook(project.root, "run", "flights", "--env", "prod", "--keep-going", "-p", f"bad={bad}")
    assert done.returncode == code, done.stderr + done.stdout


def notify(project: ProjectBuilder, *words: str, code: int = 0) -> str:
    done = stagebook(project.root, "notify", *words, "--env", "prod")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_failure_is_told_once_and_so_is_that_it_is_over(
    project: ProjectBuilder, web: Hook, mail: Post
) -> None:
    rule = f'[notify.ops]\nto = ["{web.url}", "{mail.url}"]'
    settings(project, rule)
    run(project)
    run(project, "clean", code=1)
    until(lambda: len(web.got) == 1 and len(mail.mails) == 1, 60, "no alert came")
    run(project, "clean", code=1)
    run(project)
    until(lambda: len(web.got) == 2 and len(mail.mails) == 2, 60, lambda: web.titles)
    notify(project, "send")  # whatever is still at work has ended, and there is nothing more

    name = project.root.name
    expected = [
        f"✗ flights.clean failed ({name}, prod)",
        f"✓ flights.clean is well again ({name}, prod)",
    ]
    assert web.titles == mail.subjects == expected
    said = web.got[0]["message"]
    for line in (
        "error: AssertionError: NaN in dep_delay",
        "cell: 4 of 4",
        'changed since: bad: "none" → "clean"',
    ):
        assert line in said, said
    (executed,) = [line.split(": ")[1] for line in said.splitlines() if line.startswith("notebook: ")]
    assert (project.root / executed).is_file()
    assert "NaN in dep_delay" in text_of(mail.mails[0])


def test_what_fails_in_one_run_is_one_message(project: ProjectBuilder, web: Hook) -> None:
    settings(project, f'[notify.ops]\nto = "{web.url}"')
    run(project, "all", code=1)
    until(lambda: web.got, 60, "no alert came")
    (only,) = web.got
    assert only["title"].endswith(f" failed, and 1 more ({project.root.name}, prod)")
    for stage in ("clean", "load"):
        assert f"✗ flights.{stage} failed" in only["message"]


def test_a_run_does_not_wait_for_whoever_is_told(project: ProjectBuilder) -> None:
    """The program ends once the run has ended, and not before."""
    go, done = project.root / "go", project.root / "done"
    script = project.file(
        "tell.py",
        f"""
import os, time
while not os.path.exists({str(go)!r}):
    time.sleep(0.05)
open({str(done)!r}, "w")
""",
    )
    settings(project, f"[notify.ops]\ncommand = ['{sys.executable}', '{script}']")
    run(project, "clean", code=1)
    assert not done.exists()
    go.touch()
    until(done.exists, 60, "the program did not end")


def test_a_mail_server_that_is_down_gets_it_later_and_once(project: ProjectBuilder, mail: Post) -> None:
    settings(project, f'[notify.ops]\nto = "{mail.url}"')
    mail.down()
    run(project, "clean", code=1)
    assert "ops, mailto://127.0.0.1" in notify(project, "send", code=1)
    assert "tried" in notify(project, "list")
    doctor = stagebook(project.root, "doctor", "--env", "prod").stdout
    assert "could not be sent" in doctor
    mail.up()
    run(project, "clean", code=1)
    notify(project, "send")
    assert notify(project, "send") == "nothing waits\n"
    assert mail.subjects == [f"✗ flights.clean failed ({project.root.name}, prod)"]


def test_whoever_is_killed_while_it_sends_loses_nothing_and_doubles_have_one_key(
    project: ProjectBuilder,
) -> None:
    got = project.root / "got.jsonl"
    script = project.file(
        "tell.py",
        f"""
import json, os, signal, sys
known = os.path.exists({str(got)!r})
open({str(got)!r}, "a").write(json.dumps(json.load(sys.stdin)) + "\\n")
if not known:
    os.kill(os.getppid(), signal.SIGKILL)
""",
    )
    settings(project, f"[notify.ops]\ncommand = ['{sys.executable}', '{script}']")
    run(project, "clean", code=1)
    until(got.exists, 60, "no alert came")
    notify(project, "send")
    assert notify(project, "send") == "nothing waits\n"
    first, second = map(json.loads, got.read_text().splitlines())
    assert first == second
    assert first["facts"][0]["incident"]["subject"] == "clean"


def test_a_run_that_was_killed_is_told_of_by_the_next_command(project: ProjectBuilder, web: Hook) -> None:
    settings(project, f'[notify.ops]\nto = "{web.url}"')
    project.notebook(
        "load", "open('begun', 'w')", "__import__('time').sleep(100)", params="bad = loaded = ''"
    )
    killed = start(
        project.root, "run", "flights", "--env", "prod", "--only", "load", stdout=subprocess.DEVNULL
    )
    until(lambda: list(project.root.rglob("begun")), 60, "the stage did not begin")
    killed.kill()
    killed.wait()
    assert stagebook(project.root, "status", "--env", "prod").returncode == 0
    until(lambda: web.got, 60, "no alert came")
    assert web.titles == [f"✗ flights did not end: its process vanished ({project.root.name}, prod)"]


def test_who_has_no_rules_has_none_of_it(project: ProjectBuilder) -> None:
    settings(project)
    run(project, "clean", code=1)
    with Project.open(project.root, environment="prod") as prod:
        state = prod.root / ".stagebook"
        assert not (state / "alerts.log").exists()
        assert prod.journal.alerts.position is None
    assert notify(project, "list").startswith("no rules yet")
    assert "no rules yet" in notify(project, "test")


def test_rules_begin_with_what_happens_from_then_on(
    project: ProjectBuilder, tmp_path: Path, web: Hook
) -> None:
    settings(project)
    run(project, "clean", code=1)
    settings(project, f'[notify.ops]\nto = "{web.url}"')
    assert notify(project, "send") == "nothing waits\n"
    run(project)
    until(lambda: web.got, 60, "no alert came")
    assert web.titles == [f"✓ flights.clean is well again ({project.root.name}, prod)"]


def test_a_rule_is_tried(project: ProjectBuilder, web: Hook) -> None:
    settings(project, f'[notify.ops]\nto = "{web.url}"')
    said = notify(project, "test", "ops")
    assert said.startswith("✓ ops, json://127.0.0.1")
    web.status = 500
    said = notify(project, "test", code=1)
    assert "✗ ops, json://127.0.0.1" in said
    assert "500" in said
    assert "there is no rule 'opps'" in stagebook(project.root, "notify", "test", "opps").stderr


def test_a_deployment_is_told(project: ProjectBuilder, web: Hook) -> None:
    settings(project, f'[notify.ops]\nto = "{web.url}"\non = "deployment"')
    run(project)
    done = stagebook(project.root, "deploy", "--to", "prod", "--allow-dirty", "--yes", timeout=240)
    assert done.returncode == 0, done.stderr + done.stdout
    until(lambda: web.got, 60, "no alert came")
    assert web.titles[0].startswith("✓ deployment to prod: version ")
