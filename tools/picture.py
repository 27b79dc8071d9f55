"""Draw `docs/images/run.svg`: a run as a terminal shows it, `python tools/picture.py`.

The run was recorded: `docs/images/run.jsonl` holds the events of a run of the reference pipeline,
up to a moment in the middle of it. They go through the same functions as those of a live run.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from stagebook.event_reading import from_json
from stagebook.events import RunStarted
from stagebook.journal.history import RunHistory
from stagebook.views import tables

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "images" / "run.jsonl"
PICTURE = ROOT / "docs" / "images" / "run.svg"
WIDTH = 110  # columns
LATER = 1.2  # seconds from the last event of the record to the moment that is drawn


def draw() -> str:
    """The picture as SVG. It names no font that would have to be fetched."""
    events = [from_json(json.loads(line)) for line in RECORD.read_text(encoding="utf-8").splitlines()]
    history = RunHistory(events)
    started = history.started
    assert isinstance(started, RunStarted)
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        highlight=False,
    )
    console.print(Text.assemble(("$ ", "dim"), (f"stagebook run {started.pipeline}", "bold")))
    head = f"  run {started.run}, {started.jobs} at a time"
    console.print(Text.assemble((started.pipeline, "bold"), head))
    console.print(tables.progress_table(history, events[-1].at + LATER))
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = form.replace(
        "Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    )
    form = re.sub(r"\s*<!--.*?-->", "", form)
    return console.export_svg(
        title="stagebook", theme=DIMMED_MONOKAI, code_format=form, unique_id="stagebook-run"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
