"""The environment variables of stage instances: the expressions in them evaluated."""

from __future__ import annotations

from stagebook.pipeline.expressions import ExpressionError, Template
from stagebook.pipeline.model import Location
from stagebook.pipeline.types import Value
from stagebook.pipeline.variables import LOOKS_SECRET, evaluated, looks_secret, templates_in
from stagebook.planning.instances import Instance
from stagebook.planning.scopes import UNKNOWN, Evaluator


def variables_of(instance: Instance, evaluator: Evaluator) -> dict[str, str]:
    """The variables with values of an instance, as texts in which only references to secrets are left. Mistakes are
    reported to the `evaluator`; what mentions the item of a foreach stays as it is where that is still to come."""
    found = {}
    for name, text in instance.stage.variables.items():
        templates = templates_in(text)
        is_open = instance.stands_in and any(template.mentions("item") for template in templates)
        if is_open or not templates:
            found[name] = text
        elif (made := _evaluated(name, text, instance, evaluator)) is not None:
            found[name] = made
    return found


def _evaluated(name: str, text: str, instance: Instance, evaluator: Evaluator) -> str | None:
    place: Location = ("stages", instance.stage.name, "env", name)
    if place not in evaluator.pipeline.positions:
        place = ("defaults", "env", name)

    def value_of(template: Template) -> Value:
        value = evaluator.value(template, place, instance.point)
        if value is UNKNOWN:
            raise _NotKnown
        return value

    report = evaluator.problems.report_once
    try:
        made = evaluated(text, value_of)
    except _NotKnown:
        return None
    except ExpressionError as error:
        report(place, f"the environment variable '{name}': {error}", error.hint)
        return None
    if looks_secret(name, made):
        what, hint = LOOKS_SECRET
        report(place, f"the environment variable '{name}' {what}", hint)
        return None
    return made


class _NotKnown(Exception):
    """A value could not be computed, which is reported, or is not known yet."""
