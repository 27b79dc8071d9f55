"""The routes below `/stagebook/`, one module for each resource."""

from __future__ import annotations

from stagebook_lab.routes import (
    authoring,
    backfills,
    environments,
    figures,
    files,
    incidents,
    pipelines,
    runs,
    schedules,
    stages,
    stream,
    timeline,
)
from stagebook_lab.routes.handler import Handler

ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    *pipelines.ROUTES,
    *runs.ROUTES,
    *stages.ROUTES,
    *authoring.ROUTES,
    *environments.ROUTES,
    *schedules.ROUTES,
    *timeline.ROUTES,
    *backfills.ROUTES,
    *incidents.ROUTES,
    *figures.ROUTES,
    *files.ROUTES,
    *stream.ROUTES,
)
