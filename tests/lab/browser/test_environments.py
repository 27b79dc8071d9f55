"""What a person sees and does about environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from building import ProjectBuilder
from lab.browser.page import LONG, open_page, panel, picture
from lab.server import running_lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MAKE = "open(people, 'w').write('id,speed\\n' + ''.join(f'{at},{at % 5}\\n' for at in range(10)))"
PIPELINE = """
stages:
  make: {notebook: notebooks/make.ipynb, executor: inprocess, outputs: {people: data/people.csv}}
"""


def make_project(root: Path) -> ProjectBuilder:
    """A pipeline of one stage, committed, with a protected environment."""
    builder = ProjectBuilder(root)
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\nprotected = true\n")
    builder.file(".gitignore", ".stagebook\ndata\nenvironments\n")
    builder.notebook("make", MAKE, params="people = ''")
    builder.pipeline(PIPELINE, "people")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", *identity, *words], cwd=root, check=True)
    return builder


def answer(page: Page, text: str, button: str) -> None:
    """Say why in the dialog that asks."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(text)
    dialog.get_by_role("button", name=button, exact=True).click()


@pytest.mark.long
def test_a_promotion_is_read_confirmed_and_taken_back(browser: BrowserContext, tmp_path: Path) -> None:
    with running_lab(tmp_path, make_project) as lab, open_page(browser, lab) as (page, errors):
        panel(page).get_by_role("button", name="Environments").click()
        row = page.get_by_role("table", name="Environments").get_by_role("row", name="prod")
        expect(row).to_contain_text("nothing yet", timeout=LONG)
        _promote(page, "the first one", "runs      people.make")
        versions = page.get_by_role("table", name="Versions")
        expect(versions.get_by_role("row", name="1 · current")).to_contain_text("the first one", timeout=LONG)
        expect(row).to_contain_text("version 1")

        lab.project.edit("make", "% 5", "% 4")
        page.get_by_role("button", name="Compare with the working tree").click()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("would run: cell 2 changed")).to_be_visible(timeout=LONG)
        page.get_by_role("button", name="Close", exact=True).click()

        page.get_by_role("button", name="Promote dev to prod …").click()
        expect(page.get_by_role("dialog")).to_contain_text("Not all is committed", timeout=LONG)
        page.get_by_role("dialog").get_by_role("button", name="As it is").click()
        _confirm(page, "another remainder", "make: cell 2 changed")
        expect(versions.get_by_role("row", name="2 · current")).to_be_visible(timeout=LONG)
        picture(page, "lab-environments")

        versions.get_by_role("row", name="1 ").get_by_role("button", name="Roll back …").click()
        answer(page, "it was no good", "Roll back")
        expect(versions.get_by_role("row", name="3 · current")).to_contain_text(
            "rollback to version 1", timeout=LONG
        )
        assert (
            "0,0\n1,1\n2,2\n3,3\n4,4\n"
            in (lab.project.root / "environments/prod/current/data/people.csv").read_text()
        )
        assert errors == []


def _promote(page: Page, because: str, shows: str) -> None:
    page.get_by_role("button", name="Promote dev to prod …").click()
    _confirm(page, because, shows)


def _confirm(page: Page, because: str, shows: str) -> None:
    """Read what would happen, go on, and say why."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(shows, timeout=LONG)
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(dialog).to_contain_text("Why is this right?")
    answer(page, because, "Go on")
