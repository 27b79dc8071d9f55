"""Mistakes that only all stages together show, each told once at the place where it can be mended."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings

from building import load
from stagebook.planning import graph
from stagebook.planning.conflicts import cycles, frozen_without_outputs, overwritten
from stagebook.planning.expansion import Expansion
from stagebook.planning.plan import Decision, Judgement, PlannedStage
from stagebook.workspace.paths import PathRefused
from strategies import graphs


class Files:
    """A project in which every file is there."""

    def inside(self, text: str) -> str:
        if text.startswith(("/", "..")):
            raise PathRefused(text, "")
        return text.removeprefix("./")

    inside_for_input = inside_for_output = inside

    def identity(self, path: str) -> str:
        return path

    def is_special(self, _path: str) -> bool:
        return False

    def exists(self, path: str) -> bool:
        return True


def expanded(stages: str, **params: Any) -> Expansion:
    """A pipeline of these stages (YAML, each in a line)."""
    loaded = load("stages:\n" + "".join(f"  {line.strip()}\n" for line in stages.strip().splitlines()))
    assert loaded.problems == ()
    expansion = Expansion(loaded.pipeline, params, Files(), {})
    expansion.expand()
    return expansion


def rings(stages: str) -> list[tuple[str, int]]:
    expansion = expanded(stages)
    return [(problem.message, problem.line) for problem in cycles(expansion.pipeline, expansion.instances)]


@settings(max_examples=60, deadline=None)
@given(edges=graphs())
def test_a_pipeline_has_a_ring_exactly_where_it_has_no_order(edges: dict[str, tuple[str, ...]]) -> None:
    # That a stage names itself, or one twice, is a mistake that the file alone shows.
    edges = {
        name: tuple(dict.fromkeys(need for need in needs if need != name)) for name, needs in edges.items()
    }
    found = rings(
        "\n".join(
            f"{name}: {{notebook: n.ipynb, after: [{', '.join(needs)}]}}" for name, needs in edges.items()
        )
    )
    try:
        graph.order(edges)
    except ValueError:
        assert found
    else:
        assert found == []
    for message, line in found:
        ring = message.removeprefix("a cycle: ").removesuffix(" (each needs the next)").split(" → ")
        assert all(need in edges[name] for name, need in itertools.pairwise(ring))
        assert ring[0] == ring[-1]
        assert line == 2 + list(edges).index(ring[0]), "it is told where the first one names the next"


@pytest.mark.parametrize(
    "need",
    ["inputs: {src: b.out}", "after: [b]", 'params: {n: "${stages.b.scraps.n}"}', 'when: "${stages.b.scraps.n > 1}"',
     'foreach: "${stages.b.scraps.n}"'],
)  # fmt: skip
def test_a_ring_is_told_whatever_makes_a_stage_need_another(need: str) -> None:
    path = "x-${item}.csv" if "foreach" in need else "x.csv"
    stages = f'a: {{notebook: n.ipynb, {need}, outputs: {{out: "{path}"}}}}\nb: {{notebook: n.ipynb, after: [a], outputs: {{out: y.csv}}}}'
    assert rings(stages) == [("a cycle: a → b → a (each needs the next)", 2)]


def test_points_of_a_matrix_are_one_ring() -> None:
    stages = """
        a: {notebook: n.ipynb, matrix: {m: [1, 2, 3]}, after: [b]}
        b: {notebook: n.ipynb, matrix: {m: [1, 2]}, after: [a]}
        """
    assert rings(stages) == [("a cycle: a → b → a (each needs the next)", 2)]


def clashes(stages: str) -> list[str]:
    expansion = expanded(stages)
    named = [stage.notebook for stage in expansion.pipeline.stages.values()]
    notebooks = [Files().inside(name) for name in named if not name.startswith("..")]
    return [problem.message for problem in overwritten(expansion.pipeline, expansion, notebooks)]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("pipelines/p.yaml", "the output 'pipelines/p.yaml' would overwrite the pipeline file itself"),
        ("n.ipynb", "the output 'n.ipynb' would overwrite a notebook of the pipeline"),
        ("raw", "the output 'raw' would take the place of 'raw/in.csv', an input of a"),
        (
            "pipelines",
            "the output 'pipelines' would take the place of 'pipelines/p.yaml', the pipeline file itself",
        ),
        ("n.ipynb/out", "the output 'n.ipynb/out' would lie inside 'n.ipynb', a notebook of the pipeline"),
    ],
)
def test_no_output_takes_the_place_of_what_the_pipeline_is_made_of(output: str, message: str) -> None:
    assert clashes(
        f"a: {{notebook: ./n.ipynb, inputs: {{src: raw/in.csv}}, outputs: {{out: {output}}}}}"
    ) == [message]


def test_outputs_beside_and_outputs_that_others_read_are_no_clash() -> None:
    stages = """
        a: {notebook: n.ipynb, inputs: {src: raw/in.csv}, outputs: {out: raw/out.csv, more: raw/in.csv.bak}}
        b: {notebook: n.ipynb, inputs: {src: a.out}, outputs: {out: data/n.ipynb}}
        c: {notebook: ../outside.ipynb, outputs: {out: n}}
        """
    assert clashes(stages) == []


def test_a_frozen_stage_whose_output_is_nowhere_is_a_mistake() -> None:
    pipeline = load("stages:\n  a: {notebook: n.ipynb, matrix: {m: [1, 2]}, frozen: true}\n").pipeline
    stages = [
        PlannedStage(id=f"a@{at}", stage="a", notebook="n.ipynb", judgement=Judgement(decision=decision, reasons=("frozen, and x is gone",)))
        for at, decision in enumerate((Decision.SKIP, Decision.REUSE), start=1)
    ]  # fmt: skip
    unjudged = PlannedStage(id="b", stage="b", notebook="n.ipynb")
    (problem,) = frozen_without_outputs(pipeline, [*stages, unjudged])
    assert (problem.message, problem.line) == ("a@1 is frozen, and x is gone", 2)
