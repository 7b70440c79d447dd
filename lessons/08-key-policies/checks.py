"""The tasks of lab 08: what each asks, how it is checked, and what helps."""

import copy
import json
from contextlib import suppress

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

from kmscourse import cloud
from kmscourse.lab import Wrong, task

INSURER = "222222222222"
_CLOUDTRAIL = "cloudtrail.amazonaws.com"


def _policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(actions, principal=None, resource="*", **more):
    who = {"Principal": {"AWS": principal}} if principal else {}
    return {"Effect": "Allow", **who, "Action": actions, "Resource": resource, **more}


def _give(iam, user, *statements):
    """Make a user, with these permissions."""
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    if statements:
        iam.put_user_policy(UserName=user, PolicyName="given", PolicyDocument=_policy(*statements))


def _refusal(call, **parameters):
    """The error of a call that policies refused; None where it passed."""
    try:
        call(**parameters)
    except ClientError as error:
        return error
    return None


def _saved(work, save, **parameters):
    """Save a policy that the learner wrote, and say what AWS says if it does not take it."""
    try:
        return save(**parameters)
    except (ClientError, TypeError, ValueError) as error:
        said = error.response["Error"]["Message"] if isinstance(error, ClientError) else error
        work.fail(f"AWS does not accept this policy. It says: {said}")


def _beyond(client, who, key, blob, policy, needed):
    """The first permission that `client` has on a key and does not need; None where there is none.

    Each is tried, and what does most harm comes last. DescribeKey is not tried: AWS's own examples
    give it along, and it opens nothing.
    """
    put = {"Policy": policy, "BypassPolicyLockoutSafetyCheck": True}
    calls = {
        "GetKeyPolicy": {"KeyId": key},
        "ListGrants": {"KeyId": key},
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "Decrypt": {"KeyId": key, "CiphertextBlob": blob},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "ReEncrypt": {"CiphertextBlob": blob, "SourceKeyId": key, "DestinationKeyId": key},
        "CreateGrant": {"KeyId": key, "GranteePrincipal": who, "Operations": ["Decrypt"]},
        "PutKeyPolicy": {"KeyId": key, **put},
        "TagResource": {"KeyId": key, "Tags": [{"TagKey": "ward", "TagValue": "1"}]},
        "UpdateKeyDescription": {"KeyId": key, "Description": "x"},
        "EnableKeyRotation": {"KeyId": key},
        "DisableKey": {"KeyId": key},
        "ScheduleKeyDeletion": {"KeyId": key},
    }
    for name, parameters in calls.items():
        call = getattr(client, xform_name(name))
        if name not in needed and _refusal(call, **parameters) is None:
            return f"kms:{name}"
    return None


_ENVELOPES = {"kms:generatedatakey", "kms:generatedatakey*", "kms:decrypt", "kms:describekey"}


def _not_needed(statement):
    """The actions of a statement that no service with envelopes needs, told.

    NotAction names all but a few.
    """
    actions = statement.get("Action", "NotAction")
    actions = [actions] if isinstance(actions, str) else actions
    return ", ".join(each for each in actions if each.lower() not in _ENVELOPES)


# ---------------------------------------------------------------- which document


def _messages():
    """Real refusals: the message of each, and the document to change."""
    with cloud.running(seed="which document") as aws:
        iam, kms = boto3.client("iam"), boto3.client("kms")
        root = f"arn:aws:iam::{aws.account_id}:root"
        open_key = kms.create_key()["KeyMetadata"]["Arn"]
        named = kms.create_key(
            Policy=_policy(_allow("kms:*", f"arn:aws:iam::{aws.account_id}:user/learner"))
        )["KeyMetadata"]["Arn"]
        shut = kms.create_key(
            Policy=_policy(
                _allow("kms:*", root),
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "kms:Encrypt",
                    "Resource": "*",
                },
            )
        )["KeyMetadata"]["Arn"]
        _give(iam, "ana", _allow("kms:*"))
        _give(iam, "ben")
        stop = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
        _give(iam, "cleo", _allow("kms:*"), stop)
        _give(iam, "dan", _allow("kms:*"))
        edge = iam.create_policy(PolicyName="edge", PolicyDocument=_policy(_allow("s3:*")))
        iam.put_user_permissions_boundary(UserName="dan", PermissionsBoundary=edge["Policy"]["Arn"])
        abroad = aws.account(INSURER)
        _give(abroad.session("root").client("iam"), "eve", _allow("kms:*"))
        ward, _ = _member(aws, _policy(stop))
        ward_kms = ward.session("root").client("kms")
        ward_key = ward_kms.create_key()["KeyMetadata"]["Arn"]
        cases = [
            (aws.session("ana"), named, "key policy"),
            (aws.session("ben"), open_key, "IAM policy"),
            (aws.session("ana"), shut, "key policy"),
            (aws.session("cleo"), open_key, "IAM policy"),
            (aws.session("dan"), open_key, "permissions boundary"),
            (abroad.session("eve"), open_key, "key policy"),
            (ward.session("root"), ward_key, "SCP"),
        ]
        found = []
        for session, key, document in cases:
            error = _refusal(session.client("kms").encrypt, KeyId=key, Plaintext=b"x")
            found.append((error.response["Error"]["Message"], document))
        return found


def _member(aws, scp):
    """A member account under a service control policy, and the id of that policy."""
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    made = organizations.create_account(AccountName="pharmacy", Email="p@clinic.example")
    member = made["CreateAccountStatus"]["AccountId"]
    policy = organizations.create_policy(
        Name="organization", Description="", Type="SERVICE_CONTROL_POLICY", Content=scp
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=member)
    return aws.account(member), policy


_WHICH = """def document_to_change(message):
    kinds = {{{}}}
    return next((name for words, name in kinds.items() if words in message), "{}")"""


@task(
    "which",
    practises="08.which-document",
    minutes=5,
    asks='`document_to_change(message)`: "SCP", "key policy", "IAM policy" or "permissions boundary"',
    hints=[
        "Which words of the message name the kind of policy that said no?",
        "identity-based is an IAM policy, resource-based is the key policy. An explicit deny is told as "
        '"with an explicit deny in a service control policy".',
        'Look for "service control policy", "permissions boundary", "identity-based polic" and '
        '"resource-based polic" in the message, and return the name that belongs to the one you find.',
    ],
    why="The error message was enough. It tells the kind of policy, whether something is missing in it or "
    "denied by it.",
    wrong=[
        Wrong(
            _WHICH.format(
                '"no service control policy": "SCP", "no permissions boundary": "permissions boundary", '
                '"no identity-based": "IAM policy", "no resource-based": "key policy"',
                "unknown",
            ),
            says="A refusal by an explicit deny is not understood",
        ),
        Wrong(
            "def document_to_change(message):\n"
            "    if 'no resource-based policy' in message:\n        return 'key policy'\n"
            "    if 'no identity-based policy' in message:\n        return 'IAM policy'",
            says="none of your words is in it",
        ),
        Wrong(
            "def document_to_change(message):\n    return 'IAM policy'",
            says="It was the key policy, and your function says",
        ),
        Wrong(
            _WHICH.format(
                '"service control policy": "SCP", "identity-based policy": "IAM policy", '
                '"permissions boundary": "permissions boundary", "resource-based policy allows": "key policy",'
                '"deny in a resource-based policy": "key policy"',
                "IAM policy",
            ),
            says="An outsider's refusal is worded differently",
        ),
    ],
    also_right=[
        "import re\n\n\ndef document_to_change(message):\n"
        "    kind = re.search(r'(service control|boundary|identity|resource-based)', message)[1]\n"
        "    return {'service control': 'SCP', 'boundary': 'permissions boundary',\n"
        "            'identity': 'IAM policy', 'resource-based': 'key policy'}[kind]"
    ],
)
def which(work):
    document_to_change = work.function("document_to_change")
    for message, document in _messages():
        answer = document_to_change(message)
        if answer == document:
            continue
        shown = f'The message: "{message}"'
        work.expect(
            answer is not None,
            "Your function returned nothing for one of the messages: none of your words is in it, or "
            f"it prints where it should `return`. {shown}",
        )
        if "does not exist in this Region" in message:
            work.fail(
                "An outsider's refusal is worded differently: KMS does not even say whether the key "
                f"exists. Here it is about the {document}, and you answer {answer!r}. {shown}"
            )
        if "explicit deny" in message:
            work.fail(
                f"A refusal by an explicit deny is not understood: it was the {document}, and your "
                f"function says {answer!r}. {shown}"
            )
        work.fail(f"It was the {document}, and your function says {answer!r}. {shown}")


# ---------------------------------------------------------------- the key leaves it to IAM

_LET = """def let_decrypt(iam, key_arn):
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn}
    iam.put_user_policy(UserName="pharmacist", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [statement]}))"""


@task(
    "let",
    practises=["08.default-policy", "08.root-lets-iam-decide"],
    minutes=5,
    asks="`let_decrypt(iam, key_arn)`: the user pharmacist may decrypt with this key alone",
    hints=[
        "The default key policy leaves it to IAM. So in which document does the Allow belong?",
        "An IAM policy of the user, with put_user_policy. It needs no Principal. What stands for Resource, if it is "
        "one key only?",
        '{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn}, in a document with a '
        'Version, as JSON, for UserName="pharmacist"',
    ],
    why="The key policy was not touched: its one statement for the account leaves the choice to IAM. There the ARN in "
    "Resource keeps the other keys shut. (A grant would be the other way.)",
    wrong=[
        Wrong(
            _LET.replace('"Resource": key_arn', '"Resource": "*"'),
            says="pharmacist can decrypt with another key as well",
        ),
        Wrong(
            _LET.replace('"kms:Decrypt"', '"kms:*"'),
            says="pharmacist can do more than decrypt: kms:GetKeyPolicy passes",
        ),
        *(
            Wrong(
                _LET.replace('"kms:Decrypt"', f'["kms:Decrypt", "kms:{more}"]'),
                says=f"pharmacist can do more than decrypt: kms:{more.rstrip('*')} passes",
            )
            for more in (
                "PutKeyPolicy",
                "CreateGrant",
                "GenerateDataKey",
                "ReEncrypt*",
                "DisableKey",
            )
        ),
        Wrong(
            "def let_decrypt(iam, key_arn):\n"
            "    kms = boto3.client('kms')\n"
            "    policy = json.loads(kms.get_key_policy(KeyId=key_arn)['Policy'])\n"
            "    who = f'arn:aws:iam::{aws.account_id}:user/pharmacist'\n"
            "    policy['Statement'].append({'Effect': 'Allow', 'Principal': {'AWS': who},\n"
            "                                'Action': 'kms:Decrypt', 'Resource': '*'})\n"
            "    kms.put_key_policy(KeyId=key_arn, Policy=json.dumps(policy))",
            says="The key policy was changed",
        ),
        Wrong(
            _LET.replace("kms:Decrypt", "kms:Encrypt"),
            says="pharmacist may not decrypt yet",
        ),
        Wrong(
            _LET.replace('{"Effect"', '{"Principal": {"AWS": "pharmacist"}, "Effect"'),
            says="Policy document should not specify a principal",
        ),
    ],
    also_right=[
        "def let_decrypt(iam, key_arn):\n"
        "    made = iam.create_policy(PolicyName='decrypt', PolicyDocument=json.dumps(\n"
        "        {'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': ['kms:Decrypt'],\n"
        "                                                'Resource': [key_arn]}}))\n"
        "    iam.attach_user_policy(UserName='pharmacist', PolicyArn=made['Policy']['Arn'])",
        "def let_decrypt(iam, key_arn):\n"
        "    iam.create_group(GroupName='pharmacists')\n"
        "    iam.put_group_policy(GroupName='pharmacists', PolicyName='p', PolicyDocument=policy(\n"
        "        {'Effect': 'Allow', 'Action': 'kms:Decrypt', 'Resource': key_arn}))\n"
        "    iam.add_user_to_group(GroupName='pharmacists', UserName='pharmacist')",
        "def let_decrypt(iam, key_arn):\n"
        "    who = f'arn:aws:iam::{aws.account_id}:user/pharmacist'\n"
        "    boto3.client('kms').create_grant(\n"
        "        KeyId=key_arn, GranteePrincipal=who, Operations=['Decrypt'])",
    ],
)
def let(work):
    aws, kms, iam = work.value("aws"), boto3.client("kms"), boto3.client("iam")
    _fresh(iam, "pharmacist")
    key, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    before = kms.get_key_policy(KeyId=key)["Policy"]
    work.call(work.function("let_decrypt"), iam, key)
    work.expect(
        kms.get_key_policy(KeyId=key)["Policy"] == before,
        "The key policy was changed. It leaves the choice to IAM already: which document is left?",
    )
    pharmacist = aws.session("pharmacist").client("kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    error = _refusal(pharmacist.decrypt, CiphertextBlob=blob)
    if error is not None:
        work.fail(f"pharmacist may not decrypt yet. {aws.explain(error).because}")
    blob = kms.encrypt(KeyId=other, Plaintext=b"x")["CiphertextBlob"]
    work.expect(
        _refusal(pharmacist.decrypt, CiphertextBlob=blob),
        "pharmacist can decrypt with another key as well. What does Resource say?",
    )
    who = f"arn:aws:iam::{aws.account_id}:user/pharmacist"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    more = _beyond(pharmacist, who, key, blob, before, ("Decrypt",))
    work.expect(
        more is None, f"pharmacist can do more than decrypt: {more} passes. What does Action say?"
    )


def _fresh(iam, user):
    """A user as before the first attempt: no policy, no group, and the names free again."""
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    for name in iam.list_user_policies(UserName=user)["PolicyNames"]:
        iam.delete_user_policy(UserName=user, PolicyName=name)
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    for each in attached:
        iam.detach_user_policy(UserName=user, PolicyArn=each["PolicyArn"])
    for group in (each["GroupName"] for each in iam.list_groups_for_user(UserName=user)["Groups"]):
        iam.remove_user_from_group(GroupName=group, UserName=user)
        for name in iam.list_group_policies(GroupName=group)["PolicyNames"]:
            iam.delete_group_policy(GroupName=group, PolicyName=name)
        given = iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"]
        for each in given:
            iam.detach_group_policy(GroupName=group, PolicyArn=each["PolicyArn"])
        attached += given
        iam.delete_group(GroupName=group)
    for arn in {each["PolicyArn"] for each in attached}:
        with suppress(ClientError):  # AWS's own, or attached to somebody else as well
            iam.delete_policy(PolicyArn=arn)


# ---------------------------------------------------------------- a grant

_LEND = """def lend(kms, key_id, grantee, patient):
    return kms.create_grant(
        KeyId=key_id, GranteePrincipal=grantee, Operations=["Decrypt", "RetireGrant"],
        Constraints={"EncryptionContextSubset": {"patient": patient}})["GrantId"]"""


@task(
    "lend",
    practises="08.grants",
    minutes=4,
    asks="`lend(kms, key_id, grantee, patient)`: the id of a grant",
    hints=[
        "What gives one principal some operations on one key, without a change of any policy?",
        "create_grant, with Constraints. Of its two constraints, which one allows further pairs? And who may "
        "retire a grant?",
        'Operations=["Decrypt", "RetireGrant"], Constraints={"EncryptionContextSubset": {"patient": '
        "patient}}; return what is called GrantId in the answer",
    ],
    why="No policy was written. The grant is for one phone and one patient, and it ends when the phone gives it "
    "back, or when you revoke it. By itself it never ends.",
    wrong=[
        Wrong(
            _LEND.replace(
                ',\n        Constraints={"EncryptionContextSubset": {"patient": patient}}', ""
            ),
            says="The phone can decrypt for another patient",
        ),
        Wrong(
            _LEND.replace("Subset", "Equals"),
            says="A ciphertext with a further pair in its context does not open",
        ),
        Wrong(
            _LEND.replace(', "RetireGrant"', ""),
            says="The phone cannot give the permission back",
        ),
        Wrong(
            _LEND.replace('"Decrypt", ', '"Decrypt", "Encrypt", '),
            says="The grant lists Encrypt as well",
        ),
        Wrong(
            _LEND.replace('"Decrypt", ', '"Decrypt", "CreateGrant", "ReEncryptFrom", '),
            says="The grant lists CreateGrant, ReEncryptFrom as well",
        ),
        Wrong(
            _LEND.replace('"patient": patient', '"patient": "4711"'),
            says="its constraint must want the patient that `lend` was given",
        ),
        Wrong(
            _LEND.replace(
                '["Decrypt", "RetireGrant"],', '["Decrypt"], RetiringPrincipal=grantee,'
            ).replace("GrantId", "GrantToken"),
            says="That is not the id of the grant",
        ),
        Wrong(
            _LEND.replace('["GrantId"]', ""),
            says="Return the id of the grant",
        ),
    ],
    also_right=[
        _LEND.replace(
            'Operations=["Decrypt", "RetireGrant"],',
            'Operations=["Decrypt"], RetiringPrincipal=grantee, Name=f"courier-{patient}",',
        )
    ],
)
def lend(work):
    aws, kms = work.value("aws"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    grantee = f"arn:aws:iam::{aws.account_id}:user/courier-phone"
    phone = aws.session("courier-phone").client("kms")
    # Not a patient of the notebook: a line copied from there with its number would pass.
    grant = work.call(work.function("lend"), kms, key, grantee, "1907")
    work.expect(isinstance(grant, str), "Return the id of the grant: GrantId in the answer.")
    made = {each["GrantId"]: each["Operations"] for each in kms.list_grants(KeyId=key)["Grants"]}
    work.expect(made, "There is no grant on the key.")
    work.expect(grant in made, "That is not the id of the grant: it is GrantId in the answer.")

    def opens(**context):
        blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        return _refusal(phone.decrypt, CiphertextBlob=blob, EncryptionContext=context) is None

    work.expect(
        opens(patient="1907"),
        "The phone cannot decrypt what has only the patient in its context. The grant must list Decrypt, and its "
        "constraint must want the patient that `lend` was given.",
    )
    work.expect(
        opens(patient="1907", note="allergies"),
        "A ciphertext with a further pair in its context does not open. There are two constraints: "
        "one wants exactly these pairs, one wants at least these.",
    )
    work.expect(not opens(patient="1908"), "The phone can decrypt for another patient.")
    work.expect(
        not opens(note="allergies"), "The phone can decrypt what was not made for a patient at all."
    )
    needed = {"Decrypt", "RetireGrant", "DescribeKey"}
    more = ", ".join(
        sorted(each for listed in made.values() for each in listed if each not in needed)
    )
    work.expect(not more, f"The grant lists {more} as well. Which operations does the phone need?")
    work.expect(
        _refusal(phone.retire_grant, KeyId=key, GrantId=grant) is None,
        "The phone cannot give the permission back: it must be allowed to retire the grant.",
    )
    work.expect(not opens(patient="1907"), "The grant is retired, and the phone still decrypts.")


# ---------------------------------------------------------------- two accounts

_SHARE = """def share(kms, key_arn, insurer_iam):
    policy = json.loads(kms.get_key_policy(KeyId=key_arn)["Policy"])
    policy["Statement"].append({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
                                "Principal": {"AWS": "arn:aws:iam::222222222222:user/claims-app"}})
    kms.put_key_policy(KeyId=key_arn, Policy=json.dumps(policy))
    half = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key_arn}
    insurer_iam.put_user_policy(UserName="claims-app", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [half]}))"""


@task(
    "share",
    practises="08.cross-account",
    minutes=7,
    asks="`share(kms, key_arn, insurer_iam)`: the insurer's claims-app may encrypt",
    hints=[
        "Across accounts both sides must allow. Which document is on which side?",
        "Read the key policy with get_key_policy (it is JSON: json.loads), append a statement, and put it back. Then an IAM policy for "
        "claims-app, with insurer_iam, whose Resource is the key's ARN.",
        'Key policy: Principal {"AWS": "arn:aws:iam::222222222222:user/claims-app"}, Action kms:Encrypt. IAM '
        "policy: Action kms:Encrypt, Resource key_arn. Two calls: put_key_policy, put_user_policy.",
    ],
    why="Each account keeps its say: either of the two can end it alone.",
    wrong=[
        Wrong(
            _SHARE[: _SHARE.index("    half")],
            says="claims-app may not encrypt",
        ),
        Wrong(
            _SHARE.replace('policy["Statement"].append(', 'policy["Statement"] = [').replace(
                'claims-app"}})\n    kms',
                'claims-app"}}, {"Effect": "Allow", "Principal": {"AWS": '
                'f"arn:aws:iam::{aws.account_id}:root"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}]\n    kms',
            ),
            says="What the key policy allowed before no longer works",
        ),
        Wrong(
            _SHARE.replace("222222222222:user/claims-app", "222222222222:root")
            .replace(
                '"Action": "kms:Encrypt", "Resource": "*"', '"Action": "kms:*", "Resource": "*"'
            )
            .replace(
                '"Action": "kms:Encrypt", "Resource": key_arn',
                '"Action": "kms:*", "Resource": key_arn',
            ),
            says="claims-app can do more than encrypt: kms:ListGrants passes",
        ),
        Wrong(
            _SHARE.replace('"kms:Encrypt"', '["kms:Encrypt", "kms:GenerateDataKey"]'),
            says="claims-app can do more than encrypt: kms:GenerateDataKey passes",
        ),
        Wrong(
            _SHARE.replace("222222222222:user/claims-app", "222222222222:root").replace(
                '"Action": "kms:Encrypt", "Resource": "*"', '"Action": "kms:*", "Resource": "*"'
            ),
            says="The insurer's administrator has kms:ListGrants",
        ),
        Wrong(
            _SHARE.replace('{"AWS": "arn:aws:iam::222222222222:user/claims-app"}', '"*"'),
            says="Somebody of a third account can encrypt",
        ),
        Wrong(
            "def share(kms, key_arn, insurer_iam):\n"
            "    who = 'arn:aws:iam::222222222222:user/claims-app'\n"
            "    kms.create_grant(KeyId=key_arn, GranteePrincipal=who, Operations=['Encrypt'])",
            says="took the insurer's policies away, and claims-app still encrypts",
        ),
    ],
    also_right=[
        _SHARE.replace("222222222222:user/claims-app", "222222222222:root").replace(
            '"kms:Encrypt", "Resource": key_arn', '["kms:Encrypt"], "Resource": [key_arn]'
        ),
        _SHARE.replace(
            '{"AWS": "arn:aws:iam::222222222222:user/claims-app"}',
            '"*", "Condition": {"StringEquals": {"kms:CallerAccount": "222222222222"}}',
        ),
    ],
)
def share(work):
    aws, kms = work.value("aws"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    insurer, third = aws.account(INSURER), aws.account("444444444444")
    insurer_iam = insurer.session("root").client("iam")
    _fresh(insurer_iam, "claims-app")
    _give(third.session("root").client("iam"), "nosy", _allow("kms:*"))
    work.call(work.function("share"), kms, key, insurer_iam)
    claims = insurer.session("claims-app").client("kms")
    error = _refusal(claims.encrypt, KeyId=key, Plaintext=b"x")
    if error is not None:
        work.fail(f"claims-app may not encrypt. {aws.explain(error).because}")
    error = _refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
    if error is not None:
        work.fail(
            "What the key policy allowed before no longer works: read it first and add to it. "
            f"{aws.explain(error).because}"
        )
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    written = kms.get_key_policy(KeyId=key)["Policy"]
    who = f"arn:aws:iam::{INSURER}:user/claims-app"
    more = _beyond(claims, who, key, blob, written, ("Encrypt",))
    work.expect(more is None, f"claims-app can do more than encrypt: {more} passes as well.")
    insurer_kms = insurer.session("root").client("kms")
    more = _beyond(insurer_kms, who, key, blob, written, ("Encrypt",))
    work.expect(
        more is None,
        f"The insurer's administrator has {more}: the key policy gives their account more than kms:Encrypt.",
    )
    work.expect(
        _refusal(third.session("nosy").client("kms").encrypt, KeyId=key, Plaintext=b"x"),
        "Somebody of a third account can encrypt. Whom does the principal of your statement mean?",
    )
    own = insurer_kms.create_key()["KeyMetadata"]["Arn"]
    work.expect(
        _refusal(claims.encrypt, KeyId=own, Plaintext=b"x"),
        "claims-app can use another key as well: name the key's ARN as Resource in the IAM policy.",
    )
    _fresh(insurer_iam, "claims-app")
    work.expect(
        _refusal(claims.encrypt, KeyId=key, Plaintext=b"x"),
        "The check took the insurer's policies away, and claims-app still encrypts. Let the pharmacy's half be a "
        "statement of the key policy.",
    )


# ---------------------------------------------------------------- only through S3

_S3 = """def only_through_s3(account_id):
    return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_id}:user/pharmacy-app"},
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}}"""


@task(
    "only_s3",
    title="Only S3",
    practises="08.conditions",
    minutes=4,
    asks="`only_through_s3(account_id)`: a statement of a key policy, as a dictionary",
    hints=[
        "Which condition key says that a service passed the call on?",
        "kms:ViaService. Its value names the service and the Region, in the form of an endpoint.",
        '"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, with Effect, '
        "Principal, the two actions and Resource",
    ],
    why="Whoever steals the application's access key cannot decrypt with KMS. They would have to go through S3, "
    "where the bucket policy and the access log stand.",
    wrong=[
        Wrong(
            _S3[: _S3.index(',\n            "Condition"')] + "}",
            says="A call straight to KMS passes",
        ),
        Wrong(
            _S3.replace(
                '{"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}',
                '{"Bool": {"aws:ViaAWSService": "true"}}',
            ),
            says="A call through another service passes",
        ),
        Wrong(
            _S3.replace("s3.us-east-1.amazonaws.com", "s3.amazonaws.com"),
            says='wants kms:ViaService to equal "s3.amazonaws.com"',
        ),
        Wrong(
            _S3.replace('"kms:GenerateDataKey", ', ""),
            says="it is about kms:Decrypt, not kms:GenerateDataKey",
        ),
        Wrong(
            _S3.replace('{"AWS": f"arn:aws:iam::{account_id}:user/pharmacy-app"}', '"*"'),
            says="Another user can read it through S3",
        ),
        Wrong(
            _S3.replace(
                '{"AWS": f"arn:aws:iam::{account_id}:user/pharmacy-app"}',
                '{"Service": "s3.amazonaws.com"}',
            ),
            says="for KMS the caller is pharmacy-app, not S3",
        ),
        Wrong(
            _S3.replace('["kms:GenerateDataKey", "kms:Decrypt"]', '"kms:*"'),
            says="The statement allows more than S3 needs: kms:*",
        ),
        Wrong(
            _S3.replace('"kms:Decrypt"]', '"kms:Decrypt", "kms:ReEncrypt*", "kms:CreateGrant"]'),
            says="The statement allows more than S3 needs: kms:ReEncrypt*, kms:CreateGrant",
        ),
    ],
    also_right=[
        _S3.replace('{"AWS": f"arn:aws:iam::{account_id}:user/pharmacy-app"}', '"*"').replace(
            '"kms:ViaService"',
            '"aws:PrincipalArn": f"arn:aws:iam::{account_id}:user/pharmacy-app", "kms:ViaService"',
        ),
        _S3.replace("kms:GenerateDataKey", "kms:GenerateDataKey*").replace(
            '{"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}',
            '{"StringLike": {"kms:ViaService": ["s3.us-east-1.*"]},'
            ' "StringEquals": {"kms:CallerAccount": account_id}}',
        ),
    ],
)
def only_s3(work):
    aws, kms, iam = work.value("aws"), boto3.client("kms"), boto3.client("iam")
    for user in ("pharmacy-app", "nosy-app"):
        _give(iam, user, _allow(["s3:*", "ssm:*"]))
    written = work.call(work.function("only_through_s3"), aws.account_id)
    work.expect(isinstance(written, dict), "Return one statement, as a dictionary.")
    manage = ["kms:PutKeyPolicy", "kms:DescribeKey", "kms:GetKeyPolicy"]
    policy = _policy(_allow(manage, f"arn:aws:iam::{aws.account_id}:root"), written)
    key = _saved(work, kms.create_key, Policy=policy)["KeyMetadata"]["Arn"]
    boto3.client("s3").create_bucket(Bucket="prescriptions")
    app, nosy = aws.session("pharmacy-app"), aws.session("nosy-app")
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    place = {"Bucket": "prescriptions", "Key": key[-12:]}
    error = _refusal(app.client("s3").put_object, **place, Body=b"x", **sealed)
    if error is not None:
        work.expect(
            "Service" not in str(written.get("Principal")),
            "An upload with SSE-KMS is refused. S3 passes the call on in the caller's name: for KMS the caller is "
            "pharmacy-app, not S3.",
        )
        work.fail(f"An upload with SSE-KMS is refused. {aws.explain(error).because}")
    error = _refusal(app.client("s3").get_object, **place)
    if error is not None:
        work.fail(f"A download is refused. {aws.explain(error).because}")
    work.expect(
        _refusal(app.client("kms").generate_data_key, KeyId=key, KeySpec="AES_256"),
        "A call straight to KMS passes. The statement needs a Condition.",
    )
    work.expect(
        _refusal(
            app.client("ssm").put_parameter,
            Name=f"/{key[-12:]}",
            Value="x",
            Type="SecureString",
            KeyId=key,
            Tier="Advanced",
        ),
        "A call through another service passes: Systems Manager could use the key for a parameter.",
    )
    work.expect(
        _refusal(nosy.client("s3").get_object, **place),
        "Another user can read it through S3. Whom does the principal mean?",
    )
    more = _not_needed(written)
    work.expect(not more, f"The statement allows more than S3 needs: {more}.")


# ---------------------------------------------------------------- the confused deputy

_DEPUTY = """def for_our_trails(account_id):
    return {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "kms:GenerateDataKey*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account_id}}}"""


@task(
    "deputy",
    practises="08.confused-deputy",
    minutes=3,
    asks="`for_our_trails(account_id)`: a statement of a key policy, as a dictionary",
    hints=[
        "CloudTrail comes for everyone who has a trail. How does the key learn for whom it comes this time?",
        'Principal is {"Service": "cloudtrail.amazonaws.com"}. The condition asks aws:SourceAccount, or '
        "aws:SourceArn.",
        '"Condition": {"StringEquals": {"aws:SourceAccount": account_id}}',
    ],
    why="A service principal is the same for all customers of AWS. The condition tells yours from theirs.",
    wrong=[
        Wrong(
            _DEPUTY[: _DEPUTY.index(',\n            "Condition"')] + "}",
            says="The log files of a foreign account were sealed with this key",
        ),
        Wrong(
            _DEPUTY.replace("aws:SourceAccount", "aws:PrincipalAccount"),
            says="StringEquals wants aws:PrincipalAccount to equal",
        ),
        Wrong(
            _DEPUTY.replace(
                '{"Service": "cloudtrail.amazonaws.com"}',
                '{"AWS": f"arn:aws:iam::{account_id}:root"}',
            ),
            says="its principal is a service's",
        ),
        Wrong(
            _DEPUTY.replace('"kms:GenerateDataKey*"', '"kms:*"'),
            says="CloudTrail may do more than it needs with this key: kms:*",
        ),
        Wrong(
            _DEPUTY.replace(
                '"cloudtrail.amazonaws.com"', '["cloudtrail.amazonaws.com", "logs.amazonaws.com"]'
            ),
            says="The statement lets in others, too",
        ),
        Wrong(
            _DEPUTY.replace(
                '{"aws:SourceAccount": account_id}',
                '{"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{account_id}:trail/*"}',
            ),
            says="StringEquals wants aws:SourceArn to equal",
        ),
    ],
    also_right=[
        _DEPUTY.replace(
            '{"StringEquals": {"aws:SourceAccount": account_id}}',
            '{"ArnLike": {"aws:SourceArn": f"arn:aws:cloudtrail:*:{account_id}:trail/*"}}',
        ),
        _DEPUTY.replace(
            '{"StringEquals": {"aws:SourceAccount": account_id}}',
            '{"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn":'
            ' f"arn:aws:cloudtrail:*:{account_id}:trail/*"}}',
        ),
    ],
)
def deputy(work):
    with cloud.running(seed="whose log files") as aws:
        kms, s3 = boto3.client("kms"), boto3.client("s3")
        written = work.call(work.function("for_our_trails"), aws.account_id)
        work.expect(isinstance(written, dict), "Return one statement, as a dictionary.")
        owner = _allow("kms:*", f"arn:aws:iam::{aws.account_id}:root")
        key = _saved(work, kms.create_key, Policy=_policy(owner, written))["KeyMetadata"]["Arn"]
        who = written.get("Principal")
        work.expect(
            isinstance(who, dict) and "Service" in who,
            "CloudTrail does not act as a user of the account: its principal is a service's.",
        )
        s3.create_bucket(Bucket="audit-files")
        let_in = {
            "Effect": "Allow",
            "Principal": {"Service": _CLOUDTRAIL},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::audit-files/*",
        }
        s3.put_bucket_policy(Bucket="audit-files", Policy=_policy(let_in))
        foreign = aws.account("333333333333")
        for session in (aws.session("learner"), foreign.session("root")):
            cloudtrail = session.client("cloudtrail")
            cloudtrail.create_trail(Name="audit", S3BucketName="audit-files", KmsKeyId=key)
            cloudtrail.start_logging(Name="audit")
        aws.clock.advance(minutes=10)
        files = [
            each["Key"] for each in s3.list_objects_v2(Bucket="audit-files").get("Contents", [])
        ]
        if not any(aws.account_id in name for name in files):
            refused = next(
                each
                for each in aws.trail.events("GenerateDataKey", resource=key)
                if each.get("errorCode")
            )
            work.fail(
                "CloudTrail cannot seal the pharmacy's own log files with this key. "
                f"{aws.explain(refused).because}"
            )
        work.expect(
            not any("333333333333" in name for name in files),
            "The log files of a foreign account were sealed with this key. For whom may CloudTrail act?",
        )
        work.expect(
            list(who) == ["Service"] and who["Service"] in (_CLOUDTRAIL, [_CLOUDTRAIL]),
            f"The statement lets in others, too. Its principal should be {_CLOUDTRAIL} alone.",
        )
        # Decrypt: AWS asks for it where the bucket has a Bucket Key.
        more = _not_needed(written)
        work.expect(not more, f"CloudTrail may do more than it needs with this key: {more}.")


# ---------------------------------------------------------------- six documents

_DOCUMENTS = (
    "key policy",
    "SCP",
    "pharmacist",
    "boundary of pharmacist",
    "robot",
    "claims-app",
)


class _Pharmacy:
    """The pharmacy's account and the insurer's, with the six documents in their places."""

    def __init__(self, aws, work, repair, hurried):
        self.aws, self.work = aws, work
        self.insurer = aws.account(INSURER)
        self.home, scp = _member(aws, _policy(_allow("*")))
        admin = self.home.session("root")
        self.iam, self.kms = admin.client("iam"), admin.client("kms")
        abroad = self.insurer.session("root").client("iam")
        here = f"arn:aws:iam::{self.home.id}"
        for user in ("robot", "key-keeper"):
            _give(self.iam, user)
        _give(self.iam, "it-admin", _allow("*"))
        _give(abroad, "claims-app")
        _give(abroad, "claims-intern", _allow("kms:*"))
        trust = _policy(
            {"Effect": "Allow", "Principal": {"AWS": f"{here}:root"}, "Action": "sts:AssumeRole"}
        )
        self.iam.create_role(RoleName="pharmacist", AssumeRolePolicyDocument=trust)
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.key, self.other = key, self.kms.create_key()["KeyMetadata"]["Arn"]
        self.abroad = self.insurer.session("root").client("kms").create_key()["KeyMetadata"]["Arn"]
        self.blob = self.kms.encrypt(KeyId=key, Plaintext=b"4711: insulin")["CiphertextBlob"]
        west = self.home.session("root", region="us-west-2").client("kms")
        self.west = west.create_key()["KeyMetadata"]["Arn"]
        documents = copy.deepcopy(hurried(key, self.home.id, INSURER))
        written = work.call(repair, documents, key, self.home.id, INSURER)
        work.expect(
            isinstance(written, dict) and set(written) == set(_DOCUMENTS),
            "Return the six documents in a dictionary, under the names that they had.",
        )
        texts = {name: _policy(*self._statements(name, written)) for name in _DOCUMENTS}
        self.key_policy = texts["key policy"]
        self._save(texts, scp, abroad)

    def _statements(self, name, written):
        statements = written[name]
        self.work.expect(
            isinstance(statements, list) and all(isinstance(each, dict) for each in statements),
            f"The document {name!r} should be a list of statements.",
        )
        return statements

    def _save(self, texts, scp, abroad):
        def save(name, call, **parameters):
            if '"Statement": []' not in texts[name]:
                _saved(self.work, call, **parameters)

        edge = "boundary of pharmacist"
        made = _saved(
            self.work, self.iam.create_policy, PolicyName="edge", PolicyDocument=texts[edge]
        )
        self.iam.put_role_permissions_boundary(
            RoleName="pharmacist", PermissionsBoundary=made["Policy"]["Arn"]
        )
        named = {"PolicyName": "given"}
        save(
            "pharmacist",
            self.iam.put_role_policy,
            RoleName="pharmacist",
            PolicyDocument=texts["pharmacist"],
            **named,
        )
        for user, iam in (("robot", self.iam), ("claims-app", abroad)):
            save(user, iam.put_user_policy, UserName=user, PolicyDocument=texts[user], **named)
        _saved(
            self.work,
            self.kms.put_key_policy,
            KeyId=self.key,
            Policy=texts["key policy"],
            BypassPolicyLockoutSafetyCheck=True,
        )
        organizations = boto3.client("organizations")
        if '"Statement": []' not in texts["SCP"]:
            # FullAWSAccess stays attached beside it, as it does on AWS.
            _saved(self.work, organizations.update_policy, PolicyId=scp, Content=texts["SCP"])

    def client(self, who, region="us-east-1"):
        account = self.insurer if who.startswith("claims") else self.home
        return account.session(who, region=region).client("kms")

    def call(self, who, operation, region="us-east-1", **parameters):
        return _refusal(getattr(self.client(who, region), operation), **parameters)

    def beyond(self, who, needed):
        grantee = f"arn:aws:iam::{self.home.id}:root"
        return _beyond(self.client(who), grantee, self.key, self.blob, self.key_policy, needed)

    def deletes(self):
        """Whether key-keeper can delete the key, by writing the permission into its policy."""
        keeper = f"arn:aws:iam::{self.home.id}:user/key-keeper"
        self.call(
            "key-keeper", "put_key_policy", KeyId=self.key, Policy=_policy(_allow("kms:*", keeper))
        )
        return self.call("key-keeper", "schedule_key_deletion", KeyId=self.key) is None

    def unbounded(self):
        """Whether pharmacist could make a key, if an IAM policy allowed everything."""
        self.iam.put_role_policy(
            RoleName="pharmacist", PolicyName="everything", PolicyDocument=_policy(_allow("*"))
        )
        return self.call("pharmacist", "create_key") is None


def _must(pharmacy):
    """What has to pass: who, operation, parameters."""
    encrypt = {"KeyId": pharmacy.key, "Plaintext": b"x"}
    return [
        ("pharmacist", "encrypt", encrypt),
        ("pharmacist", "decrypt", {"CiphertextBlob": pharmacy.blob}),
        ("robot", "encrypt", encrypt),
        ("claims-app", "encrypt", encrypt),
        ("key-keeper", "get_key_policy", {"KeyId": pharmacy.key}),
        ("key-keeper", "put_key_policy", {"KeyId": pharmacy.key, "Policy": pharmacy.key_policy}),
    ]


_NEEDS = {
    "pharmacist": ("Encrypt", "Decrypt"),
    "robot": ("Encrypt",),
    "claims-app": ("Encrypt",),
    "key-keeper": ("GetKeyPolicy", "PutKeyPolicy"),
}


def _must_not(pharmacy):
    """What has to be refused: what went wrong otherwise, who, operation, parameters."""
    encrypt = {"KeyId": pharmacy.key, "Plaintext": b"x"}
    decrypt = {"CiphertextBlob": pharmacy.blob, "KeyId": pharmacy.key}
    other = pharmacy.kms.encrypt(KeyId=pharmacy.other, Plaintext=b"x")["CiphertextBlob"]
    deletion = {"KeyId": pharmacy.key, "PendingWindowInDays": 30}
    west = {"KeyId": pharmacy.west, "Plaintext": b"x", "region": "us-west-2"}
    return [
        ("robot can decrypt", "robot", "decrypt", decrypt),
        ("claims-app can decrypt", "claims-app", "decrypt", decrypt),
        ("key-keeper can use the key", "key-keeper", "decrypt", decrypt),
        ("The IT administrator can decrypt", "it-admin", "decrypt", decrypt),
        ("The IT administrator can encrypt", "it-admin", "encrypt", encrypt),
        ("Another user of the insurer can encrypt", "claims-intern", "encrypt", encrypt),
        ("pharmacist can use another key", "pharmacist", "decrypt", {"CiphertextBlob": other}),
        ("robot can work in another Region", "robot", "encrypt", west),
        (
            "claims-app can use another key",
            "claims-app",
            "encrypt",
            {"KeyId": pharmacy.abroad, "Plaintext": b"x"},
        ),
        ("The key's deletion can be scheduled", "key-keeper", "schedule_key_deletion", deletion),
    ]


_REPAIR = """def repair(documents, key, pharmacy, insurer):
    here = f"arn:aws:iam::{pharmacy}"
    look_after, use, claims = documents["key policy"]
    use["Principal"] = {"AWS": f"{here}:role/pharmacist"}
    claims["Action"] = ["kms:Encrypt"]
    robots = statement("Robot", "Allow", ["kms:Encrypt"], Principal={"AWS": f"{here}:user/robot"})
    documents["key policy"] = [look_after, use, claims, robots]
    documents["SCP"][0]["Action"] = ["kms:ScheduleKeyDeletion"]
    documents["pharmacist"][0]["Resource"] = key
    documents["boundary of pharmacist"][0]["Action"] += ["kms:Decrypt"]
    documents["robot"][1]["Condition"] = {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}
    documents["claims-app"][0]["Resource"] = key
    return documents"""


def _without(*starts):
    """The right repair without the lines that begin so."""
    lines = _REPAIR.split("\n")
    return "\n".join(line for line in lines if not line.strip().startswith(starts))


@task(
    "repair",
    practises=[
        "08.which-document",
        "08.no-access-without",
        "08.like-bucket-policies",
        "08.custom-policy",
        "08.lockout",
        "08.explicit-deny",
        "08.organization-policies",
        "08.boundaries",
    ],
    minutes=12,
    asks="`repair(documents, key, pharmacy, insurer)`: the six documents, repaired",
    hints=[
        "Return the documents unchanged and run the check. Which document does the sentence name?",
        "SCP: one action too many. Boundary: one too few. robot: a Region mistyped. claims-app: the ARN of a key that "
        "does not exist. Key policy: robot and claims-app have the wrong actions.",
        'documents["SCP"][0]["Action"] = ["kms:ScheduleKeyDeletion"]; add "kms:Decrypt" to the boundary; '
        '"us-east-1" in the Deny of robot; Resource key for claims-app and for pharmacist; in the key policy a '
        "statement of its own for robot with kms:Encrypt, and kms:Encrypt for the insurer.",
    ],
    why="Six documents, and for each refusal one that had to change. Nothing was opened that did not have to be: "
    "that is least privilege, tried instead of hoped for.",
    wrong=[
        Wrong(
            "def repair(documents, key, pharmacy, insurer):\n    return documents",
            says='pharmacist is refused: decrypt. Denied by statement "KeysStay" of the SCP',
        ),
        Wrong(
            _without('documents["boundary'),
            says="the permissions boundary",
        ),
        Wrong(
            _without('documents["robot"]'),
            says='robot is refused: encrypt. Denied by statement "Region"',
        ),
        Wrong(
            _without('documents["claims-app"]'),
            says="claims-app is refused: encrypt",
        ),
        Wrong(
            _without("use[", "robots =").replace("claims, robots]", "claims]"),
            says="robot can decrypt",
        ),
        Wrong(_without('documents["pharmacist"]'), says="pharmacist can use another key"),
        Wrong(
            _REPAIR.replace(
                'documents["robot"][1]["Condition"] = {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}',
                'del documents["robot"][1]',
            ),
            says="robot can work in another Region",
        ),
        Wrong(
            _REPAIR.replace(
                'documents["SCP"][0]["Action"] = ["kms:ScheduleKeyDeletion"]',
                'documents["SCP"] = [statement("All", "Allow", ["*"])]',
            ),
            says="The key's deletion can be scheduled",
        ),
        Wrong(
            _REPAIR.replace(
                "robots]",
                'robots, statement("Account", "Allow", ["kms:*"], Principal={"AWS": f"{here}:root"})]',
            ),
            says="The IT administrator can decrypt",
        ),
        Wrong(
            _REPAIR.replace(
                'claims["Action"] = ["kms:Encrypt"]',
                'claims["Action"] = ["kms:Encrypt"]\n'
                '    claims["Principal"] = {"AWS": f"arn:aws:iam::{insurer}:root"}',
            ),
            says="Another user of the insurer can encrypt",
        ),
        Wrong(
            _REPAIR.replace(
                'documents["SCP"][0]["Action"] = ["kms:ScheduleKeyDeletion"]',
                'documents["SCP"] = []\n    look_after["Action"].remove("kms:ScheduleKeyDeletion")',
            ),
            says="The organization does not forbid it",
        ),
        Wrong(
            _REPAIR.replace('["Action"] += ["kms:Decrypt"]', '["Action"] = "*"'),
            says="The boundary of pharmacist holds nothing back",
        ),
        Wrong(
            _REPAIR.replace(
                "    use[", '    look_after["Action"].append("kms:CreateGrant")\n    use[', 1
            ),
            says="key-keeper has kms:CreateGrant, too",
        ),
        Wrong(
            _REPAIR.replace(
                "    use[", '    look_after["Action"].remove("kms:PutKeyPolicy")\n    use[', 1
            ),
            says="key-keeper is refused: put_key_policy",
        ),
    ],
    also_right=[
        "def repair(documents, key, pharmacy, insurer):\n"
        "    here, there = f'arn:aws:iam::{pharmacy}', f'arn:aws:iam::{insurer}'\n"
        "    both = {'AWS': [f'{here}:role/pharmacist', f'{here}:user/robot', f'{there}:user/claims-app']}\n"
        "    pharmacist = {'AWS': f'{here}:role/pharmacist'}\n"
        "    away = {'StringNotLike': {'aws:RequestedRegion': ['us-east-1']}}\n"
        "    return {\n"
        "        'key policy': [documents['key policy'][0],\n"
        "                       statement('Write', 'Allow', ['kms:Encrypt'], Principal=both),\n"
        "                       statement('Read', 'Allow', ['kms:Decrypt'], Principal=pharmacist)],\n"
        "        'SCP': [statement('Stay', 'Deny', 'kms:ScheduleKeyDeletion')],\n"
        "        'pharmacist': [statement('Read', 'Allow', ['kms:Decrypt'], key)],\n"
        "        'boundary of pharmacist': [statement('Edge', 'Allow', ['s3:*', 'kms:Encrypt', 'kms:Decrypt'])],\n"
        "        'robot': [statement('Region', 'Deny', '*', Condition=away)],\n"
        "        'claims-app': [statement('Write', 'Allow', 'kms:Encrypt', key)],\n"
        "    }"
    ],
)
def repair(work):
    hurried, mend = work.value("hurried"), work.function("repair")
    with cloud.running(seed="the pharmacy") as aws:
        pharmacy = _Pharmacy(aws, work, mend, hurried)
        for who, operation, parameters in _must(pharmacy):
            error = pharmacy.call(who, operation, **parameters)
            if error is not None:
                work.fail(f"{who} is refused: {operation}. {aws.explain(error).because}")
        for wrong, who, operation, parameters in _must_not(pharmacy):
            work.expect(
                pharmacy.call(who, operation, **parameters),
                f"{wrong}. Which Allow lets {who} {operation}, or which Deny is gone?",
            )
        for who, needed in _NEEDS.items():
            more = pharmacy.beyond(who, needed)
            work.expect(more is None, f"{who} has {more}, too, and the table does not say so.")
        work.expect(
            not pharmacy.deletes(),
            "The organization does not forbid it: key-keeper wrote kms:ScheduleKeyDeletion into the key policy, and "
            "the key's deletion was scheduled.",
        )
        work.expect(
            not pharmacy.unbounded(),
            "The boundary of pharmacist holds nothing back: with an IAM policy that allows everything, pharmacist "
            "could even make keys.",
        )
