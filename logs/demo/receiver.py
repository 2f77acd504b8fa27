"""The demo's receiver: a small HTTP server on loopback that accepts events and can be made to fail. Not for production."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from html import escape

from aiohttp import web

from .documents import DOWN_PAGE

MAX_KEPT_REQUESTS = 200
HANG_SECONDS = 60
ANSWER_CHOICES = {
    "200": "Answer 200: received",
    "409": "Answer 409: refused",
    "500": "Answer 500: server error",
    "hang": "Don't answer",
    "close": "Close the connection",
}


class DemoReceiver:
    """Answers every POST with the chosen answer, and keeps the last requests."""

    def __init__(self) -> None:
        self.answer = "200"
        self.requests: deque[tuple[datetime, str, str, int, str]] = deque(maxlen=MAX_KEPT_REQUESTS)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=32 * 1024 * 1024)
        application.router.add_get("/", self.show)
        application.router.add_get("/favicon.ico", self.no_icon)
        application.router.add_post("/answer", self.choose)
        application.router.add_post("/{name:.+}", self.receive)
        return application

    async def receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "-")
        self.requests.appendleft((datetime.now(), request.path, webhook_id, len(body), self.answer))
        if self.answer == "hang":
            await asyncio.sleep(HANG_SECONDS)
        if self.answer == "close" and request.transport:
            request.transport.abort()
        if self.answer == "500":
            return web.Response(status=500, text=DOWN_PAGE, content_type="text/html")
        return web.json_response({"received": webhook_id}, status=int(self.answer) if self.answer.isdigit() else 200)

    async def choose(self, request: web.Request) -> web.Response:
        answer = (await request.post()).get("answer")
        if answer not in ANSWER_CHOICES:
            raise web.HTTPBadRequest(text=f"Unknown answer. Known: {', '.join(ANSWER_CHOICES)}\n")
        self.answer = str(answer)
        raise web.HTTPSeeOther("/")

    async def no_icon(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def show(self, request: web.Request) -> web.Response:
        buttons = "".join(
            f'<button name="answer" value="{value}"{" disabled" if value == self.answer else ""}>{text}</button> '
            for value, text in ANSWER_CHOICES.items()
        )
        rows = "".join(
            f"<tr><td>{at:%H:%M:%S}<td>{escape(path)}<td><code>{escape(webhook_id)}</code><td>{size} bytes<td>{answer}"
            for at, path, webhook_id, size, answer in self.requests
        )
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>Demo receiver</title><body><h1>Demo receiver</h1>"
            f"<p>Current answer to every event: <b>{ANSWER_CHOICES[self.answer]}</b>.</p>"
            f'<form method="post" action="/answer">{buttons}</form>'
            f"<h2>Received</h2><table border cellpadding=4><tr><th>At<th>Path<th>webhook-id<th>Size<th>Answer{rows}</table>"
        )
        return web.Response(text=page, content_type="text/html")
