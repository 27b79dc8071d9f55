"""What a person sees of a traceback first: the line of their own that failed, and what went wrong."""

from __future__ import annotations

import dataclasses
import re

from stagebook.views.formatting import plain

MAX_LINES = 12  # of a traceback that is shown whole
_MAX_MESSAGE = 4  # lines
_AROUND = 1  # lines of code before and after the one that failed
# IPython's headers of frames, of this and of earlier versions.
_CELL = re.compile(r"\s*(?:Cell In ?|Input In ?|<ipython-input-|.*/ipykernel_\d+/)")
_FRAME = re.compile(
    r"(?:Cell In ?\[|Input In ?\[|<ipython-input-|File \S|[~/.]\S*\.py in \S|/\S*/ipykernel_\d+/)"
)
_ARGUMENTS = re.compile(r"(, in [\w.<>]+)\(.*\)$")
_ARROW = re.compile(r"\s*-+> ?\d+")
_NEXT = re.compile(r"(?:During handling of the above exception|The above exception was the direct cause)")
_OF_LIBRARIES = re.compile(r"/(?:site|dist)-packages/|/lib/python3[.\d]*/|<frozen |/stagebook/execution/")


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    head: str
    code: tuple[str, ...]

    @property
    def is_of_cell(self) -> bool:
        return _CELL.match(self.head) is not None

    @property
    def is_own(self) -> bool:
        return self.is_of_cell or not _OF_LIBRARIES.search(self.head)

    @property
    def lines(self) -> list[str]:
        """The header without arguments, and the line that is the next call with those around it."""
        head = _ARGUMENTS.sub(r"\1(…)", self.head)
        at = next((number for number, line in enumerate(self.code) if _ARROW.match(line)), None)
        if at is None:
            return [head, *self.code[:_AROUND]]
        return [head, *self.code[max(0, at - _AROUND) : at + _AROUND + 1]]


def excerpt(traceback: str) -> list[str]:
    """The lines of a traceback to show: all of a short one, and else the frame of the cell, the last one that is of
    the project, the last one, and the message."""
    lines = [line for line in plain(traceback).splitlines() if line.strip()]
    if len(lines) <= MAX_LINES:
        return lines
    frames, message = _read(lines)
    if not frames:
        return lines[-MAX_LINES:]
    cell = max((at for at, frame in enumerate(frames) if frame.is_of_cell), default=None)
    first = next((at for at, frame in enumerate(frames) if frame.is_of_cell), None)
    own = max((at for at, frame in enumerate(frames) if frame.is_own), default=None)
    shown = sorted({at for at in (first, cell, own, len(frames) - 1) if at is not None})
    found: list[str] = []
    for before, at in zip([-1, *shown], shown, strict=False):
        if at > before + 1:
            found.append(_left_out(at - before - 1))
        found += frames[at].lines
    return found + message


def _read(lines: list[str]) -> tuple[list[_Frame], list[str]]:
    """The frames of the last exception, or of the one before it that has a cell's, and its message."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if _NEXT.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    message = _message(parts[-1])
    for part in reversed(parts):
        frames = _frames(part)
        if any(frame.is_of_cell for frame in frames):
            return frames, message
    return _frames(parts[-1]), message


def _frames(lines: list[str]) -> list[_Frame]:
    frames: list[_Frame] = []
    for line in lines[: len(lines) - len(_message(lines))]:
        if _FRAME.match(line.strip()):
            frames.append(_Frame(line, ()))
        elif frames:
            frames[-1] = _Frame(frames[-1].head, (*frames[-1].code, line))
    return frames


def _message(lines: list[str]) -> list[str]:
    """The lines at the end that begin with the name of the exception."""
    starts = [at for at, line in enumerate(lines) if re.match(r"[A-Za-z_][\w.]*(?:: |$)", line)]
    after = [at for at, line in enumerate(lines) if _FRAME.match(line.strip()) or _ARROW.match(line)]
    begin = next((at for at in starts if at > max(after, default=-1)), len(lines) - 1)
    return lines[begin:][:_MAX_MESSAGE]


def _left_out(count: int) -> str:
    return f"   … {count} more {'call' if count == 1 else 'calls'} in between"
