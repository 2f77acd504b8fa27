"""Fixtures of the tests of delivery."""

from __future__ import annotations

import asyncio
import socket

import pytest


class NameServer:
    """Replaces the resolver of the machine. Each lookup gets the next of `answers`; an exception is raised."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int) -> list[tuple]:
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

    def close(self) -> None:
        pass


@pytest.fixture
def name_server(monkeypatch):
    def use(*answers: list[str] | OSError) -> NameServer:
        server = NameServer(*answers)
        monkeypatch.setattr("logs.delivery.name_lookup.PooledResolver", lambda: server)
        return server

    return use
