"""`env` of a stage in its long form: variables with values, and secrets in them."""

from __future__ import annotations

import textwrap

import pytest

from building import load

PLAIN = {"stages": "stages:\n  a:\n    notebook: a.ipynb\n    env: %s\n"}


def stage(env: str, defaults: str = "[]"):
    loaded = load(f"defaults: {{env: {defaults}}}\n" + PLAIN["stages"] % env)
    assert loaded.problems == ()
    return loaded.pipeline.stages["a"]


def problem(env: str) -> str:
    loaded = load(PLAIN["stages"] % env)
    return "\n".join(str(one) for one in loaded.problems)


def test_names_and_values_go_apart() -> None:
    made = stage('{TZ: , LANG: null, URL: "db://me:${secret.DB}@h", MODE: fast}')
    assert made.env == ("TZ", "LANG")
    assert made.variables == {"URL": "db://me:${secret.DB}@h", "MODE": "fast"}
    assert stage("[TZ, LANG]").env == ("TZ", "LANG")
    assert stage("TZ").env == ("TZ",)


def test_a_stage_adds_to_the_defaults_and_wins_over_them() -> None:
    made = stage('{A: "of stage", B: }', defaults='{A: "${secret.A}", B: "${secret.B}", C: "c-value", D: }')
    assert made.variables == {"A": "of stage", "C": "c-value"}
    assert made.env == ("D", "B")
    assert stage("[TZ]", defaults='{A: "${secret.A}"}').variables == {"A": "${secret.A}"}


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("{A: 3}", "p.yaml:4:11: 'A' has to be text, not 3 (int)"),
        ("{A: [x]}", "'A' has to be text, not"),
        ("{'A B': x}", "'A B' is not the name of an environment variable"),
        ("{3: x}", "'3' is not the name of an environment variable"),
        ("{'A=': }", "'A=' is not the name of an environment variable"),
        ("{STAGEBOOK_SECRET_A: x}", "'STAGEBOOK_SECRET_A' is set by Stagebook"),
        ("{PYTHONPATH: x}", "'PYTHONPATH' is set by Stagebook"),
        ("{A: '${params.x}'}", "'A' holds an expression that cannot stand here"),
        ("{A: '${secret.x'}", "'A' holds an expression that cannot stand here"),
        ("{A: 'db://me:hunter22@h/x'}", "'A' holds what looks like a secret"),
        ("{DB_PASSWORD: hunter22}", "'DB_PASSWORD' holds what looks like a secret"),
    ],
)
def test_mistakes_have_their_place(env: str, message: str) -> None:
    said = problem(env)
    assert message in said
    assert "hunter22" not in said


@pytest.mark.parametrize(
    "env",
    ["{A: '$${params.x}'}", "{MAX_TOKENS: '4096'}", "{KEY_FILE: /run/keys/db}", "{A: 'db://me:${secret.X}@h'}",
     "{A: 'db://${secret.U}:${secret.X}@h'}", "{DB_PASSWORD: '${secret.X}'}", "{A: ''}"],
)  # fmt: skip
def test_what_is_none_is_taken(env: str) -> None:
    assert problem(env) == ""


def test_a_secret_stands_nowhere_else() -> None:
    text = textwrap.dedent("""
        stages:
          a:
            notebook: a.ipynb
            params: {x: "${secret.DB}"}
            outputs: {y: "data/${secret.DB}"}
    """)
    said = [str(one) for one in load(text).problems]
    assert len(said) == 2
    assert all("'secret.DB' is a secret, which cannot stand here" in one for one in said)
    assert all('env: {VARIABLE: "${secret.NAME}"}' in one for one in said)
