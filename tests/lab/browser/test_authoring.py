"""Pipelines that are written in JupyterLab: what is seen of mistakes, new stages, and lines between stages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, drawn, execute, expect_state, line, node, panel

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
    for text in ("digits = None", 'made = ""', 'total = ""'):
        expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text(text, timeout=LONG)


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
def test_a_notebook_that_names_its_files_is_added_and_wired_without_an_edit(page: Page, lab) -> None:
    lab.project.notebook("plain", "open('data/plain.txt', 'w').write(open('data/made.txt').read() + '!')")
    show(page, lab, "alone", CHAIN.replace("chain", "alone"))
    path = lab.project.root / "pipelines/alone.yaml"
    panel(page).get_by_role("button", name="Stage", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the stage")).to_be_focused()
    page.keyboard.type("plain")
    dialog.get_by_label("Notebook", exact=True).select_option(label="notebooks/plain.ipynb")
    dialog.get_by_label("Add an input", exact=True).select_option("one.made")
    inputs, outputs = (dialog.get_by_role("group", name=name) for name in ("Inputs", "Outputs"))
    expect(inputs.get_by_label("Parameter of the notebook")).to_have_value("")
    dialog.get_by_role("button", name="Add an output").click()
    expect(dialog.get_by_role("button", name="Add", exact=True)).to_be_disabled()  # it says nothing yet
    outputs.get_by_label("Path").fill("data/plain.txt")
    lines = (
        "  plain:\n    notebook: notebooks/plain.ipynb\n    inputs: [one.made]\n    outputs: [data/plain.txt]"
    )
    expect(dialog.get_by_label("Lines that are added")).to_have_text(lines)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect_state(line(page, "plain"), "new")
    execute(page, "stagebook:connect-stages", stage="two")
    dialog.get_by_label("Output", exact=True).select_option("plain.plain")
    dialog.get_by_label("Parameter of its notebook").select_option(
        "none: the notebook names the file by itself"
    )
    expect(dialog.get_by_label("Lines that are added")).to_have_text("    inputs: [plain.plain]")
    dialog.get_by_role("button", name="Add", exact=True).click()
    execute(page, "stagebook:open-graph")
    expect(page.locator(".sb-Edges path")).to_have_count(3)  # two comes after one, too
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(node(page, "plain"), "up to date")
    assert (lab.project.root / "data/plain.txt").read_text() == "1!"
    assert path.read_text() == (CHAIN.replace("chain", "alone") + f"    inputs: [plain.plain]\n{lines}\n")


@pytest.mark.long
def test_a_line_that_is_drawn_between_two_cards_wires_them(page: Page, lab) -> None:
    text = CHAIN.replace("chain", "drawn")
    show(page, lab, "drawn", text)
    path = lab.project.root / "pipelines/drawn.yaml"
    execute(page, "stagebook:open-graph")
    node(page, "one").hover()
    port, other = node(page, "one").locator(".sb-Port").bounding_box(), node(page, "two").bounding_box()
    assert port is not None
    assert other is not None
    page.mouse.move(port["x"] + port["width"] / 2, port["y"] + port["height"] / 2)
    page.mouse.down()
    page.mouse.move(other["x"] + other["width"] / 2, other["y"] + other["height"] / 2, steps=8)
    expect(page.locator(".sb-Wire")).to_have_count(1)
    page.mouse.up()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("An input for two")
    expect(page.locator(".sb-Wire")).to_have_count(0)
    expect(dialog.get_by_label("Output")).to_have_value("one.made")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    page.wait_for_function(f"{EDITOR}?.getCursorPosition().line === 8", timeout=LONG)
    assert path.read_text() == text + "    inputs:\n      source: one.made\n"


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


@pytest.mark.long
def test_the_editor_completes_explains_and_checks_what_is_typed(page: Page, lab) -> None:
    text = CHAIN.replace("chain", "typed")
    show(page, lab, "typed", text)
    path = lab.project.root / "pipelines/typed.yaml"
    with page.expect_response("**/stagebook/check*", timeout=LONG):
        execute(page, "stagebook:open-pipeline-file")
    page.wait_for_function(f"{SOURCE}?.startsWith('name: typed')", timeout=LONG)
    editor = page.locator(".jp-FileEditor .cm-content")
    editor.click()
    expect(editor).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type("    inp", delay=50)  # as a person does, whose keys the editor answers one by one
    option = page.locator(".cm-tooltip-autocomplete li").first
    expect(option).to_have_text("inputs")
    expect(page.locator(".cm-completionInfo")).to_contain_text("What the notebook reads")
    option.click()
    page.keyboard.type("{source: on")
    expect(option).to_have_text("one.made")
    option.click()
    page.wait_for_function(f"{SOURCE}.includes('inputs: {{source: one.made')", timeout=LONG)
    page.keyboard.type("}")
    mistakes = page.get_by_role("status", name="Mistakes in the pipeline")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("retires: 2")
    page.keyboard.press("Escape")
    wrong = mistakes.get_by_role("button", name=re.compile("unknown key 'retires': did you mean 'retries'?"))
    expect(wrong).to_be_visible(timeout=LONG)
    expect(page.locator(".sb-Mistake")).to_have_text("retires")
    page.locator(".sb-Mistake").hover()
    expect(page.locator(".sb-Meaning")).to_contain_text("did you mean 'retries'?")
    page.mouse.move(2, 2)
    expect(page.locator(".sb-Meaning")).to_have_count(0)
    # The element has the spaces before the word as well.
    editor.get_by_text("after", exact=True).first.hover(position={"x": 60, "y": 7})
    expect(page.locator(".sb-Meaning")).to_contain_text("Stages that have to end well before this one")
    assert path.read_text() == text  # nothing was saved for that
    page.evaluate(f"{EDITOR}.model.sharedModel.setSource({SOURCE}.replace('retires', 'retries'))")
    expect(mistakes).to_be_hidden(timeout=LONG)
    expect(page.locator(".sb-Mistake")).to_have_count(0)


@pytest.mark.long
def test_a_click_chooses_and_an_executed_cell_leads_to_its_source(page: Page, lab) -> None:
    choose(page, "fails")
    execute(page, "stagebook:open-graph")
    line(page, "fails").click()
    expect(page.get_by_role("complementary", name="The stage fails")).to_be_visible()
    drawn(page)
    expect(page.locator(".jp-NotebookPanel")).to_have_count(0)  # and so no kernel
    assert lab.stagebook("run", "fails").wait(90) == 1
    expect_state(line(page, "fails"), "failed")
    at_the_cell = (
        "window.jupyterapp.shell.currentWidget.context?.path === 'notebooks/bad.ipynb' && "
        "window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1"
    )
    details = page.get_by_role("complementary", name="The stage fails")
    details.get_by_role("button", name="Edit this cell").click()
    page.wait_for_function(at_the_cell, timeout=LONG)
    page.locator(".jp-NotebookPanel:visible .jp-Cell").first.click()
    execute(page, "stagebook:open-failing-cell", stage="fails")
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("x['b']", timeout=LONG)
    page.get_by_role("button", name="Edit this cell").click()
    page.wait_for_function(at_the_cell, timeout=LONG)
    expect(active).to_contain_text("x['b']")
    expect(page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active.jp-mod-readOnly")).to_have_count(0)
    line(page, "fine").dblclick()
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.context.path === 'notebooks/work.ipynb' && "
        "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'",
        timeout=LONG,
    )
