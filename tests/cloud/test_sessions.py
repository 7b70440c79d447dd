"""Sessions of STS: of users, with MFA, of federated users, and for whom a provider vouches."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from kmscourse import cloud
from tests.cloud.conftest import code_of
from tests.cloud.test_enforcement import allow, document, give, refused


def session_of(credentials: dict[str, Any]) -> boto3.Session:
    return boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


def federated(aws: cloud.Cloud, user: str, **more: Any) -> boto3.Session:
    sts = aws.session(user).client("sts")
    return session_of(sts.get_federation_token(Name="locum", **more)["Credentials"])


def error_of(attempt: Any) -> str:
    with pytest.raises(ClientError) as error:
        attempt()
    return code_of(error)


# Federated users


def test_a_federated_user_may_what_user_and_session_policy_both_allow(
    aws: cloud.Cloud, key_id: str
) -> None:
    give("broker", allow(["sts:GetFederationToken", "kms:Encrypt", "kms:Decrypt"]))
    locum = federated(aws, "broker", Policy=document(allow(["kms:Encrypt", "kms:DescribeKey"])))
    assert locum.client("sts").get_caller_identity() | {"ResponseMetadata": 0} == {
        "UserId": f"{aws.account_id}:locum",
        "Account": aws.account_id,
        "Arn": f"arn:aws:sts::{aws.account_id}:federated-user/locum",
        "ResponseMetadata": 0,
    }
    kms = locum.client("kms")
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    message, because = refused(aws, lambda: kms.decrypt(CiphertextBlob=blob))
    assert message.endswith("because no session policy allows the kms:Decrypt action")
    assert "session policy" in because
    message, because = refused(aws, lambda: kms.describe_key(KeyId=key_id))
    assert message.endswith("because no identity-based policy allows the kms:DescribeKey action")


def test_without_a_session_policy_only_a_key_policy_that_names_the_session_helps(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    give("broker", allow(["sts:GetFederationToken", "kms:Encrypt"]))
    locum = federated(aws, "broker").client("kms")
    refused(aws, lambda: locum.encrypt(KeyId=key_id, Plaintext=b"x"))
    arn = f"arn:aws:sts::{aws.account_id}:federated-user/locum"
    root = f"arn:aws:iam::{aws.account_id}:root"
    open_to_locum = kms.create_key(
        Policy=document(
            allow("kms:*", Principal={"AWS": root}), allow("kms:Encrypt", Principal={"AWS": arn})
        )
    )["KeyMetadata"]["KeyId"]
    assert locum.encrypt(KeyId=open_to_locum, Plaintext=b"x")


def test_the_trail_knows_who_vouched(aws: cloud.Cloud, key_id: str) -> None:
    give("broker", allow(["sts:GetFederationToken", "kms:Encrypt"]))
    locum = federated(aws, "broker", Policy=document(allow("kms:*")))
    locum.client("kms").encrypt(KeyId=key_id, Plaintext=b"x")
    who = aws.trail.events("Encrypt")[-1]["userIdentity"]
    assert who["type"] == "FederatedUser"
    assert who["principalId"] == f"{aws.account_id}:locum"
    assert who["sessionContext"]["sessionIssuer"]["userName"] == "broker"
    assert who["sessionContext"]["attributes"] == {"mfaAuthenticated": "false"}
    assert error_of(lambda: locum.client("sts").get_federation_token(Name="xx")) == "AccessDenied"


def test_a_session_policy_that_is_none_is_refused(aws: cloud.Cloud) -> None:
    give("broker", allow("sts:GetFederationToken"))
    assert error_of(lambda: federated(aws, "broker", Policy="{}")) == "MalformedPolicyDocument"


# MFA


class Device:
    """A user's phone."""

    def __init__(self, aws: cloud.Cloud, user: str) -> None:
        self.aws = aws
        iam = boto3.client("iam")
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]
        self.serial = made["SerialNumber"]
        seed = base64.b32decode(made["Base32StringSeed"])
        self._totp = TOTP(seed, 6, SHA1(), 30, enforce_key_length=False)
        iam.enable_mfa_device(
            UserName=user,
            SerialNumber=self.serial,
            AuthenticationCode1=self.code(),
            AuthenticationCode2=self.code(),
        )

    def code(self) -> str:
        return self._totp.generate(int(self.aws.clock.now().timestamp())).decode()


def only_with_mfa(aws: cloud.Cloud, kms: Any) -> str:
    unless = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    deny = {
        "Sid": "OnlyWithMFA",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:DisableKey",
        "Resource": "*",
        "Condition": unless,
    }
    root = f"arn:aws:iam::{aws.account_id}:root"
    policy = document(allow("kms:*", Principal={"AWS": root}), deny)
    return str(kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"])


def test_a_session_made_with_an_mfa_code_is_told_apart(aws: cloud.Cloud, kms: Any) -> None:
    key = only_with_mfa(aws, kms)
    phone = Device(aws, "learner")
    sts = boto3.client("sts")
    refused(aws, lambda: kms.disable_key(KeyId=key))
    plain = session_of(sts.get_session_token()["Credentials"]).client("kms")
    _, because = refused(aws, lambda: plain.disable_key(KeyId=key))
    assert 'the request has "false"' in because
    sure = sts.get_session_token(SerialNumber=phone.serial, TokenCode=phone.code())
    sure_kms = session_of(sure["Credentials"]).client("kms")
    sure_kms.disable_key(KeyId=key)
    who = aws.trail.events("DisableKey")[-1]["userIdentity"]
    assert who["type"] == "IAMUser"
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"


def test_a_role_can_ask_for_mfa(aws: cloud.Cloud) -> None:
    phone = Device(aws, "learner")
    iam, sts = boto3.client("iam"), boto3.client("sts")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    arn = iam.create_role(RoleName="surgeon", AssumeRolePolicyDocument=document(trust))["Role"][
        "Arn"
    ]
    named = {"RoleArn": arn, "RoleSessionName": "theatre"}
    refused(aws, lambda: sts.assume_role(**named))
    wrong = {"SerialNumber": phone.serial, "TokenCode": f"{(int(phone.code()) + 1) % 10**6:06}"}
    assert error_of(lambda: sts.assume_role(**named, **wrong)) == "AccessDenied"
    assert error_of(
        lambda: sts.assume_role(**named, SerialNumber=f"{phone.serial}x", TokenCode=phone.code())
    ) == ("AccessDenied")
    right = {"SerialNumber": phone.serial, "TokenCode": phone.code()}
    surgeon = session_of(sts.assume_role(**named, **right)["Credentials"])
    surgeon.client("sts").get_caller_identity()
    who = aws.trail.events("GetCallerIdentity")[-1]["userIdentity"]
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"


# Identity providers


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def token(subject: str, issuer: str = "https://id.clinic.example") -> str:
    claims = {"iss": issuer, "sub": subject, "aud": "records"}
    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmVk"


def role(aws: cloud.Cloud, statement: dict[str, Any], *permissions: dict[str, Any]) -> str:
    iam = boto3.client("iam")
    trust = document({"Effect": "Allow", **statement})
    made = iam.create_role(RoleName="portal", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="portal", PolicyName="use", PolicyDocument=document(*permissions))
    return str(made)


def test_a_web_identity_gets_the_role_that_trusts_its_provider(
    aws: cloud.Cloud, key_id: str
) -> None:
    provider = boto3.client("iam").create_open_id_connect_provider(
        Url="https://id.clinic.example", ClientIDList=["records"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    arn = role(
        aws,
        {
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"id.clinic.example:sub": "dr-ada"}},
        },
        allow("kms:Encrypt"),
    )
    sts = boto3.client("sts")
    named = {"RoleArn": arn, "RoleSessionName": "dr-ada"}
    given = sts.assume_role_with_web_identity(**named, WebIdentityToken=token("dr-ada"))
    who = aws.trail.events("AssumeRoleWithWebIdentity")[-1]["userIdentity"]
    assert who == {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:records:dr-ada",
        "userName": "dr-ada",
        "identityProvider": provider,
    }
    kms = session_of(given["Credentials"]).client("kms")
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    refused(aws, lambda: kms.decrypt(CiphertextBlob=blob))
    _, because = refused(
        aws,
        lambda: sts.assume_role_with_web_identity(**named, WebIdentityToken=token("mallory")),
    )
    assert "role trust policy" in because
    assert "id.clinic.example:sub" in because
    for wrong in (token("dr-ada", "https://elsewhere.example"), "no token at all"):
        attempt = {**named, "WebIdentityToken": wrong}
        assert error_of(lambda a=attempt: sts.assume_role_with_web_identity(**a)) == (
            "InvalidIdentityToken"
        )


ASSERTION = """
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">
<saml:Subject><saml:NameID>ada@clinic.example</saml:NameID></saml:Subject>
<saml:AttributeStatement>
<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">
<saml:AttributeValue>{role},{provider}</saml:AttributeValue></saml:Attribute>
<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName">
<saml:AttributeValue>ada@clinic.example</saml:AttributeValue></saml:Attribute>
</saml:AttributeStatement></saml:Assertion></samlp:Response>
"""


def test_a_saml_provider_vouches_where_the_role_trusts_it(aws: cloud.Cloud, key_id: str) -> None:
    provider = boto3.client("iam").create_saml_provider(
        SAMLMetadataDocument="x" * 1000, Name="clinic"
    )["SAMLProviderArn"]
    federation = {
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithSAML",
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    }
    arn = role(aws, federation, allow("kms:Encrypt"))
    written = ASSERTION.format(role=arn, provider=provider).strip().encode()
    sts = boto3.client("sts")
    asked = {
        "RoleArn": arn,
        "PrincipalArn": provider,
        "SAMLAssertion": base64.b64encode(written).decode(),
    }
    given = sts.assume_role_with_saml(**asked)
    assert aws.trail.events("AssumeRoleWithSAML")[-1]["userIdentity"]["type"] == "SAMLUser"
    kms = session_of(given["Credentials"]).client("kms")
    assert kms.encrypt(KeyId=key_id, Plaintext=b"x")
    assert aws.trail.events("Encrypt")[-1]["userIdentity"]["arn"].endswith(
        ":assumed-role/portal/ada@clinic.example"
    )
    other = {**asked, "PrincipalArn": provider.replace("clinic", "elsewhere")}
    assert error_of(lambda: sts.assume_role_with_saml(**other)) == "InvalidIdentityToken"
    boto3.client("iam").update_assume_role_policy(
        RoleName="portal",
        PolicyDocument=document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"},
                "Action": "sts:AssumeRole",
            }
        ),
    )
    refused(aws, lambda: sts.assume_role_with_saml(**asked))


# Revoking


def test_a_deny_on_the_time_of_issue_ends_the_sessions_from_before_and_no_later_ones(
    aws: cloud.Cloud, key_id: str
) -> None:
    iam = boto3.client("iam")
    trust = allow("sts:AssumeRole") | {"Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}}
    del trust["Resource"]
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document(trust))["Role"]
    may = document(allow("kms:DescribeKey"))
    iam.put_role_policy(RoleName="reader", PolicyName="may", PolicyDocument=may)

    def taken_on() -> Any:
        sts = boto3.client("sts")
        given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="one")["Credentials"]
        return session_of(given).client("kms")

    before = taken_on()
    before.describe_key(KeyId=key_id)
    aws.clock.advance(seconds=60)
    now = aws.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    deny["Condition"] = {"DateLessThan": {"aws:TokenIssueTime": now}}
    iam.put_role_policy(RoleName="reader", PolicyName="revoke", PolicyDocument=document(deny))
    aws.clock.advance(seconds=60)
    after = taken_on()
    after.describe_key(KeyId=key_id)
    assert error_of(lambda: before.describe_key(KeyId=key_id)) == "AccessDeniedException"
    boto3.client("kms").describe_key(KeyId=key_id)
