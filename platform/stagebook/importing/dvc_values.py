"""`${name}` of DVC as expressions of a pipeline file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from stagebook.importing.draft import StageDraft, listed

_REFERENCE = re.compile(r"\\?\$\{\s*([^{}]*?)\s*\}")
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*")


class Values:
    """Translates the references of one stage. `items`: what `item` is in it; `wrapped`: whether each is in a mapping with
    its `key`. `used` collects the variables of the file that it refers to."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.items: Literal["", "matrix", "list", "named"] = ""
        self.wrapped = False
        self.used: set[str] = set()
        self._variables = variables

    def text(self, text: str, stage: StageDraft) -> str:
        """A text with expressions; what cannot be translated is noted."""

        def replace(match: re.Match[str]) -> str:
            if match[0].startswith("\\"):
                return "$" + match[0][1:]  # `\\${` is a plain `${` to DVC, as `$${` is here
            expression = self._expression(match[1])
            if expression is None:
                stage.notes.append(f"{match[0]}: no such variable is known")
                return "$" + match[0]
            return f"${{{expression}}}"

        return _REFERENCE.sub(replace, text)

    def listed(self, value: Any, stage: StageDraft) -> Any:
        """The values of an axis."""
        if isinstance(value, str):
            return self.text(value, stage)
        return [self.text(one, stage) if isinstance(one, str) else one for one in listed(value)]

    def looked_up(self, text: str) -> Any:
        """What a text that is one reference stands for; `None` where that is nothing."""
        match = _REFERENCE.fullmatch(text.strip())
        found: Any = self._variables
        for part in match[1].split(".") if match else ("",):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def _expression(self, name: str) -> str | None:
        if not _PATH.fullmatch(name):
            return None
        root = re.split(r"[.\[]", name)[0]
        rest = name.removeprefix(root)
        rest = re.sub(r"\.(\d+)", r"[\1]", rest)
        if root == "item" and self.items:
            return self._item(rest)
        if root == "key" and self.items == "named":
            return "matrix.item.key"
        if root not in self._variables or not root.isidentifier():
            return None
        self.used.add(root)
        return f"params.{root}{rest}"

    def _item(self, rest: str) -> str:
        if self.items == "list":
            return f"item{rest}"
        if self.items == "matrix":
            return f"matrix{rest}"
        return f"matrix.item.value{rest}" if self.wrapped else f"matrix.item{rest}"


def names_of(value: Any) -> set[str]:
    """The roots of all references in a value."""
    match value:
        case str():
            return {re.split(r"[.\[]", name)[0] for name in _REFERENCE.findall(value)}
        case list():
            return set().union(*map(names_of, value))
        case dict():
            return set().union(*map(names_of, value.values()))
    return set()
