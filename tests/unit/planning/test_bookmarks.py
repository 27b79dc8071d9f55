"""What is new to a stage with a bookmark."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagebook.pipeline.model import Bookmark
from stagebook.planning.bookmarks import news_of, place_of, told
from stagebook.planning.plan import PlannedStage
from stagebook.planning.result import Marks

FILES = Bookmark(input="months")
COLUMN = Bookmark(param="since", output="orders", column="at")
STAGE = PlannedStage(id="a", stage="a", notebook="a.ipynb", bookmark=FILES)

_sources = st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4), max_size=6)


@given(sources=_sources)
def test_each_content_is_read_when_it_came_and_not_again(sources: list[dict[str, str]]) -> None:
    known: dict[str, str] = {}
    for source in sources:
        news = news_of(FILES, [*source.items()], Marks(items=known), anew=False)
        assert dict(news.items) == {path: mark for path, mark in source.items() if known.get(path) != mark}
        known |= news.items
        assert not news_of(FILES, [*source.items()], Marks(items=known), anew=False).items


def test_anew_everything_is_read_and_nothing_is_taken_back() -> None:
    marks = Marks(items={"a": "1"}, again=("r/s/1",))
    news = news_of(FILES, [("a", "1"), ("b", "1")], marks, anew=True)
    assert (dict(news.items), news.anew, news.again) == ({"a": "1", "b": "1"}, True, ())
    assert news_of(FILES, [("a", "1")], marks, anew=False).again == ("r/s/1",)


def test_a_column_gives_the_value_that_was_reached() -> None:
    marks = Marks(items={"orders.at": 7})
    assert news_of(COLUMN, [], marks, anew=False).params == {"since": 7}
    assert news_of(COLUMN, [], marks, anew=True).params == {}
    assert news_of(COLUMN, [], Marks(items={"orders.of": 7}), anew=False).params == {}
    assert news_of(COLUMN, [], Marks(items={"orders.at": 0}), anew=False).params == {"since": 0}


def say(there: dict[str, str], known: dict[str, str], **options: Any) -> str:
    marks = Marks(items=known)
    news = news_of(FILES, [*there.items()], marks, anew=options.get("anew", False))
    return told(STAGE, news, [*there.items()], marks)


def test_what_is_new_is_told_in_a_few_words() -> None:
    assert say({"a": "1", "b": "1"}, {}) == "reads all 2 of months"
    assert say({"a": "1"}, {}) == "reads a"
    assert say({"a": "1", "b": "1"}, {"a": "1"}) == "b is new in months"
    assert say({"a": "1", "b": "1", "c": "1"}, {"a": "1"}) == "b and 1 more are new in months"
    assert say({"a": "2", "b": "2"}, {"a": "1", "b": "1"}) == "a and 1 more changed since they were read"
    assert say({"a": "2", "b": "1"}, {"a": "1"}) == "b is new in months; a changed since it was read"
    assert say({"a": "1"}, {"a": "1"}) == "nothing is new in months"
    assert say({}, {"a": "1", "b": "1"}) == "nothing is new in months; a and 1 more are gone, and stay read"
    assert say({"a": "2"}, {"a": "1"}, anew=True) == "reads a"


def test_a_place_is_the_same_whatever_the_order_of_outputs() -> None:
    assert place_of(["b", "a"]) == place_of(iter(["a", "b"])) != place_of(["a"])
