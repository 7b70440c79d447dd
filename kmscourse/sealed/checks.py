"""The checks that can notice a changed byte, in plain English."""

from __future__ import annotations

from enum import Enum


class Check(Enum):
    """One check that a sealed message passes on its way to being opened.

    ``title`` is a short name and ``meaning`` one sentence for a newcomer.
    """

    PARSER = (
        "Parser",
        "The bytes no longer follow the message format, so reading stopped.",
    )
    POLICY = (
        "Commitment policy",
        "The client is set up to refuse messages of this kind, whatever their content.",
    )
    CONTEXT = (
        "Encryption context comparison",
        "The context stored with the object is not the one the reader asked for.",
    )
    MATERIALS = (
        "Suite and context agreement",
        "The header promises a signature, but the public key to verify it is not where it must be, "
        "or the other way round.",
    )
    UNWRAP = (
        "Unwrapping the data key",
        "The wrapping key would not give back the data key: the wrapped key, its key name or the "
        "encryption context is not what was sealed. Without the data key nothing opens.",
    )
    COMMITMENT = (
        "Key commitment",
        "The value that ties this message to exactly one data key does not match.",
    )
    HEADER_TAG = (
        "Header authentication tag",
        "The header is not secret, but it is sealed: its tag no longer fits its bytes.",
    )
    FRAME_ORDER = (
        "Frame order",
        "Frames must be numbered 1, 2, 3 and so on; this one is out of its place.",
    )
    BODY_TAG = (
        "Body authentication tag",
        "AES-GCM computed a tag over the letter when it was sealed, and it does not fit any more.",
    )
    SIGNATURE = (
        "Signature",
        "The ECDSA signature at the end covers the whole message, and it does not fit any more.",
    )
    OTHER = (
        "Refused",
        "It was refused, by a check that this view does not know by name.",
    )
    NOBODY = (
        "Nobody noticed",
        "The changed message opened without complaint: no check covers this byte.",
    )

    def __init__(self, title: str, meaning: str) -> None:
        self.title = title
        self.meaning = meaning
