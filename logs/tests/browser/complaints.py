"""Problems that a browser reports: console errors, script errors, CSP violations and dialogs of scripts."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}, ${event.sourceFile}:${event.lineNumber}`);
});
"""


class Complaints:
    """`expected_statuses`: the answers that the test brings about on purpose; Chromium logs each as an error."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self.expected_statuses: set[int] = set()

    def listen(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.all.append(f"script: {error.error}"))
        context.on("dialog", self._refuse)

    def expect_only(self, statuses: set[int]) -> None:
        """Expect these from now on. Earlier problems are checked against earlier expectations."""
        self.all = self.unexpected
        self.expected_statuses = statuses

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.all if not self._is_expected(text)]

    def _is_expected(self, text: str) -> bool:
        if re.match("console: htmx:(afterRequest|sendAbort),", text):
            return True  # a newer request replaced it; real failures are logged once more, by name
        match = re.search(r"(?:the server responded with a status of|Response Status Error Code) (\d+)", text)
        return bool(match) and int(match[1]) in self.expected_statuses

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.all.append(f"console: {message.text} ({message.location['url']})")

    def _refuse(self, dialog: Dialog) -> None:
        self.all.append(f"dialog: {dialog.message}")
        dialog.dismiss()
