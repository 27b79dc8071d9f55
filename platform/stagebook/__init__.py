"""Stagebook: pipelines of Jupyter notebooks that run truthfully and fast.

from stagebook import Project

with Project.open("path/of/a/project") as project:
    plan = project.plan("flights", {"months": [1, 2]})
    report = project.run("flights", {"months": [1, 2]})
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Imported on first use: `import stagebook` alone, as the worker does it, stays quick.
_HOMES = {
    "AuditReport": "stagebook.notebook.contracts",
    "DatasetHandle": "stagebook.reading",
    "Project": "stagebook.project",
    "RunReport": "stagebook.runs.run",
    "RunRequest": "stagebook.runs.request",
    "Selection": "stagebook.planning.select",
    "StagebookError": "stagebook.errors",
    "Status": "stagebook.events",
    "audit": "stagebook.notebook.contracts",
    "dataset": "stagebook.reading",
}

__all__ = [
    "AuditReport",
    "DatasetHandle",
    "Project",
    "RunReport",
    "RunRequest",
    "Selection",
    "StagebookError",
    "Status",
    "__version__",
    "audit",
    "dataset",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    msg = f"module 'stagebook' has no attribute '{name}'"
    raise AttributeError(msg)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext stagebook`."""
    from stagebook.notebook.magics import load_ipython_extension as load  # noqa: PLC0415 - only in a notebook

    load(shell)
