"""An executed notebook as a web page: one small file that runs no script and fetches nothing.

The only door to mistune and pygments. What a notebook printed is untrusted: the page shows it, and its policy has the
browser run, fetch and send nothing. Elements that a policy does not reach, such as a `<meta>` that leads elsewhere, are
shown as text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mistune
import pygments
import pygments.util
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from stagebook.tracking.ansi import to_html
from stagebook.tracking.chart import chart, profiles

MAX_HTML = 1_000_000  # characters of an output; a library that brings itself along could not run anyway
_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; media-src data:;"
    " form-action 'none'; base-uri 'none'"
)
_LEADS_AWAY = re.compile(
    r"<(?=/?(?:meta|base|link|iframe|frame|frameset|object|embed|portal)[\s/>])", re.IGNORECASE
)
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem;color:#1c1e21;background:#fff}
pre{font:13px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:0}
.in{background:#f5f6f8;border:1px solid #dde1e6;border-radius:4px;padding:.5rem .7rem}
.n{color:#6b6f76;font:12px ui-monospace,monospace;margin:1rem 0 .2rem}
.out{padding:.4rem .7rem;overflow-x:auto}.err{background:#fdf0ef}.failed>.in{border-color:#c0392b}
table{border-collapse:collapse;font-size:13px}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e4e7eb}
img,svg{max-width:100%}summary{cursor:pointer}
.k,.kn,.kd,.kc,.kr,.ow{color:#1f5fa8;font-weight:600}.s1,.s2,.sd,.sa,.si,.se{color:#1e7d34}
.c1,.cm,.ch{color:#6b6f76;font-style:italic}.mi,.mf,.mh{color:#8e3aa0}.nf,.nc,.nd{color:#a06400}.nb,.bp{color:#0f7b83}"""

_markdown: Any = mistune.create_markdown(
    escape=False, plugins=["table", "strikethrough", "url", "task_lists"]
)


def write_html(notebook: Path, target: Path) -> None:
    """Write the page of an executed notebook. Raises `OSError` and `ValueError` for one that cannot be read."""
    data = json.loads(notebook.read_bytes())
    language = _language(data)
    drawn = chart(profiles(notebook))
    parts = [
        '<!doctype html><html lang="en"><head>',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta charset="utf-8">',
        f"<title>{html.escape(notebook.parent.parent.name)}</title><style>{_STYLE}</style></head><body><main>",
        f"<details open><summary>Time and memory</summary>{drawn}</details>" if drawn else "",
        *(part for cell in data.get("cells", ()) for part in _cell(cell, language)),
        "</main></body></html>\n",
    ]
    target.write_text("".join(parts), encoding="utf-8", errors="backslashreplace")


def _language(data: Mapping[str, Any]) -> str:
    metadata = data.get("metadata", {})
    found = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    return str(found or "python")


def _cell(cell: Mapping[str, Any], language: str) -> Iterator[str]:
    source = _text(cell.get("source", ""))
    kind = cell.get("cell_type")
    if kind == "markdown":
        yield f"<div>{_shown(_markdown(_with_attachments(source, cell.get('attachments') or {})))}</div>"
    elif kind == "code" and source.strip():
        failed = cell.get("metadata", {}).get("papermill", {}).get("status") == "failed"
        count = cell.get("execution_count")
        yield f'<div class="n">[{" " if count is None else html.escape(str(count))}]</div>'
        yield f'<div class="{"failed" if failed else ""}"><pre class="in">{_highlighted(source, language)}</pre>'
        for output in cell.get("outputs", ()):
            yield _output(output)
        yield "</div>"
    elif kind == "raw":
        yield f"<pre>{html.escape(source, quote=False)}</pre>"


def _highlighted(source: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except pygments.util.ClassNotFound:
        return html.escape(source, quote=False)
    return str(pygments.highlight(source, lexer, HtmlFormatter(nowrap=True))).rstrip("\n")


def _with_attachments(source: str, attachments: Mapping[str, Any]) -> str:
    """Markdown in which images that the cell holds are data."""
    for name, bundle in attachments.items():
        for kind in _IMAGES:
            if kind in bundle:
                source = source.replace(f"attachment:{name}", _data_uri(kind, bundle[kind]))
    return source


def _output(output: Mapping[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        classes = "out err" if output.get("name") == "stderr" else "out"
        return f'<pre class="{classes}">{to_html(_text(output.get("text", "")))}</pre>'
    if kind == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        return f'<pre class="out err">{to_html(chr(10).join(map(_text, lines)))}</pre>'
    shown = _bundle(output.get("data") or {})
    return f'<div class="out">{shown}</div>' if shown else ""


def _bundle(data: Mapping[str, Any]) -> str:
    """The richest form of an output that a page without scripts can show; nothing for a scrap."""
    rich = _text(data.get("text/html", ""))
    if rich and len(rich) <= MAX_HTML:
        return _shown(rich)
    for kind in _IMAGES:
        if kind in data:
            return f'<img alt="" src="{html.escape(_data_uri(kind, data[kind]))}">'
    if "text/markdown" in data:
        return _shown(_markdown(_text(data["text/markdown"])))
    for kind in ("text/latex", "text/plain"):
        if kind in data:
            return f"<pre>{to_html(_text(data[kind]))}</pre>"
    if "application/json" in data:
        return f"<pre>{html.escape(json.dumps(data['application/json'], indent=1), quote=False)}</pre>"
    return f"<p>{len(rich):,} characters of HTML: in notebook.ipynb</p>" if rich else ""


def _data_uri(kind: str, content: Any) -> str:
    text = _text(content)
    if kind == "image/svg+xml":
        return f"data:{kind};utf8,{_quoted(text)}"
    return f"data:{kind};base64,{''.join(text.split())}"


def _quoted(text: str) -> str:
    return re.sub(r'[%#<>"\'\s]', lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)


def _shown(untrusted: str) -> str:
    return _LEADS_AWAY.sub("&lt;", untrusted)


def _text(value: Any) -> str:
    """A text, which a notebook may hold as its lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "".join(map(str, value))
    return json.dumps(value)
