"""Executes notebooks with papermill alone, in a process of its own: `plain_papermill.py LIST`.

LIST is a JSON file: the project's folder, and of each notebook its name and the values that are passed. Beside each
executed notebook, `papermill/NAME.ipynb`, comes `NAME.json` with how it ended.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import papermill
from papermill.exceptions import PapermillExecutionError


def main() -> None:
    """Execute them one after the other."""
    logging.disable()
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = Path(given["root"])
    for name, values in given["notebooks"]:
        try:
            papermill.execute_notebook(
                str(root / f"notebooks/{name}.ipynb"),
                str(root / f"papermill/{name}.ipynb"),
                parameters=values,
                progress_bar=False,
                cwd=str(root),
                kernel_name="python3",
            )
            end = "completed"
        except PapermillExecutionError as error:
            end = error.ename
        except Exception as error:
            end = f"papermill: {type(error).__name__}"
        (root / f"papermill/{name}.json").write_text(json.dumps(end), encoding="utf-8")


if __name__ == "__main__":
    main()
