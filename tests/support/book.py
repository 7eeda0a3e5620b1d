"""The table of grades in a browser, as several tests use it."""

from pathlib import Path

from labkit.locale import text

__all__ = ["ready", "saved"]


def ready(page):
    """A page whose table stands and whose marks are in."""
    page.wait_for_selector("tbody")
    page.wait_for_function("() => document.querySelector('.state').textContent !== ''")
    return page


def saved(page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=text(f"gradebook.{button}")).click()
    return Path(download.value.path()).read_bytes()
