"""An executed notebook as a web page. The only door to nbconvert."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

# See definition.scripts: a check of URLs that costs a second to import and is not used.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from nbconvert.exporters import HTMLExporter  # noqa: E402

from stagebook.tracking.chart import chart, profiles  # noqa: E402

# What a notebook printed is untrusted: the page may show it, and may run and fetch nothing.
_POLICY = "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; media-src data:"


def write_html(notebook: Path, target: Path) -> None:
    """Write the page of an executed notebook: self-contained, without scripts. Raises whatever nbconvert does
    for a notebook that it cannot read."""
    exporter = HTMLExporter(template_name="lab", embed_images=True)
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    exporter.mermaid_js_url = exporter.jupyter_widgets_base_url = ""
    with warnings.catch_warnings():
        # A scrap has no form that can be shown, of which nbconvert warns for each.
        warnings.simplefilter("ignore", UserWarning)
        page, _ = exporter.from_filename(str(notebook))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    page = page.replace("<head>", f"<head>{meta}", 1)
    page = _with_profile(page, notebook)
    target.write_text(page, encoding="utf-8", errors="replace")


def _with_profile(page: str, notebook: Path) -> str:
    """The page with a plot of time and memory over the cells before the first of them."""
    drawn = chart(profiles(notebook))
    at = page.find("<main>")
    if not drawn or at < 0:
        return page
    at += len("<main>")
    box = (
        '<details open style="margin:0 1rem;font-family:system-ui,sans-serif"><summary>Time and memory</summary>'
        f'<div style="overflow-x:auto">{drawn}</div></details>'
    )
    return f"{page[:at]}{box}{page[at:]}"
