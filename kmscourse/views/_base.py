"""What all views share: the script and style that are inlined, and the form that needs no browser.

A view is one Python file and one JavaScript file. The JavaScript is drawn in the browser, and
nothing is fetched: ``_base.js`` and the view's own script are joined into one module, ``_base.css``
and the view's own style into one sheet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

HERE = Path(__file__).parent


def read_asset(name: str) -> str:
    """The text of a script or style beside this file."""
    return (HERE / name).read_text(encoding="utf-8")


def _names(files: str | tuple[str, ...]) -> tuple[str, ...]:
    return files if isinstance(files, tuple) else (files,) if files else ()


class View(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget ships no types
    """A widget that shows a real object of the course.

    A subclass names its script (``script``) and, if it has one, its style (``style``); each may be
    several files, of which the first are shared with other views. It gives

    * ``sentence()``: what can be seen, in one plain sentence without ids or addresses, for whoever
      cannot see it and for places where widgets do not run;
    * ``picture()``: an SVG of the same, for GitHub and print. nbval compares it, so it must not
      hold bytes, ids or anything else that changes from run to run.

    ``title`` is the name that assistive technology reads out.
    """

    script: ClassVar[str | tuple[str, ...]] = ""
    style: ClassVar[str | tuple[str, ...]] = ""

    title = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Only where a script is named: traitlets makes nameless subclasses of its own.
        if "script" in cls.__dict__:
            cls._esm = "\n".join(map(read_asset, ("_base.js", *_names(cls.script))))
            cls._css = "\n".join(map(read_asset, ("_base.css", *_names(cls.style))))
        super().__init_subclass__(**kwargs)

    def sentence(self) -> str:
        """What can be seen, in one sentence."""
        raise NotImplementedError

    def picture(self) -> str:
        """The static form: SVG text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.sentence()}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it the picture and the sentence for where no widget runs."""
        still = {"text/plain": repr(self), "image/svg+xml": self.picture()}
        # Closed, or no kernel to talk to: the still form is all there is.
        bundle = super()._repr_mimebundle_(**kwargs) if self.comm is not None else None
        if bundle is None:
            return still
        data, metadata = bundle
        return {**data, **still}, metadata
