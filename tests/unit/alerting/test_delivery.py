"""Whether there is something to send: what waits, whose time has come, and which no quiet hours hold back."""

from __future__ import annotations

import pytest

from stagebook.alerting.delivery import is_due
from stagebook.journal.alert_table import StoredAlert
from stagebook.workspace.notify_settings import NotifySettings

NOON = 1_767_614_400.0  # 2026-01-05 12:00 UTC
RULES = {
    "ops": NotifySettings(to=["json://x"]),
    "quiet": NotifySettings(to=["json://x"], quiet="11:00-13:00"),
}


def alert(rule: str, due: float) -> StoredAlert:
    return StoredAlert(key="k", rule=rule, recipient="r", made=NOON - 60, message={}, next=due)


@pytest.mark.parametrize(
    ("rule", "due", "expected"),
    [
        ("ops", NOON, True),
        ("ops", NOON + 1, False),
        ("quiet", NOON - 60, False),
        ("nobody", NOON, True),  # it is dropped, as its rule is gone
    ],
)
def test_what_is_due(rule: str, due: float, expected: bool) -> None:
    assert is_due([alert(rule, due)], RULES, NOON) is expected
    assert is_due([alert("ops", NOON + 60), alert(rule, due)], RULES, NOON) is expected


def test_quiet_hours_end() -> None:
    waiting = [alert("quiet", NOON + 3_600)]
    assert not is_due(waiting, RULES, NOON + 3_599)
    assert is_due(waiting, RULES, NOON + 3_600)
    assert not is_due([], RULES, NOON)
