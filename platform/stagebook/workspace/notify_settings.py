"""The settings of alerts and incidents: `[notify.NAME]` and `[incidents]`."""

from __future__ import annotations

import datetime
import fnmatch
import re
import shlex
from collections.abc import Collection, Iterator
from typing import Annotated, Literal, Self

import pydantic

from stagebook.errors import did_you_mean
from stagebook.system.logins import holds_login
from stagebook.system.secret_sources import names_in, without_references
from stagebook.timing.zones import ZoneUnknown, find_zone, moment_of

ON = (
    "failure", "recovery", "contract", "warning", "anomaly", "quarantine", "late", "long", "deployment", "paused",
    "invalid",
)  # fmt: skip
DEFAULT_ON = ("failure", "recovery", "contract", "late", "paused", "invalid")
WEEKLY = "mon 08:00"  # what `weekly` stands for
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DIGEST = re.compile(rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)")
_WEEK = datetime.timedelta(days=7)
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class IncidentSettings(_Section):
    """`[incidents]`. `dev`: runs in the working tree open incidents too, and not those in environments alone. `lab`: the
    address of a JupyterLab that shows the project, for links in alerts."""

    dev: bool = False
    lab: str = ""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_command(value: object) -> object:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return shlex.join(value)
    return value


def _checked_recipients(urls: list[str]) -> list[str]:
    for url in urls:
        rest = without_references(url)
        if "${" in rest:
            raise ValueError("an address holds no expression other than ${secret.NAME}")
        if holds_login(rest.replace(":@", "@")):
            msg = "a login is written out: write ${secret.NAME}, and say under [secrets] where it comes from"
            raise ValueError(msg)
        if "://" not in rest and not names_in(url):
            msg = f"{url!r} is no address of apprise, such as mailto://… or json://…; see docs/alerts.md"
            raise ValueError(msg)
    return urls


def _checked_words(words: list[str]) -> list[str]:
    for word in words:
        if word not in ON:
            raise ValueError(f"there is no event '{word}'; {did_you_mean(word, ON)}")
    return words


def _check_zone(name: str) -> None:
    try:
        find_zone(name)
    except ZoneUnknown as error:
        raise ValueError(f"{error}; {error.hint}") from None


class NotifySettings(_Section):
    """`[notify.NAME]`. `to`: an address of apprise, or several (docs/alerts.md); secrets in it are `${secret.NAME}`. `command`: a
    program, which gets the alert as JSON on its standard input. `on`: what it tells of. `pipelines`: names or globs (default:
    all). `environments`: default: all but `dev`, the working tree. `every`: `change` tells what is new of an incident alone,
    `run` tells of each run in which it goes on. `quiet`: hours in which nothing is sent, as `22:00-07:00`, in the time `zone`;
    it is sent when they end. `digest`: the main figures of each week, `weekly` on Monday at 8, or at a time such as `fri 17:00`, in
    the time `zone`."""

    to: Annotated[
        list[str],
        pydantic.BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        pydantic.AfterValidator(_checked_recipients),
    ] = pydantic.Field(default_factory=list)
    command: Annotated[
        str | None, pydantic.BeforeValidator(_as_command, json_schema_input_type=str | list[str] | None)
    ] = None
    on: Annotated[
        list[str],
        pydantic.BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        pydantic.AfterValidator(_checked_words),
    ] = pydantic.Field(default_factory=lambda: list(DEFAULT_ON))
    pipelines: list[str] = pydantic.Field(default_factory=list)
    environments: list[str] = pydantic.Field(default_factory=list)
    every: Literal["change", "run"] = "change"
    quiet: str = ""
    zone: str = "UTC"
    digest: str = ""

    @pydantic.model_validator(mode="after")
    def _check(self) -> Self:
        if not self.to and not (self.command or "").strip():
            raise ValueError("nobody is told: give 'to', an address, or 'command'")
        if not self.on and not self.digest:
            raise ValueError("it tells of nothing: 'on' is empty, and there is no 'digest'")
        if self.quiet and not _QUIET.fullmatch(self.quiet):
            raise ValueError(f"'quiet' is of the form 22:00-07:00, not {self.quiet!r}")
        if self.quiet and len(set(self.quiet.split("-"))) == 1:
            raise ValueError(f"'quiet' ends when it begins: {self.quiet!r}")
        if self.digest not in {"", "weekly"} and not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"'digest' is weekly, or of the form fri 17:00, not {self.digest!r}")
        if self.zone != "UTC":
            _check_zone(self.zone)
        return self

    def quiet_until(self, now: float) -> float:
        """When the quiet hours end that go on at a time, both in seconds since the epoch; the time itself where none do."""
        if not self.quiet:
            return now
        begin, end = (datetime.time.fromisoformat(part) for part in self.quiet.split("-"))
        zone = find_zone(self.zone)
        here = datetime.datetime.fromtimestamp(now, zone)
        time = here.time()
        goes_on = begin <= time < end if begin < end else time >= begin or time < end
        if not goes_on:
            return now
        day = here.date() + datetime.timedelta(days=1 if begin > end and time >= begin else 0)
        return moment_of(datetime.datetime.combine(day, end), zone).timestamp()

    def digest_week(self, now: float) -> tuple[float, float] | None:
        """The last week that ended when a digest was to be made, up to a time; all in seconds since the epoch. `None` without
        digests. Where clocks change it is an hour longer or shorter."""
        if not self.digest:
            return None
        day, clock = (WEEKLY if self.digest == "weekly" else self.digest).split()
        time, zone = datetime.time.fromisoformat(clock), find_zone(self.zone)
        today = datetime.datetime.fromtimestamp(now, zone).date()
        date = today - datetime.timedelta(days=(today.weekday() - _DAYS.index(day)) % 7)
        if moment_of(datetime.datetime.combine(date, time), zone).timestamp() > now:
            date -= _WEEK
        start, end = (
            moment_of(datetime.datetime.combine(one, time), zone).timestamp() for one in (date - _WEEK, date)
        )
        return start, end

    def unknown(
        self, pipelines: Collection[str], environments: Collection[str]
    ) -> Iterator[tuple[str, str, str]]:
        """What it is about and is not among these, so that nothing would ever be told: the key, what is wrong, what to do."""
        for name in self.environments:
            if name not in environments:
                yield "environments", f"there is no environment '{name}'", did_you_mean(name, environments)
        for pattern in self.pipelines:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in pipelines):
                yield "pipelines", f"there is no pipeline '{pattern}'", did_you_mean(pattern, pipelines)

    def tells_of(self, environment: str) -> bool:
        """Whether it is about an environment, by its name."""
        return environment in self.environments if self.environments else environment != "dev"


def with_names(value: object) -> object:
    """The rules, if their names are such as an address or a file may hold."""
    for name in value if isinstance(value, dict) else ():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", str(name)):
            raise ValueError(f"{name!r} is no name for a rule: use up to 40 letters, digits, '-' and '_'")
    return value


Rules = Annotated[dict[str, NotifySettings], pydantic.BeforeValidator(with_names)]
