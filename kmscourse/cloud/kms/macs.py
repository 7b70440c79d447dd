"""GenerateMac and VerifyMac: HMAC (RFC 2104) under keys that never leave KMS."""

from __future__ import annotations

import hmac
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import specs, states
from kmscourse.cloud.kms.cryptographic import check_usage
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import KMS, operation

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "HMAC_SHA_224": hashes.SHA224,
    "HMAC_SHA_256": hashes.SHA256,
    "HMAC_SHA_384": hashes.SHA384,
    "HMAC_SHA_512": hashes.SHA512,
}


def _macs(call: Call, key: Key) -> None:
    check_usage(call, key, specs.MAC, call.parameters["MacAlgorithm"])


@operation("GenerateMac", refuses=states.USES, suits=_macs, uses=True, cross_account=True)
def generate_mac(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The HMAC of a message of up to 4,096 bytes."""
    algorithm = call.parameters["MacAlgorithm"]
    return {"Mac": _mac(call, key), "MacAlgorithm": algorithm, "KeyId": key.arn}


@operation("VerifyMac", refuses=states.USES, suits=_macs, uses=True, cross_account=True)
def verify_mac(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Whether an HMAC is the message's; one that is not is an error, never ``False``."""
    if not hmac.compare_digest(_mac(call, key), call.parameters["Mac"]):
        raise AWSError("KMSInvalidMacException")
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": call.parameters["MacAlgorithm"]}


def _mac(call: Call, key: Key) -> bytes:
    secret = key.secret(key.current)
    assert secret is not None, "the key's state is checked before its material is used"
    mac = HMAC(secret, _HASHES[call.parameters["MacAlgorithm"]]())
    mac.update(call.parameters["Message"])
    return mac.finalize()
