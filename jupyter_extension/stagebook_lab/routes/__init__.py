"""The routes below `/stagebook/`, one module for each resource."""

from __future__ import annotations

from stagebook_lab.routes import environments, pipelines, runs, stages, stream
from stagebook_lab.routes.handler import Handler

ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    *pipelines.ROUTES,
    *runs.ROUTES,
    *stages.ROUTES,
    *environments.ROUTES,
    *stream.ROUTES,
)
