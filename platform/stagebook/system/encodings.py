"""The forms in which a secret may stand in what is written: as it is, and as the usual encodings have it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MIN_CORE = 7  # characters of base64 that are not found by chance: a picture has some million of them
PIECE = 20  # characters of a long secret that are one by themselves
MIN_LINE = 16  # characters of a line of a longer secret, such as a private key, that is one by itself


def forms(secret: str) -> set[str]:
    """The texts by which a secret is found: plain, URL-quoted, JSON- and HTML-escaped, as Python shows it, in hex, and in
    base64 wherever it may stand in what was encoded (RFC 4648; three alignments, both alphabets)."""
    found: set[str] = set()
    for part in (secret, *_lines(secret)):
        found |= {*_escaped(part), *_encoded(part)}
    return found


def pieces(secret: str) -> list[str]:
    """Parts of a long secret, of which tables and texts that are cut show the beginning or the end. A URL has parts that
    are none."""
    if len(secret) < 2 * PIECE or "\n" in secret or "://" in secret:
        return []
    return [secret[at : at + PIECE] for at in range(0, len(secret) - PIECE + 1, PIECE)] + [secret[-PIECE:]]


def bytes_forms(secret: str) -> set[bytes]:
    """The bytes by which a secret is found in a binary file: its forms, and the text as arrays of characters hold it."""
    found = {form.encode("utf-8", "surrogatepass") for form in forms(secret)}
    wide = {secret.encode(name, "surrogatepass") for name in ("utf-16-le", "utf-32-le")}
    return found | wide


def _lines(secret: str) -> Iterator[str]:
    if "\n" in secret:
        lines = (line.strip() for line in secret.splitlines())
        yield from (line for line in lines if len(line) >= MIN_LINE and not line.startswith("-----"))


def _escaped(text: str) -> Iterator[str]:
    data = text.encode("utf-8", "surrogatepass")
    yield text
    # SQLAlchemy and requests leave some signs of a URL as they are.
    kept = ("", "/", " +", "!#$&'()*+,/:;=?@[]~")
    for quoted in (*(quote(data, safe=safe) for safe in kept), quote_plus(data)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (escaped, escaped.replace("/", "\\/"), json.dumps(escaped, ensure_ascii=ascii_only)[1:-1])
    # Python chooses the quotes by what is in the text; the other ones are then escaped, or not.
    shown = repr(text)[1:-1]
    yield from (
        shown,
        shown.replace("\\'", "'"),
        shown.replace("'", "\\'"),
        ascii(text)[1:-1],
        repr(data)[2:-1],
    )
    for is_quoted in (True, False):
        safe = html.escape(text, quote=is_quoted)
        yield from (safe, safe.replace("&#x27;", "&#39;"), safe.replace("&#x27;", "&apos;"))
        yield safe.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _encoded(text: str) -> Iterator[str]:
    data = text.encode("utf-8", "surrogatepass")
    yield from (data.hex(), data.hex().upper())
    for before in range(3):  # bytes that stand before it in its group of three
        encoded = base64.b64encode(b"\0" * before + data)
        # Characters that hold bits of what stands before and after it are left out.
        first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        core = encoded[first:end].decode()
        if len(core) >= MIN_CORE:
            yield from (core, core.translate(_URLSAFE), quote(core, safe=""))


_URLSAFE = str.maketrans("+/", "-_")
