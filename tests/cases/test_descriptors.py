"""Case last-cell-output-lost: what C code and child processes write to the descriptors is an output like any other."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel

LARGE = 5_000_000  # bytes, many times what a pipe holds
WRITERS = {
    "a shell": ("import os\nos.system('echo MARK');", "MARK\n", ""),
    "the descriptor": ("import os\nos.write(1, b'MARK\\n'); os.write(2, b'ERROR\\n');", "MARK\n", "ERROR\n"),
    "the C library": ("import ctypes\nctypes.CDLL(None).puts(b'MARK');", "MARK\n", ""),
    "its number": ("import os, sys\nos.write(sys.stdout.fileno(), b'MARK\\n');", "MARK\n", ""),
    "a child with our stream": (
        "import subprocess, sys\nsubprocess.run('echo MARK; echo ERROR >&2', shell=True, stdout=sys.stdout, stderr=sys.stderr);",
        "MARK\n",
        "ERROR\n",
    ),
    "its own file on the number": (
        "import os, sys\nwith os.fdopen(os.dup(sys.stdout.fileno()), 'w') as file:\n    print('MARK', file=file)",
        "MARK\n",
        "",
    ),
    "much": (
        f"import os\nos.system('head -c {LARGE} /dev/zero | tr \"\\\\0\" x; echo; echo MARK');",
        "MARK\n",
        "",
    ),
    "half a character": ("import os\nos.write(1, b'\\xc3'); os.write(1, b'\\xa9MARK\\n');", "éMARK\n", ""),
}


@EACH_WAY
@pytest.mark.parametrize("writer", WRITERS)
def test_what_the_last_cell_writes_to_a_descriptor_is_kept(
    builder: ProjectBuilder, way: str, writer: str
) -> None:
    cell, output, error = WRITERS[writer]
    done = execute(builder, way, "1;", cell)
    assert done.end == "completed"
    if writer == "much":
        assert done.log == "x" * LARGE + "\nMARK\n"
    else:
        assert (done.text(1), done.text(1, "stderr")) == (output, error)


@EACH_WAY
def test_each_cell_has_what_was_written_in_it(builder: ProjectBuilder, way: str) -> None:
    cells = [f"import os\nos.system('echo {number}');" for number in range(40)]
    done = execute(builder, way, *cells)
    assert [done.text(number) for number in range(40)] == [f"{number}\n" for number in range(40)]
