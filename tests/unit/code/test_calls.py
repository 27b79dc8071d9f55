"""Calls: what they execute, import or read is found by the full name of the function, whatever its alias."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from stagebook.code.analysis import analyse_cells
from stagebook.code.calls import items_of
from stagebook.code.constants import HERE
from stagebook.code.references import CodeReferences
from stagebook.pipeline.cells import parse_cell

MODULES = (
    "import importlib, importlib.util, runpy, subprocess, os, sys, site, io\nimport papermill as pm\n"
    "from pathlib import Path\nNAME = 'known'\n"
)


def read(call: str) -> CodeReferences:
    """What a cell with this call refers to, beyond what the imports of the cell before it do."""
    return analyse_cells([(parse_cell(MODULES), False), (parse_cell(call), False)])[1]


@pytest.mark.parametrize(
    ("call", "kind", "wanted"),
    [
        ("importlib.import_module(NAME)", "imports", [(0, "known", None)]),
        ("importlib.import_module(name='.mod', package='pkg.sub')", "imports", [(0, "pkg.sub.mod", None)]),
        ("importlib.import_module('..mod', 'pkg.sub')", "imports", [(0, "pkg.mod", None)]),
        ("importlib.import_module('.mod', __package__)", "imports", [(1, "mod", None)]),
        ("runpy.run_module(mod_name=NAME)", "imports", [(0, "known", ("__main__",))]),
        ("subprocess.run([sys.executable, '-m', 'pkg.mod'])", "imports", [(0, "pkg.mod", ("__main__",))]),
        ("get_ipython().run_line_magic('load_ext', 'pkg')", "imports", [(0, "pkg", None)]),
        ("runpy.run_path('a.py')", "scripts", ["a.py"]),
        ("import stagebook_program\nstagebook_program.script('a.py', args)", "scripts", ["a.py"]),
        ("import stagebook_program\nstagebook_program.sql('a.sql', '')", "words", ["a.sql"]),
        ("import stagebook_program\nstagebook_program.command(['sh', 'a.sh'], c)", "words", ["sh", "a.sh"]),
        ("pm.execute_notebook('in.ipynb', 'out.ipynb')", "scripts", ["in.ipynb"]),
        ("pm.execute_notebook(output_path='out.ipynb', input_path='in.ipynb')", "scripts", ["in.ipynb"]),
        ("importlib.util.spec_from_file_location('name', Path('lib') / 'a.py')", "scripts", ["lib/a.py"]),
        ("runpy.run_path(Path(__file__).parent / 'a.py')", "scripts", [f"{HERE}/a.py"]),
        ("exec(open('a.py').read())", "scripts", ["a.py"]),
        ("exec(compile(Path('a.py').read_text(), 'a', 'exec'))", "scripts", ["a.py"]),
        ("exec(io.open(file='a.py').read())", "scripts", ["a.py"]),
        ("get_ipython().magic('%run a.py')", "scripts", ["a.py"]),
        ("os.system('cat a.csv | sort > b.csv')", "words", ["cat", "a.csv", "sort"]),
        ("subprocess.check_output(['tool', '--in=a.csv', 'b.csv'], text=True)", "words", ["tool", "a.csv", "b.csv"]),
        ("os.execvp('tool', ['tool', 'a.csv'])", "words", ["tool", "a.csv"]),
        ("get_ipython().getoutput('cat a.csv')", "words", ["cat", "a.csv"]),
        ("sys.path.append('lib')", "folders", [(None, "lib")]),
        ("sys.path.insert(2, 'lib')", "folders", [(2, "lib")]),
        ("sys.path.insert(at, 'lib')", "folders", [(0, "lib")]),
        ("sys.path.extend(['a', *more] + ('b',))", "folders", [(None, "a"), (None, "b")]),
        ("site.addsitedir('lib')", "folders", [(None, "lib")]),
        ("os.getenv(NAME), os.environ.get('A', ''), os.environ.pop('B')", "env", ["known", "A", "B"]),
        ("os.environ['C'] if 'D' not in os.environ else 0", "env", ["D", "C"]),
        ("os.environ['E'] = '1'", "sets", ["E"]),
    ],
)  # fmt: skip
def test_a_call_is_read(call: str, kind: str, wanted: list[Any]) -> None:
    found: dict[str, Any] = dict(read(call))
    assert found[kind] == wanted
    assert "dynamic" not in found


@pytest.mark.parametrize(
    ("call", "computed"),
    [
        ("importlib.import_module(which)", "importlib.import_module(which)"),
        ("__import__(f'{which}.mod')", "__import__(f'{which}.mod')"),
        ("runpy.run_module(which)", "runpy.run_module(which)"),
        (
            "pm.execute_notebook(Path(which) / 'a.ipynb', 'b')",
            "pm.execute_notebook(Path(which) / 'a.ipynb', 'b')",
        ),
        ("exec(open(which).read())", "exec(open(which).read())"),
        ("sys.path.append(which)", "which in sys.path"),
        ("sys.path.extend(which)", "sys.path.extend(which)"),
        ("os.system(f'python {which}')", "python {…}"),
        ("subprocess.run(['python', which])", "python {…}"),
    ],
)
def test_what_a_call_computes_is_told(call: str, computed: str) -> None:
    assert read(call)["dynamic"] == [f"{computed} is computed"]


@pytest.mark.parametrize(
    "call",
    ["open('a.py').read()", "eval('1 + 1')", "other.run_path('a.py')", "run_module('pkg')", "path.append('lib')", "system('cat a')",
     "exec(code)", "get_ipython().run_cell_magic('python')", "sys.path.append()", "sys.path.insert(0)", "subprocess.run()"],
)  # fmt: skip
def test_other_calls_lead_nowhere(call: str) -> None:
    assert set(read(call)) <= {"names", "paths"}


def test_the_python_in_a_command_is_read_as_python() -> None:
    assert read("""os.system("python -c 'import helpers'")""")["imports"] == [(0, "helpers", None)]
    assert read("subprocess.run([sys.executable, '-c', 'import helpers'])")["imports"] == [
        (0, "helpers", None)
    ]


def test_the_items_of_a_sum_of_lists_are_those_of_all() -> None:
    node = ast.parse("['a', *rest] + more + (b, 'c')", mode="eval").body
    assert [ast.unparse(item) for item in items_of(node)] == ["'a'", "b", "'c'"]
