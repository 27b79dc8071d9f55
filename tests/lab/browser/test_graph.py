"""A graph that is larger than the window: what is asked for comes into sight, and it is dragged and zoomed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from lab.browser.page import choose, drawn, execute, line, node

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
