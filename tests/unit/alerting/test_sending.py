"""Sending, to real servers and real programs: whatever goes wrong is said, within a bounded time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import PLATFORM
from recipients import Hook, Post, free_port, hook, post, text_of
from stagebook.alerting.sending import Sender
from stagebook.system.secret_sources import SecretSource

MESSAGE = {
    "title": "✗ flights.clean failed (shop, prod)",
    "body": "✗ flights.clean failed\nerror: <b>&amp; *NaN* [x](http://evil.example)",
}


@pytest.fixture(autouse=True)
def _finds_stagebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PLATFORM)


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path, {}, patience=20.0)


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


def test_a_webhook_gets_text_and_key(sender: Sender, web: Hook) -> None:
    assert sender.to_address(web.url, MESSAGE, "k1") == ""
    assert (web.titles, web.keys, web.paths) == ([MESSAGE["title"]], ["k1"], ["/hook"])
    assert web.got[0]["message"] == MESSAGE["body"]


def test_a_mail_gets_text_and_key_and_nothing_in_it_is_markup(sender: Sender, mail: Post) -> None:
    assert sender.to_address(mail.url, MESSAGE, "k1") == ""
    (got,) = mail.mails
    assert (mail.subjects, got["To"], got["X-Stagebook-Key"]) == ([MESSAGE["title"]], "ops@example.org", "k1")
    said = text_of(got)
    assert "flights.clean failed" in said
    assert "<b>" not in said or got.get_content_type() == "text/plain"
    assert "<a href" not in said


def test_an_answer_that_is_no_success_is_a_trouble(sender: Sender, web: Hook) -> None:
    web.status = 500
    assert "500" in sender.to_address(web.url, MESSAGE, "k1")
    web.status = 404
    assert sender.to_address(web.url, MESSAGE, "k1")


def test_nothing_is_sent_elsewhere(sender: Sender, web: Hook) -> None:
    with hook() as elsewhere:
        web.leads_to = f"http://127.0.0.1:{elsewhere.port}/elsewhere"
        assert "302" in sender.to_address(web.url, MESSAGE, "k1")
        assert elsewhere.got == []


def test_who_never_answers_is_waited_for_a_bounded_time(tmp_path: Path, web: Hook) -> None:
    web.hangs = True
    begun = time.monotonic()
    assert Sender(tmp_path, {}, patience=1.5).to_address(web.url, MESSAGE, "k") == "no answer within 1.5 s"
    assert time.monotonic() - begun < 10


def test_nobody_there(sender: Sender) -> None:
    assert "onnection" in sender.to_address(f"json://127.0.0.1:{free_port()}/", MESSAGE, "k1")
    url = f"mailto://127.0.0.1:{free_port()}?from=a@example.org&to=b@example.org&mode=insecure"
    assert sender.to_address(url, MESSAGE, "k1")


def test_an_address_that_apprise_does_not_know(sender: Sender) -> None:
    assert sender.to_address("nonsense://x", MESSAGE, "k1") == "apprise does not know such an address"


def test_a_secret_is_filled_in_and_never_shown(
    tmp_path: Path, web: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", f"json://127.0.0.1:{web.port}/s3cret-path")
    sender = Sender(tmp_path, {"HOOK": SecretSource(kind="env", value="HOOK_URL")})
    assert sender.to_address("${secret.HOOK}", MESSAGE, "k1") == ""
    assert web.paths == ["/s3cret-path"]
    monkeypatch.setenv("HOOK_URL", f"json://127.0.0.1:{free_port()}/s3cret-path")
    trouble = sender.to_address("${secret.HOOK}", MESSAGE, "k1")
    assert trouble
    assert "s3cret" not in trouble
    monkeypatch.delenv("HOOK_URL")
    assert "the environment variable HOOK_URL is not set" in sender.to_address("${secret.HOOK}", MESSAGE, "k")


def program(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def test_a_program_gets_the_alert_as_json(
    tmp_path: Path, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGEBOOK_SECRET_DB", "hunter22")
    command = program(
        tmp_path,
        "import json, os, sys\n"
        "got = json.load(sys.stdin)\n"
        "secret = os.environ.get('STAGEBOOK_SECRET_DB')\n"
        "json.dump([got['title'], got['key'], os.environ['STAGEBOOK_ALERT'], secret], open('got.json', 'w'))\n",
    )
    assert sender.to_command(command, MESSAGE, "k1") == ""
    assert json.loads((tmp_path / "got.json").read_text()) == [MESSAGE["title"], "k1", "k1", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('no such channel')", "exit code 1: no such channel"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("pass", ""),  # it need not read what it gets
    ],
)
def test_what_a_program_comes_to(tmp_path: Path, sender: Sender, text: str, said: str) -> None:
    assert sender.to_command(program(tmp_path, text), MESSAGE, "k") == said


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    text = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\ntime.sleep(60)"
    begun = time.monotonic()
    assert Sender(tmp_path, {}, patience=1.0).to_command(program(tmp_path, text), MESSAGE, "k") == (
        "no answer within 1 s"
    )
    assert time.monotonic() - begun < 10


def test_a_program_that_is_not_there(sender: Sender) -> None:
    assert sender.to_command("no-such-program x", MESSAGE, "k") == (
        "no-such-program cannot be started: No such file or directory"
    )
    assert sender.to_command("'unclosed", MESSAGE, "k").startswith("the command cannot be read")
