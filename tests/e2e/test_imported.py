"""Pipelines of other tools, taken over and run without an edit to their notebooks and scripts."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder, notebook_data, ran
from commands import looked

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    return builder


def put(project: ProjectBuilder, path: str, *cells: str, params: str | None = None) -> None:
    """A notebook anywhere in the project."""
    project.file(path, json.dumps(notebook_data(*cells, params=params)))


def imported(project: ProjectBuilder, tool: str, file: str) -> list[str]:
    """Import a file as the pipeline `p`, run it, and name the stages that ran."""
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.suffix in {".ipynb", ".py"}}
    done = looked(project.root, "import", tool, file, "-o", "pipelines/p.yaml")
    assert done.returncode == 0, done.stderr
    assert "check finds no mistake" in done.stdout, done.stdout
    report = project.project.run("p")
    assert {path: path.read_bytes() for path in before} == before, "nothing of it is edited"
    return ran(report)


def test_ploomber(project: ProjectBuilder) -> None:
    put(
        project,
        "get.ipynb",
        "open(product['data'], 'w').write(str(year))",
        params="upstream = None\nproduct = None\nyear = 0",
    )
    fit = "open(product['model'], 'w').write(open(upstream['get']['data']).read() + f' {depth}')"
    put(project, "fit.ipynb", fit, params="upstream = ['get']\nproduct = None\ndepth = 0")
    project.file("env.yaml", "year: 2013\n")
    project.file(
        "pipeline.yaml",
        """\
tasks:
  - source: get.ipynb
    product: {nb: out/get.ipynb, data: out/get.csv}
    params: {year: '{{year}}'}
  - source: fit.ipynb
    grid: {depth: [1, 2]}
    product: {nb: 'out/fit-[[depth]].html', model: 'out/fit-[[depth]].pkl'}
""",
    )
    assert imported(project, "ploomber", "pipeline.yaml") == ["get", "fit@1", "fit@2"]
    assert (project.root / "out/fit-2.pkl").read_text() == "2013 2"
    assert "<html" in (project.root / "out/fit-1.html").read_text()


def test_elyra(project: ProjectBuilder) -> None:
    load = "import os\nos.makedirs('data', exist_ok=True)\nopen('data/raw.csv', 'w').write(os.environ['URL'])"
    put(project, "work/load.ipynb", load)
    put(project, "work/sub/show.ipynb", "open('shown.txt', 'w').write(open('../data/raw.csv').read())")

    def node(
        name: str, file: str, outputs: list[str], variables: list[dict[str, str]], *before: str
    ) -> object:
        given = {"filename": file, "outputs": outputs, "env_vars": variables, "dependencies": []}
        links = [{"links": [{"node_id_ref": one} for one in before]}]
        kind = {"type": "execution_node", "op": "execute-notebook-node"}
        return {
            "id": name,
            **kind,
            "app_data": {"component_parameters": given, "label": name},
            "inputs": links,
        }

    nodes = [
        node("load", "work/load.ipynb", ["data/raw.csv"], [{"env_var": "URL", "value": "https://x"}]),
        node("show", "work/sub/show.ipynb", ["shown.txt"], [], "load"),
    ]
    project.file("flow.pipeline", json.dumps({"pipelines": [{"id": "p", "nodes": nodes}]}))
    assert imported(project, "elyra", "flow.pipeline") == ["load", "show"]
    assert (project.root / "work/sub/shown.txt").read_text() == "https://x"


def test_a_papermill_loop(project: ProjectBuilder) -> None:
    put(project, "nb/loop.ipynb", "print(city, year)", params="city = ''\nyear = 0")
    put(project, "nb/plain.ipynb", "print(n + 1)")
    project.file(
        "run_all.py",
        """\
import papermill as pm
for city in ["oslo", "rome"]:
    for year in range(2012, 2014):
        out = f"out/{city}-{year}.ipynb"
        pm.execute_notebook("nb/loop.ipynb", out, parameters=dict(city=city, year=year))
pm.execute_notebook("nb/plain.ipynb", "out/plain.html", parameters={"n": 3})
""",
    )
    points = [f"loop@{city}-{year}" for city in ("oslo", "rome") for year in (2012, 2013)]
    assert imported(project, "papermill", "run_all.py") == [*points, "plain"]
    assert "rome 2013" in (project.root / "out/rome-2013.ipynb").read_text()
    assert ">4\n" in (project.root / "out/plain.html").read_text()


def test_airflow(project: ProjectBuilder) -> None:
    put(project, "nb/first.ipynb", "print(1)")
    put(project, "nb/city.ipynb", "print(city)", params="city = ''")
    project.file(
        "dag.py",
        """\
from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator
with DAG("sales") as dag:
    a = PapermillOperator(task_id="first", input_nb="nb/first.ipynb", output_nb="out/first.ipynb")
    cities = []
    for city in ["bern", "paris"]:
        b = PapermillOperator(task_id=f"b_{city}", input_nb="nb/city.ipynb", output_nb=f"out/{city}.ipynb",
                              parameters={"city": city})
        cities.append(b)
    a >> cities
""",
    )
    assert imported(project, "airflow", "dag.py") == ["first", "b@bern", "b@paris"]
    assert "paris" in (project.root / "out/paris.ipynb").read_text()


def test_dvc(project: ProjectBuilder) -> None:
    script = (
        "import os, sys\nos.makedirs('models', exist_ok=True)\n"
        "given = dict(zip(sys.argv[1::2], sys.argv[2::2]))\nopen(given['--out'], 'w').write(given['--depth'])\n"
    )
    project.file("scripts/train.py", script)
    project.file(
        "dvc.yaml",
        """\
stages:
  train:
    foreach: {small: {depth: 2}, large: {depth: 9}}
    do:
      cmd: python scripts/train.py --depth ${item.depth} --out models/${key}.txt
      deps: [scripts/train.py]
      outs: ["models/${key}.txt"]
  pack:
    cmd: mkdir -p out && cat models/small.txt models/large.txt > out/all.txt
    deps: [models/small.txt, models/large.txt]
    outs: [out/all.txt]
""",
    )
    assert imported(project, "dvc", "dvc.yaml") == ["train@small", "train@large", "pack"]
    assert (project.root / "out/all.txt").read_text() == "29"


def test_functions_and_sql_of_ploomber(project: ProjectBuilder) -> None:
    project.file("tasks/__init__.py")
    project.file(
        "tasks/get.py",
        """\
from pathlib import Path
def make(product, n):
    Path(product).write_text("x\\n" + "1\\n" * n)
def use(product, upstream):
    Path(product["a"]).write_text(Path(upstream["make"]).read_text())
    Path(product["b"]).write_text("b")
""",
    )
    project.file("sql/total.sql", "select sum(x) as total from make_product")
    project.file(
        "pipeline.yaml",
        """\
tasks:
  - {source: tasks.get.make, product: out/get.csv, params: {n: 3}}
  - {source: sql/total.sql, class: SQLDump, product: out/total.csv, upstream: [make]}
  - {source: tasks.get.use, product: {a: out/a.txt, b: out/b.txt}}
""",
    )
    assert sorted(imported(project, "ploomber", "pipeline.yaml")) == ["make", "total", "use"]
    assert (project.root / "out/total.csv").read_text().split() == ["total", "3"]
    assert (project.root / "out/a.txt").read_text() == "x\n1\n1\n1\n"
