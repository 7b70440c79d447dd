"""The tasks of lab 13: what each asks, how it is checked, and what helps.

The same checks serve every night: they know the truth of the one that was begun.
"""

import re

import boto3

from kmscourse.lab import Wrong, task


def _night(work):
    """The night that was begun, while there is anything to save."""
    night = work.value("night")
    work.expect(
        night.key_state() != "gone",
        "The key is gone, and every record with it: too much time has passed. Begin the night again, "
        "with the first cell.",
    )
    return night


@task(
    "who",
    minutes=4,
    practises="13.who-and-when",
    asks="`who`: whoever read records and had no business there, as `caller(event)` names them",
    hints=[
        "Which records say that something was really decrypted, and who of the callers reads as their "
        "work?",
        "Take the events whose eventName is Decrypt and that have no errorCode. Collect "
        "caller(event), and take night.readers away.",
        '(who,) = {caller(event) for event in events if event["eventName"] == "Decrypt" '
        'and "errorCode" not in event} - night.readers',
    ],
    why="A name, from the trail and nothing else. Not the busiest caller and not the loudest: the one "
    "who read without having to.",
    wrong=[
        Wrong('who = "arn:aws:iam::123456789012:user/clinic-app"', says="reads as their work"),
        Wrong('who = "arn:aws:iam::123456789012:user/visitor"', says="was refused each time"),
        Wrong('who = "arn:aws:iam::123456789012:user/learner"', says="No record says that"),
        Wrong('who = "contractor"', says="not the name alone"),
        Wrong(
            "who = [event for event in events if caller(event).endswith('user/contractor')]\n"
            "who = who[0]['userIdentity']['principalId']",
            says="This is a principalId",
        ),
        Wrong("who = sorted(night.readers)", says="should be text"),
    ],
    also_right=[
        "seen = [event for event in events if event['eventName'] == 'Decrypt']\n"
        "seen = [event for event in seen if event['eventTime'] > '2026-11-24T02:31']\n"
        "names = [caller(event) for event in seen]\n"
        "who = [name for name in names if name not in night.readers][0]"
    ],
)
def who(work):
    night, named = _night(work), work.value("who", str)
    work.expect(named not in night.readers, "This one reads as their work: see night.readers.")
    calls = night.aws.trail.events("Decrypt", resource=night.key_arn)
    theirs = [
        call
        for call in calls
        if named in (call["userIdentity"].get("arn"), call["userIdentity"].get("principalId"))
    ]
    if named in night.truth.callers:
        return
    work.expect(
        not any(
            "arn" in call["userIdentity"] and named == call["userIdentity"]["principalId"]
            for call in theirs
        ),
        "This is a principalId. Where a record has an ARN, caller(event) gives that: name them by it.",
    )
    work.expect(
        named.startswith(("arn:", "AIDA")),
        "Give the whole ARN or id, as caller(event) does, not the name alone.",
    )
    work.expect(theirs, "No record says that this caller decrypted with the key.")
    work.expect(
        not all("errorCode" in call for call in theirs),
        "This caller was refused each time: nothing was read. See errorCode.",
    )
    work.fail("This caller decrypted, but not that night.")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@task(
    "when",
    minutes=3,
    practises="13.who-and-when",
    asks="`first`, `last`: two times, as in `eventTime`",
    defines=("first", "last"),
    hints=[
        "Is every record of this caller one of reading?",
        "Only Decrypt without errorCode counts: a refusal is no reading, and taking on a role is none.",
        'times = sorted(event["eventTime"] for event in events if event["eventName"] == "Decrypt" and '
        '"errorCode" not in event and caller(event) == who); first, last = times[0], '
        "times[-1]",
    ],
    why="The window decides what else to look at: what happened before the first, and which records "
    "were written since.",
    wrong=[
        Wrong(
            "times = sorted(event['eventTime'] for event in events\n"
            "               if caller(event) == who)\n"
            "first, last = times[0], times[-1]",
            says="Nothing was opened at your first time",
        ),
        Wrong(
            "times = [event['eventTime'] for event in events if event['eventName'] == 'Decrypt'\n"
            "         and 'errorCode' not in event and caller(event) == who]\n"
            "first, last = times[0], times[-1]",
            says="Your first time is later than your last",
        ),
        Wrong(
            "times = sorted(event['eventTime'] for event in events\n"
            "               if caller(event) == who and 'errorCode' not in event)\n"
            "first, last = times[0], str(night.alarm_at)[:19].replace(' ', 'T') + 'Z'",
            says="Nothing was opened at your last time",
        ),
        Wrong(
            "times = sorted(event['eventTime'] for event in events\n"
            "               if caller(event) == who and 'errorCode' not in event)\n"
            "first, last = times[0][11:19], times[-1][11:19]",
            says="Write both times as in eventTime",
        ),
    ],
    also_right=[
        "times = {event['eventTime'] for event in events if caller(event) == who\n"
        "         and event['eventName'] == 'Decrypt' and not event.get('errorCode')}\n"
        "first, last = min(times), max(times)"
    ],
)
def when(work):
    truth = _night(work).truth
    first, last = work.value("first", str), work.value("last", str)
    work.expect(
        all(_TIME.fullmatch(each) for each in (first, last)),
        'Write both times as in eventTime, with the date and the Z, such as "2026-11-23T09:00:17Z".',
    )
    work.expect(
        first <= last, "Your first time is later than your last: CloudTrail gives the newest first."
    )
    for named, true, which in ((first, truth.first, "first"), (last, truth.last, "last")):
        work.expect(
            named == true,
            f"Nothing was opened at your {which} time, or it is not the {which}: count only Decrypt of "
            "this caller, and only what was not refused.",
        )


@task(
    "through",
    minutes=9,
    practises="13.which-statement",
    asks="`through`: the `Sid` of a statement, or a `GrantId`",
    hints=[
        "It takes several permissions to read a record. Which of them did this caller have for a reason?",
        "For an object that they read, look at each decision of night.replay(who, key): "
        "print(decision.because). Then compare decision.decided_by with night.register.",
        "{step.statement for decision in night.replay(who, key) for step in decision.decided_by} - "
        "night.register.statements, for a key that they read",
    ],
    why="Now you know which document to change. Everything else that let them through was meant, and "
    "the clinic needs it.",
    wrong=[
        Wrong('through = "StaffFetches"', says="was meant"),
        Wrong('through = "Monitoring"', says="does not let anybody read"),
        Wrong('through = "Fix"', says="There is no statement or grant"),
        Wrong('through = "stafffetches"', says="exactly as it stands there"),
        Wrong(
            'through = kms.list_grants(KeyId=night.key_arn)["Grants"][0]["Name"]',
            says="This is the Name of a grant",
        ),
        Wrong(
            'through = kms.list_grants(KeyId=night.key_arn)["Grants"]',
            says="should be text",
        ),
    ],
    also_right=[
        'through = kms.list_grants(KeyId=night.key_arn)["Grants"][0]["GrantId"]',
    ],
)
def through(work):
    night, named = _night(work), work.value("through", str)
    if named in night.truth.statements:
        return
    work.expect(
        named != "Monitoring",
        "This statement does not let anybody read: it only shows the key's state.",
    )
    work.expect(
        named not in night.register.statements,
        "This statement was meant, and the clinic needs it: see night.register.",
    )
    there = night.register.statements.union(night.truth.statements)
    work.expect(
        named.strip().lower() not in {each.lower() for each in there},
        "Write the id exactly as it stands there: small and capital letters differ.",
    )
    grants = boto3.client("kms").list_grants(KeyId=night.key_arn)["Grants"]
    work.expect(
        named not in {each.get("Name") for each in grants},
        "This is the Name of a grant; calls ask for its GrantId.",
    )
    work.fail("There is no statement or grant with this id that let them read.")


@task(
    "read",
    minutes=6,
    practises="13.what-could-they-read",
    asks="`did_read`, `could_read`: two sets of text",
    defines=("did_read", "could_read"),
    hints=[
        "Where does a record of Decrypt say which object was opened? And which two doors does a record "
        "lie behind?",
        'event["requestParameters"]["encryptionContext"]["aws:s3:arn"] names the object. A department '
        "could be read where all decisions of night.replay are allowed.",
        "could_read = {each for each in night.departments if all(decision.allowed for decision in "
        'night.replay(who, f"{each}/1.json"))}',
    ],
    why="What they did read is for the police; what they could have read is for the patients. The "
    "second is never smaller.",
    wrong=[
        Wrong(
            "did_read = {arn for event in events for arn in\n"
            "    [(event['requestParameters'] or {}).get('encryptionContext', {}).get('aws:s3:arn')]\n"
            "    if arn and caller(event) == who}\n"
            "could_read = set(night.departments)",
            says="Give the keys of the objects alone",
        ),
        Wrong(
            "did_read = {event['requestParameters']['encryptionContext']['aws:s3:arn'].partition('/')[2]\n"
            "    for event in events if event['eventName'] == 'Decrypt' and 'errorCode' not in event}\n"
            "could_read = {key.partition('/')[0] for key in did_read}",
            says="were opened by others",
        ),
        Wrong(
            "def _read(event):\n"
            "    return event['requestParameters']['encryptionContext']['aws:s3:arn'].partition('/')[2]\n"
            "did_read = {_read(event) for event in events if event['eventName'] == 'Decrypt'\n"
            "    and 'errorCode' not in event and caller(event) == who}\n"
            "could_read = set(night.departments)",
            says="could not have been read",
        ),
        Wrong(
            "def _read(event):\n"
            "    return event['requestParameters']['encryptionContext']['aws:s3:arn'].partition('/')[2]\n"
            "did_read = {_read(event) for event in events if event['eventName'] == 'Decrypt'\n"
            "    and 'errorCode' not in event and caller(event) == who}\n"
            "could_read = {sorted(key.partition('/')[0] for key in did_read)[0]}",
            says="could have been read as well",
        ),
        Wrong(
            "did_read = {event['requestParameters']['encryptionContext']['aws:s3:arn'].split(':::')[1]\n"
            "    for event in events if event['eventName'] == 'Decrypt' and caller(event) == who}\n"
            "could_read = set(night.departments)",
            says="The bucket has no object",
        ),
        Wrong(
            "def _read(event):\n"
            "    return event['requestParameters']['encryptionContext']['aws:s3:arn'].partition('/')[2]\n"
            "did_read = {_read(event) for event in events if event['eventName'] == 'Decrypt'\n"
            "    and 'errorCode' not in event and caller(event) == who}\n"
            "could_read = {key.partition('/')[0] + '/*' for key in did_read}",
            says="Name departments as night.departments does",
        ),
    ],
    also_right=[
        "def _read(event):\n"
        "    return event['requestParameters']['encryptionContext']['aws:s3:arn'].split(':::')[1]\n"
        "did_read = frozenset(_read(event).replace(night.bucket + '/', '') for event in events\n"
        "    if event['eventName'] == 'Decrypt' and 'errorCode' not in event\n"
        "    and caller(event) == who)\n"
        "could_read = frozenset(each for each in night.departments\n"
        "    if [d.allowed for d in night.replay(who, each + '/x.json')].count(False) == 0)"
    ],
)
def read(work):
    night = _night(work)
    truth, kinds = night.truth, (set, frozenset)
    did, could = work.value("did_read", kinds), work.value("could_read", kinds)
    work.expect(
        not any("arn:" in str(each) for each in did),
        'Give the keys of the objects alone, such as "cardiology/4711.json": what follows the bucket.',
    )
    listed = boto3.client("s3").list_objects_v2(Bucket=night.bucket)["Contents"]
    unknown = ", ".join(sorted(map(str, did - {each["Key"] for each in listed}))[:1])
    work.expect(
        not unknown,
        f"The bucket has no object with the key {unknown}. A key has the department "
        'in it, and not the bucket: "cardiology/4711.json".',
    )
    others = sorted(did - truth.did_read)
    work.expect(
        not others, f"Some of these were opened by others, or by nobody: {work.shown(others)}."
    )
    missing = len(truth.did_read - did)
    work.expect(not missing, f"They opened more than that: {missing} more.")
    strange = ", ".join(sorted(map(str, could - set(night.departments))))
    work.expect(not strange, f"Name departments as night.departments does; it has no {strange}.")
    too_many = ", ".join(map(str, sorted(could - truth.could_read)))
    work.expect(
        not too_many,
        f"Records of {too_many} could not have been read: it takes fetching and using the key, both.",
    )
    too_few = ", ".join(sorted(truth.could_read - could))
    work.expect(
        not too_few,
        f"Records of {too_few} could have been read as well, by the same way, even if they were not.",
    )


_CONTAIN = """def contain(who):
    policy = json.loads(kms.get_key_policy(KeyId=night.key_arn)["Policy"])
    policy["Statement"].append({
        "Sid": "Quarantine", "Effect": "Deny", "Principal": {"AWS": who},
        "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))"""


@task(
    "contain",
    minutes=5,
    practises="13.contain",
    asks="`contain(who)`: returns nothing",
    hints=[
        "What wins over every Allow, wherever that stands?",
        "A statement in the key policy with Effect Deny and the caller as its Principal; for a caller who "
        'has only an id, Principal "*" and a condition on aws:userid. All other statements stay.',
        'policy["Statement"].append({"Sid": "Quarantine", "Effect": "Deny", "Principal": {"AWS": who}, '
        '"Action": "kms:*", "Resource": "*"}), between get_key_policy and put_key_policy',
    ],
    why="One caller is out, whatever let them in, and nobody else noticed. That buys the time for the "
    "next task.",
    wrong=[
        Wrong(
            _CONTAIN.replace('{"AWS": who}', '"*"'),
            says="will not allow you to update the key policy",
        ),
        Wrong(
            _CONTAIN.replace('"Deny"', '"Allow"'),
            says="The caller may still open records",
        ),
        Wrong(
            _CONTAIN.replace(
                'policy["Statement"].append(', 'policy["Statement"] = policy["Statement"][:1] + ['
            ).replace('"Resource": "*"})', '"Resource": "*"}]'),
            says="is locked out now: clinic-app",
        ),
        Wrong(
            "def contain(who):\n"
            "    iam.delete_user_policy(UserName=who.split('/')[-1], PolicyName='work')",
            says="may still use the key",
        ),
        Wrong(
            "def contain(who):\n    kms.disable_key(KeyId=night.key_arn)",
            says="KMSInvalidStateException",
        ),
        Wrong(
            "def contain(who):\n"
            "    for grant in kms.list_grants(KeyId=night.key_arn)['Grants']:\n"
            "        kms.revoke_grant(KeyId=night.key_arn, GrantId=grant['GrantId'])",
            says="as long as nothing else lets them in",
        ),
    ],
    also_right=[
        "def contain(who):\n"
        "    deny = {'Effect': 'Deny', 'Action': 'kms:*', 'Resource': '*'}\n"
        "    made = iam.create_policy(PolicyName='out', PolicyDocument=json.dumps(\n"
        "        {'Version': '2012-10-17', 'Statement': [deny]}))\n"
        "    iam.attach_user_policy(UserName=who.split('/')[-1], PolicyArn=made['Policy']['Arn'])",
        "def contain(who):\n"
        "    deny = {'Effect': 'Deny', 'Action': 'kms:*', 'Resource': '*'}\n"
        "    iam.put_user_policy(UserName=who.split('/')[-1], PolicyName='out', PolicyDocument=json.dumps(\n"
        "        {'Version': '2012-10-17', 'Statement': [deny]}))",
    ],
    seconds=10,
)
def contain(work):
    night = _night(work)
    function = work.function("contain")
    night.reopen()
    who = night.truth.callers[0]
    work.call(function, who)
    known_by = ""
    if not who.startswith("arn:"):
        known_by = " An id is compared in a condition, on aws:userid."
    elif ":assumed-role/" in who:
        known_by = " A session's aws:PrincipalArn is the ARN of its role."
    work.expect(not night.intruder_may_read(), f"The caller may still open records.{known_by}")
    *_, use = night.replay(who, min(night.truth.did_read))
    work.expect(
        not use.allowed,
        "The caller cannot fetch the object now, but may still use the key, for whatever else they can "
        "fetch. Shut them out by the key.",
    )
    _nobody_is_locked_out(work, night)
    work.expect(
        night.is_denied(who),
        "They are out only as long as nothing else lets them in, or of some objects only. What counts "
        "more than every Allow, for every object?",
    )


_CLOSE = """def close(through):
    for grant in kms.list_grants(KeyId=night.key_arn)["Grants"]:
        if grant["GrantId"] == through:
            kms.revoke_grant(KeyId=night.key_arn, GrantId=through)"""


@task(
    "close",
    minutes=6,
    practises="13.contain",
    asks="`close(through)`: returns nothing",
    hints=[
        "In which document does the statement stand that you found, and which call writes that document?",
        "put_key_policy, put_bucket_policy, update_assume_role_policy, put_user_policy, or revoke_grant. "
        "The helpers above read each and leave one statement out.",
        "A grant: kms.revoke_grant(KeyId=night.key_arn, GrantId=through). A statement of the key policy: "
        "kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), through)); the others alike",
    ],
    why="The door is shut for everybody whom it let in, not only for the one who was seen.",
    wrong=[
        Wrong(
            "def close(through):\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), through))",
            says="The door is still open",
        ),
        Wrong(
            "def close(through):\n"
            "    for grant in kms.list_grants(KeyId=night.key_arn)['Grants']:\n"
            "        kms.revoke_grant(KeyId=night.key_arn, GrantId=grant['GrantId'])\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), 'PartnerThroughS3'))",
            says="is locked out now: statistics",
        ),
        Wrong(
            "def close(through):\n"
            "    iam.delete_user_policy(UserName=who.split('/')[-1], PolicyName='work')",
            says="what let them in still stands",
        ),
        Wrong(
            "def close(through):\n"
            "    kms.revoke_grant(KeyId=night.key_arn, GrantId=through)\n"
            "    iam.delete_user_policy(UserName=who.split('/')[-1], PolicyName='work')",
            says="StaffFetches",
        ),
        Wrong(
            "def close(through):\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), 'Account'))",
            says="will not allow you to update the key policy",
        ),
    ],
    also_right=[
        "def close(through):\n"
        "    kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), through))\n"
        "    for page in kms.get_paginator('list_grants').paginate(KeyId=night.key_arn):\n"
        "        for grant in page['Grants']:\n"
        "            if grant['GranteePrincipal'] == who:\n"
        "                kms.revoke_grant(KeyId=night.key_arn, GrantId=grant['GrantId'])"
    ],
    seconds=10,
)
def close(work):
    night = _night(work)
    function = work.function("close")
    night.reopen()
    work.call(function, night.truth.statements[-1])
    work.expect(
        not night.door_is_open(),
        "The door is still open: the caller could come back, or somebody else could come the same way.",
    )
    _nobody_is_locked_out(work, night)
    work.expect(
        not night.still_stands(),
        "Nobody comes in at this moment, but what let them in still stands. Take it away itself.",
    )
    missing = ", ".join(night.missing())
    work.expect(
        not missing, f"Something else is gone, or has changed: {missing}. See night.register."
    )


@task(
    "recover",
    minutes=2,
    practises="13.recover",
    asks="`recover()`: returns nothing",
    hints=[
        "Two things keep the key from serving. What is its state after the first of them is undone?",
        "kms.cancel_key_deletion leaves it Disabled.",
        "kms.cancel_key_deletion(KeyId=night.key_arn), then kms.enable_key(KeyId=night.key_arn)",
    ],
    why="In time. A day after the waiting period nobody could have helped: AWS keeps no copy of a "
    "deleted key.",
    wrong=[
        Wrong(
            "def recover():\n    kms.cancel_key_deletion(KeyId=night.key_arn)",
            says="The key is Disabled",
        ),
        Wrong(
            "def recover():\n    kms.enable_key(KeyId=night.key_arn)",
            says="is pending deletion",
        ),
        Wrong(
            "def recover():\n"
            "    new = kms.create_key()['KeyMetadata']['KeyId']\n"
            "    kms.update_alias(AliasName='alias/clinic/records', TargetKeyId=new)",
            says="The key is PendingDeletion",
        ),
    ],
    also_right=[
        "def recover():\n"
        "    key_id = night.key_arn.split('/')[-1]\n"
        "    kms.cancel_key_deletion(KeyId=key_id)\n"
        "    return kms.enable_key(KeyId=key_id)"
    ],
    seconds=10,
)
def recover(work):
    night = _night(work)
    function = work.function("recover")
    night.reopen()
    work.call(function)
    state = night.key_state()
    work.expect(
        state == "Enabled",
        f"The key is {state}, and no record can be read. The records name this key, and no other.",
    )
    _nobody_is_locked_out(work, night)


def _nobody_is_locked_out(work, night):
    out = ", ".join(night.locked_out())
    work.expect(not out, f"Somebody is locked out now: {out}. The clinic has to go on as before.")
