"""A notebook's code is its cells and all that they lead to, as the import system would find it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import notebook_data
from effort import at_most
from stagebook.code.closure import Closure, Code, sources
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.system.file_cache import FileCache

EXAMPLES = int(os.environ.get("STAGEBOOK_EXAMPLES", "1"))


class Tree:
    """A project of some files, asked for the code of `notebooks/n.ipynb`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.extra: list[Path] = []

    def write(self, **files: str) -> Tree:
        """Write files; `__` in a name is `/`, and without a suffix it is `.py`."""
        for name, text in files.items():
            path = name.replace("__", "/") + ".py"
            self.file(path, text)
        return self

    def file(self, path: str, text: str | bytes = "") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(textwrap.dedent(text).encode() if isinstance(text, str) else text)
        return target

    def notebook(self, *cells: str, path: str = "notebooks/n.ipynb", **given: Any) -> None:
        self.file(path, json.dumps(notebook_data(*cells, **given)))

    def code(self, *cells: str, path: str = "notebooks/n.ipynb", **given: Any) -> Code:
        if cells:
            self.notebook(*cells, path=path, **given)
        return Closure(self.root, FileCache(), extra=self.extra).code(path, self.root / path)

    def modules(self, *cells: str, **given: Any) -> list[str]:
        return [item.path for item in self.code(*cells, **given).modules]

    def files(self, *cells: str, **given: Any) -> list[str]:
        return [item.path for item in self.code(*cells, **given).files]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


# -- imports --------------------------------------------------------------------------------------

FILES = [
    "helpers", "other", "pkg/__init__", "pkg/mod", "pkg/sub/__init__", "pkg/sub/deep", "space/inner", "space/more/last", "notebooks/beside", "json"
]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("import helpers", "helpers"),
        ("import helpers, other as o", "helpers other"),
        ("import beside", "notebooks/beside"),
        ("import pkg.mod", "pkg/__init__ pkg/mod"),
        ("import pkg.sub.deep", "pkg/__init__ pkg/sub/__init__ pkg/sub/deep"),
        ("from pkg import mod", "pkg/__init__ pkg/mod"),
        ("from pkg import name", "pkg/__init__"),
        ("from pkg.sub import deep as d, name", "pkg/__init__ pkg/sub/__init__ pkg/sub/deep"),
        ("from pkg import *", "pkg/__init__"),
        ("import space.inner", "space/inner"),
        ("from space import inner", "space/inner"),
        ("from space.more import last", "space/more/last"),
        ("import space", ""),
        ("import json", "json"),
        ("def f():\n    import helpers", "helpers"),
        ("if a:\n    import helpers\nelse:\n    import other", "helpers other"),
        ("try:\n    import helpers\nexcept ImportError:\n    import other", "helpers other"),
        ("import importlib\nimportlib.import_module('pkg.mod')", "pkg/__init__ pkg/mod"),
        ("import importlib as il\nil.import_module('.mod', package='pkg')", "pkg/__init__ pkg/mod"),
        ("from importlib import import_module as im\nim('.deep', 'pkg.sub')", "pkg/__init__ pkg/sub/__init__ pkg/sub/deep"),
        ("NAME = 'helpers'\n__import__(NAME)", "helpers"),
        ("import runpy\nrunpy.run_module('pkg.mod')", "pkg/__init__ pkg/mod"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helpers\nelse:\n    import other", "other"),
        ("%%time\nimport helpers", "helpers"),
        ("%time import helpers", "helpers"),
        ("%timeit -n 10 import helpers", "helpers"),
        ("!ls 'it\nimport helpers", "helpers"),
        ("%load_ext helpers\n%load_ext autoreload", "helpers"),
        ("%%python\nimport helpers", "helpers"),
        ("%%script python3 -u\nimport helpers", "helpers"),
        ("%%flame -x\nimport helpers", "helpers"),
        ("this is no python\nimport helpers, other\nfrom pkg import (mod,\n name)", "helpers other pkg/__init__ pkg/mod"),
        ("!python -m pkg.mod", "pkg/__init__ pkg/mod"),
        ("!python -c 'import helpers'", "helpers"),
        ("%run -m pkg.mod", "pkg/__init__ pkg/mod"),
        ("get_ipython().run_line_magic('time', 'import helpers')", "helpers"),
        ("get_ipython().run_cell_magic('python', '', 'import helpers')", "helpers"),
        ("import sys, time, nothing", ""),
        ("# import helpers\nx = 'import helpers'", ""),
        ("from . import helpers\nfrom .helpers import x", ""),
    ],
)  # fmt: skip
def test_imports_of_cells(tree: Tree, cell: str, wanted: str) -> None:
    for name in FILES:
        tree.file(f"{name}.py", "x = 1")
    assert tree.modules(cell) == [f"{name}.py" for name in wanted.split()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("from . import mod", "pkg/mod"),
        ("from .mod import name", "pkg/mod"),
        ("from .sub import deep", "pkg/sub/__init__ pkg/sub/deep"),
        ("from .sub.deep import x", "pkg/sub/__init__ pkg/sub/deep"),
        ("import importlib\nimportlib.import_module('.mod', __package__)", "pkg/mod"),
        ("import importlib\nimportlib.import_module('.mod', package=__name__)", "pkg/mod"),
        ("from .sub import *", "pkg/sub/__init__ pkg/sub/deep"),
        ("import helpers", "helpers"),
        ("from .. import helpers", ""),
        ("from . import sub, mod", "pkg/mod pkg/sub/__init__"),
    ],
)
def test_imports_of_packages(tree: Tree, text: str, wanted: str) -> None:
    for name in FILES:
        tree.file(f"{name}.py", "x = 1")
    tree.file("pkg/__init__.py", text)
    tree.file("pkg/sub/__init__.py", "__all__ = ['deep', 'gone']\n__all__ += ['x']")
    assert tree.modules("import pkg") == sorted(
        ["pkg/__init__.py", *(f"{name}.py" for name in wanted.split())]
    )


def test_relative_imports_climb(tree: Tree) -> None:
    tree.write(
        pkg__mod="",
        pkg__sub__deep="from .. import mod\nfrom ..other import x\nfrom ... import out",
        pkg__other="",
        out="",
    )
    tree.file("pkg/__init__.py")
    assert tree.modules("import pkg.sub.deep") == [
        "pkg/__init__.py",
        "pkg/mod.py",
        "pkg/other.py",
        "pkg/sub/deep.py",
    ]


def test_a_circle_ends_and_chains_are_short(tree: Tree) -> None:
    tree.write(a="import b", b="import c", c="import a\nimport d", d="")
    code = tree.code("x = 1", "import a", "#md x", "import c")
    assert {item.path: item.chain for item in code.modules} == {
        "a.py": ("cell 2", "a"),
        "b.py": ("cell 2", "a", "b"),
        "c.py": ("cell 3", "c"),
        "d.py": ("cell 3", "c", "d"),
    }


def packages(code: Code) -> set[str]:
    return {name.partition(".")[0] for name in code.imports}


def test_packages_are_those_of_cells_and_modules(tree: Tree) -> None:
    tree.write(helpers="import yaml\nimport os.path\nfrom google.cloud import storage")
    tree.file("mlflow/notes.txt")  # a folder that is no package, and hides none
    code = tree.code(
        "import pandas as pd\nfrom sklearn.linear_model import Ridge", "import helpers, json, mlflow.sklearn"
    )
    assert packages(code) == {"pandas", "sklearn", "yaml", "google", "mlflow"}
    assert code.imports >= {"sklearn.linear_model", "google.cloud.storage", "mlflow.sklearn"}


def test_what_goes_first(tree: Tree) -> None:
    for folder in ("", "notebooks/", "src/", "lib/", "early/"):
        tree.file(f"{folder}helpers.py")
    tree.extra = [tree.root / "src", Path("lib"), tree.root.parent, Path("/")]
    assert tree.modules("import helpers") == ["notebooks/helpers.py"]
    assert tree.modules("import sys\nsys.path.append('early')\nimport helpers") == ["notebooks/helpers.py"]
    assert tree.modules("import sys\nsys.path.insert(0, 'early')\nimport helpers") == ["early/helpers.py"]
    assert tree.modules("import sys\nsys.path.insert(1, 'early')\nimport helpers") == ["notebooks/helpers.py"]
    assert tree.modules(
        "import sys\nsys.path.insert(0, 'early')\nsys.path.insert(0, 'lib')\nimport helpers"
    ) == ["lib/helpers.py"]
    (tree.root / "notebooks/helpers.py").unlink()
    assert tree.modules("import helpers") == ["helpers.py"]
    (tree.root / "helpers.py").unlink()
    assert tree.modules("import helpers") == ["src/helpers.py"]
    (tree.root / "src/helpers.py").unlink()
    assert tree.modules("import helpers") == ["lib/helpers.py"]
    tree.file("src/helpers/__init__.py")
    tree.file("src/helpers.py")
    assert tree.modules("import helpers") == ["src/helpers/__init__.py"]
    tree.file("helpers/notes.txt")
    assert tree.modules("import helpers") == ["src/helpers/__init__.py"], "a namespace comes last"


def test_the_standard_library_goes_before_what_is_appended(tree: Tree) -> None:
    tree.write(lib__json="", lib__sys="", sys="", lib__pandas="")
    code = tree.code("import sys, site\nsite.addsitedir('lib')\nimport json, pandas")
    assert [item.path for item in code.modules] == ["lib/pandas.py"]
    assert packages(code) == {"pandas"}, "it may as well be installed"


@pytest.mark.parametrize(
    "cell",
    [
        "import sys\nsys.path.append('src/lib')",
        "import sys as s\ns.path.insert(0, './src//lib/')",
        "from sys import path\npath.append('src/lib')",
        "import sys\nsys.path += ['src/lib']",
        "import sys\nsys.path.extend(['x', 'src/lib'])",
        "import sys\nsys.path = ['src/lib'] + sys.path",
        "import sys\nsys.path[:0] = ['src/lib']",
        "import site\nsite.addsitedir('src/lib')",
        "import sys, os\nsys.path.append(os.path.abspath('src/lib'))",
        "import sys, os\nsys.path.append(os.path.join('src', 'lib'))",
        "import sys, os\nsys.path.append(os.path.join(os.getcwd(), 'src', 'lib'))",
        "import sys, os.path as p\nsys.path.append(p.join('src', 'lib'))",
        "import sys\nfrom pathlib import Path\nsys.path.append(str(Path('src') / 'lib'))",
        "import sys, pathlib\nROOT = pathlib.Path.cwd()\nsys.path.append(str((ROOT / 'src' / 'lib').resolve()))",
        "import sys\nfrom pathlib import Path\nsys.path.append(Path('src/lib/x').parent.as_posix())",
        "import sys\nfrom pathlib import Path\nsys.path.append(str(Path('src/lib/x/y').parents[1]))",
        "import sys\nBASE = 'src'\nsys.path.append(f'{BASE}/lib')",
        "import sys\nBASE = 'src'\nsys.path.append(BASE + '/lib')",
        "import adder",
        "import sys\nsys.path.append('src')\nimport twice",
    ],
)
def test_folders_put_into_the_path(tree: Tree, cell: str) -> None:
    tree.write(
        src__lib__found="",
        adder="import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), 'src', 'lib'))",
        src__twice="import sys\nfrom pathlib import Path\nsys.path.append(str(Path(__file__).resolve().parent / 'lib'))",
    )
    code = tree.code(cell, "import found")
    assert "src/lib/found.py" in [item.path for item in code.modules]
    assert not code.unresolved


def test_a_folder_outside_that_the_code_names_counts(tree: Tree) -> None:
    (tree.root / "project").mkdir()
    tree.file("shared/found.py")
    inner = Tree(tree.root / "project")
    assert inner.modules("import sys\nsys.path.append('../shared')\nimport found") == ["../shared/found.py"]
    absolute = tree.root / "shared"
    assert inner.modules(f"import sys\nsys.path.append({str(absolute)!r})\nimport found") == [
        f"{absolute}/found.py"
    ]
    assert inner.modules(f"import sys\nsys.path.append({str(inner.root)!r})\nimport found") == []


@pytest.mark.parametrize(
    "folder", [".venv/lib", "node_modules", ".stagebook/cache", ".git", "venv/site-packages"]
)
def test_environments_are_not_local(tree: Tree, folder: str) -> None:
    tree.file(f"{folder}/found.py")
    tree.extra = [tree.root / folder]
    code = tree.code(
        f"import sys\nsys.path.insert(0, '{folder}')\nimport found, node_modules.found",
        f"!cat {folder}/found.py",
    )
    assert (code.modules, code.files) == ((), ())
    assert packages(code) == {"found", "node_modules"}


def test_compiled_modules_count_as_files(tree: Tree) -> None:
    tree.file("fast.cpython-311-x86_64-linux-gnu.so", b"one")
    tree.file("plain.abi3.so", b"one")
    tree.file("both.py", "import other")
    tree.file("both.so", b"one")
    tree.file("old.pyc", b"one")
    tree.write(other="")
    tree.file("stub.pyi", "import other")
    tree.file("pkg/__init__.so", b"x")
    tree.file("not.a.py", "")
    paths = [
        "both.py", "both.so", "fast.cpython-311-x86_64-linux-gnu.so", "old.pyc", "other.py", "pkg/__init__.so", "plain.abi3.so"
    ]  # fmt: skip
    before = tree.code("import fast, plain, both, old, stub, pkg, a")
    assert [item.path for item in before.modules] == paths
    tree.file("both.so", b"two")
    assert [a.path for a, b in zip(before.modules, tree.code().modules, strict=True) if a != b] == ["both.so"]


def test_symlinks_count_by_the_path_of_the_import(tree: Tree) -> None:
    (tree.root / "project").mkdir()
    inner = Tree(tree.root / "project")
    tree.file("away/pkg/__init__.py", "from . import mod")
    tree.file("away/pkg/mod.py", "x = 1")
    (inner.root / "pkg").symlink_to("../away/pkg")
    (inner.root / "loop").symlink_to(".")
    (inner.root / "gone.py").symlink_to("nowhere.py")
    before = inner.code("import pkg, gone, loop.loop.loop.x")
    assert [item.path for item in before.modules] == ["pkg/__init__.py", "pkg/mod.py"]
    tree.file("away/pkg/mod.py", "x = 2")
    assert inner.code().modules != before.modules


def test_endless_folders_end(tree: Tree) -> None:
    (tree.root / "sub").symlink_to(".")
    tree.write(a="import sys, os\nsys.path.insert(0, os.path.dirname(__file__) + '/sub')\nimport b", b="")
    assert tree.modules("import a")


def test_a_module_that_cannot_be_parsed_counts_as_it_is(tree: Tree) -> None:
    tree.write(broken="def f(:\n    pass\nimport other\n", other="")
    before = tree.code("import broken")
    assert [item.path for item in before.modules] == ["broken.py", "other.py"], "another Python may parse it"
    tree.write(broken="def f(:\n    pass  # c\nimport other\n")
    assert tree.code() != before
    for content in (
        b"\xff\xfe",
        b"# coding: nonsense\nx = 1",
        b"x = 1\0",
        "é = 1".encode("latin-1"),
        b"(" * 100_000,
    ):
        tree.file("broken.py", content)
        assert [item.path for item in tree.code().modules] == ["broken.py"]
    tree.file("broken.py", "# coding: latin-1\nx = 'é'".encode("latin-1"))
    latin = tree.code().modules
    tree.file("broken.py", "x = 'é'".encode("utf-8-sig"))
    assert tree.code().modules == latin


def test_a_module_that_cannot_be_read(tree: Tree) -> None:
    if not os.geteuid():
        pytest.skip("the superuser reads everything")
    tree.file("secret.py").chmod(0)
    code = tree.code("import secret")
    assert [item.digest for item in code.modules] == [""]
    assert code.unresolved == ("secret.py: it cannot be read",)


def test_a_new_file_that_takes_the_place_of_another_is_noticed(tree: Tree) -> None:
    tree.write(helpers="x = 1")
    tree.notebook("import helpers")
    file_cache = FileCache()
    closure = Closure(tree.root, file_cache)

    def code() -> Code:
        return closure.code("notebooks/n.ipynb", tree.root / "notebooks/n.ipynb")

    before = code()
    tree.file("notebooks/helpers.py", "x = 1")
    assert code() is before, "what was looked up is kept"
    closure = Closure(tree.root, file_cache)
    assert [item.path for item in code().modules] == ["notebooks/helpers.py"]
    (tree.root / "notebooks/helpers.py").unlink()
    closure = Closure(tree.root, file_cache)
    assert code() == before


# -- scripts and files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "files", "modules"),
    [
        ("%run tools/job.py", "tools/job.py", "tools/near.py"),
        ("%run tools/job", "tools/job.py", "tools/near.py"),
        ("%run -i -N 3 tools/job.py data/a.csv --x", "data/a.csv tools/job.py", "tools/near.py"),
        ("run tools/job.py", "tools/job.py", "tools/near.py"),
        ("%run 'tools/job.py'", "tools/job.py", "tools/near.py"),
        ("%run notebooks/other.ipynb", "notebooks/other.ipynb", "helpers.py"),
        ("%run gone.py", "", ""),
        ("%load tools/job.py", "tools/job.py", "tools/near.py"),
        ("!python tools/job.py --in=data/a.csv", "data/a.csv tools/job.py", "tools/near.py"),
        ("x = !python -u tools/job.py | tee data/a.csv > data/b.csv", "tools/job.py", "tools/near.py"),
        ("!A=1 {sys.executable} tools/job.py && cat data/a.csv", "data/a.csv tools/job.py", "tools/near.py"),
        ("!cat 'data/a.csv' data \\\n  data/b.csv", "data/a.csv data/b.csv", ""),
        ("!cat data/a.csv > data/b.csv; sort -o data/b.csv; sort >> data/b.csv", "data/a.csv", ""),
        ("%sx cat data/a.csv", "data/a.csv", ""),
        ("%%bash\n# it's\ncat data/a.csv | sort\n./tools/run.sh", "data/a.csv tools/run.sh", ""),
        ("%%script bash -e\ncat data/a.csv", "data/a.csv", ""),
        ("%%bash\npython -m helpers\n", "", "helpers.py"),
        ("%pip install -r tools/list.txt", "tools/list.txt", ""),
        ("import subprocess\nsubprocess.run(['python', 'tools/job.py'])", "tools/job.py", "tools/near.py"),
        ("import subprocess as sp, sys\nsp.check_call([sys.executable, '-m', 'helpers'])", "", "helpers.py"),
        ("from subprocess import run\nrun('cat data/a.csv', shell=True)", "data/a.csv", ""),
        ("import os\nos.system('python tools/job.py')", "tools/job.py", "tools/near.py"),
        ("exec(open('tools/job.py').read())", "tools/job.py", "tools/near.py"),
        ("from pathlib import Path\nexec(compile(Path('tools', 'job.py').read_text(), 'x', 'exec'))", "tools/job.py", "tools/near.py"),
        ("import runpy\nrunpy.run_path('tools/job.py')", "tools/job.py", "tools/near.py"),
        ("import importlib.util as u\nu.spec_from_file_location('x', 'tools/job.py')", "tools/job.py", "tools/near.py"),
        ("import papermill as pm\npm.execute_notebook('notebooks/other.ipynb', None)", "notebooks/other.ipynb", "helpers.py"),
        ("get_ipython().system('cat data/a.csv')", "data/a.csv", ""),
        ("get_ipython().magic('run tools/job.py')", "tools/job.py", "tools/near.py"),
        ("import sys\nsys.path.insert(0, 'tools/lib.zip')", "tools/lib.zip", ""),
        ("model.run(['data/a.csv'])", "", ""),
        ("!cat ../../../../etc/passwd /etc/passwd data/../.git/config", "", ""),
    ],
)  # fmt: skip
def test_files_that_magics_and_commands_name(tree: Tree, cell: str, files: str, modules: str) -> None:
    for path in (
        "data/a.csv",
        "data/b.csv",
        "tools/run.sh",
        "tools/list.txt",
        ".git/config",
        "tools/lib.zip",
    ):
        tree.file(path, path)
    tree.file("tools/job.py", "import near")
    tree.write(tools__near="", helpers="")
    tree.notebook("import helpers", path="notebooks/other.ipynb")
    code = tree.code(cell)
    assert [item.path for item in code.files] == files.split()
    assert [item.path for item in code.modules] == modules.split()
    assert not code.unresolved
    if files:
        assert code.files[-1].chain == ("cell 1", code.files[-1].path)


def test_what_is_executed_counts_without_comments_and_what_is_read_as_it_is(tree: Tree) -> None:
    tree.file("job.py", "x = 1")
    tree.notebook("x = 1", path="other.ipynb")
    cells = ("%run job.py", "!cat job.py", "%run other.ipynb", "!cat other.ipynb")
    before = [tree.code(cell).files for cell in cells]
    tree.file("job.py", "x = 1  # why")
    tree.notebook("x = 1", "#md prose", path="other.ipynb")
    assert [tree.code(cell).files == old for cell, old in zip(cells, before, strict=True)] == [
        True,
        False,
    ] * 2
    tree.file("job.py", "x = 2")
    tree.notebook("x = 2", path="other.ipynb")
    assert [tree.code(cell).files == old for cell, old in zip(cells, before, strict=True)] == [False] * 4


def test_what_a_cell_writes_itself_does_not_count_twice(tree: Tree) -> None:
    tree.file("made.py", "old")
    tree.write(helpers="")
    assert tree.modules("%%writefile made.py\nimport helpers", "import made") == ["helpers.py"]
    assert tree.modules("%%writefile .\nx", "import made") == ["made.py"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (
            "import importlib\nimportlib.import_module(name)",
            "cell 1: importlib.import_module(name) is computed",
        ),
        ("__import__(f'a{b}')", "cell 1: __import__(f'a{b}') is computed"),
        ("%run {script}", "cell 1: %run {script} is computed"),
        ("%run $script x", "cell 1: %run $script is computed"),
        ("!python {script}", "cell 1: python {script} is computed"),
        ("import sys\nsys.path.append(folder)", "cell 1: folder in sys.path is computed"),
        ("import runpy\nrunpy.run_path(a())", "cell 1: runpy.run_path(a()) is computed"),
        ("exec(open(a).read())", "cell 1: exec(open(a).read()) is computed"),
        ("import computed", "computed.py: __import__(x) is computed"),
        ("x = 'a'\nx = 'b'\n__import__(x)", "cell 1: __import__(x) is computed"),
        ("def f(x='a'): __import__(x)", "cell 1: __import__(x) is computed"),
        ("!pip install {name}\nexec(code)", ""),
    ],
)
def test_what_is_computed_is_told(tree: Tree, cell: str, text: str) -> None:
    tree.write(computed="__import__(x)")
    assert tree.code(cell).unresolved == ((text,) if text else ())


def test_a_parameter_is_no_constant(tree: Tree) -> None:
    code = tree.code("__import__(name)", params="name = 'os'")
    assert code.unresolved == ("cell 2: __import__(name) is computed",)


# -- cells ----------------------------------------------------------------------------------------


def test_names_and_paths_are_those_of_all_cells_but_the_parameters(tree: Tree) -> None:
    cells = [
        "frame = pd.read_csv('data/x.csv')\ncount += 1\nother = 'http://a/b', '/abs', 'x.parquet', 'prose', 'a\\n/b', f'data/{n}.csv'",
        "!echo {shown}\n%time g(timed)",
        "%%bash -s $head\necho $body",
        "path = Path('data') / 'y.json'",
    ]
    code = tree.code(*cells, params="default = 'data/default.csv'\nread = base")
    assert code.names >= {"pd", "count", "n", "shown", "g", "timed", "head", "body", "Path"}
    assert not code.names & {"frame", "default", "read", "base", "other"}
    assert code.path_literals >= {"data/x.csv", "x.parquet", "data/y.json"}
    assert not code.path_literals & {"http://a/b", "/abs", "prose", "data/default.csv"}


def test_cells_that_do_nothing_do_not_count(tree: Tree) -> None:
    before = tree.code("x = 1", "y = 2")
    code = tree.code("# hello", "x = 1  # one", "", "#md prose", "  \n", "y  =  2")
    assert code.cells == before.cells
    assert (before.numbers, code.numbers) == ((1, 2), (2, 3))
    assert sources(tree.root / "notebooks/n.ipynb") == ("x = 1  # one", "y  =  2")
    assert tree.code("y = 2", "x = 1").cells == before.cells[::-1]


def test_tags_that_change_how_a_cell_is_executed_count(tree: Tree) -> None:
    made = {
        tree.code(f"{tag}\nx = 1", "y").cells
        for tag in ("", "#tag parameters", "#tag raises-exception", "#tag skip-execution")
    }
    assert len(made) == 4
    assert tree.code("#tag hide-input\nx = 1").cells == tree.code("x = 1").cells
    assert tree.code("x = 1", "#tag parameters\n").cells != tree.code("#tag parameters\n", "x = 1").cells


def test_another_language_has_cells_only(tree: Tree) -> None:
    data = notebook_data("import helpers\n", "library(x)", "# c")
    data["metadata"]["kernelspec"] = {"name": "ir", "language": "R"}
    tree.write(helpers="")
    tree.file("notebooks/n.ipynb", json.dumps(data))
    code = tree.code()
    assert (len(code.cells), code.modules, packages(code)) == (3, (), frozenset())
    assert sources(tree.root / "notebooks/n.ipynb") == ("import helpers", "library(x)", "# c")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"nbformat": 3, "cells": []}', "[" * 100_000, b"\xff"])
def test_what_is_no_notebook_is_unreadable(tree: Tree, content: str | bytes) -> None:
    path = tree.file("notebooks/n.ipynb", content)
    closure = Closure(tree.root, FileCache())
    for _ in range(2):
        with pytest.raises(NotebookUnreadable):
            closure.code("notebooks/n.ipynb", path)
    with pytest.raises(NotebookUnreadable):
        sources(path)
    with pytest.raises(NotebookUnreadable, match="cannot be read"):
        closure.code("gone.ipynb", tree.root / "gone.ipynb")


def test_what_is_remembered_is_what_is_found(tree: Tree) -> None:
    tree.write(helpers="import yaml\nfrom pkg import *", pkg__mod="")
    tree.file("pkg/__init__.py", "__all__ = ['mod']")
    tree.notebook(
        "import sys\nsys.path.insert(0, 'x')\nimport helpers\n%run helpers.py\n__import__(x)", params="x = 1"
    )
    path = tree.root / "notebooks/n.ipynb"
    place = tree.root / "files.json"
    later = time.time_ns() + 10**9
    file_cache = FileCache(place, clock=lambda: later)
    found = Closure(tree.root, file_cache).code("notebooks/n.ipynb", path)
    file_cache.save()
    again = FileCache(place)
    assert Closure(tree.root, again).code("notebooks/n.ipynb", path) == found
    assert not again._changed


# -- laws -----------------------------------------------------------------------------------------

_places = [
    "a",
    "b",
    "c",
    "p/__init__",
    "p/m",
    "p/n",
    "p/q/__init__",
    "p/q/r",
    "s/t",
    "s/u/v",
    "lib/w",
    "lib/p/x",
]


def _module(place: str) -> str:
    return place.removeprefix("lib/").removesuffix("/__init__").replace("/", ".")


@st.composite
def _imports(draw: st.DrawFn, place: str, places: list[str]) -> str:
    """Import statements of a module, of modules that are there."""
    lines = []
    package = _module(place) if place.endswith("__init__") else _module(place).rpartition(".")[0]
    for target in draw(st.lists(st.sampled_from(places), max_size=3)):
        name = _module(target)
        parent, _, last = name.rpartition(".")
        forms = [f"import {name}", f"import {name} as z", f"def f():\n    import {name}\nf()", f"try:\n    import {name}\nexcept ValueError:\n    pass",
                 f"import importlib\nimportlib.import_module({name!r})", f"__import__({name!r})"]  # fmt: skip
        if parent:
            forms += [f"try:\n    from {parent} import {last}\nexcept ImportError:\n    pass"] * 3
        top = package.partition(".")[0]
        if package and parent and (parent in {package, top} or parent.startswith(f"{top}.")) and top != "lib":
            common = 0
            mine, its = package.split("."), parent.split(".")
            while common < min(len(mine), len(its)) and mine[common] == its[common]:
                common += 1
            dots = "." * (len(mine) - common + 1)
            forms += [
                f"try:\n    from {dots}{'.'.join(its[common:])} import {last}\nexcept ImportError:\n    pass"
            ] * 4
        lines.append(draw(st.sampled_from(forms)))
    return "\n".join(lines)


@st.composite
def projects(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Modules with their texts, and what a cell says."""
    places = sorted(draw(st.sets(st.sampled_from(_places), min_size=1)))
    # What cannot be imported would end the real interpreter: a module hidden by a package of the name.
    if "p/__init__" in places:
        places = [place for place in places if not place.startswith("lib/p/")]
    files = {place: draw(_imports(place, places)) for place in places}
    return files, draw(
        st.lists(st.sampled_from(places).map(lambda it: f"import {_module(it)}"), min_size=1, max_size=2)
    )


_PROBE = """
import sys, os
sys.path[:0] = [os.getcwd()]
sys.path.append("lib")
sys.dont_write_bytecode = True
exec(open("cell.txt").read())
root = os.getcwd() + os.sep
found = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
print("\\n".join(sorted({os.path.relpath(path, root) for path in found if path and os.path.abspath(path).startswith(root)})))
"""


@settings(max_examples=40 * EXAMPLES, deadline=None)
@given(project=projects())
@pytest.mark.long
def test_the_closure_is_what_the_import_system_loads(project: tuple[dict[str, str], list[str]]) -> None:
    files, cell = project
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder).resolve())
        for place, text in files.items():
            tree.file(f"{place}.py", text)
        tree.file("cell.txt", "\n".join(cell))
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROBE],
            cwd=tree.root,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found = tree.modules("import sys\nsys.path.append('lib')", *cell)
        assert [path.replace("/./", "/") for path in found] == done.stdout.split()


@settings(max_examples=40 * EXAMPLES, deadline=None)
@given(project=projects(), data=st.data())
def test_edits_count_where_they_matter_and_only_there(
    project: tuple[dict[str, str], list[str]], data: st.DataObject
) -> None:
    files, cell = project
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder))
        for place, text in files.items():
            tree.file(f"{place}.py", text)
        before = tree.code("import sys\nsys.path.append('lib')", *cell)
        inside = {item.path for item in before.modules}
        place = data.draw(st.sampled_from(sorted(files)))
        tree.file(f"{place}.py", f"# a comment\n{files[place]}\n\n  # another\n")
        assert tree.code() == before
        tree.file(f"{place}.py", f"{files[place]}\nchanged = 1\n")
        after = tree.code()
        assert (after != before) == (f"{place}.py" in inside)
        assert after.cells == before.cells
        changed = {a.path for a, b in zip(before.modules, after.modules, strict=True) if a != b}
        assert changed == inside & {f"{place}.py"}


_noise = st.sampled_from(
    ["%run", "%run -m", "%run {", "!", "!!", "!python -m", "!python -c", "%%writefile", "%%script", "%time", "%time %time %time x", "%%", "%", "import a", "from . import a",
     "from .... import b", "import a.b.c.d", "__import__('')", "__import__('.')", "__import__('a..b')", "import_module('.a', 'b')", "import sys\nsys.path.insert('x', 'y')",
     "sys.path.append('\\0')", "sys.path.append('..')", "sys.path.append('')", "x: int", "exec()", "__import__()", "sys.path.insert()", "sys.path.extend()", "!cat '", "%run ''",
     "import importlib.util as u\nu.spec_from_file_location()", "from pathlib import Path\nsys.path.append(Path(__file__).parents[99])", "x = x\n__import__(x)", "get_ipython().magic()"]
) | st.text(max_size=5)  # fmt: skip


@settings(max_examples=150 * EXAMPLES, deadline=None)
@given(
    cells=st.lists(st.lists(_noise, max_size=4).map("\n".join), max_size=3),
    module=st.lists(_noise, max_size=3).map("\n".join),
)
def test_any_cells_have_code(tmp_path_factory: pytest.TempPathFactory, cells: list[str], module: str) -> None:
    tree = Tree(tmp_path_factory.getbasetemp() / "any")
    tree.file("a.py", module.encode("utf-8", "surrogatepass"))
    code = tree.code("import a", *cells)
    assert "a.py" in {item.path for item in code.modules}
    assert code.cells[:1] == tree.code("import a").cells


# -- effort ---------------------------------------------------------------------------------------


def test_a_thousand_notebooks(tree: Tree) -> None:
    for at in range(8):
        tree.file(
            f"helpers/m{at}.py",
            f"from . import m{(at + 1) % 8}\nimport os, pandas\ndef f(x):\n    return x + {at}\n",
        )
    tree.file("helpers/__init__.py")
    for at in range(1000):
        tree.notebook(
            f"from helpers import m{at % 8}",
            "y = m(x)\nprint(y)",
            path=f"notebooks/n{at}.ipynb",
            params=f"x = {at}",
        )
    later = time.time_ns() + 10**9
    file_cache = FileCache(tree.root / "files.json", clock=lambda: later)
    notebooks = [(f"notebooks/n{at}.ipynb", tree.root / f"notebooks/n{at}.ipynb") for at in range(1000)]

    def ask() -> Closure:
        closure = Closure(tree.root, file_cache)
        assert {len(closure.code(*notebook).modules) for notebook in notebooks} == {9}
        return closure

    with at_most(500):
        ask()
    with at_most(50):
        closure = ask()
    with at_most(2):
        for _ in range(1000):
            closure.code(*notebooks[0])


def test_a_code_is_plain_and_frozen(tree: Tree) -> None:
    code = tree.code("x = 1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        code.cells = ()  # type: ignore[misc]
