"""Graphs of names: orders, closures, cycles. A graph maps each node to the nodes it depends on."""

from __future__ import annotations

import graphlib
import heapq
from collections.abc import Iterable, Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def order(graph: Graph) -> list[str]:
    """The nodes, each after all that it depends on; among equals, in the order of the graph. Not by graphlib,
    which takes twice the time.

    Raises:
        ValueError: the graph has a cycle.
    """
    rank = {node: at for at, node in enumerate(graph)}
    missing = {node: len(set(needs)) for node, needs in graph.items()}
    followers = followers_of(graph)
    ready = [rank[node] for node, count in missing.items() if count == 0]
    heapq.heapify(ready)
    nodes = list(graph)
    ordered: list[str] = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        ordered.append(node)
        for follower in followers[node]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, rank[follower])
    if len(ordered) != len(nodes):
        raise ValueError("the graph has a cycle")
    return ordered


def followers_of(graph: Graph) -> dict[str, list[str]]:
    """For each node, the nodes that depend on it directly."""
    followers: dict[str, list[str]] = {node: [] for node in graph}
    for node, needs in graph.items():
        for need in dict.fromkeys(needs):
            followers[need].append(node)
    return followers


def closure(graph: Graph, start: Iterable[str]) -> set[str]:
    """`start` and everything that it depends on, directly or not."""
    seen: set[str] = set()
    todo = list(start)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(graph[node])
    return seen


def cycles(graph: Graph) -> list[list[str]]:
    """Cycles of the graph, none sharing an edge; breaking one edge of each leaves no cycle.

    Each is a list of nodes in the order of dependence: the first depends on the second, and so
    on, and the last depends on the first.
    """
    edges = {node: list(dict.fromkeys(needs)) for node, needs in graph.items()}
    found: list[list[str]] = []
    while True:
        sorter = graphlib.TopologicalSorter(edges)
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            # graphlib gives predecessors first: [a, b, …, a], where b depends on a.
            ring = list(reversed(error.args[1]))[:-1]
            start = ring.index(min(ring, key=list(graph).index))
            ring = ring[start:] + ring[:start]
            found.append(ring)
            edges[ring[-1]].remove(ring[0])
        else:
            return found


def heights(graph: Graph, ordered: Sequence[str]) -> dict[str, int]:
    """For each node, the number of nodes on the longest chain that starts at it and waits for it."""
    height = dict.fromkeys(ordered, 1)
    for node in reversed(ordered):
        for need in graph[node]:
            height[need] = max(height[need], height[node] + 1)
    return height
