"""Fixtures of the tests of delivery."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult


class NameServer(AbstractResolver):
    """Replaces the resolver of the machine. Each lookup gets the next of `answers`; an exception is raised."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET) -> list[ResolveResult]:
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in answer
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
def name_server(monkeypatch):
    def use(*answers: list[str] | OSError) -> NameServer:
        server = NameServer(*answers)
        monkeypatch.setattr("logs.delivery.ssrf.PooledResolver", lambda: server)
        return server

    return use
