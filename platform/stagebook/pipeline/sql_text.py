"""The statements of a text of SQL, with their lines, and the `$name` in them. A scanner, not a parser: it knows strings,
quoted names, comments and dollar quotes, and leaves the rest to the database."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<quoted>'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|`[^`]*`|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?:(?P=tag)|\Z))
      | (?P<param>\$[A-Za-z_]\w*)
      | (?P<end>;)
      | (?P<space>\s+)""",
    re.DOTALL | re.VERBOSE,
)
_ROWS = re.compile(
    r"[\s(]*(?:select|with|from|values|table|show|describe|summarize|pivot|unpivot)\b", re.IGNORECASE
)
_WRITES = re.compile(r"\b(?:insert|update|delete|merge)\b", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement: its text, the line that it begins in, from 1, and the names of its `$name`."""

    text: str
    line: int
    params: frozenset[str]
    bare: str  # without comments and what is quoted

    @property
    def gives_rows(self) -> bool:
        """Whether it is a SELECT, or something like one."""
        if _ROWS.match(self.bare) is None:
            return False
        return not (self.bare.lstrip().lower().startswith("with") and _WRITES.search(self.bare))


def statements_of(text: str) -> list[Statement]:
    """The statements of a text, in order; empty ones are left out."""
    found: list[Statement] = []
    tokens: list[_Token] = []
    for token in (*_tokens(text), _Token(kind="end", start=len(text), end=len(text))):
        if token.kind != "end":
            tokens.append(token)
            continue
        if any(one.counts for one in tokens):
            found.append(_statement(text, tokens))
        tokens = []
    return found


def with_params(statement: Statement, sign: str) -> str:
    """Its text with `sign` in the place of the `$` of each `$name`. Other colons are escaped where the sign is one, as
    SQLAlchemy's `text` has it."""
    parts: list[str] = []
    for token in _tokens(statement.text):
        part = statement.text[token.start : token.end]
        if token.kind == "param":
            part = sign + part[1:]
        elif sign == ":":
            part = part.replace(":", "\\:")
        parts.append(part)
    return "".join(parts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    """A piece of a text: `comment`, `quoted`, `param`, `end`, `space`, or any other character."""

    kind: str
    start: int
    end: int

    @property
    def counts(self) -> bool:
        """Whether it is something to execute."""
        return self.kind not in {"comment", "space"}


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        kind = (found.lastgroup or "") if found is not None else ""
        end = found.end() if found is not None else at + 1
        yield _Token(kind="quoted" if kind == "tag" else kind, start=at, end=end)
        at = end


def _statement(text: str, tokens: Sequence[_Token]) -> Statement:
    start = next(token.start for token in tokens if token.counts)
    inside = [token for token in tokens if token.start >= start]
    bare = (
        " x " if token.kind == "quoted" else text[token.start : token.end]
        for token in inside
        if token.kind != "comment"
    )
    return Statement(
        text=text[start : tokens[-1].end].rstrip(),
        line=text.count("\n", 0, start) + 1,
        params=frozenset(text[one.start + 1 : one.end] for one in inside if one.kind == "param"),
        bare="".join(bare),
    )
