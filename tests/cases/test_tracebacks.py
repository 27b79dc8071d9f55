"""Case deep_traceback: what is shown of a failure begins with the line of the cell."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from stagebook.views.failures import excerpt
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel


@EACH_WAY
def test_the_line_of_the_cell_is_shown_however_deep_the_failure_is(builder: ProjectBuilder, way: str) -> None:
    cells = ("import pandas as pd", "first = 1\ntable = pd.read_csv('not_there.csv')  # this line")
    shown = excerpt(execute(builder, way, *cells).record.traceback)
    assert shown[0] == "Cell In[2], line 2"
    assert shown[2].startswith("----> 2 table = pd.read_csv")
    assert shown[-1] == "FileNotFoundError: [Errno 2] No such file or directory: 'not_there.csv'"


@EACH_WAY
def test_a_traceback_that_is_too_long_to_be_kept_whole_has_the_line_of_the_cell(
    builder: ProjectBuilder, way: str
) -> None:
    helper = "\n".join(f"def f{n}(x):\n    return f{n + 1}(x)  # {'long ' * 30}" for n in range(80))
    builder.file("helper.py", f"{helper}\ndef f80(x):\n    return x / 0\n")
    done = execute(builder, way, "import helper", "x = 1\nhelper.f0(x)")
    shown = excerpt(done.record.traceback)
    assert shown[0] == "Cell In[2], line 2"
    assert shown[-1] == "ZeroDivisionError: division by zero"
    assert "return x / 0" in "\n".join(shown)


@EACH_WAY
def test_a_deep_traceback_looks_for_the_module_of_no_frame(builder: ProjectBuilder, way: str) -> None:
    """`inspect` would go through all modules for each frame of a cell, of which a recursion has thousands."""
    done = execute(builder, way, "import inspect\ninspect.getmodule((lambda: 0).__code__).__name__")
    assert done.outputs(0)[0]["data"]["text/plain"] == ["'__main__'"]
