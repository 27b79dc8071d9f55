"""Each alert is sent once; what fails is sent later, what is quiet waits, and what is old is dropped, which is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import PLATFORM
from fakes import FakeClock
from recipients import Hook, Post, hook, post
from stagebook.alerting.deliver import EXIT_WAITING, STAYS, WAITS, deliver
from stagebook.alerting.making import OLD
from stagebook.alerting.outgoing import DELAYS, Sent, name_of, recipient_shown, send_test, send_waiting
from stagebook.alerting.rules import recipients
from stagebook.alerting.sending import Sender
from stagebook.journal.alert_table import StoredAlert
from stagebook.journal.journal import Journal
from stagebook.workspace.notify_settings import NotifySettings
from stagebook.workspace.settings import Settings


@pytest.fixture(autouse=True)
def _finds_stagebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PLATFORM)


class Office:
    """A journal with alerts, a rule that is about them, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal(root / "journal.db")
        self.clock = FakeClock()
        self.rules: dict[str, NotifySettings] = {}

    def rule(self, name: str = "ops", **fields: object) -> NotifySettings:
        self.rules[name] = NotifySettings(**fields)  # type: ignore[arg-type]
        return self.rules[name]

    def add(self, *keys: str, rule: str = "ops") -> None:
        for recipient in recipients(self.rules[rule]):
            made = [
                StoredAlert(
                    key=f"{key}-{recipient}",
                    rule=rule,
                    recipient=recipient,
                    made=self.clock.now,
                    message={"title": key, "body": f"about {key}"},
                    next=self.rules[rule].quiet_until(self.clock.now),
                )
                for key in keys
            ]
            self.journal.alerts.store(made, 1)

    def send(self, *, eager: bool = False) -> list[Sent]:
        return send_waiting(
            self.journal.alerts, self.rules, Sender(self.root, {}, patience=20.0), self.clock, eager=eager
        )

    @property
    def waiting(self) -> list[StoredAlert]:
        return self.journal.alerts.waiting()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


def test_each_is_sent_once(office: Office, web: Hook) -> None:
    office.rule(to=[web.url])
    office.add("a", "b")
    assert [one.trouble for one in office.send()] == ["", ""]
    assert office.send(eager=True) == []
    assert web.titles == ["a", "b"]
    assert len(set(web.keys)) == 2


def test_one_who_fails_does_not_hold_up_another_and_is_not_asked_again_at_once(
    office: Office, web: Hook, mail: Post
) -> None:
    web.status = 500
    office.rule(to=[web.url, mail.url])
    office.add("a", "b")
    troubles = [one.trouble for one in office.send()]
    assert mail.subjects == ["a", "b"]
    assert web.titles == ["a"]  # b waits along with it
    assert sum(bool(trouble) for trouble in troubles) == 2
    assert {(one.tries, "500" in one.trouble) for one in office.waiting} == {(1, True)}


@pytest.mark.long
def test_what_fails_is_tried_again_later_and_later(office: Office, web: Hook) -> None:
    web.status = 500
    office.rule(to=[web.url])
    office.add("a")
    times = []
    for _ in range(8):
        begun = office.clock.now
        office.send()
        (one,) = office.waiting
        times.append(one.next - begun)
        office.clock.now = one.next - 1.0
        assert office.send() == []
        office.clock.now = one.next
    assert times == [*DELAYS, DELAYS[-1], DELAYS[-1]]
    web.status = 200
    assert [one.trouble for one in office.send()] == [""]
    assert len(web.got) == 9


def test_a_mail_server_that_is_down_for_a_day_loses_nothing(office: Office, mail: Post) -> None:
    office.rule(to=[mail.url])
    mail.down()
    for hour in range(0, 24, 6):
        office.add(f"at {hour}")
        office.send()
        office.clock.now += 6 * 3600.0
    assert len(office.waiting) == 4
    mail.up()
    office.send()
    office.send()
    assert mail.subjects == ["at 0", "at 6", "at 12", "at 18"]
    assert office.waiting == []


def test_a_person_who_sends_does_not_wait_for_the_next_try(office: Office, web: Hook) -> None:
    web.status = 500
    office.rule(to=[web.url])
    office.add("a")
    office.send()
    web.status = 200
    assert office.send() == []
    assert [one.trouble for one in office.send(eager=True)] == [""]


def test_in_quiet_hours_nothing_is_sent_and_afterwards_all_is(office: Office, web: Hook) -> None:
    office.clock.now = 1_000_000_800.0  # 02:00 UTC
    office.rule(to=[web.url], quiet="22:00-07:00")
    office.rule("loud", to=[web.url])
    office.add("a")
    office.add("now", rule="loud")
    office.send(eager=True)
    assert web.titles == ["now"]
    office.clock.now += 5 * 3600.0 - 1.0
    assert office.send(eager=True) == []
    office.clock.now += 1.0
    office.send()
    assert web.titles == ["now", "a"]


def test_what_could_not_be_sent_for_a_week_is_dropped_and_that_is_said(office: Office, web: Hook) -> None:
    web.status = 500
    office.rule(to=[web.url])
    office.add("a")
    office.send()
    office.clock.now += OLD + 1.0
    assert office.send() == []
    (one,) = office.journal.alerts.latest(1)
    assert one.state == "dropped"
    assert one.trouble.startswith("it could not be sent within 7 days: ")


def test_an_address_that_was_taken_out_of_the_rule_gets_nothing(office: Office, web: Hook) -> None:
    office.rule(to=[web.url, f"{web.url}/other"])
    office.add("a")
    office.rule(to=[f"{web.url}/other"])
    office.send()
    assert web.paths == ["/hook/other"]
    del office.rules["ops"]
    assert office.send() == []
    assert {one.state for one in office.journal.alerts.latest(9)} == {"sent", "dropped"}


def test_whoever_is_killed_after_it_was_sent_sends_it_once_more_with_the_same_key(
    office: Office, tmp_path: Path
) -> None:
    """The process that sends is gone between sending and writing that down, as with SIGKILL: at the next start the alert waits,
    and not at once."""
    script = tmp_path / "tell.py"
    script.write_text("import os\nopen('got', 'a').write(os.environ['STAGEBOOK_ALERT'] + '\\n')\n")
    office.rule(command=f"{sys.executable} {script}")
    office.add("a")
    (alert,) = office.waiting
    office.journal.alerts.trying(alert.key, office.clock.now + DELAYS[0])
    assert Sender(tmp_path, {}).to_command(str(office.rules["ops"].command), alert.message, alert.key) == ""
    # … and here it was killed.
    assert office.send() == []
    office.clock.now += DELAYS[0]
    office.send()
    assert office.send(eager=True) == []
    first, second = (tmp_path / "got").read_text().split()
    assert first == second == alert.key


def test_a_test_reaches_all_of_a_rule_and_says_what_came_of_it(tmp_path: Path, web: Hook, mail: Post) -> None:
    mail.down()
    rule = NotifySettings(to=[web.url, mail.url], quiet="00:00-23:59")
    first, second = send_test(tmp_path, Settings(), {"ops": rule}, "ada", 5.0)
    assert (first.trouble, bool(second.trouble)) == ("", True)
    assert web.titles == [f"✓ A test of the rule ops ({tmp_path.name})"]
    assert "ada tries whether alerts" in web.got[0]["message"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("slack://T0/B0/s3cret/#ops", "slack://T0/…"),
        ("mailto://me:${secret.SMTP}@example.org?to=x@y.org", "mailto://***@example.org/…"),
        ("${secret.CHAT}", "${secret.CHAT}"),
        ("json://localhost:8080", "json://localhost:8080"),
    ],
)
def test_of_an_address_nothing_is_shown_that_may_be_secret(address: str, shown: str) -> None:
    assert recipient_shown(address) == shown


def test_recipients_by_name() -> None:
    rule = NotifySettings(to=["json://a/b"], command="tell me")
    assert [name_of(rule, one) for one in recipients(rule)] == ["json://a/…", "command tell"]
    assert name_of(rule, "gone") == name_of(None, "gone") == "an address of before"


class Turns:
    """Turns of the process, each with when the next one is due."""

    def __init__(self, *due: float | None) -> None:
        self.due = list(due)
        self.clock = FakeClock(0.0)
        self.waited: list[float] = []

    def turn(self) -> float | None:
        return self.due.pop(0)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock.now += seconds

    def deliver(self) -> int:
        return deliver(self.turn, clock=self.clock, wait=self.wait)


def test_the_process_ends_when_nothing_waits() -> None:
    turns = Turns(10.0, 70.0, None)
    assert (turns.deliver(), turns.waited) == (0, [10.0, 60.0])


def test_the_process_does_not_stay_for_what_is_due_much_later() -> None:
    assert Turns(WAITS + 1.0).deliver() == EXIT_WAITING
    turns = Turns(*(60.0 * at for at in range(1, 9)))
    assert turns.deliver() == EXIT_WAITING
    assert turns.clock.now <= STAYS + WAITS
