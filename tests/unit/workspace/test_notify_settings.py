"""The settings of alerts: mistakes are told with what to do, and quiet hours end."""

from __future__ import annotations

import datetime
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from stagebook.errors import PipelineInvalid
from stagebook.workspace.notify_settings import DEFAULT_ON, ON, NotifySettings
from stagebook.workspace.settings import Settings, read_settings


def read(root: Path, text: str) -> Settings:
    (root / "stagebook.toml").write_text(text)
    return read_settings(root)


def test_a_rule_needs_no_more_than_an_address(tmp_path: Path) -> None:
    (rule,) = read(tmp_path, '[notify.ops]\nto = "json://localhost/hook"\n').notify.values()
    assert (rule.to, rule.every, tuple(rule.on)) == (["json://localhost/hook"], "change", DEFAULT_ON)
    assert (rule.tells_of("prod"), rule.tells_of("dev")) == (True, False)


def test_a_rule_in_full(tmp_path: Path) -> None:
    text = """
        [notify.ops]
        to = ["mailto://me:${secret.SMTP}@example.org", "${secret.CHAT}"]
        command = ["python", "tell me.py"]
        on = "failure"
        pipelines = ["flights*"]
        environments = ["dev", "prod"]
        every = "run"
        quiet = "22:00-07:00"
        zone = "Europe/Berlin"
        """
    (rule,) = read(tmp_path, text).notify.values()
    assert (rule.command, rule.on) == ("python 'tell me.py'", ["failure"])
    assert (rule.tells_of("dev"), rule.tells_of("ci")) == (True, False)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('on = ["failur"]', "'notify.ops.on': there is no event 'failur'; did you mean 'failure'?"),
        (
            'to = "mailto://me:hunter22@x.org"',
            "'notify.ops.to': a login is written out: write ${secret.NAME}",
        ),
        (
            'to = "json://x/${params.a}"',
            "'notify.ops.to': an address holds no expression other than ${secret",
        ),
        ('to = "me@example.org"', "'notify.ops.to': 'me@example.org' is no address of apprise"),
        ("to = []", "'notify.ops': nobody is told: give 'to', an address, or 'command'"),
        ('quiet = "22-7"', "'notify.ops': 'quiet' is of the form 22:00-07:00, not '22-7'"),
        ('quiet = "24:00-07:00"', "'quiet' is of the form"),
        ('quiet = "22:00-22:00"', "'quiet' ends when it begins: '22:00-22:00'"),
        ("on = []", "'notify.ops': it tells of nothing: 'on' is empty, and there is no 'digest'"),
        ('zone = "Europe/Berln"', "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ('zone = "../etc"', "there is no time zone '../etc'"),
        ('every = "day"', "'notify.ops.every' is change or run, not 'day' (str)"),
        ('too = "x"', "unknown key 'notify.ops.too'"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, rule: str, said: str) -> None:
    lines = [rule] if rule.startswith("to =") else ['to = "json://localhost"', rule]
    with pytest.raises(PipelineInvalid) as caught:
        read(tmp_path, "[notify.ops]\n" + "\n".join(lines))
    (problem,) = caught.value.problems
    assert problem.place.startswith("stagebook.toml")
    assert said in problem.message


def test_a_name_of_a_rule_can_stand_in_a_command(tmp_path: Path) -> None:
    with pytest.raises(PipelineInvalid) as caught:
        read(tmp_path, '[notify."a b"]\nto = "json://x"\n')
    assert "'a b' is no name for a rule" in caught.value.problems[0].message


def test_the_words_of_rules_are_those_that_can_happen() -> None:
    assert set(DEFAULT_ON) < set(ON)
    assert NotifySettings(to=["json://x"], on=list(ON)).on == list(ON)


@pytest.mark.parametrize(
    ("text", "environment", "opens"),
    [
        ("", "prod", True),
        ("", "dev", False),
        ("[incidents]\ndev = true", "dev", True),
        ('[notify.x]\nto = "json://x"', "dev", False),
        ('[notify.x]\nto = "json://x"\nenvironments = ["dev"]', "dev", True),
    ],
)
def test_where_incidents_are_opened(tmp_path: Path, text: str, environment: str, opens: bool) -> None:
    assert read(tmp_path, text).opens_incidents(environment) is opens


def at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        ("22:00-07:00", "2026-03-10 21:59", "2026-03-10 21:59"),
        ("22:00-07:00", "2026-03-10 22:00", "2026-03-11 07:00"),
        ("22:00-07:00", "2026-03-11 06:59", "2026-03-11 07:00"),
        ("22:00-07:00", "2026-03-11 07:00", "2026-03-11 07:00"),
        ("12:00-13:30", "2026-03-11 12:30", "2026-03-11 13:30"),
        ("22:00-07:00", "2026-03-28 23:00", "2026-03-29 07:00"),  # the clocks go forward at night
        ("22:00-07:00", "2026-10-24 23:00", "2026-10-25 07:00"),  # and back
    ],
)
def test_quiet_hours(quiet: str, now: str, until: str) -> None:
    rule = NotifySettings(to=["json://x"], quiet=quiet, zone="Europe/Berlin")
    assert rule.quiet_until(at(now)) == at(until)


_times = st.times().map(lambda time: time.strftime("%H:%M"))


@given(_times, _times, st.floats(0, 4e9), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
@example("22:00", "07:00", at("2026-10-25 02:30"), "Europe/Berlin")
def test_quiet_hours_end_within_a_day_and_are_over_then(begin: str, end: str, now: float, zone: str) -> None:
    assume(begin != end)
    rule = NotifySettings(to=["json://x"], quiet=f"{begin}-{end}", zone=zone)
    until = rule.quiet_until(now)
    assert now <= until <= now + 26 * 3600
    if until > now:
        assert rule.quiet_until(until) == until


def test_without_quiet_hours_nothing_waits() -> None:
    assert NotifySettings(to=["json://x"]).quiet_until(5.0) == 5.0
