from __future__ import annotations

import pytest

from logs.delivery.http_response import RawResponse, ResponseReader

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
ANSWERS = [
    INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    INTERIM + b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok and more",
    INTERIM + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
]


def read_in_segments(*segments: bytes) -> tuple[int | None, bytes]:
    """The status and the body that the sender sees when the bytes arrive in these segments."""
    reader = ResponseReader(RawResponse())
    for segment in segments:
        if not reader.is_done:
            reader.feed(segment)
    assert reader.is_done
    return reader.response.status, bytes(reader.response.body)


@pytest.mark.parametrize("answer", ANSWERS)
def test_wherever_segments_end_the_answer_is_seen_before_what_comes_after_it(answer):
    for cut in range(1, len(answer)):
        assert read_in_segments(answer[:cut], answer[cut:]) == (200, b"ok"), answer[:cut]
    assert read_in_segments(answer) == (200, b"ok")
    assert read_in_segments(*(answer[at : at + 1] for at in range(len(answer)))) == (200, b"ok")


def test_blank_lines_in_a_body_are_part_of_it():
    body = b"\n\na\r\n\r\nb\n\n\nc\n\nd\n\ne\n\nf\n\n"
    answer = INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert read_in_segments(answer) == (200, body)
