from __future__ import annotations

import asyncio

import pytest

from logs.delivery.http_connection import LenientConnector

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
ANSWERS = [
    INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    INTERIM + b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok and more",
    INTERIM + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
]


async def read_in_segments(*segments: bytes) -> tuple[list[int], bytes]:
    """The statuses and the last body that a client sees when the bytes arrive in these segments."""
    connector = LenientConnector()
    protocol = connector._factory()
    protocol.set_response_params()
    for segment in segments:
        protocol.data_received(segment)
    statuses = []
    for _answer in range(2):
        message, body = await protocol.read()
        statuses.append(message.code)
    result = statuses, await body.read()
    await connector.close()
    return result


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_response_is_complete_before_the_bytes_after_it_for_any_segments(answer):
    async def scenario() -> None:
        for cut in range(1, len(answer)):
            assert await read_in_segments(answer[:cut], answer[cut:]) == ([103, 200], b"ok"), answer[:cut]
        assert await read_in_segments(answer) == ([103, 200], b"ok")
        assert await read_in_segments(*(answer[at : at + 1] for at in range(len(answer)))) == ([103, 200], b"ok")

    asyncio.run(scenario())


def test_blank_lines_in_a_body_are_part_of_it():
    body = b"\n\na\r\n\r\nb\n\n\nc\n\nd\n\ne\n\nf\n\n"
    answer = INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert asyncio.run(read_in_segments(answer)) == ([103, 200], body)
