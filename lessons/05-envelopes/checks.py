"""The tasks of lab 05: what each asks, how it is checked, and what helps."""

import base64
import json
import os

import boto3
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.lab import Wrong, task

CONTEXT = {"patient": "4711"}


def _record():
    return json.dumps({"patient": "4711", "note": os.urandom(8).hex()}).encode()


def _data_key(kms, envelope):
    """The unwrapped data key; None where KMS does not unwrap it."""
    try:
        return kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=CONTEXT)[
            "Plaintext"
        ]
    except ClientError:
        return None


def _opens(kms, envelope, context, associated=None):
    """The record in an envelope, opened by the check itself; None where it does not open."""
    try:
        answer = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
        return AESGCM(answer["Plaintext"]).decrypt(
            envelope["nonce"], envelope["ciphertext"], associated
        )
    except (ClientError, InvalidTag, ValueError):
        return None


def _sealed(work):
    """An envelope that the check made itself: key id, record, envelope."""
    kms, key_id, record = work.value("clinic_kms"), work.value("key_id"), _record()
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
    nonce = os.urandom(12)
    envelope = {
        "wrapped_key": data_key["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None),
    }
    return kms, record, envelope


def _gives_away(kms, envelope):
    """Whether the data key, or a part of it, can be read in an envelope, in any usual spelling."""
    for part in envelope.values():
        if isinstance(part, bytes) and len(part) in (16, 24, 32) and _fits(part, envelope):
            return True
    key = _data_key(kms, envelope)
    if key is None:
        return False
    everything = b" ".join(
        part if isinstance(part, bytes) else repr(part).encode() for part in envelope.values()
    )
    pieces = (key[:12], key[-12:])
    spelt = [s for p in pieces for s in (p, p[::-1], p.hex().encode(), base64.b64encode(p)[:12])]
    return any(spelling in everything for spelling in spelt)


def _fits(key, envelope):
    """Whether a key opens the ciphertext of an envelope."""
    try:
        AESGCM(key).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    except (InvalidTag, ValueError):
        return False
    return True


def _may(session, operation, **parameters):
    """Whether policies let a session make a call."""
    try:
        getattr(session.client("kms"), operation)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDeniedException"
    return True


def _principals(policy):
    """Whom the statements of a policy name, as written."""
    statements = (
        policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    )
    return ", ".join(str(statement.get("Principal")) for statement in statements)


_ACCOUNT = '{"AWS": f"arn:aws:iam::{account_id}:root"}'
_CLINIC = '{"AWS": f"arn:aws:iam::{account_id}:user/clinic-app"}'


def _policy(*statements):
    """The code of a wrong or right answer to the first task, from (principal, actions) pairs."""
    written = ", ".join(
        f'{{"Effect": "Allow", "Principal": {who}, "Action": {actions!r}, "Resource": "*"}}'
        for who, actions in statements
    )
    return (
        "def records_key_policy(account_id):\n"
        f'    return {{"Version": "2012-10-17", "Statement": [{written}]}}'
    )


@task(
    "policy",
    practises="05.client-or-server",
    minutes=5,
    asks="`records_key_policy(account_id)`: a key policy, as a dictionary",
    hints=[
        "Who has to be able to change the policy later, and who has to be able to use the key?",
        "Two statements. Each has Effect, Principal, Action and Resource. The principal of the first "
        "is the account, of the second the user.",
        'Second statement: {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_id}:user/'
        'clinic-app"}, "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncrypt*"], '
        '"Resource": "*"}. The first allows the root ARN DescribeKey, GetKeyPolicy and PutKeyPolicy.',
    ],
    why="Without a key policy that lets it, no IAM policy in the account opens this key. Who manages "
    "and who uses are now two parties.",
    wrong=[
        Wrong(
            _policy((_ACCOUNT, "kms:*"), (_CLINIC, "kms:*")),
            says="An administrator whose IAM policy allows kms:Decrypt can decrypt with this key",
        ),
        Wrong(
            _policy((_ACCOUNT, ["kms:DescribeKey", "kms:PutKeyPolicy"]), (_CLINIC, "kms:*")),
            says="clinic-app can manage the key as well as use it",
        ),
        Wrong(
            _policy((_ACCOUNT, ["kms:DescribeKey", "kms:PutKeyPolicy"]), ('{"AWS": "*"}', "kms:*")),
            says="Anyone can decrypt with this key",
        ),
        Wrong(
            _policy((_CLINIC, ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncrypt*"])),
            says="The new key policy will not allow you",
        ),
        Wrong(
            _policy((_ACCOUNT.replace('f"', '"'), "kms:PutKeyPolicy"), (_CLINIC, "kms:Decrypt")),
            says="You named: {'AWS': 'arn:aws:iam::{account_id}:root'}, ",
        ),
        Wrong(
            _policy((_ACCOUNT, ["kms:DescribeKey", "kms:PutKeyPolicy"]), (_CLINIC, "kms:Decrypt")),
            says="clinic-app may not call GenerateDataKey",
        ),
    ],
    also_right=[
        _policy(
            (_ACCOUNT, ["kms:Describe*", "kms:Put*", "kms:Get*", "kms:List*"]),
            (
                _CLINIC,
                ["kms:GenerateDataKey*", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
            ),
        )
    ],
)
def policy(work):
    aws = work.value("aws")
    written = work.call(work.function("records_key_policy"), aws.account_id)
    work.expect(
        isinstance(written, dict), "Return the policy as a dictionary; json.dumps is done for you."
    )
    try:
        key_id = boto3.client("kms").create_key(Policy=json.dumps(written))["KeyMetadata"]["KeyId"]
    except (ClientError, TypeError, ValueError) as error:
        said = error.response["Error"]["Message"] if isinstance(error, ClientError) else error
        named = f" You named: {_principals(written)}." if "principal" in str(said) else ""
        work.expect(False, f"KMS does not accept this policy. It says: {said}{named}")
    clinic, nosy = aws.session("clinic-app"), aws.session("nosy-administrator")
    boto3.client("iam").put_user_policy(
        UserName="nosy-administrator",
        PolicyName="everything-in-kms",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
            }
        ),
    )
    work.expect(
        _may(clinic, "generate_data_key", KeyId=key_id, KeySpec="AES_256"),
        "clinic-app may not call GenerateDataKey with this key.",
    )
    sealed = clinic.client("kms").generate_data_key(KeyId=key_id, KeySpec="AES_256")
    blob = {"CiphertextBlob": sealed["CiphertextBlob"]}
    work.expect(_may(clinic, "decrypt", **blob), "clinic-app may not call Decrypt with this key.")
    work.expect(
        _may(clinic, "re_encrypt", **blob, DestinationKeyId=key_id),
        "clinic-app may not call ReEncrypt with this key: it needs ReEncryptFrom and ReEncryptTo.",
    )
    work.expect(
        not _may(aws.session("stranger"), "decrypt", **blob),
        "Anyone can decrypt with this key: the principal is everyone.",
    )
    work.expect(
        not _may(nosy, "decrypt", **blob),
        "An administrator whose IAM policy allows kms:Decrypt can decrypt with this key: the account "
        "was given more than managing.",
    )
    for operation, more in (
        ("put_key_policy", {"Policy": json.dumps(written)}),
        ("schedule_key_deletion", {}),
    ):
        work.expect(
            not _may(clinic, operation, KeyId=key_id, **more),
            "clinic-app can manage the key as well as use it: it may "
            f"{operation.replace('_', ' ')}. Name only what it needs.",
        )
    work.expect(
        _may(nosy, "put_key_policy", KeyId=key_id, Policy=json.dumps(written)),
        "The account can no longer change this policy. Give its root ARN kms:PutKeyPolicy.",
    )
    work.expect(
        _may(nosy, "describe_key", KeyId=key_id),
        "The account can no longer look at this key. Give its root ARN kms:DescribeKey.",
    )


_SEAL = """def seal(kms, key_id, record, context):
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    ciphertext = AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None)
    return {"wrapped_key": data_key["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}"""


@task(
    "seal",
    practises=["05.envelope-by-hand", "05.encryption-context"],
    minutes=5,
    asks="`seal(kms, key_id, record, context)`: a dictionary with `wrapped_key`, `nonce`, `ciphertext`",
    hints=[
        "Which call of KMS gives you one key in two forms, and which of the two may be stored?",
        "GenerateDataKey with KeySpec and EncryptionContext. Encrypt with AESGCM(the Plaintext form); "
        "keep the CiphertextBlob form. os.urandom(12) makes a nonce.",
        'data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context); '
        'then AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None)',
    ],
    why="Only the wrapped key is stored. Whoever holds the envelope still has to ask KMS, and KMS asks "
    "the key policy.",
    wrong=[
        Wrong(
            _SEAL.replace(
                '"wrapped_key": data_key["CiphertextBlob"]', '"wrapped_key": data_key["Plaintext"]'
            ),
            says="The data key itself lies in the envelope",
        ),
        Wrong(_SEAL.replace("os.urandom(12)", "bytes(12)"), says="The nonce is the same each time"),
        Wrong(
            _SEAL.replace(", EncryptionContext=context", ""),
            says="The wrapped key opens with another patient's context",
        ),
        Wrong(
            _SEAL.replace("EncryptionContext=context", 'EncryptionContext={"patient": "4711"}'),
            says="The context that was passed is not used",
        ),
        Wrong(
            """def seal(kms, key_id, record, context):
    sealed = kms.encrypt(KeyId=key_id, Plaintext=record, EncryptionContext=context)
    blob = sealed["CiphertextBlob"]
    return {"wrapped_key": blob, "nonce": os.urandom(12), "ciphertext": blob}""",
            says="KMS has encrypted the record itself",
        ),
        Wrong(
            _SEAL.replace('AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None)', "record"),
            says="The record can be read in the envelope",
        ),
        Wrong(
            _SEAL.replace("record, None)", 'record, b"patient 4711")'),
            says="You passed associated data as the third argument",
        ),
        Wrong(
            _SEAL.replace('"nonce": nonce,', '"nonce": nonce, "note": b"sealed today",'),
            says="There is a fourth part",
        ),
        Wrong(
            _SEAL.replace('"ciphertext": ciphertext', '"body": ciphertext'),
            says="The envelope has no part called ciphertext",
        ),
    ],
    also_right=[
        """def seal(kms, key_id, record, context):
    key = AESGCM.generate_key(bit_length=256)
    wrapped = kms.encrypt(KeyId=key_id, Plaintext=key, EncryptionContext=context)["CiphertextBlob"]
    nonce = os.urandom(12)
    return dict(wrapped_key=wrapped, nonce=nonce, ciphertext=AESGCM(key).encrypt(nonce, record, None))"""
    ],
)
def seal(work):
    kms, key_id, record = work.value("clinic_kms"), work.value("key_id"), _record()
    seal = work.function("seal")
    envelope, again = (work.call(seal, kms, key_id, record, CONTEXT) for _ in range(2))
    work.expect(isinstance(envelope, dict), "Return a dictionary with three parts.")
    for part in ("wrapped_key", "nonce", "ciphertext"):
        work.expect(part in envelope, f"The envelope has no part called {part}.")
        work.expect(isinstance(envelope[part], bytes), f"The part {part} should be bytes.")
    everything = [part for part in envelope.values() if isinstance(part, bytes)]
    work.expect(
        not any(record in part for part in everything), "The record can be read in the envelope."
    )
    extra = sorted(set(envelope) - {"wrapped_key", "nonce", "ciphertext"})
    work.expect(
        not _gives_away(kms, envelope),
        "The data key itself lies in the envelope: anyone can open it.",
    )
    work.expect(
        not extra,
        f"There is a fourth part, {', '.join(map(str, extra))}. Does it need to be stored?",
    )
    work.expect(len(envelope["nonce"]) == 12, "The nonce should be 12 bytes long.")
    work.expect(
        envelope["nonce"] != again["nonce"],
        "The nonce is the same each time. Under one data key that shows how two records differ and "
        "lets others forge. os.urandom(12) makes a new one.",
    )
    for other in ({"patient": "4712"}, {}):
        work.expect(
            _opens(kms, envelope, other) is None,
            "The wrapped key opens with another patient's context. Bind it: EncryptionContext.",
        )
    work.expect(
        _data_key(kms, envelope) != record,
        "KMS has encrypted the record itself. It takes 4,096 bytes at most, so let it make a data key, "
        "and encrypt the record with that.",
    )
    work.expect(
        _data_key(kms, envelope) is None or _data_key(kms, envelope) != _data_key(kms, again),
        "Two records were sealed under the same data key. Ask KMS for a new one each time.",
    )
    work.expect(
        _opens(kms, envelope, CONTEXT, b"patient 4711") is None,
        "You passed associated data as the third argument; here it is None, so that the next task "
        "can open it.",
    )
    work.expect(
        _opens(kms, envelope, CONTEXT) == record,
        "The envelope does not open: unwrapping the key with KMS and decrypting with AES-GCM, "
        "without associated data, should give the record.",
    )
    other = {"patient": "4712"}
    work.expect(
        _opens(kms, work.call(seal, kms, key_id, record, other), other) == record,
        "The context that was passed is not used: sealed for patient 4712, the envelope does not open "
        "with the context of patient 4712.",
    )


_OPEN = """def open_envelope(kms, envelope, context):
    data_key = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
    return AESGCM(data_key["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], None)"""


@task(
    "open",
    practises="05.receiving-client",
    minutes=3,
    asks="`open_envelope(kms, envelope, context)`: the record, as bytes",
    hints=[
        "Two steps, in the reverse order of sealing. Which one does KMS do?",
        "kms.decrypt unwraps the data key, with the same EncryptionContext. AESGCM does the rest.",
        'key = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)["Plaintext"]; '
        'return AESGCM(key).decrypt(envelope["nonce"], envelope["ciphertext"], None)',
    ],
    why="One small call to KMS, however large the record. And a changed byte is an error, never a "
    "changed record.",
    wrong=[
        Wrong(
            "def open_envelope(kms, envelope, context):\n    return envelope['ciphertext']",
            says="This is not the record",
        ),
        Wrong(
            _OPEN.replace("    data_key", "    try:\n        data_key").replace(
                "    return", "        return"
            )
            + "\n    except Exception:\n        return b''",
            says="An envelope with a changed byte was opened without an error",
        ),
        Wrong(
            _OPEN.replace("EncryptionContext=context", 'EncryptionContext={"patient": "4711"}'),
            says="The context that was passed is not used",
        ),
    ],
    also_right=[
        """def open_envelope(kms, envelope, context):
    parts = {"CiphertextBlob": envelope["wrapped_key"], "EncryptionContext": dict(context)}
    cipher = AESGCM(kms.decrypt(**parts)["Plaintext"])
    return cipher.decrypt(envelope["nonce"], envelope["ciphertext"], b"")"""
    ],
)
def open_(work):
    kms, record, envelope = _sealed(work)
    open_envelope = work.function("open_envelope")
    work.expect(
        work.call(open_envelope, kms, dict(envelope), CONTEXT) == record, "This is not the record."
    )
    for part in ("ciphertext", "nonce", "wrapped_key"):
        changed = bytearray(envelope[part])
        changed[-1] ^= 1
        work.expect(
            work.refuses(open_envelope, kms, {**envelope, part: bytes(changed)}, CONTEXT),
            "An envelope with a changed byte was opened without an error. If KMS or AES-GCM refused and "
            "your function kept it to itself: let the error through.",
        )
    work.expect(
        work.refuses(open_envelope, kms, dict(envelope), {"patient": "4712"}),
        "The context that was passed is not used: another patient's context opened the envelope.",
    )


_MOVE = """def move_to(kms, envelope, new_key_id, context):
    moved = kms.re_encrypt(
        CiphertextBlob=envelope["wrapped_key"], SourceEncryptionContext=context,
        DestinationKeyId=new_key_id, DestinationEncryptionContext=context)
    return {**envelope, "wrapped_key": moved["CiphertextBlob"]}"""


@task(
    "move",
    practises="05.envelope-by-hand",
    minutes=3,
    asks="`move_to(kms, envelope, new_key_id, context)`: the envelope under another KMS key",
    hints=[
        "What exactly is encrypted by the KMS key: the record, or something smaller?",
        "Only the wrapped key has to change. KMS can decrypt and encrypt it in one call.",
        "kms.re_encrypt(CiphertextBlob=..., SourceEncryptionContext=context, DestinationKeyId=new_key_id, "
        "DestinationEncryptionContext=context)",
    ],
    why="Terabytes stay where they are; a few bytes for each envelope move. The data key never left KMS.",
    wrong=[
        Wrong(
            "def move_to(kms, envelope, new_key_id, context):\n"
            '    key = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)["Plaintext"]\n'
            "    wrapped = kms.encrypt(KeyId=new_key_id, Plaintext=key, EncryptionContext=context)\n"
            '    return {**envelope, "wrapped_key": wrapped["CiphertextBlob"]}',
            says="The data key left KMS on the way",
        ),
        Wrong(
            _MOVE.replace(", DestinationEncryptionContext=context", ""),
            says="The moved key is no longer bound to the context",
        ),
        Wrong(
            "def move_to(kms, envelope, new_key_id, context):\n    return envelope",
            says="The data key is still wrapped by the old KMS key",
        ),
    ],
    also_right=[
        _MOVE.replace("    moved", "    envelope = dict(envelope)\n    moved").replace(
            'return {**envelope, "wrapped_key": moved["CiphertextBlob"]}',
            'envelope["wrapped_key"] = moved["CiphertextBlob"]\n    return envelope',
        )
    ],
)
def move(work):
    kms, record, envelope = _sealed(work)
    aws, new_key_id = work.value("aws"), work.value("new_key_id")
    before = len(aws.trail)
    moved = work.call(work.function("move_to"), kms, dict(envelope), new_key_id, CONTEXT)
    calls = {event["eventName"] for event in aws.trail.events(user="clinic-app", after=before)}
    work.expect(
        isinstance(moved, dict) and isinstance(moved.get("wrapped_key"), bytes),
        "Return an envelope: a dictionary with wrapped_key, nonce and ciphertext.",
    )
    work.expect(
        moved["wrapped_key"] != envelope["wrapped_key"],
        "The data key is still wrapped by the old KMS key.",
    )
    work.expect(
        not calls & {"Decrypt", "Encrypt", "GenerateDataKey"},
        "The data key left KMS on the way: the trail shows "
        f"{', '.join(sorted(calls))}. There is one call that does both inside KMS.",
    )
    work.expect(
        all(moved.get(part) == envelope[part] for part in ("nonce", "ciphertext")),
        "The record was encrypted again. Only the wrapped key has to change.",
    )
    work.expect(
        _opens(kms, moved, {}) is None,
        "The moved key is no longer bound to the context: give the destination one, too.",
    )
    work.expect(_opens(kms, moved, CONTEXT) == record, "The moved envelope no longer opens.")
    opened_by = kms.decrypt(CiphertextBlob=moved["wrapped_key"], EncryptionContext=CONTEXT)["KeyId"]
    work.expect(opened_by == new_key_id, "The data key is not wrapped by the new KMS key.")


@task(
    "two",
    practises=["05.encryption-sdk", "05.several-wrapping-keys"],
    minutes=3,
    asks="`seal_for_either(record, first, second, context)`: one message that either keyring opens",
    hints=[
        "What is the keyring called that holds several keyrings?",
        "CreateMultiKeyringInput has a generator, which makes the data key, and child_keyrings, a list.",
        "either = providers.create_multi_keyring(CreateMultiKeyringInput(generator=first, "
        "child_keyrings=[second])), then sdk.encrypt(source=record, keyring=either, ...)",
    ],
    why="If one key is disabled or lost, the other still opens. Each key you add is one more party that can read.",
    wrong=[
        Wrong(
            "def seal_for_either(record, first, second, context):\n"
            "    return sdk.encrypt(source=record, keyring=first, encryption_context=context)[0]",
            says="The second keyring alone does not open the message",
        ),
        Wrong(
            "def seal_for_either(record, first, second, context):\n"
            "    either = providers.create_multi_keyring(\n"
            "        CreateMultiKeyringInput(generator=first, child_keyrings=[second]))\n"
            "    return sdk.encrypt(source=record, keyring=either)[0]",
            says="The message is not bound to the encryption context",
        ),
        Wrong(
            "def seal_for_either(record, first, second, context):\n"
            "    return sdk.encrypt(source=record, keyring=first, encryption_context=context)",
            says="Return the message alone",
        ),
    ],
    also_right=[
        "def seal_for_either(record, first, second, context):\n"
        "    both = CreateMultiKeyringInput(generator=second, child_keyrings=[first])\n"
        "    sealed, _header = sdk.encrypt(source=record, encryption_context=context,\n"
        "                                  keyring=providers.create_multi_keyring(both))\n"
        "    return sealed"
    ],
)
def two(work):
    sdk, keyring_of = work.value("sdk"), work.value("keyring_of")
    first, second = keyring_of(work.value("key_id")), keyring_of(work.value("new_key_id"))
    record = _record()
    message = work.call(work.function("seal_for_either"), record, first, second, CONTEXT)
    work.expect(
        isinstance(message, bytes),
        "Return the message alone: encrypt answers with the message and its header.",
    )
    work.expect(record not in message, "The record can be read in the message.")
    for keyring, name in ((first, "first"), (second, "second")):
        try:
            opened, header = sdk.decrypt(source=message, keyring=keyring)
        except Exception:
            opened = header = None
        work.expect(opened == record, f"The {name} keyring alone does not open the message.")
        work.expect(
            CONTEXT.items() <= header.encryption_context.items(),
            "The message is not bound to the encryption context.",
        )


_MANY = """def seal_many(records, key_id, botocore_session, context):
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
        key_ids=[key_id], botocore_session=botocore_session)
    caching = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider, max_age=60.0, max_messages_encrypted=20,
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=10))
    return [sdk.encrypt(source=r, materials_manager=caching, encryption_context=context)[0]
            for r in records]"""


@task(
    "many",
    practises="05.data-key-caching",
    minutes=6,
    asks="`seal_many(records, key_id, botocore_session, context)`: a list of messages, with few calls to KMS",
    hints=[
        "Must every message have a data key of its own?",
        "Data key caching: a CachingCryptoMaterialsManager with a LocalCryptoMaterialsCache and a "
        "StrictAwsKmsMasterKeyProvider. Which limit decides how many messages share a data key?",
        "CachingCryptoMaterialsManager(master_key_provider=..., cache=LocalCryptoMaterialsCache(capacity=10), "
        "max_age=60.0, max_messages_encrypted=20), made once, outside the loop",
    ],
    why="Fewer calls cost less and stay below the quota. The limits you set are how much one leaked data key gives away.",
    wrong=[
        Wrong(
            "def seal_many(records, key_id, botocore_session, context):\n"
            "    return [sdk.encrypt(source=r, keyring=keyring_of(key_id), encryption_context=context)[0]\n"
            "            for r in records]",
            says="That took 50 requests for data keys",
        ),
        Wrong(
            _MANY.replace("for r in records]", "for r in records[:1]]"),
            says="There should be 50 messages",
        ),
        Wrong(
            _MANY.replace("context)[0]", "context)"),
            says="Return the messages alone",
        ),
        Wrong(
            _MANY.replace(", encryption_context=context", ""),
            says="A message is not bound to the encryption context",
        ),
    ],
    also_right=[
        _MANY.replace("max_messages_encrypted=20", "max_messages_encrypted=100").replace(
            "60.0", "300.0"
        )
    ],
)
def many(work):
    aws, sdk = work.value("aws"), work.value("sdk")
    key_id, botocore_session = work.value("key_id"), aws.session("clinic-app")._session
    records = [_record() for _ in range(50)]
    before = len(aws.trail)
    messages = work.call(
        work.function("seal_many"), list(records), key_id, botocore_session, CONTEXT
    )
    asked = len(aws.trail.events("GenerateDataKey", after=before))
    work.expect(
        isinstance(messages, list | tuple) and len(messages) == len(records),
        "There should be 50 messages in a list, one for each record.",
    )
    work.expect(
        all(isinstance(message, bytes) for message in messages),
        "Return the messages alone: encrypt answers with the message and its header.",
    )
    keyring = work.value("keyring_of")(key_id)
    for record, message in list(zip(records, messages, strict=True))[::7]:
        try:
            opened, header = sdk.decrypt(source=message, keyring=keyring)
        except Exception:
            opened = header = None
        work.expect(opened == record, "A message does not open to its record, in the same order.")
        work.expect(
            CONTEXT.items() <= header.encryption_context.items(),
            "A message is not bound to the encryption context.",
        )
    work.expect(
        asked <= 5,
        f"That took {asked} requests for data keys. Let messages share one, up to a limit.",
    )
