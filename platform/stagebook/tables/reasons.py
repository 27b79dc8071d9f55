"""What a library of tables says that is wrong, in one line."""

from __future__ import annotations

import re

_OF_LINES = (
    "Expected Number of Columns",
    "Invalid unicode",
    "Value with unterminated quote",
    "Maximum line size",
)
_LINE = re.compile(r"CSV Error on Line: (\d+)")


def reason_of(error: BaseException) -> str:
    """What is wrong, in one line of at most 300 characters; of a line of a text file no values."""
    text = str(error).strip().splitlines()
    if text and (place := _LINE.search(text[0])):
        detail = next((line for line in text[1:] if line.startswith(_OF_LINES)), "it cannot be read")
        return f"line {place[1]}: {detail}"[:300]
    first = text[0].removeprefix("Invalid Input Error: ") if text else type(error).__name__
    return first[:300]
