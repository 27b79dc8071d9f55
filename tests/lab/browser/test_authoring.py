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


EDITOR = "window.jupyterapp.shell.currentWidget?.content?.editor"
SOURCE = f"{EDITOR}?.model.sharedModel.getSource()"


@pytest.mark.long
def test_a_stage_is_made_with_a_notebook_inputs_and_outputs(page: Page, lab) -> None:
    show(page, lab, "grows-on", CHAIN.replace("chain", "grows-on"))
    before = (lab.project.root / "pipelines/grows-on.yaml").read_text()
    panel(page).get_by_role("button", name="Stage", exact=True).click()
    dialog = page.get_by_role("dialog")
    add = dialog.get_by_role("button", name="Add", exact=True)
    expect(dialog.get_by_label("Name of the stage")).to_be_focused()
    expect(add).to_be_disabled()
    page.keyboard.type("sum")
    expect(dialog.get_by_label("Notebook", exact=True)).to_contain_text("a new one: notebooks/sum.ipynb")
    dialog.get_by_label("Add an input", exact=True).select_option("one.made")
    dialog.get_by_role("button", name="Add an output").click()
    outputs = dialog.get_by_role("group", name="Outputs")
    outputs.get_by_label("Parameter of the notebook").fill("made")
    expect(outputs.get_by_text("This name is given twice.")).to_be_visible()
    expect(add).to_be_disabled()
    outputs.get_by_label("Parameter of the notebook").fill("total")
    expect(outputs.get_by_text("'total' has no value")).to_be_visible()
    outputs.get_by_label("What total is").fill("data/total.txt")
    dialog.get_by_label("Add a parameter").select_option(label="a value")
    params = dialog.get_by_role("group", name="Parameters")
    params.get_by_label("Parameter of the notebook").fill("digits")
    params.get_by_label("What digits is").fill("3")
    lines = (
        "  sum:\n    notebook: notebooks/sum.ipynb\n    params:\n      digits: 3\n"
        "    inputs:\n      made: one.made\n    outputs:\n      total: data/total.txt"
    )
    expect(dialog.get_by_label("Lines that are added")).to_have_text(lines)
    assert (lab.project.root / "pipelines/grows-on.yaml").read_text() == before
    add.click()
    expect_state(line(page, "sum"), "new")
    assert (lab.project.root / "pipelines/grows-on.yaml").read_text() == f"{before}{lines}\n"
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text('digits = None\nmade = ""\ntotal = ""')


@pytest.mark.long
def test_an_output_is_wired_to_another_stage(page: Page, lab) -> None:
    show(page, lab, "wired", CHAIN.replace("chain", "wired"))
    path = lab.project.root / "pipelines/wired.yaml"
    execute(page, "stagebook:open-graph")
    line(page, "two").click(button="right")
    page.get_by_role("menuitem", name="Use an Output of Another Stage as an Input …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Output")).to_have_value("one.made")
    expect(dialog.get_by_label("Parameter of its notebook")).to_have_value("source")
    expect(dialog.get_by_label("Lines that are added")).to_have_text("    inputs:\n      source: one.made")
    dialog.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_function(f"{EDITOR}?.getCursorPosition().line === 8", timeout=LONG)
    assert path.read_text() == CHAIN.replace("chain", "wired") + "    inputs:\n      source: one.made\n"
    execute(page, "stagebook:connect-stages", stage="one")
    expect(dialog).to_contain_text("No other stage has an output.")
    expect(dialog.get_by_role("button", name="Add", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


@pytest.mark.long
def test_an_open_file_follows_the_disk_and_loses_no_edit(page: Page, lab) -> None:
    text = CHAIN.replace("chain", "followed")
    show(page, lab, "followed", text)
    path = lab.project.root / "pipelines/followed.yaml"
    execute(page, "stagebook:open-pipeline-file")
    page.wait_for_function(f"{SOURCE}?.startsWith('name: followed')", timeout=LONG)
    path.write_text(text + "# by another program\n")
    page.wait_for_function(f"{SOURCE}.endsWith('# by another program\\n')", timeout=10_000)
    page.evaluate(f"{EDITOR}.model.sharedModel.updateSource(0, 0, '# mine\\n')")
    path.write_text(text + "# by another program, twice\n")
    page.wait_for_function(f"{SOURCE}.endsWith('twice\\n')", timeout=10_000)
    assert page.evaluate(SOURCE) == f"# mine\n{text}# by another program, twice\n"
    # Both write the same line: nobody wins by chance.
    path.write_text("# theirs\n" + text)
    asked = page.locator(".Toastify__toast")
    expect(asked).to_contain_text("pipelines/followed.yaml was changed on disk", timeout=10_000)
    assert page.evaluate(SOURCE) == f"# mine\n{text}# by another program, twice\n"
    assert path.read_text() == "# theirs\n" + text
    asked.get_by_role("button", name="Keep the edits").click()
    expect(asked).to_have_count(0)
    execute(page, "docmanager:save")
    page.wait_for_function(
        "!window.jupyterapp.shell.currentWidget.context.model.dirty && "
        "window.jupyterapp.shell.currentWidget.context.contentsModel.writable",
        timeout=LONG,
    )
    expect(page.get_by_text("Overwrite")).to_have_count(0)
    assert path.read_text() == f"# mine\n{text}# by another program, twice\n"
