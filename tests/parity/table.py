"""What the comparison found: by notebook and way, `the same` or the reasons of what differs."""

from __future__ import annotations

rows: dict[str, dict[str, str]] = {}
