"""The message format of the AWS Encryption SDK, versions 1 and 2.

Sources: AWS Encryption SDK Developer Guide, "Message format reference", "Algorithms reference" and
"Body AAD reference"; the AWS Encryption SDK specification, data-format/message-header.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kmscourse.sealed.checks import Check
from kmscourse.sealed.fields import (
    Builder,
    Field,
    ParseError,
    Sealed,
    WrappedKey,
    number,
    plural,
)

# Lengths that are the same in all algorithm suites, in bytes.
IV_LENGTH = 12
TAG_LENGTH = 16
COMMITMENT_LENGTH = 32
# The sequence number that announces the final frame.
FINAL_FRAME = 0xFFFFFFFF
# Developer Guide, "Frame length": at most 2^31 - 1 bytes.
MAX_FRAME_LENGTH = 2**31 - 1

_PARSER, _UNWRAP, _HEADER = Check.PARSER, Check.UNWRAP, Check.HEADER_TAG


@dataclass(frozen=True, slots=True)
class Suite:
    """An algorithm suite: which cipher, derivation, signature and format go together."""

    suite_id: int
    version: int
    key_bits: int
    derivation: str
    signature: str
    committing: bool

    @property
    def description(self) -> str:
        parts = [f"AES-{self.key_bits}-GCM"]
        if self.derivation:
            parts.append(f"HKDF with {self.derivation}")
        if self.committing:
            parts.append("key commitment")
        if self.signature:
            parts.append(f"signed with {self.signature}")
        return ", ".join(parts)


SUITES: Mapping[int, Suite] = {
    s.suite_id: s
    for s in (
        Suite(0x0014, 1, 128, "", "", False),
        Suite(0x0046, 1, 192, "", "", False),
        Suite(0x0078, 1, 256, "", "", False),
        Suite(0x0114, 1, 128, "SHA-256", "", False),
        Suite(0x0146, 1, 192, "SHA-256", "", False),
        Suite(0x0178, 1, 256, "SHA-256", "", False),
        Suite(0x0214, 1, 128, "SHA-256", "ECDSA P-256", False),
        Suite(0x0346, 1, 192, "SHA-384", "ECDSA P-384", False),
        Suite(0x0378, 1, 256, "SHA-384", "ECDSA P-384", False),
        Suite(0x0478, 2, 256, "SHA-512", "", True),
        Suite(0x0578, 2, 256, "SHA-512", "ECDSA P-384", True),
    )
}


def parse_message(message: bytes) -> Sealed:
    """Name every byte of an AWS Encryption SDK message.

    Raises:
        ParseError: not a well-formed message of format version 1 or 2.
    """
    return _Parser(bytes(message)).parse()


def _text(data: bytes, at: int, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(at + error.start, f"{what} is not UTF-8 text.") from None


def _number(field: Field) -> int:
    return int.from_bytes(field.data, "big")


class _Parser:
    def __init__(self, message: bytes) -> None:
        self.b = Builder(message)
        self.keys: list[WrappedKey] = []
        self.context: dict[str, str] = {}
        # The checks that see a change in header bytes that every later step depends on.
        self.header_checks: tuple[Check, ...] = (_HEADER,)

    def parse(self) -> Sealed:
        b = self.b
        opening = self._format()
        context = self._context()
        keys = self._wrapped_keys()
        framing, framed, frame_length = self._framing()
        proofs = self._proofs()
        header = b.layer(
            "header",
            "Header",
            "The label on the envelope. Anyone can read it; nobody can change it unnoticed.",
            "header",
            [opening, context, keys, framing, proofs],
        )
        body = self._framed(frame_length) if framed else self._unframed()
        parts = [header, body]
        if self.suite.signature:
            parts.append(self._footer())
        if b.remaining:
            raise ParseError(b.at, f"{plural(b.remaining, 'byte')} left over after the end.")
        root = b.layer(
            "message",
            "Sealed message",
            "Everything needed to open the letter travels with it, except the wrapping key, which "
            "stays in its key store.",
            "envelope",
            parts,
        )
        return Sealed(
            "message",
            f"AWS Encryption SDK message, format version {self.suite.version}",
            b.source,
            root,
            tuple(self.keys),
            self.context,
            lambda raw: raw,
            committing=self.suite.committing,
            signed=bool(self.suite.signature),
        )

    def _format(self) -> Field:
        b = self.b
        version = b.leaf(
            "header/format/version",
            "Version",
            1,
            "Which edition of the message format this is. Version 2 adds key commitment.",
            (_PARSER,),
            number,
        )
        if _number(version) not in (1, 2):
            raise ParseError(0, f"Unknown message format version {_number(version)}.")
        fields = [version]
        if _number(version) == 1:
            kind = b.leaf(
                "header/format/type",
                "Type",
                1,
                "Always 128: data that the customer encrypted and authenticated.",
                (_PARSER,),
                number,
            )
            if _number(kind) != 128:
                raise ParseError(kind.start, f"Unknown message type {_number(kind)}.")
            fields.append(kind)
        suite_at = b.at
        suite = b.leaf(
            "header/format/algorithm-suite",
            "Algorithm suite",
            2,
            "Which algorithms sealed this message: the cipher, how the key was derived, and "
            "whether it is committed and signed.",
            (_PARSER, Check.POLICY, Check.MATERIALS, _UNWRAP, Check.COMMITMENT, _HEADER),
            lambda d: _describe_suite(int.from_bytes(d, "big")),
        )
        found = SUITES.get(_number(suite))
        if found is None:
            raise ParseError(suite_at, f"Unknown algorithm suite 0x{_number(suite):04x}.")
        if found.version != _number(version):
            raise ParseError(
                suite_at,
                f"Suite 0x{found.suite_id:04x} belongs to format version {found.version}, "
                f"but the message says version {_number(version)}.",
            )
        self.suite = found
        # The commitment is derived with the message id, and is compared before the header tag.
        self.header_checks = (Check.COMMITMENT,) if found.committing else (_HEADER,)
        fields.append(suite)
        fields.append(
            b.leaf(
                "header/format/message-id",
                "Message ID",
                32 if found.version == 2 else 16,
                "A random number that makes this message unlike any other; the key that seals the "
                "letter is derived with it.",
                self.header_checks,
            )
        )
        return b.layer(
            "header/format",
            "Format",
            "How to read what follows, and which algorithms to use.",
            "format",
            fields,
            found.description,
        )

    def _context(self) -> Field:
        """The encryption context, which the Developer Guide calls AAD."""
        b = self.b
        # A changed length moves everything behind it, so what notices first varies.
        moved = (_PARSER, Check.MATERIALS, _UNWRAP)
        bound = (_PARSER, Check.MATERIALS, _UNWRAP)
        length = b.leaf(
            "header/context/length",
            "Context length",
            2,
            "How many bytes of encryption context follow. Zero means there is none.",
            moved,
            lambda d: plural(int.from_bytes(d, "big"), "byte"),
        )
        fields = [length]
        if _number(length):
            end = b.at + _number(length)
            count = b.leaf(
                "header/context/count",
                "Number of pairs",
                2,
                "How many name and value pairs the encryption context has.",
                moved,
                number,
            )
            fields.append(count)
            for i in range(1, _number(count) + 1):
                at = f"header/context/pair-{i}"
                name_length = b.leaf(
                    f"{at}/name-length",
                    f"Name {i} length",
                    2,
                    "Length of the name.",
                    moved,
                    number,
                )
                name = b.leaf(
                    f"{at}/name",
                    f"Name {i}",
                    _number(name_length),
                    "The name of a pair of the encryption context: readable by all, and bound to "
                    "the wrapped key.",
                    bound,
                )
                name_text = _text(name.data, name.start, "A name in the encryption context")
                value_length = b.leaf(
                    f"{at}/value-length",
                    f"Value {i} length",
                    2,
                    "Length of the value.",
                    moved,
                    number,
                )
                signer = name_text == "aws-crypto-public-key"
                value = b.leaf(
                    f"{at}/value",
                    f"Value {i}",
                    _number(value_length),
                    "The public key that verifies the signature at the end. The SDK put it here."
                    if signer
                    else "The value of the pair: readable by all, and bound to the wrapped key.",
                    (*bound, Check.SIGNATURE) if signer else bound,
                )
                value_text = _text(value.data, value.start, "A value in the encryption context")
                if name_text in self.context:
                    raise ParseError(name.start, f"The name {name_text!r} appears twice.")
                if b.at > end:
                    raise ParseError(name_length.start, "A pair reaches beyond the context.")
                self.context[name_text] = value_text
                fields += [
                    name_length,
                    _with_value(name, name_text),
                    value_length,
                    _with_value(value, value_text),
                ]
            if b.at != end:
                raise ParseError(
                    b.at, f"The context should end at byte {end}, but its pairs end at {b.at}."
                )
        return b.layer(
            "header/context",
            "Encryption context",
            "Facts about the letter that are not secret. To unwrap the key, exactly these must be "
            "given.",
            "context",
            fields,
            plural(len(self.context), "pair"),
        )

    def _wrapped_keys(self) -> Field:
        b = self.b
        broken = (_PARSER, _UNWRAP, Check.MATERIALS)
        count = b.leaf(
            "header/keys/count",
            "Number of wrapped keys",
            2,
            "In how many wrappings the one data key travels. Any one of them opens the letter.",
            (*broken, _HEADER),
            number,
        )
        if not _number(count):
            raise ParseError(count.start, "A message needs at least one wrapped data key.")
        fields = [count]
        fields.extend(
            self._wrapped_key(i, only=_number(count) == 1) for i in range(1, _number(count) + 1)
        )
        return b.layer(
            "header/keys",
            "Wrapped data keys",
            "The data key that seals the letter, itself sealed under each wrapping key.",
            "keys",
            fields,
            plural(len(self.keys), "wrapping"),
        )

    def _wrapped_key(self, i: int, *, only: bool) -> Field:
        """One encrypted data key. With several, a broken one is skipped and another one opens the
        message, and then it is the header tag that notices."""
        b = self.b
        at = f"header/keys/{i}"
        broken = (_PARSER, _UNWRAP) if only else (_PARSER, _UNWRAP, _HEADER)
        # A changed length moves what follows, and so also what is read as the proofs.
        moved = (*broken, Check.COMMITMENT)
        provider_length = b.leaf(
            f"{at}/provider-length",
            "Provider ID length",
            2,
            "Length of the provider ID.",
            moved,
            number,
        )
        provider = b.leaf(
            f"{at}/provider",
            "Provider ID",
            _number(provider_length),
            "Which kind of key store holds the wrapping key; aws-kms is AWS KMS.",
            broken,
        )
        provider_text = _text(provider.data, provider.start, "A provider ID")
        info_length = b.leaf(
            f"{at}/info-length",
            "Key name length",
            2,
            "Length of the name that follows.",
            moved,
            number,
        )
        info, key_id = self._provider_info(at, _number(info_length), provider_text, broken)
        cipher_length = b.leaf(
            f"{at}/ciphertext-length",
            "Wrapped key length",
            2,
            "Length of the wrapped data key.",
            moved,
            number,
        )
        cipher = b.leaf(
            f"{at}/ciphertext",
            "Wrapped data key",
            _number(cipher_length),
            "The data key, encrypted. Only the wrapping key can turn it back, and for AWS KMS "
            "that key never leaves KMS.",
            broken,
            lambda d: f"{plural(len(d), 'byte')} of ciphertext",
        )
        self.keys.append(WrappedKey(provider_text, key_id, len(cipher), at))
        return b.layer(
            at,
            f"Wrapped data key {i}",
            "One copy of the data key, sealed under one wrapping key.",
            "wrapped-key",
            [
                provider_length,
                _with_value(provider, provider_text),
                info_length,
                *info,
                cipher_length,
                cipher,
            ],
            key_id,
        )

    def _provider_info(
        self, at: str, length: int, provider: str, broken: tuple[Check, ...]
    ) -> tuple[list[Field], str]:
        """The name of the wrapping key. A raw AES keyring appends how it wrapped: the length of the
        tag in bits, the length of the IV in bytes, and the IV."""
        b = self.b
        raw = b.source[b.at : b.at + length]
        appendix = (128).to_bytes(4, "big") + IV_LENGTH.to_bytes(4, "big")
        name_length = length - len(appendix) - IV_LENGTH
        if (
            not provider.startswith("aws-kms")
            and name_length > 0
            and raw[name_length : name_length + len(appendix)] == appendix
        ):
            name = b.leaf(
                f"{at}/info",
                "Key name",
                name_length,
                "Which key of that store wrapped the data key.",
                broken,
            )
            key_id = _text(name.data, name.start, "A key name")
            return [
                _with_value(name, key_id),
                b.leaf(
                    f"{at}/info-tag-length",
                    "Wrapping tag length",
                    4,
                    "Length of the tag of the wrapping, in bits.",
                    broken,
                    number,
                ),
                b.leaf(
                    f"{at}/info-iv-length",
                    "Wrapping IV length",
                    4,
                    "Length of the IV of the wrapping, in bytes.",
                    broken,
                    number,
                ),
                b.leaf(
                    f"{at}/info-iv",
                    "Wrapping IV",
                    IV_LENGTH,
                    "The number used once with which the data key was wrapped.",
                    broken,
                ),
            ], key_id
        name = b.leaf(
            f"{at}/info",
            "Key ARN" if provider == "aws-kms" else "Key name",
            length,
            "Which key of that store wrapped the data key. Not secret; it tells the reader whom to "
            "ask.",
            broken,
        )
        try:
            key_id = name.data.decode("utf-8")
        except UnicodeDecodeError:
            # Only AWS KMS promises text here; other providers may write any bytes.
            if provider == "aws-kms":
                raise ParseError(name.start, "A key ARN is not UTF-8 text.") from None
            key_id = name.data.hex()
        return [_with_value(name, key_id)], key_id

    def _framing(self) -> tuple[Field, bool, int]:
        b = self.b
        content = b.leaf(
            "header/framing/content-type",
            "Content type",
            1,
            "1: the letter is one block. 2: it is cut into frames, so that it can be read as it "
            "arrives.",
            (_PARSER, _HEADER),
            lambda d: {1: "1, one block", 2: "2, frames"}.get(d[0], str(d[0])),
        )
        if _number(content) not in (1, 2):
            raise ParseError(content.start, f"Unknown content type {_number(content)}.")
        framed = _number(content) == 2
        fields = [content]
        if self.suite.version == 1:
            reserved = b.leaf(
                "header/framing/reserved", "Reserved", 4, "Always zero.", (_PARSER,), number
            )
            if _number(reserved):
                raise ParseError(reserved.start, "The reserved bytes must be zero.")
            iv_length = b.leaf(
                "header/framing/iv-length",
                "IV length",
                1,
                "Length of each IV in this message: 12 bytes.",
                (_PARSER,),
                number,
            )
            if _number(iv_length) != IV_LENGTH:
                raise ParseError(iv_length.start, f"The IV length must be {IV_LENGTH}.")
            fields += [reserved, iv_length]
        frame = b.leaf(
            "header/framing/frame-length",
            "Frame length",
            4,
            "How many bytes of content each frame holds, but for the last.",
            (_HEADER,) if framed else (_PARSER,),
            number,
        )
        frame_length = _number(frame)
        if framed and not 0 < frame_length <= MAX_FRAME_LENGTH:
            raise ParseError(frame.start, f"A frame cannot be {frame_length:,} bytes long.")
        if not framed and frame_length:
            raise ParseError(frame.start, "A letter in one block must have frame length 0.")
        fields.append(frame)
        layer = b.layer(
            "header/framing",
            "Framing",
            "Whether and how the letter is cut into frames.",
            "framing",
            fields,
            f"frames of {plural(frame_length, 'byte')}" if framed else "one block",
        )
        return layer, framed, frame_length

    def _proofs(self) -> Field:
        b = self.b
        fields = []
        if self.suite.committing:
            fields.append(
                b.leaf(
                    "header/proofs/commitment",
                    "Key commitment",
                    COMMITMENT_LENGTH,
                    "Derived from the data key and the message ID: proof that only one data key "
                    "fits this message.",
                    (Check.COMMITMENT,),
                )
            )
        if self.suite.version == 1:
            fields.append(
                b.leaf(
                    "header/proofs/iv",
                    "Header IV",
                    IV_LENGTH,
                    "The number used once with which the header was authenticated.",
                    (_HEADER,),
                )
            )
        fields.append(
            b.leaf(
                "header/proofs/tag",
                "Header authentication tag",
                TAG_LENGTH,
                "AES-GCM's proof that no byte of the header was changed.",
                (_HEADER,),
            )
        )
        return b.layer(
            "header/proofs",
            "Proofs",
            "What makes a changed header show.",
            "proofs",
            fields,
            "commitment and header tag" if self.suite.committing else "header tag",
        )

    def _iv(self, at: str) -> Field:
        return self.b.leaf(
            f"{at}/iv",
            "IV",
            IV_LENGTH,
            "A number used once with this key, so that equal letters do not look equal.",
            (Check.BODY_TAG,),
        )

    def _content(self, at: str, length: int) -> Field:
        return self.b.leaf(
            f"{at}/content",
            "Encrypted content",
            length,
            "The letter itself, or this piece of it, encrypted with AES-GCM.",
            (Check.BODY_TAG,),
            plural(length, "byte"),
        )

    def _tag(self, at: str) -> Field:
        return self.b.leaf(
            f"{at}/tag",
            "Authentication tag",
            TAG_LENGTH,
            "AES-GCM's proof that this piece of the letter was not changed or moved.",
            (Check.BODY_TAG,),
        )

    def _framed(self, frame_length: int) -> Field:
        b = self.b
        frames: list[Field] = []
        total = 0
        # Both ways a changed first number can go wrong: out of order, or read as another frame.
        order = (Check.FRAME_ORDER, _PARSER)
        final = False
        while not final:
            i = len(frames) + 1
            at = f"body/frame-{i}"
            fields = []
            final = b.source[b.at : b.at + 4] == FINAL_FRAME.to_bytes(4, "big")
            if final:
                fields.append(
                    b.leaf(
                        f"{at}/final",
                        "Final frame marker",
                        4,
                        "ff ff ff ff: this is the last frame.",
                        order,
                    )
                )
            number_field = b.leaf(
                f"{at}/number",
                "Frame number",
                4,
                "Frames are numbered from 1, so that none can be dropped, doubled or moved.",
                order,
                number,
            )
            if _number(number_field) != i:
                raise ParseError(
                    number_field.start,
                    f"Frame {i} is numbered {_number(number_field):,}: frames out of order.",
                )
            fields += [number_field, self._iv(at)]
            length = frame_length
            if final:
                length_field = b.leaf(
                    f"{at}/length",
                    "Content length",
                    4,
                    "How many bytes of content the last frame holds.",
                    (_PARSER, Check.BODY_TAG),
                    number,
                )
                length = _number(length_field)
                if length > frame_length:
                    raise ParseError(
                        length_field.start,
                        f"The last frame says {length:,} bytes, more than a frame may hold.",
                    )
                fields.append(length_field)
            total += length
            fields += [self._content(at, length), self._tag(at)]
            frames.append(
                b.layer(
                    at,
                    f"Frame {i}" + (" (last)" if final else ""),
                    "A piece of the letter, sealed with its own IV and tag.",
                    "frame",
                    fields,
                    plural(length, "byte"),
                )
            )
        return b.layer(
            "body",
            "Letter",
            "The secret itself, in frames.",
            "body",
            frames,
            f"{plural(total, 'byte')} in {plural(len(frames), 'frame')}",
        )

    def _unframed(self) -> Field:
        b = self.b
        iv = self._iv("body")
        length = b.leaf(
            "body/length",
            "Content length",
            8,
            "How many bytes of content follow.",
            (_PARSER, Check.BODY_TAG),
            number,
        )
        content = self._content("body", _number(length))
        fields = [iv, length, content, self._tag("body")]
        return b.layer(
            "body",
            "Letter",
            "The secret itself, in one block.",
            "body",
            fields,
            plural(len(content), "byte"),
        )

    def _footer(self) -> Field:
        b = self.b
        length = b.leaf(
            "footer/length",
            "Signature length",
            2,
            "Length of the signature.",
            (_PARSER, Check.SIGNATURE),
            number,
        )
        signature = b.leaf(
            "footer/signature",
            "Signature",
            _number(length),
            "Made with a key that existed only while this message was sealed. It covers every byte "
            "before it, so a reader cannot pretend to be the writer.",
            (Check.SIGNATURE,),
            self.suite.signature,
        )
        return b.layer(
            "footer",
            "Footer",
            "The writer's signature over the whole message.",
            "footer",
            [length, signature],
            self.suite.signature,
        )


def _describe_suite(suite_id: int) -> str:
    suite = SUITES.get(suite_id)
    return f"0x{suite_id:04x}" + (f", {suite.description}" if suite else "")


def _with_value(field: Field, value: str) -> Field:
    return replace(field, value=value)
