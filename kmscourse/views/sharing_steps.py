"""An encrypted snapshot on its way into another account: five steps, and both accounts' state.

The browser draws and opens; what is drawn was read from the trail and the disks of the simulated
AWS, anew each time the view is displayed and after each cell that is run.
"""

from __future__ import annotations

import json
import weakref
from typing import Any

import traitlets
from IPython import get_ipython

from kmscourse.cloud.simulation import Cloud
from kmscourse.views import _svg
from kmscourse.views._base import View
from kmscourse.views._sharing_history import DONE, FAILED, OPEN, PARTLY, Sharing, Step

#: What is shown of a call's parameters, in characters, and which say nothing to a reader: what
#: botocore adds, and the policy, which is shown by itself.
PARAMETERS_SHOWN = 400
_NOT_SHOWN = ("clientToken", "presignedUrl", "destinationRegion", "policy")

_WORDS = {OPEN: "not yet", DONE: "done", PARTLY: "partly", FAILED: "failed"}


class SharingSteps(View):
    """The five steps by which an encrypted EBS snapshot gets into another account.

    Args:
        aws: the simulated AWS.
        volume: the volume whose newest snapshot, or its owner's copy of that, is shared.
        target: the account that it is shared with.
        title: the heading.

    Raises:
        TypeError: `aws` is no simulated AWS.
        ValueError: nobody created such a volume, or it is in the target account already.
    """

    script = "sharing_steps.js"
    style = "sharing_steps.css"

    _shown = traitlets.Dict().tag(sync=True)

    def __init__(
        self, aws: Cloud, volume: str, target: str, *, title: str = "Sharing a snapshot"
    ) -> None:
        if not isinstance(aws, Cloud):
            raise TypeError(f"Pass what cloud.start() returned first, not {type(aws).__name__}.")
        self.sharing = Sharing(aws, volume, target)
        super().__init__(title=title)
        self._show()
        _refresh_after_cells(self)

    def refresh(self) -> None:
        """Read both accounts anew, and draw what changed."""
        if self.sharing.read():
            self._show()

    def _show(self) -> None:
        sharing = self.sharing
        self._shown = {
            "owner": sharing.owner,
            "target": sharing.target,
            "steps": [_as_json(step) for step in sharing.steps],
        }
        self.summary = self.sentence()

    def sentence(self) -> str:
        """How many steps are done, and what is the matter with the first that is not."""
        steps = self.sharing.steps
        done = sum(step.state == DONE for step in steps)
        first = next((step for step in steps if step.state != DONE), None)
        rest = "."
        if first is not None:
            rest = f"; step {first.number}, {first.title!r}, {_is(first.state)}: {first.says}"
        return (
            f"Sharing a snapshot of account {self.sharing.owner} with account "
            f"{self.sharing.target}: {done} of {len(steps)} steps done{rest}"
        )

    def picture(self) -> str:
        """The five steps, each with its state."""
        return _draw(self)

    def __repr__(self) -> str:
        self.refresh()
        return super().__repr__()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.refresh()
        return super()._repr_mimebundle_(**kwargs)


def _refresh_after_cells(view: SharingSteps) -> None:
    """Let a view follow what is done in a notebook, for as long as somebody holds it."""
    shell = get_ipython()
    if shell is None:
        return
    held = weakref.ref(view)

    def after_cell(*_: Any) -> None:
        found = held()
        if found is None:
            shell.events.unregister("post_run_cell", after_cell)
        else:
            found.refresh()

    shell.events.register("post_run_cell", after_cell)


def _is(state: str) -> str:
    return {OPEN: "is open", PARTLY: "is done in part", FAILED: "failed"}[state]


def _as_json(step: Step) -> dict[str, Any]:
    return {
        "title": step.title,
        "where": step.where,
        "state": step.state,
        "word": _WORDS[step.state],
        "says": step.says,
        "owner": list(map(list, step.owner)),
        "target": list(map(list, step.target)),
        "permissions": [[name, allowed] for name, allowed in (step.permissions or {}).items()],
        "calls": [_call(record) for record in step.calls],
        "document": step.document,
    }


def _call(record: dict[str, Any]) -> dict[str, Any]:
    asked = {k: v for k, v in (record["requestParameters"] or {}).items() if k not in _NOT_SHOWN}
    written = json.dumps(asked)
    if len(written) > PARAMETERS_SHOWN:
        written = written[: PARAMETERS_SHOWN - 1] + "…"
    who = str(record["userIdentity"].get("arn", record["userIdentity"].get("invokedBy", "")))
    return {
        "name": f"{record['eventSource'].partition('.')[0]}:{record['eventName']}",
        "who": who.rpartition(":")[2],
        "through": record["userIdentity"].get("invokedBy", ""),
        "asked": written,
        "error": record.get("errorCode", ""),
        "words": record.get("errorMessage", ""),
    }


_OK = "#1e6b3a"
_LOOKS = {
    OPEN: (_svg.MUTED, _svg.WHITE),
    DONE: (_OK, "#e6f4ea"),
    PARTLY: (_svg.KEY, "#fbf1d9"),
    FAILED: (_svg.SEAL, "#fbe9e7"),
}


def _draw(view: SharingSteps) -> str:
    """Two columns, an account each; a step stands in that of the account that takes it."""
    width, pad, gap, tall = 760, 20, 20, 76
    each = (width - 2 * pad - gap) / 2
    p = _svg.Picture(width, view.title, view.sentence())
    p.text(pad, 34, view.title, size=17, bold=True)
    places = {"owner": float(pad), "target": pad + each + gap}
    heads = {"owner": f"Account {view.sharing.owner}", "target": f"Account {view.sharing.target}"}
    for where, x in places.items():
        p.text(x, 62, heads[where], bold=True)
        p.text(x + each, 62, where, size=12, fill=_svg.MUTED, anchor="end")
    y = 76.0
    for step in view.sharing.steps:
        colour, fill = _LOOKS[step.state]
        x = places[step.where]
        p.box(x, y, each, tall, fill=fill, line=colour, dashed=step.state == OPEN)
        p.text(x + 12, y + 22, f"{step.number}. {step.title}", size=12.5, bold=True)
        p.text(x + 12, y + 40, _WORDS[step.state], size=12, fill=colour, bold=True)
        says = _svg.wrap(step.says, each - 24, 11.5)
        for number, line in enumerate(says[:2]):
            cut = "…" if number == 1 and len(says) > 2 else ""
            p.text(x + 12, y + 56 + 14 * number, line + cut, size=11, fill=_svg.MUTED)
        y += tall + 10
    return p.render(y + 8)
