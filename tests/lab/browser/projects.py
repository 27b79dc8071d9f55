"""The projects that the tests of the browser look at."""

from __future__ import annotations

import shutil
from pathlib import Path

from building import ProjectBuilder

REPOSITORY = Path(__file__).parents[3]

SHOWS = (
    "#md # Two lines\nof text",
    "print('one\\ntwo\\nthree')",
    "import sys; print('four\\nfive', file=sys.stderr)",
    "from IPython.display import HTML, JSON, Latex, Markdown, display",
    "display(HTML('<table>\\n<tr>\\n<td>six</td>\\n<td>seven</td>\\n</tr>\\n</table>'))",
    "display(Markdown('eight\\n\\nnine'))",
    "'ten\\neleven'.splitlines()",
    "class Two:\n    def __repr__(self):\n        return 'twelve\\nthirteen'\nTwo()",
    "raise ValueError('fourteen\\nfifteen')",
)
GROWS = (
    "print('begun')",
    "import time\nfor at in range(60):\n    print('line', at, flush=True)\n    time.sleep(0.25)",
    "print('nearly')",
    "time.sleep(4)",
    "print('done')",
)


def make_project(root: Path) -> ProjectBuilder:
    """The pipelines of the reference project, and small ones: a matrix, a failure, something slow, mistakes."""
    for name in ("contracts", "pipelines", "notebooks"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    builder = ProjectBuilder(root)
    builder.without_tracking()
    builder.notebook("work", "import time", "time.sleep(pause)", "print('worked')", params="pause = 0.2")
    builder.notebook("slow", "import time", *["time.sleep(1)"] * 40)
    builder.notebook("bad", "x = {'a': 1}", "x['b']", "print('never')")
    demo = """
        name: demo
        description: A small pipeline with a matrix.
        params:
          pause: {type: float, default: 0.2, help: seconds that each stage takes}
        stages:
          load:
            notebook: notebooks/work.ipynb
            description: Loads what the others need.
            params: {pause: "${params.pause}"}
          clean: {notebook: notebooks/work.ipynb, after: [load]}
          fit:
            notebook: notebooks/work.ipynb
            matrix: {depth: [2, 4, 8, 16]}
            after: [clean]
          audit: {notebook: notebooks/work.ipynb, after: [load]}
          compare: {notebook: notebooks/work.ipynb, after: [fit, audit]}
          report: {notebook: notebooks/work.ipynb, after: [compare, clean]}
        """
    builder.pipeline(demo, "demo")
    builder.pipeline(demo.replace("name: demo", "name: again"), "again")
    builder.pipeline(
        """
        stages:
          before: {notebook: notebooks/work.ipynb}
          wait: {notebook: notebooks/slow.ipynb, after: [before]}
          after: {notebook: notebooks/work.ipynb, after: [wait]}
        """,
        "slow",
    )
    builder.pipeline(
        """
        stages:
          fine: {notebook: notebooks/work.ipynb}
          fails: {notebook: notebooks/bad.ipynb, after: [fine]}
          follows: {notebook: notebooks/work.ipynb, after: [fails]}
        """,
        "fails",
    )
    builder.notebook("broken", "x = {'a': 1}", "x['b']", "print('never')")
    builder.pipeline(
        """
        stages:
          fine: {notebook: notebooks/work.ipynb}
          breaks: {notebook: notebooks/broken.ipynb, after: [fine]}
          follows: {notebook: notebooks/work.ipynb, after: [breaks]}
        """,
        "breaks",
    )
    builder.pipeline("stages:\n  one: {notebook: notebooks/gone.ipynb, tiemout: 3}\n", "mistaken")
    builder.notebook("typed", "print('count is', count)", params="count = 1\nsize = ''\nloud = False")
    builder.notebook("later", "print('later')", params="made = ''")
    builder.pipeline(
        """
        # The form is made from this.
        params:
          count: {type: int, default: 3, help: how many there are}
          size: {type: "Literal['small', 'large']", default: small}
          loud: false
          until: {type: date | None, default: null}
        stages:
          # The first one.
          begin:
            notebook: notebooks/typed.ipynb
            params: {count: "${params.count}", size: "${params.size}", loud: "${params.loud}"}
          middle: {notebook: notebooks/later.ipynb, after: [begin]}
          last: {notebook: notebooks/later.ipynb, after: [middle]}
        """,
        "form",
    )
    builder.notebook(
        "talks", "import time", *[f"print('line {at}', flush=True); time.sleep(0.4)" for at in range(12)]
    )
    builder.notebook("kept", "answer = 6 * 7", "raise RuntimeError('look at it')")
    builder.pipeline("stages:\n  talk: {notebook: notebooks/talks.ipynb}\n", "talks")
    builder.pipeline("stages:\n  kept: {notebook: notebooks/kept.ipynb}\n", "kept")
    builder.notebook("shows", *SHOWS)
    builder.pipeline("stages:\n  shows: {notebook: notebooks/shows.ipynb}\n", "shows")
    builder.notebook("grows", *GROWS)
    builder.pipeline("stages:\n  grows: {notebook: notebooks/grows.ipynb}\n", "grows")
    writes = "if limit < 0:\n    raise ValueError('a limit from 0 on')\n_ = open(out, 'w').write(str(limit))"
    builder.notebook("limits", "held = bytearray(8 << 20)", writes, params="limit = 0\nout = ''")
    builder.pipeline(
        """
        params: {limit: 1}
        stages:
          limits:
            notebook: notebooks/limits.ipynb
            params: {limit: "${params.limit}"}
            outputs: {out: data/limit.txt}
          after: {notebook: notebooks/work.ipynb, after: [limits]}
        """,
        "limits",
    )
    chain = "".join(
        f"  s{at}: {{notebook: notebooks/work.ipynb, after: [{f's{at - 1}' if at else ''}]}}\n"
        for at in range(40)
    )
    many = "  many: {notebook: notebooks/work.ipynb, matrix: {n: [1, 2, 3]}, after: [s39]}\n"
    builder.pipeline(f"stages:\n{chain}{many}", "wide")
    long = [f"for at in range(12): print('cell {at}, line', at)" for at in range(120)]
    builder.notebook("long", *long[:95], "raise RuntimeError('deep down')", *long[95:])
    builder.pipeline("stages:\n  long: {notebook: notebooks/long.ipynb}\n", "long")
    make_cards(builder)
    return builder


def make_cards(builder: ProjectBuilder) -> None:
    """A pipeline with metrics, files of every kind and a failure; and one that is too large for a picture."""
    drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='40'><script>window.parent.__drawn = 1</script></svg>"
    builder.notebook(
        "leaves",
        "import json, scrapbook as sb",
        "rows = ''.join(f'{at},<b>n{at}</b>,{at / 4}\\n' for at in range(100))",
        "_ = open(table, 'w').write('id,name,price\\n' + rows)",
        "json.dump({'depth': [1, {'x': '<i>2</i>'}]}, open(facts, 'w'))",
        f"_ = open(drawing, 'w').write({drawing!r})",
        "sb.glue('auc', 0.934567); sb.glue('rows', 123456)",
        params="table = ''\nfacts = ''\ndrawing = ''",
    )
    builder.pipeline(
        """
        stages:
          load: {notebook: notebooks/work.ipynb}
          leaves:
            notebook: notebooks/leaves.ipynb
            after: [load]
            outputs: {table: data/cards.csv, facts: data/cards.json, drawing: data/cards.svg}
          a_stage_whose_name_is_much_longer_than_its_card: {notebook: notebooks/bad.ipynb, after: [leaves]}
          last: {notebook: notebooks/work.ipynb, after: [a_stage_whose_name_is_much_longer_than_its_card]}
        """,
        "cards",
    )
    lines = [
        f"  g{group}_{name}: {{notebook: notebooks/work.ipynb, after: [{before}]}}"
        for group in range(22)
        for name, before in (("load", ""), ("fit", f"g{group}_load"), ("report", f"g{group}_fit"))
    ]
    builder.pipeline("stages:\n" + "\n".join(lines) + "\n", "folded")
