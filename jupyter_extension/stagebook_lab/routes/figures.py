"""The route about figures of a pipeline in an environment."""

from __future__ import annotations

from stagebook.evidence import DAYS
from stagebook_lab.queries.figures import figures_reply
from stagebook_lab.routes.handler import Handler, reads


class FiguresHandler(Handler):
    """`GET figures?project=&pipeline=&environment=&days=`."""

    @reads
    async def get(self) -> None:
        """How much work, how often it breaks, how fast change reaches production; with a long history it takes seconds."""
        pipeline, environment = self.text("pipeline"), self.text("environment")
        await self.answer_about(
            lambda project, _: figures_reply(project, pipeline, environment, self.number("days", DAYS))
        )


ROUTES: tuple[tuple[str, type[Handler]], ...] = (("figures", FiguresHandler),)
