"""The outputs of a pipeline, made at once: the code cells of its notebooks, one after the other, in one
process. What a thousand notebooks would leave is there in seconds; contenders that can be told
that their outputs are up to date begin with these files.

Runs in papermill's own environment, so it imports nothing of this package. `cells.json` in the working
directory says which notebooks, and with which parameters.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Execute the cells."""
    sys.path.insert(0, str(Path.cwd()))
    for step in json.loads(Path("cells.json").read_text(encoding="utf-8")):
        notebook = json.loads(Path(step["notebook"]).read_text(encoding="utf-8"))
        scope: dict[str, object] = {}
        for cell in notebook["cells"]:
            exec(cell["source"], scope)
            if "parameters" in cell["metadata"].get("tags", ()):
                scope |= step["parameters"]


if __name__ == "__main__":
    main()
