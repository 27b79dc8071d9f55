"""Parameters as a form has them, and notebooks against what ran."""

from __future__ import annotations

import pytest

from building import load
from stagebook.errors import Problem
from stagebook.planning.intervals import NO_INTERVAL
from stagebook_lab.params import field_errors, interval_error, param_info
from stagebook_lab.queries.compare import cell_diffs

PIPELINE = load(
    """
    params:
      months: {type: "list[int]", default: [1, 2]}
      depth: {type: int, default: 6, help: of each tree}
      rate: 0.1
      name: {type: str, default: x}
      size: {type: "Literal['small', 'large']", default: small}
      until: {type: date | None, default: null}
      loud: false
      must: {type: int}
      any: {type: int | str, default: 1}
    stages: {a: {notebook: a.ipynb}}
    """
).pipeline


def test_each_type_has_its_field() -> None:
    infos = {name: param_info(param) for name, param in PIPELINE.params.items()}
    assert {name: info.kind for name, info in infos.items()} == {
        "months": "yaml", "depth": "int", "rate": "float", "name": "text", "size": "choice",
        "until": "date", "loud": "bool", "must": "int", "any": "yaml",
    }  # fmt: skip
    assert infos["size"].choices == ("small", "large")
    assert [name for name, info in infos.items() if info.optional] == ["until"]
    assert (infos["months"].text, infos["until"].text, infos["loud"].text) == ("[1, 2]", "null", "false")
    assert (infos["must"].required, infos["must"].text) == (True, "")


def test_the_default_as_text_is_the_default() -> None:
    texts = {name: param_info(param).text for name, param in PIPELINE.params.items() if not param.required}
    assert field_errors(PIPELINE, {**texts, "must": "1"}) == {}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("depth", "many", "expected int, got 'many'"),
        ("depth", "", "expected int, got None"),
        ("months", "[1, x]", "expected int, got 'x'"),
        ("months", "[1", "cannot be read"),
        ("until", "2013-02-30", "expected date | None"),
        ("size", "huge", "expected Literal['small', 'large']"),
        ("dept", "1", "did you mean|unknown parameter"),
    ],
)
def test_mistakes_are_told_at_their_fields(name: str, text: str, told: str) -> None:
    errors = field_errors(PIPELINE, {name: text})
    assert set(errors) == {name, "must"}
    assert any(part in errors[name] for part in told.split("|") if part.strip()) or told in errors[name]
    assert errors["must"] == "has no default and was not given"


def test_the_points_of_a_sweep_are_checked_one_by_one() -> None:
    good = {"must": "[1, 2]", "months": "[1, 2]", "depth": "3"}
    assert field_errors(PIPELINE, good, sweep=True) == {}
    assert "expected int" in field_errors(PIPELINE, {"must": "[1, x]"}, sweep=True)["must"]
    assert "must" in field_errors(PIPELINE, good)


def cells(*sources: str) -> list[tuple[str, str]]:
    return [("code", source) for source in sources]


def test_cells_are_compared_by_lines() -> None:
    found = cell_diffs(cells("a", "x = 1\ny = 2", "c"), cells("a", "x = 1\ny = 3", "b", "c", "d"))
    assert [(cell.change, cell.before, cell.now) for cell in found] == [
        ("same", 1, 1), ("changed", 2, 2), ("added", None, 3), ("same", 3, 4), ("added", None, 5),
    ]  # fmt: skip
    assert found[1].lines == (" x = 1", "-y = 2", "+y = 3")
    assert cell_diffs(cells("a"), [])[0].change == "removed"


ABOUT = """
schedules: {daily: {cron: "0 6 * * *", zone: UTC, interval: day}}
stages: {a: {notebook: n.ipynb, params: {day: "${interval.name}"}}}
"""


@pytest.mark.parametrize(
    "text", ["", " ", "2026-01", "2026-W03", "2026-01-05..2026-01-07", "2026-01-05[Europe/Berlin]"]
)
def test_a_text_that_names_an_interval_is_good(text: str) -> None:
    assert interval_error(load(ABOUT).pipeline, text, ()) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yesterday", "'yesterday' names no interval; a day"),
        ("2026-02-30", "'2026-02-30' is no time"),
        ("2026-01-07..2026-01-05", "ends before it starts"),
        ("2026-01-05[Europe/Bonn]", "there is no time zone 'Europe/Bonn'"),
    ],
)
def test_a_text_that_names_none_is_a_mistake_at_its_field(text: str, told: str) -> None:
    (found,) = interval_error(load(ABOUT).pipeline, text, ()).values()
    assert told in found


def test_an_interval_has_to_be_given_where_nothing_says_it() -> None:
    pipeline = load(ABOUT).pipeline
    problem = Problem(path="p.yaml", message=NO_INTERVAL)
    assert interval_error(pipeline, "", [problem])["--interval"].startswith(
        "say what the run is about: a day"
    )
    assert interval_error(pipeline, "", [Problem(path="p.yaml", message="another one")]) == {}
