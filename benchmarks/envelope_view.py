"""Key press to changed frame in the envelope view, in JupyterLab, against a peer in the same run.

    python benchmarks/envelope_view.py [moves]

The peer is what one would write first: an ipywidgets slider whose value goes to Python, which draws
an SVG of the same bytes with the chosen one marked. Time runs from the key event's own time stamp,
set by the browser, to the frame after the change, painted. A third line is a flip: the byte goes to
Python, the AWS Encryption SDK really opens the changed copy, and the refusal is drawn.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.jupyter import Desk, find_browser, start_chromium, start_jupyterlab

SETUP = """
from tests.sealed.real_messages import sealed_with_sdk
from kmscourse.views import Envelope
real = sealed_with_sdk()
"""
ENVELOPE = "Envelope(real.message, open_with=real.open_with)"
PEER = """
import ipywidgets

def drawn(chosen):
    cells = []
    for i, byte in enumerate(real.message[:512]):
        x, y = 24 * (i % 16), 22 * (i // 16)
        ground = "#1d5c8f" if i == chosen else "#ffffff"
        cells.append(f'<rect x="{x}" y="{y}" width="24" height="22" fill="{ground}"/>'
                     f'<text x="{x + 4}" y="{y + 16}" font-size="12">{byte:02x}</text>')
    size = 'width="384" height="704"'
    return f'<svg class="peer" data-chosen="{chosen}" {size}>{"".join(cells)}</svg>'

slider = ipywidgets.IntSlider(value=0, min=0, max=511)
picture = ipywidgets.HTML(drawn(0))
slider.observe(lambda change: setattr(picture, "value", drawn(change["new"])), "value")
ipywidgets.VBox([slider, picture])
"""
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


def measure(desk: Desk, key: str, watched: str) -> float:
    """One key press, in milliseconds."""
    desk.page.evaluate(MEASURE, watched)
    desk.page.keyboard.press(key)
    return float(desk.page.evaluate("() => window.measurement"))


def line(name: str, times: list[float]) -> tuple[float, float]:
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[18]
    print(f"{name:<58} {p50:7.1f} {p95:7.1f}   ({len(times)} times)")
    return p50, p95


def main(moves: int) -> None:
    browser_path = find_browser()
    if browser_path is None:
        sys.exit("No browser found: install chromium, or name one in KMSCOURSE_BROWSER.")
    with (
        tempfile.TemporaryDirectory() as folder,
        start_jupyterlab(Path(folder)) as server,
        start_chromium(browser_path) as browser,
    ):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(c.strip()) for c in (SETUP, ENVELOPE, PEER)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, server.root / "bench.ipynb")
        desk = Desk(browser.new_page(viewport={"width": 1280, "height": 1600}), server)
        desk.watch()
        desk.open("bench.ipynb")
        desk.run_all()
        page, view = desk.page, desk.page.locator(".env")
        view.get_by_role("treeitem").first.focus()
        page.keyboard.press("Enter")
        focused = "document.activeElement.dataset.at"
        ours = [measure(desk, "ArrowRight", focused) for _ in range(moves)]
        verdict = "document.querySelector('.env-bad .env-verdict')?.textContent"
        flips = []
        for _ in range(min(moves, 40)):
            flips.append(measure(desk, "f", verdict))
            page.keyboard.press("u")
            view.locator(".env-result").wait_for(state="hidden")
            page.keyboard.press("ArrowRight")
        page.locator(".noUi-handle").first.focus()
        chosen = "document.querySelector('svg.peer').dataset.chosen"
        peers = [measure(desk, "ArrowRight", chosen) for _ in range(moves)]
        chromium = browser.version
        complaints = desk.complaints
    print(
        f"\nKey press to changed frame, ms; Python {platform.python_version()}, Chromium", end=" "
    )
    print(f"{chromium}, JupyterLab {version('jupyterlab')}, anywidget {version('anywidget')}\n")
    print(f"{'':<58} {'p50':>7} {'p95':>7}")
    own = line("envelope view: to the next byte", ours)
    peer = line("peer: ipywidgets slider, through Python to an SVG", peers)
    line("envelope view: flip a byte, really opened and refused", flips)
    p50, p95 = peer[0] / own[0], peer[1] / own[1]
    print(f"\nThe peer takes {p50:.1f} times as long at p50, {p95:.1f} at p95.")
    if complaints:
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
