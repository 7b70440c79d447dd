"""What the benchmarks of the views share: a notebook in JupyterLab, and the time of a key press."""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.jupyter import (
    Desk,
    find_browser,
    start_chromium,
    start_jupyterlab,
    write_notebook,
)

# Waits for what is watched to say something new, then for the frame that shows it to be painted.
MEASURE = """
(watched) => new Promise((resolve) => {
  const said = () => String(eval(watched));
  const before = said();
  document.addEventListener('keydown', (event) => {
    const pressed = event.timeStamp;
    const look = () => {
      if (said() === before) { observer.takeRecords(); return; }
      observer.disconnect();
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.measured(performance.now() - pressed);
        channel.port2.postMessage(null);
      });
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, {subtree: true, childList: true, attributes: true,
                                     characterData: true});
  }, {capture: true, once: true});
  window.measurement = new Promise((done) => { window.measured = done; });
  resolve();
})
"""


@contextmanager
def opened(*cells: str) -> Iterator[Desk]:
    """A notebook of these cells in JupyterLab, run. Ends the program where the page complained."""
    browser_path = find_browser()
    if browser_path is None:
        sys.exit("No browser found: install chromium, or name one in KMSCOURSE_BROWSER.")
    with (
        tempfile.TemporaryDirectory() as folder,
        start_jupyterlab(Path(folder)) as server,
        start_chromium(browser_path) as browser,
    ):
        desk = Desk(browser.new_page(viewport={"width": 1280, "height": 1600}), server)
        desk.watch()
        desk.open(write_notebook(server.root, "bench.ipynb", *cells))
        desk.run_all()
        yield desk
        complaints = desk.complaints
    if complaints:
        sys.exit("\n".join(complaints))


def measure(desk: Desk, key: str, watched: str) -> float:
    """From a key press to the frame where what is watched (JavaScript) says something new: ms."""
    desk.page.evaluate(MEASURE, watched)
    desk.page.keyboard.press(key)
    return float(desk.page.evaluate("() => window.measurement"))


def heading(what: str, desk: Desk) -> None:
    """What is measured, with which versions, above the columns."""
    browser = desk.page.context.browser
    chromium = browser.version if browser is not None else "unknown"
    print(f"\n{what}, ms; Python {platform.python_version()}, Chromium {chromium},", end=" ")
    print(f"JupyterLab {version('jupyterlab')}, anywidget {version('anywidget')}\n")
    print(f"{'':<58} {'p50':>7} {'p95':>7}")


def line(name: str, times: list[float]) -> tuple[float, float]:
    """One line of the table. Returns p50 and p95."""
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[18]
    print(f"{name:<58} {p50:7.1f} {p95:7.1f}   ({len(times)} times)")
    return p50, p95


def compare(own: tuple[float, float], peer: tuple[float, float]) -> None:
    """How many times as long the peer takes."""
    p50, p95 = peer[0] / own[0], peer[1] / own[1]
    print(f"\nThe peer takes {p50:.1f} times as long at p50, {p95:.1f} at p95.")


def times_asked(default: int = 100) -> int:
    """How often to measure: the first argument of the program."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default
