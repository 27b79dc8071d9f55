"""Routes about incidents: listing them, and acknowledging, noting and closing."""

from __future__ import annotations

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.present import Paths
from stagebook_lab.queries.incidents import act, incident_reply, incidents_reply, open_incidents_reply
from stagebook_lab.routes.handler import Handler, executes, reads

INCIDENT = r"incidents/(?P<incident>[0-9a-f]{1,64})"


class IncidentsHandler(Handler):
    """`GET incidents?project=&environment=`."""

    @reads
    async def get(self) -> None:
        """The incidents of an environment."""
        self.only_watch()
        environment = self.environment
        await self.answer_about(lambda project, _: incidents_reply(project, environment))


class OpenIncidentsHandler(Handler):
    """`GET incidents/open?project=`."""

    @reads
    async def get(self) -> None:
        """How many are open, in each environment."""
        self.only_watch()
        await self.answer_about(lambda project, _: open_incidents_reply(project))


class IncidentHandler(Handler):
    """`GET incidents/ID?project=&environment=`, and `POST incidents/ID`."""

    @reads
    async def get(self, incident: str) -> None:
        """One, with all that happened to it."""
        environment = self.environment
        await self.answer_about(lambda project, _: incident_reply(project, environment, incident))

    @executes
    async def post(self, incident: str) -> None:
        """Acknowledge it, note something on it, or close it."""
        by = self.asker.user

        def work(project: Project, _: Paths, request: wire.IncidentRequest) -> wire.IncidentReply:
            return act(project, incident, request, by)

        await self.post_about(wire.IncidentRequest, work)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("incidents", IncidentsHandler),
    ("incidents/open", OpenIncidentsHandler),
    (INCIDENT, IncidentHandler),
)
