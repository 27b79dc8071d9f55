"""Case kernel-start-message: a kernel that does not start says why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.events import Cause

pytestmark = pytest.mark.kernel


def not_installed_for(program: str) -> str:
    return f"ipykernel is not installed for {program}; '{program} -m pip install ipykernel' installs it"


BROKEN = "raise RuntimeError('a library is broken')"


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            ["/usr/bin/env", "python3", "-S", "-m", "ipykernel_launcher"],
            not_installed_for("/usr/bin/env python3 -S"),
        ),
        (
            [sys.executable, "-S", "-m", "ipykernel_launcher"],
            not_installed_for(f"{sys.executable} -S"),
        ),
        ([sys.executable, "-c", BROKEN], "it ended with exit code 1: RuntimeError: a library is broken"),
        (["/nowhere/python", "-m", "ipykernel_launcher"], "there is no program '/nowhere/python'"),
    ],
)
def test_a_kernel_that_does_not_start_says_why(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, command: list[str], reason: str, *, fork: bool
) -> None:
    spec = {"argv": [*command, "-f", "{connection_file}"], "display_name": "bare", "language": "python"}
    builder.file("share/kernels/bare/kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(builder.root / "share"))
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(fork).lower()}\n")
    builder.pipeline(f"stages:\n  a: {{notebook: {builder.notebook('a', 'x', kernel='bare')}}}")
    record = builder.project.run("p").history.stages["a"]
    assert (record.cause, record.message) == (
        Cause.KERNEL_START,
        f"the kernel 'bare' did not start: {reason}",
    )


def test_a_kernel_of_this_interpreter_whose_library_is_broken_says_why(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.file(
        "lib/sitecustomize.py",
        "import os, sys\nif 'stage_kernel' in ' '.join(sys.orig_argv):\n    os.write(2, b'no\\n')\n    os._exit(1)\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(builder.root / "lib"), prepend=":")
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[run]\nfork = false\n")
    builder.pipeline(f"stages:\n  a: {{notebook: {builder.notebook('a', 'x')}}}")
    record = builder.project.run("p").history.stages["a"]
    assert record.message == "the kernel 'python3' did not start: it ended with exit code 1: no"
    assert Path(builder.root, record.folder, "worker.txt").read_text().strip().endswith("no")
