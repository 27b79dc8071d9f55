"""A secret is found in the usual encodings, wherever it stands in what was encoded, and in pieces."""

from __future__ import annotations

import base64
import html
import itertools
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.system.encodings import bytes_forms, forms
from stagebook.system.logins import HIDDEN, MIN_SECRET, Redaction, Stream

secrets = st.text(st.characters(codec="utf-8"), min_size=MIN_SECRET, max_size=40)
around = st.text("ab:/ =é", max_size=7)

ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda text: quote(text, safe=""),
    "url path": quote,
    "url form": quote_plus,
    "json": json.dumps,
    "json in utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "html": html.escape,
    "html text": lambda text: html.escape(text, quote=False),
    "python": repr,
    "python in ascii": ascii,
    "bytes of python": lambda text: repr(text.encode()),
    "hex": lambda text: text.encode().hex(),
}
BASE64: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "urlsafe": base64.urlsafe_b64encode,
}


@pytest.mark.parametrize("name", ENCODERS)
@given(secret=secrets)
@pytest.mark.long
def test_an_encoded_secret_is_hidden(name: str, secret: str) -> None:
    encoded = ENCODERS[name](secret)
    said = Redaction({}, [secret]).text(f"before {encoded} after")
    bare = encoded[1:-1] if encoded[:1] == encoded[-1:] and encoded[:1] in "'\"" else encoded
    assert HIDDEN in said
    assert bare == HIDDEN or bare not in said.replace(HIDDEN, "")


@pytest.mark.parametrize("name", BASE64)
@given(secret=secrets, before=around, after=around)
def test_a_secret_is_hidden_wherever_it_stands_in_base64(
    name: str, secret: str, before: str, after: str
) -> None:
    encode = BASE64[name]
    encoded = encode((before + secret + after).encode()).decode()
    said = Redaction({}, [secret]).text(encoded)
    assert HIDDEN in said
    left = said.split(HIDDEN)
    assert all(len(part) <= 4 * (len((before + after).encode()) // 3 + 2) + 2 for part in left)


@given(
    secret=secrets,
    another=secrets,
    before=around,
    after=around,
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_a_text_in_pieces_is_what_the_whole_is(
    secret: str, another: str, before: str, after: str, cuts: list[int]
) -> None:
    whole = before + secret + another + after
    redacted = Redaction({}, [secret, another])
    said = _in_pieces(redacted, whole, cuts)
    assert secret not in said.replace(HIDDEN, "")
    assert said == redacted.text(whole)


def _in_pieces(redacted: Redaction, whole: str, cuts: list[int]) -> str:
    ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    stream = Stream(redacted)
    return "".join(stream.push(whole[a:b]) for a, b in itertools.pairwise(ends)) + stream.end()


@pytest.mark.parametrize("cut", range(46))
def test_the_end_of_a_long_secret_is_hidden_though_its_pieces_are_secrets_too(cut: int) -> None:
    """Pieces of 20 characters are hidden by themselves, as is a line; what comes after them must not stay."""
    secret = "".join(chr(ord("A") + at // 5) + str(at % 5) * 4 for at in range(0, 45, 5))
    for text in (secret, "0000000000000000\nabcd"):
        assert _in_pieces(Redaction({}, [text]), f"{text}.", [cut]) == f"{HIDDEN}."


@given(secret=secrets, data=st.binary(max_size=50))
def test_masked_bytes_keep_their_length(secret: str, data: bytes) -> None:
    whole = data + secret.encode() + data
    masked = Redaction({}, [secret]).masked(whole)
    assert len(masked) == len(whole)
    assert secret.encode() not in masked or set(secret) == {"*"}


def test_colours_within_a_secret_do_not_hide_it() -> None:
    redacted = Redaction({}, ["tok-8d1f77a0c3"])
    assert redacted.text("\x1b[31mtok-\x1b[0m8d1f\x1b[1;32m77a0c3\x1b[0m!") == f"{HIDDEN}!"
    assert redacted.text("\x1b[31mtok\x1b[0m") == "\x1b[31mtok\x1b[0m"


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\nAg==\n-----END PRIVATE KEY-----"
    redacted = Redaction({}, [key])
    assert redacted.text(key) == HIDDEN
    assert redacted.text("line 2: 9w0BAQEFAASCBKcwggSj") == f"line 2: {HIDDEN}"
    assert redacted.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    assert redacted.text(key.replace("\n", "\\n")) == HIDDEN


def test_a_long_secret_is_hidden_where_it_is_cut() -> None:
    token = "".join(f"{at:02}ab" for at in range(25))  # of 100 characters
    redacted = Redaction({}, [token])
    for cut in (40, 46, 60, 99):
        for shown in (f"{token[:cut]}...", f"...{token[-cut:]}"):
            assert max(len(part) for part in redacted.text(shown).split(HIDDEN)) < 20 + 3
    assert redacted.text(token) == HIDDEN
    stream = Stream(redacted)
    assert "".join(stream.push(sign) for sign in f"a {token} b") + stream.end() == f"a {HIDDEN} b"


def test_a_declared_secret_is_hidden_within_words_too() -> None:
    assert Redaction({}, ["hunter2"]).text("xhunter2x") == f"x{HIDDEN}x"
    assert Redaction({"DB_PASSWORD": "hunter2"}).text("xhunter2x hunter2") == f"xhunter2x {HIDDEN}"
    assert Redaction({}, ["short"]).is_empty


def test_forms_are_few() -> None:
    assert len(forms("tok-8d1f77a0c3")) < 14
    assert "tok-8d1f77a0c3".encode("utf-32-le") in bytes_forms("tok-8d1f77a0c3")
