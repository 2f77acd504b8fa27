"""axe-core, run through the browser's debugger: the CSP forbids its script tag and stays strict in tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # these take more time than all others together
# Without this, axe describes every element that passes, too.
RUN = """async ([within, only, without]) => {
  const rules = Object.fromEntries(without.map((name) => [name, { enabled: false }]));
  const { violations } = await axe.run(within, { runOnly: only, rules, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`)
  );
}"""


@cache
def _source() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text()


def violations(page: Page, within: str = "html", rules: list[str] = TAGS, without: Sequence[str] = ()) -> list[str]:
    """Violations of WCAG 2.2 AA or axe's best practices on the page, or within a part of it. `rules`: their names or
    tags. `without`: the names of rules that are left out.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    return page.evaluate(RUN, [within, rules, list(without)])
