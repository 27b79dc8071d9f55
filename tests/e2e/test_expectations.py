"""What a schedule expects and is not so is told, by real schedulers and commands: once, and once that it is over."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, looked, stagebook, start
from recipients import Hook, Post, hook, post, text_of
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import Journal
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.kernel, pytest.mark.long]

PIPELINE = """
schedules:
  nightly: {cron: "0 5 1 1 *", zone: UTC, env: prod, expect: {fresh: 26h}}
stages: {a: {notebook: notebooks/a.ipynb, executor: inprocess, outputs: {out: data/a.txt}}}
"""
OF_A_DAY = 'params: {day: "${interval.start}"}, outputs: {out: "data/${interval.name}.txt"}'


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


@pytest.fixture
def project(builder: ProjectBuilder, web: Hook, mail: Post) -> ProjectBuilder:
    rule = f'[notify.ops]\nto = "{web.url}"\n[notify.mail]\nto = "{mail.url}"\non = ["late", "recovery"]'
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[environments.prod]\n{rule}\n")
    builder.notebook("a", "open(out, 'w').write('x')", params="out = ''")
    builder.pipeline(PIPELINE)
    return builder


def ran_long_ago(root: Path) -> None:
    """The last run of the environment completed thirty hours ago."""
    at = time.time() - 30 * 3_600
    path = root / ".stagebook/environments/prod/state/journal.db"
    with contextlib.closing(Journal(path)) as journal:
        journal.append(
            [
                RunStarted(run="old", at=at, pipeline="p", plan={"params": {}, "stages": []}),
                RunEnded(run="old", at=at, status=Status.COMPLETED),
            ]
        )


@contextlib.contextmanager
def killed(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A scheduler, which is killed."""
    process = start(root, "scheduler", env=environment(), stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


def says(process: subprocess.Popen[str], text: str) -> None:
    """Wait until a process says something."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"it ended and never said: {text}"


def test_what_is_late_is_told_once_and_so_is_that_it_is_over_though_schedulers_are_killed(
    project: ProjectBuilder, web: Hook, mail: Post
) -> None:
    root = project.root
    assert stagebook(root, "run", "--env", "prod").returncode == 0
    ran_long_ago(root)
    with killed(root):
        until(lambda: web.got, 90, "no alert came")
    (told,) = web.got
    assert told["title"] == f"! p/nightly is not as expected ({root.name}, prod)"
    assert "why: overdue: no run has completed since " in told["message"]
    shown = looked(root, "incident", "list", "--env", "prod").stdout
    assert "! late" in shown
    assert "p/nightly" in shown
    assert "open incidents elsewhere: prod 1" in looked(root, "status").stdout
    assert "p/nightly late (" in looked(root, "status", "--env", "prod").stdout

    with killed(root) as process:
        says(process, "p/nightly in prod is overdue")  # the next one knows nothing of the one before
    assert looked(root, "check-expectations").returncode == 1
    assert stagebook(root, "run", "--env", "prod", "--force").returncode == 0
    with killed(root):
        until(lambda: len(web.got) > 1, 90, "no recovery came")
    assert looked(root, "check-expectations").returncode == 0

    assert looked(root, "schedule", "pause", "nightly", "--because", "a test").returncode == 0
    until(lambda: len(web.got) > 2, 90, "nobody was told of the pause")
    assert "why: paused by " in web.got[2]["message"]
    assert looked(root, "schedule", "resume", "nightly").returncode == 0
    until(lambda: len(web.got) > 3, 90, "nobody was told that it goes on")
    assert stagebook(root, "notify", "send", "--env", "prod").stdout == "nothing waits\n"
    late, over, paused, resumed = web.titles
    name = f"({root.name}, prod)"
    assert late == f"! p/nightly is not as expected {name}"
    assert over == f"✓ p/nightly is as expected again {name}"
    assert paused == f"! p/nightly is paused {name}"
    assert resumed.startswith("✓ p/nightly was resumed")
    assert mail.subjects == [late, over], "of pauses this rule does not tell"
    assert "why: overdue: no run has completed since " in text_of(mail.mails[0])
    found = json.loads(looked(root, "incident", "list", "--all", "--env", "prod", "--json").stdout)
    assert [(one["kind"], one["run"], bool(one["closed"])) for one in found["incidents"]] == [
        ("paused", "", True),
        ("late", "", True),
    ]


def test_what_waits_is_sent_by_a_scheduler_and_a_backfill_is_one_message(
    project: ProjectBuilder, web: Hook
) -> None:
    """What waits is sent by a scheduler that has nothing else to do."""
    root = project.root
    project.notebook(
        "a", "assert day < '2026-01-03', 'no file'", "open(out, 'w').write('x')", params="day = ''\nout = ''"
    )
    project.pipeline(PIPELINE.replace("outputs: {out: data/a.txt}", OF_A_DAY))
    web.status = 500
    days = ("--from", "2026-01-01", "--to", "2026-01-05", "--every", "day", "--yes", "--env", "prod")
    done = stagebook(root, "backfill", *days)
    assert "2 completed, 3 failed" in done.stdout, done.stdout + done.stderr
    until(lambda: web.got, 90, "nobody was told")
    stagebook(root, "notify", "send", "--env", "prod")  # waits for whoever is at it
    path = root / ".stagebook/environments/prod/state/journal.db"
    with contextlib.closing(Journal(path)) as journal:
        (one,) = journal.alerts.waiting()
        journal.alerts.trying(one.key, time.time())  # its time has come
    web.status, web.got = 200, []
    with killed(root):
        until(lambda: web.got, 90, "it was not sent")
    assert web.titles == [f"✗ p.a failed ({root.name}, prod)"]
