"""The widgets: each shows a real object, drawn in the browser and usable by keyboard alone.

``Envelope``: a sealed message, opened layer by layer.
"""

from __future__ import annotations

from kmscourse.views.envelope import Answer, Envelope

__all__ = ["Answer", "Envelope"]
