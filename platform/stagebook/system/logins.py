"""Secrets: logins in URIs, and variables whose names say what they hold; what is shown of them, and what is for
nobody's eyes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from stagebook.system.encodings import bytes_forms, forms, pieces

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
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
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


def is_secret(name: str, value: str) -> bool:
    """Whether the value of a variable is a secret, as far as its name tells. A path leads to one, and is none."""
    paths = ("/", "~", "C:")
    return looks_secret(name) and not value.startswith(paths) and value.lower() not in _PLAIN


class Redaction:
    """Puts `HIDDEN` in place of what is known to be secret, in any text."""

    def __init__(self, env: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        """What is secret: `secrets`, the values of variables that look so by name, and the passwords of URIs in any
        other; in all of their forms (`encodings.forms`)."""
        sure = {text for text in secrets if len(text) >= MIN_SECRET}
        found: set[str] = set()
        for name, value in env.items():
            if is_secret(name, value):
                found.add(value)
            found |= set(_passwords(value))
        found = {text for text in found - sure if len(text) >= MIN_SECRET}
        # Of a short word, such as a password "postgres", the same letters are no secret within another word.
        self._words = frozenset(text for text in found if text.isalnum() and len(text) < _LONG)
        made = {form for text in sure | found for form in forms(text) if len(form) >= MIN_SECRET}
        made |= {piece for text in sure for piece in pieces(text)}
        self._forms = sorted(made, key=len, reverse=True)
        binary = {form for text in (sure | found) - self._words for form in bytes_forms(text)}
        self._bytes = sorted(binary, key=len, reverse=True)
        self.longest = max(map(len, self._bytes), default=0)  # bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to be secret."""
        return not self._forms

    def text(self, said: str) -> str:
        """A text without secrets."""
        if (pattern := self._pattern(said)) is not None:
            said = pattern.sub(HIDDEN, said)
        if "\x1b" in said and (pattern := self._pattern(plain := _ANSI.sub("", said))) is not None:
            said = pattern.sub(HIDDEN, plain)  # colours stood within it
        return said

    def _pattern(self, said: str) -> re.Pattern[str] | None:
        """A pattern of the secrets that are in a text; `None` where there is none. To look for each is many times as
        fast as a pattern of all."""
        found = [form for form in self._forms if form in said]
        patterns = [rf"\b{form}\b" if form in self._words else re.escape(form) for form in found]
        return re.compile("|".join(patterns)) if patterns else None

    def whole(self, said: str) -> int:
        """How many characters of a text are good to be written, whatever comes after them: what may be the beginning of a
        secret is not, be it another secret, or a line or piece of one, by itself."""
        cut = len(said) - self._begun(said)
        pattern = self._pattern(said) if cut < len(said) else None
        spans = (found.span() for found in pattern.finditer(said)) if pattern is not None else ()
        return next((start for start, end in spans if start < cut < end), cut)

    def _begun(self, said: str) -> int:
        """How many characters at the end of a text may be the beginning of a secret."""
        most = 0
        for form in self._forms:
            at = max(0, len(said) - len(form) + 1)
            while (at := said.find(form[0], at)) >= 0 and len(said) - at > most:
                if form.startswith(said[at:]):
                    most = len(said) - at
                    break
                at += 1
        return most

    def data(self, said: Any) -> Any:
        """Plain data whose texts are without secrets."""
        if self.is_empty:
            return said
        match said:
            case str():
                return self.text(said)
            case dict():
                return {self.text(key): self.data(value) for key, value in said.items()}
            case list() | tuple():
                return [self.data(value) for value in said]
        return said

    def masked(self, data: bytes) -> bytes:
        """Bytes of the same length in which each secret is overwritten: what tells lengths, as pickles do, stays true."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, b"*" * len(form))
        return data


class Stream:
    """A text that comes in pieces. What may be the beginning of a secret is held back until the rest is there."""

    def __init__(self, redacted: Redaction) -> None:
        self._redacted = redacted
        self.held = ""

    def push(self, piece: str) -> str:
        """What can be written of the text so far."""
        if self._redacted.is_empty:
            return piece
        said = self.held + piece
        cut = self._redacted.whole(said)
        self.held = said[cut:]
        return self._redacted.text(said[:cut])

    def end(self) -> str:
        """What was held back: there is no more."""
        said, self.held = self.held, ""
        return self._redacted.text(said)


NO_SECRETS = Redaction({})
