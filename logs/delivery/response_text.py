"""The text of an answer: unpacked, then decoded by the charset that it declares, or else by a guess. Pure functions.

Receivers are treated as hostile: the unpacked size is limited, and only known charsets are decoded.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable

_UNPACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits
_MOST_PACKINGS = 3
_CHARSET = re.compile(r"""charset\s*=\s*["']?(?P<name>[\w.:-]{1,40})""", re.IGNORECASE)
# Only charsets of text, because Python also has slow and odd codecs (punycode, idna, unicode_escape).
_TEXTUAL = re.compile(
    r"utf_?(8|16|32)(_?[bl]e)?|(us_?)?ascii|latin_?\d+|iso_?8859_\d+|(windows|cp|ibm)_?\d+|koi8_[rtu]|mac(intosh|_?roman)"
    r"|iso_?2022_(jp|kr)|big5(_?hkscs)?|gb_?(2312|k|18030)|euc_?(jp|kr)|shift_?jis"
)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_READ_AS_WINDOWS = {"ascii", "iso8859-1"}  # as browsers do: they are its subsets, and senders mean Windows-1252


class CannotUnpack(ValueError):
    """`str()` names how the body is packed."""


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Unpack `body`, whole or cut off, by this Content-Encoding. Returns at most the first `limit` bytes.

    Raises CannotUnpack.
    """
    names = [name for name in re.split(r"[\s,]+", encoding.lower()) if name not in ("", "identity")]
    if any(name not in _UNPACKED for name in names) or len(names) > _MOST_PACKINGS:
        raise CannotUnpack(", ".join(names)[:60])
    for name in reversed(names):
        body = _inflate(body, name, limit)
    return body


def _inflate(body: bytes, name: str, limit: int) -> bytes:
    try:
        return zlib.decompressobj(_UNPACKED[name]).decompress(body, limit)
    except zlib.error:
        pass
    try:  # many servers omit the zlib header that "deflate" implies
        if name == "deflate":
            return zlib.decompressobj(-15).decompress(body, limit)
    except zlib.error:
        pass
    raise CannotUnpack(name)


def decode(data: bytes, content_type: str = "", *, is_cut: bool = False) -> str:
    """Decode by the byte order mark, or else by the charset of `content_type`.

    Otherwise the text counts as UTF-8, or as Windows-1252 if it clearly isn't UTF-8.
    `is_cut`: there was more, so the last character may be incomplete, and is left out.
    """
    if data.isascii() and "utf" not in content_type.lower():
        return data.decode()
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], charset, "replace", is_cut)
    if charset := _charset(content_type):
        try:
            return _decode(data, charset, "strict", is_cut)
        except ValueError:
            pass  # the declared charset is wrong
    text = _decode(data, "utf-8", "replace", is_cut)
    broken = text.count("\ufffd")
    letters = sum(not letter.isascii() for letter in text) - broken
    return text if letters >= broken else data.decode("cp1252", errors="replace")


def _decode(data: bytes, charset: str, errors: str, is_cut: bool) -> str:
    return codecs.getincrementaldecoder(charset)(errors).decode(data, final=not is_cut)


def _charset(content_type: str) -> str:
    """Return Python's name of the charset; "" if none is given, or if we don't decode it."""
    match = _CHARSET.search(content_type)
    if not match or not _TEXTUAL.fullmatch(match["name"].lower().replace("-", "_")):
        return ""
    try:
        name = codecs.lookup(match["name"]).name
    except LookupError:
        return ""
    return "cp1252" if name in _READ_AS_WINDOWS else name


def header(headers: Iterable[tuple[str, str]], name: str) -> str:
    """Return all values of a header as one; "" if it's missing."""
    return ", ".join(value for key, value in headers if key.lower() == name)


def strip_unstorable(text: str) -> str:
    """Replace what PostgreSQL refuses: NUL, and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
