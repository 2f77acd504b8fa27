"""What the pages show in the tests of all pages: one of each thing, and values that try to be markup."""

from __future__ import annotations

HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7*7 }}"""
