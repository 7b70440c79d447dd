"""Whatever is sent, KMS answers with an error that botocore documents for the operation."""

from __future__ import annotations

import os
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscourse import cloud
from tests.cloud.kms.importing import external_key, wrap

MODEL = botocore.session.get_session().get_service_model("kms")
#: What every AWS service may answer (AWS General Reference, "Common errors").
COMMON = {"ValidationException", "AccessDeniedException", "SerializationException"}
#: 1,000 between the five operations; more where KMSCOURSE_EXAMPLES says so.
EXAMPLES = int(os.environ.get("KMSCOURSE_EXAMPLES", "200"))
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
contexts = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)


class Target:
    """Keys, and things that they made, to be sent back changed."""

    def __init__(self, aws: cloud.Cloud) -> None:
        session = aws.session("learner")
        self.kms = kms = session.client("kms", config=Config(parameter_validation=False))
        self.key = kms.create_key()["KeyMetadata"]["KeyId"]
        self.pair = self._key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.rsa = self._key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        self.mac_key = self._key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.empty = external_key(kms)
        kms.create_alias(AliasName="alias/a", TargetKeyId=self.key)
        arn = kms.describe_key(KeyId=self.key)["KeyMetadata"]["Arn"]
        self.names = [self.key, arn, "alias/a", self.pair, self.rsa, self.mac_key, self.empty]
        self.blob = kms.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"a": "b"})[
            "CiphertextBlob"
        ]
        self.signed = kms.sign(KeyId=self.pair, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")[
            "Signature"
        ]
        self.mac = kms.generate_mac(KeyId=self.mac_key, Message=b"x", MacAlgorithm="HMAC_SHA_256")[
            "Mac"
        ]
        given = kms.get_parameters_for_import(
            KeyId=self.empty, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        self.token = given["ImportToken"]
        self.wrapped = wrap(os.urandom(32), given["PublicKey"], "RSAES_OAEP_SHA_256")

    def _key(self, **spec: str) -> str:
        return str(self.kms.create_key(**spec)["KeyMetadata"]["KeyId"])


@pytest.fixture(scope="module")
def target(world: cloud.Cloud) -> Target:
    return Target(world)


@st.composite
def changed(draw: st.DrawFn, of: bytes) -> bytes:
    """Bytes like those given: whole, cut, lengthened, with bits turned; or any bytes at all."""
    data = bytearray(of)
    match draw(st.sampled_from(["whole", "flip", "flip", "cut", "more", "splice", "any"])):
        case "flip":
            for _ in range(draw(st.integers(1, 4))):
                data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
        case "cut":
            del data[draw(st.integers(0, len(data) - 1)) :]
        case "more":
            data += draw(st.binary(min_size=1, max_size=40))
        case "splice":
            at = draw(st.integers(0, len(data)))
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        case "any":
            data = bytearray(draw(st.binary(max_size=300)))
    return bytes(data)


def ids(target: Target) -> st.SearchStrategy[Any]:
    """Names of keys: real ones, nearly real ones, and anything."""
    real = st.sampled_from(target.names)
    mangled = st.builds(lambda name, at, c: name[:at] + c + name[at + 1 :], real,
                        st.integers(0, 70), st.characters())  # fmt: skip
    return st.one_of(
        real, real, mangled, st.text(max_size=40), st.sampled_from(["", "alias/", "arn:aws:kms"])
    )


def attempt(target: Target, name: str, parameters: dict[str, Any]) -> None:
    """Call, and expect success or a documented error."""
    operation = MODEL.operation_model(name)
    documented = {shape.name for shape in operation.error_shapes} | COMMON
    found = _error(target, name, parameters)
    assert found is None or found["Code"] in documented, found


def _error(target: Target, name: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    try:
        getattr(target.kms, botocore.xform_name(name))(**parameters)
    except ClientError as error:
        return dict(error.response["Error"])
    return None


def optional(data: st.DataObject, **choices: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Some of the parameters."""
    return {name: data.draw(s) for name, s in choices.items() if data.draw(st.booleans())}


ALGORITHMS = st.sampled_from(
    ["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", "?"]
)


@often
@given(data=st.data())
def test_decrypt(target: Target, data: st.DataObject) -> None:
    parameters = {"CiphertextBlob": data.draw(changed(target.blob))} | optional(
        data,
        KeyId=ids(target),
        EncryptionContext=st.one_of(st.just({"a": "b"}), contexts),
        EncryptionAlgorithm=ALGORITHMS,
        GrantTokens=st.lists(st.text(max_size=9), max_size=2),
        DryRun=st.booleans(),
        DryRunModifiers=st.just(["IGNORE_CIPHERTEXT"]),
    )
    attempt(target, "Decrypt", parameters)


@often
@given(data=st.data())
def test_re_encrypt(target: Target, data: st.DataObject) -> None:
    parameters = {
        "CiphertextBlob": data.draw(changed(target.blob)),
        "DestinationKeyId": data.draw(ids(target)),
    } | optional(
        data,
        SourceKeyId=ids(target),
        SourceEncryptionContext=st.one_of(st.just({"a": "b"}), contexts),
        DestinationEncryptionContext=contexts,
        SourceEncryptionAlgorithm=ALGORITHMS,
        DestinationEncryptionAlgorithm=ALGORITHMS,
    )
    attempt(target, "ReEncrypt", parameters)


@often
@given(data=st.data())
def test_verify(target: Target, data: st.DataObject) -> None:
    algorithms = MODEL.shape_for("SigningAlgorithmSpec").enum
    parameters = {
        "KeyId": data.draw(st.one_of(st.just(target.pair), ids(target))),
        "Message": data.draw(changed(b"x")),
        "Signature": data.draw(changed(target.signed)),
        "SigningAlgorithm": data.draw(st.sampled_from(["ECDSA_SHA_256", *algorithms])),
    } | optional(data, MessageType=st.sampled_from(["RAW", "DIGEST", "EXTERNAL_MU"]))
    if parameters["SigningAlgorithm"] in ("ED25519_PH_SHA_512", "ML_DSA_SHAKE_256"):
        return  # see docs/fidelity.md
    attempt(target, "Verify", parameters)


@often
@given(data=st.data())
def test_verify_mac(target: Target, data: st.DataObject) -> None:
    parameters = {
        "KeyId": data.draw(st.one_of(st.just(target.mac_key), ids(target))),
        "Message": data.draw(changed(b"x")),
        "Mac": data.draw(changed(target.mac)),
        "MacAlgorithm": data.draw(st.sampled_from(["HMAC_SHA_256", "HMAC_SHA_512", "?"])),
    }
    attempt(target, "VerifyMac", parameters)


@often
@given(data=st.data())
def test_import_key_material(target: Target, data: st.DataObject) -> None:
    parameters = {
        "KeyId": data.draw(st.one_of(st.just(target.empty), ids(target))),
        "ImportToken": data.draw(st.one_of(st.just(target.token), changed(target.token))),
        "EncryptedKeyMaterial": data.draw(changed(target.wrapped)),
    } | optional(
        data,
        ExpirationModel=st.sampled_from(
            ["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE", "?"]
        ),
        ValidTo=st.datetimes(),
        ImportType=st.sampled_from(["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"]),
        KeyMaterialId=st.sampled_from(["a" * 64, "b"]),
    )
    attempt(target, "ImportKeyMaterial", parameters)


def _value(shape: Any, target: Target) -> st.SearchStrategy[Any]:
    """Any value of a shape's type, with no regard to its limits."""
    kind = shape.type_name
    if kind == "string":
        known = getattr(shape, "enum", None) or target.names
        return st.one_of(st.sampled_from(known), st.text(max_size=20))
    if kind == "structure":
        members = {n: _value(m, target) for n, m in shape.members.items()}
        required = {n: members.pop(n) for n in shape.required_members}
        return st.fixed_dictionaries(required, optional=members)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "blob": st.binary(max_size=60),
        "boolean": st.booleans(),
        "integer": st.integers(-5, 4000),
        "timestamp": st.datetimes(),
        "map": contexts,
    }
    if kind == "list":
        return st.lists(_value(shape.member, target), max_size=3)
    return simple[kind]


@settings(
    max_examples=max(5, EXAMPLES // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.parametrize("name", sorted(MODEL.operation_names))
@given(data=st.data())
def test_any_operation_with_any_values(target: Target, name: str, data: st.DataObject) -> None:
    """No Python exception, whatever the parameters: what is not of the model is listed here."""
    shape = MODEL.operation_model(name).input_shape
    parameters = data.draw(_value(shape, target))
    simulated = {"UnsupportedOperationException"}  # what docs/fidelity.md lists
    beyond = {"NotAuthorizedException", "TagException", "LimitExceededException"} | simulated
    every = {s.name for s in MODEL.operation_model(name).error_shapes} | COMMON | beyond
    found = _error(target, name, parameters)
    assert found is None or found["Code"] in every, found
