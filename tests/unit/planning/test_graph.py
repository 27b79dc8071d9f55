"""Orders, closures and cycles, against what can be said of them one node at a time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.planning import graph
from strategies import dags, graphs

Edges = dict[str, tuple[str, ...]]


def reachable(edges: Edges, start: set[str]) -> set[str]:
    found = set(start)
    while more := {need for node in found for need in edges[node]} - found:
        found |= more
    return found


@settings(max_examples=200, deadline=None)
@given(edges=dags())
def test_every_node_comes_after_all_that_it_needs(edges: Edges) -> None:
    ordered = graph.order(edges)
    assert sorted(ordered) == sorted(edges)
    place = {node: at for at, node in enumerate(ordered)}
    assert all(place[need] < place[node] for node, needs in edges.items() for need in needs)


@settings(max_examples=150, deadline=None)
@given(edges=dags(6))
def test_among_all_orders_it_is_the_first_by_the_order_of_the_file(edges: Edges) -> None:
    rank = {node: at for at, node in enumerate(edges)}
    valid = (
        order
        for order in itertools.permutations(edges)
        if all(order.index(need) < order.index(node) for node, needs in edges.items() for need in needs)
    )
    assert tuple(graph.order(edges)) == min(valid, key=lambda order: [rank[node] for node in order])


@settings(max_examples=200, deadline=None)
@given(edges=graphs(), data=st.data())
def test_a_closure_is_closed_and_holds_nothing_more_than_it_must(edges: Edges, data: st.DataObject) -> None:
    start = set(data.draw(st.lists(st.sampled_from(sorted(edges)))))
    closed = graph.closure(edges, start)
    assert start <= closed
    assert all(need in closed for node in closed for need in edges[node])
    assert closed == reachable(edges, start)


@settings(max_examples=200, deadline=None)
@given(edges=graphs())
def test_followers_are_the_edges_turned_round(edges: Edges) -> None:
    turned = {(need, node) for node, needs in edges.items() for need in needs}
    found = [
        (node, follower) for node, followers in graph.followers_of(edges).items() for follower in followers
    ]
    assert set(found) == turned
    assert len(found) == len(turned)


@settings(max_examples=300, deadline=None)
@given(edges=graphs())
def test_breaking_one_edge_of_each_cycle_leaves_none(edges: Edges) -> None:
    rings = graph.cycles(edges)
    used = []
    left = {node: set(needs) for node, needs in edges.items()}
    for ring in rings:
        pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
        assert all(need in edges[node] for node, need in pairs), "not an edge of the graph"
        assert len(set(ring)) == len(ring)
        assert ring[0] == min(ring, key=list(edges).index)
        used.append(pairs[-1])
        left[ring[-1]].discard(ring[0])
    assert len(set(used)) == len(used)
    assert graph.cycles({node: tuple(needs) for node, needs in left.items()}) == []
    graph.order({node: tuple(needs) for node, needs in left.items()})
    if rings:
        with pytest.raises(ValueError, match="cycle"):
            graph.order(edges)
    else:
        graph.order(edges)


@settings(max_examples=200, deadline=None)
@given(edges=dags())
def test_a_height_is_the_longest_chain_of_those_that_wait(edges: Edges) -> None:
    followers = {node: [other for other, needs in edges.items() if node in needs] for node in edges}

    def longest(node: str) -> int:
        return 1 + max(map(longest, followers[node]), default=0)

    assert graph.heights(edges, graph.order(edges)) == {node: longest(node) for node in edges}
