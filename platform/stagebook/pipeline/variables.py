"""`env` in its long form: variables of the environment with values, in which expressions and secrets may stand.

`{TZ: null, YEAR: "${params.year}", DB_URL: "postgresql://me:${secret.DB}@host/db"}`: without a value it is a variable of the
environment of the run. Expressions are evaluated when a run is planned; what refers to a secret stays in the text until a
stage starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stagebook.pipeline.expressions import ExpressionError, Template, compile_value
from stagebook.pipeline.model import Location
from stagebook.pipeline.names import DefinedNames, StageScope
from stagebook.pipeline.problems import ENV_NAME, ProblemCollector
from stagebook.pipeline.types import Value, describe
from stagebook.system.logins import MIN_SECRET, holds_login, is_secret
from stagebook.system.secret_sources import names_in, split_references, without_references

_OURS = ("STAGEBOOK_",)
_SET_LATER = {"PYTHONPATH", "PLOOMBER_STATS_ENABLED"}
# The roots of expressions in them, of a stage and in `defaults`, which belong to no stage.
IN_VARIABLES = frozenset({"params", "matrix", "env", "item", "interval"})
IN_DEFAULTS = IN_VARIABLES - {"matrix", "item"}

LOOKS_SECRET = (
    "holds what looks like a secret, and a pipeline is kept in its records",
    "write ${secret.NAME}, and say under [secrets] in stagebook.toml where it comes from",
)


def split_env(raw: Any) -> tuple[Any, dict[str, Any]]:
    """An entry of `stages`, or `defaults`, with `env` as a list; and the variables with values."""
    env = raw.get("env") if isinstance(raw, dict) else None
    if not isinstance(env, dict):
        return raw, {}
    names = [name for name, value in env.items() if value is None]
    return {**raw, "env": names}, {name: value for name, value in env.items() if value is not None}


def read_variables(
    values: Mapping[Any, Any],
    base: Location,
    problems: ProblemCollector,
    names: DefinedNames,
    scope: StageScope | None = None,
) -> dict[str, str]:
    """The variables with values, by name; mistakes in them are reported. `names`: what the file defines; `scope`: what a
    stage adds to that, `None` in `defaults`."""
    allowed = IN_DEFAULTS if scope is None else IN_VARIABLES
    read = {}
    for name, value in values.items():
        mistake = _mistake_in(name, value)
        try:
            for template in () if mistake else templates_in(value):
                for reference in sorted(template.references):
                    names.check(reference, allowed, scope or StageScope(stage="defaults"))
        except ExpressionError as error:
            mistake = f"'{name}': {error}", error.hint
        if mistake:
            problems.report((*base, name), *mistake)
        else:
            read[name] = value
    return read


def _mistake_in(name: Any, value: Any) -> tuple[str, str] | None:
    if not isinstance(name, str) or not ENV_NAME.fullmatch(name):
        return f"'{str(name)[:60]}' is not the name of an environment variable", "such as DB_URL"
    if name.startswith(_OURS) or name in _SET_LATER:
        return f"'{name}' is set by Stagebook", "choose another name"
    if not isinstance(value, str):
        return f"'{name}' has to be text, not {describe(value)}", "write it in quotes"
    rest = without_references(value)
    # Of an expression the value is looked at once it is known.
    if holds_login(rest.replace(":@", "@")) or ("${" not in rest and looks_secret(name, value)):
        what, hint = LOOKS_SECRET
        return f"'{name}' {what}", hint
    return None


def looks_secret(name: str, value: str) -> bool:
    """Whether a value without references to secrets is one by itself."""
    return not names_in(value) and len(value) >= MIN_SECRET and is_secret(name, value)


def _pieces(text: str) -> Iterator[str | Template]:
    """A text in pieces: what refers to secrets, or stands for a plain `${`, as it is; the rest compiled. Raises
    `ExpressionError`."""
    for piece, is_reference in split_references(text):
        yield piece if is_reference else compile_value(piece)


def templates_in(text: str) -> list[Template]:
    """The parts of a variable's text with expressions. Raises `ExpressionError`."""
    return [piece for piece in _pieces(text) if isinstance(piece, Template) and piece.references]


def evaluated(text: str, value_of: Callable[[Template], Value]) -> str:
    """A variable's text with the values of its expressions, as `fill` of `secret_sources` takes it: nothing in a value is
    taken for a reference to a secret.

    Args:
        text: as the pipeline file has it.
        value_of: evaluates a template.

    Raises:
        ExpressionError: a value is no text, number or boolean.
    """
    made: list[str] = []
    for piece in _pieces(text):
        if isinstance(piece, Template):
            made.append(_as_text(value_of(piece)).replace("${", "$${"))
        elif made and made[-1].endswith("$") and piece != "$${":
            raise ExpressionError("a value that ends with '$' cannot stand before a secret")
        else:
            made.append(piece)
    return "".join(made)


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as YAML has it
    if not isinstance(value, str | int | float):
        raise ExpressionError(f"it has to be text, not {describe(value)}", "name one of its items, or str(…)")
    if "\0" in (text := str(value)):
        raise ExpressionError("it holds the character with the number 0", "no variable can hold that")
    return text
