"""The widgets: each shows a real object, drawn in the browser and usable by keyboard alone.

``CostExplorer``: two designs, what dominates their cost, and where they break even.
``DecisionView``: who may, and why: a decision, with policies that can be changed.
``Envelope``: a sealed message, opened layer by layer.
``KeyChooser``: which key for which need, by four questions.
``RegionMap``: keys and replicas in their Regions, and where each call really went.
``RotationTimeline``: keys over the years, what opens which ciphertext, and the cost.
``SharingSteps``: an encrypted snapshot on its way into another account, step by step.
``WhoCanRead``: real attempts to read a record, by who tried and what protected it.
``Wire``: a TLS conversation, record by record, from three seats.
"""

from __future__ import annotations

from kmscourse.views.cost import CostExplorer
from kmscourse.views.decision import DecisionView
from kmscourse.views.envelope import Answer, Envelope
from kmscourse.views.key_chooser import KeyChooser
from kmscourse.views.region_map import RegionMap
from kmscourse.views.rotation import RotationTimeline
from kmscourse.views.sharing_steps import SharingSteps
from kmscourse.views.who_can_read import WhoCanRead
from kmscourse.views.wire import Wire

__all__ = [
    "Answer",
    "CostExplorer",
    "DecisionView",
    "Envelope",
    "KeyChooser",
    "RegionMap",
    "RotationTimeline",
    "SharingSteps",
    "WhoCanRead",
    "Wire",
]
