"""The graph: what is asked for comes into sight, cards and details tell what there is, and the keys lead through it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from lab.browser.page import LONG, choose, drawn, execute, expect_state, line, node, wait_until_kept
from lab.server import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def open_graph(page: Page, pipeline: str, count: int) -> Locator:
    choose(page, pipeline)
    execute(page, "stagebook:open-graph")
    expect(page.locator(".sb-Node")).to_have_count(count, timeout=30_000)
    drawn(page)
    return page.locator(".sb-Scroll")


def middle(where: Locator) -> tuple[float, float]:
    box = where.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def in_sight(where: Locator) -> None:
    expect(where.locator(".sb-Box")).to_be_in_viewport(ratio=0.99, timeout=10_000)


@pytest.mark.long
def test_what_is_chosen_or_searched_comes_into_sight(page: Page, lab) -> None:
    open_graph(page, "wide", 41)
    in_sight(node(page, "s0"))
    expect(node(page, "s35").locator(".sb-Box")).not_to_be_in_viewport()
    execute(page, "stagebook:show-stage", stage="s35")
    in_sight(node(page, "s35"))
    expect(node(page, "s35")).to_have_attribute("data-selected", "true")
    search = page.locator(".sb-Graph").get_by_role("searchbox", name="Search stages")
    search.fill("s4")
    in_sight(node(page, "s4"))
    search.fill("")
    line(page, "s20").focus()
    in_sight(node(page, "s20"))
    # Asked for again, it comes again.
    page.locator(".sb-Scroll").evaluate("one => one.scrollTo(0, 0)")
    expect(node(page, "s20").locator(".sb-Box")).not_to_be_in_viewport()
    execute(page, "stagebook:show-stage", stage="s20")
    in_sight(node(page, "s20"))
    # An instance that is folded is shown by its group, and the group has details of its own.
    execute(page, "stagebook:show-stage", stage="many@2")
    in_sight(node(page, "many"))
    expect(page.get_by_role("complementary", name="The stage many@2")).to_be_visible()
    node(page, "many").click()
    details = page.get_by_role("complementary", name="The stage many", exact=True)
    expect(details).to_contain_text("3 instances")
    expect(details.get_by_role("button", name="Run to here")).to_be_enabled()
    details.get_by_role("button", name="Unfold").click()
    expect(page.locator(".sb-Node")).to_have_count(43)


def test_it_is_zoomed_at_the_pointer_dragged_and_begins_anew_with_another_pipeline(page: Page, lab) -> None:
    scroll = open_graph(page, "wide", 41)
    execute(page, "stagebook:show-stage", stage="s20")
    in_sight(node(page, "s20"))
    width = page.locator(".sb-Scroll > svg").bounding_box()["width"]
    before = middle(node(page, "s20"))
    page.mouse.move(*before)
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -100)
        drawn(page)
    page.keyboard.up("Control")
    assert page.locator(".sb-Scroll > svg").bounding_box()["width"] == pytest.approx(
        width * 1.25**3, rel=0.01
    )
    assert middle(node(page, "s20")) == pytest.approx(before, abs=6)
    assert page.evaluate("window.devicePixelRatio") == 1, "the page itself is not zoomed"

    box = scroll.bounding_box()
    assert box is not None
    ground = box["x"] + box["width"] / 2, box["y"] + box["height"] - 30
    left = scroll.evaluate("one => one.scrollLeft")
    page.mouse.move(*ground)
    page.mouse.down()
    page.mouse.move(ground[0] - 150, ground[1], steps=4)
    expect(scroll).to_have_attribute("data-dragged", "true")
    page.mouse.up()
    expect(scroll).not_to_have_attribute("data-dragged", "true")
    assert scroll.evaluate("one => one.scrollLeft") == left + 150
    page.mouse.move(*ground)
    assert scroll.evaluate("one => one.scrollLeft") == left + 150

    choose(page, "demo")
    expect(page.locator(".sb-Node")).to_have_count(6)
    in_sight(node(page, "load"))
    choose(page, "wide")
    expect(page.locator(".sb-Node")).to_have_count(41)
    in_sight(node(page, "s0"))
    assert page.locator(".sb-Scroll > svg").bounding_box()["width"] == pytest.approx(width, rel=0.01)


def places(page: Page) -> dict[str, tuple[float, float]]:
    """Where each card is in the window."""
    found = page.evaluate(
        "[...document.querySelectorAll('.sb-Node')].map(one => [one.dataset.key, one.getBoundingClientRect()])"
        ".map(([key, box]) => [key, [box.x, box.y]])"
    )
    return {key: tuple(place) for key, place in found}


def details(page: Page, stage: str) -> Locator:
    return page.get_by_role("complementary", name=f"The stage {stage}", exact=True)


def run_cards(lab: Lab) -> None:
    """Run the pipeline once, which leaves a stage that failed."""
    if not (lab.project.root / "data/cards.svg").exists():
        assert lab.stagebook("run", "cards").wait(120) != 0


def test_a_card_tells_state_time_metric_and_failure_and_nothing_sticks_out(page: Page, lab: Lab) -> None:
    run_cards(lab)
    open_graph(page, "cards", 4)
    leaves = node(page, "leaves")
    expect_state(leaves, "up to date")
    expect(leaves).to_contain_text("auc 0.9346")
    expect(leaves.locator(".sb-NodeDetail").last).to_have_text(re.compile(r"^\d+(\.\d)? s"))
    expect(leaves).to_have_accessible_name(re.compile(r"^leaves, up to date, [\d.]+ s.*, auc 0.9346$"))
    failed = node(page, "a_stage_whose_name_is_much_longer_than_its_card")
    expect(failed.locator(".sb-NodeState")).to_have_text("failed")
    expect(failed).to_contain_text("at cell 2 of 3: Key")
    expect(failed.locator(".sb-NodeName")).to_have_text(re.compile("^a_stage_whose.*…$"))
    assert (
        failed.locator(".sb-Mark").bounding_box()["width"]
        > leaves.locator(".sb-Mark").bounding_box()["width"]
    )
    beyond = page.evaluate(
        """[...document.querySelectorAll('.sb-Node text')].filter(text => {
            const box = text.closest('.sb-Node').querySelector('.sb-Box').getBoundingClientRect();
            const own = text.getBoundingClientRect();
            return own.right > box.right || own.left < box.left || own.bottom > box.bottom;
        }).map(text => text.textContent)"""
    )
    assert beyond == []


def test_a_run_moves_no_card_and_shows_how_far_it_is(page: Page, lab: Lab) -> None:
    open_graph(page, "slow", 3)
    before = places(page)
    execute(page, "stagebook:run-all-again")
    running = node(page, "wait")
    expect_state(running, "running")
    expect(running).to_contain_text(re.compile(r"cell \d+ of 41"))
    expect(running.locator(".sb-NodeProgress")).to_be_attached()
    expect(running.locator(".sb-NodeDetail").last).to_have_text(re.compile(r"^\d+(\.\d)? s"))
    assert places(page) == before
    execute(page, "stagebook:cancel")
    expect_state(running, "cancelled")
    assert places(page) == before


def test_the_details_are_closed_made_wider_and_stay_so(page: Page, lab: Lab) -> None:
    open_graph(page, "demo", 6)
    before = places(page)
    node(page, "clean").click()
    pane = details(page, "clean")
    expect(pane).to_be_visible()
    assert places(page) == before, "opening the details moves nothing"
    for heading in ("Parameters", "Last run"):
        expect(pane.get_by_role("heading", name=heading)).to_have_count(0)  # of what there is nothing of
    splitter = page.get_by_role("separator", name="Width of the details")
    splitter.focus()
    width = int(splitter.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowLeft")
    expect(splitter).to_have_attribute("aria-valuenow", str(width + 24))
    x, y = middle(splitter)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=3)
    page.mouse.up()
    wide = int(splitter.get_attribute("aria-valuenow") or 0)
    assert wide == pytest.approx(width + 84, abs=5)
    assert pane.bounding_box()["width"] == pytest.approx(wide, abs=3)

    page.keyboard.press("Escape")
    expect(pane).to_have_count(0)
    expect(node(page, "clean")).to_be_focused()
    node(page, "clean").press("Space")
    expect(pane).to_be_visible()
    page.get_by_role("button", name="Close the details").click()
    expect(pane).to_have_count(0)
    node(page, "load").click()
    expect(details(page, "load")).to_contain_text("Loads what the others need.")

    wait_until_kept(page, f'"stagebook-views:details-width":{wide}')
    page.reload()
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
    open_graph(page, "demo", 6)
    node(page, "load").click()
    expect(splitter).to_have_attribute("aria-valuenow", str(wide))
    splitter.dblclick()
    expect(splitter).to_have_attribute("aria-valuenow", "340")


def test_outputs_unfold_in_the_details_and_open_by_their_link(page: Page, lab: Lab) -> None:
    run_cards(lab)
    open_graph(page, "cards", 4)
    node(page, "leaves").click()
    pane = details(page, "leaves")
    metrics = pane.get_by_role("table", name="Metrics of the stage")
    expect(metrics.get_by_role("row", name="rows 123,456")).to_be_visible()
    outputs = pane.get_by_role("list", name="Outputs")
    for name in ("csv", "json", "svg"):
        button = outputs.get_by_role("button", name=f"Preview of data/cards.{name}")
        button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
    table = outputs.get_by_role("region", name="The first rows of data/cards.csv").get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(21)
    expect(table.get_by_role("row").nth(1)).to_have_text("0<b>n0</b>0.0")
    expect(outputs.get_by_label("The beginning of data/cards.json")).to_contain_text('"x": "<i>2</i>"')
    picture = outputs.get_by_role("img", name="The picture data/cards.svg")
    expect(picture).to_be_visible()
    page.wait_for_function("one => one.complete && one.naturalWidth === 90", arg=picture.element_handle())
    assert page.evaluate("window.__drawn") is None, "a script of the picture ran"
    outputs.get_by_role("button", name="data/cards.json", exact=True).click()
    expect(page.locator(".jp-RenderedJSON:visible, .jp-FileEditor:visible")).to_be_visible()


def test_the_minimap_moves_the_view_and_is_there_only_where_it_is_needed(page: Page, lab: Lab) -> None:
    open_graph(page, "wide", 41)
    minimap = page.locator(".sb-Minimap")
    expect(minimap).to_be_visible()
    expect(minimap).to_have_attribute("aria-hidden", "true")
    expect(node(page, "s39").locator(".sb-Box")).not_to_be_in_viewport()
    box = minimap.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    in_sight(node(page, "s39"))
    frame = minimap.locator(".sb-MinimapFrame").bounding_box()
    assert frame is not None
    assert frame["x"] + frame["width"] == pytest.approx(box["x"] + box["width"], abs=4)
    # A card below the map can be brought out from there.
    node(page, "many").focus()
    card = node(page, "many").locator(".sb-Box").bounding_box()
    assert card is not None
    assert card["x"] + card["width"] <= box["x"] or card["y"] + card["height"] <= box["y"]
    choose(page, "fails")
    expect(page.locator(".sb-Node")).to_have_count(3)
    expect(minimap).to_have_count(0)


def test_one_tab_stop_and_keys_for_what_comes_before_and_after(page: Page, lab: Lab) -> None:
    open_graph(page, "demo", 6)
    expect(page.locator('.sb-Node[tabindex="0"]')).to_have_count(1)
    page.locator('.sb-Node[tabindex="0"]').focus()
    expect(node(page, "load")).to_be_focused()
    for key, name in (("ArrowRight", "clean"), ("ArrowRight", "fit"), ("ArrowRight", "compare")):
        page.keyboard.press(key)
        expect(node(page, name)).to_be_focused()
    expect(page.locator('.sb-Node[tabindex="0"]')).to_have_attribute("data-key", "compare")
    dimmed = page.locator('.sb-Node[data-dim="true"]')
    expect(dimmed).to_have_count(0)
    page.keyboard.press("d")
    expect(dimmed).to_have_count(4)
    page.keyboard.press("u")
    expect(dimmed).to_have_count(1)
    expect(node(page, "report")).to_have_attribute("data-dim", "true")
    pane = details(page, "compare")
    expect(pane.get_by_role("button", name="Upstream")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(dimmed).to_have_count(0)
    expect(pane).to_be_visible()
    pane.get_by_role("button", name="Downstream").click()
    expect(dimmed).to_have_count(4)
    pane.get_by_role("button", name="Downstream").click()
    expect(dimmed).to_have_count(0)
    node(page, "compare").press("Escape")
    expect(pane).to_have_count(0)


def test_a_large_pipeline_is_folded_by_the_beginnings_of_its_names(page: Page, lab: Lab) -> None:
    open_graph(page, "folded", 22)
    expect(node(page, "g3/*")).to_have_accessible_name("g3 …, 3 stages, new")
    node(page, "g3/*").press("Enter")
    expect(page.locator(".sb-Node")).to_have_count(24)
    expect(node(page, "g3_fit")).to_be_visible()
    execute(page, "stagebook:show-stage", stage="g21_report")
    expect(node(page, "g21/*")).to_have_attribute("data-selected", "true")
    in_sight(node(page, "g21/*"))
    page.get_by_role("button", name="Fold all").click()
    expect(page.locator(".sb-Node")).to_have_count(22)
    node(page, "g0/*").click()
    pane = page.get_by_role("complementary", name="The stages g0 …")
    expect(pane).to_contain_text("3 stages")
    pane.get_by_role("button", name="Unfold").click()
    expect(page.locator(".sb-Node")).to_have_count(24)


def test_the_list_is_sorted_and_searched_and_shows_details(page: Page, lab: Lab) -> None:
    run_cards(lab)
    open_graph(page, "cards", 4)
    page.get_by_role("group", name="Show as").get_by_role("button", name="List").click()
    table = page.get_by_role("table", name="Stages of cards")
    names = table.locator("tbody th")
    expect(names).to_have_text([
        "load", "leaves", "a_stage_whose_name_is_much_longer_than_its_card", "last",
    ])  # fmt: skip
    expect(table.get_by_role("row", name=re.compile("^leaves"))).to_contain_text("auc 0.9346")
    header = table.get_by_role("columnheader", name="State")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(names.first).to_have_text("a_stage_whose_name_is_much_longer_than_its_card")
    header.get_by_role("button").click()
    expect(names.last).to_have_text("a_stage_whose_name_is_much_longer_than_its_card")
    page.get_by_role("searchbox", name="Search stages").last.fill("leav")
    expect(names).to_have_text(["leaves"])
    table.get_by_role("button", name="leaves").press("Enter")
    expect(details(page, "leaves")).to_be_visible()
    page.get_by_role("group", name="Show as").get_by_role("button", name="Graph").click()
    expect(node(page, "leaves")).to_have_attribute("data-selected", "true")
