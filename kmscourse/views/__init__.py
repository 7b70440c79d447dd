"""The widgets: each shows a real object, drawn in the browser and usable by keyboard alone.

``DecisionView``: who may, and why: a decision, with policies that can be changed.
``Envelope``: a sealed message, opened layer by layer.
``RotationTimeline``: keys over the years, what opens which ciphertext, and the cost.
``Wire``: a TLS conversation, record by record, from three seats.
"""

from __future__ import annotations

from kmscourse.views.decision import DecisionView
from kmscourse.views.envelope import Answer, Envelope
from kmscourse.views.rotation import RotationTimeline
from kmscourse.views.wire import Wire

__all__ = ["Answer", "DecisionView", "Envelope", "RotationTimeline", "Wire"]
