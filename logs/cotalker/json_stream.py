"""Splits a stream of bytes into documents, gzipped or not.

It reads a JSON array, one object, objects one after another, NDJSON and JSON text sequences (RFC 7464). It also reads the array
inside the envelope of an API's response: {"data": […]}, {"data": {"logs": […]}}.

It only looks at brackets and strings. So a document that isn't quite JSON still comes out, and can be rejected with its place in
the file. If a document doesn't end, the next one starts at the next line with the same indentation. Memory holds one document
and one chunk, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import msgspec
from django.utils.translation import gettext as _

from .strict_json import MAX_DEPTH
from .unpacking import unpacked

DOCUMENT_LIMIT = 16 * 1024 * 1024  # bytes; MongoDB's own limit for a document

# A string that isn't closed ends with its line. Brackets inside strings don't count.
_STRING = rb'"(?:[^"\\\n\x1e]|\\[^\n\x1e]?)*+"?'
_SEPARATOR = b"\x1e"  # JSON never has this byte
# JSON has no comments, but some documents do. Brackets inside comments don't count either.
_COMMENT = rb"//[^\n\x1e]*+|/\*(?:[^*\x1e]|\*(?!/))*+(?:\*/)?"
_TOKEN = re.compile(rb"|".join([_STRING, _COMMENT, rb"[{}\[\]\x1e]"]))
_BLANKS = b" \t\r\n,\x1e"
_BETWEEN = re.compile(rb"(?:[ \t\r\n,\x1e]|\xef\xbb\xbf)*+")
# An API's response: scalar fields, then a list with a name that no document has.
_FIELD = rb'\s*"[^"\\]{0,60}"\s*:\s*(?:"(?:[^"\\]|\\.){0,200}"|[\w.+-]{1,40})\s*,'
_LIST = rb'\s*"(?:data|logs|subscriptions|webhooks|webhookLogs|items|results|docs|rows)"\s*:\s*\['
_FIELDS = rb"(?:" + _FIELD + rb"){0,20}?"
_LIST_INSIDE = rb'\s*"data"\s*:\s*\{' + _FIELDS + rb'\s*"\w{1,60}"\s*:\s*\['
_ENVELOPE = re.compile(rb"\{" + _FIELDS + rb"(?:(?P<top>" + _LIST + rb")|" + _LIST_INSIDE + rb")\s*[{\]]")
_ENVELOPE_LIMIT = 4096  # bytes before its list
_NO_DOCUMENT = re.compile(rb"(?:" + _STRING + rb'|[^\n{\[\],"\x1e])++')
_INDENTATION_LIMIT = 1000
_TOKENS_AT_ONCE = 1 << 16
_any_json = msgspec.json.Decoder(msgspec.Raw)  # checks JSON without building values


@dataclass(slots=True)
class RawDocument:
    """The text of one document, with its number and line in the file, both from 1. `problem`: why it's invalid, "" if it isn't.

    `is_too_long`: it didn't end within the limit, so `data` has only its beginning.
    """

    number: int
    line: int
    data: bytes
    problem: str = ""
    is_too_long: bool = False


def iter_documents(
    chunks: Iterable[bytes], limit: int | None = None, on_work: Callable[[], None] = lambda: None
) -> Iterator[RawDocument]:
    """The documents of a file, in order. Raises UnreadableFile at bytes that it can't interpret.

    `limit`: how many unpacked bytes may be read; raises FileTooLarge beyond. `on_work` is called regularly, also within a
    document, and may raise to stop.
    """
    return _Splitter(unpacked(chunks, limit), DOCUMENT_LIMIT, on_work, opens_envelopes=True).pieces()


def iter_text_documents(chunks: Iterable[bytes], limit: int) -> Iterator[RawDocument]:
    """The documents of an uncompressed text, each of at most `limit` bytes."""
    return _Splitter(iter(chunks), limit).pieces()


class _Splitter:
    """`buffer[position:]`: bytes that were read, but not returned yet. `line`: the line of `position`.

    `indentation`: the blanks before `position` on its line; None if there is something else before it.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        limit: int,
        on_work: Callable[[], None] = lambda: None,
        opens_envelopes: bool = False,
    ) -> None:
        self.chunks = chunks
        self.limit = limit
        self.on_work = on_work
        self.opens_envelopes = opens_envelopes  # off for events: they have a field "data" of their own
        self.open_braces = 0  # of the envelope around the array
        self.buffer = b""
        self.position = 0
        self.line = 1
        self.indentation: bytes | None = b""
        self.number = 0
        self.is_in_array = False

    def pieces(self) -> Iterator[RawDocument]:
        while self._skip_between():
            if self._byte() == (b"]" if self.is_in_array else b"["):
                self.is_in_array = not self.is_in_array
                self._advance_to(self.position + 1)
                self._close_envelope()
            elif not self._open_envelope():
                yield self._piece()
        if self.is_in_array:
            yield RawDocument(
                self.number + 1, self.line, b"", _("the array is not closed; the end of the file seems to be missing")
            )

    def _open_envelope(self) -> bool:
        """Go to the first document in an API's response; False if this isn't one."""
        if not self.opens_envelopes or self.is_in_array or self._byte() != b"{":
            return False
        if self.buffer.startswith(b'{"_id"', self.position):  # as most documents begin
            return False
        while len(self.buffer) - self.position < _ENVELOPE_LIMIT and self._fill():
            pass
        match = _ENVELOPE.match(self.buffer, self.position, self.position + _ENVELOPE_LIMIT)
        if match is None or b'"_id"' in match[0]:
            return False
        self.is_in_array = True
        self.open_braces = 1 if match["top"] else 2
        self._advance_to(match.end() - 1)
        return True

    def _close_envelope(self) -> None:
        """Skip everything after the list of an API's response, up to the end of the response."""
        for tokens in count():
            if not self.open_braces or self.is_in_array:
                return
            if tokens % _TOKENS_AT_ONCE == 0:
                self.on_work()
            match = _TOKEN.search(self.buffer, self.position)
            if match is None or (match[0][:1] in (b'"', b"/") and match.end() == len(self.buffer)):
                self._advance_to(match.start() if match else len(self.buffer))
                if not self._fill():
                    self.open_braces = 0
                continue
            self.open_braces += (match[0] == b"{") - (match[0] == b"}")
            self._advance_to(match.end())

    def _piece(self) -> RawDocument:
        self.number += 1
        if self._byte() not in (b"{", b"["):
            return self._take(self._end_of_junk(), _("not a JSON object"))
        end = self._end_of_line_document() or self._end_of_document()
        if end is not None:
            return self._take(end)
        is_too_long = len(self.buffer) - self.position >= self.limit
        if is_too_long:
            size = self.limit // 1024 // 1024
            problem = _("longer than %(size)s MiB, or a bracket is not closed") % {"size": size}
        else:
            problem = _("a bracket or a quote is not closed")
        limit = min(self.position + self.limit, len(self.buffer))
        restart = self.buffer.find(self._restart_mark() + b"{", self.position + 1, limit)
        return self._take(limit if restart < 0 else restart, problem, is_too_long)

    def _end_of_document(self) -> int | None:
        """The offset at which the document at `position` ends; None if it doesn't end within the limit."""
        restart_mark = self._restart_mark()
        stack: list[bytes] = []  # never deeper than a document may be
        deeper = tokens = 0
        first_alike = 0  # relative to `position`, which changes when a chunk is read
        at = self.position
        while True:
            match = _TOKEN.search(self.buffer, at)
            if match is None or (match[0][:1] in (b'"', b"/") and match.end() == len(self.buffer)):
                at = (match.start() if match else len(self.buffer)) - self.position
                if len(self.buffer) - self.position >= self.limit or not self._fill():
                    return None
                at += self.position
                continue
            token, at = match[0], match.end()
            tokens += 1
            if tokens % _TOKENS_AT_ONCE == 0:
                self.on_work()
            if at - self.position > self.limit:
                return None
            if token == b"{" and stack and self._begins_like_this(match.start(), restart_mark):
                first_alike = first_alike or match.start() - self.position
                if not self._can_be_value(match.start(), stack[-1]):
                    return self.position + first_alike  # earlier ones looked like elements of a broken array
            if token == _SEPARATOR:
                return match.start()
            if token in (b"{", b"["):
                if len(stack) <= MAX_DEPTH:
                    stack.append(token)
                else:
                    deeper += 1
                if len(stack) > MAX_DEPTH and first_alike:
                    return self.position + first_alike
            elif token in (b"}", b"]") and deeper:
                deeper -= 1
            elif token in (b"}", b"]"):
                stack.pop()
                if not stack:
                    return at

    def _end_of_line_document(self) -> int | None:
        """The fast path for a document on its own line, as in most files; None for any other."""
        end = self.buffer.find(b"\n", self.position)
        if not 0 <= end - self.position <= self.limit:
            return None
        line = self.buffer[self.position : end].rstrip(b" \t\r,\x1e")
        try:
            _any_json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return None
        return self.position + len(line)

    def _restart_mark(self) -> bytes:
        """The line break and indentation before the current document, if it starts a line."""
        return b"\n" + (self.indentation or b"")

    def _begins_like_this(self, at: int, restart_mark: bytes) -> bool:
        """Whether the "{" at `at` starts a line, indented like the current document."""
        before = at - len(restart_mark)
        return before > self.position and self.buffer.startswith(restart_mark, before)

    def _can_be_value(self, at: int, innermost: bytes) -> bool:
        """Whether a value can start here: after a colon in an object, after "[" or a comma in an array."""
        last = self.buffer[max(self.position, at - 100) : at].rstrip()[-1:]
        return last in ((b":",) if innermost == b"{" else (b"[", b","))

    def _end_of_junk(self) -> int:
        while True:
            match = _NO_DOCUMENT.match(self.buffer, self.position)
            end = match.end() if match else self.position + 1
            end = min(end, self.position + self.limit)
            if end < len(self.buffer) or not self._fill():
                return min(end, len(self.buffer))

    def _take(self, end: int, problem: str = "", is_too_long: bool = False) -> RawDocument:
        data = self.buffer[self.position : end].rstrip(_BLANKS)
        piece = RawDocument(self.number, self.line, data, problem, is_too_long)
        self._advance_to(end)
        return piece

    def _skip_between(self) -> bool:
        """Go to the next document; False at the end of the file."""
        while True:
            match = _BETWEEN.match(self.buffer, self.position)
            assert match is not None
            self._advance_to(match.end())
            if self.position < len(self.buffer):
                return True
            if not self._fill():
                return False

    def _byte(self) -> bytes:
        return self.buffer[self.position : self.position + 1]

    def _advance_to(self, end: int) -> None:
        passed = self.buffer[self.position : end]
        self.position = end
        if breaks := passed.count(b"\n"):
            self.line += breaks
            passed = passed[passed.rindex(b"\n") + 1 :]
            self.indentation = b""
        if passed and self.indentation is not None:
            lead = self.indentation + passed
            self.indentation = lead if lead.isspace() and len(lead) <= _INDENTATION_LIMIT else None

    def _fill(self) -> bool:
        """Read one more chunk, and drop the bytes that were already returned. False at the end of the file."""
        self.on_work()
        chunk = next(self.chunks, b"")
        self.buffer = self.buffer[self.position :] + chunk
        self.position = 0
        return bool(chunk)
