"""Which check refused a changed message, told from the error that was really raised.

The kinds of error are recognised by their class names along the chain of causes, so that neither
the AWS Encryption SDK nor boto3 has to be installed to read this. Where a class says too little
(the SDK uses one class for several checks), the wording decides; an error that fits nothing is
reported as such and not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kmscourse.sealed.checks import Check
from kmscourse.sealed.fields import Field

# Longest message of an error that is passed on, in characters.
MESSAGE_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Refusal:
    """What became of a changed message.

    Attributes:
        check: who noticed; ``Check.NOBODY`` if it opened.
        error: class of the exception, with its module; empty if it opened.
        message: what the exception said, shortened.
        says: one or two plain sentences about this byte and this error.
    """

    check: Check
    error: str
    message: str
    says: str


# Wording of the AWS Encryption SDK for Python 4, its material providers 1.11 and the S3 Encryption
# Client 4; the first line that fits decides. Tests hold these against the real libraries.
_WORDS: tuple[tuple[str, Check], ...] = (
    ("key commitment", Check.COMMITMENT),
    ("header authorization failed", Check.HEADER_TAG),
    ("commitment policy", Check.POLICY),
    ("commitmentpolicy", Check.POLICY),
    ("commitment_policy", Check.POLICY),
    ("configuration conflict", Check.POLICY),
    ("legacy", Check.POLICY),
    ("frames out of order", Check.FRAME_ORDER),
    ("verification key", Check.MATERIALS),
    ("aws-crypto-public-key", Check.MATERIALS),
    ("encryption context does not match", Check.CONTEXT),
    ("no signature found", Check.PARSER),
    ("unable to decrypt", Check.UNWRAP),
    ("was able to decrypt the data key", Check.UNWRAP),
    ("master key mismatch", Check.UNWRAP),
    ("malformed arn", Check.UNWRAP),
    ("malformed resource", Check.UNWRAP),
    ("malformed account", Check.UNWRAP),
    ("malformed region", Check.UNWRAP),
    ("encoding is malformed", Check.PARSER),
    ("padding", Check.PARSER),
    ("base64", Check.PARSER),
    ("key wrapping algorithm", Check.PARSER),
    ("wrapping algorithm", Check.PARSER),
    ("encryption algorithm", Check.PARSER),
    ("message format", Check.PARSER),
)
# Class names, looked for from the innermost cause outwards.
_CLASSES: dict[str, Check] = {
    "InvalidSignature": Check.SIGNATURE,
    "InvalidTag": Check.BODY_TAG,
    "InvalidUnwrap": Check.UNWRAP,
    "ClientError": Check.UNWRAP,
    "DecryptKeyError": Check.UNWRAP,
    "IncorrectMasterKeyError": Check.UNWRAP,
    "JSONDecodeError": Check.PARSER,
    "UnicodeDecodeError": Check.PARSER,
    "UnicodeEncodeError": Check.PARSER,
    "ParamValidationError": Check.PARSER,
    "SerializationError": Check.PARSER,
    "NotSupportedError": Check.PARSER,
    "UnknownIdentityError": Check.PARSER,
    "ParseError": Check.PARSER,
}


def classify(error: BaseException | None, field: Field, *, same: bool | None = None) -> Refusal:
    """Say which check noticed that a byte of ``field`` was changed.

    Args:
        error: what was raised when the changed message was opened; None if it opened.
        field: the leaf whose byte was changed.
        same: if it opened, whether it opened to the same letter; None if unknown.
    """
    if error is None:
        outcome = {
            None: "The changed message opened.",
            True: "The changed message opened, and to the same letter: no check covers this byte.",
            False: "The changed message opened, to a different letter: nobody noticed the change. "
            "This sealing is not authenticated.",
        }[same]
        return Refusal(Check.NOBODY, "", "", outcome)
    check = _check(error)
    if check is Check.BODY_TAG and check not in field.protected_by:
        # A bare InvalidTag does not say which tag. By hand, a data key may well be wrapped with
        # AES-GCM, and then it is the field that tells.
        check = Check.UNWRAP if Check.UNWRAP in field.protected_by else check
    return Refusal(check, _name(error), _said(error), _sentence(check, error, field))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes, and the errors that a keyring collected on its way."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < 50:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        linked = (current.__cause__, current.__context__)
        waiting += [e for e in linked if isinstance(e, BaseException)]
        collected = getattr(current, "list", None)
        if isinstance(collected, (list, tuple)):
            waiting += [e for e in collected if isinstance(e, BaseException)]


def _check(error: BaseException) -> Check:
    said = _text(error).lower()
    # What the outermost error says about itself goes before what lies under it: a keyring that
    # failed to unwrap also carries an InvalidTag, its own.
    for words, check in _WORDS:
        if words in said:
            return check
    chain = list(_chain(error))
    if _kms_code(error) and not any(type(e).__name__ == "InvalidTag" for e in chain[:1]):
        return Check.UNWRAP
    for each in chain:
        found = _CLASSES.get(type(each).__name__)
        if found is not None:
            return found
    for each in chain:
        if isinstance(each, ValueError):
            return Check.PARSER
    return Check.OTHER


def _kms_code(error: BaseException) -> str:
    """The error code of AWS KMS, where KMS is at the root of it."""
    for each in _chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, dict) and getattr(each, "operation_name", "") in (
            "Decrypt",
            "GenerateDataKey",
            "ReEncrypt",
        ):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _name(error: BaseException) -> str:
    kind = type(error)
    return (
        f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__ != "builtins"
        else (kind.__qualname__)
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception whose own __str__ fails still has to be reported
        return ""


def _said(error: BaseException) -> str:
    text = " ".join(_text(error).split())
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _sentence(check: Check, error: BaseException, field: Field) -> str:
    """One plain sentence about this refusal."""
    where = field.name
    code = _kms_code(error)
    if check is Check.UNWRAP:
        if code:
            asked = f"AWS KMS answered {code}."
        elif any(type(each).__name__ == "ComAmazonawsKms" for each in _chain(error)):
            # The material providers library reports that KMS refused, and drops its error code.
            asked = "AWS KMS refused to decrypt it; its trail has the error code."
        else:
            asked = "No wrapping key of the reader would unwrap the data key."
        if "context" in field.key:
            why = "The encryption context is no longer the one that the data key was wrapped with."
        elif field.name.startswith("Wrapped data key") or "wrapped" in field.key:
            why = "The wrapped data key is no longer what the wrapping key produced."
        elif field.key.endswith(("/info", "/provider")):
            why = "The message now names another wrapping key, and the reader does not have it."
        else:
            why = f"With {where} changed, what was handed to the wrapping key does not fit."
        return f"{why} {asked}"
    if check is Check.PARSER:
        return f"{where} no longer follows the format, so reading stopped there or soon after."
    if check is Check.OTHER:
        return f"The changed message was refused with {_name(error)}."
    return check.meaning
