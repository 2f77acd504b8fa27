"""Refuses words that the glossary has replaced, in pages and documents: `python -m cotadmin.tests.words`.

The texts of the pages are the messages of the translations; a test holds that these are complete.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
MESSAGES = PROJECT / "locale/es/LC_MESSAGES/django.po"
# The decision records and the changelog quote the old words.
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/*.md")
REPLACED = {
    r"lanes?": "queue",
    r"re-deliver\w*": "redeliver, redelivery",
    r"on hold": "paused",
    r"used up its tries|tries left": "attempts",
    r"hand(?:ed|s)?[- ]offs?": "share link",
    r"doors?": "inbound endpoint",
    r"fired nothing": "unmatched event",
    r"ledgers?": "results",
    r"left out|leave out": "exclude",
    r"throw(?:n|s)? away": "discard",
    r"stale": "superseded",
    r"mend(?:ed|s)?": "fix",
    r"told|anew|whoever|how-manieth": "plain English",
}
WORD = re.compile(r"(?<![\w/`.-])(?:" + "|".join(f"({word})" for word in REPLACED) + r")(?![\w/`-])", re.IGNORECASE)


def texts() -> Iterator[tuple[str, str]]:
    """Each text, and where it stands."""
    is_english = False
    for number, line in enumerate(MESSAGES.read_text().splitlines(), 1):
        if not line.startswith('"'):  # such a line continues the one before
            is_english = line.startswith(("msgid ", "msgid_plural "))
        if is_english:
            yield f"{MESSAGES.relative_to(PROJECT)}:{number}", re.sub(r"%\(\w+\)s|<[^>]*>", "", line)
    for pattern in DOCUMENTS:
        for path in sorted(PROJECT.glob(pattern)):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield f"{path.relative_to(PROJECT)}:{number}", re.sub(r"`[^`]*`", "", line)


def main() -> int:
    words = list(REPLACED.values())
    count = 0
    for place, text in texts():
        for match in WORD.finditer(text):
            count += 1
            sys.stdout.write(f"{place}: “{match[0]}” – the glossary says: {words[match.lastindex - 1]}\n")
    return min(count, 1)


if __name__ == "__main__":
    sys.exit(main())
