"""Stagebook in JupyterLab: the side of Jupyter Server.

Nothing of Jupyter is imported before Jupyter Server asks for the extension.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads; it asks for this name."""
    from stagebook_lab.extension import StagebookLab  # noqa: PLC0415 - only inside Jupyter Server

    return [{"module": "stagebook_lab", "app": StagebookLab}]
