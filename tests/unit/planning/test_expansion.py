"""From stages to instances: points, names, paths and who waits for whom."""

from __future__ import annotations

import textwrap

import pytest

from building import ProjectBuilder
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.types import Value
from stagebook.planning.expansion import Expansion
from stagebook.planning.instances import Instance
from stagebook.workspace.workspace import Workspace

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
    [("1", "1"), ("-1", "-1"), ("1.5", "1.5"), ("true", "true"), ("null", "none"), ("'a b/c'", "a-b-c"), ("'..'", "empty"), ("é", "é"),
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


# -- foreach --------------------------------------------------------------------------------------


def expanded(project: ProjectBuilder, text: str, **scraps: dict[str, Value]) -> dict[str, Instance]:
    """The instances of a pipeline, with these scraps known; nothing may be wrong with it."""
    loaded = load_pipeline(textwrap.dedent(text), "pipelines/p.yaml")
    assert loaded.problems == ()
    known = {name.replace("__", "@"): found for name, found in scraps.items()}
    expansion = Expansion(loaded.pipeline, {}, Workspace(project.root), {}, known)
    instances = dict(expansion.expand())
    assert expansion.problems.found == []
    return instances


LISTED = """
stages:
  list: {notebook: notebooks/a.ipynb}
  fetch:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    params: {n: "${item}", m: 1}
    outputs: {out: "data/raw/${item}"}
  clean:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    inputs: {src: "fetch@${item}.out"}
    outputs: {out: "data/clean/${item}"}
    after: fetch
  merge: {notebook: notebooks/a.ipynb, inputs: {src: [clean.out, raw/x.csv]}}
"""


def test_a_foreach_stands_for_its_instances_until_its_list_is_known(project: ProjectBuilder) -> None:
    project.file("raw/x.csv")
    made = expanded(project, LISTED)
    assert list(made) == ["list", "fetch", "clean", "merge"]
    assert [made[name].pending for name in made] == [False, True, True, False]
    assert (made["fetch"].params, list(made["fetch"].deferred)) == ({"m": 1}, ["n"])
    assert made["fetch"].outputs == {}
    assert {name: tuple(one.upstream) for name, one in made.items()} == {
        "list": (), "fetch": ("list",), "clean": ("fetch", "list"), "merge": ("clean",),
    }  # fmt: skip
    # What is to come stands behind what each path has, so that paths and sources stay in step.
    source = made["merge"].inputs["src"]
    assert (source.paths, source.sources, source.many) == (("raw/x.csv",), ("", "clean"), True)


def test_a_foreach_has_an_instance_for_each_item_joined_one_by_one(project: ProjectBuilder) -> None:
    project.file("raw/x.csv")
    made = expanded(project, LISTED, list={"items": ["north", "south"]})
    assert list(made) == ["list", "fetch@north", "fetch@south", "clean@north", "clean@south", "merge"]
    assert made["fetch@south"].params == {"n": "south", "m": 1}
    assert made["fetch@south"].point == {"item": "south"}
    assert made["clean@south"].inputs["src"].value == "data/raw/south"
    # `after` is about all instances; the data is that of one.
    assert tuple(made["clean@south"].upstream) == ("fetch@south", "list", "fetch@north")
    assert made["clean@south"].loosely == {"fetch@north"}
    assert made["merge"].inputs["src"].value == ["data/clean/north", "data/clean/south", "raw/x.csv"]
    assert tuple(made["merge"].upstream) == ("clean@north", "clean@south")


def test_a_list_that_is_empty_leaves_its_stage_out(project: ProjectBuilder) -> None:
    project.file("raw/x.csv")
    made = expanded(project, LISTED, list={"items": []})
    assert list(made) == ["list", "fetch", "clean", "merge"]
    assert made["fetch"].skip == "the list of its foreach is empty"
    assert not made["fetch"].pending
    assert not made["fetch"].absent, "another list may come of the run"
    text = LISTED.replace("params:", "when: false\n    params:")
    assert expanded(project, text, list={"items": []})["fetch"].absent
    (fixed,) = expanded(project, "stages: {a: {notebook: notebooks/a.ipynb, foreach: []}}").values()
    assert fixed.absent


@pytest.mark.parametrize(
    ("items", "path"),
    [
        ([{"name": "x", "n": 1}, {"name": "y", "n": 2}], "${item.name}"),
        (["a b", "x/y"], "${item[0]}"),
        ([True, 1, None], "${str(item)}"),
        (["x" * 300, "y" * 300], "${item[0]}"),
        ([1.5, -1], "${item}"),
        (["True", True], "${'text' if item == 'True' else 'bool'}"),
    ],
)
def test_items_of_any_form_are_joined_one_by_one(
    project: ProjectBuilder, items: list[Value], path: str
) -> None:
    text = f"""
    stages:
      list: {{notebook: notebooks/a.ipynb}}
      fetch: {{notebook: notebooks/a.ipynb, foreach: "${{stages.list.scraps.items}}", outputs: {{out: "data/{path}"}}}}
      clean: {{notebook: notebooks/a.ipynb, foreach: "${{stages.list.scraps.items}}", inputs: {{src: "fetch@${{ item }}.out"}}}}
    """
    made = expanded(project, text, list={"items": items})
    fetched = [one for one in made.values() if one.stage.name == "fetch"]
    cleaned = [one for one in made.values() if one.stage.name == "clean"]
    assert [one.point["item"] for one in cleaned] == items
    assert [next(iter(one.upstream)) for one in cleaned] == [one.id for one in fetched]


def test_a_list_of_lists_waits_for_all_instances_of_the_first(project: ProjectBuilder) -> None:
    text = """
    stages:
      list: {notebook: notebooks/a.ipynb}
      part: {notebook: notebooks/a.ipynb, foreach: "${stages.list.scraps.items}"}
      sub: {notebook: notebooks/a.ipynb, foreach: "${stages.part.scraps.name}"}
    """
    known = {"list": {"items": [1, 2]}, "part__1": {"name": "x"}}
    assert list(expanded(project, text, **known)) == ["list", "part@1", "part@2", "sub"]
    made = expanded(project, text, **known, part__2={"name": "y"})
    assert list(made) == ["list", "part@1", "part@2", "sub@x", "sub@y"]
    assert tuple(made["sub@x"].upstream) == ("part@1", "part@2")


def test_what_is_held_stays_one_stage(project: ProjectBuilder) -> None:
    project.file("raw/x.csv")
    loaded = load_pipeline(textwrap.dedent(LISTED), "pipelines/p.yaml")
    known = {"list": {"items": ["north"]}}
    made = Expansion(loaded.pipeline, {}, Workspace(project.root), {}, known, {"fetch"}).expand()
    assert list(made) == ["list", "fetch", "clean@north", "merge"]
    assert made["clean@north"].inputs["src"].sources == ("fetch",)


@pytest.mark.parametrize(
    ("when", "absent", "skipped", "is_open"),
    [
        ("item != 'south'", {"a@south"}, {"a@south"}, False),
        ("len(item) == 5", set(), set(), False),
        ("1 > 2", {"a@north", "a@south"}, {"a@north", "a@south"}, False),
        ("stages.list.scraps.ok", set(), {"a@north", "a@south"}, True),
        ("run.id != ''", set(), set(), True),
    ],
)
def test_a_condition_that_the_run_cannot_change_leaves_out_for_good(
    project: ProjectBuilder, when: str, absent: set[str], skipped: set[str], is_open: bool
) -> None:
    text = f"""
    stages:
      list: {{notebook: notebooks/a.ipynb}}
      a: {{notebook: notebooks/a.ipynb, foreach: "${{stages.list.scraps.items}}", when: "${{{when}}}"}}
    """
    made = expanded(project, text, list={"items": ["north", "south"], "ok": False})
    assert {name for name, one in made.items() if one.absent} == absent
    assert {name for name, one in made.items() if one.skip} == skipped
    assert all((one.when is not None) == is_open for one in made.values() if one.point)


def test_a_point_may_be_named_as_it_reads(project: ProjectBuilder) -> None:
    project.pipeline("""
    stages:
      a: {notebook: notebooks/a.ipynb, matrix: {m: [a b, x/y]}, outputs: {out: "data/${len(matrix.m)}${matrix.m[0]}"}}
      b: {notebook: notebooks/a.ipynb, matrix: {m: [x/y, a b]}, inputs: {src: "a@${matrix.m}.out"}}
    """)
    plan = project.plan()
    assert plan.stage("b@x-y").upstream == ("a@x-y",)
    assert plan.stage("b@a-b").upstream == ("a@a-b",)
