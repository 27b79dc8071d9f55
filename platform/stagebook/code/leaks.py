"""What looks like a secret in a text: tokens of well-known formats, private keys, URLs with passwords, and values that are
given to names such as `password`. A line that says `not a secret` in a comment is passed over."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

SILENCE = "not a secret"
_SILENT = re.compile(r"(?:#|//|<!--).*(?:not a secret|pragma: allowlist secret)")

# As their issuers document them, and scanners such as gitleaks and detect-secrets look for them.
_FORMATS = {
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{60,}\b",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w{20,}",
    "a key of Stripe": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "a key of a language model": r"\bsk-(?=[A-Za-z_-]*[0-9])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,}",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{34,}\b",
    "a token of PyPI": r"\bpypi-AgE[A-Za-z0-9_-]{50,}",
    "a token of npm": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a token of Databricks": r"\bdapi[0-9a-f]{32}\b",
    "a key of SendGrid": r"\bSG\.[\w-]{22}\.[\w-]{43}",
    "a key of Azure": r"\bAccountKey=[A-Za-z0-9+/]{80,}",
    "a JSON Web Token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
}
_FORMAT = re.compile("|".join(f"(?P<k{at}>{pattern})" for at, pattern in enumerate(_FORMATS.values())))
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@'\"<>]*:(?P<value>[^\s/@'\"<>]+)@[\w\[.-]")
_NAME = r"(?i)\b\w*(?:password|passwd|pwd|passphrase|secret|api_?key|access_?key|private_?key|token)"
_ASSIGNED = re.compile(
    _NAME + r"['\"]?\]?\s*(?::\s*\w+\s*)?[=:]\s*[rbu]{0,2}(?P<q>['\"])(?P<value>[^'\"\s]{6,})(?P=q)"
)
_PLAIN = re.compile(_NAME + r"\s*:\s+(?P<value>[^\s'\"#,]{6,})\s*(?:#|$)")
# What stands where a secret will: names, marks and templates, paths, and URLs.
_PLACEHOLDER = re.compile(
    r"(?i)[${}<>%]|^(?:\W|(.)\1*$|your|my[-_]|example|dummy|fake|test|todo|none|null|insert|enter|pass(?:word|phrase)?|"
    r"secret|token|placeholder|redacted|hidden|env[:.]|os\.environ|[~/.])|\.\.\.|…|://|\*\*\*"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What looks like a secret, and its place in a text, from 1."""

    what: str
    line: int
    column: int


def leaks_in(text: str, *, is_yaml: bool = False, only_formats: bool = False) -> Iterator[Leak]:
    """The first of each line. `is_yaml`: values need no quotes there. `only_formats`: a text that nobody wrote, where a
    name with a value says little."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _SILENT.search(line):
            continue
        found = _first(line, is_yaml=is_yaml, only_formats=only_formats)
        if found is not None:
            yield Leak(what=found[0], line=number, column=found[1] + 1)


def _first(line: str, *, is_yaml: bool, only_formats: bool) -> tuple[str, int] | None:
    if found := _FORMAT.search(line):
        return list(_FORMATS)[int(str(found.lastgroup)[1:])], found.start()
    for found in _URL.finditer(line):
        if not _PLACEHOLDER.search(found["value"]):
            return "a URL with a password", found.start()
    if only_formats:
        return None
    for found in _ASSIGNED.finditer(line):
        if not _PLACEHOLDER.search(found["value"]):
            return "a secret that is written out", found.start()
    for found in _PLAIN.finditer(line) if is_yaml else ():
        value = found["value"]
        if not _PLACEHOLDER.search(value) and not value.isalpha() and value[0] not in "[&!|":
            return "a secret that is written out", found.start()
    return None
