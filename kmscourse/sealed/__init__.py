"""Sealed messages, every byte named.

Parses what client-side encryption leaves behind into a tree of fields, each with its place, its
bytes, one plain meaning and the checks that notice a change:

* a message of the AWS Encryption SDK (:func:`parse_message`);
* an object of the Amazon S3 Encryption Client (:func:`parse_s3_object`);
* an envelope made by hand, a mapping of names to bytes (:func:`parse_by_hand`).

:func:`parse` takes any of them. :func:`classify` says which check refused a changed message, from
the error that was really raised. Nothing is decrypted here, and nothing of the course is imported.

Every failure to parse is a :class:`ParseError`, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from kmscourse.sealed.by_hand import parse_by_hand
from kmscourse.sealed.checks import Check
from kmscourse.sealed.fields import Field, ParseError, Sealed, WrappedKey
from kmscourse.sealed.message import SUITES, Suite, parse_message
from kmscourse.sealed.refusal import Refusal, classify
from kmscourse.sealed.s3_object import S3Object, parse_s3_object

__all__ = [
    "SUITES",
    "Check",
    "Field",
    "ParseError",
    "Refusal",
    "S3Object",
    "Sealed",
    "Suite",
    "WrappedKey",
    "classify",
    "parse",
    "parse_by_hand",
    "parse_message",
    "parse_s3_object",
]


def parse(message: object) -> Sealed:
    """Parse any of the three kinds of sealed message.

    Args:
        message: bytes of the AWS Encryption SDK; an :class:`S3Object` or what ``get_object``
            returned (a mapping with ``Metadata`` and ``Body``; a streaming body is read); or a
            mapping of names to bytes, text or a text-to-text mapping, made by hand.

    Raises:
        ParseError: it is of the right kind, but not well formed.
        TypeError: it is none of the three kinds.
    """
    if isinstance(message, (bytes, bytearray, memoryview)):
        return parse_message(bytes(message))
    if isinstance(message, S3Object):
        return parse_s3_object(message)
    if isinstance(message, Mapping):
        if "Metadata" in message and "Body" in message:
            return parse_s3_object(S3Object.from_response(message))
        return parse_by_hand(message)
    raise TypeError(
        "A sealed message is bytes (AWS Encryption SDK), an S3Object or the response of "
        "get_object (S3 Encryption Client), or a mapping of field names to bytes; "
        f"this is a {type(message).__name__}."
    )
