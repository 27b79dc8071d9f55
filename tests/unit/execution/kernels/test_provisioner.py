"""Reading from a kernel goes on whenever something is sent to it meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client.session import Session

from stagebook.execution.kernels.provisioner import Channel, Client, Manager


def test_a_message_that_came_while_another_was_sent_is_read(tmp_path: Path) -> None:
    """Case output_widget_hang."""

    async def read() -> str:
        context, other = zmq.asyncio.Context(), zmq.Context()
        dealer, router = context.socket(zmq.DEALER), other.socket(zmq.ROUTER)
        try:
            router.bind(f"ipc://{tmp_path}/k")
            dealer.connect(f"ipc://{tmp_path}/k")
            session = Session(key=b"x")
            channel = Channel(dealer, session)
            channel.send(session.msg("hello"))
            who, *_ = router.recv_multipart()
            reading = asyncio.ensure_future(channel.get_msg())
            await asyncio.sleep(0.1)  # it waits for a message by now
            session.send(router, session.msg("reply"), ident=who)
            while not dealer.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # nobody else is told that it has come
                pass
            channel.send(session.msg("more"))
            message = await asyncio.wait_for(reading, 20)
            return str(message["msg_type"])
        finally:
            dealer.close(linger=0)
            router.close(linger=0)
            context.term()
            other.term()

    assert asyncio.run(read()) == "reply"


def test_the_manager_of_a_stage_makes_such_clients() -> None:
    assert Manager().client_factory is Client
    assert Client().shell_channel_class is Channel
