"""Key press to changed frame in the cost explorer, in JupyterLab, against a peer in the same run.

    python benchmarks/cost_explorer.py [moves]

A slider is moved by its arrow keys. The peer is what one would write first: an ipywidgets slider
whose value goes to Python, which reckons the same two designs with `kmscourse.cloud.estimate` and
draws the same picture. Time runs from the key event's own time stamp, set by the browser, to the
frame after the change, painted.
"""

from __future__ import annotations

from _in_jupyterlab import compare, heading, line, measure, opened, times_asked

SETUP = """
from dataclasses import replace
from kmscourse.cloud.estimate import Design
from kmscourse.views import CostExplorer
work = dict(writes=1_000_000, reads=9_000_000)
one = Design(keys=1, encryption="SSE-KMS", **work)
other = Design(keys=5, encryption="SSE-KMS with a Bucket Key", **work)
"""
VIEW = "CostExplorer(one, other)"
PEER = """
import ipywidgets

def drawn(months):
    pair = replace(one, months=months), replace(other, months=months)
    return f'<div class="peer" data-at="{months}">{CostExplorer(*pair).picture()}</div>'

slider = ipywidgets.IntSlider(value=1, min=1, max=36)
picture = ipywidgets.HTML(drawn(1))
slider.observe(lambda change: setattr(picture, "value", drawn(change["new"])), "value")
ipywidgets.VBox([slider, picture])
"""
OURS = "document.querySelector('.cost-total').textContent"
THEIRS = "document.querySelector('div.peer').dataset.at"


def main(moves: int) -> None:
    keys = ["ArrowRight", "ArrowLeft"] * (moves // 2)
    with opened(SETUP, VIEW, PEER) as desk:
        desk.page.locator(".cost [data-name=reads]").focus()
        ours = [measure(desk, key, OURS) for key in keys]
        desk.page.locator(".noUi-handle").first.focus()
        peers = [measure(desk, key, THEIRS) for key in keys]
        heading("Key press to changed frame", desk)
    own = line("cost explorer: a slider, two designs, the break-even", ours)
    peer = line("peer: ipywidgets slider, the same picture from Python", peers)
    compare(own, peer)


if __name__ == "__main__":
    main(times_asked())
