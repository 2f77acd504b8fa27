"""What several browser tests read from a page, or set on it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

WIDTHS = (1280, 390, 320)
# Scripts that hide the tab of the page and show it again.
HIDE = 'Object.defineProperty(document, "hidden", { configurable: true, get: () => true })'
SHOW = "delete document.hidden"


def rows(page: Page) -> Locator:
    return page.locator("[data-rows] tr[data-log]")


def overflow(page: Page) -> list[str]:
    """The elements that make the page scroll sideways, and the surfaces that their content exceeds."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const sticksOut = (e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible";
          const burst = [...document.querySelectorAll(".panel, .notice, .page-header, .chip")].filter(sticksOut);
          const reaches = (e) => e.getBoundingClientRect().right;
          const outside = (e) => [...e.querySelectorAll("*")].findLast((child) => reaches(child) > reaches(e)) ?? e;
          if (burst.length) return burst.slice(0, 5).map((e) => `out of ${e.className}: ${outside(e).outerHTML.slice(0, 120)}`);
          if (document.documentElement.scrollWidth <= width) return [];
          const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > width + 1);
          return [`${document.documentElement.scrollWidth} px wide`, ...wide.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
        }"""
    )
