"""The reason why a kernel did not start is what it said last."""

from __future__ import annotations

import pytest

from stagebook.execution.kernels.reasons import MAX_LINE, of_end

ARGV = ["/opt/env/bin/python", "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
NOT_INSTALLED = (
    "ipykernel is not installed for /opt/env/bin/python -S; "
    "'/opt/env/bin/python -S -m pip install ipykernel' installs it"
)


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (1, "/opt/env/bin/python: No module named ipykernel_launcher\n", NOT_INSTALLED),
        (
            1,
            "Traceback (most recent call last):\n  …\nModuleNotFoundError: No module named 'ipykernel'",
            NOT_INSTALLED,
        ),
        (1, "ModuleNotFoundError: No module named 'zmq'\n", NOT_INSTALLED),
        (
            1,
            "  import x\nModuleNotFoundError: No module named 'filetype'\n\n",
            "it ended with exit code 1: ModuleNotFoundError: No module named 'filetype'",
        ),
        (
            1,
            "Error in loadNamespace(x) : there is no package called 'IRkernel'\nCalls: :: -> load\nExecution halted\n",
            "it ended with exit code 1: Error in loadNamespace(x) : there is no package called 'IRkernel'",
        ),
        (2, "usage: kernel FILE\n", "it ended with exit code 2: usage: kernel FILE"),
        (0, "", "it ended with exit code 0"),
        (-9, "", "it was killed by SIGKILL (out of memory?)"),
        (1, "x" * 1000, "it ended with exit code 1: " + "x" * MAX_LINE),
    ],
)
def test_the_reason_is_told(code: int, said: str, reason: str) -> None:
    assert of_end(code, said, ARGV) == reason
