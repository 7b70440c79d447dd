"""What the questions of this lesson claim, played on the simulator."""

import json
from decimal import Decimal

import aws_encryption_sdk
import boto3
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsKeyringInput,
    CreateMultiKeyringInput,
)
from botocore.config import Config

from kmscourse.cloud.estimate import Design
from kmscourse.exam.proofs import Outcome, proof, tried

BUCKET = "scans"
ONCE = Config(retries={"total_max_attempts": 1})


def _dollars(bill):
    return bill.exact.quantize(Decimal("0.1"))


def _key(**how):
    return boto3.client("kms").create_key(**how)["KeyMetadata"]["Arn"]


def _bucket(key, *, bucket_key=False, sse="aws:kms"):
    """A bucket with that default encryption; made where it is not there."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    how = {"SSEAlgorithm": sse} | ({"KMSMasterKeyID": key} if sse != "AES256" else {})
    rule = {"ApplyServerSideEncryptionByDefault": how}
    if sse == "aws:kms":
        rule["BucketKeyEnabled"] = bucket_key
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return s3


@proof("cost-four-keys")
def four_keys(aws, case):
    """A primary key with two replicas, an imported key and two AWS managed keys, for a month."""
    kms = boto3.client("kms")
    primary = _key(MultiRegion=True)
    for region in ("eu-west-1", "eu-central-1"):
        kms.replicate_key(KeyId=primary, ReplicaRegion=region)
    _key(Origin="EXTERNAL")
    boto3.client("ssm").put_parameter(Name="p", Value="x", Type="SecureString")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    aws.clock.advance(hours=730)
    said = {"two": 2, "three": 3, "four": 4, "six": 6}[case]
    real = _dollars(aws.meter.bill())
    return Outcome(
        holds=real == said, seen=f"After a month the meter has ${real:.2f} for the keys."
    )


@proof("cost-rotation-cap")
def rotation_cap(aws, case):
    """A key is rotated every year for five and a half years; then one month of its bill is read."""
    kms = boto3.client("kms")
    kms.enable_key_rotation(KeyId=_key(), RotationPeriodInDays=365)
    for _ in range(11):
        aws.clock.advance(days=183)
    before = aws.meter.bill().exact
    aws.clock.advance(hours=730)
    month = (aws.meter.bill().exact - before).quantize(Decimal("0.1"))
    said = {"one": 1, "two": 2, "three": 3, "six": 6}[case]
    return Outcome(holds=month == said, seen=f"The month after cost ${month:.2f}.")


@proof("cost-waiting-for-deletion")
def waiting_for_deletion(aws, case):
    """A deletion is scheduled, and cancelled after 20 days; the 20 days are read from the bill."""
    kms, key = boto3.client("kms"), _key()
    before = aws.meter.bill().exact
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    aws.clock.advance(days=20)
    kms.cancel_key_deletion(KeyId=key)
    paid = aws.meter.bill().exact - before
    full = Decimal(20 * 24) / 730
    said = {"in-full": full, "not-at-all": 0, "half": full / 2, "anew": full + 1}[case]
    return Outcome(
        holds=abs(paid - said) < Decimal("0.01"),
        seen=f"The 20 days cost ${paid:.2f}; at the full price they are ${full:.2f}.",
    )


def _kind(aws, case):
    """Make one request of a kind. Returns the name of the price that the meter counted it under."""
    kms, symmetric = boto3.client("kms"), _key()
    ecc = _key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    rsa = _key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    sealed = kms.encrypt(KeyId=symmetric, Plaintext=b"x")["CiphertextBlob"]
    before = dict(aws.meter.usage().quantities)
    if case == "rsa-pairs":
        kms.generate_data_key_pair(KeyId=symmetric, KeyPairSpec="RSA_2048")
    elif case == "ecc-sign":
        kms.sign(KeyId=ecc, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    elif case == "rsa-sign":
        kms.sign(KeyId=rsa, Message=b"x", SigningAlgorithm="RSASSA_PSS_SHA_256")
    else:
        kms.decrypt(CiphertextBlob=sealed)
    after = aws.meter.usage().quantities
    return next(k for k in after if "request" in k and after[k] != before.get(k, 0))


@proof("cost-dearest-requests")
def dearest_requests(aws, case):
    """One request of each kind is made; what the meter counts it as is reckoned for the month."""
    volumes = {"rsa-pairs": 1000, "ecc-sign": 50_000, "decrypt": 200_000, "rsa-sign": 100_000}
    costs = {
        each: Design(requests={_kind(aws, each): number}).bill().exact
        for each, number in volumes.items()
    }
    return Outcome(
        holds=costs[case] == max(costs.values()),
        seen=f"That many of them cost ${costs[case]:.2f}.",
    )


@proof("cost-free-tier-regions")
def free_tier_regions(aws, case):
    """Twelve requests in each of three Regions stand for 12,000; the meter's sum is reckoned."""
    clients = [boto3.client("kms", region_name=f"eu-west-{number}") for number in (1, 2, 3)]
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for kms in clients]
    before = aws.meter.requests()
    for kms, key in zip(clients, keys, strict=True):
        for _ in range(12):
            kms.encrypt(KeyId=key, Plaintext=b"x")
    made = 1000 * (aws.meter.requests() - before)
    usage = Design(requests={"kms.request.symmetric": made}).usage()
    paid = made - usage.free
    said = {"together": 16_000, "each-region": 0, "one-region": 24_000, "none": 36_000}[case]
    return Outcome(
        holds=paid == said,
        seen=f"The meter sums all Regions: of {made:,} requests it charges for {paid:,}.",
    )


@proof("cost-no-monthly-fee")
def no_monthly_fee(aws, case):
    """Each thing stands in an account of its own for a month; the bill is read without requests."""
    ssm, secrets = boto3.client("ssm"), boto3.client("secretsmanager")
    if case == "disabled-key":
        boto3.client("kms").disable_key(KeyId=_key())
    elif case.endswith("parameter"):
        tier = case.partition("-")[0].title()
        ssm.put_parameter(Name="p", Value="x", Type="SecureString", Tier=tier)
    else:
        secrets.create_secret(Name="s", SecretString="x")
    aws.clock.advance(hours=730)
    stands = [line for line in aws.meter.bill() if line.unit.endswith("months")]
    if case == "aws-managed-key":
        names = [each["AliasName"] for each in boto3.client("kms").list_aliases()["Aliases"]]
        assert "alias/aws/secretsmanager" in names
        stands = [line for line in stands if line.item.startswith("KMS keys")]
    cost = sum(line.amount for line in stands)
    return Outcome(holds=cost == 0, seen=f"After a month what stands has cost ${cost:.2f}.")


@proof("cost-bucket-key-least-change")
def least_change(aws, case):
    """Ten objects are written after each change; the requests and the key are looked at."""
    key = _key()
    sse = {"sse-s3": "AES256", "dsse": "aws:kms:dsse"}.get(case, "aws:kms")
    s3 = _bucket(key, bucket_key=case == "bucket-key", sse=sse)
    if case == "quota":
        aws.quotas.on(symmetric=100)
    before = aws.meter.requests()
    for number in range(10):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"x")
    asked = aws.meter.requests() - before
    same = aws.stored("s3", BUCKET, "9").key_arn == key
    return Outcome(
        holds=asked < 10 and same,
        seen=f"{asked} requests for ten objects, {'under' if same else 'no longer under'} the key.",
    )


@proof("cost-bucket-key-old-objects")
def old_objects(aws, case):
    """Five objects from before the Bucket Key are read after what is proposed was done."""
    kms, key = boto3.client("kms"), _key()
    s3 = _bucket(key)
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"x")
    _bucket(key, bucket_key=True)
    if case == "copy":
        for number in range(5):
            s3.copy_object(
                Bucket=BUCKET,
                Key=f"{number}",
                CopySource={"Bucket": BUCKET, "Key": f"{number}"},
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=key,
                BucketKeyEnabled=True,
            )
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=key)
    elif case == "again":
        _bucket(key, bucket_key=True)
    aws.clock.advance(days=30)
    before = len(aws.trail.events("Decrypt"))
    for number in range(5):
        s3.get_object(Bucket=BUCKET, Key=f"{number}")["Body"].read()
    asked = len(aws.trail.events("Decrypt")) - before
    return Outcome(holds=asked < 5, seen=f"Reading five old objects took {asked} times Decrypt.")


@proof("cost-bucket-key-side-effects")
def side_effects(aws, case):
    """Three objects are written under a Bucket Key, and each claim is looked up."""
    key = _key()
    s3 = _bucket(key, bucket_key=True)
    before = len(aws.trail.events("GenerateDataKey"))
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"x")
    events = aws.trail.events("GenerateDataKey")[before:]
    first, second = (aws.stored("s3", BUCKET, name) for name in ("0", "1"))
    if case == "context":
        seen = first.context["aws:s3:arn"]
        return Outcome(holds=seen == f"arn:aws:s3:::{BUCKET}", seen=f"The context holds {seen}.")
    if case == "fewer-events":
        return Outcome(holds=len(events) < 3, seen=f"{len(events)} GenerateDataKey, three objects.")
    if case == "other-key":
        other = first.key_arn != key
        return Outcome(holds=other, seen=f"It is under {'another' if other else 'the same'} key.")
    if case == "one-data-key":
        same = first.wrapped_keys == second.wrapped_keys
        return Outcome(
            holds=same, seen=f"Two objects lie under {'one data key' if same else 'two data keys'}."
        )
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    aws.session("reader")
    boto3.client("iam").put_user_policy(
        UserName="reader",
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    got = tried(aws.session("reader").client("s3").get_object, Bucket=BUCKET, Key="0")
    return Outcome(
        holds=got.ok, seen=f"A reader without kms:Decrypt got {got.code or 'the object'}."
    )


@proof("cost-caching-with-a-bound")
def caching_with_a_bound(aws, case):
    """Six messages are sealed, and the requests for data keys are counted."""
    kms, key, other = boto3.client("kms"), _key(), _key()
    sdk = aws_encryption_sdk.EncryptionSDKClient()
    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    first, second = (
        providers.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=each, kms_client=kms))
        for each in (key, other)
    )
    ways = [{"keyring": first}]
    if case == "caching":
        provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
            key_ids=[key], botocore_session=aws.session("learner")._session
        )
        caching = aws_encryption_sdk.CachingCryptoMaterialsManager(
            master_key_provider=provider,
            cache=aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=10),
            max_age=60.0,
            max_messages_encrypted=3,
        )
        ways = [{"materials_manager": caching}]
    elif case == "multi-keyring":
        both = CreateMultiKeyringInput(generator=first, child_keyrings=[second])
        ways = [{"keyring": providers.create_multi_keyring(both)}]
    elif case == "second-key":
        ways.append({"keyring": second})
    s3 = _bucket(key, bucket_key=True)
    before = aws.meter.requests()
    for number in range(6):
        message, _ = sdk.encrypt(source=b"a message", **ways[number % len(ways)])
        if case == "bucket-key":
            s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=message)
    asked = aws.meter.requests() - before
    # Three a data key were allowed: two requests are fewer than six, and no more than the bound.
    return Outcome(holds=asked == 2, seen=f"Six messages took {asked} requests to AWS KMS.")


@proof("quota-first-answer")
def first_answer(aws, case):
    """The quota is used up, and a call is made as proposed, five attempts at most."""
    kms = boto3.client("kms", config=ONCE)
    key, other = _key(), _key()
    kms.create_alias(AliasName="alias/scans", TargetKeyId=key)
    name = {"alias": "alias/scans", "second-key": other}.get(case, key)
    aws.quotas.on(symmetric=0.1)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    attempts = 5 if case in ("backoff", "at-once") else 1
    for attempt in range(attempts):
        call = tried(kms.encrypt, KeyId=name, Plaintext=b"x")
        if call.ok:
            break
        if case == "backoff":  # what jitter waits on average, and a little more
            aws.clock.advance(seconds=2**attempt)
    return Outcome(holds=call.ok, seen=f"After {attempt + 1} attempts: {call.code or 'answered'}.")


@proof("quota-always-too-fast")
def always_too_fast(aws, case):
    """Twelve objects, one a second, at a third of the quota that they need, within a minute."""
    key, other = _key(), _key()
    bucket_key, sse = case == "bucket-key", "aws:kms:dsse" if case == "dsse" else "aws:kms"
    _bucket(key, bucket_key=bucket_key, sse=sse)
    s3 = boto3.client("s3", config=ONCE)
    aws.quotas.on(symmetric=2 if case == "higher-quota" else 1 / 3)
    begun, late = aws.clock.now(), 0
    for number in range(12):
        where = {"Bucket": BUCKET, "Key": f"{number}", "Body": b"x"}
        if case == "second-key" and number % 2:
            where |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}
        stored = tried(s3.put_object, **where)
        pause = 1
        while case == "backoff" and not stored.ok:
            aws.clock.advance(seconds=pause)
            pause *= 2
            stored = tried(s3.put_object, **where)
        late += not stored.ok
    seconds = (aws.clock.now() - begun).total_seconds()
    return Outcome(
        holds=late == 0 and seconds <= 12,
        seen=f"{late} of 12 objects were refused, and the import took {seconds:.0f} seconds.",
    )


@proof("quota-whose-it-is")
def whose_it_is(aws, case):
    """Account B uses up a quota with account A's key, and then somebody asks again."""
    b = aws.account("222222222222")
    use = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": use})
    shared, of_a = _key(Policy=policy), _key()
    root = b.session("root")
    of_b = root.client("kms").create_key()["KeyMetadata"]["Arn"]
    far = root.client("kms", region_name="eu-west-1").create_key()["KeyMetadata"]["Arn"]
    aws.quotas.on(symmetric=0.01)
    busy = tried(root.client("kms", config=ONCE).encrypt, KeyId=shared, Plaintext=b"x")
    assert busy.ok

    def throttled(session, key, region="us-east-1"):
        client = session.client("kms", region_name=region, config=ONCE)
        return tried(client.encrypt, KeyId=key, Plaintext=b"x").code == "ThrottlingException"

    here = boto3.Session()
    asked = {
        "b-any-key": [(root, shared), (root, of_b)],
        "a-any-key": [(here, of_a)],
        "this-key": [(here, shared)],
        "b-other-region": [(root, far, "eu-west-1")],
    }[case]
    answers = [throttled(*each) for each in asked]
    owner = "A" if case[0] == "a" or case == "this-key" else "B"
    return Outcome(
        holds=all(answers),
        seen=f"Of {len(answers)} requests by account {owner}, {sum(answers)} were throttled.",
    )


@proof("reckon-a-month")
def a_month(aws, case):
    """One object is written and read; the requests that it took are reckoned for the month."""
    key = _key()
    s3 = _bucket(key)
    counts = [aws.meter.requests()]
    s3.put_object(Bucket=BUCKET, Key="4711", Body=b"x")
    counts.append(aws.meter.requests())
    s3.get_object(Bucket=BUCKET, Key="4711")["Body"].read()
    counts.append(aws.meter.requests())
    a_write, a_read = counts[1] - counts[0], counts[2] - counts[1]
    requests = {"kms.request.symmetric": 1_000_000 * a_write + 4_000_000 * a_read}
    month = Design(keys=1, requests=requests).bill().total
    said = {"all": "15.94", "no-free-tier": "16.00", "no-key": "14.94", "no-reads": "3.94"}[case]
    return Outcome(
        holds=month == Decimal(said),
        seen=f"A write took {a_write} and a read {a_read}, which makes ${month} for the month.",
    )


@proof("reckon-what-dominates")
def what_dominates(aws, case):
    """Thirty keys stand for 300; after each step one month is read from the bill."""
    kms = boto3.client("kms")
    keys = [_key() for _ in range(30)]
    _bucket(keys[0], bucket_key=case == "bucket-keys")
    for key in keys[3:]:
        if case == "delete":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
        elif case == "disable":
            kms.disable_key(KeyId=key)
        elif case == "rotate":
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    aws.clock.advance(days=100)
    before = aws.meter.bill().exact
    aws.clock.advance(hours=730)
    month = (aws.meter.bill().exact - before).quantize(Decimal("0.1"))
    return Outcome(
        holds=month < 30, seen=f"A month then costs ${month:.2f}, where it cost $30 before."
    )
