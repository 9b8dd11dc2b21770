"""A real browser without a window, driven by selenium: `nox -s browser`. Debian has chromium and chromium-driver.

Where one of them is missing the tests are skipped, but not in that session.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="`nox -s browser` installs it")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

#: Set by `nox -s browser`: nothing that a browser needs may be missing.
STRICT = "HAPCORE_BROWSER" in os.environ
#: The browser works for the page alone: no look for updates, nothing that it brings along.
ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
)
PATIENCE = 60.0


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with an empty profile; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        text = "needs chromium and chromedriver (Debian: chromium, chromium-driver)"
        if STRICT:
            pytest.fail(text)
        pytest.skip(text)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's own refuses to work for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def wait_until(chrome: webdriver.Chrome, script: str) -> object:
    """What the script returns, as soon as that is something."""
    return WebDriverWait(chrome, PATIENCE, poll_frequency=0.02).until(lambda one: one.execute_script(script))


def screen(chrome: webdriver.Chrome, width: int, height: int, *, dark: bool = False) -> None:
    """The size of the page, and what the reader prefers; also sizes that no window has."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
