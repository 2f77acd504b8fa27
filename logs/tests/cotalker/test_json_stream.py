import gzip
import json
import tracemalloc
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logs.cotalker import json_stream
from logs.cotalker.json_stream import RawDocument, iter_documents
from logs.cotalker.unpacking import UnreadableFile

ONE, TWO, THREE = (
    {"_id": 1, "event": {"a": [{"b": "}]{["}]}},
    {"_id": 2, "event": {"a": []}},
    {"_id": 3, "s": 'é \\" {'},
)
ALL = [ONE, TWO, THREE]


def chunked(data: bytes, size: int):
    return (data[start : start + size] for start in range(0, len(data), size))


def pieces(data: bytes, size: int = 1 << 20) -> list[RawDocument]:
    return list(iter_documents(chunked(data, size)))


def documents(data: bytes) -> list:
    return [json.loads(piece.data) for piece in pieces(data)]


def pretty(value) -> str:
    return json.dumps(value, indent=2)


FILES = {
    "NDJSON": "\n".join(map(json.dumps, ALL)),
    "NDJSON that ends with a line break": "".join(json.dumps(document) + "\n" for document in ALL),
    "NDJSON of Windows": "".join(json.dumps(document) + "\r\n" for document in ALL),
    "one after another on a line": "".join(map(json.dumps, ALL)),
    "pretty-printed, one after another": "\n".join(map(pretty, ALL)),
    "a JSON array": json.dumps(ALL),
    "a pretty-printed array": pretty(ALL),
    "an array, a document a line": "[\n" + ",\n".join(map(json.dumps, ALL)) + "\n]\n",
    "arrays one after another": json.dumps(ALL[:1]) + "\n" + pretty(ALL[1:]),
    "with a byte order mark": "\ufeff" + pretty(ALL),
    "files with a byte order mark each": "\ufeff" + pretty(ONE) + "\r\n\ufeff" + json.dumps(ALL[1:]),
    "an answer": json.dumps({"data": ALL}),
    "an answer with a count": pretty(
        {"count": 3, "data": {"of": "logs", "logs": ALL, "count": 3}, "more": {"a": ["]}"]}}
    ),
    "answers one after another": json.dumps({"logs": ALL[:1], "x": {}})
    + json.dumps({"data": []})
    + pretty({"items": ALL[1:]}),
    "an answer and a document": json.dumps({"results": ALL[:2]}) + "\n" + pretty(THREE),
    "after empty lines": "\n\n  \n" + pretty(ALL),
    "each behind a record separator": "".join(f"\x1e{json.dumps(document)}\n" for document in ALL),
    "pretty-printed, each behind a record separator": "".join(f"\x1e{pretty(document)}\n" for document in ALL),
    "with record separators between them": "\x1e".join(map(json.dumps, ALL)),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_documents_are_read_in_every_layout(text, size):
    assert [json.loads(piece.data) for piece in pieces(text.encode(), size)] == ALL
    packed = gzip.compress(text.encode())
    assert [json.loads(piece.data) for piece in pieces(packed, size)] == ALL
    assert [json.loads(piece.data) for piece in pieces(gzip.compress(packed), size)] == ALL


def test_a_document_that_is_not_closed_ends_at_a_record_separator():
    result = pieces(b'\x1e{"a": [1, "x\n\x1e{"b": 2}\n')
    assert [(piece.data, piece.line) for piece in result] == [(b'{"a": [1, "x', 1), (b'{"b": 2}', 2)]


def test_a_file_that_is_compressed_three_times_is_rejected():
    packed = gzip.compress(gzip.compress(gzip.compress(json.dumps(ALL).encode())))
    with pytest.raises(UnreadableFile, match="it is compressed more than twice; unpack it first"):
        pieces(packed)


def test_a_single_object_is_a_document():
    assert documents(pretty(ONE).encode()) == [ONE]


@pytest.mark.parametrize("text", ["", " \n", "[]", "[\n]\n", "\ufeff"])
def test_empty_input_has_no_documents(text):
    assert pieces(text.encode()) == []


def test_places_are_document_number_and_line():
    text = pretty(ONE) + "\n\n" + json.dumps(TWO) + json.dumps(THREE) + "\n" + json.dumps(ONE)
    length = pretty(ONE).count("\n") + 1
    assert [(p.number, p.line) for p in pieces(text.encode())] == [
        (1, 1),
        (2, length + 2),
        (3, length + 2),
        (4, length + 3),
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_brackets_and_quotes_in_comments_are_ignored(size):
    text = b'{"a": 1, // {"\n "url": "http://x", /* [ " \n{ */ "b": 2,}'
    assert [piece.data for piece in pieces(text + b"\n" + json.dumps(ONE).encode(), size)] == [
        text,
        json.dumps(ONE).encode(),
    ]


@pytest.mark.parametrize("text", ['{"_id": 1, "data": [{}]}', '{"tags": [{}], "_id": 2}'])
def test_a_document_with_a_list_is_not_an_api_response(text):
    assert [piece.data for piece in iter_documents([text.encode()])] == [text.encode()]


def test_a_document_keeps_its_bytes():
    text = '{"n": 1.10,  "e":1e2,\r\n "u": "\\u00e9"}'
    assert pieces(f"[ {text} , {text}\n]".encode())[1].data == text.encode()


BROKEN = {
    "a line that breaks off in an object": '{"_id": 1, "event": {"a": 1',
    "a line that breaks off in a string": '{"_id": 1, "event": {"a": "b',
    "a line that breaks off in a string with a bracket": '{"_id": 1, "event": {"a": "b}}',
    "a line that breaks off in a string in an array": '{"_id": 1, "event": {"a": ["b", "c}',
    "a line that breaks off after a backslash": '{"_id": 1, "event": "b\\',
    "a missing bracket": '{"_id": 1, "event": {"a": [1}}',
    "a missing brace": '{\n  "_id": 1,\n  "event": {\n    "a": 1\n}',
    "a quote that is not closed": '{\n  "_id": 1,\n  "event": "x,\n  "a": {"b": 2}\n}',
    "a quote too few on one line": '{"_id": 1, "event: {"a": ["b"]}}',
    "a trailing comma": '{\n  "_id": 1,\n  "event": {"a": 1},\n}',
    "no comma between fields": '{"_id": 1 "event": {"a": 1}}',
    "a single word": "oops",
    "a log line": "2022-05-05 20:04:40 it's broken: \"x",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_a_broken_document_is_one_piece_and_the_next_ones_come_out(broken, size):
    result = pieces("\n".join([json.dumps(TWO), broken, json.dumps(TWO), json.dumps(THREE)]).encode(), size)
    assert [piece.data.decode() for piece in result] == [json.dumps(TWO), broken, json.dumps(TWO), json.dumps(THREE)]
    with pytest.raises(ValueError):
        json.loads(result[1].data)
    assert [(piece.number, piece.line) for piece in result[:3]] == [(1, 1), (2, 2), (3, 3 + broken.count("\n"))]


def test_a_document_broken_in_a_pretty_printed_array_is_one_piece():
    lines = pretty(ALL).splitlines()
    del lines[lines.index("  },") - 1]  # the brace that closes the event of the first
    result = pieces("\n".join(lines).encode())
    assert [json.loads(piece.data) for piece in result[1:]] == [TWO, THREE]
    assert json.loads(result[0].data + b"}") == ONE


def test_the_last_document_may_look_like_an_element_of_a_broken_array():
    result = pieces(f'{{"_id": 1, "a": ["b",\n{json.dumps(TWO)}\n'.encode())
    assert result[0] == RawDocument(1, 1, b'{"_id": 1, "a": ["b"', "a bracket or a quote is not closed")
    assert json.loads(result[1].data) == TWO


@pytest.mark.parametrize("size", [1, 40, 75, 1 << 20])
def test_a_line_cut_after_a_comma_of_an_array_does_not_swallow_the_others(size):
    text = f'{json.dumps(ONE)}\n{{"_id": 1, "a": ["b",\n{json.dumps(TWO)}\n{json.dumps(THREE)}\n'
    result = pieces(text.encode(), size)
    assert result[1] == RawDocument(2, 2, b'{"_id": 1, "a": ["b"')
    assert [json.loads(result[index].data) for index in (0, 2, 3)] == ALL


def test_objects_at_line_starts_within_an_array_are_not_documents():
    text = '{"_id": 1, "a": [\n{"b": 1},\n{"b": 2}\n], "c":\n{"d": 3}}'
    assert documents(f"{text}\n{text}".encode()) == [json.loads(text)] * 2


def test_a_truncated_file_is_reported():
    result = pieces(pretty(ALL).encode()[:-8])
    assert [piece.problem for piece in result] == [
        "",
        "",
        "a bracket or a quote is not closed",
        "the array is not closed; the end of the file seems to be missing",
    ]


def test_an_array_among_documents_is_one_piece():
    assert documents(b'[{"a": 1}, [{"b": 2}], {"c": 3}]') == [{"a": 1}, [{"b": 2}], {"c": 3}]


MESSY = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"', "\\", ",", ":", "\n", "\r\n", " ", "  ", "\n{", "\n  {", '"a":', "1", "é"]
    ),
    max_size=40,
).map("".join)


@given(MESSY, st.integers(1, 9))
@example('  {"a": ["x\n  {"b":1}\n', 1)
@example('{"a\\', 1)
def test_pieces_do_not_depend_on_chunks(text, size):
    data = text.encode()
    assert pieces(data, size) == pieces(data)
    assert pieces(gzip.compress(data), size) == pieces(data)


@given(MESSY)
def test_every_byte_except_separators_is_in_a_piece(text):
    def essential(data: bytes) -> bytes:
        return bytes(byte for byte in data if byte not in b" \r\n,[]")

    assert essential(b"".join(piece.data for piece in pieces(text.encode()))) == essential(text.encode())


class TestLimit:
    @pytest.fixture(autouse=True)
    def limit(self, monkeypatch):
        monkeypatch.setattr(json_stream, "DOCUMENT_LIMIT", 1000)

    @pytest.mark.parametrize("size", [1, 300, 1 << 20])
    @pytest.mark.parametrize("long", ['{"a": "' + "x" * 1000 + '"}', '{"a":\n"' + "x" * 1000 + '"}', "x" * 1200])
    def test_a_document_over_the_limit_is_cut_and_the_next_are_read(self, long, size):
        result = pieces(f"{json.dumps(TWO)}\n{long}\n{json.dumps(TWO)}\n".encode(), size)
        assert json.loads(result[0].data) == json.loads(result[-1].data) == TWO
        assert len(result[1].data) == 1000
        assert result[1].problem in ("not a JSON object", "longer than 0 MiB, or a bracket is not closed")

    def test_a_document_of_exactly_the_limit_is_read(self):
        fits = '{"a": "' + "x" * 991 + '"}'
        assert [piece.data for piece in pieces(f"{fits}\n{fits}".encode())] == [fits.encode()] * 2
        assert pieces(f"[{fits}]".encode())[0].problem == ""


class TestGzip:
    def test_several_members_are_one_file(self):
        packed = b"".join(gzip.compress(json.dumps(document).encode()) for document in ALL)
        for size in (1, 50, 1 << 20):
            assert [json.loads(piece.data) for piece in pieces(packed, size)] == ALL
        assert [json.loads(piece.data) for piece in pieces(packed + b"\0" * 512)] == ALL

    def test_a_truncated_file_is_an_error_after_what_was_read(self):
        packed = gzip.compress("\n".join(map(json.dumps, ALL)).encode())
        result = []
        with pytest.raises(UnreadableFile, match="the gzip data ends early; the file is incomplete"):
            result.extend(iter_documents([packed[:-9]]))
            raise AssertionError(result)

    @pytest.mark.parametrize("left", [4, 8, 9])
    def test_documents_before_the_damage_are_read(self, left):
        lines = "".join(json.dumps(document) + "\n" for document in ALL) + "x" * 50
        result = []
        with pytest.raises(UnreadableFile):
            for piece in iter_documents([gzip.compress(lines.encode())[:-left]]):
                result.append(json.loads(piece.data))
        assert result == ALL

    def test_damage_is_an_error(self):
        packed = bytearray(gzip.compress(json.dumps(ALL).encode()))
        packed[-6] ^= 0xFF
        with pytest.raises(UnreadableFile, match="the gzip data is damaged near byte"):
            pieces(bytes(packed))

    def test_a_byte_order_mark_and_utf_16_are_detected_inside(self):
        assert documents(gzip.compress(b"\xef\xbb\xbf" + json.dumps(ALL).encode())) == ALL
        with pytest.raises(UnreadableFile, match="not UTF-8"):
            pieces(gzip.compress(json.dumps(ALL).encode("utf-16")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_other_encodings_are_rejected(encoding, size):
    with pytest.raises(UnreadableFile, match="not UTF-8 text; save it as UTF-8"):
        pieces(json.dumps(ALL).encode(encoding), size)


def test_a_zip_file_is_rejected():
    with pytest.raises(UnreadableFile, match="this is a ZIP file; unpack it, or compress with gzip"):
        pieces(b"PK\x03\x04....")


@pytest.mark.parametrize(("start", "between"), [("", "\n"), ("[\n", ",\n"), ("[", ","), ("", "")])
def test_memory_does_not_grow_with_the_file(start, between):
    document = (json.dumps({"a": "x" * 1000}) + between).encode()
    chunks = chain([start.encode()], (document * 60 for _number in range(500)))  # 30 MB

    tracemalloc.start()
    try:
        for _piece in iter_documents(chunks):
            pass
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_compressed_bomb_does_not_fill_the_memory():
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        assert pieces(bomb) == []
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


HOSTILE = {
    "quotes": b'{"' + b'\\"' * 300_000 + b"\n",
    "quotes in junk": b'x"' + b'\\"' * 300_000 + b"\n",
    "braces": b"{" * 300_000,
    "brackets": b"[" * 300_000,
    "closing brackets": b"]" * 30_000,
    "lines that break off in an array": b'{"a": [1,\n' * 5_000,
    "deep and shallow": b'{"a":\n' + b"[" * 101 + b"[]," * 100_000,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_read_to_its_end(hostile):
    """How long it takes is measured by `benchmarks.pages`."""
    result = pieces(hostile + b'{"a": 1}')
    assert result[-1].data == b'{"a": 1}' or result[0].data.startswith(hostile[:50_000]), result[-1].problem
