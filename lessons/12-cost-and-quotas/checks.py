"""The tasks of lab 12: what each asks, how it is checked, and what helps."""

import math
import numbers
import os
from decimal import Decimal

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import facts
from kmscourse.cloud.estimate import Design, break_even
from kmscourse.lab import Wrong, task


def _same(said, real):
    """Whether a number of dollars is the real one, to a hundredth of a cent."""
    return abs(float(said) - float(real)) < 0.0001


def _dollars(amount):
    return f"${float(amount):,.4f}".rstrip("0").rstrip(".")


def _number(work, amount):
    """A number of dollars that was returned. Text is none, though Python could read it."""
    work.expect(isinstance(amount, numbers.Real | Decimal), "Return a number of dollars.")
    return float(amount)


def _calls(work, name="GenerateDataKey"):
    return len(work.value("aws").trail.events(name))


# --- what stands

_KEYS = """def keys_per_month(keys, replicas, rotations):
    return keys * (1 + replicas) * (1 + min(rotations, 2))"""


@task(
    "keys",
    practises="12.price-of-keys",
    minutes=4,
    asks="`keys_per_month(keys, replicas, rotations)`: dollars a month",
    hints=[
        "How many lines with a dollar would the bill have for one key, one replica and one rotation?",
        "A replica is a key of its own on the bill. The first and the second rotation each add as much "
        "again; later ones add nothing. Related keys rotate together.",
        "keys * (1 + replicas) keys are billed, each 1 + min(rotations, 2) times.",
    ],
    why="What stands is paid for whether anybody uses it or not. That is why a forgotten key is dearer "
    "than a busy one.",
    wrong=[
        Wrong(
            "def keys_per_month(keys, replicas, rotations):\n    return keys",
            says="A replica in another Region is a key on the bill",
        ),
        Wrong(
            _KEYS.replace("min(rotations, 2)", "rotations"),
            says="Later rotations cost nothing more",
        ),
        Wrong(
            _KEYS.replace(" * (1 + min(rotations, 2))", ""),
            says="The old material is kept, and costs",
        ),
        Wrong(
            _KEYS.replace(
                "keys * (1 + replicas) * (1 + min(rotations, 2))",
                "keys * (1 + replicas) + keys * min(rotations, 2)",
            ),
            says="The replica has the rotated material as well",
        ),
        Wrong(
            _KEYS.replace("return ", "return str(") + ")",
            says="Return a number of dollars",
        ),
    ],
    also_right=[
        """def keys_per_month(keys, replicas, rotations):
    total = 0.0
    for _ in range(keys):
        for _ in range(1 + replicas):
            total += 1.00
            if rotations >= 1:
                total += 1.00
            if rotations >= 2:
                total += 1.00
    return total"""
    ],
)
def keys(work):
    keys_per_month = work.function("keys_per_month")

    def said(*design):
        return _number(work, work.call(keys_per_month, *design))

    work.expect(_same(said(3, 0, 0), 3), "Three plain keys, nothing else: that is $3 a month.")
    work.expect(
        _same(said(1, 2, 0), 3),
        f"A replica in another Region is a key on the bill. One key with two replicas is $3, not {_dollars(said(1, 2, 0))}.",
    )
    work.expect(
        not _same(said(1, 0, 1), 1),
        "The old material is kept, and costs. One key, rotated once, is $2.",
    )
    work.expect(
        _same(said(1, 0, 2), 3) and _same(said(1, 0, 7), 3),
        f"Later rotations cost nothing more. One key, rotated seven times, is $3, not {_dollars(said(1, 0, 7))}.",
    )
    work.expect(
        _same(said(1, 1, 1), 4),
        f"The replica has the rotated material as well. One key with one replica, rotated once, is $4, not {_dollars(said(1, 1, 1))}.",
    )
    for design in ((2, 1, 3), (0, 3, 3), (5, 0, 1), (7, 2, 2)):
        real = Design(keys=design[0], replicas=design[1], rotations=design[2]).bill().exact
        amount = said(*design)
        work.expect(
            _same(amount, real),
            f"For keys={design[0]}, replicas={design[1]}, rotations={design[2]} the bill is {_dollars(real)}, not {_dollars(amount)}.",
        )


# --- what is asked

_REQUESTS = """def requests_per_month(requests):
    dollars = 0
    for name, number in requests.items():
        if name == "kms.request.symmetric":
            number = max(0, number - int(facts.limit("kms.free-tier.requests")))
        dollars += facts.price(name).value * number / facts.price(name).per
    return dollars"""
_SYMMETRIC, _ASYMMETRIC = "kms.request.symmetric", "kms.request.asymmetric"
_RSA = "kms.request.rsa-2048"


@task(
    "requests",
    practises=["12.price-of-requests", "12.free"],
    minutes=6,
    asks="`requests_per_month(requests)`: dollars for a dictionary of requests by kind",
    hints=[
        "Which kind of request does the free tier cover? What is paid when fewer are made than it holds?",
        "Take the free tier off the symmetric requests only, and never go below zero. Every kind has its "
        "own price for ten thousand.",
        'Add up facts.price(name).cost(number) for each; for "kms.request.symmetric" take '
        "max(0, number - int(facts.limit('kms.free-tier.requests'))).",
    ],
    why="The kind decides: an RSA data key pair costs as much as four hundred requests with a symmetric "
    "key.",
    wrong=[
        Wrong(
            "def requests_per_month(requests):\n    return sum(requests.values()) * 0.03 / 10_000",
            says="Each kind has its own price",
        ),
        Wrong(
            _REQUESTS.replace(" / facts.price(name).per", ""),
            says="is for ten thousand requests",
        ),
        Wrong(
            "def requests_per_month(requests):\n"
            "    free = int(facts.limit('kms.free-tier.requests'))\n"
            "    return sum(facts.price(n).cost(max(0, requests[n] - free)) for n in requests)",
            says="The free tier leaves asymmetric keys and data key pairs out",
        ),
        Wrong(
            _REQUESTS.replace(
                'max(0, number - int(facts.limit("kms.free-tier.requests")))',
                'number - int(facts.limit("kms.free-tier.requests"))',
            ),
            says="Nobody is paid for asking little",
        ),
        Wrong(
            _REQUESTS.replace(
                'max(0, number - int(facts.limit("kms.free-tier.requests")))', "number"
            ),
            says="The first 20,000 symmetric requests of a month are free",
        ),
        Wrong(
            _REQUESTS.replace(
                'name == "kms.request.symmetric"',
                'name in ("kms.request.symmetric", "kms.request.rsa-2048")',
            ),
            says="leaves RSA_2048 out as well",
        ),
        Wrong(
            _REQUESTS.replace("return dollars", "return round(dollars, 2)"),
            says="Do not round",
        ),
    ],
    also_right=[
        """def requests_per_month(requests):
    paid = dict(requests)
    paid["kms.request.symmetric"] = max(paid.get("kms.request.symmetric", 0) - 20_000, 0)
    return float(sum(facts.price(kind).cost(paid[kind]) for kind in paid))"""
    ],
)
def requests(work):
    requests_per_month = work.function("requests_per_month")

    def said(asked):
        return _number(work, work.call(requests_per_month, dict(asked)))

    much = said({_SYMMETRIC: 10_020_000})
    work.expect(
        much < 1000,
        f"A price is for ten thousand requests, not for one: {_dollars(much)} for ten million is too much.",
    )
    signatures = said({_ASYMMETRIC: 1_000_000})
    work.expect(
        not _same(signatures, 3),
        "Each kind has its own price. A million signatures on an elliptic curve are $15.",
    )
    work.expect(
        _same(signatures, 15) and _same(said({"kms.request.data-key-pair.rsa": 10_000}), 12),
        "The free tier leaves asymmetric keys and data key pairs out: ten thousand RSA data key pairs are $12.",
    )
    little = said({_SYMMETRIC: 500})
    work.expect(
        little >= 0,
        f"Nobody is paid for asking little: 500 requests are free, not {_dollars(little)}.",
    )
    work.expect(
        _same(little, 0) and _same(much, 30),
        f"The first 20,000 symmetric requests of a month are free: 10,020,000 of them are $30, not {_dollars(much)}.",
    )
    rsa = said({_RSA: 10_000})
    work.expect(
        _same(rsa, 0.03),
        "The free tier leaves RSA_2048 out as well, although the price is that of symmetric requests: "
        f"ten thousand are $0.03, not {_dollars(rsa)}.",
    )
    for asked in (
        {name: 123_456 for name in facts.prices() if name.startswith("kms.request")},
        {_SYMMETRIC: 19_999, _RSA: 30_000},
        {},
    ):
        real, amount = Design(requests=asked).bill().exact, said(asked)
        work.expect(
            _same(amount, real) or not _same(amount, round(real, 2)),
            f"Do not round: a cent is more than three thousand requests. The bill is {_dollars(real)}.",
        )
        work.expect(
            _same(amount, real),
            f"For {asked or 'no requests'} the bill is {_dollars(real)}, not {_dollars(amount)}.",
        )


# --- ask less: the bucket

_BUCKET = """def encrypt_bucket(s3, bucket, key_id):
    how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}
    rule = {"ApplyServerSideEncryptionByDefault": how, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})"""


@task(
    "bucket",
    practises="12.bucket-keys",
    minutes=3,
    asks="`encrypt_bucket(s3, bucket, key_id)`: sets the bucket's default encryption",
    hints=[
        "Which setting of a bucket makes S3 keep a key of its own between KMS and the objects?",
        "put_bucket_encryption takes a list of Rules. A rule has ApplyServerSideEncryptionByDefault and "
        "BucketKeyEnabled.",
        '{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}, '
        '"BucketKeyEnabled": True}',
    ],
    why="The uploading programs did not change a line, and KMS is asked once where it was asked for each "
    "object.",
    wrong=[
        Wrong(
            _BUCKET.replace(', "BucketKeyEnabled": True', ""),
            says="KMS was asked for every object",
        ),
        Wrong(
            _BUCKET.replace(
                '{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}',
                '{"SSEAlgorithm": "AES256"}',
            ),
            says="no key policy protects it",
        ),
        Wrong(
            _BUCKET.replace('"aws:kms"', '"aws:kms:dsse"'),
            says="for these there are no Bucket Keys",
        ),
        Wrong(
            _BUCKET.replace(', "KMSMasterKeyID": key_id', ""),
            says="under another key",
        ),
        Wrong(
            "def encrypt_bucket(s3, bucket, key_id):\n"
            '    s3.put_object(Bucket=bucket, Key="first", Body=b"x", ServerSideEncryption="aws:kms",\n'
            "                  SSEKMSKeyId=key_id, BucketKeyEnabled=True)",
            says="The default of the bucket was not changed",
        ),
        Wrong(
            _BUCKET.replace('"KMSMasterKeyID": key_id', '"KMSMasterKeyID": "key_id"'),
            says="Nothing can be stored with this default",
        ),
    ],
    also_right=[
        """def encrypt_bucket(s3, bucket, key_id):
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration=dict(Rules=[dict(
            BucketKeyEnabled=True,
            ApplyServerSideEncryptionByDefault=dict(
                KMSMasterKeyID=key_id.split("/")[-1], SSEAlgorithm="aws:kms"))]),
    )"""
    ],
)
def bucket(work):
    aws, key_id = work.value("aws"), work.value("key_id")
    s3 = work.value("s3")
    name = f"results-{os.urandom(6).hex()}"
    s3.create_bucket(Bucket=name)
    before = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    work.call(work.function("encrypt_bucket"), s3, name, key_id)
    after = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    work.expect(
        after != before, "The default of the bucket was not changed: new objects are SSE-S3."
    )
    asked = _calls(work)
    with work.or_say("Nothing can be stored with this default."):
        for number in range(10):
            s3.put_object(Bucket=name, Key=f"{number}", Body=b"glucose 5.1")
    asked = _calls(work) - asked
    stored = aws.stored("s3", name, "9")
    found = s3.head_object(Bucket=name, Key="9")["ServerSideEncryption"]
    work.expect(
        found != "aws:kms:dsse",
        "A new object has two layers (DSSE-KMS), and for these there are no Bucket Keys.",
    )
    work.expect(
        found == "aws:kms",
        "A new object is not under a KMS key: no key policy protects it.",
    )
    work.expect(
        stored.key_arn == key_id,
        "A new object is encrypted under another key: without KMSMasterKeyID, S3 takes aws/s3.",
    )
    work.expect(
        asked <= 1,
        f"KMS was asked for every object: {asked} requests for ten of them. What lets S3 ask once?",
    )


# --- ask less: the analyser

_CACHE = """def seal_results(kms, key_id, results, at_most):
    sealed = []
    for number, result in enumerate(results):
        if number % at_most == 0:
            made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
        nonce = os.urandom(12)
        ciphertext = AESGCM(made["Plaintext"]).encrypt(nonce, result, None)
        sealed.append(dict(wrapped_key=made["CiphertextBlob"], nonce=nonce, ciphertext=ciphertext))
    return sealed"""


@task(
    "cache",
    practises="12.caching",
    minutes=6,
    asks="`seal_results(kms, key_id, results, at_most)`: a list of envelopes",
    hints=[
        "When does the loop need a new data key, and what must be new for each result all the same?",
        "Ask with GenerateDataKey for the first result and then after every at_most of them. A nonce "
        "must never come twice under one data key: os.urandom(12) for each result.",
        "for number, result in enumerate(results): if number % at_most == 0: made = "
        'kms.generate_data_key(KeyId=key_id, KeySpec="AES_256"). Keep made["CiphertextBlob"] in each '
        "envelope.",
    ],
    why="That is what the AWS Encryption SDK's cache does, and at_most is what a thief gets with one "
    "data key.",
    wrong=[
        Wrong(
            _CACHE.replace("        if number % at_most == 0:\n            made", "        made"),
            says="as few requests as the limit allows",
        ),
        Wrong(
            _CACHE.replace("number % at_most == 0", "number == 0"),
            says="More results than at_most lie under one data key",
        ),
        Wrong(
            _CACHE.replace("        nonce = os.urandom(12)\n", "").replace(
                "            made", "            nonce = os.urandom(12)\n            made"
            ),
            says="Two results have the same nonce under one data key",
        ),
        Wrong(
            _CACHE.replace('wrapped_key=made["CiphertextBlob"]', 'wrapped_key=made["Plaintext"]'),
            says="KMS cannot unwrap what lies in wrapped_key",
        ),
        Wrong(
            _CACHE.replace(
                "ciphertext=ciphertext)", 'ciphertext=ciphertext, key=made["Plaintext"])'
            ),
            says="An envelope has three parts",
        ),
        Wrong(
            _CACHE.replace("return sealed", "return sealed[0]"),
            says="Return a list with one envelope for each result",
        ),
        Wrong(
            _CACHE.replace(
                'dict(wrapped_key=made["CiphertextBlob"], nonce=nonce, ciphertext=ciphertext)',
                '(made["CiphertextBlob"], nonce, ciphertext)',
            ),
            says="Each envelope should be a dictionary",
        ),
        Wrong(
            _CACHE.replace("nonce=nonce", "nonce=nonce.hex()"),
            says="The nonce and the ciphertext should be bytes",
        ),
    ],
    also_right=[
        """def seal_results(kms, key_id, results, at_most):
    envelopes = []
    for start in range(0, len(results), at_most):
        key = AESGCM.generate_key(bit_length=256)
        wrapped = kms.encrypt(KeyId=key_id, Plaintext=key)["CiphertextBlob"]
        for result in results[start : start + at_most]:
            nonce = os.urandom(12)
            envelopes.append({"wrapped_key": wrapped, "nonce": nonce,
                              "ciphertext": AESGCM(key).encrypt(nonce, result, None)})
    return envelopes"""
    ],
)
def cache(work):
    kms, key_id = work.value("kms"), work.value("key_id")
    seal_results = work.function("seal_results")
    for count, at_most in ((9, 4), (4, 4), (3, 1)):
        results = [f"result {number}, {os.urandom(4).hex()}".encode() for number in range(count)]
        meter = work.value("aws").meter
        before = meter.requests()
        sealed = work.call(seal_results, kms, key_id, list(results), at_most)
        asked = meter.requests() - before
        work.expect(
            isinstance(sealed, list | tuple) and len(sealed) == count,
            f"Return a list with one envelope for each result, here {count}.",
        )
        work.expect(
            all(isinstance(each, dict) for each in sealed),
            "Each envelope should be a dictionary with the three parts.",
        )
        for each in sealed:
            work.expect(
                set(each) == {"wrapped_key", "nonce", "ciphertext"},
                "An envelope has three parts, wrapped_key, nonce and ciphertext, and no other.",
            )
        under = {}
        for each, result in zip(sealed, results, strict=True):
            _opened(work, kms, each, result)
            under.setdefault(each["wrapped_key"], []).append(each["nonce"])
        work.expect(
            all(len(set(nonces)) == len(nonces) for nonces in under.values()),
            "Two results have the same nonce under one data key. That tears AES-GCM open.",
        )
        work.expect(
            all(len(nonces) <= at_most for nonces in under.values()),
            f"More results than at_most lie under one data key: {max(map(len, under.values()))}, where "
            f"{at_most} are allowed.",
        )
        fewest = math.ceil(count / at_most)
        work.expect(
            asked <= fewest,
            f"KMS was asked {asked} times for {count} results, at_most {at_most}. Make as few requests as "
            f"the limit allows: {fewest}.",
        )


def _opened(work, kms, envelope, result):
    """Open an envelope as another program would, or end the check."""
    try:
        data_key = kms.decrypt(CiphertextBlob=envelope["wrapped_key"])["Plaintext"]
    except ClientError:
        work.fail(
            "KMS cannot unwrap what lies in wrapped_key. It should be the CiphertextBlob as KMS gave it, in "
            "bytes, and made without an encryption context."
        )
    work.expect(
        isinstance(envelope["nonce"], bytes) and isinstance(envelope["ciphertext"], bytes),
        "The nonce and the ciphertext should be bytes, as AESGCM takes and gives them.",
    )
    try:
        opened = AESGCM(data_key).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    except (InvalidTag, ValueError):
        work.fail("A result does not open with its own data key and nonce.")
    work.expect(
        opened == result, "A result opens to something else. Keep the order of the results."
    )


# --- be patient

_BACKOFF = """def patiently(call, wait, attempts):
    for attempt in range(attempts):
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException" or attempt == attempts - 1:
                raise
        wait(random.uniform(0, 2 ** attempt))"""


def _refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "from the check"}}, "Decrypt")


class _Busy:
    """A call that is refused so many times, and then answers."""

    def __init__(self, refusals, code="ThrottlingException"):
        self.left, self.code, self.calls, self.waits = refusals, code, 0, []

    def __call__(self):
        self.calls += 1
        if self.calls > 50:  # enough: end a loop that would never stop
            raise _refusal("AccessDeniedException")
        if self.left:
            self.left -= 1
            raise _refusal(self.code)
        return "4711"


@task(
    "backoff",
    practises="12.quotas",
    minutes=6,
    asks="`patiently(call, wait, attempts)`: what `call()` returns, with retries",
    hints=[
        "Which errors will go away by themselves, and which will be the same a second later?",
        "A loop over the attempts; try, return; on ClientError look at error.response['Error']['Code']. "
        "Raise at the last attempt, and for every other code. Then wait between 0 and 2 ** attempt.",
        "except ClientError as error: if error.response['Error']['Code'] != 'ThrottlingException' or "
        "attempt == attempts - 1: raise. After it: wait(random.uniform(0, 2 ** attempt)).",
    ],
    why="Each refused program waits for its own random while, so they do not come back all together.",
    wrong=[
        Wrong(
            _BACKOFF.replace("        wait(random.uniform(0, 2 ** attempt))", "        pass"),
            says="It calls again without waiting",
        ),
        Wrong(
            _BACKOFF.replace("random.uniform(0, 2 ** attempt)", "1"),
            says="It waits no longer after several refusals than after one",
        ),
        Wrong(
            _BACKOFF.replace("random.uniform(0, 2 ** attempt)", "2 ** attempt"),
            says="It waits exactly as long each time",
        ),
        Wrong(
            _BACKOFF.replace('error.response["Error"]["Code"] != "ThrottlingException" or ', ""),
            says="An AccessDeniedException was tried again",
        ),
        Wrong(
            _BACKOFF.replace(" or attempt == attempts - 1", ""),
            says="the last error must reach the caller",
        ),
        Wrong(
            "def patiently(call, wait, attempts):\n    return call()",
            says="One refusal was enough for it to give up",
        ),
        Wrong(
            "def patiently(call, wait, attempts):\n"
            "    while True:\n"
            "        try:\n"
            "            return call()\n"
            "        except ClientError as error:\n"
            '            if error.response["Error"]["Code"] != "ThrottlingException":\n'
            "                raise\n"
            "            wait(random.random())",
            says="It did not stop after as many attempts as it was given",
        ),
        Wrong(
            "def patiently(call, wait, attempts):\n"
            "    for attempt in range(attempts):\n"
            "        if attempt:\n"
            "            wait(random.uniform(0, 2 ** (attempt - 1)))\n"
            "        try:\n"
            "            return call()\n"
            "        except ClientError as error:\n"
            '            if error.response["Error"]["Code"] != "ThrottlingException":\n'
            "                raise\n"
            "    raise error",
            says="It raised UnboundLocalError",
        ),
        Wrong(
            _BACKOFF.replace("ClientError", "kms.exceptions.ThrottlingException"),
            says="It raised AttributeError",
        ),
    ],
    also_right=[
        """def patiently(call, wait, attempts):
    pause = 1
    while True:
        attempts -= 1
        try:
            return call()
        except ClientError as error:
            if attempts < 1 or error.response["Error"]["Code"] not in {"ThrottlingException"}:
                raise
        wait(pause * random.random())
        pause *= 2"""
    ],
)
def backoff(work):
    patiently = work.function("patiently")

    busy = _Busy(0)
    got = work.call(patiently, busy, busy.waits.append, 3)
    work.expect(got == "4711", "The result of `call()` is not returned.")
    work.expect(not busy.waits, "It waits although the first call was answered.")

    def refused(refusals, attempts, code="ThrottlingException"):
        busy = _Busy(refusals, code)
        error = work.refuses(patiently, busy, busy.waits.append, attempts)
        work.expect(
            error is None or isinstance(error, ClientError),
            f"It raised {type(error).__name__}: {str(error)[:140]}. What reaches the caller should be the "
            "error that call() raised.",
        )
        return error, busy

    error, busy = refused(1, 5, "AccessDeniedException")
    work.expect(
        error is not None and busy.calls == 1,
        "An AccessDeniedException was tried again. It will be the same a second later: raise it.",
    )
    error, busy = refused(1, 3)
    work.expect(error is None, "One refusal was enough for it to give up; it had three attempts.")
    error, busy = refused(999, 4)
    work.expect(busy.calls <= 4, "It did not stop after as many attempts as it was given.")
    work.expect(
        error is not None,
        "After the last attempt it raised nothing: the last error must reach the caller.",
    )
    work.expect(busy.calls == 4, f"It made {busy.calls} attempts where 4 were allowed.")
    work.expect(
        len(busy.waits) >= 3, "It calls again without waiting. wait(seconds) is there for that."
    )
    work.expect(len(busy.waits) == 3, "It waits once more after the last attempt, for nothing.")
    pauses = [refused(4, 5)[1].waits for _ in range(40)]
    longest = [max(each) for each in zip(*pauses, strict=True)]
    work.expect(
        longest[3] > 2 * longest[0],
        "It waits no longer after several refusals than after one. Double the limit each time.",
    )
    work.expect(
        all(len({round(pause, 6) for pause in each}) > 1 for each in zip(*pauses, strict=True)),
        "It waits exactly as long each time, so all who were refused come back together. Leave it to chance.",
    )
    for number, most in enumerate(longest):
        work.expect(
            0 < most <= 2**number,
            f"Before attempt {number + 2} it waited {most:.1f} seconds; {2**number} at most.",
        )


# --- where it breaks even

_EVEN = """def breaks_even_at(extra_keys):
    price = facts.price("kms.request.symmetric")
    free = int(facts.limit("kms.free-tier.requests"))
    return free + int(extra_keys * price.per / price.value) + 1"""


@task(
    "even",
    practises="12.reckon-a-bill",
    minutes=5,
    asks="`breaks_even_at(extra_keys)`: objects a month",
    hints=[
        "What does the proposal cost more each month, and how many requests cost as much?",
        "extra_keys dollars buy extra_keys * 10,000 / 0.03 requests. Today's design has to make those "
        "above the free tier.",
        "free + extra_keys * price.per / price.value, and one more, as a whole number.",
    ],
    why="Below that number the proposal buys separation, not savings. That may be worth it; now you know "
    "what it costs.",
    wrong=[
        Wrong(_EVEN.replace("free + ", ""), says="Today's first 20,000 requests are free"),
        Wrong(_EVEN.replace("price.per / ", "1 / "), says="is the price of ten thousand"),
        Wrong(
            _EVEN.replace("free + int(extra_keys * price.per / price.value) + 1", "20_000"),
            says="The extra keys have to be earned",
        ),
        Wrong(_EVEN.replace("int(extra_keys", "(extra_keys"), says="return a whole number"),
        Wrong(_EVEN.replace(" + 1", ""), says="One object off"),
    ],
    also_right=[
        """def breaks_even_at(extra_keys):
    objects = 20_000
    step = 10 ** 9
    while step:
        while (objects + step - 20_000) * 3 <= extra_keys * 1_000_000:
            objects += step
        step //= 10
    return objects + 1"""
    ],
)
def even(work):
    breaks_even_at = work.function("breaks_even_at")
    for extra in (4, 1, 30):
        said = work.call(breaks_even_at, extra)
        with work.or_say("Return a number of objects."):
            whole = int(said)
        today = Design(keys=1, writes=1, encryption="SSE-KMS")
        real = break_even(today, Design(keys=1 + extra))
        work.expect(
            abs(whole - 20_000) > 1,
            "The extra keys have to be earned by the requests that are saved.",
        )
        work.expect(
            whole - 20_000 > (real - 20_000) // 1000,
            f"$0.03 is the price of ten thousand requests: {extra} dollars buy many more.",
        )
        work.expect(
            abs(whole + 20_000 - real) > 2,
            f"Today's first 20,000 requests are free, so they save nothing: for {extra} extra keys it is {real:,}.",
        )
        work.expect(
            abs(whole - real) <= 1,
            f"For {extra} extra keys it is {real:,} objects, not {whole:,}.",
        )
        work.expect(said == whole, "There is no part of an object: return a whole number.")
        work.expect(
            whole == real,
            f"One object off: with {extra} extra keys the proposal is cheaper from {real:,} on.",
        )
