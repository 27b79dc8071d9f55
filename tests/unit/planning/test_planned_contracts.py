"""Which contract is for which output, and mistakes in that."""

from __future__ import annotations

from building import ProjectBuilder

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: x\nversion: 1.0.0\nschema: [{name: t, properties: [{name: code"
PLAIN = HEAD + "}]}]\n"
KEYED = HEAD + ", relationships: [{to: p.codes.out.code}]}]}]\n"
STAGES = """
stages:
  codes: {notebook: notebooks/a.ipynb, outputs: {out: data/codes.csv}}
  clean: {notebook: notebooks/a.ipynb, matrix: {m: [1, 2]}, outputs: {out: "data/${matrix.m}.csv"}%s}
"""


def project(builder: ProjectBuilder, more: str = "") -> None:
    builder.notebook("a", "1", params="out = ''\nm = 0")
    builder.pipeline(STAGES % more)


def test_a_file_that_is_named_after_an_output_is_its_contract(builder: ProjectBuilder) -> None:
    project(builder)
    builder.file("contracts/p.clean.out.yaml", PLAIN)
    stages = {stage.id: stage for stage in builder.plan().stages}
    found = {name: stage.outputs["out"].contract for name, stage in stages.items()}
    assert found["codes"] is None
    for name in ("clean@1", "clean@2"):
        assert (contract := found[name]) is not None
        assert contract.path == "contracts/p.clean.out.yaml"


def test_an_output_may_name_its_contract(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1", params="out = ''")
    text = "stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: {path: data/a.csv, contract: %s}}}}\n"
    builder.file("contracts/shared.yaml", PLAIN)
    builder.pipeline(text % "contracts/shared.yaml")
    assert builder.plan().stage("a").outputs["out"].contract is not None
    assert builder.screen(text % "contracts/none.yaml").startswith(
        "pipelines/p.yaml:1:77: there is no contract 'contracts/none.yaml'"
    )


def test_a_file_without_an_output_is_a_mistake(builder: ProjectBuilder) -> None:
    project(builder)
    builder.file("contracts/p.clean.outt.yaml", PLAIN)
    builder.file("contracts/p.cleen.out.yaml", PLAIN)
    builder.file("contracts/q.clean.out.yaml", PLAIN)
    assert [str(problem) for problem in builder.problems()] == [
        "contracts/p.clean.outt.yaml: the stage clean has no output 'outt'\n    did you mean 'out'?",
        "contracts/p.cleen.out.yaml: the pipeline p has no stage 'cleen'\n    did you mean 'clean'?",
    ]


def test_mistakes_in_a_contract_stop_a_run(builder: ProjectBuilder) -> None:
    project(builder)
    builder.file("contracts/p.clean.out.yaml", PLAIN.replace("schema", "scheme"))
    assert [str(problem) for problem in builder.problems()] == [
        "contracts/p.clean.out.yaml:5:1: unknown key 'scheme'\n    did you mean 'schema'?"
    ]


def test_a_key_into_a_dataset_that_is_made_before(builder: ProjectBuilder) -> None:
    project(builder, ", after: codes")
    builder.file("contracts/p.clean.out.yaml", KEYED)
    output = builder.plan().stage("clean@1").outputs["out"]
    assert output.related == {"p.codes.out": ("data/codes.csv",)}


def test_a_key_into_a_dataset_that_nobody_waits_for(builder: ProjectBuilder) -> None:
    project(builder)
    builder.file("contracts/p.clean.out.yaml", KEYED)
    (problem,) = builder.problems()
    assert problem.message == "the rule asks for p.codes.out, which 'clean' does not wait for"
    builder.file("contracts/p.clean.out.yaml", KEYED.replace("codes", "kodes"))
    (problem,) = builder.problems()
    assert (problem.message, problem.hint) == (
        "there is no dataset p.kodes.out",
        "did you mean 'p.codes.out'?",
    )


def test_a_key_into_a_dataset_of_another_pipeline(builder: ProjectBuilder) -> None:
    project(builder)
    builder.pipeline(
        "stages: {all: {notebook: notebooks/a.ipynb, outputs: {out: other/all.csv}}}\n", name="q"
    )
    builder.file("contracts/p.clean.out.yaml", KEYED.replace("p.codes", "q.all"))
    assert builder.plan().stage("clean@1").outputs["out"].related == {"q.all.out": ("other/all.csv",)}
