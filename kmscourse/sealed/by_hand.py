"""Envelopes made by hand: a mapping of names to bytes.

There is no standard for these, so the names decide what a field is taken for, and where a name says
nothing the field says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kmscourse.sealed.checks import Check
from kmscourse.sealed.fields import (
    Builder,
    Field,
    ParseError,
    Role,
    Sealed,
    WrappedKey,
    plural,
)

# AESGCM.encrypt of the library `cryptography` appends the tag to the ciphertext.
TAG_LENGTH = 16


@dataclass(frozen=True, slots=True)
class _What:
    """What a field with such a name is taken for."""

    names: re.Pattern[str]
    role: Role
    meaning: str
    checks: tuple[Check, ...]


# The first that fits is taken, so the more particular names come first.
_KINDS = (
    _What(
        re.compile(r"context|aad|associated"),
        "context",
        "Facts about the letter that are not secret. To open it, exactly these must be given.",
        (Check.UNWRAP, Check.BODY_TAG, Check.PARSER, Check.NOBODY),
    ),
    _What(
        re.compile(r"key (id|arn|name|alias)"),
        "format",
        "The name of the wrapping key. KMS can read it out of the wrapped key as well.",
        (Check.UNWRAP, Check.PARSER, Check.NOBODY),
    ),
    _What(
        re.compile(
            r"(wrapped|encrypted|sealed)( data)? ?key|key (ciphertext|blob)|"
            r"ciphertext ?blob|\bedk\b|data key"
        ),
        "wrapped-key",
        "The data key, encrypted. Only the wrapping key can turn it back, and for AWS KMS that "
        "key never leaves KMS.",
        (Check.UNWRAP,),
    ),
    _What(
        re.compile(r"\b(nonce|iv)\b"),
        "proofs",
        "A number used once with this key, so that equal letters do not look equal.",
        (Check.BODY_TAG, Check.NOBODY),
    ),
    _What(
        re.compile(r"\b(tag|mac)\b"),
        "proofs",
        "The cipher's proof that the letter was not changed.",
        (Check.BODY_TAG, Check.NOBODY),
    ),
    _What(
        re.compile(r"signature"),
        "footer",
        "The writer's signature over what was sealed.",
        (Check.SIGNATURE, Check.NOBODY),
    ),
    _What(
        re.compile(r"cipher ?text|content|body|record|letter|sealed|encrypted|data|message"),
        "body",
        "The letter itself, encrypted.",
        (Check.BODY_TAG, Check.NOBODY),
    ),
)
_UNKNOWN = _What(
    re.compile(""),
    "plain",
    "A field that the writer of this envelope added. Flip a byte to find out who checks it.",
    (Check.NOBODY, Check.OTHER),
)


def parse_by_hand(envelope: Mapping[str, object], *, tag_length: int = TAG_LENGTH) -> Sealed:
    """Name the bytes of an envelope made by hand.

    Args:
        envelope: names to bytes, text, or a mapping of text to text (an encryption context). What a
            field is taken for comes from its name: ``wrapped_key``, ``nonce``, ``ciphertext``,
            ``tag``, ``encryption_context``, ``key_id`` and the like.
        tag_length: where no field is named as the tag, how many bytes at the end of the ciphertext
            are one; 0 for a cipher without.

    Raises:
        ParseError: no field is a letter, or the letter is shorter than its tag.
        TypeError: a value that is neither bytes, text nor such a mapping.
    """
    pieces = [(str(name), _pieces(str(name), value)) for name, value in envelope.items()]
    kinds = {name: _kind(name) for name, _ in pieces}
    source = b"".join(data for _, parts in pieces for _, data in parts)
    if not any(k.role == "body" for k in kinds.values()):
        raise ParseError(
            0, "No field of this envelope is named as the letter, for example 'ciphertext'."
        )
    has_tag = any(re.search(r"\b(tag|mac)\b", _plain(name)) for name in kinds)
    b = Builder(source)
    taken = {"message"}
    parts: list[Field] = []
    keys: list[WrappedKey] = []
    context: dict[str, str] = {}
    key_id = ""
    for name, split in pieces:
        what, title = kinds[name], (_plain(name) or "unnamed field").capitalize()
        key = re.sub(r"[^a-z0-9]+", "-", _plain(name)) or "field"
        while key in taken:
            key = f"{key}-{len(parts) + 1}"
        taken.add(key)
        fields = [
            b.leaf(
                f"{key}/{i}",
                part or title,
                len(data),
                what.meaning,
                what.checks,
                _preview(data),
            )
            for i, (part, data) in enumerate(split, 1)
        ]
        value = envelope[name]
        if what.role == "body" and tag_length and not has_tag and len(fields) == 1:
            fields = _split_tag(fields[0], tag_length)
        if what.role == "wrapped-key":
            keys.append(WrappedKey("", "", len(fields[0]), key))
        if isinstance(value, Mapping) and what.role == "context":
            context.update({str(k): str(v) for k, v in value.items()})
        if what.role == "format":
            key_id = value if isinstance(value, str) else fields[0].data.decode("utf-8", "replace")
        length = plural(len(fields[0]), "byte") if what.role == "body" else ""
        parts.append(b.layer(key, title, what.meaning, what.role, fields, length))
    root = b.layer(
        "message",
        "Sealed envelope",
        "Made by hand: the letter under a data key, and the data key under a wrapping key.",
        "envelope",
        parts,
    )
    keys = [WrappedKey("", key_id, k.length, k.field) for k in keys]
    return Sealed(
        "by-hand",
        "Envelope made by hand",
        source,
        root,
        tuple(keys),
        context,
        lambda raw: _rebuild(raw, envelope),
    )


def _plain(name: str) -> str:
    """'EncryptedDataKey', 'encrypted_data_key' -> 'encrypted data key'."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", spaced.lower()).strip()


def _kind(name: str) -> _What:
    plain = _plain(name)
    return next((k for k in _KINDS if k.names.search(plain)), _UNKNOWN)


def _pieces(name: str, value: object) -> list[tuple[str, bytes]]:
    """The runs of bytes of one field: itself, or the names and values of a mapping."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return [("", bytes(value))]
    if isinstance(value, str):
        return [("", value.encode("utf-8", "surrogateescape"))]
    if isinstance(value, Mapping):
        return [
            (label, str(text).encode("utf-8", "surrogateescape"))
            for i, (k, v) in enumerate(value.items(), 1)
            for label, text in ((f"Name {i}", k), (f"Value {i}", v))
        ] or [("", b"")]
    raise TypeError(
        f"The field {name!r} holds a {type(value).__name__}; bytes, text or a mapping of text to "
        "text can be shown."
    )


def _split_tag(field: Field, tag_length: int) -> list[Field]:
    if len(field) < tag_length:
        raise ParseError(
            field.start,
            f"{field.name} is {plural(len(field), 'byte')}, shorter than a tag of {tag_length}.",
        )
    b = Builder(field.source)
    b.at = field.start
    return [
        b.leaf(
            field.key,
            "Encrypted content",
            len(field) - tag_length,
            field.meaning,
            field.protected_by,
            plural(len(field) - tag_length, "byte"),
        ),
        b.leaf(
            f"{field.key}-tag",
            "Authentication tag",
            tag_length,
            f"The last {tag_length} bytes: the cipher's proof that the letter was not changed.",
            field.protected_by,
        ),
    ]


def _preview(data: bytes) -> str:
    """Short text as it is; anything else by its length."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    return text if 0 < len(text) <= 120 and text.isprintable() else plural(len(data), "byte")


def _rebuild(raw: bytes, envelope: Mapping[str, object]) -> dict[str, object]:
    at = 0

    def take(data: bytes) -> bytes:
        nonlocal at
        at += len(data)
        return raw[at - len(data) : at]

    def text(data: bytes) -> str:
        return take(data).decode("utf-8", "surrogateescape")

    changed: dict[str, object] = {}
    for name, value in envelope.items():
        split = _pieces(str(name), value)
        if isinstance(value, str):
            changed[name] = text(split[0][1])
        elif isinstance(value, Mapping):
            flat = [text(data) for _, data in split] if value else []
            changed[name] = dict(zip(flat[::2], flat[1::2], strict=True))
        else:
            changed[name] = take(split[0][1])
    return changed
