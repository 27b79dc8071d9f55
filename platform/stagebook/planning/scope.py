"""What an expression sees as `stages`: the scraps of the stages, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.definition.expressions import Template


def stages_named(*templates: Template | None) -> set[str]:
    """The names of the stages whose scraps these refer to."""
    return {
        reference[1]
        for template in templates
        if template is not None
        for reference in template.references
        if reference[0] == "stages"
    }


def scrap_scope(
    instances: Iterable[tuple[str, str, bool]], scraps: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """`{stage: {"scraps": {name: value}}}` of the instances, given as (stage, id, one of several).

    Of a stage with a matrix or foreach a list of values in its order, for the names that every
    instance has: a list with gaps would be taken for a shorter one.
    """
    scope: dict[str, Any] = {}
    points: dict[str, list[Mapping[str, Any]]] = {}
    for stage, name, many in instances:
        known = scraps.get(name)
        if many:
            points.setdefault(stage, []).append(known or {})
        elif known is not None:
            scope[stage] = {"scraps": known}
    for stage, found in points.items():
        shared = set(found[0]).intersection(*found[1:])
        lists = {key: [one[key] for one in found] for key in found[0] if key in shared}
        scope[stage] = {"scraps": lists}
    return scope
