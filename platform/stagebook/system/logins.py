"""Secrets: logins in URIs, and variables whose names say what they hold; what is shown of them, and what is for
nobody's eyes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "***"
# Names of environment variables whose values are secrets. `PWD` alone is the working folder.
_NAME = re.compile(
    r"(?i)secret|token(?!i[sz])|passw|passphrase|credential|(?:api|private|access|encryption|signing|ssh)_?key"
    r"|(?:^|_)(?:pat|dsn|auth|jwt|webhook(?:_ur[il])?|conn(?:ection)?_?str(?:ing)?)$|_pwd$"
    r"|(?:^|_)(?:database|db|postgres(?:ql)?|pg|mysql|mongo(?:db)?|redis|amqp|broker|sqlalchemy)_ur[il]$"
)
MIN_SECRET = 6  # characters of a value that is looked for in texts
_LONG = 12  # from here on a value is not found by chance
_PLAIN = {"default", "disable", "disabled", "enable", "enabled", "optional", "required"}
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


def looks_secret(name: str) -> bool:
    """Whether an environment variable looks as if its value were a secret."""
    return _NAME.search(name) is not None


def holds_login(value: str) -> bool:
    """Whether there is a URI with a password or a token in a text."""
    return bool(_passwords(value))


def _passwords(value: str) -> list[str]:
    """The secrets of the URIs in a text. A login without a password is a name, and one whose password is the name no
    secret."""
    named = {login.partition(":")[0] for login in _LOGIN.findall(value)}
    return [
        text for text in secrets(value) if text not in named and text not in {f"{it}:{it}" for it in named}
    ]


class Redaction:
    """Puts `HIDDEN` in place of what is known to be secret, in any text."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """What is secret: the values of variables that look so by name, and the passwords of URIs in any other."""
        found: set[str] = set()
        paths = ("/", "~", "C:")
        for name, value in env.items():
            if looks_secret(name) and not value.startswith(paths) and value.lower() not in _PLAIN:
                found.add(value)
            found |= set(_passwords(value))
        found |= {quote(text, safe="") for text in found}
        # Of a short word, such as a password "postgres", the same letters are no secret within another word.
        patterns = [
            rf"\b{re.escape(text)}\b" if text.isalnum() and len(text) < _LONG else re.escape(text)
            for text in sorted(found, key=len, reverse=True)
            if len(text) >= MIN_SECRET
        ]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def text(self, said: str) -> str:
        """A text without secrets."""
        return self._pattern.sub(HIDDEN, said) if self._pattern is not None else said

    def data(self, said: Any) -> Any:
        """Plain data whose texts are without secrets."""
        if self._pattern is None:
            return said
        match said:
            case str():
                return self.text(said)
            case dict():
                return {self.text(key): self.data(value) for key, value in said.items()}
            case list() | tuple():
                return [self.data(value) for value in said]
        return said


NO_SECRETS = Redaction({})
