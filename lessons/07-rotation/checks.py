"""The tasks of lab 07: what each asks, how it is checked, and what helps."""

import base64
import json
import os

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.lab import Wrong, task
from kmscourse.lab.tasks import CLI_SECONDS

CONTEXT = {"sample": "blood-17"}
HMAC = {"KeySpec": "HMAC_384", "KeyUsage": "GENERATE_VERIFY_MAC"}


def _key(**how):
    return boto3.client("kms").create_key(**how)["KeyMetadata"]["KeyId"]


def _imported(kms):
    """A key with imported material, as the clinic has had it for a while."""
    key_id = _key(Origin="EXTERNAL")
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public_key = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=public_key.encrypt(os.urandom(32), oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    return key_id


def _kept_from_everybody():
    """A key that could rotate by itself, were it not for its key policy."""
    owner = {"AWS": f"arn:aws:iam::{boto3.client('sts').get_caller_identity()['Account']}:root"}
    everything = {"Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"}
    but_rotation = {**everything, "Effect": "Deny", "Principal": "*"}
    but_rotation["Action"] = "kms:EnableKeyRotation"
    policy = {"Version": "2012-10-17", "Statement": [everything, but_rotation]}
    return _key(Policy=json.dumps(policy))


def _current(kms, key_id):
    return kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]


def _rotations(kms, key_id):
    return kms.list_key_rotations(KeyId=key_id)["Rotations"]


def _called(aws, before):
    """What was called since the trail had so many events."""
    return [event["eventName"] for event in aws.trail.events(service="kms", after=before)]


def _opened(kms, blob, context=CONTEXT):
    """What KMS decrypts a blob to, with its answer; None where it does not open."""
    try:
        return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    except ClientError:
        return None


def _in_base64(kms, text):
    """Whether this is a ciphertext that opens, written in base64."""
    try:
        return _opened(kms, base64.b64decode(text, validate=True)) is not None
    except (TypeError, ValueError, ParamValidationError):
        return False


def _fits(key, envelope):
    """The report, if this data key opens the envelope."""
    try:
        return AESGCM(key).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    except (InvalidTag, ValueError):
        return None


_EVERYWHERE = """def rotate_everywhere(kms, key_ids, days):
    without = []
    for key_id in key_ids:
        about = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        ours = about["KeyManager"] == "CUSTOMER" and about["Origin"] == "AWS_KMS"
        if ours and about["KeySpec"] == "SYMMETRIC_DEFAULT":
            kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days)
        else:
            without.append(key_id)
    return without"""

_TRYING = """from botocore.exceptions import ClientError

def rotate_everywhere(kms, key_ids, days):
    without = []
    for key_id in key_ids:
        try:
            kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days)
        except {which}:
            without.append(key_id)
    return without"""

_UNLESS_REFUSED = """            known = ("UnsupportedOperationException", "AccessDeniedException")
            if error.response["Error"]["Code"] not in known:
                raise
"""


@task(
    "everywhere",
    minutes=6,
    seconds=2 * CLI_SECONDS,  # two calls for each of five keys
    asks="`rotate_everywhere(kms, key_ids, days)`: the list of key ids that cannot rotate by themselves",
    hints=[
        "Which three properties in DescribeKey's answer decide whether a key can rotate by itself?",
        "KeyManager CUSTOMER, Origin AWS_KMS and KeySpec SYMMETRIC_DEFAULT. For these call "
        "enable_key_rotation with the period.",
        'about = kms.describe_key(KeyId=key_id)["KeyMetadata"]; if all three fit: '
        "kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days), else append key_id to the "
        "list that you return.",
    ],
    why="Rotation is a switch on each key, off at first. AWS managed keys have it on, every year, and "
    "nobody else can turn it; imported, asymmetric and HMAC keys need another way.",
    practises=["07.automatic", "07.period", "07.aws-managed"],
    wrong=[
        Wrong(
            _EVERYWHERE.replace(", RotationPeriodInDays=days", ""),
            says="The key rotates every 365 days, not every 120",
        ),
        Wrong(
            _EVERYWHERE.replace("enable_key_rotation", "rotate_key_on_demand").replace(
                ", RotationPeriodInDays=days", ""
            ),
            says="was rotated now, and has no schedule",
        ),
        Wrong(
            _EVERYWHERE.replace(' and about["Origin"] == "AWS_KMS"', ""),
            says="UnsupportedOperationException",
        ),
        Wrong(
            _TRYING.format(which="kms.exceptions.UnsupportedOperationException"),
            says="AccessDeniedException",
        ),
        Wrong(
            _TRYING.format(which="Exception"),
            says="An error that is about neither manager, spec nor origin was kept from the caller",
        ),
        Wrong(
            _TRYING.format(which="ClientError as error").replace(
                "            without", _UNLESS_REFUSED + "            without"
            ),
            says="A key whose policy refuses you is named among those that cannot rotate",
        ),
        Wrong(
            _EVERYWHERE.replace("append(key_id)", 'append(about["Arn"])'),
            says="Return the key ids as they were passed, not ARNs",
        ),
        Wrong(
            _EVERYWHERE.replace(
                "return without", "return [k for k in key_ids if k not in without]"
            ),
            says="You returned the keys that can rotate",
        ),
        Wrong(
            _EVERYWHERE.replace("            without.append(key_id)", "            pass"),
            says="does not name the keys that cannot rotate by themselves",
        ),
    ],
    also_right=[
        """def rotate_everywhere(kms, key_ids, days):
    def possible(about):
        return (about["KeyManager"], about["Origin"], about["KeySpec"]) == (
            "CUSTOMER", "AWS_KMS", "SYMMETRIC_DEFAULT")
    about = {key_id: kms.describe_key(KeyId=key_id)["KeyMetadata"] for key_id in key_ids}
    for key_id in filter(lambda k: possible(about[k]), key_ids):
        kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days)
    return [key_id for key_id in key_ids if not possible(about[key_id])]"""
    ],
)
def everywhere(work):
    kms = work.value("kms")
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
    can = [_key(), _key()]
    cannot = [managed, _imported(kms), _key(**HMAC)]
    asked = [can[0], cannot[0], cannot[1], can[1], cannot[2]]
    rotate_everywhere = work.function("rotate_everywhere")
    found = work.call(rotate_everywhere, kms, list(asked), 120)
    for key_id in can:
        status = kms.get_key_rotation_status(KeyId=key_id)
        work.expect(
            status["KeyRotationEnabled"] or not _rotations(kms, key_id),
            "A key was rotated now, and has no schedule. Which call switches rotation on?",
        )
        work.expect(
            status["KeyRotationEnabled"], "A key that can rotate by itself has no schedule."
        )
        days = status["RotationPeriodInDays"]
        work.expect(
            days == 120,
            f"The key rotates every {days} days, not every 120: pass the period on.",
        )
    work.expect(isinstance(found, list), "Return a list of key ids.")
    work.expect(
        sorted(map(str, found)) != sorted(can),
        "You returned the keys that can rotate: the others are asked for.",
    )
    work.expect(
        not any(str(each).startswith("arn:") for each in found),
        "Return the key ids as they were passed, not ARNs.",
    )
    work.expect(
        sorted(map(str, found)) == sorted(cannot),
        "The list does not name the keys that cannot rotate by themselves: one that AWS manages, one "
        "with imported material and an HMAC key.",
    )
    work.refuses(
        rotate_everywhere,
        kms,
        [can[0]],
        30,
        says="An error that is about neither manager, spec nor origin was kept from the caller: a "
        "period of 30 days is not allowed, and nobody was told.",
    )
    work.refuses(
        rotate_everywhere,
        kms,
        [_kept_from_everybody()],
        120,
        says="A key whose policy refuses you is named among those that cannot rotate. It can, but not "
        "for you: that error must reach the caller. DescribeKey tells the one kind from the other.",
    )


_NOW = """def rotate_now(kms, key_id):
    kms.rotate_key_on_demand(KeyId=key_id)
    kinds = [each["RotationType"] for each in kms.list_key_rotations(KeyId=key_id)["Rotations"]]
    return 25 - kinds.count("ON_DEMAND")"""


@task(
    "now",
    minutes=3,
    seconds=CLI_SECONDS,
    asks="`rotate_now(kms, key_id)`: how many rotations on demand are left",
    hints=[
        "Which call rotates at once, and which one lists what has been?",
        'RotateKeyOnDemand, then ListKeyRotations. Each entry has a RotationType: "AUTOMATIC" or '
        '"ON_DEMAND".',
        'kms.rotate_key_on_demand(KeyId=key_id); kinds = [each["RotationType"] for each in '
        'kms.list_key_rotations(KeyId=key_id)["Rotations"]]; return 25 - kinds.count("ON_DEMAND")',
    ],
    why="The limit is for the life of the key and cannot be raised. It is meant for the day that "
    "something happens, so what is regular belongs to the schedule.",
    practises="07.on-demand",
    wrong=[
        Wrong(
            _NOW.replace('kinds.count("ON_DEMAND")', "len(kinds)"),
            says="Rotations on schedule were counted, too",
        ),
        Wrong(
            _NOW.replace("    kms.rotate_key_on_demand(KeyId=key_id)\n", ""),
            says="The key was not rotated",
        ),
        Wrong(_NOW.replace("25 - ", ""), says="That is how many it has had"),
        Wrong(
            _NOW.replace("kms.rotate_key_on_demand(", "kms.enable_key_rotation("),
            says="The schedule of the key was changed",
        ),
        Wrong(
            _NOW.replace("    kinds", "    kms.rotate_key_on_demand(KeyId=key_id)\n    kinds", 1),
            says="The key was rotated 2 times",
        ),
    ],
    also_right=[
        """def rotate_now(kms, key_id):
    used = sum(each["RotationType"] == "ON_DEMAND"
               for page in kms.get_paginator("list_key_rotations").paginate(KeyId=key_id)
               for each in page["Rotations"])
    kms.rotate_key_on_demand(KeyId=key_id)
    return 25 - used - 1"""
    ],
)
def now(work):
    kms, aws = work.value("kms"), work.value("aws")
    key_id = _key()
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    kms.rotate_key_on_demand(KeyId=key_id)
    aws.clock.advance(days=100)
    before, due = _rotations(kms, key_id), kms.get_key_rotation_status(KeyId=key_id)
    left = work.call(work.function("rotate_now"), kms, key_id)
    after, then = _rotations(kms, key_id), kms.get_key_rotation_status(KeyId=key_id)
    work.expect(
        then.get("NextRotationDate") == due["NextRotationDate"],
        "The schedule of the key was changed. It should be rotated once, now.",
    )
    added = len(after) - len(before)
    work.expect(added, "The key was not rotated.")
    work.expect(added == 1, f"The key was rotated {added} times; once was asked for.")
    work.expect(isinstance(left, int), "Return a whole number.")
    work.expect(left != 2, "That is how many it has had; how many are left?")
    work.expect(
        left != 22,
        "Rotations on schedule were counted, too: look at RotationType.",
    )
    work.expect(
        left == 23,
        f"The key has had 2 rotations on demand, so 23 are left, not {work.shown(left)}.",
    )


_IMPORTED = """def rotate_imported(kms, key_id, material):
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    kms.import_key_material(
        KeyId=key_id, ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(material, given["PublicKey"]),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", ImportType="NEW_KEY_MATERIAL")
    kms.rotate_key_on_demand(KeyId=key_id)"""


@task(
    "imported",
    minutes=5,
    asks="`rotate_imported(kms, key_id, material)`: new key material in the same key",
    hints=[
        "Three calls: what gives you the public key, what brings the material in, and what makes it "
        "the current one?",
        "get_parameters_for_import, import_key_material and rotate_key_on_demand. Without an ImportType "
        "AWS KMS expects the material that it knows already.",
        'kms.import_key_material(KeyId=key_id, ImportToken=given["ImportToken"], EncryptedKeyMaterial='
        'wrap(material, given["PublicKey"]), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", '
        'ImportType="NEW_KEY_MATERIAL"), then kms.rotate_key_on_demand(KeyId=key_id)',
    ],
    why="Key id, ARN, policy and aliases stay, and old ciphertext opens. Keep a copy of every material: "
    "if one is missing, the key cannot be used.",
    practises="07.imported-on-demand",
    wrong=[
        Wrong(
            _IMPORTED.replace("\n    kms.rotate_key_on_demand(KeyId=key_id)", ""),
            says="The new material waits for its rotation",
        ),
        Wrong(
            _IMPORTED.replace(', ImportType="NEW_KEY_MATERIAL"', ""),
            says="IncorrectKeyMaterialException",
        ),
        Wrong(
            _IMPORTED.replace(
                "    given", "    kms.delete_imported_key_material(KeyId=key_id)\n    given", 1
            ),
            says="KMSInvalidStateException",
        ),
        Wrong(
            _IMPORTED.replace("wrap(material,", "wrap(bytes(32),"),
            says="This is not the material that was passed",
        ),
        Wrong(
            "def rotate_imported(kms, key_id, material):\n    kms.enable_key_rotation(KeyId=key_id)",
            says="UnsupportedOperationException",
        ),
    ],
    also_right=[
        _IMPORTED.replace('"RSA_2048"', '"RSA_4096"').replace(
            "wrap(material, given", "wrap(bytes(material), given"
        )
    ],
)
def imported(work):
    kms = work.value("kms")
    key_id = _imported(kms)
    old = _current(kms, key_id)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"report", EncryptionContext=CONTEXT)
    material = os.urandom(32)
    work.call(work.function("rotate_imported"), kms, key_id, material)
    listed = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")[
        "Rotations"
    ]
    states = [each["KeyMaterialState"] for each in listed]
    work.expect(
        "PENDING_ROTATION" not in states,
        "The new material waits for its rotation. Which call rotates?",
    )
    state = kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
    work.expect(state == "Enabled", f"The key can no longer be used: its state is {state}.")
    work.expect(len(listed) == 2, "The key has no new material.")
    work.expect(_current(kms, key_id) != old, "The key still encrypts under the old material.")
    opened = _opened(kms, blob["CiphertextBlob"])
    work.expect(
        opened is not None and opened["Plaintext"] == b"report",
        "What was encrypted before no longer opens.",
    )
    work.expect(
        all(each.get("ExpirationModel") == "KEY_MATERIAL_DOES_NOT_EXPIRE" for each in listed),
        "The new material expires one day, and with it the key: say that it does not.",
    )
    work.expect(
        _is_current(kms, key_id, material),
        "This is not the material that was passed.",
    )


def _is_current(kms, key_id, material):
    """Whether KMS knows these bytes as the key's current material: it takes only the same again."""
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public_key = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    try:
        kms.import_key_material(
            KeyId=key_id,
            ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=public_key.encrypt(material, oaep),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
            ImportType="EXISTING_KEY_MATERIAL",
            KeyMaterialId=_current(kms, key_id),
        )
    except ClientError:
        return False
    return True


_ALIAS = """def rotate_by_hand(kms, alias):
    old = kms.describe_key(KeyId=alias)["KeyMetadata"]
    new = kms.create_key(KeySpec=old["KeySpec"], KeyUsage=old["KeyUsage"])["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=new)
    return new"""


@task(
    "alias",
    minutes=3,
    seconds=CLI_SECONDS,
    asks="`rotate_by_hand(kms, alias)`: the id of the key that the alias names now",
    hints=[
        "The new key has to be like the old one. Which call tells you what the old one is like?",
        "DescribeKey takes the alias and says KeySpec and KeyUsage; pass both to create_key, and then "
        "let update_alias move the alias.",
        'old = kms.describe_key(KeyId=alias)["KeyMetadata"]; new = kms.create_key(KeySpec=old["KeySpec"], '
        'KeyUsage=old["KeyUsage"]); kms.update_alias(AliasName=alias, TargetKeyId=...)',
    ],
    why="Programs that name the alias never notice. Whoever verifies an old stamp has to name the old "
    "key, so it stays.",
    practises="07.manual-by-alias",
    wrong=[
        Wrong(
            _ALIAS.replace('KeySpec=old["KeySpec"], KeyUsage=old["KeyUsage"]', ""),
            says="ValidationException",
        ),
        Wrong(
            _ALIAS.replace('old["KeySpec"]', '"HMAC_256"'),
            says="The new key has the spec HMAC_256",
        ),
        Wrong(
            _ALIAS.replace(
                "    return new",
                '    kms.schedule_key_deletion(KeyId=old["KeyId"])\n    return new',
            ),
            says="Old stamps no longer verify",
        ),
        Wrong(
            _ALIAS.replace(
                "kms.update_alias(", "kms.delete_alias(AliasName=alias)\n    kms.create_alias("
            ),
            says="For a moment the alias named nothing",
        ),
        Wrong(
            _ALIAS.replace("    kms.update_alias(AliasName=alias, TargetKeyId=new)\n", ""),
            says="The alias still names the old key",
        ),
        Wrong(
            _ALIAS.replace("return new", 'return old["KeyId"]'),
            says="This is not the id of the key",
        ),
    ],
    also_right=[
        """def rotate_by_hand(kms, alias):
    about = kms.describe_key(KeyId=alias)["KeyMetadata"]
    same = {name: about[name] for name in ("KeySpec", "KeyUsage", "Description")}
    kms.update_alias(AliasName=alias, TargetKeyId=kms.create_key(**same)["KeyMetadata"]["KeyId"])
    return kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]"""
    ],
)
def alias(work):
    kms, aws = work.value("kms"), work.value("aws")
    old, name = _key(**HMAC), f"alias/stamps-{os.urandom(4).hex()}"
    kms.create_alias(AliasName=name, TargetKeyId=old)
    stamp = {"Message": b"report", "MacAlgorithm": "HMAC_SHA_384"}
    mac = kms.generate_mac(KeyId=name, **stamp)["Mac"]
    before = len(aws.trail)
    new = work.call(work.function("rotate_by_hand"), kms, name)
    calls = _called(aws, before)
    work.expect(
        "DeleteAlias" not in calls,
        "For a moment the alias named nothing: whoever stamped then got an error. Move it instead.",
    )
    about = kms.describe_key(KeyId=name)["KeyMetadata"]
    work.expect(about["KeyId"] != old, "The alias still names the old key.")
    work.expect(
        about["KeySpec"] == HMAC["KeySpec"],
        f"The new key has the spec {about['KeySpec']}, the old one {HMAC['KeySpec']}.",
    )
    try:
        kms.verify_mac(KeyId=old, Mac=mac, **stamp)
    except ClientError:
        work.fail("Old stamps no longer verify: the old key has to stay as it is.")
    work.expect(
        new in (about["KeyId"], about["Arn"]),
        "This is not the id of the key that the alias names now.",
    )


_RENEW = """def renew(kms, key_id, wrapped_keys, context):
    return [kms.re_encrypt(
        CiphertextBlob=wrapped, SourceEncryptionContext=context,
        DestinationKeyId=key_id, DestinationEncryptionContext=context)["CiphertextBlob"]
        for wrapped in wrapped_keys]"""

_IN_BASE64 = (
    "import base64\n\n"
    + _RENEW.replace("renew", "fresh")
    + """

def renew(*given):
    return [base64.b64encode(each).decode() for each in fresh(*given)]"""
)


@task(
    "renew",
    minutes=3,
    seconds=CLI_SECONDS,
    asks="`renew(kms, key_id, wrapped_keys, context)`: the list of wrapped keys under the current material",
    hints=[
        "Rotation changed nothing that is stored. Which call decrypts and encrypts inside AWS KMS?",
        "ReEncrypt, with the same key as its destination, and the context on both sides.",
        "kms.re_encrypt(CiphertextBlob=wrapped, SourceEncryptionContext=context, DestinationKeyId=key_id, "
        'DestinationEncryptionContext=context)["CiphertextBlob"] for each of them',
    ],
    why="AWS KMS rotates keys, not what lies on your disks. ReEncrypt brings old ciphertext to new "
    "material without showing what is in it.",
    practises="07.re-encrypt",
    wrong=[
        Wrong(
            "def renew(kms, key_id, wrapped_keys, context):\n"
            "    kms.rotate_key_on_demand(KeyId=key_id)\n    return wrapped_keys",
            says="They are still under earlier material",
        ),
        Wrong(
            "def renew(kms, key_id, wrapped_keys, context):\n    keys = [kms.decrypt(CiphertextBlob=each, "
            'EncryptionContext=context)["Plaintext"] for each in wrapped_keys]\n    return [kms.encrypt('
            'KeyId=key_id, Plaintext=each, EncryptionContext=context)["CiphertextBlob"] for each in keys]',
            says="The data keys left AWS KMS on the way",
        ),
        Wrong(
            _RENEW.replace(", DestinationEncryptionContext=context", ""),
            says="no longer bound to the context",
        ),
        Wrong(
            _RENEW.replace("in wrapped_keys]", "in reversed(wrapped_keys)]"),
            says="not in the order in which they came",
        ),
        Wrong(_RENEW.replace("in wrapped_keys]", "in wrapped_keys[:1]]"), says="3 were passed"),
        Wrong(
            _RENEW.replace('["CiphertextBlob"]', ""),
            says="Return a list of ciphertexts (bytes), not of whole answers",
        ),
        Wrong(_IN_BASE64, says="These are in base64"),
    ],
    also_right=[
        """def renew(kms, key_id, wrapped_keys, context):
    found = []
    for blob in wrapped_keys:
        answer = kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=key_id, SourceEncryptionContext=context,
                                DestinationKeyId=key_id, DestinationEncryptionContext=dict(context))
        found.append(answer["CiphertextBlob"])
    return found"""
    ],
)
def renew(work):
    kms, aws = work.value("kms"), work.value("aws")
    key_id = _key()
    made = [
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
        for _ in range(3)
    ]
    kms.rotate_key_on_demand(KeyId=key_id)
    wrapped = [each["CiphertextBlob"] for each in made]
    before = len(aws.trail)
    found = work.call(work.function("renew"), kms, key_id, list(wrapped), dict(CONTEXT))
    calls = set(_called(aws, before))
    work.expect(isinstance(found, list), "Return a list of ciphertexts (bytes).")
    work.expect(
        not any(_in_base64(kms, each) for each in found),
        "These are in base64, as the AWS CLI shows them. boto3 gives bytes and takes bytes: return "
        "them as they came.",
    )
    work.expect(
        all(isinstance(each, bytes) for each in found),
        "Return a list of ciphertexts (bytes), not of whole answers of AWS KMS.",
    )
    work.expect(len(found) == 3, f"3 were passed, {len(found)} came back.")
    work.expect(
        not calls & {"Decrypt", "Encrypt"},
        "The data keys left AWS KMS on the way: the trail shows Decrypt or Encrypt. One call does both "
        "inside.",
    )
    opened = [_opened(kms, each) for each in found]
    work.expect(
        not any(_opened(kms, each, {}) for each in found),
        "They are no longer bound to the context: the destination gets one, too.",
    )
    work.expect(all(opened), "What you returned does not open.")
    work.expect(
        all(each["KeyMaterialId"] == _current(kms, key_id) for each in opened),
        "They are still under earlier material.",
    )
    work.expect(
        [each["Plaintext"] for each in opened] == [each["Plaintext"] for each in made],
        "They are not in the order in which they came, or hold other data keys.",
    )


_HEAL = """def heal(kms, key_id, envelope, context):
    old = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)["Plaintext"]
    report = AESGCM(old).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    new = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    return {"wrapped_key": new["CiphertextBlob"], "nonce": nonce,
            "ciphertext": AESGCM(new["Plaintext"]).encrypt(nonce, report, None)}"""


@task(
    "leak",
    minutes=6,
    asks="`heal(kms, key_id, envelope, context)`: an envelope with the same report",
    hints=[
        "What opens the ciphertext of the report: the KMS key, or the data key that leaked?",
        "Open the envelope, ask for a new data key, and seal the report with it under a new nonce.",
        "Decrypt the wrapped key, AESGCM(...).decrypt the report, generate_data_key with the context, and "
        "AESGCM(new key).encrypt(os.urandom(12), report, None). Return the three new parts.",
    ],
    why="No rotation and no ReEncrypt changes a data key. And the old copy has to go: whoever has it "
    "and the key reads on.",
    practises="07.what-it-does-not-do",
    wrong=[
        Wrong(
            "def heal(kms, key_id, envelope, context):\n    kms.rotate_key_on_demand(KeyId=key_id)\n"
            "    return envelope",
            says="The leaked data key still opens it",
        ),
        Wrong(
            "def heal(kms, key_id, envelope, context):\n    moved = kms.re_encrypt(CiphertextBlob=envelope["
            '"wrapped_key"], SourceEncryptionContext=context, DestinationKeyId=key_id, '
            "DestinationEncryptionContext=context)\n"
            '    return {**envelope, "wrapped_key": moved["CiphertextBlob"]}',
            says="The wrapped key is new, but the data key in it is the leaked one",
        ),
        Wrong(
            _HEAL.replace("os.urandom(12)", 'envelope["nonce"]'),
            says="The nonce is the old one",
        ),
        Wrong(
            _HEAL.replace('"AES_256", EncryptionContext=context', '"AES_256"'),
            says="not bound to the context",
        ),
        Wrong(
            _HEAL.replace(
                '"wrapped_key": new["CiphertextBlob"]', '"wrapped_key": envelope["wrapped_key"]'
            ),
            says="The wrapped key does not open the report",
        ),
    ],
    also_right=[
        """def heal(kms, key_id, envelope, context):
    answer = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
    report = AESGCM(answer["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], b"")
    key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
    wrapped = kms.encrypt(KeyId=key_id, Plaintext=key, EncryptionContext=context)["CiphertextBlob"]
    return dict(wrapped_key=wrapped, nonce=nonce, ciphertext=AESGCM(key).encrypt(nonce, report, None))"""
    ],
)
def leak(work):
    kms, key_id, report = work.value("kms"), _key(), os.urandom(24).hex().encode()
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
    nonce, leaked = os.urandom(12), made["Plaintext"]
    envelope = {
        "wrapped_key": made["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(leaked).encrypt(nonce, report, None),
    }
    healed = work.call(work.function("heal"), kms, key_id, dict(envelope), dict(CONTEXT))
    parts = ("wrapped_key", "nonce", "ciphertext")
    work.expect(
        isinstance(healed, dict) and all(isinstance(healed.get(part), bytes) for part in parts),
        "Return an envelope: a dictionary of bytes with wrapped_key, nonce and ciphertext.",
    )
    work.expect(
        not work.holds(healed, report), "The report can be read in the envelope: seal it again."
    )
    opened = _opened(kms, healed["wrapped_key"])
    work.expect(
        healed["wrapped_key"] == made["CiphertextBlob"]
        or opened is None
        or opened["Plaintext"] != leaked,
        "The wrapped key is new, but the data key in it is the leaked one.",
    )
    work.expect(
        _fits(leaked, healed) is None,
        "The leaked data key still opens it. Which of the three parts has to be made anew?",
    )
    work.expect(healed["nonce"] != nonce, "The nonce is the old one: each encryption gets its own.")
    work.expect(
        _opened(kms, healed["wrapped_key"], {}) is None,
        "The new wrapped key is not bound to the context.",
    )
    work.expect(
        opened is not None and _fits(opened["Plaintext"], healed) is not None,
        "The wrapped key does not open the report: it belongs to another data key.",
    )
    work.expect(_fits(opened["Plaintext"], healed) == report, "This is not the report.")


_COST = """def monthly_cost(kms, key_id):
    if kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyManager"] == "AWS":
        return 0
    return 1 + min(len(kms.list_key_rotations(KeyId=key_id)["Rotations"]), 2)"""


@task(
    "cost",
    minutes=4,
    seconds=CLI_SECONDS,
    asks="`monthly_cost(kms, key_id)`: US dollars a month",
    hints=[
        "How often has the key been rotated, and how many of these rotations are paid for?",
        "ListKeyRotations leaves the first material out, so its entries are the rotations. At most two "
        "of them count.",
        'return 1 + min(len(kms.list_key_rotations(KeyId=key_id)["Rotations"]), 2), but 0 where '
        'DescribeKey says KeyManager "AWS"',
    ],
    why="However often it rotates, a key costs three dollars a month at the most. Manual rotation has no "
    "such end: each key that is kept costs a dollar.",
    practises="07.cost",
    wrong=[
        Wrong(
            _COST.replace(
                'min(len(kms.list_key_rotations(KeyId=key_id)["Rotations"]), 2)',
                'len(kms.list_key_rotations(KeyId=key_id)["Rotations"])',
            ),
            says="Later rotations cost nothing",
        ),
        Wrong(
            "def monthly_cost(kms, key_id):\n    return 1",
            says="A key that was rotated once costs 2",
        ),
        Wrong(
            _COST.replace('["KeyManager"] == "AWS"', '["KeyManager"] == "aws"'),
            says="An AWS managed key costs nothing",
        ),
        Wrong(
            _COST.replace(
                'KeyId=key_id)["Rotations"]',
                'KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]',
            ),
            says="A key that was never rotated costs 1",
        ),
    ],
    also_right=[
        """def monthly_cost(kms, key_id):
    about = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    everything = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    return min(len(everything["Rotations"]), 3) * (about["KeyManager"] == "CUSTOMER")"""
    ],
)
def cost(work):
    kms = work.value("kms")
    monthly_cost, key_id = work.function("monthly_cost"), _key()
    said = (
        "A key that was never rotated costs 1 a month",
        "A key that was rotated once costs 2 a month",
        "A key that was rotated twice costs 3 a month",
        "Later rotations cost nothing: 3 a month is the most",
        "Later rotations cost nothing: 3 a month is the most",
    )
    for rotations, words in enumerate(said):
        found = work.call(monthly_cost, kms, key_id)
        work.expect(
            isinstance(found, int | float) and found == 1 + min(rotations, 2),
            f"{words}, not {work.shown(found)}.",
        )
        kms.rotate_key_on_demand(KeyId=key_id)
    managed = kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["KeyId"]
    found = work.call(monthly_cost, kms, managed)
    work.expect(found == 0, f"An AWS managed key costs nothing a month, not {work.shown(found)}.")
