"""What differs between two sides as a page: one file that runs no script and fetches nothing."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.comparing.compare import Pair
from stagebook.comparing.difference import DatasetDifference, Difference, PipelineDifference, StageDifference
from stagebook.views import difference_words as words
from stagebook.views.formatting import plain, value

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:1rem auto;padding:0 1rem;color:#1c1e21;background:#fff}
h1{font-size:1.3rem}h2{font-size:1.15rem;border-bottom:1px solid #dde1e6;margin-top:2rem}h3{font-size:1rem;margin:1.2rem 0 .2rem}
table{border-collapse:collapse;font-size:13px;margin:.4rem 0}td,th{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #e4e7eb}
pre{font:12.5px/1.45 ui-monospace,monospace;background:#f5f6f8;padding:.5rem .7rem;overflow-x:auto;margin:.4rem 0}
.quiet{color:#5d6167}.plus{color:#1a6b30}.minus{color:#a5281b}.bad{color:#a5281b;font-weight:600}
.wide{overflow-x:auto}.pair{display:flex;gap:1rem;flex-wrap:wrap}.pair figure{margin:.4rem 0;flex:1 1 20rem}
.pair img{max-width:100%;border:1px solid #dde1e6}figcaption{font-size:12px;color:#5d6167}summary{cursor:pointer}
@media(prefers-color-scheme:dark){body{color:#e3e5e8;background:#16181b}pre{background:#212428}
.quiet,figcaption{color:#a2a8b0}.plus{color:#7bd48f}.minus,.bad{color:#f0968b}td,th,h2{border-color:#33373d}}"""
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


def page(found: Difference, images: Mapping[str, Sequence[Pair]]) -> str:
    """The page. `images`: those that differ, as `Comparer.images`."""
    title = f"{found.before} → {found.after}"
    body = "".join(part for one in found.pipelines for part in _pipeline(one, images))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{_text(title)}</h1>{'<p>Nothing differs.</p>' if found.is_same else ''}{body}</main></body></html>\n"
    )


def _pipeline(one: PipelineDifference, images: Mapping[str, Sequence[Pair]]) -> Iterator[str]:
    what = {"added": " is new", "removed": " is gone"}.get(one.what, "")
    yield f"<h2>{_text(one.pipeline)}{what}</h2>"
    if one.is_same:
        yield '<p class="quiet">Nothing differs.</p>'
        return
    values = [("parameter", each) for each in one.params] + [("metric", each) for each in one.metrics]
    if values:
        rows = ((kind, each.name, words.change(each)) for kind, each in values)
        yield _table(("", "", "before → after"), rows)
    yield f"<p>Stages: {words.counted(one.stages)}.</p>"
    for stage in one.stages:
        yield from _stage(one.pipeline, stage, images)
    if one.datasets:
        yield f"<p>Data: {words.counted(one.datasets)}.</p>"
    for dataset in one.datasets:
        yield from _dataset(one.pipeline, dataset, images)


def _stage(pipeline: str, stage: StageDifference, images: Mapping[str, Sequence[Pair]]) -> Iterator[str]:
    if stage.what == "same":
        return
    yield f"<h3>{_text(stage.stage)} <span class=quiet>{stage.what}</span></h3>"
    if stage.reasons:
        yield f"<ul>{''.join(f'<li>{_text(reason)}</li>' for reason in stage.reasons)}</ul>"
    if told := words.of_notebook(stage.notebook):
        yield f'<p class="quiet">{_text(told)}</p>'
    for cell in stage.notebook.cells if stage.notebook is not None else ():
        yield f"<details><summary>cell {cell.number}</summary>{_lines([*cell.source, *cell.outputs])}</details>"
    yield from _images(images.get(f"{pipeline}.{stage.stage}", ()))


def _dataset(
    pipeline: str, dataset: DatasetDifference, images: Mapping[str, Sequence[Pair]]
) -> Iterator[str]:
    if dataset.what == "same":
        return
    yield f"<h3>{_text(dataset.name)} <span class=quiet>{_text(dataset.path)}</span></h3>"
    yield f"<p>{_text(words.in_short(dataset))}</p>"
    for text, is_breaking in words.columns(dataset):
        yield f"<p{' class=bad' if is_breaking else ''}>{_text(text)}</p>"
    if dataset.remark:
        yield f'<p class="quiet">{_text(dataset.remark)}</p>'
    if dataset.figures:
        rows = ((*figure.name.split(": ", 1), words.change(figure)) for figure in dataset.figures)
        yield _table(("column", "figure", "before → after"), rows)
    if dataset.lines:
        yield _lines(dataset.lines)
    for what, some in (dataset.rows.samples if dataset.rows is not None else {}).items():
        if some:
            names = list(dict.fromkeys(name for row in some for name in row))
            cells = ([_value(row.get(name)) for name in names] for row in some)
            yield f"<details open><summary>{what}</summary>{_table(names, cells)}</details>"
    yield from _images(images.get(f"{pipeline}.{dataset.name}", ()))


def _images(pairs: Sequence[Pair]) -> Iterator[str]:
    for pair in pairs:
        yield '<div class="pair">'
        for caption, data in zip(("before", "after"), pair, strict=True):
            kind = next((name for start, name in _TYPES.items() if data and data.startswith(start)), "")
            shown = '<p class="quiet">not there</p>'
            if data and kind:
                shown = f'<img alt="{caption}" src="data:{kind};base64,{base64.b64encode(data).decode()}">'
            yield f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"
        yield "</div>"


def _table(names: Sequence[str], rows: Iterator[Sequence[str]] | Iterator[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _lines(lines: Sequence[str]) -> str:
    classes = {"+": "plus", "-": "minus"}
    shown = (f'<span class="{classes.get(line[:1], "quiet")}">{_text(line)}</span>' for line in lines)
    return f"<pre>{chr(10).join(shown)}</pre>"


def _value(item: Any) -> str:
    return "" if item is None else value(item, 80)


def _text(untrusted: str) -> str:
    return html.escape(plain(untrusted))
