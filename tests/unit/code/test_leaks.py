"""What looks like a secret is found with its place, and what does not is left alone."""

from __future__ import annotations

import pytest

from stagebook.code.leaks import leaks_in

# Made up, and put together here: scanners of others would find them in this file.
WELL_KNOWN = {
    "a key of AWS": "AKIA" + "IOSFODNN7QWERTYU",
    "a token of GitHub": "ghp_" + "a1B2" * 9,
    "a token of GitLab": "glpat-" + "x1Y2z3" * 4,
    "a token of Slack": "xoxb-" + "123456789012-abcdef",
    "a key of Stripe": "sk_live_" + "a1B2c3D4" * 3,
    "a key of a language model": "sk-proj-" + "a1B2c3D4" * 4,
    "a key of Google": "AIza" + "a1B2c" * 7,
    "a token of Hugging Face": "hf_" + "aB" * 17,
    "a token of PyPI": "pypi-AgE" + "x1" * 30,
    "a token of npm": "npm_" + "a1B2" * 9,
    "a token of Databricks": "dapi" + "0a1b" * 8,
    "a key of SendGrid": "SG." + "a1" * 11 + "." + "b2" * 21 + "c",
    "a key of Azure": "AccountKey=" + "aB3/" * 21 + "==",
    "a JSON Web Token": "eyJ" + "hbGciOiJI" * 2 + ".eyJ" + "zdWIiOiIx" * 2 + "." + "sig" * 5,
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("what", WELL_KNOWN)
def test_tokens_of_well_known_formats_are_found(what: str) -> None:
    text = f"import os\nx = f({WELL_KNOWN[what]!r})\n"
    (found,) = leaks_in(text)
    assert (found.what, found.line) == (what, 2)
    assert found.column == text.splitlines()[1].index(WELL_KNOWN[what]) + 1
    assert list(leaks_in(text, only_formats=True)) == [found]
    assert list(leaks_in(text.replace("\n", "  # not a secret\n"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "password = 'correct-horse'",
        'db_password: str = "hunter2!"',
        "connect(user='me', password='hunter2!')",
        "os.environ['DB_PASSWORD'] = 'hunter2!'",
        '{"api_key": "4f9a1c77"}',
        "url = 'postgresql://me:hunter2!@db.example.org/x'",
        "redis://:hunter2!@cache:6379/0",
    ],
)
def test_secrets_that_are_written_out_are_found(line: str) -> None:
    assert [leak.line for leak in leaks_in(f"\n{line}\n")] == [2]
    assert list(leaks_in(f"{line}  # pragma: allowlist secret")) == []


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DB_PASSWORD']",
        "password = getpass('Password: ')",
        "password = ''",
        "password = 'your-password-here'",
        "password = '********'",
        "password = 'xxxxxxxx'",
        "token = '<paste it here>'",
        "token = f'{secret}'",
        'token: str = ""',
        "token = '...'",
        "secret_name = 'prod/warehouse'",
        "tokenizer = 'bert-base-uncased'",
        "max_tokens = 4096",
        "token_url = 'https://example.org/oauth/token'",
        "password_file = '/run/keys/db'",
        "url = 'postgresql://me:${secret.DB}@db/x'",
        "url = f'postgresql://me:{password}@db/x'",
        "url = 'postgresql://me@db/x'",
        "git clone https://github.com/x/y.git",
        "at 12:30 write to me@example.org",
        "<div class='sk-toggleable__label-arrow sk-estimator-doc-link fitted'>",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(line: str) -> None:
    assert list(leaks_in(line)) == []
    assert list(leaks_in(line, is_yaml=True)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("    db_password: hunter2!", True),
        ("    password: hunter2! # the old one", True),
        ("    token: ${secret.API}", False),
        ("    token: {type: str}", False),
        ("    token: required", False),
        ("    api_key: ~/keys/api", False),
        ("    password: !!str", False),
    ],
)
def test_yaml_needs_no_quotes(line: str, found: bool) -> None:
    assert bool(list(leaks_in(line, is_yaml=True))) is found
    assert not list(leaks_in(line))
