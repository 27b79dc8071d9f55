"""`env` of a stage in its long form: variables with values, and secrets in them."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest

from building import load
from stagebook.pipeline.expressions import ExpressionError, evaluate
from stagebook.pipeline.variables import evaluated
from stagebook.system.secret_sources import fill

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
        ("{A: [x]}", "p.yaml:4:11: 'A' has to be text, not"),
        ("{'A B': x}", "'A B' is not the name of an environment variable"),
        ("{3: x}", "'3' is not the name of an environment variable"),
        ("{'A=': }", "'A=' is not the name of an environment variable"),
        ("{STAGEBOOK_SECRET_A: x}", "'STAGEBOOK_SECRET_A' is set by Stagebook"),
        ("{PYTHONPATH: x}", "'PYTHONPATH' is set by Stagebook"),
        ("{A: '${params.x}'}", "'A': unknown name 'params.x'"),
        ("{A: '${matrix.x}'}", "'A': unknown name 'matrix.x'"),
        ("{A: '${item}'}", "'A': 'item' is not available here"),
        ("{A: '${run.id}'}", "'A': 'run.id' is not available here"),
        ("{A: '${stages.a.scraps.x}'}", "'A': 'stages.a.scraps.x' is not available here"),
        ("{A: '${env.API_TOKEN}'}", "'A': 'env.API_TOKEN' looks like a secret"),
        ("{A: '${secret.x'}", "'A': '${secret.x' has no closing brace"),
        ("{A: '${secret[0]}'}", "'A': 'secret' is a secret, which cannot stand here"),
        ("{A: '${'}", "'A': '${' has no closing brace"),
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


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("3", "3"),
        ("007", "007"),
        ("1.50", "1.50"),
        ("1_000", "1_000"),
        ("true", "true"),
        ("0x1F", "0x1F"),
        ("no", "no"),
    ],
)
def test_numbers_and_booleans_are_the_text_that_is_written(written: str, text: str) -> None:
    assert stage(f"{{A: {written}}}").variables == {"A": text}
    assert stage("[]", defaults=f"{{A: {written}}}").variables == {"A": text}
    assert stage(f"{{A: &it {written}, B: *it}}").variables == {"A": text, "B": text}


def test_in_the_defaults_there_is_no_stage() -> None:
    for root in ("matrix.x", "item"):
        loaded = load(
            f"defaults: {{env: {{A: '${{{root}}}'}}}}\nstages: {{a: {{notebook: a.ipynb, matrix: {{x: [1]}}}}}}"
        )
        assert [str(one).splitlines()[0] for one in loaded.problems] == [
            f"pipelines/p.yaml:1:18: 'A': '{root}' is not available here"
        ]
    good = load("params: {x: 1}\ndefaults: {env: {A: '${params.x}'}}\nstages: {a: {notebook: a.ipynb}}")
    assert (good.problems, good.pipeline.stages["a"].variables) == ((), {"A": "${params.x}"})


@pytest.mark.parametrize(
    ("text", "value", "made"),
    [
        ("https://x/${params.x}.csv", 2013, "https://x/2013.csv"),
        ("${params.x}", True, "true"),
        ("${params.x}", 1.5, "1.5"),
        ("${params.x}", "", ""),
        ("db://${params.x}:${secret.DB}@h", "me", "db://me:${secret.DB}@h"),
        ("$${params.x} ${params.x}", 1, "$${params.x} 1"),
        ("${params.x}", "${secret.DB}", "$${secret.DB}"),
        ("${params.x}{secret.DB}", "$", "$${secret.DB}"),
        ("${params.x}$${secret.DB}", "$", "$$${secret.DB}"),
    ],
)
def test_a_value_is_never_taken_for_a_secret(text: str, value: Any, made: str) -> None:
    found = evaluated(text, lambda template: evaluate(template, {"params": {"x": value}}))
    assert found == made
    filled = fill(found, {"DB": "sesame"})
    assert filled.count("sesame") == text.count(":${secret.DB}@")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "it has to be text, not None"),
        ([1], "it has to be text, not [1] (list)"),
        ({"a": 1}, "it has to be text, not"),
        ("a\0b", "the character with the number 0"),
    ],
)
def test_a_value_that_no_variable_can_have(value: Any, said: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(said)):
        evaluated("${params.x}", lambda _template: value)
    with pytest.raises(ExpressionError, match="before a secret"):
        evaluated("${params.x}${secret.DB}", lambda _template: "a$")
