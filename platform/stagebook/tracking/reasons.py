"""Why MLflow did not take a record, in one line for a person."""

from __future__ import annotations

import re

from stagebook.system.logins import HIDDEN, secrets, shown

_MOST = 300  # characters
# What MLflow and its libraries say → what is said here; `{uri}` is the store's.
_KNOWN = (
    (r"out-of-date database schema|out of date database schema", "its database schema is out of date: mlflow db upgrade {uri}"),
    (r"must be in the 'active' state", "its run was deleted in MLflow"),
    (r"Can't locate revision", "its database is of a newer MLflow than the one that is installed"),
    (r"no such table", "its database is no MLflow database, or an unfinished one: {uri}"),
    (r"database is locked", "its database is locked by another process: {uri}"),
    (r"readonly database|read-only", "its database cannot be written: {uri}"),
    (r"unable to open database file", "its database cannot be opened: {uri}"),
    (r"disk is full|disk I/O error|No space left", "there is no room on the disk for it"),
    (r"Connection refused|NewConnectionError", "nothing answers at {uri}: connection refused"),
    (r"Name or service not known|NameResolutionError|nodename nor servname|name resolution", "there is no such host: {uri}"),
    (r"timed out|timeout exception|ReadTimeout|ConnectTimeout", "it does not answer in time: {uri}"),
    (r"(?i)too many 429|429|too many requests", "it asks to wait (429): {uri}"),
    (r"(?i)unauthenticated|status code 401|\b401\b|unauthorized", "it refuses the login (401): {uri}"),
    (r"(?i)permission[ _]denied|status code 403|\b403\b|forbidden", "it refuses access (403): {uri}"),
    (r"Response: \{", "what answers is no MLflow, or one that does not say why it fails: {uri}"),
    (r"too many 5\d\d|\b50[0234]\b", "it fails on its side (5xx): {uri}"),
)  # fmt: skip


def reason_of(error: BaseException, uri: str) -> str:
    """The reason in one line, without any login that the URI holds."""
    said = scrubbed(str(error), uri)
    for pattern, known in _KNOWN:
        if re.search(pattern, said):
            return known.format(uri=shown(uri))
    line = " ".join(said.split())
    first = re.split(r"(?<=[.!?]) ", line, maxsplit=1)[0].rstrip(".")
    kind = type(error).__name__
    if not first:
        return kind
    return (first if kind in {"MlflowException", "RestException", "BadReply"} else f"{kind}: {first}")[:_MOST]


def scrubbed(said: str, uri: str) -> str:
    """A text without the login that the URI holds."""
    for secret in secrets(uri):
        said = said.replace(secret, HIDDEN)
    return said.encode("utf-8", "backslashreplace").decode()
