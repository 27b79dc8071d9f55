"""Case bang-python-is-another: `!python`, `!pip` and subprocesses are those of the kernel's environment."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from building import ProjectBuilder
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel

CELLS = (
    "import sys, subprocess, shutil\nask = 'import sys; print(sys.prefix)'",
    "found = !python -c '{ask}'\nassert found == [sys.prefix], found",
    "found = !pip --version\nassert sys.prefix in found[0], found",
    "assert subprocess.check_output(['python3', '-c', ask], text=True).strip() == sys.prefix",
    "%%bash\npython -c 'import sys; print(sys.prefix)'",
    "%%script python\nimport sys\nprint(sys.prefix)",
    "%env STAGEBOOK_STAGE",
)


@EACH_WAY
def test_the_python_of_the_kernel_is_the_one_that_is_found(
    builder: ProjectBuilder, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = builder.root / "others"
    others.mkdir()
    for name in ("python", "python3"):
        (others / name).symlink_to(os.path.realpath(sys.executable))
    folder = os.path.dirname(sys.executable)
    rest = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != folder]
    monkeypatch.setenv("PATH", os.pathsep.join([str(others), *rest]))
    assert shutil.which("python") != sys.executable
    done = execute(builder, way, *CELLS)
    assert done.end == "completed"
    assert (done.text(4), done.text(5)) == (f"{sys.prefix}\n", f"{sys.prefix}\n")


@EACH_WAY
def test_the_rest_of_the_path_stays(builder: ProjectBuilder, way: str) -> None:
    done = execute(builder, way, "import os\nprint(os.environ['PATH'].split(':')[-1], end='')")
    assert done.text(0) == os.environ["PATH"].split(os.pathsep)[-1]
