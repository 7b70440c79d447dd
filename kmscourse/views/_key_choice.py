"""Which key for which need, as a decision: pure, with the facts that decided.

Each combination of answers leads to the parameters of a CreateKey, to a key that AWS makes, or to
no key at all. `tests/views/test_key_chooser.py` makes every key and does with it what was needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from kmscourse import facts


@dataclass(frozen=True, slots=True)
class Question:
    """Something to answer: `options` are the words of each answer, by its name."""

    name: str
    asks: str
    options: Mapping[str, str]


NEED = Question(
    "need",
    "What must the key do?",
    {
        "service": "Protect data in an AWS service, such as S3 or EBS",
        "application": "Protect data of programs that can call KMS",
        "sealed-outside": "Receive data sealed by those who cannot call KMS",
        "proven": "Prove to anyone who wrote something",
        "checked": "Notice changes, where both sides can call KMS",
        "agreed": "Agree on a secret with a partner",
    },
)
QUANTUM = Question(
    "quantum",
    "Must it withstand a quantum computer?",
    {"no": "No, or not yet", "yes": "Yes"},
)
CONTROL = Question(
    "control",
    "What must you be able to do with it?",
    {
        "nothing": "Nothing: it should simply be there",
        "audit": "See its use in your trail",
        "policy": "Decide who uses it, share, disable or delete it",
    },
)
MATERIAL = Question(
    "material",
    "Where must its material be?",
    {
        "kms": "In KMS, made by KMS",
        "own-copy": "In KMS, made by us, with a copy at our place",
        "cloudhsm": "In our own CloudHSM cluster",
        "outside": "In a key manager outside AWS",
    },
)
QUESTIONS = (NEED, QUANTUM, CONTROL, MATERIAL)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in one sentence, and the id of the fact that it rests on."""

    words: str
    fact: str


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """Where the answers lead.

    Attributes:
        name: the key in a few words.
        parameters: for CreateKey; None where there is nothing to create.
        use: how it is used; empty where no key fits.
        month: its price in USD a month, before any request; None where no key fits.
    """

    name: str
    parameters: Mapping[str, str] | None
    use: str
    month: Decimal | None
    reasons: tuple[Reason, ...]

    @property
    def fits(self) -> bool:
        """Whether there is a key for these answers."""
        return self.month is not None

    def __str__(self) -> str:
        lines = [self.name]
        if self.parameters is not None:
            lines.append("create_key(" + ", ".join(shown(self.parameters)) + ")")
        if self.use:
            lines.append(self.use)
        if self.month is not None:
            lines.append(f"{_dollars(self.month)} a month, and requests.")
        lines += [f"- {reason.words} [{reason.fact}]" for reason in self.reasons]
        return "\n".join(lines)


def shown(parameters: Mapping[str, str]) -> list[str]:
    """Parameters as they stand in code: ['KeySpec="RSA_2048"']."""
    return [f'{name}="{value}"' for name, value in parameters.items()]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a need asks of the key, wherever it lies and whoever manages it."""

    name: str
    spec: str
    usage: str
    use: str
    why: Reason

    @property
    def symmetric(self) -> bool:
        return self.spec == "SYMMETRIC_DEFAULT"


_KINDS = {
    "service": _Kind(
        "Symmetric KMS key",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "You name it to the service, which asks KMS for data keys.",
        Reason("AWS services take symmetric encryption keys only.", "OVR-05"),
    ),
    "application": _Kind(
        "Symmetric KMS key",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "You call GenerateDataKey, encrypt with the data key, and later call Decrypt.",
        Reason("One AES key of 256 bits seals and opens, and never leaves KMS.", "KEY-02"),
    ),
    "sealed-outside": _Kind(
        "RSA key pair for encryption",
        "RSA_2048",
        "ENCRYPT_DECRYPT",
        "They seal a data key with the public key from GetPublicKey; you call Decrypt.",
        Reason("The public key can be downloaded and used without KMS.", "KEY-12"),
    ),
    "proven": _Kind(
        "Elliptic curve key pair for signing",
        "ECC_NIST_P256",
        "SIGN_VERIFY",
        "You call Sign; they verify with the public key from GetPublicKey.",
        Reason("The private key signs inside KMS; anyone verifies outside.", "KEY-12"),
    ),
    "checked": _Kind(
        "HMAC key",
        "HMAC_256",
        "GENERATE_VERIFY_MAC",
        "You call GenerateMac; whoever checks calls VerifyMac.",
        Reason("The code is made and checked with one key that never leaves KMS.", "KEY-11"),
    ),
    "agreed": _Kind(
        "Elliptic curve key pair for key agreement",
        "ECC_NIST_P256",
        "KEY_AGREEMENT",
        "Both swap public keys; you call DeriveSharedSecret, and derive a key from the result.",
        Reason("ECDH gives both sides one secret from the other's public key.", "KEY-06"),
    ),
}
_KEM = _Kind(
    "ML-KEM key pair",
    "ML_KEM_768",
    "ENCAPSULATE_DECAPSULATE",
    "They encapsulate a secret with the public key from GetPublicKey; you call Decapsulate.",
    Reason("Encapsulation gives both sides a shared secret to encrypt with.", "KEY-09"),
)
_POST_QUANTUM = {
    "sealed-outside": _KEM,
    "agreed": _KEM,
    "proven": _Kind(
        "ML-DSA key pair for signing",
        "ML_DSA_65",
        "SIGN_VERIFY",
        "You call Sign; they verify with the public key from GetPublicKey.",
        Reason("ML-DSA signs inside KMS; anyone verifies outside.", "KEY-08"),
    ),
}
_STORES = {"cloudhsm": "AWS_CLOUDHSM", "outside": "EXTERNAL_KEY_STORE"}


def choose(*, need: str, quantum: str, control: str, material: str) -> KeyChoice:
    """The key for these answers. Each is the name of an option of the question of that name.

    Raises:
        ValueError: for an answer that its question does not have.
    """
    answers = {"need": need, "quantum": quantum, "control": control, "material": material}
    for question in QUESTIONS:
        given = answers[question.name]
        if given not in question.options:
            known = ", ".join(question.options)
            raise ValueError(f"{question.name} is one of {known}; not {given!r}.")
    kind, reasons = _kind(need, quantum)
    if material in _STORES:
        return _in_a_store(kind, material, reasons)
    if material == "own-copy":
        return _imported(kind, reasons)
    if need == "service" and control != "policy":
        return _managed_by_aws(control, reasons)
    return _customer_managed(kind, control, reasons)


def every() -> dict[tuple[str, ...], KeyChoice]:
    """Each combination of answers, in the order of `QUESTIONS`, and where it leads."""
    names = [question.name for question in QUESTIONS]
    return {
        given: choose(**dict(zip(names, given, strict=True)))
        for given in product(*(question.options for question in QUESTIONS))
    }


def _kind(need: str, quantum: str) -> tuple[_Kind, tuple[Reason, ...]]:
    kind = _KINDS[need]
    if quantum == "no":
        return kind, (kind.why,)
    if need not in _POST_QUANTUM:
        said = "The quantum-resistant specs replace key pairs, and this is not a pair."
        return kind, (kind.why, Reason(said, "KEY-23"))
    kind = _POST_QUANTUM[need]
    said = "AWS marks this algorithm as quantum-resistant; RSA and elliptic curves not."
    return kind, (kind.why, Reason(said, "KEY-23"))


def _parameters(kind: _Kind, **more: str) -> dict[str, str]:
    return {"KeySpec": kind.spec, "KeyUsage": kind.usage, **more}


def _dollars(amount: Decimal) -> str:
    return f"${amount.normalize():f}"


def _month() -> Decimal:
    return facts.price("kms.key.month").value


def _customer_managed(kind: _Kind, control: str, reasons: tuple[Reason, ...]) -> KeyChoice:
    if control == "policy":
        why = Reason("Only a customer managed key has a policy that you write.", "KEY-15")
    else:
        why = Reason("A key that you create is customer managed, and costs as one.", "PRI-01")
    name = f"{kind.name}, customer managed"
    return KeyChoice(name, _parameters(kind), kind.use, _month(), (*reasons, why))


def _managed_by_aws(control: str, reasons: tuple[Reason, ...]) -> KeyChoice:
    free = Reason("No monthly price.", "PRI-03")
    if control == "nothing":
        use = "The service uses it by itself; you name no key."
        own = Reason("It is the service's own: you cannot see, manage or audit it.", "KEY-18")
        return KeyChoice("AWS owned key", None, use, Decimal(0), (*reasons, own, free))
    use = "It is made at the first use, as aws/ and the name of the service, such as aws/s3."
    why = (
        Reason("Its use stands in your trail; its policy and rotation are AWS's.", "KEY-16"),
        Reason("New services no longer make such keys.", "KEY-17"),
    )
    return KeyChoice("AWS managed key", None, use, Decimal(0), (*reasons, *why, free))


def _imported(kind: _Kind, reasons: tuple[Reason, ...]) -> KeyChoice:
    if kind is _KEM:
        why = Reason("AWS names many kinds for import, and ML-KEM is not among them.", "IMP-01")
        return KeyChoice("No KMS key fits", None, "", None, (*reasons, why))
    why_not_aws = Reason("You can delete the material at once, and restore it.", "IMP-06")
    why = Reason("You keep a copy: KMS gives none back.", "IMP-07")
    parameters = _parameters(kind, Origin="EXTERNAL")
    use = f"Import the material first. {kind.use}"
    name = f"{kind.name}, with imported material"
    return KeyChoice(name, parameters, use, _month(), (*reasons, why_not_aws, why))


def _in_a_store(kind: _Kind, material: str, reasons: tuple[Reason, ...]) -> KeyChoice:
    if not kind.symmetric:
        why = Reason("Custom key stores hold symmetric encryption keys only.", "CKS-01")
        return KeyChoice("No KMS key fits", None, "", None, (*reasons, why))
    if material == "cloudhsm":
        name, more = f"{kind.name} in a CloudHSM key store", {}
        why = Reason("The cluster is yours to run and to pay.", "PRI-10")
    else:
        name, more = f"{kind.name} in an external key store", {"XksKeyId": "the key's id there"}
        why = Reason("You answer for its availability, durability and speed.", "CKS-06")
    parameters = _parameters(
        kind, Origin=_STORES[material], CustomKeyStoreId="your key store", **more
    )
    return KeyChoice(name, parameters, kind.use, _month(), (*reasons, why))


def for_browser() -> dict[str, Any]:
    """Every combination as JSON, each sentence once: `places` point into `reasons`."""
    said: dict[Reason, int] = {}
    places = {}
    for given, choice in every().items():
        places[" ".join(given)] = {
            "name": choice.name,
            "fits": choice.fits,
            "parameters": [] if choice.parameters is None else shown(choice.parameters),
            "use": choice.use,
            "month": None if choice.month is None else _dollars(choice.month),
            "reasons": [said.setdefault(reason, len(said)) for reason in choice.reasons],
        }
    return {
        "places": places,
        "reasons": [
            {"words": reason.words, "fact": reason.fact, "says": facts.get(reason.fact).statement}
            for reason in said
        ],
    }
