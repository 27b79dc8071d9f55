"""Sources of Databricks and Fabric: Python files whose cells are parted by comments, and whose magics stand in comments.

Databricks: https://docs.databricks.com/aws/en/notebooks/notebook-export-import. Fabric keeps notebooks in Git in the
same manner, with other borders.
"""

from __future__ import annotations

import re
from typing import Any

from stagebook.pipeline.notebook_file import DATABRICKS, PARAMETERS_TAG

_HEAD = re.compile(r"# (?:Databricks|Fabric) notebook source[ \t]*(?:\n|$)")
_BORDER = re.compile(r"^# (COMMAND -{6,}|[A-Z]+(?: CELL)? \*{6,})[ \t]*$", re.MULTILINE)
_MAGIC = re.compile(r"# MAGIC(?: |$)")
_COMMENT = re.compile(r"# ?")
_TEXTS = ("%md", "%%markdown")


def is_source(text: str) -> bool:
    """Whether a script is such a source."""
    return _HEAD.match(text) is not None


def read_source(text: str) -> dict[str, Any]:
    """The notebook that a source stands for, as `notebook_file.repair` returns it."""
    body = _HEAD.sub("", text, count=1)
    parts = _BORDER.split(body)
    found = [
        (border, part.strip("\n").split("\n"))
        for border, part in zip(["", *parts[1::2]], parts[::2], strict=True)
        if part.strip() and not border.startswith("METADATA")
    ]
    cells = [_cell(border, lines) for border, lines in found]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {DATABRICKS: {}}, "cells": cells}


def _cell(border: str, lines: list[str]) -> dict[str, Any]:
    if border.startswith("MARKDOWN"):
        return _text("\n".join(_COMMENT.sub("", line, count=1) for line in lines))
    if all(_MAGIC.match(line) or not line.strip() for line in lines):
        lines = [_MAGIC.sub("", line, count=1) for line in lines]
    source = "\n".join(lines)
    if source.startswith(_TEXTS):
        head, _, rest = source.partition("\n")
        return _text(f"{head.partition(' ')[2]}\n{rest}".strip())
    metadata = {"tags": [PARAMETERS_TAG]} if border.startswith("PARAMETERS") else {}
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}
