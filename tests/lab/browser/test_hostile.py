"""Hostile names, values and outputs in every view: none of them runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from building import ProjectBuilder, notebook_data
from lab.browser.page import choose, drawn, execute, expect_state, line, node, open_form, open_page
from lab.server import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RUN = "(window.__ran=window.__ran||[]).push({n})"
FORMS = (
    "<script>{run}</script>",
    "<img src=x onerror={run}>",
    "<svg onload={run}>",
    "<svg><script>{run}</script></svg>",
    "<iframe srcdoc='<script>parent.{run}</script>'></iframe>",
    "<iframe src='javascript:parent.{run}'></iframe>",
    "<a href='javascript:{run}' autofocus onfocus={run}>x</a>",
    "<details open ontoggle={run}>",
    "<input autofocus onfocus={run}>",
    "<video><source onerror={run}></video>",
    "<body onload={run}>",
    "<style onload={run}></style>",
    "<math><mtext></mtext><img src=x onerror={run}></math>",
    "<object data='javascript:parent.{run}'></object>",
    "<embed src='javascript:parent.{run}'>",
    "'\"><img src=x onerror={run}>",
    "</title></textarea></style></script><img src=x onerror={run}>",
    "{{{{constructor.constructor('{run}')()}}}}",
    "${{{run}}}",
    "[x](javascript:{run})",
    '![x](x "onerror={run}")',
    "<form action='javascript:{run}'><button autofocus>x",
    "<meta http-equiv=refresh content='0;url=javascript:{run}'>",
    "<link rel=stylesheet onerror={run} href=x>",
    "javascript:{run}",
)
_numbers = itertools.count(1)


def payloads(count: int) -> list[str]:
    """Payloads that tell their number if they run."""
    forms = itertools.islice(itertools.cycle(FORMS), count)
    return [form.format(run=RUN.format(n=next(_numbers))) for form in forms]


def quoted(text: str) -> str:
    return json.dumps(text)


def hostile_pipeline(builder: ProjectBuilder) -> int:
    """A pipeline that is hostile wherever a file can be, and how many payloads there are."""
    first = next(_numbers)
    names = [text.replace("/", "|").replace("\\", "")[:80] for text in payloads(8)]
    printed, displayed, metadata = payloads(25), payloads(25), payloads(4)
    code = [
        "from IPython.display import display, publish_display_data as tell",
        *[f"print({text!r})" for text in printed],
        *[
            f"tell({{'text/html': {text!r}, 'text/markdown': {text!r}, 'image/svg+xml': "
            f"'<svg xmlns=\"http://www.w3.org/2000/svg\">' + {text!r} + '</svg>', "
            f"'application/javascript': {RUN.format(n=next(_numbers))!r}, 'text/latex': {text!r}}})"
            for text in displayed
        ],
        *[f"tell({{'application/javascript': {RUN.format(n=next(_numbers))!r}}})" for _ in range(3)],
        f"class Evil(Exception): pass\nEvil.__name__ = {payloads(1)[0]!r}",
        f"raise Evil({payloads(1)[0]!r})",
    ]
    notebook = notebook_data(
        "\n".join(code[:-2]), code[-2], code[-1], f"#md {payloads(1)[0]}", params="out = ''"
    )
    notebook["metadata"]["title"] = metadata[0]
    notebook["metadata"]["kernelspec"]["display_name"] = metadata[1]
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": metadata[2]}}
    notebook["cells"][1]["metadata"] = {"trusted": True, "name": metadata[3]}
    harmless = notebook_data("1", params="out = ''")
    for at, name in enumerate(names):
        builder.file(f"notebooks/{at}{name}.ipynb", json.dumps(notebook if at == 0 else harmless))
    texts = iter(payloads(24))
    stages = "".join(
        f"""
  s{at}:
    description: {quoted(next(texts))}
    notebook: {quoted(f"notebooks/{at}{name}.ipynb")}
    outputs: {{out: {quoted(f"data/{at}{name}")}}}
"""
        for at, name in enumerate(names)
    )
    points = json.dumps([next(texts) for _ in range(4)])
    builder.pipeline(
        f"""
name: evil
description: {quoted(next(texts))}
params:
  one: {{type: str, default: {quoted(next(texts))}, help: {quoted(next(texts))}}}
  two: {{type: {quoted("Literal[" + repr(next(texts)) + "]")}, default: null, help: {quoted(next(texts))}}}
stages:{stages}
  many:
    notebook: {quoted(f"notebooks/1{names[1]}.ipynb")}
    matrix: {{x: {points}}}
""".replace(", default: null", ""),
        "evil",
    )
    builder.pipeline(f"stages:\n  {quoted(payloads(1)[0])}: {{{quoted(payloads(1)[0])}: 1}}\n", "wrong")
    return next(_numbers) - first


@pytest.fixture
def hostile_page(browser: BrowserContext, lab: Lab) -> Iterator[Page]:
    """A page. What hostile content cannot load is told on its console, so that is not looked at."""
    with open_page(browser, lab) as (page, _):
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
        yield page


@pytest.mark.long
def test_nothing_hostile_runs(hostile_page: Page, lab: Lab) -> None:
    page = hostile_page
    count = hostile_pipeline(lab.project)
    assert count >= 100
    page.get_by_role("combobox", name="Pipeline").locator("option[value=evil]").wait_for(state="attached")
    choose(page, "evil")
    pipelines = lab.ask("pipelines")["pipelines"]
    (choice,) = next(one for one in pipelines if one["key"] == "evil")["params"][1]["choices"]
    started = lab.ask("runs", {"pipeline": "evil", "stages": ["s0"], "texts": {"two": choice}})
    ended = lab.ended(started["pid"])
    assert ended["run"] is not None, ended
    lab.ask(f"runs/{ended['run']}/notes", {"text": payloads(1)[0]})

    look_at_everything(page, choice)
    # Whatever else began to load by now comes before a payload that is made to run.
    number = next(_numbers)
    control = f"<img src=x onerror={RUN.format(n=number)}>"
    page.evaluate("text => { document.createElement('p').innerHTML = text; }", control)
    page.wait_for_function("(window.__ran ?? []).length > 0", timeout=10_000)
    assert page.evaluate("window.__ran") == [number]
    assert not [frame.url for frame in page.frames if frame.url.startswith("javascript")]
    for name in ("wrong", "evil"):
        (lab.project.root / f"pipelines/{name}.yaml").unlink()


def look_at_everything(page: Page, choice: str) -> None:
    """Every view, with what is hostile in it."""
    form = open_form(page)
    form.get_by_label("two", exact=False).first.select_option(choice)
    expect_state(line(page, "s0"), "failed")
    form.get_by_label("one", exact=True).fill(payloads(1)[0])
    line(page, "s0").click(modifiers=["Control"])
    execute(page, "stagebook:open-graph")
    page.get_by_role("button", name="Unfold all").click()
    for name in ("s0", "s1", "s3"):
        node(page, name).click()
        node(page, name).hover()
    for one in page.locator(".sb-Node").all()[-4:]:
        one.click()
    execute(page, "stagebook:open-runs")
    expect(page.locator(".sb-RunsView .sb-Notes li")).to_be_visible()
    execute(page, "stagebook:open-log", stage="s0")
    expect(page.get_by_role("log")).to_contain_text("<script>")
    execute(page, "stagebook:open-changes", stage="s0")
    expect(page.locator(".sb-Page")).to_contain_text("0 of 5 cells differ")
    cells = page.locator(".jp-NotebookPanel:visible .jp-Cell")
    execute(page, "stagebook:open-notebook", stage="s0")
    expect(cells).to_have_count(5, timeout=30_000)
    execute(page, "stagebook:open-failing-cell", stage="s0")
    expect(cells.locator(".jp-OutputArea-output").first).to_be_attached(timeout=30_000)
    for at in range(cells.count()):
        cells.nth(at).scroll_into_view_if_needed()
        drawn(page)
    for link in page.locator(".jp-NotebookPanel:visible .jp-OutputArea a[href]").all()[:30]:
        assert not (link.get_attribute("href") or "").lower().startswith("javascript")
    choose(page, "wrong")
    expect(page.get_by_role("alert").first).to_be_visible()
