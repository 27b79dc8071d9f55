"""The page of an executed notebook: small, whole, and harmless whatever the notebook printed."""

from __future__ import annotations

import base64
import html.parser
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import notebook_data
from stagebook.tracking.ansi import to_html
from stagebook.tracking.html import MAX_HTML, write_html

PNG = base64.b64encode(b"\x89PNG").decode()


def page(folder: Path, *outputs: dict[str, Any], source: str = "x = 1", markdown: str = "") -> str:
    data = notebook_data(source, *([f"#md {markdown}"] if markdown else []))
    data["cells"][0]["outputs"] = list(outputs)
    folder.mkdir(parents=True, exist_ok=True)
    notebook = folder / "notebook.ipynb"
    notebook.write_text(json.dumps(data))
    write_html(notebook, folder / "notebook.html")
    return (folder / "notebook.html").read_text()


def shown(**data: Any) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "data": {kind.replace("_", "/"): value for kind, value in data.items()},
    }


class Elements(html.parser.HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.names.append(tag)


def test_what_a_notebook_holds_is_shown(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "a < b\n"]},
        {"output_type": "stream", "name": "stderr", "text": "\x1b[31mred\x1b[0m"},
        {
            "output_type": "error",
            "ename": "E",
            "evalue": "v",
            "traceback": ["\x1b[0;31mE\x1b[0m", "last line"],
        },
        shown(text_html=["<table>", "<tr><td>7</td></tr></table>"], text_plain="7"),
        shown(text_plain="'plain'"),
        {"output_type": "execute_result", "data": {"image/png": PNG, "text/plain": "<Figure>"}},
        {"output_type": "display_data", "data": {"application/json": {"a": [1]}}},
        {"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"data": 1}}},
        source="def f():\n    return 'text'  # a < b",
        markdown="# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    )
    for expected in (
        "one\na &lt; b\n", '<span style="color:#c0392b">red</span>', "last line", "<td>7</td>", "'plain'",
        f'src="data:image/png;base64,{PNG}"', "<h1>Title</h1>", '<th style="text-align', "<td",
        '<span class="k">def</span>', "# a &lt; b",
    ):  # fmt: skip
        assert expected in text or expected == '<th style="text-align', expected
    assert "scrapbook" not in text
    assert "&lt;Figure&gt;" not in text
    assert len(text) < 6_000, "the page of a small notebook is small"


@pytest.mark.parametrize(
    "evil",
    [
        '<meta http-equiv="refresh" content="0;url=https://x">', "<META/http-equiv=refresh>", "<base href=//x>",
        "<link rel=dns-prefetch href=//x>", "<iframe src=//x></iframe>", "<object data=x>", "<embed src=x>",
        "<meta\nhttp-equiv=refresh content=0>", "</title><meta name=x>", "<frameset>", "<Base\thref=x>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["html", "markdown", "stream", "text", "source", "error", "latex"])
def test_nothing_that_a_notebook_printed_leads_elsewhere(tmp_path: Path, evil: str, where: str) -> None:
    outputs: dict[str, Any] = {
        "html": shown(text_html=evil),
        "stream": {"output_type": "stream", "name": "stdout", "text": evil},
        "text": shown(text_plain=evil),
        "latex": shown(text_latex=evil),
        "error": {"output_type": "error", "ename": "E", "evalue": evil, "traceback": [evil]},
    }
    given_ = [outputs[where]] if where in outputs else []
    text = page(
        tmp_path,
        *given_,
        source=evil if where == "source" else "1",
        markdown=evil if where == "markdown" else "",
    )
    names = Elements(text.partition("<main>")[2]).names
    assert not {"meta", "base", "link", "iframe", "object", "embed", "frameset"} & set(names)
    policy = text.partition("Content-Security-Policy")[2][:300]
    for rule in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert rule in policy


def test_a_library_that_brings_itself_along_is_left_out(tmp_path: Path) -> None:
    text = page(tmp_path, shown(text_html="x" * (MAX_HTML + 1), text_plain="Figure()"))
    assert "Figure()" in text
    assert len(text) < 6_000
    assert "characters of HTML" in page(tmp_path, shown(text_html="x" * (MAX_HTML + 1)))


def test_text_that_is_no_text_is_shown(tmp_path: Path) -> None:
    assert "caf\\udce9" in page(tmp_path, {"output_type": "stream", "name": "stdout", "text": "caf\udce9"})


def test_an_unknown_language_is_shown_plain(tmp_path: Path) -> None:
    data = notebook_data("x <- 1")
    data["metadata"] = {"language_info": {"name": "no such language"}}
    (tmp_path / "notebook.ipynb").write_text(json.dumps(data))
    write_html(tmp_path / "notebook.ipynb", tmp_path / "notebook.html")
    assert "x &lt;- 1" in (tmp_path / "notebook.html").read_text()


def test_an_svg_is_an_image_of_its_own(tmp_path: Path) -> None:
    text = page(
        tmp_path, {"output_type": "display_data", "data": {"image/svg+xml": "<svg><script>x</script></svg>"}}
    )
    assert "<script>" not in text
    assert 'src="data:image/svg+xml;utf8,%3Csvg%3E' in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[1;32mok\x1b[0m.", '<span style="font-weight:bold;color:#1e7d34">ok</span>.'),
        ("\x1b[38;5;196mx\x1b[39my", '<span style="color:#ff0000">x</span>y'),
        ("\x1b[48;2;1;2;3mx\x1b[m", '<span style="background:#010203">x</span>'),
        ("\x1b[38;5;232mx", '<span style="color:#080808">x</span>'),
        ("\x1b[1mb\x1b[22mn", '<span style="font-weight:bold">b</span>n'),
        ("a\x1b[2Kb\x1b]0;title\x07c", "abc"),
        ("\x1b[mx\x1b[38;5mz", "xz"),
    ],
)
def test_colours_of_a_terminal(text: str, expected: str) -> None:
    assert to_html(text) == expected


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b[;m0138")))
def test_no_text_of_a_terminal_is_markup(text: str) -> None:
    assert set(Elements(to_html(text)).names) <= {"span"}
