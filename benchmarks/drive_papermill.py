"""The loop that a person would write around papermill: notebooks, one after the other, in one process.

Runs in papermill's own environment, so it imports nothing of this package. `plan.json` in the working
directory says what to execute; `calls.json` gets the seconds of each `execute_notebook` call, which
in a process that has papermill imported is papermill's overhead.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import papermill


def main() -> None:
    """Execute the plan."""
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    calls = []
    for step in plan["steps"]:
        began = time.perf_counter()
        papermill.execute_notebook(
            step["notebook"],
            step["executed"],
            parameters=step["parameters"],
            progress_bar=False,  # papermill at its quickest
            **plan["options"],
        )
        calls.append(time.perf_counter() - began)
    Path("calls.json").write_text(json.dumps(calls), encoding="utf-8")


if __name__ == "__main__":
    main()
