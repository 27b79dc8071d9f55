"""How far stages have read: marks are added up from events, in the journal and in a mended one."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import HERE, alive, alter, ended, started
from stagebook import events
from stagebook.errors import JournalUnreadable
from stagebook.events import Event
from stagebook.journal.journal import Journal
from stagebook.planning.result import Marks

_items = st.sampled_from(["a", "b", "c"])
_moves = st.lists(
    st.tuples(
        st.sampled_from(["attempt", "person"]),
        st.dictionaries(_items, st.none() | st.integers(0, 3), max_size=3),
        st.booleans(),
        st.lists(st.sampled_from(["r/s/1", "r/s/2"]), max_size=2, unique=True),
    ),
    max_size=8,
)


def moved(move: tuple[str, dict[str, Any], bool, list[str]], stage: str = "s", run: str = "r") -> Event:
    how, marks, anew, again = move
    bookmark = {"marks": marks, "anew": anew}
    if how == "attempt":
        return dataclasses.replace(ended(stage, "", run), bookmark=bookmark)
    return events.BookmarkMoved(
        run=run, at=11.0, stage=stage, places=[f"{stage}.txt"], bookmark=bookmark, again=again
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Journal]]:
    """A journal, and one that is mended of it."""
    folder = tmp_path_factory.mktemp("journals")
    pair = Journal(folder / "one.db"), Journal(folder / "mended.db")
    for journal in pair:
        journal.relax()
    yield pair
    for journal in pair:
        journal.close()


numbers = itertools.count()


@given(moves=_moves)
def test_marks_are_the_sum_of_what_moved_them(shared: tuple[Journal, Journal], moves: list[Any]) -> None:
    wanted: dict[str, Any] = {}
    again: tuple[str, ...] = ()
    for how, marks, anew, taken in moves:
        wanted = {**({} if anew else wanted), **marks}
        wanted = {item: mark for item, mark in wanted.items() if mark is not None}
        again = () if how == "attempt" else tuple(taken)
    journal, mended = shared
    name = str(next(numbers))
    told = [moved(move, f"s{name}", name) for move in moves]
    end = events.RunEnded(run=name, at=12.0, status=events.Status.COMPLETED)
    journal.begin(started(name), HERE, alive, then=[*told, end])
    mended.restore({number: json.dumps(one.to_json()) for number, one in journal.events.of(name)}, 12.0)
    for one in shared:
        assert one.bookmarks.of("p", f"s{name}", f"s{name}.txt") == Marks(items=wanted, again=again)
        for other in (
            ("p", f"s{name}", "t.txt"),
            ("p", f"t{name}", f"s{name}.txt"),
            ("q", f"s{name}", "s.txt"),
        ):
            assert one.bookmarks.of(*other) == Marks()
    assert mended.bookmarks.all() == journal.bookmarks.all()


def test_an_attempt_without_a_bookmark_moves_nothing(journal: Journal) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("s", "one")], owner="r")
    assert journal.bookmarks.of("p", "s", "s.txt") == Marks()
    assert "bookmarks" not in journal.count_damaged()


def test_a_damaged_mark_is_told_and_nothing_is_read_twice(journal: Journal) -> None:
    journal.begin(started(), HERE, alive, then=[moved(("attempt", {"a": 1}, False, []))])
    assert journal.count_damaged()["bookmarks"] == (1, 0)
    alter(journal.path, "UPDATE bookmarks SET mark = '2'")
    with pytest.raises(JournalUnreadable, match="the bookmark of p s is not as it was written"):
        journal.bookmarks.of("p", "s", "s.txt")
    assert journal.count_damaged()["bookmarks"] == (1, 1)
