"""`env` in its long form: variables of the environment with values, in which secrets may stand.

`{TZ: null, DB_URL: "postgresql://me:${secret.DB}@host/db"}`: without a value it is a variable of the environment of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagebook.pipeline.model import Location
from stagebook.pipeline.problems import ENV_NAME, ProblemCollector
from stagebook.pipeline.types import describe
from stagebook.system.logins import MIN_SECRET, holds_login, is_secret
from stagebook.system.secret_sources import names_in, without_references

_OURS = ("STAGEBOOK_",)
_SET_LATER = {"PYTHONPATH", "PLOOMBER_STATS_ENABLED"}


def split_env(raw: Any) -> tuple[Any, dict[str, Any]]:
    """An entry of `stages`, or `defaults`, with `env` as a list; and the variables with values."""
    env = raw.get("env") if isinstance(raw, dict) else None
    if not isinstance(env, dict):
        return raw, {}
    names = [name for name, value in env.items() if value is None]
    return {**raw, "env": names}, {name: value for name, value in env.items() if value is not None}


def read_variables(values: Mapping[Any, Any], base: Location, problems: ProblemCollector) -> dict[str, str]:
    """The variables with values, by name; mistakes in them are reported."""
    read = {}
    for name, value in values.items():
        if mistake := _mistake_in(name, value):
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
    if "${" in rest:
        hint = "what can: ${secret.NAME}; other values are passed as params. '$${' stands for a plain '${'"
        return f"'{name}' holds an expression that cannot stand here", hint
    if holds_login(rest.replace(":@", "@")) or (
        not names_in(value) and len(value) >= MIN_SECRET and is_secret(name, value)
    ):
        hint = "write ${secret.NAME}, and say under [secrets] in stagebook.toml where it comes from"
        return f"'{name}' holds what looks like a secret, and a pipeline is kept in its records", hint
    return None
