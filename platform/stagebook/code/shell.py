"""The words of shell commands, and the Python among them. An approximation: no shell is asked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

_WORD = re.compile(
    r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\{[^{}]*\}|\\.|[^\s;|&<>()'"\\])+|>>?|[;|&<()]|\n""", re.DOTALL
)
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?|\{sys\.executable\}")
_ENDS = frozenset({";", "|", "&", "(", ")", "\n"})
_PREFIXES = frozenset({"env", "exec", "time", "nohup", "nice", "sudo", "uv", "poetry", "run", "coverage"})
_OUTPUT = frozenset({">", ">>", "-o", "--output", "--out", "-O"})
_PROGRAMS = (".py", ".ipynb", ".sh", ".R")


@dataclasses.dataclass(slots=True, kw_only=True)
class Commands:
    """The contents of shell commands.

    Attributes:
        words: those that may name files.
        modules: modules that Python executes (`python -m`).
        code: code that is given to Python (`python -c`).
        dynamic: programs and scripts that are computed.
    """

    words: list[str] = dataclasses.field(default_factory=list)
    modules: list[str] = dataclasses.field(default_factory=list)
    code: list[str] = dataclasses.field(default_factory=list)
    dynamic: list[str] = dataclasses.field(default_factory=list)


def words(text: str) -> list[str]:
    """The words of shell commands, without quotes, and the operators between them."""
    return [_unquoted(found) for found in _WORD.findall(text.replace("\\\n", " "))]


def _unquoted(word: str) -> str:
    if "'" not in word and '"' not in word and "\\" not in word:
        return word
    return re.sub(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)""", _content, word)


def _content(quoted: re.Match[str]) -> str:
    """What a quoted part stands for. A backslash within double quotes quotes only what is special there (POSIX 2.2.3)."""
    return quoted[1] or re.sub(r'\\(["$`\\])', r"\1", quoted[2] or "") or quoted[3] or ""


def base(word: str) -> str:
    """The name of a program, without its folder."""
    return word if word.startswith("{") else word.rpartition("/")[2]


def is_filled(word: str) -> bool:
    """Whether a word has a part that is computed when it is executed, such as `{name}` or `$name`."""
    return "{" in word or "$" in word


def read(given: Iterable[str]) -> Commands:
    """The contents of commands, given as words. Files that they only write, as after `>`, are left out."""
    found = Commands()
    program, before = "", ""
    is_program_next = True
    for word in given:
        last, before = before, word
        if word in _ENDS:
            program, is_program_next = "", True
        elif last in _OUTPUT or word in {">", ">>", "<"} or program == "tee":
            continue
        elif is_program_next:
            if not (base(word) in _PREFIXES or word.startswith("-") or "=" in word):
                program, is_program_next = base(word), False
                found.words.append(word)
        elif _PYTHON.fullmatch(program) and last in {"-m", "-c"}:
            (found.modules if last == "-m" else found.code).append(word)
            program = "its arguments"
        elif is_filled(word):
            if word.endswith(_PROGRAMS) or (_PYTHON.fullmatch(program) and _PYTHON.fullmatch(base(last))):
                found.dynamic.append(f"{program} {word}")
        else:
            found.words.append(word.partition("=")[2] if word.startswith("-") else word)
    found.words = [word for word in found.words if 1 < len(word) <= 250 and not word.startswith("-")]
    return found
