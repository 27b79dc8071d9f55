"""The process that hands one message to apprise: the only door to that library.

`python -m stagebook.alerting.apprise_process` reads JSON from its standard input (`url`, `title`, `body`, `key`, and `hidden`: texts
that are never shown) and writes JSON: `trouble`, empty if the message was taken. It is a process of its own, so that whatever
hangs can be ended.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

from stagebook.system.logins import Redaction, secrets, shown

HEADER = "X-Stagebook-Key"  # of mails and web requests; who gets one twice knows it by that
_MOST = 300  # characters of a trouble


class _Heard(logging.Handler):
    """What apprise says of what it does."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def send(asked: Mapping[str, Any]) -> str:
    """Send a message; why it was not taken, or nothing."""
    import apprise  # noqa: PLC0415 - the process is started where it may be missing

    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    logger.propagate = False
    url = str(asked["url"])
    # What is redirected is not sent elsewhere: nobody knows who that is.
    asset = apprise.AppriseAsset(app_id="Stagebook", app_desc="Stagebook", http_redirects=False)
    sender = apprise.Apprise(asset=asset)
    marked = f"{url}{'&' if '?' in url else '?'}+{HEADER}={asked['key']}"
    if not sender.add(marked):
        return "apprise does not know such an address"
    taken = sender.notify(
        title=str(asked["title"]), body=str(asked["body"]), body_format=apprise.NotifyFormat.TEXT
    )
    if taken:
        return ""
    hidden = Redaction({}, [*secrets(url), *map(str, asked.get("hidden", ()))])
    said = hidden.text(" ".join(heard.lines)) or "it was not taken"
    return shown(said)[:_MOST]


if __name__ == "__main__":
    trouble = send(json.load(sys.stdin))
    sys.stdout.write(json.dumps({"trouble": trouble}))
