"""What `import stagebook` offers, held against reality."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stagebook


def test_every_name_of_the_surface_is_there() -> None:
    for name in stagebook.__all__:
        assert getattr(stagebook, name) is not None
    assert stagebook.Project.__module__ == "stagebook.project"
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        stagebook.nope  # noqa: B018


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys, stagebook; print([name for name in sys.modules if name.startswith('stagebook.')])"
    path = stagebook.__path__[0].rsplit("/", maxsplit=1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}, check=True
    )
    assert done.stdout == "[]\n"
