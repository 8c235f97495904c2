"""Looks at built pages in a browser: `python docs/check_in_browser.py [DIR] [--shots DIR]`, which exits 1 at a fault.

Needs Chromium and its driver (Debian: chromium, chromium-driver), Selenium and axe-core-python. Each page is opened
light and dark, on a screen and at a phone's width. Faults are broken links (check_links.py), errors in the console,
pages wider than the screen, what axe-core calls serious or critical, a search that finds nothing, and a question of
the start page without a card.
"""

import argparse
import functools
import shutil
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from check_links import arguments, broken
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PAGES = (
    "index.html", "start/five_minutes.html", "start/coming.html", "guides/autograd.html", "guides/slow.html",
    "kernels/checks.html", "generated/inside/autograd.html", "generated/ops/softmax.html",
    "generated/functions/index.html", "generated/api/nn/conv.html", "generated/gallery/index.html",
    "generated/gallery/digits.html", "generated/notes.html", "generated/performance.html", "proved.html",
)  # fmt: skip
SIZES = {"screen": (1280, 900), "phone": (390, 844)}
GOALS = {
    "Add an op": "guides/add_an_op.html",
    "Port a PyTorch file": "start/porting.html",
    "Write a kernel": "kernels/index.html",
    "Why is it slow?": "guides/slow.html",
}


class Quiet(SimpleHTTPRequestHandler):
    """Answers requests without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine, and give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def browser() -> webdriver.Chrome:
    """Return a headless Chromium."""
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})  # type: ignore[arg-type]
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(300)
    return driver


def show(driver: Any, address: str, size: tuple[int, int], scheme: str) -> None:
    """Open a page at a size, for a reader who prefers light or dark."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # colors are judged at rest
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(address)


def faults(driver: Any, axe: str) -> list[str]:
    """Return what is wrong with the page that is open."""
    found = [f"console: {entry['message']}" for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    wide = driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        found.append(f"the page is {wide} pixels wider than the screen")
    driver.execute_script(axe)
    report = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    for problem in report["violations"]:
        if problem["impact"] in ("serious", "critical"):
            nodes = problem["nodes"]
            found.append(
                f"axe: {problem['id']}, {problem['impact']}: {problem['help']} ({len(nodes)}): {nodes[0]['html'][:160]}"
            )
    return found


def shot(driver: Any, path: Path) -> None:
    """Write a picture of the whole page, at most 6000 pixels long."""
    height = min(6000, driver.execute_script("return document.documentElement.scrollHeight"))
    width = driver.execute_script("return window.innerWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    path.write_bytes(b64decode(taken["data"]))


def search(driver: Any, address: str) -> list[str]:
    """Return what is wrong with the search."""
    driver.get(f"{address}search.html?q=softmax")
    try:
        WebDriverWait(driver, 15).until(lambda d: len(d.find_elements(By.CSS_SELECTOR, "#search-results li")) > 3)
    except Exception:
        return ["a search for softmax finds nothing"]
    return []


def clicks(driver: Any, address: str) -> list[str]:
    """Return the questions of the start page that have no card there which leads to their page."""
    found = []
    for words, page in GOALS.items():
        driver.get(address)
        cards = [card for card in driver.find_elements(By.CSS_SELECTOR, ".sd-card") if words in card.text]
        links = [link.get_attribute("href") for card in cards for link in card.find_elements(By.TAG_NAME, "a")]
        if f"{address}{page}" not in [str(link).split("#")[0] for link in links]:
            found.append(f"no card {words!r} leads to {page}")
    return found


def look(site: Path, shots: Path | None, pages: tuple[str, ...]) -> Iterator[str]:
    """Yield a line for each fault."""
    spec = find_spec("axe_core_python")
    axe = (Path(str(spec.submodule_search_locations[0])) / "axe.min.js").read_text(encoding="utf-8")  # type: ignore
    driver = browser()
    try:
        with served(site) as address:
            for page in pages:
                for kind, size in SIZES.items():
                    for scheme in ("light", "dark"):
                        show(driver, address + page, size, scheme)
                        yield from (f"{page}, {kind}, {scheme}: {fault}" for fault in faults(driver, axe))
                        if shots is not None:
                            shot(driver, shots / f"{page.removesuffix('.html').replace('/', '-')}-{kind}-{scheme}.png")
            show(driver, address, SIZES["screen"], "light")
            yield from clicks(driver, address)
            yield from search(driver, address)
    finally:
        driver.quit()


def main() -> int:
    """Print the faults, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=Path, metavar="DIR", help="write a picture of each page")
    parser.add_argument("--pages", nargs="+", default=PAGES, metavar="PAGE", help="instead of the fifteen")
    parser.add_argument("--no-links", action="store_true", help="do not look for broken links")
    args = arguments(parser)
    if args.shots:
        args.shots.mkdir(parents=True, exist_ok=True)
    count = 0
    links = [] if args.no_links else broken(args.site)
    for fault in chain(links, look(args.site.resolve(), args.shots, tuple(args.pages))):
        print(fault, flush=True)
        count += 1
    print(f"{count} faults in {len(args.pages)} pages, each on a screen and a phone, light and dark")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
