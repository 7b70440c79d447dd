"""The tasks of lab 04: what each asks, how it is checked, and what helps."""

import base64
import binascii
import contextlib
import importlib
import io
import json
import os
import shlex
import tempfile

import awscli
import boto3
from awscli.clidriver import create_clidriver
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.lab import Wrong, task
from kmscourse.lab.showing import kind_of
from kmscourse.lab.work import NotThereYet

CONTEXT = {"app": "lab-gateway"}
OTHERS = {"app": "billing"}, {"app": "lab-printer"}, {"app": "Lab-Gateway"}, {}


def _token():
    return "token-" + os.urandom(8).hex()


def _plaintext(kms, blob, context, **key):
    """What KMS decrypts; None where it refuses."""
    try:
        return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, **key)["Plaintext"]
    except ClientError:
        return None


def _may(session, operation, **parameters):
    """Whether policies let a session make a call of KMS."""
    try:
        getattr(session.client("kms"), operation)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDeniedException"
    return True


def _new_key():
    return boto3.client("kms").create_key()["KeyMetadata"]["Arn"]


_SEAL = """def seal(kms, key_id, secret, context):
    answer = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=context)
    return base64.b64encode(answer["CiphertextBlob"]).decode()"""


@task(
    "seal",
    minutes=3,
    practises=[
        "04.encrypt-through-the-api",
        "04.encrypted-secrets-in-code",
        "04.no-plaintext-secrets",
        "04.encryption-context",
    ],
    asks="`seal(kms, key_id, secret, context)`: the ciphertext in base64, as text",
    hints=[
        "Which call of KMS takes a plaintext and gives a ciphertext? What type does it want?",
        "kms.encrypt takes bytes: secret.encode(). Its answer has a CiphertextBlob, bytes again.",
        "answer = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=context); "
        'return base64.b64encode(answer["CiphertextBlob"]).decode()',
    ],
    why="This text may lie in the code and in the environment: whoever reads it still has to ask KMS, "
    "and KMS asks for a permission and for the right context.",
    wrong=[
        Wrong(
            "def seal(kms, key_id, secret, context):\n"
            "    return base64.b64encode(secret.encode()).decode()",
            says="The secret can be read in it",
        ),
        Wrong(
            _SEAL.replace(", EncryptionContext=context", ""),
            says="It opens without the context",
        ),
        Wrong(
            _SEAL.replace(
                'base64.b64encode(answer["CiphertextBlob"]).decode()', 'answer["CiphertextBlob"]'
            ),
            says="but it gives bytes",
        ),
        Wrong(
            _SEAL.replace(
                'base64.b64encode(answer["CiphertextBlob"]).decode()',
                'str(answer["CiphertextBlob"])',
            ),
            says="This text is not base64",
        ),
        Wrong(
            _SEAL.replace("secret.encode()", "base64.b64encode(secret.encode())"),
            says="boto3 takes the bytes as they are",
        ),
        Wrong(
            _SEAL.replace("secret.encode()", "token.encode()"),
            says="It opens to another text",
        ),
        Wrong(
            _SEAL.replace("=context", '={"app": "lab-gateway"}'),
            says="It does not open with the context that `seal` is given",
        ),
        Wrong(
            _SEAL.replace("=key_id", '="alias/lab-gateway"'),
            says="Another key than `key_id` encrypted it",
        ),
    ],
    also_right=[
        "def seal(kms, key_id, secret, context):\n"
        '    blob = kms.encrypt(KeyId=key_id, Plaintext=bytes(secret, "utf-8"),\n'
        '                       EncryptionContext=context)["CiphertextBlob"]\n'
        '    return str(base64.encodebytes(blob), "ascii")'
    ],
)
def seal(work):
    kms, key_arn, secret = work.value("kms"), _new_key(), _token()
    context = {**CONTEXT, "stage": _token()}
    key_id = key_arn.rpartition("/")[2]
    sealed = work.call(work.function("seal", returns=str), kms, key_id, secret, dict(context))
    work.expect(
        not work.holds(sealed, secret),
        "The secret can be read in it: base64 is a way of writing, not encryption.",
    )
    try:
        blob = base64.b64decode("".join(sealed.split()), validate=True)
    except binascii.Error:
        work.fail("This text is not base64 of the ciphertext.")
    work.expect(
        _plaintext(kms, blob, {}) is None,
        "It opens without the context, for any purpose. Bind it: EncryptionContext.",
    )
    opened = _plaintext(kms, blob, context)
    work.expect(opened is not None, "It does not open with the context that `seal` is given.")
    work.expect(
        not work.holds(opened, secret) or opened == secret.encode(),
        "It opens to the secret in another form. boto3 takes the bytes as they are; only the CLI "
        "wants base64.",
    )
    work.expect(opened == secret.encode(), "It opens to another text than `secret`.")
    work.expect(
        _plaintext(kms, blob, context, KeyId=key_arn), "Another key than `key_id` encrypted it."
    )


_POLICY = """def open_policy(key_arn):
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key_arn,
            "Condition": {"StringEquals": {"kms:EncryptionContext:app": "lab-gateway"}},
        },
    }"""
_CONDITION = (
    '\n            "Condition": {"StringEquals": {"kms:EncryptionContext:app": "lab-gateway"}},'
)


@task(
    "permission",
    minutes=5,
    practises=["04.iam", "04.control-access", "04.encryption-context"],
    asks="`open_policy(key_arn)`: an IAM policy, as a dictionary",
    hints=[
        "Which operation, on which key, under which condition?",
        "One statement: Effect, Action, Resource (the key's ARN), Condition. An alias does not work "
        "as Resource here.",
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": '
        'key_arn, "Condition": {"StringEquals": {"kms:EncryptionContext:app": "lab-gateway"}}}}',
    ],
    why="The ciphertext may lie in anyone's hands. Who opens it is decided here, and can be changed "
    "here, without touching the ciphertext.",
    wrong=[
        Wrong(
            _POLICY.replace('"kms:Decrypt"', '"kms:*"'),
            says="lab-gateway may also encrypt",
        ),
        Wrong(
            _POLICY.replace("key_arn,", '"*",'),
            says="lab-gateway may decrypt with another key, too",
        ),
        Wrong(
            _POLICY.replace(_CONDITION, ""),
            says="lab-gateway opens what was made for billing",
        ),
        Wrong(
            _POLICY.replace(
                '"Resource": key_arn', '"Resource": key_arn.split("key/")[0] + "alias/lab-gateway"'
            ),
            says="Resource names an alias",
        ),
        Wrong(
            _POLICY.replace("key_arn,", '"key_arn",'),
            says="IAM does not accept this policy. It says: Resource",
        ),
        Wrong(
            _POLICY.replace(_CONDITION, "").replace("        },", "        }," + _CONDITION),
            says="`Condition` belongs inside the statement",
        ),
        Wrong(
            "def open_policy(key_arn):\n"
            '    return {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn,\n'
            '            "Condition": {"StringEquals": {"kms:EncryptionContext:app": "lab-gateway"}}}',
            says="This is a statement alone",
        ),
        Wrong(
            _POLICY.replace('"kms:Decrypt"', '["kms:Decrypt", "kms:GenerateDataKey*"]'),
            says="lab-gateway may also make data keys",
        ),
        Wrong(
            _POLICY.replace("StringEquals", "StringLike").replace('"lab-gateway"', '"lab-*"'),
            says="lab-gateway opens what was made for lab-printer",
        ),
        Wrong(
            _POLICY.replace("StringEquals", "StringEqualsIgnoreCase"),
            says="lab-gateway opens what was made for Lab-Gateway",
        ),
        Wrong(
            _POLICY.replace("key_arn,", 'key["Arn"],'),
            says="Resource has to be the ARN",
        ),
        Wrong(
            _POLICY.replace(
                '"kms:EncryptionContext:app": ', '"kms:EncryptionContext": {"app": '
            ).replace('"}},', '"}}},'),
            says="Compare it with `may_open`",
        ),
    ],
    also_right=[
        "def open_policy(key_arn):\n"
        '    only = {"StringEquals": {"kms:EncryptionContext:App": ["lab-gateway"]}}\n'
        '    one = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:DescribeKey"],\n'
        '           "Resource": [key_arn]}\n'
        '    return {"Version": "2012-10-17", "Statement": [{**one, "Condition": only}]}'
    ],
)
def permission(work):
    aws, kms, key_arn = work.value("aws"), work.value("kms"), _new_key()
    written = work.call(work.function("open_policy", returns=dict), key_arn)
    program = aws.session("lab-gateway-on-trial")
    try:
        boto3.client("iam").put_user_policy(
            UserName="lab-gateway-on-trial",
            PolicyName="open",
            PolicyDocument=json.dumps(written),
        )
    except (ClientError, TypeError, ValueError) as error:
        said = error.response["Error"]["Message"] if isinstance(error, ClientError) else error
        work.expect(
            "Effect" not in written,
            "This is a statement alone. A policy has a Version, and the statement as its Statement.",
        )
        if "Condition" in written:
            work.fail(f"`Condition` belongs inside the statement. IAM says: {said}")
        work.expect(
            "Syntax errors" not in str(said),
            f"IAM does not accept this policy: {said} Compare it with `may_open` of the lesson.",
        )
        work.fail(f"IAM does not accept this policy. It says: {said}")

    def sealed(context, key_id=key_arn):
        answer = kms.encrypt(KeyId=key_id, Plaintext=b"token", EncryptionContext=context)
        return {"CiphertextBlob": answer["CiphertextBlob"], "EncryptionContext": context}

    may = _may(program, "decrypt", **sealed(CONTEXT))
    work.expect(
        may or ":alias/" not in json.dumps(written),
        "lab-gateway may not decrypt the token. Resource names an alias: a permission to use a key "
        "names the key.",
    )
    work.expect(
        may,
        "lab-gateway may not decrypt the token. Resource has to be the ARN that `open_policy` is "
        "given, and the condition has to fit the context.",
    )
    work.expect(
        not _may(program, "decrypt", **sealed(CONTEXT, _new_key())),
        "lab-gateway may decrypt with another key, too. Name the one key in Resource.",
    )
    for operation, does, parameters in (
        ("encrypt", "encrypt", {"Plaintext": b"token", "EncryptionContext": CONTEXT}),
        (
            "generate_data_key",
            "make data keys",
            {"KeySpec": "AES_256", "EncryptionContext": CONTEXT},
        ),
        ("disable_key", "disable the key", {}),
    ):
        work.expect(
            not _may(program, operation, KeyId=key_arn, **parameters),
            f"lab-gateway may also {does}. Opening takes kms:Decrypt alone.",
        )
    for other in OTHERS:
        work.expect(
            not _may(program, "decrypt", **sealed(other)),
            f"lab-gateway opens what was made for {other.get('app', 'no program by name')}. A "
            "condition on kms:EncryptionContext:app keeps it to its own, letter by letter.",
        )


def _cli(words):
    """What the AWS CLI prints, in this process: (exit code, stdout, stderr)."""
    # awscli sets this when it is imported; cloud.start() puts AWS's variables out of sight.
    os.environ["AWS_DATA_PATH"] = os.path.join(os.path.dirname(awscli.__file__), "data")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = create_clidriver().main(words)
        except SystemExit as left:  # how argparse ends
            code = left.code
    return code, out.getvalue(), err.getvalue().strip()


def _complaint(err):
    """What the AWS CLI says is wrong, without its usage and its lists of choices."""
    lines = [line for line in err.splitlines() if " | " not in line]
    starts = [
        number
        for number, line in enumerate(lines)
        if line[:1].strip()
        and (": error:" in line or not "".join(lines[number - 1 : number]).strip())
    ]
    return " ".join(" ".join(lines[starts[-1] :]).split())[:300] if starts else err[-300:]


@task(
    "cli",
    minutes=3,
    practises="04.encrypt-through-the-api",
    asks="`decrypt_command(path)`: a command line of the AWS CLI, as text",
    hints=[
        "How did the lesson decrypt from a terminal, and what is new here?",
        "aws kms decrypt wants --ciphertext-blob. fileb:// before the path reads the file's bytes.",
        "aws kms decrypt --ciphertext-blob fileb://PATH --encryption-context app=lab-gateway",
    ],
    why="The CLI, the SDKs and the console are three doors to the same API, with the same permissions "
    "and the same trail.",
    wrong=[
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decrypt --ciphertext-blob fileb://{path}"',
            says="KMS was asked without the context",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decrypt --ciphertext-blob {path} --encryption-context app=lab-gateway"',
            says="The CLI did not read the file",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"kms decrypt --ciphertext-blob fileb://{path}"',
            says="The command line should begin with `aws`",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decrypt --ciphertext-blob fileb://{path}'
            ' --encryption-context app=lab-gateway | base64 --decode"',
            says="Leave out the `|`",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decrypt --blob fileb://{path} --encryption-context app=lab-gateway"',
            says="The CLI does not understand it. It says: Unknown options: --blob",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decript --ciphertext-blob fileb://{path}"',
            says="Invalid choice: 'decript', maybe you meant: * decrypt",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return f"aws kms decrypt --ciphertext-blob fileb://{path} --encryption-context app:x"',
            says="Error parsing parameter '--encryption-context': Expected: '='",
        ),
        Wrong(
            "def decrypt_command(path):\n"
            '    return "aws kms decrypt --ciphertext-blob fileb://{path}'
            ' --encryption-context app=lab-gateway"',
            says="The path of the file is not in the line",
        ),
    ],
    also_right=[
        "def decrypt_command(path):\n"
        '    return f"""aws kms decrypt \\\\\n'
        "      --ciphertext-blob fileb://{path} \\\\\n"
        '      --encryption-context app=lab-gateway --query Plaintext --output text"""',
        "def decrypt_command(path):\n"
        '    return ("aws kms decrypt --output text --query Plaintext --encryption-context "\n'
        '            + repr(\'{"app": "lab-gateway"}\') + f" --ciphertext-blob \'fileb://{path}\'")',
    ],
)
def cli(work):
    kms, key_id, secret = work.value("kms"), work.value("key")["KeyId"], _token()
    blob = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=CONTEXT)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "token.sealed")
        with open(path, "wb") as file:
            file.write(blob["CiphertextBlob"])
        line = work.call(work.function("decrypt_command", returns=str), path)
        with work.or_say("A shell cannot take this line apart"):
            words = shlex.split(line.replace("\\\n", " "))
        work.expect("|" not in words, "Leave out the `|` and what follows: the check decodes.")
        work.expect(words[:1] == ["aws"], "The command line should begin with `aws`.")
        work.expect(
            path in line,
            "The path of the file is not in the line. Python fills in what stands in braces only "
            'where an f stands before the quotation mark: f"... {path} ...".',
        )
        code, out, err = _cli(words[1:])
    said = _complaint(err)
    work.expect(
        "InvalidCiphertextException" not in err or "--encryption-context" in words,
        "KMS was asked without the context to which the token is bound, or with another.",
    )
    work.expect(
        "InvalidCiphertextException" not in err and "Invalid base64" not in err,
        f"The CLI did not read the file: fileb:// before the path does. ({said})",
    )
    work.expect(not code, f"The CLI does not understand it. It says: {said}")
    work.expect(work.holds(out, secret), "The CLI printed something, but not the token.")


_LONG = """def seal_long(kms, key_id, data, context):
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    return {
        "wrapped_key": data_key["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, data, None),
    }"""


@task(
    "long",
    minutes=4,
    practises=["04.size-limit", "04.aws-keeps-the-keys"],
    asks="`seal_long(kms, key_id, data, context)`: a dictionary with `wrapped_key`, `nonce`, `ciphertext`",
    hints=[
        "KMS encrypts 4,096 bytes at most. What can it make for you that encrypts the rest?",
        "GenerateDataKey gives one key in two forms: Plaintext encrypts with AESGCM, CiphertextBlob is kept.",
        'data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context); '
        'then AESGCM(data_key["Plaintext"]).encrypt(nonce, data, None) with nonce = os.urandom(12)',
    ],
    why="Any length, one small request to KMS. The KMS key itself never left; the data key was here "
    "for a moment, and is kept only encrypted.",
    wrong=[
        Wrong(
            "def seal_long(kms, key_id, data, context):\n"
            "    return kms.encrypt(KeyId=key_id, Plaintext=data, EncryptionContext=context)",
            says="Member must have length less than or equal to 4096",
        ),
        Wrong(
            _LONG.replace("data, None)", "data[:4096], None)"),
            says="It does not open to the whole of the data",
        ),
        Wrong(
            _LONG.replace('data_key["CiphertextBlob"]', 'data_key["Plaintext"]'),
            says="KMS does not unwrap the wrapped key",
        ),
        Wrong(
            _LONG.replace(", EncryptionContext=context", ""),
            says="The wrapped key is not bound to the context",
        ),
        Wrong(
            _LONG.replace(
                '        "nonce"', '        "key": data_key["Plaintext"],\n        "nonce"'
            ),
            says="The plain data key lies beside the ciphertext",
        ),
        Wrong(
            _LONG.replace('"wrapped_key"', '"wrapped-key"'),
            says="There is no `wrapped_key` in the dictionary",
        ),
        Wrong(
            _LONG.replace(
                'data_key["CiphertextBlob"]', 'base64.b64encode(data_key["CiphertextBlob"])'
            ).replace('"]),\n', '"]).decode(),\n'),
            says="`wrapped_key` should be bytes, but it is text",
        ),
        Wrong(
            _LONG.replace("data, None)", "data, json.dumps(context).encode())"),
            says="The data key does not open the ciphertext",
        ),
        Wrong(
            _LONG.replace(
                'kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)',
                "_once(kms, key_id, context)",
            )
            + "\n\ndef _once(kms, key_id, context, kept={}):\n"
            "    if not kept:\n"
            '        kept.update(kms.generate_data_key(KeyId=key_id, KeySpec="AES_256",\n'
            "                                          EncryptionContext=context))\n"
            "    return kept",
            says="Two secrets lie under one data key",
        ),
        Wrong(
            _LONG.replace("=key_id", '="alias/lab-gateway"'),
            says="Another key than `key_id` wrapped the data key",
        ),
        Wrong(
            _LONG.replace("=context", '={"app": "lab-gateway"}'),
            says="The wrapped key is bound to another context",
        ),
    ],
    also_right=[
        """def seal_long(kms, key_id, data, context):
    key = AESGCM.generate_key(bit_length=256)
    wrapped = kms.encrypt(KeyId=key_id, Plaintext=key, EncryptionContext=context)["CiphertextBlob"]
    nonce = os.urandom(12)
    return dict(wrapped_key=wrapped, nonce=nonce, ciphertext=AESGCM(key).encrypt(nonce, data, None))"""
    ],
)
def long(work):
    kms, key_arn, data = work.value("kms"), _new_key(), os.urandom(20_000)
    context = {**CONTEXT, "stage": _token()}
    seal_long = work.function("seal_long", returns=dict)

    def sealed_now():
        made = work.call(seal_long, kms, key_arn, data, dict(context))
        for part in ("wrapped_key", "nonce", "ciphertext"):
            work.expect(part in made, f"There is no `{part}` in the dictionary.")
            work.expect(
                isinstance(made[part], bytes),
                f"`{part}` should be bytes, but it is {kind_of(made[part])}.",
            )
        return made

    sealed = sealed_now()
    wrapped = sealed["wrapped_key"]
    work.expect(
        _plaintext(kms, wrapped, {}) is None,
        "The wrapped key is not bound to the context: it opens without.",
    )
    work.expect(
        _plaintext(kms, wrapped, CONTEXT) is None,
        "The wrapped key is bound to another context than the one that `seal_long` is given.",
    )
    data_key = _plaintext(kms, wrapped, context)
    work.expect(
        data_key, "KMS does not unwrap the wrapped key. Keep the encrypted form, not the plain one."
    )
    work.expect(
        _plaintext(kms, wrapped, context, KeyId=key_arn),
        "Another key than `key_id` wrapped the data key.",
    )
    work.expect(
        not work.holds(sealed, data_key),
        "The plain data key lies beside the ciphertext: whoever finds both reads all.",
    )
    try:
        opened = AESGCM(data_key).decrypt(sealed["nonce"], sealed["ciphertext"], None)
    except (InvalidTag, ValueError):
        work.fail(
            "The data key does not open the ciphertext. The nonce has to be the one it was made "
            "with, and the associated data `None`."
        )
    work.expect(opened == data, "It does not open to the whole of the data.")
    work.expect(
        _plaintext(kms, sealed_now()["wrapped_key"], context) != data_key,
        "Two secrets lie under one data key. Each is to have one of its own.",
    )


_STORES = """def put_away(ssm, secretsmanager, key_id, licence, password):
    ssm.put_parameter(
        Name="/lab/licence", Value=licence, Type="SecureString", KeyId=key_id, Overwrite=True)
    try:
        secretsmanager.create_secret(
            Name="lab/password", SecretString=password, KmsKeyId=key_id)
    except secretsmanager.exceptions.ResourceExistsException:
        secretsmanager.put_secret_value(SecretId="lab/password", SecretString=password)"""


@task(
    "stores",
    minutes=5,
    practises=["04.secret-stores", "04.most-likely-kms", "04.no-plaintext-secrets"],
    asks="`put_away(ssm, secretsmanager, key_id, licence, password)`: returns nothing",
    hints=[
        "Which of the two stores changes secrets on a schedule? Which costs nothing for a standard entry?",
        "ssm.put_parameter with Type, KeyId and Overwrite=True; secretsmanager.create_secret with "
        "KmsKeyId. A second create_secret raises ResourceExistsException: then put_secret_value.",
        'ssm.put_parameter(Name="/lab/licence", Value=licence, Type="SecureString", KeyId=key_id, '
        'Overwrite=True), and secretsmanager.create_secret(Name="lab/password", SecretString=password, '
        "KmsKeyId=key_id) in a try",
    ],
    why="Both services asked KMS in your name, so both secrets are ciphertext on the disk, and both "
    "uses are in the trail.",
    wrong=[
        Wrong(
            _STORES.replace('"SecureString", KeyId=key_id', '"String"'),
            says="The licence lies in Parameter Store in plaintext",
        ),
        Wrong(
            _STORES.replace(', Type="SecureString", KeyId=key_id', ', Type="SecureString"'),
            says="The licence lies under the AWS managed key",
        ),
        Wrong(
            _STORES.replace(", KmsKeyId=key_id", ""),
            says="The password lies under the AWS managed key",
        ),
        Wrong(
            _STORES.replace(", Overwrite=True", ""),
            says="It stopped the second time, when both exist already: `put_away` stopped with Par",
        ),
        Wrong(
            _STORES.replace("except secretsmanager.exceptions.ResourceExistsException:", "finally:")
            .replace("put_secret_value(SecretId", "describe_secret(SecretId")
            .replace('"lab/password", SecretString=password)', '"lab/password")'),
            says="stopped with ResourceExistsException",
        ),
        Wrong(
            _STORES.replace("Overwrite=True", 'Overwrite=True, Tier="Advanced"'),
            says="It is in the advanced tier",
        ),
        Wrong(
            _STORES.replace(", KeyId=key_id", ', KeyId="alias/lab-gateway"'),
            says="The licence lies under another key than `key_id`",
        ),
        Wrong(
            "def put_away(ssm, secretsmanager, key_id, licence, password):\n"
            '    for name, value in (("/lab/licence", licence), ("/lab/password", password)):\n'
            '        ssm.put_parameter(Name=name, Value=value, Type="SecureString", KeyId=key_id,\n'
            "                          Overwrite=True)",
            says="There is no secret lab/password in Secrets Manager",
        ),
    ],
    also_right=[
        "def put_away(ssm, secretsmanager, key_id, licence, password):\n"
        '    names = [each["Name"] for each in secretsmanager.list_secrets()["SecretList"]]\n'
        '    if "lab/password" in names:\n'
        '        secretsmanager.update_secret(SecretId="lab/password", SecretString=password,\n'
        "                                     KmsKeyId=key_id)\n"
        "    else:\n"
        '        secretsmanager.create_secret(Name="lab/password", KmsKeyId=key_id,\n'
        "                                     SecretBinary=password.encode())\n"
        '    ssm.put_parameter(Name="/lab/licence", Value=licence, Type="SecureString",\n'
        '                      KeyId=key_id, Overwrite=True, Tier="Intelligent-Tiering")'
    ],
)
def stores(work):
    aws, key_arn = work.value("aws"), _new_key()
    ssm, secretsmanager = boto3.client("ssm"), boto3.client("secretsmanager")
    _empty(ssm, secretsmanager)
    importlib.import_module(
        "aws_encryption_sdk"
    )  # an advanced parameter loads it: not on their time
    put_away = work.function("put_away")
    licence, password = _token(), _token()
    work.call(put_away, ssm, secretsmanager, key_arn, licence, password)
    _found(work, "ssm", "/lab/licence", "There is no parameter /lab/licence in Parameter Store.")
    _found(
        work,
        "secretsmanager",
        "lab/password",
        "There is no secret lab/password in Secrets Manager. It is the store that changes secrets "
        "on a schedule.",
    )
    licence, password = _token(), _token()
    try:
        work.call(put_away, ssm, secretsmanager, key_arn, licence, password)
    except NotThereYet as stopped:
        said = f"It stopped the second time, when both exist already: {stopped.message}"
        work.fail(said, stopped.place)

    found = aws.stored("ssm", "/lab/licence")
    work.expect(
        not work.holds(bytes(found), licence),
        "The licence lies in Parameter Store in plaintext. Which type is encrypted?",
    )
    work.expect(
        found.key_arn == key_arn,
        f"The licence lies under {_which(found.key_arn)}. KeyId says which.",
    )
    (about,) = ssm.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": ["/lab/licence"]}]
    )["Parameters"]
    work.expect(
        about["Tier"] != "Advanced",
        "The licence should cost nothing to keep. It is in the advanced tier, which is paid for.",
    )
    shown = ssm.get_parameter(Name="/lab/licence", WithDecryption=True)["Parameter"]["Value"]
    work.expect(shown == licence, "The parameter is not the licence that was last put away.")

    found = aws.stored("secretsmanager", "lab/password")
    work.expect(
        found.key_arn == key_arn,
        f"The password lies under {_which(found.key_arn)}. KmsKeyId says which.",
    )
    shown = secretsmanager.get_secret_value(SecretId="lab/password")
    work.expect(
        work.holds((shown.get("SecretString"), shown.get("SecretBinary")), password),
        "The secret is not the password that was last put away.",
    )


def _found(work, service, name, otherwise):
    try:
        work.value("aws").stored(service, name)
    except KeyError:
        work.fail(otherwise)


def _which(key_arn):
    """A key that is not the one asked for, in words."""
    key = boto3.client("kms").describe_key(KeyId=key_arn)["KeyMetadata"]
    managed = key["KeyManager"] == "AWS"
    return "the AWS managed key of the service" if managed else "another key than `key_id`"


def _empty(ssm, secretsmanager):
    """Take away what an earlier attempt left."""
    with contextlib.suppress(ClientError):
        ssm.delete_parameter(Name="/lab/licence")
    with contextlib.suppress(ClientError):
        secretsmanager.delete_secret(SecretId="lab/password", ForceDeleteWithoutRecovery=True)


_REPLACE = """def replace_key(kms, alias):
    new_key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=new_key_id)
    return new_key_id"""


@task(
    "alias",
    minutes=2,
    practises="04.aliases",
    asks="`replace_key(kms, alias)`: the id of the new key behind the alias",
    hints=[
        "What has to change: the key, the ciphertexts, or only where the name points?",
        "kms.create_key, then kms.update_alias. The old key stays as it is.",
        'new_key_id = kms.create_key()["KeyMetadata"]["KeyId"]; '
        "kms.update_alias(AliasName=alias, TargetKeyId=new_key_id)",
    ],
    why="All code goes on saying the same name. The old key has to live as long as anything that it "
    "encrypted.",
    wrong=[
        Wrong(
            _REPLACE.replace(
                "    kms.update_alias",
                '    old = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]\n'
                "    kms.schedule_key_deletion(KeyId=old)\n"
                "    kms.update_alias",
            ),
            says="What the old key encrypted no longer opens",
        ),
        Wrong(
            'def replace_key(kms, alias):\n    return kms.create_key()["KeyMetadata"]["KeyId"]',
            says="The alias still points to the old key",
        ),
        Wrong(
            _REPLACE.replace("kms.update_alias", "kms.create_alias"),
            says="AlreadyExistsException",
        ),
    ],
    also_right=[
        "def replace_key(kms, alias):\n"
        "    kms.delete_alias(AliasName=alias)\n"
        '    made = kms.create_key(Description="second")["KeyMetadata"]\n'
        '    kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])\n'
        '    return made["Arn"]'
    ],
)
def alias(work):
    kms, name, old = boto3.client("kms"), "alias/lab-gateway-on-trial", _new_key()
    try:
        kms.create_alias(AliasName=name, TargetKeyId=old)
    except kms.exceptions.AlreadyExistsException:
        kms.update_alias(AliasName=name, TargetKeyId=old)
    before = kms.encrypt(KeyId=name, Plaintext=b"token", EncryptionContext=CONTEXT)
    made = work.call(work.function("replace_key", returns=str), kms, name)
    try:
        behind = kms.describe_key(KeyId=name)["KeyMetadata"]
    except ClientError as error:
        work.fail(f"There is no such alias any more: {error.response['Error']['Message']}")
    work.expect(behind["Arn"] != old, "The alias still points to the old key.")
    work.expect(
        made in (behind["KeyId"], behind["Arn"]), "The alias points to another key than you return."
    )
    work.expect(
        _plaintext(kms, before["CiphertextBlob"], CONTEXT) == b"token",
        "What the old key encrypted no longer opens. Leave the old key as it is.",
    )


_WHO = """def who_decrypted(cloudtrail, key_arn):
    names = set()
    asked = [{"AttributeKey": "ResourceName", "AttributeValue": key_arn}]
    for page in cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=asked):
        for event in page["Events"]:
            record = json.loads(event["CloudTrailEvent"])
            if event["EventName"] == "Decrypt" and "errorCode" not in record:
                names.add(event["Username"])
    return names"""


@task(
    "who",
    minutes=8,
    practises="04.cloudtrail",
    asks="`who_decrypted(cloudtrail, key_arn)`: a set of user names",
    hints=[
        "How does an event say that the call was refused? And does one answer hold all events?",
        'The whole record is text in event["CloudTrailEvent"]: json.loads it, and look for errorCode. '
        'cloudtrail.get_paginator("lookup_events") goes through all pages.',
        'LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key_arn}]; then keep events '
        'whose EventName is "Decrypt" and whose record has no errorCode, and collect event["Username"]',
    ],
    why="This is the question of every incident. Lesson 13 begins with it, at 3 a.m.",
    wrong=[
        Wrong(
            _WHO.replace(' and "errorCode" not in record', ""),
            says="was refused, and is in your set",
        ),
        Wrong(
            _WHO.replace(
                'cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=asked)',
                "[cloudtrail.lookup_events(LookupAttributes=asked)]",
            ),
            says="is missing, whose call lies further back",
        ),
        Wrong(
            _WHO.replace(
                'cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=asked)',
                "[cloudtrail.lookup_events(LookupAttributes=asked, MaxResults=1000)]",
            ),
            says="Member must have value less than or equal to 50",
        ),
        Wrong(
            _WHO.replace('"ResourceName"', '"EventName"').replace(": key_arn}", ': "Decrypt"}'),
            says="decrypted with another key",
        ),
        Wrong(
            _WHO.replace('event["EventName"] == "Decrypt" and ', ""),
            says="only encrypted, and is in your set",
        ),
        Wrong(
            _WHO.replace("names = set()", "names = []").replace("names.add", "names.append"),
            says="should give back a set",
        ),
    ],
    also_right=[
        "def who_decrypted(cloudtrail, key_arn):\n"
        "    found, more = [], {}\n"
        "    while True:\n"
        "        page = cloudtrail.lookup_events(LookupAttributes=[\n"
        '            {"AttributeKey": "EventName", "AttributeValue": "Decrypt"}], **more)\n'
        '        found += page["Events"]\n'
        '        if "NextToken" not in page:\n'
        "            break\n"
        '        more = {"NextToken": page["NextToken"]}\n'
        '    return {e["Username"] for e in found\n'
        '            if key_arn in [r["ResourceName"] for r in e["Resources"]]\n'
        '            and not json.loads(e["CloudTrailEvent"]).get("errorCode")}'
    ],
)
def who(work):
    aws, kms, key_arn, other = work.value("aws"), boto3.client("kms"), _new_key(), _new_key()
    mark = os.urandom(2).hex()
    early, busy, refused, elsewhere, sealer = (
        f"{name}-{mark}" for name in ("early-bird", "busy", "stranger", "neighbour", "sealer")
    )
    blob = kms.encrypt(KeyId=key_arn, Plaintext=b"token")["CiphertextBlob"]
    foreign = kms.encrypt(KeyId=other, Plaintext=b"token")["CiphertextBlob"]
    for name, actions, arn in (
        (early, ["kms:Decrypt"], key_arn),
        (busy, ["kms:Decrypt"], key_arn),
        (sealer, ["kms:Encrypt"], key_arn),
        (elsewhere, ["kms:Decrypt"], other),
    ):
        _allow(aws, name, actions, arn)
    aws.session(early).client("kms").decrypt(CiphertextBlob=blob)
    busy_kms = aws.session(busy).client("kms")
    for _ in range(55):
        busy_kms.decrypt(CiphertextBlob=blob)
    aws.session(sealer).client("kms").encrypt(KeyId=key_arn, Plaintext=b"token")
    aws.session(elsewhere).client("kms").decrypt(CiphertextBlob=foreign)
    with contextlib.suppress(ClientError):
        aws.session(refused).client("kms").decrypt(CiphertextBlob=blob)

    cloudtrail = boto3.client("cloudtrail")
    named = work.call(work.function("who_decrypted", returns=set), cloudtrail, key_arn)
    work.expect(refused not in named, f"{refused} was refused, and is in your set.")
    work.expect(sealer not in named, f"{sealer} only encrypted, and is in your set.")
    work.expect(elsewhere not in named, f"{elsewhere} decrypted with another key.")
    work.expect(busy in named, f"{busy} decrypted, and is missing.")
    work.expect(
        early in named,
        f"{early} is missing, whose call lies further back: one answer holds 50 events at most.",
    )
    work.expect(named == {early, busy}, f"There is more in the set: {work.shown(named)}")


def _allow(aws, name, actions, arn):
    aws.session(name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": arn}
    boto3.client("iam").put_user_policy(
        UserName=name,
        PolicyName="work",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
