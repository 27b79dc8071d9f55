"""The algebra of selections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.errors import UsageError
from stagebook.planning.graph import closure, followers_of
from stagebook.planning.select import Selection, select
from strategies import dags

Edges = dict[str, tuple[str, ...]]
_graphs = dags().filter(bool)


def some(data: st.DataObject, edges: Edges) -> tuple[str, ...]:
    return tuple(data.draw(st.lists(st.sampled_from(sorted(edges)), min_size=1, max_size=3)))


@settings(max_examples=200, deadline=None)
@given(edges=_graphs, data=st.data())
def test_targets_bring_all_that_they_need_and_start_all_that_follows(
    edges: Edges, data: st.DataObject
) -> None:
    names = some(data, edges)
    targets = select(Selection(targets=names), edges)
    assert targets == closure(edges, names)
    assert all(need in targets for node in targets for need in edges[node])
    start = select(Selection(start=names), edges)
    followers = followers_of(edges)
    assert set(names) <= start
    assert all(follower in start for node in start for follower in followers[node])
    assert select(Selection(only=names), edges) == set(names)


@settings(max_examples=200, deadline=None)
@given(edges=_graphs, data=st.data())
def test_each_part_narrows_what_the_others_leave(edges: Edges, data: st.DataObject) -> None:
    targets, start, only, skip = (some(data, edges) if data.draw(st.booleans()) else () for _ in range(4))
    wanted = set(edges)
    for part in (Selection(targets=targets), Selection(start=start), Selection(only=only)):
        if part != Selection():
            wanted &= select(part, edges)
    wanted -= set(skip)
    asked = Selection(targets=targets, start=start, only=only, skip=skip)
    if not wanted:
        with pytest.raises(UsageError, match="leaves no stage to run"):
            select(asked, edges)
        return
    chosen = select(asked, edges)
    assert chosen == wanted
    assert chosen.isdisjoint(skip)


GRAPH: Edges = {
    "extract@1": (),
    "extract@2": (),
    "clean": ("extract@1", "extract@2"),
    "train": ("clean",),
    "train2": ("clean",),
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("extract", {"extract@1", "extract@2"}), ("extract@1", {"extract@1"}), ("train", {"train"}), ("train*", {"train", "train2"}),
     ("*@2", {"extract@2"}), ("e*@[12]", {"extract@1", "extract@2"}), ("*", set(GRAPH))],
)  # fmt: skip
def test_a_text_names_a_stage_an_instance_or_a_glob(text: str, wanted: set[str]) -> None:
    assert select(Selection(only=(text,)), GRAPH) == wanted


GROWING: Edges = {"list": (), "fetch": ("list",), "clean": ("fetch",), "clean@x": ()}


@pytest.mark.parametrize("text", ["fetch", "fetch@x", "fetch@*", "f*@x"])
def test_what_only_the_run_knows_may_be_named(text: str) -> None:
    assert select(Selection(only=(text,)), GROWING, {"fetch", "clean"}) == {"fetch"}
    with pytest.raises(UsageError, match="no stage"):
        select(Selection(only=(f"x{text}",)), GROWING, {"fetch", "clean"})


def test_an_instance_that_is_to_be_skipped_leaves_the_others() -> None:
    skip = Selection(skip=("fetch@x", "clean@gone", "f*@x"))
    assert select(skip, GROWING, {"fetch", "clean"}) == set(GROWING)
    assert select(Selection(skip=("fetch", "clean@x")), GROWING, {"fetch", "clean"}) == {"list", "clean"}
    with pytest.raises(UsageError, match="no stage 'list@x'"):
        select(Selection(skip=("list@x",)), GROWING, {"fetch", "clean"})


@pytest.mark.parametrize(
    ("text", "hint"), [("trian", "did you mean 'train'?"), ("extract@3", "did you mean 'extract'?"), ("zzz", "known: extract, clean, train, train2"), ("", "known: extract, clean, train, train2"), ("TRAIN", "known: extract, clean, train, train2")]
)  # fmt: skip
def test_a_text_that_names_nothing_is_an_error_with_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(Selection(targets=(text,)), GRAPH)
    assert (caught.value.message, caught.value.hint) == (f"no stage '{text}'", hint)
