"""Objects of the Amazon S3 Encryption Client, versions 1, 2 and 3 of its format.

What the client needs to open an object lies in the object's metadata (or, for the wrapped key, in
an "instruction file" beside it); the body is the ciphertext with its tag at the end.

Sources: Amazon S3 Encryption Client Developer Guide, "Content metadata" and "Supported encryption
algorithms"; the metadata names are those that the client for Python 4.0 writes and reads.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

TAG_LENGTH = 16
# Names of the wrapped key tell the version of the format, newest first.
_WRAPPED = ("x-amz-3", "x-amz-key-v2", "x-amz-key")
_CIPHERS = {
    "115": "AES-256-GCM with key commitment (HKDF with SHA-512)",
    "AES/GCM/NoPadding": "AES-256-GCM, no key commitment",
    "AES/CBC/PKCS5Padding": "AES-256-CBC, not authenticated (legacy)",
}
_WRAPPINGS = {
    "12": "kms+context",
    "02": "AES/GCM",
    "22": "RSA-OAEP-SHA1",
    "kms+context": "kms+context",
}
_PAIR = re.compile(rb'"(x-amz-[a-z0-9-]+)"\s*:\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class S3Object:
    """An object as it lies in the bucket.

    Args:
        metadata: the user metadata as boto3 gives it, without ``x-amz-meta-``.
        body: the bytes of the object.
        instruction: the bytes of its instruction file, where there is one.
    """

    metadata: Mapping[str, str]
    body: bytes = field(repr=False)
    instruction: bytes | None = field(default=None, repr=False)

    @classmethod
    def from_response(cls, response: Mapping[str, Any]) -> S3Object:
        """From what ``get_object`` of a plain S3 client returned. A streaming body is read."""
        body = response["Body"]
        content = body.read() if hasattr(body, "read") else bytes(body)
        return cls(dict(response["Metadata"]), content)


def parse_s3_object(s3_object: S3Object) -> Sealed:
    """Name every byte of the metadata values and the body.

    Raises:
        ParseError: the object was not written by the S3 Encryption Client, or its metadata is
            damaged.
    """
    return _Parser(s3_object).parse()


# Metadata name -> (layer, name of the field, meaning, checks)
_PARSER = Check.PARSER
_FIELDS: dict[str, tuple[str, str, str, tuple[Check, ...]]] = {
    "x-amz-c": (
        "format",
        "Content cipher",
        "Which cipher sealed the body; 115 is AES-256-GCM with key commitment.",
        (_PARSER,),
    ),
    "x-amz-cek-alg": (
        "format",
        "Content cipher",
        "Which cipher sealed the body.",
        (_PARSER, Check.UNWRAP),
    ),
    "x-amz-w": (
        "format",
        "Wrapping algorithm",
        "How the data key was wrapped; 12 is AWS KMS with an encryption context.",
        (_PARSER, Check.CONTEXT),
    ),
    "x-amz-wrap-alg": (
        "format",
        "Wrapping algorithm",
        "How the data key was wrapped.",
        (_PARSER,),
    ),
    "x-amz-tag-len": (
        "format",
        "Tag length",
        "Length of the authentication tag in bits. Readers know it from the cipher and need not "
        "look here.",
        (Check.NOBODY, _PARSER, Check.BODY_TAG),
    ),
    "x-amz-crypto-instr-file": (
        "format",
        "Instruction file marker",
        "Says that this is an instruction file.",
        (Check.NOBODY,),
    ),
    "x-amz-t": (
        "context",
        "Encryption context",
        "Facts about the letter that are not secret. To unwrap the key, exactly these must be "
        "given.",
        (_PARSER, Check.CONTEXT, Check.UNWRAP),
    ),
    "x-amz-m": (
        "context",
        "Material description",
        "Notes about the wrapping key; used with wrapping keys that are not in AWS KMS.",
        (_PARSER, Check.CONTEXT, Check.NOBODY),
    ),
    "x-amz-matdesc": (
        "context",
        "Encryption context",
        "Facts about the letter that are not secret. To unwrap the key, exactly these must be "
        "given.",
        (_PARSER, Check.CONTEXT, Check.UNWRAP),
    ),
    "x-amz-d": (
        "proofs",
        "Key commitment",
        "Derived from the data key and the message ID: proof that only one data key fits.",
        (_PARSER, Check.COMMITMENT),
    ),
    "x-amz-i": (
        "proofs",
        "Message ID",
        "A random number; the key that seals the body and the commitment are derived with it.",
        (_PARSER, Check.COMMITMENT),
    ),
    "x-amz-iv": (
        "proofs",
        "IV",
        "A number used once with this key, so that equal letters do not look equal.",
        (_PARSER, Check.BODY_TAG),
    ),
}
_FIELDS |= dict.fromkeys(
    _WRAPPED,
    (
        "keys",
        "Wrapped data key",
        "The data key, encrypted. Only the wrapping key can turn it back, and for AWS KMS that "
        "key never leaves KMS.",
        (_PARSER, Check.UNWRAP),
    ),
)
_LAYERS: tuple[tuple[str, str, str, Role], ...] = (
    ("format", "Format", "Which algorithms to use.", "format"),
    ("context", "Encryption context", "Not secret, and bound to the wrapped key.", "context"),
    ("keys", "Wrapped data key", "The data key, sealed under the wrapping key.", "wrapped-key"),
    (
        "proofs",
        "Proofs",
        "What makes each object unlike any other, and its changes show.",
        "proofs",
    ),
    (
        "plain",
        "Other metadata",
        "What the writer noted beside the object. It is neither secret nor sealed.",
        "plain",
    ),
)


class _Parser:
    def __init__(self, s3_object: S3Object) -> None:
        self.object = s3_object
        self.metadata = {str(k).lower(): str(v) for k, v in s3_object.metadata.items()}
        self.from_instruction: dict[str, str] = {}

    def parse(self) -> Sealed:
        source, pieces, instruction_at = self._lay_out()
        b = Builder(source)
        layers: list[Field] = []
        known = {**self.from_instruction, **self.metadata}
        version = next((name for name in _WRAPPED if name in known), None)
        if version is None:
            raise ParseError(
                0,
                "no wrapped data key in the metadata (x-amz-3, x-amz-key-v2 or x-amz-key): the "
                "Amazon S3 Encryption Client did not write this object, or the key is in an "
                "instruction file that was not given.",
            )
        # The layers were laid out in order, so each takes its run of pieces.
        for layer, title, meaning, role in _LAYERS:
            fields = [self._value(b, layer, name) for where, name, _ in pieces if where == layer]
            if fields:
                key = f"header/{layer}"
                layers.append(b.layer(key, title, meaning, role, fields, _summary(layer, fields)))
        if instruction_at is not None:
            layers.append(self._instruction(b))
        header = b.layer(
            "header",
            "Object metadata",
            "The label on the envelope, kept in the object's metadata. Anyone who may read the "
            "object can read it.",
            "header",
            layers,
        )
        cipher = known.get("x-amz-c", known.get("x-amz-cek-alg", "AES/CBC/PKCS5Padding"))
        parts = [header]
        if b.remaining:
            parts.append(self._body(b, "GCM" in _CIPHERS.get(cipher, "GCM")))
        root = b.layer(
            "message",
            "Sealed object",
            "Encrypted before it was sent to S3, so S3 and its administrators see only this.",
            "envelope",
            parts,
        )
        wrapped = self._decode(version, known[version])
        wrapping = known.get("x-amz-w", known.get("x-amz-wrap-alg", "12"))
        provider = "aws-kms" if "kms" in _WRAPPINGS.get(wrapping, "") else wrapping
        where = next(
            f.key
            for f in header.children
            if f.role == "wrapped-key"
            and any(leaf.name.endswith(f"({version})") for leaf in f.leaves())
        )
        committing = "x-amz-d" in known
        return Sealed(
            "s3-object",
            f"Amazon S3 Encryption Client object, format version {3 - _WRAPPED.index(version)}",
            source,
            root,
            (WrappedKey(provider, "", len(wrapped), where),),
            self._context(known),
            lambda raw: self._rebuild(raw, pieces, instruction_at),
            committing=committing,
        )

    def _lay_out(self) -> tuple[bytes, list[tuple[str, str, bytes]], int | None]:
        """All pieces in one line: metadata values by layer, the instruction file, the body."""
        pieces: list[tuple[str, str, bytes]] = []
        for layer, _, _, _ in _LAYERS:
            for name, value in self.metadata.items():
                where = _FIELDS[name][0] if name in _FIELDS else "plain"
                if where == layer:
                    pieces.append((layer, name, value.encode("utf-8", "surrogateescape")))
        line = b"".join(piece for _, _, piece in pieces)
        instruction_at = None
        if self.object.instruction is not None:
            instruction_at = len(line)
            line += self.object.instruction
            self._read_instruction(instruction_at)
        return line + self.object.body, pieces, instruction_at

    def _read_instruction(self, at: int) -> None:
        try:
            found = json.loads(self.object.instruction or b"")
        except (ValueError, RecursionError):
            raise ParseError(at, "The instruction file is not JSON.") from None
        if not isinstance(found, dict):
            raise ParseError(at, "The instruction file is not a JSON object.")
        self.from_instruction = {str(k): str(v) for k, v in found.items()}

    def _value(self, b: Builder, layer: str, name: str) -> Field:
        value = self.metadata[name]
        if name not in _FIELDS:
            return b.leaf(
                f"header/plain/{name}",
                name,
                len(value.encode("utf-8", "surrogateescape")),
                "Plain metadata that the writer added. It is not encrypted, and nothing protects "
                "it.",
                (Check.NOBODY,),
                value,
            )
        _, title, meaning, checks = _FIELDS[name]
        return b.leaf(
            f"header/{layer}/{name}",
            f"{title} ({name})",
            len(value.encode("utf-8", "surrogateescape")),
            meaning,
            checks,
            self._shown(name, value),
        )

    def _shown(self, name: str, value: str) -> str:
        if name in _WRAPPED or name in ("x-amz-d", "x-amz-i", "x-amz-iv"):
            return f"{plural(len(self._decode(name, value)), 'byte')}, written as base64"
        if name in ("x-amz-c", "x-amz-cek-alg"):
            return _CIPHERS.get(value, value)
        if name in ("x-amz-w", "x-amz-wrap-alg"):
            return _WRAPPINGS.get(value, value)
        return value

    def _decode(self, name: str, value: str) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ParseError(0, f"{name} is not base64.") from None

    def _context(self, known: dict[str, str]) -> dict[str, str]:
        text = known.get("x-amz-t", known.get("x-amz-matdesc", "{}"))
        try:
            context = json.loads(text)
        except (ValueError, RecursionError):
            raise ParseError(0, "The encryption context is not JSON.") from None
        if not isinstance(context, dict):
            raise ParseError(0, "The encryption context is not a JSON object.")
        return {str(k): str(v) for k, v in context.items()}

    def _instruction(self, b: Builder) -> Field:
        """The instruction file: the JSON between the values, and each value."""
        text = self.object.instruction or b""
        start, done = b.at, 0
        fields: list[Field] = []

        def json_text(until: int) -> None:
            nonlocal done
            if until > done:
                fields.append(
                    b.leaf(
                        f"header/instruction/json-{len(fields) + 1}",
                        "JSON",
                        until - done,
                        "The writing around the values of the instruction file.",
                        (_PARSER, Check.NOBODY),
                    )
                )
                done = until

        for found in _PAIR.finditer(text):
            name = found[1].decode()
            if name not in _FIELDS:
                continue
            json_text(found.start(2))
            _, title, meaning, checks = _FIELDS[name]
            fields.append(
                b.leaf(
                    f"header/instruction/{name}-{len(fields) + 1}",
                    f"{title} ({name})",
                    found.end(2) - found.start(2),
                    meaning,
                    checks,
                )
            )
            done = found.end(2)
        json_text(len(text))
        if not fields:
            raise ParseError(start, "The instruction file is empty.")
        return b.layer(
            "header/instruction",
            "Instruction file",
            "A second object beside the first, which holds the wrapped data key. Whoever can write "
            "it can try to swap the key: key commitment is what refuses that.",
            "wrapped-key",
            fields,
        )

    def _body(self, b: Builder, authenticated: bool) -> Field:
        tag = TAG_LENGTH if authenticated else 0
        if b.remaining < tag:
            raise ParseError(
                b.at, f"The body is {plural(b.remaining, 'byte')}, shorter than its tag."
            )
        checks = (Check.BODY_TAG,) if tag else (_PARSER, Check.BODY_TAG, Check.NOBODY)
        length = b.remaining - tag
        fields = [
            b.leaf(
                "body/content",
                "Encrypted content",
                length,
                "The letter itself, encrypted."
                + ("" if tag else " AES-CBC has no tag: many changes go unnoticed."),
                checks,
                plural(length, "byte"),
            )
        ]
        if tag:
            fields.append(
                b.leaf(
                    "body/tag",
                    "Authentication tag",
                    tag,
                    "AES-GCM's proof that no byte of the body was changed.",
                    (Check.BODY_TAG,),
                )
            )
        return b.layer(
            "body",
            "Letter",
            "The object's body: the secret itself, in one block.",
            "body",
            fields,
            plural(length, "byte"),
        )

    def _rebuild(
        self, raw: bytes, pieces: list[tuple[str, str, bytes]], instruction_at: int | None
    ) -> S3Object:
        metadata: dict[str, str] = {}
        at = 0
        for _, name, piece in pieces:
            # Metadata travels as text; a byte that is no longer text is handed on as it is.
            metadata[name] = raw[at : at + len(piece)].decode("utf-8", "surrogateescape")
            at += len(piece)
        instruction = None
        if instruction_at is not None:
            end = instruction_at + len(self.object.instruction or b"")
            instruction, at = raw[instruction_at:end], end
        return S3Object(metadata, raw[at:], instruction)


def _summary(layer: str, fields: list[Field]) -> str:
    """What a layer of the metadata holds, in a few words."""
    if layer == "format":
        return next((f.value for f in fields if f.name.startswith("Content cipher")), "")
    if layer == "proofs":
        return " and ".join(f.name.split(" (")[0] for f in fields).capitalize()
    if layer == "plain":
        return ", ".join(f"{f.name} = {f.value}" for f in fields)
    return ""
