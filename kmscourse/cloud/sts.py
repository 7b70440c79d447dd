"""AWS STS: who am I, sessions of users and federated users, MFA, and who an identity vouches for.

moto answers AssumeRole and its two federated sisters; GetSessionToken and GetFederationToken are
ours, for moto's credentials belong to nobody. Source: botocore sts; IAM User Guide, "Permissions
for GetFederationToken", "Configuring MFA-protected API access". AWS's words for MFA are recalled.
The signature of an identity token or a SAML assertion is not verified: that would need the
provider's keys from the network.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from kmscourse.cloud import moto_door, protocol
from kmscourse.cloud.authorization import MalformedPolicyError, parse_policy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Identity, Principal
from kmscourse.cloud.protocol import Response

FEDERATED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
"""Operations that nobody signs: an identity provider vouches for the caller."""


def perform(
    call: Call, identity: Identity, ask_moto: Callable[[], Response]
) -> dict[str, Any] | Response:
    """Carry out an operation of STS."""
    if call.operation == "GetCallerIdentity":
        return {"UserId": call.caller.id, "Account": call.caller.account, "Arn": call.caller.arn}
    if call.operation == "GetSessionToken":
        return _session_token(call, identity)
    if call.operation == "GetFederationToken":
        return _federation_token(call, identity)
    mfa = call.operation == "AssumeRole" and "SerialNumber" in call.parameters
    if mfa:
        _check_code(call)
    answer = _answer(call, ask_moto)
    if isinstance(answer, dict) and "Credentials" in answer:
        identity.note_session(answer["Credentials"]["AccessKeyId"], call.time, mfa=mfa)
    return answer


def _answer(call: Call, ask_moto: Callable[[], Response]) -> dict[str, Any] | Response:
    """moto's answer, read, so that the trail can show whose credentials were given out."""
    answer = ask_moto()
    if answer.status >= 400:
        return answer
    return protocol.result(call.service, call.operation, answer)


# ---------------------------------------------------------------- sessions of users


def _session_token(call: Call, identity: Identity) -> dict[str, Any]:
    """A session of the user who asks, with the user's own permissions."""
    caller = _with_long_term_key(call)
    if "SerialNumber" in call.parameters:
        _check_code(call)
    return {"Credentials": _issue(call, identity, caller, mfa="SerialNumber" in call.parameters)}


def _federation_token(call: Call, identity: Identity) -> dict[str, Any]:
    """A session for somebody whom the user who asks vouches for.

    It may do what both the user's policies and the session policies allow; nothing without a
    session policy, except what a resource's policy gives to the session itself (R3.4, R3.5).
    """
    caller = _with_long_term_key(call)
    name = call.parameters["Name"]
    policies = [call.parameters["Policy"]] if call.parameters.get("Policy") else []
    for document in policies:
        try:
            parse_policy(document, "session", code="MalformedPolicyDocument")
        except MalformedPolicyError as error:
            raise AWSError(error.code, error.message) from None
    policies += [
        moto_door.managed_policy(call.account, each["arn"])
        for each in call.parameters.get("PolicyArns", [])
    ]
    federated = Principal(
        f"arn:aws:sts::{call.account}:federated-user/{name}",
        "FederatedUser",
        call.account,
        f"{call.account}:{name}",
        session_policies=tuple(policies),
        issuer=caller,
    )
    return {
        "Credentials": _issue(call, identity, federated, mfa=False),
        "FederatedUser": {"FederatedUserId": federated.id, "Arn": federated.arn},
        "PackedPolicySize": min(100, sum(map(len, policies)) * 100 // 2048),
    }


def _with_long_term_key(call: Call) -> Principal:
    if call.caller.temporary:
        raise AWSError(
            "AccessDenied", f"Cannot call {call.operation} with session credentials", 403
        )
    return call.caller


def _issue(call: Call, identity: Identity, principal: Principal, *, mfa: bool) -> dict[str, Any]:
    seconds = int(call.parameters.get("DurationSeconds", 43_200))
    credentials = identity.issue(principal, at=call.time, mfa_at=call.time if mfa else None)
    return {
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "SessionToken": credentials.session_token,
        "Expiration": call.time + timedelta(seconds=seconds),
    }


# ---------------------------------------------------------------- MFA


def _check_code(call: Call) -> None:
    """Whether the code is the one that the caller's device shows now (or showed a moment ago)."""
    serial, code = call.parameters["SerialNumber"], call.parameters.get("TokenCode", "")
    seed = moto_door.mfa_seed(call.account, call.caller.name, serial)
    if seed is None:
        raise AWSError(
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your "
            "MFA serial number is valid and associated with this user.",
            403,
        )
    totp = TOTP(base64.b32decode(seed), 6, SHA1(), 30, enforce_key_length=False)
    now = int(call.time.timestamp())
    for moment in (now, now - 30):
        try:
            return totp.verify(code.encode(), moment)
        except InvalidToken:
            continue
    raise AWSError(
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code.",
        403,
    )


# ---------------------------------------------------------------- identity providers


def vouched_for(call: Call) -> Principal:
    """Whom an identity provider vouches for in an unsigned AssumeRoleWith... request.

    Raises:
        AWSError: InvalidIdentityToken, for what cannot be read or comes from no provider of the
            role's account.
    """
    account = str(call.parameters.get("RoleArn", "")).split(":")[4:5] or [""]
    if call.operation == "AssumeRoleWithSAML":
        return _by_saml(account[0], call.parameters)
    return _by_web_identity(account[0], call.parameters)


def _by_web_identity(account: str, parameters: dict[str, Any]) -> Principal:
    try:
        payload = str(parameters["WebIdentityToken"]).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer, subject = str(claims["iss"]).removeprefix("https://"), str(claims["sub"])
        audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        raise _invalid("The ID Token provided is not a valid JWT.") from None
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    if provider not in moto_door.iam(account).open_id_providers:
        raise _invalid(f"No OpenIDConnect provider found in your account for {claims['iss']}")
    return Principal(
        provider,
        "WebIdentityUser",
        account,
        f"{provider}:{audience}:{subject}",
        context=((f"{issuer}:sub", subject), (f"{issuer}:aud", audience)),
    )


_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


def _by_saml(account: str, parameters: dict[str, Any]) -> Principal:
    provider = str(parameters.get("PrincipalArn", ""))
    try:
        assertion = ElementTree.fromstring(base64.b64decode(parameters["SAMLAssertion"]))
        subject = assertion.findtext(f".//{_SAML}Subject/{_SAML}NameID") or ""
    except (ValueError, KeyError, ElementTree.ParseError):
        raise _invalid("Invalid base64 SAMLResponse") from None
    if provider not in {each.arn for each in moto_door.iam(account).saml_providers.values()}:
        raise _invalid("Specified provider doesn't exist")
    return Principal(
        provider,
        "SAMLUser",
        account,
        f"{provider}:{subject}",
        context=(("SAML:sub", subject), ("SAML:aud", "https://signin.aws.amazon.com/saml")),
    )


def _invalid(words: str) -> AWSError:
    return AWSError("InvalidIdentityToken", words)
