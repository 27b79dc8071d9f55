"""Routes about the runs of a pipeline over time: a grid, a calendar, and a stage of a run."""

from __future__ import annotations

from stagebook_lab.queries.timeline import RUNS, calendar_reply, grid_reply, stage_of_run_reply, times_reply
from stagebook_lab.routes.handler import Handler, reads


class GridHandler(Handler):
    """`GET grid?project=&pipeline=&environment=&limit=&since=&until=`."""

    @reads
    async def get(self) -> None:
        """The latest runs with the status of each stage; those that began within a stretch of time."""
        self.only_watch()
        pipeline, environment = self.text("pipeline"), self.environment
        await self.answer_about(
            lambda project, _: grid_reply(
                project,
                pipeline,
                environment,
                self.number("limit", RUNS),
                (self.moment("since"), self.moment("until")),
            )
        )


class CalendarHandler(Handler):
    """`GET calendar?project=&pipeline=&environment=&period=&count=`."""

    @reads
    async def get(self) -> None:
        """The last days or months: how many runs ended how, and which intervals lack a run."""
        self.only_watch()
        pipeline, environment = self.text("pipeline"), self.environment
        period = self.text("period") or "day"
        await self.answer_about(
            lambda project, _: calendar_reply(project, pipeline, environment, period, self.number("count", 0))
        )


class StageOfRunHandler(Handler):
    """`GET grid/stage?project=&environment=&run=&stage=`."""

    @reads
    async def get(self) -> None:
        """A stage of a run, in any environment."""
        environment, run, stage = self.environment, self.text("run"), self.text("stage")
        await self.answer_about(lambda project, _: stage_of_run_reply(project, environment, run, stage))


class TimesHandler(Handler):
    """`GET grid/run?project=&environment=&run=`."""

    @reads
    async def get(self) -> None:
        """The stages of a run over time, in any environment."""
        environment, run = self.environment, self.text("run")
        await self.answer_about(lambda project, _: times_reply(project, environment, run))


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("grid", GridHandler),
    ("grid/stage", StageOfRunHandler),
    ("grid/run", TimesHandler),
    ("calendar", CalendarHandler),
)
