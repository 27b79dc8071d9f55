"""Logins in URIs: what of them is shown, and what is for nobody's eyes."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
_LOGIN = re.compile(r"(?<=://)[^/?#\s]*(?=@)")
_SECRET = re.compile(r"(?i)(?<=[?&])([^=&#\s]*(?:password|passwd|pwd|secret|token|key)[^=&#\s]*=)([^&#\s]+)")


def shown(text: str) -> str:
    """A text for a person: URIs in it are without user, password or token."""
    return _SECRET.sub(rf"\1{HIDDEN}", _LOGIN.sub(HIDDEN, text))


def without_login(uri: str) -> str:
    """A URI without user and password, for a browser, which asks for them."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "", uri)


def secrets(uri: str) -> list[str]:
    """What of a URI is for nobody's eyes, in the forms in which it may be written; the longest first."""
    found = {text for text in _LOGIN.findall(uri) if text}
    found |= {login.partition(":")[2] for login in found}
    found |= {value for _, value in _SECRET.findall(uri)}
    found |= {unquote(text) for text in found}
    return sorted((text for text in found if len(text) > 2), key=len, reverse=True)
