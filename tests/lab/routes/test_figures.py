"""The route about figures, over a history that was made up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from building import ProjectBuilder
from measured import DAY, HOUR, Did, History, Repository, audit, check, lively
from stagebook.audits import Outcome
from stagebook.evidence import SERIES, figures_of
from stagebook.indicators.words import amount
from stagebook_lab.queries.figures import COLUMNS

SETTINGS = "[tracking]\nenabled = false\n[environments.prod]\n"
# What was done in these days is of them, however long the test takes to ask.
LATE = 2 * HOUR


@pytest.fixture
def history(lab: ProjectBuilder) -> Iterator[History]:
    """What happened in the working tree."""
    lab.file("stagebook.toml", SETTINGS)
    made = History(lab.root, environment="dev")
    yield made
    made.close()


def by_name(reply: Any) -> dict[str, Any]:
    return {one["name"]: one for group in reply["groups"] for one in group["figures"]}


async def test_the_figures_are_those_of_the_command_in_its_words(api: Any, history: History) -> None:
    lively(history, Repository(history.root), time.time() - LATE)
    reply = await api.get("figures", pipeline="p", days=7)
    assert (reply["environment"], reply["environments"], reply["nothing"]) == ("dev", ["dev", "prod"], "")
    assert reply["end"] - reply["start"] == 7 * DAY
    assert [one["title"] for one in reply["groups"]] == [
        "How much work", "How often it breaks", "How fast to production",
    ]  # fmt: skip
    found = by_name(reply)
    (told,) = figures_of(history.place, pipeline="p", days=7, until=reply["end"])
    assert list(found) == [one.name for one in told.indicators]
    for one in told.indicators:
        assert found[one.name]["text"] == ("" if one.value is None else amount(one.value, one.unit)), one.name
        assert (found[one.name]["formula"], found[one.name]["sources"]) == (one.formula, one.sources)
    errors = found["errors"]
    assert (errors["title"], errors["text"], errors["before"]) == ("error rate", "9.1 %", "0.0 %")
    assert (errors["direction"], errors["verdict"], errors["stands_on"]) == ("up", "worse", "11")
    assert len(errors["points"]) == SERIES
    assert [one["text"] for one in errors["points"]][-2:] == ["0.0 %", "9.1 %"]
    assert (errors["points"][0]["value"], errors["points"][0]["text"]) == (None, "")
    assert found["runs"]["verdict"] == "", "more runs are no better"
    assert found["runs"]["parts"].startswith("by hand ")
    lead = found["lead_time_median"]
    assert lead["stands_on"] == "1, 1 left out"
    assert lead["why_left_out"].startswith("git does not know the commit")
    assert (found["first_use"]["text"], found["first_use"]["direction"]) == ("", "")
    assert found["first_use"]["stands_on"] == "not read yet, 2 left out"


async def test_the_worst_columns_of_a_dataset_come_first(api: Any, history: History) -> None:
    broken = [check(outcome=Outcome.BROKEN, figure=10 + n, columns=(f"c{n:02}",)) for n in range(COLUMNS + 3)]
    good = check(columns=("good",))
    history.run("r", time.time() - DAY, {"clean": Did(audits={"rows": audit(*broken, good)})})
    (one,) = (await api.get("figures", pipeline="p"))["datasets"]
    assert (one["dataset"], one["rows"], one["more"], one["perfect"]) == ("clean.rows", 100, 3, 1)
    assert one["columns"][0] == {"name": f"c{COLUMNS + 2}", "text": f"{100 - 10 - COLUMNS - 2}.0 %"}
    assert len(one["columns"]) == COLUMNS


async def test_an_environment_is_chosen_and_prod_is_it_by_default_once_anything_ran_there(
    api: Any, history: History
) -> None:
    now = time.time()
    history.run("here", now - DAY)
    assert (await api.get("figures", pipeline="p"))["environment"] == "dev"
    there = History(history.root, state=history.root / ".stagebook/environments/prod/state")
    there.run("one", now - DAY)
    there.run("two", now - DAY)
    there.close()
    reply = await api.get("figures", pipeline="p")
    assert (reply["environment"], by_name(reply)["errors"]["stands_on"]) == ("prod", "2")
    reply = await api.get("figures", pipeline="p", environment="dev")
    assert (reply["environment"], by_name(reply)["errors"]["stands_on"]) == ("dev", "1")
    tree = history.root / ".stagebook/environments/prod/trees"
    assert not tree.exists(), "a look writes nothing"


async def test_pipelines_are_told_apart_and_nothing_is_said(api: Any, history: History) -> None:
    assert (await api.get("figures", pipeline="p", environment="prod"))["nothing"] == (
        "no run of p is known in prod"
    )
    history.run("p1", time.time() - DAY)
    history.run("q1", time.time() - 90 * DAY, pipeline="q")
    found = by_name(await api.get("figures", pipeline="p"))
    assert found["errors"]["stands_on"] == "1"
    assert (found["deployments"]["text"], found["deployments"]["stands_on"]) == ("", "no deployments")
    reply = await api.get("figures", pipeline="q")
    assert reply["nothing"] == "nothing was recorded in this window, nor in the one before"
    assert not (await api.get("figures", pipeline="q", days=90))["nothing"]
    reply = await api.get("figures", pipeline="r")
    assert (reply["nothing"], reply["groups"]) == ("no run of r is known in the working tree", [])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "say which pipeline the figures are to be about"),
        ({"pipeline": "p", "days": 0}, "'days' has to be from 1 to 3,650, not 0"),
        ({"pipeline": "p", "days": 3651}, "'days' has to be from 1 to 3,650, not 3651"),
        ({"pipeline": "p", "days": "-7"}, "'days' has to be a number, not '-7'"),
        ({"pipeline": "p", "environment": "prd"}, "there is no environment 'prd'"),
        ({"pipeline": "p", "environment": "../prod"}, "there is no environment '../prod'"),
    ],
)
async def test_what_is_refused(api: Any, history: History, asked: dict[str, Any], told: str) -> None:
    code, reply = await api.refused("figures", **asked)
    assert (code, reply["message"]) == (400, told)


@pytest.mark.parametrize("has_runs", [True, False])
async def test_a_protected_environment_to_which_nothing_was_deployed_says_so(
    api: Any, history: History, lab: ProjectBuilder, has_runs: bool
) -> None:
    if has_runs:
        there = History(history.root, state=history.root / ".stagebook/environments/prod/state")
        there.run("one", time.time() - DAY)
        there.close()
    lab.file("stagebook.toml", f"{SETTINGS}protected = true\n")
    reply = await api.get("figures", pipeline="p", environment="prod")
    assert (reply["groups"], reply["nothing"]) == ([], "nothing was deployed to prod yet")
