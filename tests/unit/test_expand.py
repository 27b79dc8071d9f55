"""From stages to instances: points, names, paths and who waits for whom."""

from __future__ import annotations

import pytest

from building import ProjectBuilder

PARAMS = "m = None\nsrc = None\nout: str = ''\nn = None"


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", params=PARAMS)
    return builder


def test_a_matrix_has_a_point_for_each_combination_in_the_order_of_the_file(project: ProjectBuilder) -> None:
    project.pipeline("""
    params: {kinds: [forest, Linear]}
    stages:
      a: {notebook: notebooks/a.ipynb, matrix: {kind: "${params.kinds}", depth: [8, 4]}, params: {n: "${matrix.kind}-${matrix.depth}"}}
    """)
    plan = project.plan()
    assert [stage.id for stage in plan.stages] == ["a@forest-8", "a@forest-4", "a@Linear-8", "a@Linear-4"]
    assert [stage.params["n"] for stage in plan.stages] == ["forest-8", "forest-4", "Linear-8", "Linear-4"]
    assert plan.stage("a@Linear-4").point == {"kind": "Linear", "depth": 4}


@pytest.mark.parametrize(
    ("value", "name"),
    [("1", "1"), ("-1", "-1"), ("1.5", "1.5"), ("true", "true"), ("null", "none"), ("'a b/c'", "a-b-c"), ("'..'", "empty"), ("é", "empty"),
     ("'a@b'", "a-b"), ("[1, 2]", "1-2"), ("2013-01-31", "2013-01-31")],
)  # fmt: skip
def test_the_name_of_a_point_is_fit_for_a_folder(project: ProjectBuilder, value: str, name: str) -> None:
    project.pipeline(f"stages: {{a: {{notebook: notebooks/a.ipynb, matrix: {{v: [{value}]}}}}}}")
    (stage,) = project.plan().stages
    assert stage.id == f"a@{name}"


def test_the_name_of_a_long_point_is_cut_and_stays_its_own(project: ProjectBuilder) -> None:
    project.pipeline(
        f"stages: {{a: {{notebook: notebooks/a.ipynb, matrix: {{v: [{'x' * 500}1, {'x' * 500}2]}}}}}}"
    )
    ids = [stage.id for stage in project.plan().stages]
    assert len(set(ids)) == 2
    assert all(len(name) <= 110 for name in ids)


def test_references_are_to_all_points_to_one_or_to_a_file(project: ProjectBuilder) -> None:
    project.file("raw/x.csv")
    project.pipeline("""
    stages:
      a: {notebook: notebooks/a.ipynb, matrix: {m: [1, 2]}, outputs: {out: "data/${matrix.m}"}}
      all: {notebook: notebooks/a.ipynb, inputs: {src: a.out}}
      one: {notebook: notebooks/a.ipynb, inputs: {src: a@2.out}}
      same: {notebook: notebooks/a.ipynb, matrix: {m: [2, 1]}, inputs: {src: "a@${matrix.m}.out"}}
      list: {notebook: notebooks/a.ipynb, inputs: {src: [a@2.out, ./raw/x.csv]}}
      file: {notebook: notebooks/a.ipynb, inputs: {src: raw//x.csv}}
    """)
    plan = project.plan()
    values = {stage.id: (stage.inputs["src"].value, stage.upstream) for stage in plan.stages if stage.inputs}
    assert values == {
        "all": (["data/1", "data/2"], ("a@1", "a@2")),
        "one": ("data/2", ("a@2",)),
        "same@2": ("data/2", ("a@2",)),
        "same@1": ("data/1", ("a@1",)),
        "list": (["data/2", "raw/x.csv"], ("a@2",)),
        "file": ("raw/x.csv", ()),
    }


def test_after_waits_for_every_point(project: ProjectBuilder) -> None:
    project.pipeline("""
    stages:
      b: {notebook: notebooks/a.ipynb, after: a}
      a: {notebook: notebooks/a.ipynb, matrix: {m: [1, 2]}}
    """)
    assert [(stage.id, stage.upstream) for stage in project.plan().stages] == [
        ("a@1", ()), ("a@2", ()), ("b", ("a@1", "a@2")),
    ]  # fmt: skip


def test_an_external_output_is_kept_as_it_is_written(project: ProjectBuilder) -> None:
    project.pipeline("""
    stages:
      a: {notebook: notebooks/a.ipynb, outputs: {out: {path: "s3://bucket//x", kind: external}}}
      b: {notebook: notebooks/a.ipynb, inputs: {src: a.out}}
    """)
    first, second = project.plan().stages
    assert (first.outputs["out"].path, first.outputs["out"].kind) == ("s3://bucket//x", "external")
    assert second.inputs["src"].value == "s3://bucket//x"


def test_a_folder_that_is_a_link_within_the_project_is_followed(project: ProjectBuilder) -> None:
    (project.root / "store").mkdir()
    (project.root / "data").symlink_to("store")
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/x}}}")
    assert project.plan().stages[0].outputs["out"].path == "store/x"


def test_the_environment_may_be_read(project: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEBOOK_TEST_PLACE", "here")
    project.pipeline('stages: {a: {notebook: notebooks/a.ipynb, params: {n: "${env.STAGEBOOK_TEST_PLACE}"}}}')
    assert project.plan().stages[0].params == {"n": "here"}
