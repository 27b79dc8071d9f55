"""Pipelines that are written in JupyterLab: what is seen of mistakes, new stages, and lines between stages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, line, node, panel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CHAIN = """\
name: chain
# What this is about.
stages:
  one: {notebook: notebooks/makes.ipynb, outputs: {made: data/made.txt}}
  two:
    notebook: notebooks/takes.ipynb  # reads
    after: [one]
"""


def show(page: Page, lab, name: str, text: str) -> None:
    """Write a pipeline, and choose it once it is listed."""
    lab.project.notebook("makes", "open(made, 'w').write('1')", params="made = ''")
    lab.project.notebook("takes", "print(source)", params="source = ''")
    lab.project.pipeline(text, name)
    listed = page.get_by_role("combobox", name="Pipeline").first.locator(f'option[value="{name}"]')
    expect(listed).to_be_attached(timeout=LONG)
    choose(page, name)


def test_a_broken_pipeline_keeps_the_last_good_graph_in_grey(page: Page, lab) -> None:
    show(page, lab, "keeps", CHAIN.replace("chain", "kept"))
    execute(page, "stagebook:open-graph")
    graph = page.locator(".sb-Graph")
    expect(node(page, "two")).to_be_visible()
    edges = graph.locator(".sb-Edges path")
    expect(edges).to_have_count(1)
    for broken in ("stages: {one: [", "stages:\n  one: {notebook: notebooks/makes.ipynb, times: 2}\n"):
        lab.project.pipeline(broken, "keeps")
        problems = graph.get_by_role("alert")
        expect(problems.get_by_role("button", name=re.compile(r"keeps\.yaml:\d+:\d+"))).to_be_visible(
            timeout=10_000
        )
        expect(problems).to_contain_text("The stages are shown as they were before, in grey.")
        expect(edges).to_have_count(1)
        for name in ("one", "two"):
            expect_state(node(page, name), "new")
            expect(line(page, name)).to_be_visible()
        for greyed in (graph.locator(".sb-Scroll"), panel(page).get_by_role("tree")):
            expect(greyed).to_have_css("filter", "grayscale(1)")
        expect(page.get_by_role("button", name="Run all").first).to_be_disabled()
    lab.project.pipeline(CHAIN.replace("chain", "kept"), "keeps")
    expect(graph.get_by_role("alert")).to_have_count(0, timeout=10_000)
    expect(graph.locator(".sb-Scroll")).to_have_css("filter", "none")
    expect(page.get_by_role("button", name="Run all").first).to_be_enabled()
