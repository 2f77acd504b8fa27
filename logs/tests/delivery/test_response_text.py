"""The stored text of a response in any charset and compression. The receiver's bytes come over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from django.urls import reverse

from logs.delivery.http_client import Sender, SendOutcome
from logs.models import Cause

from ..factories import ids_found, make_subscription, make_waiting_log
from ..raw_server import RawServer
from .raw_receiver import LOOPBACK, PAYLOAD, RawReceiver, listening

TEXT = "Petición inválida: código de técnico ñandú"
LATIN_1 = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Length: 42\r\n\r\n" + (
    TEXT.encode("latin-1")
)


def post_to_all(answers: list[bytes]) -> list[SendOutcome]:
    async def scenario() -> list[SendOutcome]:
        outcomes = []
        async with Sender(LOOPBACK) as sender:
            for answer in answers:
                async with listening(RawReceiver(answer)) as receiver:
                    outcomes.append(await sender.post(receiver.url, PAYLOAD, {}))
        return outcomes

    return asyncio.run(scenario())


def answer(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}"))
    return b"HTTP/1.1 400 X\r\n" + lines.encode("latin-1") + b"\r\n" + body


def content_type(charset: str) -> str:
    return f"content-type: text/html;CHARSET={charset}"


def test_a_response_is_read_in_its_charset():
    cases = [
        (LATIN_1, TEXT),
        (answer(TEXT.encode("cp1252"), content_type('"windows-1252"')), TEXT),
        (answer("“5 €” – ñ".encode("cp1252"), content_type("iso-8859-1")), "“5 €” – ñ"),
        (answer("Привет".encode("koi8-r"), content_type("KOI8-R")), "Привет"),
        (answer("日本語".encode("shift_jis"), content_type("Shift_JIS")), "日本語"),
        (answer(TEXT.encode("utf-16-le"), content_type("utf-16le")), TEXT),
        (answer(TEXT.encode("utf-16"), "Content-Type: text/plain"), TEXT),
        (answer(TEXT.encode("utf-8-sig")), TEXT),
        (answer(TEXT.encode()), TEXT),
        (answer(TEXT.encode("latin-1")), TEXT),  # says nothing of itself
        (answer(TEXT.encode("latin-1"), content_type("utf-8")), TEXT),  # says what isn't so
        (answer(TEXT.encode("latin-1"), content_type("punycode")), TEXT),  # none that is decoded
        (answer(TEXT.encode("latin-1"), content_type("nonsense")), TEXT),
        (answer(TEXT.encode() + b"\xff"), TEXT + "\ufffd"),  # one broken byte makes it no Latin 1
        (answer(("x" * 8191 + "ñ").encode()), "x" * 8191),  # no half of a letter where it's cut
        (answer(("x" * 8191 + "ñ").encode(), content_type("utf-8")), "x" * 8191),
    ]
    outcomes = post_to_all([raw for raw, _text in cases])
    assert [outcome.response for outcome in outcomes] == [text for _raw, text in cases]


def test_headers_keep_their_characters():
    latin_1, utf_8 = b"HTTP/1.1 400 X\r\nX-Why: c\xf3digo\r\n\r\n", "HTTP/1.1 400 X\r\nX-Why: código\r\n\r\n".encode()
    assert [outcome.response_headers for outcome in post_to_all([latin_1, utf_8])] == [[("X-Why", "código")]] * 2


def test_a_compressed_response_is_decompressed_and_says_so():
    bare = zlib.compressobj(wbits=-15)
    packed = [
        ("gzip", gzip.compress(TEXT.encode())),
        ("X-GZIP", gzip.compress(TEXT.encode())),
        ("deflate", zlib.compress(TEXT.encode())),
        ("deflate", bare.compress(TEXT.encode()) + bare.flush()),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT.encode()))),
    ]
    outcomes = post_to_all([answer(body, f"Content-Encoding: {encoding}") for encoding, body in packed])
    assert [(outcome.response, outcome.note, outcome.is_truncated) for outcome in outcomes] == [
        (TEXT, f"the response was compressed ({encoding})", False) for encoding, _body in packed
    ]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip", "deflate", "gzip, br", ", ".join(["gzip"] * 9)])
def test_a_response_that_cannot_be_decompressed_shows_no_bytes(encoding):
    [outcome] = post_to_all([answer(b"\x07\x02\x80\xff\x03", f"Content-Encoding: {encoding}")])
    assert (outcome.status, outcome.response) == (400, "")
    assert outcome.note.startswith("the response is compressed (")
    assert outcome.note.endswith("), and can't be shown")


def test_a_small_response_that_expands_to_gigabytes_takes_no_memory():
    thrice = bomb = gzip.compress(b"a" * 40_000_000)
    for _time in range(2):
        thrice = gzip.compress(thrice)
    answers = [answer(bomb, "Content-Encoding: gzip"), answer(thrice, "Content-Encoding: gzip, gzip, gzip")]
    tracemalloc.start()
    outcomes = post_to_all(answers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(outcome.response, outcome.is_truncated) for outcome in outcomes] == [("a" * 8192, True)] * 2
    assert peak < 5_000_000


def test_a_response_in_latin_1_is_shown_and_found_correctly(client, member, deliver):
    server = RawServer(LATIN_1)
    log = make_waiting_log(make_subscription(url=f"http://127.0.0.1:{server.port}/"), attempts_left=1)
    deliver()
    server.close()
    log.refresh_from_db()
    assert (log.status, log.cause, log.response) == (400, Cause.HTTP_4XX, TEXT)
    client.force_login(member("Administrator"))
    assert TEXT in client.get(reverse("logs:webhook_log_response", args=[log.pk])).content.decode()
    assert ids_found("técnico ñandú") == [log.pk]
