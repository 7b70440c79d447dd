"""The tasks of lab 00: what each asks, how it is checked, and what helps."""

import os

import boto3
from botocore.exceptions import ClientError

from kmscourse.lab import Wrong, task


def _clients(work):
    """Clients of the check's own, on the simulated AWS of the notebook."""
    return boto3.client("kms"), work.value("aws")


@task(
    "key",
    minutes=2,
    asks="`key_id`: the key id of a new KMS key with the description `clinic`",
    hints=[
        "Which operation creates a KMS key? Its name is what you want to do.",
        '`kms.create_key(Description="clinic")` answers with a dictionary. Where in it is the id?',
        'key_id = kms.create_key(Description="clinic")["KeyMetadata"]["KeyId"]',
    ],
    why="Everything else names a key by this id, by its ARN or by an alias.",
    wrong=[
        Wrong(
            'key_id = kms.create_key()["KeyMetadata"]["KeyId"]',
            says="The key is there, but its description is not `clinic`",
        ),
        Wrong('key_id = "1234"', says="KMS knows no key by this name"),
        Wrong(
            'key_id = kms.create_key(Description="clinic")',
            says="This is the whole answer of KMS",
        ),
    ],
    also_right=['key_id = kms.create_key(Description="clinic")["KeyMetadata"]["Arn"]'],
)
def key(work):
    kms, _ = _clients(work)
    key_id = work.value("key_id")
    work.expect(
        not isinstance(key_id, dict),
        "This is the whole answer of KMS. The key id stands inside it, under KeyMetadata.",
    )
    work.expect(isinstance(key_id, str), "A key id is text.")
    try:
        metadata = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    except ClientError:
        metadata = None
    work.expect(
        metadata is not None, "KMS knows no key by this name. Let create_key invent the id."
    )
    work.expect(
        metadata["Description"] == "clinic",
        "The key is there, but its description is not `clinic`.",
    )


@task(
    "encrypt",
    minutes=2,
    asks="`encrypt(kms, key_id, text)`: the ciphertext of a text, as bytes",
    hints=[
        "KMS has an operation of the same name. What does it take, and in which type?",
        "It answers with a dictionary; the ciphertext is its CiphertextBlob.",
        'return kms.encrypt(KeyId=key_id, Plaintext=text.encode())["CiphertextBlob"]',
    ],
    why="The key did the work inside KMS. Your program never held it.",
    wrong=[
        Wrong(
            "def encrypt(kms, key_id, text):\n    return text.encode()",
            says="The text can still be read in what you return",
        ),
        Wrong(
            "def encrypt(kms, key_id, text):\n    return kms.encrypt(KeyId=key_id, Plaintext=text.encode())",
            says="This is the whole answer of KMS",
        ),
        Wrong(
            "def encrypt(kms, key_id, text):\n    return text.encode()[::-1]",
            says="KMS cannot decrypt what you return",
        ),
    ],
    also_right=[
        "def encrypt(kms, key_id, text):\n"
        '    return kms.encrypt(KeyId=key_id, Plaintext=bytes(text, "utf-8"))["CiphertextBlob"]'
    ],
)
def encrypt(work):
    kms, _ = _clients(work)
    text = f"Grüße {os.urandom(4).hex()}"
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = work.call(work.function("encrypt"), kms, key_id, text)
    work.expect(
        not isinstance(sealed, dict),
        "This is the whole answer of KMS. Return its CiphertextBlob.",
    )
    work.expect(
        isinstance(sealed, bytes), f"Return bytes; this is of the type {type(sealed).__name__}."
    )
    work.expect(text.encode() not in sealed, "The text can still be read in what you return.")
    try:
        opened = kms.decrypt(CiphertextBlob=sealed)
    except ClientError:
        opened = None
    work.expect(opened is not None, "KMS cannot decrypt what you return. Let KMS encrypt it.")
    work.expect(opened["Plaintext"] == text.encode(), "It decrypts, but to something else.")
    work.expect(opened["KeyId"].endswith(key_id), "It was encrypted with another key.")


@task(
    "decrypt",
    minutes=2,
    asks="`decrypt(kms, ciphertext)`: the text that was encrypted",
    hints=[
        "Does Decrypt need to be told which key it was?",
        "No: the ciphertext names its key. The answer holds the Plaintext, as bytes.",
        'return kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"].decode()',
    ],
    why="A ciphertext of KMS names the key that made it, so you need not remember which it was.",
    wrong=[
        Wrong(
            'def decrypt(kms, ciphertext):\n    return kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"]',
            says="These are bytes",
        ),
        Wrong(
            "def decrypt(kms, ciphertext):\n    return kms.decrypt(CiphertextBlob=ciphertext)",
            says="This is the whole answer of KMS",
        ),
    ],
    also_right=[
        "def decrypt(kms, ciphertext):\n"
        '    return str(kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"], "utf-8")'
    ],
)
def decrypt(work):
    kms, _ = _clients(work)
    text = f"Grüße {os.urandom(4).hex()}"
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key_id, Plaintext=text.encode())["CiphertextBlob"]
    opened = work.call(work.function("decrypt"), kms, sealed)
    work.expect(not isinstance(opened, dict), "This is the whole answer of KMS. Return the text.")
    work.expect(not isinstance(opened, bytes), "These are bytes. `.decode()` makes text of them.")
    work.expect(opened == text, "Something else came back than what was encrypted.")


@task(
    "refusal",
    practises="00.what-is-simulated",
    minutes=2,
    asks="`why_not(kms, ciphertext)`: the error code with which KMS refuses, or `None`",
    hints=[
        "How does Python let you go on after an error was raised?",
        "`try:` around the call, `except ClientError as error:` below it.",
        'return error.response["Error"]["Code"] in the except block, and return None after it',
    ],
    why="The code says what to do next: enable the key, ask for permission, or look for the right ciphertext.",
    wrong=[
        Wrong(
            'def why_not(kms, ciphertext):\n    return "DisabledException"',
            says="Decrypting works here, so the answer is None",
        ),
        Wrong(
            "def why_not(kms, ciphertext):\n"
            "    try:\n"
            "        kms.decrypt(CiphertextBlob=ciphertext)\n"
            "    except ClientError as error:\n"
            "        return str(error)",
            says="That is the whole message",
        ),
    ],
    also_right=[
        "def why_not(kms, ciphertext):\n"
        "    try:\n"
        "        kms.decrypt(CiphertextBlob=ciphertext)\n"
        "    except kms.exceptions.ClientError as error:\n"
        '        return error.response["Error"]["Code"]'
    ],
)
def refusal(work):
    kms, aws = _clients(work)
    why_not = work.function("why_not")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    work.expect(
        work.call(why_not, kms, sealed) is None, "Decrypting works here, so the answer is None."
    )
    kms.disable_key(KeyId=key_id)
    for client, ciphertext, code in (
        (kms, sealed, "DisabledException"),
        (kms, b"no ciphertext", "InvalidCiphertextException"),
        (aws.session("stranger").client("kms"), sealed, "AccessDeniedException"),
    ):
        said = work.call(why_not, client, ciphertext)
        work.expect(
            said == code or not (isinstance(said, str) and code in said),
            "That is the whole message. The code alone is one word in error.response.",
        )
        work.expect(said == code, f"KMS refused with {code}; your function said {said!r}.")


@task(
    "time",
    minutes=2,
    asks="`delete_key(kms, clock, key_id)`: schedules the deletion and lets the time pass",
    hints=[
        "Can a KMS key be deleted at once? What does AWS make you do first?",
        "ScheduleKeyDeletion takes PendingWindowInDays, 7 at the least. Then advance the clock.",
        "kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7), then clock.advance(days=7)",
    ],
    why="A deleted key takes all its ciphertexts with it. The wait is there to notice and to cancel.",
    wrong=[
        Wrong(
            "def delete_key(kms, clock, key_id):\n"
            "    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)",
            says="The deletion is scheduled, but its time has not come",
        ),
        Wrong(
            "def delete_key(kms, clock, key_id):\n"
            "    kms.schedule_key_deletion(KeyId=key_id)\n"
            "    clock.advance(days=30)",
            says="The key is gone, but a shorter waiting period was allowed",
        ),
        Wrong(
            "def delete_key(kms, clock, key_id):\n    kms.disable_key(KeyId=key_id)",
            says="The key is still there",
        ),
    ],
    also_right=[
        "def delete_key(kms, clock, key_id):\n"
        "    answer = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)\n"
        "    while clock.now() < answer['DeletionDate']:\n"
        "        clock.advance(hours=12)"
    ],
)
def time(work):
    kms, aws = _clients(work)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    before = len(aws.trail)
    work.call(work.function("delete_key"), kms, aws.clock, key_id)
    try:
        state = kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
    except ClientError:
        state = "gone"
    work.expect(state != "PendingDeletion", "The deletion is scheduled, but its time has not come.")
    work.expect(state == "gone", f"The key is still there. Its state is {state}.")
    scheduled = aws.trail.events("ScheduleKeyDeletion", after=before)
    days = [event["requestParameters"].get("pendingWindowInDays", 30) for event in scheduled]
    work.expect(min(days) == 7, "The key is gone, but a shorter waiting period was allowed.")
