"""The error a malformed policy gets."""

from __future__ import annotations

__all__ = ["MalformedPolicyError"]


class MalformedPolicyError(Exception):
    """A policy document that AWS refuses.

    Attributes:
        code: AWS's error code. It depends on the API that was called: KMS and Organizations say
            ``MalformedPolicyDocumentException``, IAM ``MalformedPolicyDocument``, S3
            ``MalformedPolicy``. Pass ``code=`` to :func:`parse_policy` to choose it.
        message: AWS's wording.
        place: where in the document, for example ``Statement[1].Action``; empty for the whole.
        advice: what to do about it, in our words.
    """

    def __init__(self, code: str, message: str, place: str = "", advice: str = "") -> None:
        self.code = code
        self.message = message
        self.place = place
        self.advice = advice
        where = f" (at {place})" if place else ""
        hint = f" {advice}" if advice else ""
        super().__init__(f"{message}{where}{hint}")

    def __reduce__(self) -> tuple[type[MalformedPolicyError], tuple[str, str, str, str]]:
        return (type(self), (self.code, self.message, self.place, self.advice))
