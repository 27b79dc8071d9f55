"""A project about the prices of houses, for the journeys of a person: each has a pipeline of its own that runs in seconds."""

from __future__ import annotations

from pathlib import Path

from building import ProjectBuilder

LOAD = (
    "import scrapbook as sb",
    "lines = [f'{at},{30 + at % 90},{90000 + at * 731}' for at in range(rows)]",
    "_ = open(table, 'w').write('id,size,price\\n' + '\\n'.join(lines) + '\\n')",
    "sb.glue('rows', rows)",
    "print('INFO:load:begun')\nfor at in range(200): print('row', at)\nprint('WARNING:load:3 rows have no size')",
)
FIT = (
    "import json, time, scrapbook as sb",
    "time.sleep(pause)",
    "if rate < 0:\n    raise ValueError('the learning rate is below 0')",
    "loss = rate * 2 + 1 / depth",
    "sb.glue('loss', loss); sb.glue('auc', 1 - loss / 4)",
    "json.dump({'depth': depth, 'rate': rate, 'leaves': [0.2, 0.5]}, open(model, 'w'))",
)
REPORT = """
bar = '<rect x="{}" y="{}" width="24" height="{}" fill="#4285f4"/>'
bars = ''.join(bar.format(at * 30, 90 - at * 20, at * 20 + 10) for at in range(5))
picture = f'<svg xmlns="http://www.w3.org/2000/svg" width="150" height="100">{bars}</svg>'
_ = open(chart, 'w').write(picture)
"""
HOUSES = """
description: From offers of houses to a model of their prices.
params:
  depth: {type: int, default: 4, help: how deep the tree may be}
  rate: {type: float, default: 0.1, help: how fast it learns}
  size: {type: "Literal['small', 'large']", default: small, help: how much is read}
stages:
  load:
    notebook: notebooks/load.ipynb
    executor: inprocess
    params: {rows: ROWS}
    outputs: {table: data/NAME/houses.csv}
  clean:
    notebook: notebooks/clean.ipynb
    executor: inprocess
    inputs: {table: load.table}
    outputs: {clean: data/NAME/clean.csv}
  fit:
    notebook: notebooks/fit.ipynb
    executor: inprocess
    params: {depth: "${params.depth}", rate: "${params.rate}"}
    inputs: {table: clean.clean}
    outputs: {model: data/NAME/model.json}
  report:
    notebook: notebooks/report.ipynb
    executor: inprocess
    inputs: {model: fit.model}
    outputs: {chart: data/NAME/chart.svg}
"""
BREAKS = """
stages:
  load:
    notebook: notebooks/load.ipynb
    executor: inprocess
    outputs: {table: data/breaks/houses.csv}
  prices: {notebook: notebooks/prices.ipynb, executor: inprocess, inputs: {table: load.table}}
  after: {notebook: notebooks/plain.ipynb, executor: inprocess, after: [prices]}
"""
GROWING = """\
# The prices of houses.
stages:
  load:
    notebook: notebooks/load.ipynb
    executor: inprocess
    outputs:
      table: data/growing/houses.csv
"""
DEAF = """import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
for at in range(600):
    time.sleep(0.1)"""
# The cell does not stop for an interrupt, so that the run waits for some seconds before it ends the stage.
STOPS = """
stages:
  waits: {notebook: notebooks/waits.ipynb}
"""
CHANGES = """
stages:
  count: {notebook: notebooks/count.ipynb, executor: inprocess}
  says: {notebook: notebooks/plain.ipynb, executor: inprocess, after: [count]}
"""
TERMINAL = """
stages:
  walks: {notebook: notebooks/walks.ipynb}
  after: {notebook: notebooks/plain.ipynb, executor: inprocess, after: [walks]}
"""
GROUPS = 40  # of five stages


PLACES = ("houses", "asked", "swept", "past", "mistaken", "keys")


def houses(name: str) -> str:
    """The pipeline about houses, with data of its own, so that it reuses nothing of the others."""
    return HOUSES.replace("NAME", name).replace("ROWS", str(1200 + PLACES.index(name)))


def large() -> str:
    """Two hundred stages: 40 shops, each with five that come after each other."""
    steps = ("load", "clean", "join", "fit", "report")
    lines = [
        f"  shop{shop:02}_{step}: {{notebook: notebooks/plain.ipynb, executor: inprocess, "
        f"after: [{f'shop{shop:02}_{steps[at - 1]}' if at else ''}]}}\n"
        for shop in range(GROUPS)
        for at, step in enumerate(steps)
    ]
    return "stages:\n" + "".join(lines)


def make_journeys(root: Path) -> ProjectBuilder:
    """The notebooks, and a pipeline for each journey."""
    builder = ProjectBuilder(root)
    builder.without_tracking()
    builder.notebook("load", "#md # Offers", *LOAD, params="rows = 300\ntable = ''")
    builder.notebook(
        "clean", "_ = open(clean, 'w').write(open(table).read())", params="table = ''\nclean = ''"
    )
    builder.notebook(
        "fit", *FIT, params="depth = 1\nrate = 0.5\npause = 0.5\ntable = ''\nmodel = ''"
    )  # fmt: skip
    builder.notebook("report", REPORT, "print('written')", params="model = ''\nchart = ''")
    builder.notebook("plain", "import time; time.sleep(0.3)", "print('done')")
    builder.notebook("prices", "#md # Prices", "offer = {'price': 1}", "offer['cost']", params="table = ''")
    builder.notebook("waits", "import time", *["time.sleep(0.5)"] * 60)
    builder.notebook("deaf", DEAF)
    walks = [f"print('step {at}'); time.sleep(0.5)" for at in range(12)]
    builder.notebook("walks", "import time", *walks)
    mean = "values = [int(row.split(',')[2]) for row in open(offers).read().split()[1:]]"
    writes = "_ = open(mean, 'w').write(str(sum(values) / len(values)))"
    builder.notebook("mean", mean, writes, params="offers = ''\nmean = ''")
    builder.notebook("count", "first = 1", "second = 2", "print(first + second)")
    for name in PLACES:
        builder.pipeline(houses(name), name)
    builder.pipeline(BREAKS, "breaks")
    builder.pipeline(GROWING, "growing")
    builder.pipeline(STOPS, "stops")
    builder.pipeline(STOPS.replace("waits.ipynb", "deaf.ipynb"), "deaf")
    builder.pipeline(TERMINAL, "terminal")
    builder.pipeline(CHANGES, "changes")
    builder.pipeline(large(), "large")
    return builder
