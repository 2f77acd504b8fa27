"""Reads requests as UTF-8, whatever charset they declare: with some charsets Django fails to read the URL, before any view."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.utils.http import parse_header_parameters

REFUSED = "cotadmin.refused_charset"  # key in the environ: the declared charset, if it isn't UTF-8
_UTF_8 = ("", "utf-8", "utf8", "us-ascii")


def read_as_utf_8(application: WSGIApplication) -> WSGIApplication:
    def reader(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        content_type = environ.get("CONTENT_TYPE", "")
        if "charset" in content_type.lower():
            environ = environ | _without_charset(content_type)
        return application(environ, start_response)

    return reader


def _without_charset(content_type: str) -> dict[str, str]:
    try:
        kind, parameters = parse_header_parameters(content_type)
    except ValueError:
        return {"CONTENT_TYPE": content_type.partition(";")[0], REFUSED: content_type}
    charset = parameters.pop("charset", "")
    rest = "".join(f'; {name}="{value}"' for name, value in parameters.items())
    headers = {"CONTENT_TYPE": kind + rest}
    return headers if charset.lower() in _UTF_8 else headers | {REFUSED: charset}
