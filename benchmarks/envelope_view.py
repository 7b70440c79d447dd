"""Key press to changed frame in the envelope view, in JupyterLab, against a peer in the same run.

    python benchmarks/envelope_view.py [moves]

The peer is what one would write first: an ipywidgets slider whose value goes to Python, which draws
an SVG of the same bytes with the chosen one marked. Time runs from the key event's own time stamp,
set by the browser, to the frame after the change, painted. A third line is a flip: the byte goes to
Python, the AWS Encryption SDK really opens the changed copy, and the refusal is drawn.
"""

from __future__ import annotations

from _in_jupyterlab import compare, heading, line, measure, opened, times_asked

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


def main(moves: int) -> None:
    with opened(SETUP, ENVELOPE, PEER) as desk:
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
        heading("Key press to changed frame", desk)
    own = line("envelope view: to the next byte", ours)
    peer = line("peer: ipywidgets slider, through Python to an SVG", peers)
    line("envelope view: flip a byte, really opened and refused", flips)
    compare(own, peer)


if __name__ == "__main__":
    main(times_asked())
