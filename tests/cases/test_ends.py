"""Case ten-seconds-at-the-end: a stage ends with its last cell, whatever processes its notebook left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.events import Status
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel

# Whoever is killed while it waits runs no exit functions.
LEAVES = "import atexit\natexit.register(lambda: open('left', 'w').close());"
BEHIND = {
    "popen": "import subprocess\nleft = subprocess.Popen(['sleep', '1000'])",
    "own session": "import subprocess\nleft = subprocess.Popen(['sleep', '1000'], start_new_session=True)",
    "ended, and nobody waited": "import subprocess\nleft = subprocess.Popen(['true'])",
    "process": "import multiprocessing, time\nmultiprocessing.Process(target=time.sleep, args=(1000,)).start()",
    "thread that waits for a child": (
        "import subprocess, threading\n"
        "left = subprocess.Popen(['sleep', '1000'])\nthreading.Thread(target=left.wait).start()"
    ),
    "pool": "import multiprocessing\npool = multiprocessing.get_context('spawn').Pool(1)\npool.map(abs, [1]);",
    "forkserver": (
        "from concurrent.futures import ProcessPoolExecutor\nimport multiprocessing\n"
        "pool = ProcessPoolExecutor(1, multiprocessing.get_context('forkserver'))\nlist(pool.map(abs, [1]));"
    ),
    "shared memory": (
        "from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=10)\n"
        "s.close()\ns.unlink()"
    ),
    "joblib": "from joblib import Parallel, delayed\nParallel(n_jobs=2)(delayed(abs)(i) for i in range(3));",
}


@EACH_WAY
@pytest.mark.parametrize("behind", BEHIND)
def test_a_child_that_is_alive_does_not_hold_up_the_end(
    builder: ProjectBuilder, way: str, behind: str
) -> None:
    done = execute(builder, way, LEAVES, BEHIND[behind])
    assert done.end == "completed"
    assert (builder.root / "left").exists()


@EACH_WAY
def test_shared_memory_that_a_notebook_forgot_is_removed(builder: ProjectBuilder, way: str) -> None:
    cell = "from multiprocessing import shared_memory\nprint(shared_memory.SharedMemory(create=True, size=10).name)"
    done = execute(builder, way, cell)
    assert not Path("/dev/shm", done.text(0).strip()).exists()


WAITS = """
import atexit, os, subprocess, sys
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Waits(Kernel):
    implementation, implementation_version, banner = "waits", "1", "waits"
    language_info = {"name": "waits", "mimetype": "text/plain", "file_extension": ".txt"}

    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False):
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

    async def do_shutdown(self, restart):
        open("asked", "w").close()
        subprocess.run(["sleep", "7"])
        open("waited", "w").close()
        return {"status": "ok", "restart": restart}

IPKernelApp.launch_instance(kernel_class=Waits)
"""


def test_a_kernel_of_another_kind_that_waits_for_something_is_not_waited_for(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = builder.file("share/kernel.py", WAITS)
    argv = [sys.executable, str(script), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Waits", "language": "waits"}
    builder.file("share/kernels/waits/kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(builder.root / "share"))
    builder.without_tracking()
    builder.notebook("a", "x", kernel="waits", language="waits")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    assert builder.project.run("p").status is Status.COMPLETED
    assert (builder.root / "asked").exists()
    assert not (builder.root / "waited").exists()


@EACH_WAY
def test_what_is_left_to_do_at_the_exit_is_done(builder: ProjectBuilder, way: str) -> None:
    busy = "import time\ndef work():\n    time.sleep(2)\n    open('done', 'w').close()\n"
    execute(builder, way, f"{busy}import threading\nthreading.Thread(target=work).start()")
    assert (builder.root / "done").exists()
