"""The key chooser: each key it names is made on the simulator, and does what it was named for."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from kmscourse import cloud, facts
from kmscourse.views import KeyChooser
from kmscourse.views._key_choice import NEED, QUESTIONS, KeyChoice, choose, every
from tests.cloud.kms.importing import external_key
from tests.views.test_envelope import colours, contrast

NAMES = [question.name for question in QUESTIONS]
CHOICES = [(dict(zip(NAMES, given, strict=True)), choice) for given, choice in every().items()]
MADE_IN_KMS = [
    (answers, choice)
    for answers, choice in CHOICES
    if choice.parameters and answers["material"] == "kms" and answers["control"] == "policy"
]
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@pytest.fixture(scope="module")
def kms() -> Iterator[Any]:
    with cloud.running(seed="key-chooser"):
        boto3.client("s3").create_bucket(Bucket="chooser")
        yield boto3.client("kms")


def public_key(kms: Any, key: str) -> Any:
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


def use(kms: Any, need: str, key: dict[str, Any]) -> bool:
    """Do with a key what it is needed for; whether it came out right."""
    arn, spec = key["Arn"], key["KeySpec"]
    if need == "service":
        how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
        boto3.client("s3").put_object(Bucket="chooser", Key="k", Body=b"x", **how)
        got = boto3.client("s3").get_object(Bucket="chooser", Key="k")["Body"].read()
        return bool(got == b"x")
    if need == "application":
        data_key = kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
        opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"]
        return bool(opened == data_key["Plaintext"])
    if need == "checked":
        how = {"KeyId": arn, "Message": b"x", "MacAlgorithm": key["MacAlgorithms"][0]}
        mac = kms.generate_mac(**how)["Mac"]
        return bool(kms.verify_mac(**how, Mac=mac)["MacValid"])
    public = public_key(kms, arn)
    if spec.startswith("ML_KEM"):
        secret, sealed = public.encapsulate()
        how = {"SharedSecretCiphertextBlob": sealed, "EncapsulationAlgorithm": "ML_KEM"}
        return bool(kms.decapsulate(KeyId=arn, **how)["SharedSecret"] == secret)
    if need == "sealed-outside":
        how = {"CiphertextBlob": public.encrypt(b"x", OAEP)}
        how["EncryptionAlgorithm"] = "RSAES_OAEP_SHA_256"
        return bool(kms.decrypt(KeyId=arn, **how)["Plaintext"] == b"x")
    if need == "agreed":
        own = ec.generate_private_key(ec.SECP256R1())
        der = own.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        secret = kms.derive_shared_secret(KeyId=arn, KeyAgreementAlgorithm="ECDH", PublicKey=der)
        return bool(secret["SharedSecret"] == own.exchange(ec.ECDH(), public))
    signature = kms.sign(KeyId=arn, Message=b"x", SigningAlgorithm=key["SigningAlgorithms"][0])
    more = () if spec.startswith("ML_DSA") else (ec.ECDSA(hashes.SHA256()),)
    public.verify(signature["Signature"], b"x", *more)
    return True


@pytest.mark.parametrize(("answers", "choice"), MADE_IN_KMS, ids=lambda each: str(each)[:60])
def test_each_key_does_what_it_was_chosen_for(
    kms: Any, answers: dict[str, str], choice: KeyChoice
) -> None:
    key = kms.create_key(**choice.parameters)["KeyMetadata"]
    assert key["KeyManager"] == "CUSTOMER"
    assert use(kms, answers["need"], key)


def test_material_of_ones_own_goes_into_each_symmetric_key_that_is_named_for_it(kms: Any) -> None:
    for need in ("service", "application", "checked"):
        choice = choose(need=need, quantum="no", control="policy", material="own-copy")
        assert choice.parameters is not None
        more = {name: value for name, value in choice.parameters.items() if name != "Origin"}
        key = external_key(kms, os.urandom(32), **more)
        described = kms.describe_key(KeyId=key)["KeyMetadata"]
        assert described["Origin"] == choice.parameters["Origin"] == "EXTERNAL"
        assert use(kms, need, described)


def test_a_key_store_holds_what_is_put_there_and_nothing_else(kms: Any) -> None:
    store = kms.create_custom_key_store(
        CustomKeyStoreName="chooser",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyUriEndpoint="https://chooser.clinic.example",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyAuthenticationCredential={
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
            "RawSecretAccessKey": "TheProxyKnowsThisSecretAsWellAndNobodyElse0",
        },
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    for need in NEED.options:
        outside = choose(need=need, quantum="no", control="policy", material="outside")
        inside = choose(need=need, quantum="no", control="policy", material="kms")
        assert inside.parameters is not None
        there = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": need}
        if outside.fits:
            assert outside.parameters is not None
            key = kms.create_key(**{**outside.parameters, **there})["KeyMetadata"]
            assert use(kms, need, key)
        else:
            with pytest.raises(ClientError, match="UnsupportedOperation"):
                kms.create_key(**{**inside.parameters, **there})


def test_who_wants_nothing_or_a_trail_of_a_service_gets_a_key_of_aws() -> None:
    wanted = {"need": "service", "quantum": "no", "material": "kms"}
    assert choose(**wanted, control="nothing").name == "AWS owned key"
    assert choose(**wanted, control="audit").name == "AWS managed key"
    assert choose(**wanted, control="policy").month == facts.price("kms.key.month").value


def test_every_choice_rests_on_facts_and_a_key_has_a_price() -> None:
    for _, choice in CHOICES:
        assert choice.reasons
        for reason in choice.reasons:
            assert facts.get(reason.fact).statement
        assert choice.fits or choice.parameters is None
        assert len({reason.words for reason in choice.reasons}) == len(choice.reasons)


def test_answers_are_changed_from_python_and_bad_ones_are_told() -> None:
    view = KeyChooser()
    found = view.choose(need="proven", quantum="yes")
    assert found.parameters is not None
    assert found.parameters["KeySpec"] == "ML_DSA_65"
    assert view.choice == found
    with pytest.raises(ValueError, match="need is one of service, application"):
        view.choose(need="everything")
    with pytest.raises(ValueError, match="There is no question 'price'"):
        view.choose(price="low")
    assert view.choice == found


def test_what_reaches_the_browser_is_what_was_decided_here() -> None:
    table = KeyChooser()._table
    json.dumps(table)
    for answers, choice in CHOICES:
        place = table["places"][" ".join(answers[name] for name in NAMES)]
        assert (place["name"], place["fits"]) == (choice.name, choice.fits)
        said = [table["reasons"][at]["words"] for at in place["reasons"]]
        assert said == [reason.words for reason in choice.reasons]


def test_the_still_form_does_not_depend_on_answers() -> None:
    view = KeyChooser()
    before = (repr(view), view.picture())
    view.choose(need="proven", material="outside")
    assert (repr(view), view.picture()) == before
    picture = ET.fromstring(view.picture())
    words = " ".join(text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert all(question.asks in words for question in QUESTIONS)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_words_can_be_read_in_both_themes(name: str) -> None:
    theme = colours(name)
    for ink, ground in (
        ("ok", "paper"), ("seal", "paper"), ("muted", "paper"), ("accent", "paper"),
        ("ink", "tint"), ("ink", "accent-tint"),
    ):  # fmt: skip
        assert contrast(theme[ink], theme[ground]) >= 4.5
