"""An error in one line, and a word of help where the error itself has none.

Some errors are silent on purpose: KMS and AES-GCM do not say why a ciphertext does not open, since
that would help an attacker. A learner needs to know where to look all the same.
"""

from __future__ import annotations

LONGEST = 300
"""Characters of an error's own words that are shown."""

_OLD_CLIENT = (
    "The usual reason: this client was made before a new simulated AWS began. Run the cells below "
    "that one again, from the cell that makes the clients."
)
_HELP = {
    "UnrecognizedClientException": _OLD_CLIENT,
    "InvalidClientTokenId": _OLD_CLIENT,
    "InvalidAccessKeyId": _OLD_CLIENT,
    "InvalidCiphertextException": (
        "KMS gives no reason. The usual ones: another encryption context than at encryption, or a "
        "ciphertext that was changed, cut or encoded on its way."
    ),
    "InvalidCiphertextException from ImportKeyMaterial": (
        "AWS KMS could not unwrap the material. The usual reasons: it was wrapped by another "
        "algorithm than get_parameters_for_import was told, or under the public key of another "
        "answer than the import token."
    ),
    "InvalidTag": (
        "AES-GCM gives no reason. The usual ones: another key, another nonce, other associated "
        "data, or a ciphertext that was changed."
    ),
    "InvalidSignature": (
        "It gives no reason. The usual ones: another key, another message, or a signature that was "
        "changed or made with another algorithm."
    ),
    "NameError": "If another cell makes it, run that cell first; else look how it is spelt.",
    "KeyError": (
        "There is no such entry here: print what you have and see whether it lies deeper. An entry "
        "that may be missing is read with `.get(...)`, which then gives None."
    ),
    "UnicodeDecodeError": "These bytes are not text. base64 writes any bytes in letters.",
    "GenerateKeyError": "Without `botocore_session` the provider asks AWS as somebody else.",
    "DecryptKeyError": (
        "The usual reasons: a provider without `botocore_session`, which asks AWS as somebody "
        "else, or a message that was sealed under another key."
    ),
}

_HELP_WITH_TYPES = {
    "list indices must be": "This is a list: `[0]` gives its first entry.",
    "string indices must be": "This is text: if it is JSON, `json.loads(...)` makes entries of it.",
    "<class 'dict'>\" instance to a buffer": (
        "Bytes are wanted: of an answer, take the entry that holds them."
    ),
}
"""What helps with a TypeError, by what it says."""


def told(raised: BaseException) -> str:
    """An error in one line: its type and what it says, without the stop at the end."""
    name = type(raised).__name__
    if isinstance(raised, KeyboardInterrupt):
        return "KeyboardInterrupt: it was interrupted"
    if isinstance(raised, SystemExit):
        return "SystemExit: a function should return, not exit"
    if isinstance(raised, RecursionError):
        return "RecursionError: it calls itself without end"
    try:
        words = " ".join(str(raised)[:2000].split()).rstrip(" .:")
    except BaseException:
        words = ""
    if len(words) > LONGEST:  # the reason often stands at the end
        words = f"{words[: LONGEST * 2 // 3]}…{words[1 - LONGEST // 3 :]}"
    return f"{name}: {words}" if words else name


def told_with_help(raised: BaseException) -> str:
    """The same as whole sentences: with what AWS said below it, and what the usual reasons are."""
    said = told(raised)
    sentences = [said if said.endswith(("?", "!", "…")) else f"{said}."]
    below = _from_aws(raised)
    if below is not None:
        sentences.append(f"AWS said: {told(below)}.")
    for each in (raised, below):
        if each is not None and (help_ := _help(each)):
            sentences.append(help_)
            break
    return " ".join(sentences)


def _help(raised: BaseException) -> str | None:
    """The usual reasons of an error; an operation may have its own for a code."""
    if type(raised) is TypeError:
        for words, help_ in _HELP_WITH_TYPES.items():
            if words in str(raised):
                return help_
    its_own = f"{code(raised)} from {getattr(raised, 'operation_name', None)}"
    return _HELP.get(its_own) or _HELP.get(code(raised))


def code(raised: BaseException) -> str:
    """The code of a service's error, such as "AccessDeniedException"; else the name of its type."""
    response = getattr(raised, "response", None)
    if type(response) is dict and type(response.get("Error")) is dict:
        return str(response["Error"].get("Code", ""))
    return type(raised).__name__


def _from_aws(raised: BaseException) -> BaseException | None:
    """The error of AWS that a library's own error hides, if there is one."""
    seen: BaseException | None = raised
    if _is_from_aws(raised) or not type(raised).__module__.startswith("aws_encryption_sdk"):
        return None
    for _ in range(10):
        seen = seen.__cause__ or seen.__context__ if seen else None
        if seen is not None and _is_from_aws(seen):
            return seen
    return None


def _is_from_aws(raised: BaseException) -> bool:
    return type(getattr(raised, "response", None)) is dict
