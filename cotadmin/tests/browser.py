"""Finds Chromium for the browser tests, or installs it: `python -m cotadmin.tests.browser`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# The headless shell has no windows to draw. The tests take half as long with it.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def executable() -> str | None:
    """The browser on this machine; CHROMIUM names another."""
    named = os.environ.get("CHROMIUM")
    paths = (shutil.which(name) for name in ((named,) if named else NAMES))
    return next((path for path in paths if path), MAC if Path(MAC).exists() and not named else None)


def _install() -> None:
    print("Installing Chromium for the browser tests …", flush=True)  # noqa: T201
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        for package in ("chromium-headless-shell", "chromium"):  # older releases of Debian have no headless shell
            install = ["apt-get", "install", "-y", "-qq", package, "fonts-liberation"]
            if subprocess.run(install, check=False, **quiet).returncode == 0:
                break
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def playwright_has_its_own() -> bool:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def main() -> None:
    if executable() or playwright_has_its_own():
        return
    _install()
    if not executable() and not playwright_has_its_own():
        sys.exit(
            "Chromium is not here and could not be installed. Install it (Debian, Ubuntu: apt install chromium) "
            "or name one with CHROMIUM=/path/to/chromium, then run make test again."
        )


if __name__ == "__main__":
    main()
