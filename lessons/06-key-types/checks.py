"""The tasks of lab 06: what each asks, how it is checked, and what helps."""

import hashlib
import os
import uuid

import boto3
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.lab import Wrong, flipped, task

OAEP = "RSAES_OAEP_SHA_256"


def _id(kms, **parameters):
    return kms.create_key(**parameters)["KeyMetadata"]["KeyId"]


def _public(kms, key_id):
    return kms.get_public_key(KeyId=key_id)["PublicKey"]


def _works(function, **parameters):
    """What a call answers; None where AWS refuses it."""
    try:
        return function(**parameters)
    except ClientError:
        return None


def _pair_der(curve):
    private = ec.generate_private_key(curve)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, private.public_key().public_bytes(serialization.Encoding.DER, form)


# --- 1 keys ---------------------------------------------------------------------------------------

_NEEDS = ("bucket", "couriers", "results", "sessions", "institute", "archive")


def _keys(**changed):
    """The code of an answer to the first task, with other specs and usages for some needs."""
    wanted = {
        "bucket": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        "couriers": ("RSA_2048", "ENCRYPT_DECRYPT"),
        "results": ("ECC_NIST_P256", "SIGN_VERIFY"),
        "sessions": ("HMAC_256", "GENERATE_VERIFY_MAC"),
        "institute": ("ECC_NIST_P256", "KEY_AGREEMENT"),
        "archive": ("ML_DSA_65", "SIGN_VERIFY"),
        **changed,
    }
    return (
        f"def make_keys(kms):\n    wanted = {wanted!r}\n"
        "    return {need: kms.create_key(KeySpec=spec, KeyUsage=usage)['KeyMetadata']['KeyId']\n"
        "            for need, (spec, usage) in wanted.items()}"
    )


def _usable(kms, s3, need, key_id):
    """Whether a key does what it is needed for; the words that say why not, or ""."""
    described = _works(kms.describe_key, KeyId=key_id)
    if described is None:
        return "there is no KMS key of that id."
    described = described["KeyMetadata"]
    spec, usage, state = (described[name] for name in ("KeySpec", "KeyUsage", "KeyState"))
    if described["KeyManager"] == "AWS":
        return "this key was made by AWS for a service. Make one of the laboratory's own."
    has = f"its key has the spec {spec} and the usage {usage}."
    ways = {
        "bucket": ({"SYMMETRIC": "ENCRYPT_DECRYPT"}, "S3 takes symmetric keys only"),
        "couriers": (
            {"RSA": "ENCRYPT_DECRYPT", "ML_KEM": "ENCAPSULATE_DECAPSULATE"},
            "couriers need a public key that encrypts",
        ),
        "results": (
            dict.fromkeys(("RSA", "ECC", "ML_DSA"), "SIGN_VERIFY"),
            "a hospital without AWS verifies with a public key",
        ),
        "sessions": (
            {"HMAC": "GENERATE_VERIFY_MAC"},
            "a code that is made and checked inside AWS",
        ),
        "institute": ({"ECC": "KEY_AGREEMENT"}, "ECDH is key agreement"),
        "archive": ({"ML_DSA": "SIGN_VERIFY"}, "it must sign, and outlast what RSA and ECC do not"),
    }
    uses, because = ways[need]
    if not any(spec.startswith(start) and usage == use for start, use in uses.items()):
        return f"{because}, but {has}"
    if state != "Enabled":
        return f"its key cannot be used: its state is {state}."
    return "" if _does(kms, s3, need, key_id, described) else f"it did not work: {has}"


def _does(kms, s3, need, key_id, described):
    """Do with a key what it is needed for."""
    if need == "bucket":
        s3.create_bucket(Bucket="laboratory-reports")
        how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": described["Arn"]}
        return _works(s3.put_object, Bucket="laboratory-reports", Key="r", Body=b"r", **how)
    if need == "couriers" and described["KeyUsage"] == "ENCAPSULATE_DECAPSULATE":
        public = serialization.load_der_public_key(_public(kms, key_id))
        secret, encapsulated = public.encapsulate()
        how = {"SharedSecretCiphertextBlob": encapsulated, "EncapsulationAlgorithm": "ML_KEM"}
        answer = _works(kms.decapsulate, KeyId=key_id, **how)
        return answer and answer["SharedSecret"] == secret
    if need == "couriers":
        return _works(kms.encrypt, KeyId=key_id, Plaintext=b"n", EncryptionAlgorithm=OAEP)
    if need == "sessions":
        how = {"MacAlgorithm": described["MacAlgorithms"][0]}
        return _works(kms.generate_mac, KeyId=key_id, Message=b"s", **how)
    if need == "institute":
        curves = {"P256": ec.SECP256R1, "P384": ec.SECP384R1, "P521": ec.SECP521R1}
        _, theirs = _pair_der(curves[described["KeySpec"][-4:]]())
        how = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": theirs}
        return _works(kms.derive_shared_secret, KeyId=key_id, **how)
    how = {"SigningAlgorithm": described["SigningAlgorithms"][0]}
    return _works(kms.sign, KeyId=key_id, Message=b"r", **how)


@task(
    "keys",
    minutes=8,
    asks="`make_keys(kms)`: a dictionary from each need to the id of a KMS key",
    practises=[
        "06.choose",
        "06.symmetric",
        "06.asymmetric",
        "06.services-use-symmetric",
        "06.encrypt-or-sign",
        "06.hmac",
        "06.key-agreement",
        "06.post-quantum",
    ],
    hints=[
        "For each need: who seals or signs, who opens or checks, and can both of them call KMS?",
        "create_key takes KeySpec and KeyUsage. Usages: ENCRYPT_DECRYPT, SIGN_VERIFY, "
        "GENERATE_VERIFY_MAC, KEY_AGREEMENT. One key has one usage.",
        "bucket SYMMETRIC_DEFAULT; couriers RSA_2048 to encrypt; results ECC_NIST_P256 to sign; "
        "sessions HMAC_256; institute ECC_NIST_P256 for KEY_AGREEMENT; archive ML_DSA_65.",
    ],
    why="Spec and usage are fixed when a key is made. A wrong choice is found out later, and then "
    "costs a new key and everything that was done with the old one.",
    wrong=[
        Wrong(_keys(bucket=("RSA_2048", "ENCRYPT_DECRYPT")), says="S3 takes symmetric keys only"),
        Wrong(
            _keys(couriers=("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")),
            says="couriers need a public key that encrypts",
        ),
        Wrong(
            _keys(results=("HMAC_256", "GENERATE_VERIFY_MAC")),
            says="a hospital without AWS verifies with a public key",
        ),
        Wrong(
            _keys(sessions=("ECC_NIST_P256", "SIGN_VERIFY")),
            says="a code that is made and checked inside AWS",
        ),
        Wrong(_keys(institute=("ECC_NIST_P256", "SIGN_VERIFY")), says="ECDH is key agreement"),
        Wrong(
            _keys(archive=("RSA_4096", "SIGN_VERIFY")),
            says="it must sign, and outlast what RSA and ECC do not",
        ),
        Wrong(
            _keys().replace("wanted.items()}", "wanted.items() if need != 'archive'}"),
            says="There is no key for archive",
        ),
        Wrong(
            _keys().replace(
                "KeyUsage=usage)",
                "KeyUsage=usage, **({'Origin': 'EXTERNAL'} if need == 'bucket' else {}))",
            ),
            says="its state is PendingImport",
        ),
        Wrong(
            "def make_keys(kms):\n"
            "    s3.create_bucket(Bucket='laboratory-first')\n"
            "    s3.put_object(Bucket='laboratory-first', Key='r', Body=b'r',\n"
            "                  ServerSideEncryption='aws:kms')\n"
            "    return {'bucket': 'alias/aws/s3'}",
            says="this key was made by AWS for a service",
        ),
    ],
    also_right=[
        _keys(couriers=("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")),
        "def make_keys(kms):\n"
        "    def made(**parameters):\n"
        "        return kms.create_key(**parameters)['KeyMetadata']['Arn']\n"
        "    sign = {'KeyUsage': 'SIGN_VERIFY'}\n"
        "    return dict(bucket=made(), results=made(KeySpec='RSA_2048', **sign),\n"
        "                archive=made(KeySpec='ML_DSA_87', **sign),\n"
        "                couriers=made(KeySpec='RSA_2048', KeyUsage='ENCRYPT_DECRYPT'),\n"
        "                sessions=made(KeySpec='HMAC_512', KeyUsage='GENERATE_VERIFY_MAC'),\n"
        "                institute=made(KeySpec='ECC_NIST_P384', KeyUsage='KEY_AGREEMENT'))",
    ],
    seconds=20,
)
def keys(work):
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    made = work.function("make_keys", returns=dict)(kms)
    for need in _NEEDS:
        work.expect(need in made, f"There is no key for {need} in what you return.")
        work.expect(
            isinstance(made[need], str), f"{need}: give the key's id, KeyMetadata -> KeyId."
        )
        problem = _usable(kms, s3, need, made[need])
        work.expect(not problem, f"{need}: {problem}")
    ids = {need: kms.describe_key(KeyId=made[need])["KeyMetadata"]["KeyId"] for need in _NEEDS}
    work.expect(len(set(ids.values())) == len(_NEEDS), "One key for each need, please.")


# --- 2 courier ------------------------------------------------------------------------------------

_COURIER = """def seal_outside(public_der, note):
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
    wrapped = serialization.load_der_public_key(public_der).encrypt(data_key, oaep)
    ciphertext = AESGCM(data_key).encrypt(nonce, note, None)
    return {"wrapped_key": wrapped, "nonce": nonce, "ciphertext": ciphertext}"""


@task(
    "courier",
    minutes=4,
    asks="`seal_outside(public_der, note)`: a dictionary with `wrapped_key`, `nonce`, `ciphertext`",
    practises=["06.outside-aws", "06.public-key"],
    hints=[
        "RSA takes a few bytes only. What small thing could it seal, so that the note can be long?",
        "Make a data key with AESGCM.generate_key, encrypt the note with it, and seal the data key "
        "with load_der_public_key(public_der).encrypt(data_key, ...).",
        "The padding is padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None); the note "
        "is AESGCM(data_key).encrypt(nonce, note, None) with nonce = os.urandom(12).",
    ],
    why="Whoever has the public key can seal, and nobody but KMS can open. KMS never saw the courier.",
    wrong=[
        Wrong(
            _COURIER.replace("AESGCM(data_key).encrypt(nonce, note, None)", "note"),
            says="The note can be read",
        ),
        Wrong(
            _COURIER.replace(".encrypt(data_key, oaep)", ".encrypt(note, oaep)"),
            says="RSA takes no note as long as this one",
        ),
        Wrong(
            _COURIER.replace('{"wrapped_key": wrapped', '{"wrapped_key": data_key'),
            says="The data key itself",
        ),
        Wrong(
            _COURIER.replace(".encrypt(data_key, oaep)", ".encrypt(data_key, padding.PKCS1v15())"),
            says="KMS does not open the wrapped key with RSA-OAEP and SHA-256",
        ),
        Wrong(
            _COURIER.replace("AESGCM.generate_key(bit_length=256)", "bytes(32)"),
            says="The data key is the same for every note",
        ),
        Wrong(
            _COURIER.replace("note, None)", 'note, b"courier")'),
            says="The wrapped key opens, and the ciphertext does not",
        ),
    ],
    also_right=[
        """def seal_outside(public_der, note):
    key = os.urandom(16)
    sha = hashes.SHA256()
    public = serialization.load_der_public_key(public_der)
    wrapped = public.encrypt(key, padding.OAEP(mgf=padding.MGF1(sha), algorithm=sha, label=b""))
    nonce = os.urandom(12)
    return dict(wrapped_key=wrapped, nonce=nonce, ciphertext=AESGCM(key).encrypt(nonce, note, b""))"""
    ],
)
def courier(work):
    kms = boto3.client("kms")
    key_id = _id(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public, note = _public(kms, key_id), os.urandom(8).hex().encode() * 500
    seal = work.function("seal_outside", returns=dict)
    before = len(work.value("aws").trail)
    refused = work.refuses(seal, public, note)
    work.expect(
        not (isinstance(refused, ValueError) and "ncryption" in str(refused)),
        "RSA takes no note as long as this one. Seal something small with it, and the note with that.",
    )
    sealed, again = seal(public, note), seal(public, note)
    called = dict.fromkeys(
        event["eventName"] for event in work.value("aws").trail.events(after=before)
    )
    work.expect(not called, f"A courier cannot call AWS, but this did: {', '.join(called)}.")
    for part in ("wrapped_key", "nonce", "ciphertext"):
        work.expect(isinstance(sealed.get(part), bytes), f"The part {part} should be bytes.")
    work.expect(not work.holds(sealed, note[:64]), "The note can be read in what you return.")
    opens_with = [part for part in sealed.values() if _fits(part, sealed, note)]
    work.expect(not opens_with, "The data key itself lies beside the note: anyone can open it.")
    data_key, second = (_unwrapped(kms, key_id, each["wrapped_key"]) for each in (sealed, again))
    work.expect(
        data_key and second,
        "KMS does not open the wrapped key with RSA-OAEP and SHA-256 for both the padding and MGF1.",
    )
    work.expect(
        data_key != second, "The data key is the same for every note: make a random one each time."
    )
    work.expect(
        len(sealed["nonce"]) == 12 and sealed["nonce"] != again["nonce"],
        "The nonce should be 12 bytes, new for each note.",
    )
    work.expect(
        _fits(data_key, sealed, note),
        "The wrapped key opens, and the ciphertext does not: AES-GCM with that key and nonce, and "
        "None as the associated data, should give the note.",
    )


def _unwrapped(kms, key_id, wrapped):
    answer = _works(kms.decrypt, KeyId=key_id, CiphertextBlob=wrapped, EncryptionAlgorithm=OAEP)
    return answer and answer["Plaintext"]


def _fits(key, sealed, note):
    """Whether a key opens what was sealed, to this note."""
    try:
        return AESGCM(key).decrypt(sealed["nonce"], sealed["ciphertext"], None) == note
    except (InvalidTag, ValueError, TypeError):
        return False


# --- 3 genuine ------------------------------------------------------------------------------------

_GENUINE = """def is_genuine(public_der, result, signature):
    public_key = serialization.load_der_public_key(public_der)
    try:
        public_key.verify(signature, result, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True"""


@task(
    "genuine",
    minutes=4,
    asks="`is_genuine(public_der, result, signature)`: `True` or `False`",
    practises=["06.outside-aws", "06.asymmetric", "06.public-key"],
    hints=[
        "What does `verify` give when all is well, and what does it do when it is not?",
        "verify returns None or raises InvalidSignature. It takes the signature, the result and "
        "ec.ECDSA(hashes.SHA256()), and hashes the result itself.",
        "try: load_der_public_key(public_der).verify(signature, result, ec.ECDSA(hashes.SHA256())) "
        "and return True; except InvalidSignature: return False",
    ],
    why="A hospital trusts a public key once, and from then on asks nobody. But it cannot know that "
    "the KMS key was disabled since.",
    wrong=[
        Wrong(
            "def is_genuine(public_der, result, signature):\n"
            "    key = serialization.load_der_public_key(public_der)\n"
            "    return bool(key.verify(signature, result, ec.ECDSA(hashes.SHA256())))",
            says="A genuine result is called false",
        ),
        Wrong(
            "def is_genuine(public_der, result, signature):\n"
            "    key = serialization.load_der_public_key(public_der)\n"
            "    return key.verify(signature, result, ec.ECDSA(hashes.SHA256()))",
            says="Your function returned nothing: verify, too",
        ),
        Wrong(
            "def is_genuine(public_der, result, signature):\n"
            "    key = serialization.load_der_public_key(public_der)\n"
            "    return key.verify(signature, result, ec.ECDSA(hashes.SHA256())) is None",
            says="verify is right to raise InvalidSignature",
        ),
        Wrong(
            "def is_genuine(public_der, result, signature):\n"
            '    how = {"Signature": signature, "SigningAlgorithm": "ECDSA_SHA_256"}\n'
            "    for key in kms.list_keys()['Keys']:\n"
            "        try:\n"
            "            return kms.verify(KeyId=key['KeyId'], Message=result, **how)['SignatureValid']\n"
            "        except Exception:\n"
            "            pass\n"
            "    return False",
            says="A hospital has no AWS",
        ),
        Wrong(
            _GENUINE.replace("        return False", "        pass"),
            says="A result in which one bit was changed is called genuine",
        ),
        Wrong(
            "from hashlib import sha256\n\n\n"
            + _GENUINE.replace("signature, result,", "signature, sha256(result).digest(),"),
            says="hashed twice",
        ),
        Wrong(
            _GENUINE.replace("serialization.load_der_public_key(public_der)", "public_der"),
            says="stopped with AttributeError",
        ),
    ],
    also_right=[
        """def is_genuine(public_der, result, signature):
    import hashlib
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    digest = hashlib.sha256(result).digest()
    how = ec.ECDSA(Prehashed(hashes.SHA256()))
    try:
        serialization.load_der_public_key(public_der).verify(signature, digest, how)
    except InvalidSignature:
        return False
    else:
        return True"""
    ],
)
def genuine(work):
    kms = boto3.client("kms")
    key_id = _id(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    other = _id(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    result, how = os.urandom(9000), {"MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    digest = hashlib.sha256(result).digest()
    signature = kms.sign(KeyId=key_id, Message=digest, **how)["Signature"]
    twice = kms.sign(KeyId=key_id, Message=hashlib.sha256(digest).digest(), **how)["Signature"]
    public, another = _public(kms, key_id), _public(kms, other)
    before = len(work.value("aws").trail)
    first = work.function("is_genuine")(public, result, signature)
    called = [event["eventName"] for event in work.value("aws").trail.events(after=before)]
    work.expect(not called, f"A hospital has no AWS, but this called {', '.join(called)}.")
    work.expect(
        first is not None,
        "Your function returned nothing: verify, too, gives nothing back when all is well, and raises "
        "an error when it is not. Return True or False.",
    )
    asked = work.function("is_genuine", returns=bool)
    if not asked(public, result, signature):
        # A function that raises is told so below, not here.
        accepts = work.refuses(asked, public, result, twice) is None
        if accepts and asked(public, result, twice):
            work.fail("The result is hashed twice: verify hashes it, and so did you.")
        work.fail(
            "A genuine result is called false. Mind that verify gives nothing back when all is well, "
            "and that it takes first the signature, then what was signed."
        )
    for words, given in {
        "A result in which one bit was changed": (public, flipped(result), signature),
        "A signature in which one bit was changed": (public, result, flipped(signature)),
        "A result signed with another key": (another, result, signature),
    }.items():
        raised = work.refuses(asked, *given)
        work.expect(
            not isinstance(raised, InvalidSignature),
            f"{words} comes in, and verify is right to raise InvalidSignature. Your function has to "
            "catch it, and answer False.",
        )
        work.expect(not asked(*given), f"{words} is called genuine.")


# --- 4 import -------------------------------------------------------------------------------------

_IMPORT = """def import_material(kms, key_id, material):
    parameters = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    wrapping_key = serialization.load_der_public_key(parameters["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(KeyId=key_id, ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=wrapping_key.encrypt(material, oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")"""


@task(
    "import",
    minutes=5,
    asks="`import_material(kms, key_id, material)`: imports; returns nothing",
    practises=["06.imported", "06.import-end-to-end", "06.never-leaves-kms"],
    hints=[
        "The material must not travel in the open. Who hands out a key to wrap it with?",
        "get_parameters_for_import gives PublicKey and ImportToken. Wrap the material with the first, "
        "as in task 2, and give the second to import_key_material.",
        'WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"; then import_key_material '
        '(KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE").',
    ],
    why="You hold the only copy that can bring the key back. KMS gives no material out, not even what "
    "you gave it.",
    wrong=[
        Wrong(
            _IMPORT.replace("wrapping_key.encrypt(material, oaep)", "material"),
            says="KMS does not unwrap what you sent",
        ),
        Wrong(
            _IMPORT.replace("wrapping_key.encrypt(material,", "wrapping_key.encrypt(os.urandom(32),"),
            says="Other material was imported",
        ),
        Wrong(
            _IMPORT.replace(
                '"KEY_MATERIAL_DOES_NOT_EXPIRE"',
                '"KEY_MATERIAL_EXPIRES",\n        ValidTo=aws.clock.now() + '
                "__import__('datetime').timedelta(days=30)",
            ),
            says="The material will expire",
        ),
        Wrong(
            _IMPORT.replace(',\n        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"', ""),
            says="ValidationException",
        ),
        Wrong(
            "def import_material(kms, key_id, material):\n"
            "    kms.get_parameters_for_import(KeyId=key_id, WrappingKeySpec='RSA_2048',\n"
            "                                  WrappingAlgorithm='RSAES_OAEP_SHA_256')",
            says="The key still waits for its material",
        ),
    ],
    also_right=[
        _IMPORT.replace("OAEP_SHA_256", "OAEP_SHA_1")
        .replace("hashes.SHA256()", "hashes.SHA1()")
        .replace("ExpirationModel=", 'ImportType="EXISTING_KEY_MATERIAL" if kms.describe_key('
                 'KeyId=key_id)["KeyMetadata"].get("CurrentKeyMaterialId") else "NEW_KEY_MATERIAL",'
                 "\n        ExpirationModel=")
    ],
    seconds=20,
)  # fmt: skip
def import_(work):
    kms = boto3.client("kms")
    key_id, material = _id(kms, Origin="EXTERNAL"), os.urandom(32)
    import_material = work.function("import_material")
    refused = work.refuses(import_material, kms, key_id, material)
    if refused is not None:
        work.expect(
            not isinstance(refused, kms.exceptions.InvalidCiphertextException),
            "KMS does not unwrap what you sent. Wrap the material with the public key of this very "
            "get_parameters_for_import, and with the padding that WrappingAlgorithm names.",
        )
        import_material(kms, key_id, material)  # the check ends here, and tells what stopped it
    described = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    work.expect(
        described["KeyState"] == "Enabled",
        f"The key still waits for its material: its state is {described['KeyState']}.",
    )
    work.expect(
        described.get("ExpirationModel") == "KEY_MATERIAL_DOES_NOT_EXPIRE",
        f"The material will expire at {described.get('ValidTo')}; it should stay for good.",
    )
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"result")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key_id)
    # Imported anew by the check itself: it fits only where the first import was the given material.
    work.expect(
        _restored(kms, key_id, material),
        "Other material was imported than the given one: with the given bytes the key does not come "
        "back. Its owner would have lost everything.",
    )
    kms.delete_imported_key_material(KeyId=key_id)
    import_material(kms, key_id, material)
    opened = _works(kms.decrypt, CiphertextBlob=sealed)
    work.expect(
        opened and opened["Plaintext"] == b"result", "The second import brought nothing back."
    )
    work.expect(
        not work.holds(list(work.value("aws").trail.events()), material),
        "The material can be read in the trail.",
    )


def _restored(kms, key_id, material):
    """Whether a key takes this material back."""
    parameters = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048"
    )
    return _works(
        kms.import_key_material,
        KeyId=key_id,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=serialization.load_der_public_key(parameters["PublicKey"]).encrypt(
            material, _oaep()
        ),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )


def _oaep():
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


# --- 5 whose --------------------------------------------------------------------------------------

_WHOSE = """def whose_key(s3, kms, bucket, key):
    head = s3.head_object(Bucket=bucket, Key=key)
    if head["ServerSideEncryption"] == "AES256":
        return "AWS owned CMK"
    manager = kms.describe_key(KeyId=head["SSEKMSKeyId"])["KeyMetadata"]["KeyManager"]
    return {"AWS": "AWS managed CMK", "CUSTOMER": "customer managed CMK"}[manager]"""


@task(
    "whose",
    minutes=4,
    asks="`whose_key(s3, kms, bucket, key)`: the words of the form",
    practises=["06.new-name", "06.aws-owned", "06.aws-managed", "06.customer-managed"],
    hints=[
        "What does head_object say about an object's encryption, and what does describe_key say "
        "about a key?",
        "ServerSideEncryption is AES256 for SSE-S3, and then no key of your account is involved. "
        "Otherwise SSEKMSKeyId names the key.",
        'describe_key(KeyId=head["SSEKMSKeyId"])["KeyMetadata"]["KeyManager"] is "AWS" or "CUSTOMER".',
    ],
    why="CMK was said of all three kinds. Who may see, share and delete the key depends on the word "
    "before it.",
    wrong=[
        Wrong(
            'def whose_key(s3, kms, bucket, key):\n    return "customer managed CMK"',
            says="with SSE-S3",
        ),
        Wrong(
            _WHOSE.replace('"AWS": "AWS managed CMK"', '"AWS": "customer managed CMK"'),
            says="without naming a key",
        ),
        Wrong(
            _WHOSE.replace('"CUSTOMER": "customer managed CMK"', '"CUSTOMER": "AWS managed CMK"'),
            says="with a key that create_key made",
        ),
        Wrong(
            _WHOSE.replace(" CMK", " key"),
            says="The form has other words",
        ),
    ],
    also_right=[
        """def whose_key(s3, kms, bucket, key):
    answer = s3.get_object(Bucket=bucket, Key=key)
    arn = answer.get("SSEKMSKeyId")
    if arn is None:
        return "AWS owned CMK"
    aliases = kms.list_aliases(KeyId=arn)["Aliases"]
    aws_made = any(alias["AliasName"].startswith("alias/aws/") for alias in aliases)
    return f"{'AWS' if aws_made else 'customer'} managed CMK\""""
    ],
)
def whose(work):
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    s3.create_bucket(Bucket="laboratory-audit")
    own = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/aws-{uuid.uuid4()}", TargetKeyId=own)
    how = {
        "AWS owned CMK": ("with SSE-S3", {}),
        "AWS managed CMK": (
            "with SSE-KMS without naming a key",
            {"ServerSideEncryption": "aws:kms"},
        ),
        "customer managed CMK": (
            "with a key that create_key made",
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": own},
        ),
    }
    asked = work.function("whose_key", returns=str)
    for right, (words, parameters) in how.items():
        s3.put_object(Bucket="laboratory-audit", Key=right, Body=b"r", **parameters)
        said = asked(s3, kms, "laboratory-audit", right)
        work.expect(
            said in how, f"The form has other words than {said!r}: {', '.join(sorted(how))}."
        )
        work.expect(said == right, f"The key of an object stored {words} is no {said}.")


# --- 6 plug ---------------------------------------------------------------------------------------

_PLUG = """def pull_the_plug(kms, store_id):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    found = []
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            described = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if described.get("CustomKeyStoreId") == store_id:
                found.append(key["KeyId"])
    return found"""


def _store(kms, name):
    """An external key store, connected, with two keys that can be used: its id, and theirs.

    The same at each check: an account has ten stores at most, and none that holds keys can go.
    """
    every = kms.describe_custom_key_stores()["CustomKeyStores"]
    found = [each for each in every if each["CustomKeyStoreName"] == name]
    if not found:
        kms.create_custom_key_store(
            CustomKeyStoreName=name,
            CustomKeyStoreType="EXTERNAL_KEY_STORE",
            XksProxyConnectivity="PUBLIC_ENDPOINT",
            XksProxyUriEndpoint=f"https://{name}.laboratory.example",
            XksProxyUriPath="/kms/xks/v1",
            XksProxyAuthenticationCredential={
                "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
                "RawSecretAccessKey": "TheProxyKnowsThisSecretAsWellAndNobodyElse0",
            },
        )
        return _store(kms, name)
    store = found[0]["CustomKeyStoreId"]
    if found[0]["ConnectionState"] != "CONNECTED":
        kms.connect_custom_key_store(CustomKeyStoreId=store)
    inside = _inside(kms, store)
    for key in inside:
        _works(kms.cancel_key_deletion, KeyId=key)
        kms.enable_key(KeyId=key)
    how = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}
    new = range(len(inside), 2)
    return store, inside + [_id(kms, **how, XksKeyId=f"{name}-{number}") for number in new]


def _inside(kms, store):
    """The ids of the keys in a custom key store."""
    pages = kms.get_paginator("list_keys").paginate()
    every = [key["KeyId"] for page in pages for key in page["Keys"]]
    told = (kms.describe_key(KeyId=key)["KeyMetadata"] for key in every)
    return [key["KeyId"] for key in told if key.get("CustomKeyStoreId") == store]


@task(
    "plug",
    minutes=5,
    asks="`pull_the_plug(kms, store_id)`: a list of key ids",
    practises="06.custom-key-stores",
    hints=[
        "Is there one call that cuts off the whole store, however many keys it has?",
        "disconnect_custom_key_store. describe_key says CustomKeyStoreId for a key that lies in one.",
        "Disconnect, then walk through get_paginator('list_keys'), describe each key and keep those "
        'whose ["KeyMetadata"].get("CustomKeyStoreId") is store_id.',
    ],
    why="With an external key store the plug is yours: nobody decrypts while it is out, not even AWS. "
    "Nor do you.",
    wrong=[
        Wrong(
            _PLUG.replace("kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)", "pass"),
            says="The store is still connected",
        ),
        Wrong(
            _PLUG.replace(
                "kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)", "pass"
            ).replace(
                'found.append(key["KeyId"])',
                'found.append(key["KeyId"])\n                kms.schedule_key_deletion('
                'KeyId=key["KeyId"], PendingWindowInDays=7)',
            ),
            says="is scheduled for deletion",
        ),
        Wrong(
            _PLUG.replace('described.get("CustomKeyStoreId") == store_id', "True"),
            says="does not lie in this store",
        ),
        Wrong(
            _PLUG.replace('found.append(key["KeyId"])', "found.append(key)"),
            says="List the ids alone",
        ),
        Wrong(
            _PLUG.replace("return found", "return []"),
            says="Keys of the store are missing",
        ),
        Wrong(
            _PLUG.replace(
                'described.get("CustomKeyStoreId") == store_id',
                'described["KeyState"] == "Unavailable"',
            ),
            says="You name a key of another store",
        ),
        Wrong(
            _PLUG.replace(
                "kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)", "pass"
            ).replace(
                'found.append(key["KeyId"])',
                'found.append(key["KeyId"])\n                kms.disable_key(KeyId=key["KeyId"])',
            ),
            says="You disabled keys one by one",
        ),
        Wrong(
            _PLUG.replace(
                "    return found",
                "    kms.connect_custom_key_store(CustomKeyStoreId=store_id)\n    return found",
            ),
            says="It was cut off, and is connected again",
        ),
        Wrong(
            _PLUG.replace(
                "    return found",
                "    for key_id in found:\n        kms.disable_key(KeyId=key_id)\n    return found",
            ),
            says="leave them as they are, and cut off the store alone",
        ),
    ],
    also_right=[
        """def pull_the_plug(kms, store_id):
    every = [key["KeyId"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
    inside = [key for key in every
              if kms.describe_key(KeyId=key)["KeyMetadata"].get("CustomKeyStoreId") == store_id]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    return tuple(inside)""",
        _PLUG.replace("return found", "return set(found)"),
    ],
    seconds=20,
)
def plug(work):
    aws, kms = work.value("aws"), boto3.client("kms")
    elsewhere, others = _store(kms, "attic")
    kms.disconnect_custom_key_store(CustomKeyStoreId=elsewhere)
    store, inside = _store(kms, "basement")
    _id(kms)  # a key that has nothing to do with it
    blob = kms.encrypt(KeyId=inside[0], Plaintext=b"result")["CiphertextBlob"]
    before = len(aws.trail)
    found = work.function("pull_the_plug", returns=(list, tuple, set))(kms, store)
    called = {event["eventName"] for event in aws.trail.events(after=before)}
    work.expect(
        all(isinstance(each, str) for each in found),
        "List the ids alone: each is text, under KeyId.",
    )
    states = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in inside]
    work.expect(
        "PendingDeletion" not in states,
        "A key is scheduled for deletion: tomorrow it should be usable again.",
    )
    work.expect(
        "Disabled" not in states,
        "You disabled keys one by one. A key that is made tonight would be usable; cut off the store.",
    )
    gone = set(states) == {"Unavailable"}
    work.expect(
        gone or "DisconnectCustomKeyStore" not in called,
        "It was cut off, and is connected again: its keys can be used.",
    )
    work.expect(gone, "The store is still connected: its keys can be used.")
    named = {each.rpartition("/")[2] for each in found}
    more, missing = sorted(named - set(inside)), sorted(set(inside) - named)
    work.expect(
        not named & set(others) or more != sorted(others),
        "You name a key of another store, which was cut off before. Which store does a key lie in?",
    )
    work.expect(not more, f"You name a key that does not lie in this store: {', '.join(more[:2])}.")
    work.expect(not missing, f"Keys of the store are missing: {', '.join(missing)}.")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    states = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in inside]
    work.expect(
        set(states) == {"Enabled"},
        "Tomorrow, connected again, the keys cannot be used: leave them as they are, and cut off the "
        "store alone.",
    )
    work.expect(
        _works(kms.decrypt, CiphertextBlob=blob), "Tomorrow, connected again, nothing opens."
    )
