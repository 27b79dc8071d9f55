"""The name by which other checkouts know a project: its own, or where it is cloned from."""

from __future__ import annotations

import re
from pathlib import Path

from stagebook.system.git import git

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SHORT_FORM = re.compile(r"^([^/@:]+@)?([^/:]+):(?!//)")  # git@github.com:acme/flights.git, as scp takes it
_PORT = re.compile(r":\d+$")


def project_name(root: Path, own: str) -> str:
    """The name of the project at `root`: its `own` one as the settings have it, or else that of the remote `origin`, such as
    `github.com/acme/flights`, with the folder of the project in the repository; empty without either."""
    if own:
        return own
    origin = (git(root, "remote", "get-url", "origin") or "").strip()
    if not origin:
        return ""
    inside = (git(root, "rev-parse", "--show-prefix") or "").strip().strip("/")
    return "/".join(filter(None, (name_of_origin(origin), inside)))


def name_of_origin(url: str) -> str:
    """The name that a URL of git gives, the same for each of its forms: host and path, without login, port and `.git`."""
    if _SCHEME.match(url):
        host, slash, path = _SCHEME.sub("", url).partition("/")
        rest = _PORT.sub("", host.rpartition("@")[2]) + slash + path
    else:
        rest = _SHORT_FORM.sub(r"\2/", url)
    return "/".join(filter(None, rest.split("/"))).removesuffix(".git")
