"""Who may, and why: AWS authorization, decided and explained. Pure: no AWS, no moto.

    from kmscourse.cloud.authorization import Policies, Request, decide

    decision = decide(
        Request("arn:aws:iam::111122223333:user/ana", "kms:Decrypt", key_arn),
        Policies(identity=[...], resource=key_policy),
    )
    decision.allowed, decision.because, decision.steps

The rules (R1.1 ... R11.11) are listed, each with its test, in
``tests/cloud/authorization/authorization_rules.py``. In the code **[I]** marks what is inferred
from AWS's documents and **[R]** what is recalled without one; neither is taught as certain.
"""

from kmscourse.cloud.authorization.decision import Decision, decide
from kmscourse.cloud.authorization.document import (
    Document,
    PolicyDocument,
    PolicyKind,
    compile_policy,
    parse_policy,
)
from kmscourse.cloud.authorization.errors import MalformedPolicyError
from kmscourse.cloud.authorization.explain import LayerView, Step
from kmscourse.cloud.authorization.kms_keys import (
    CONDITION_KEYS,
    CROSS_ACCOUNT,
    GRANT_OPERATIONS,
    IAM_ONLY,
    ConditionKey,
)
from kmscourse.cloud.authorization.lockout import (
    LOCKOUT_MESSAGE,
    check_lockout,
    lockout_decision,
)
from kmscourse.cloud.authorization.model import Grant, Layer, NamedPolicy, Policies, Request

__all__ = [
    "CONDITION_KEYS",
    "CROSS_ACCOUNT",
    "GRANT_OPERATIONS",
    "IAM_ONLY",
    "LOCKOUT_MESSAGE",
    "ConditionKey",
    "Decision",
    "Document",
    "Grant",
    "Layer",
    "LayerView",
    "MalformedPolicyError",
    "NamedPolicy",
    "Policies",
    "PolicyDocument",
    "PolicyKind",
    "Request",
    "Step",
    "check_lockout",
    "compile_policy",
    "decide",
    "lockout_decision",
    "parse_policy",
]
