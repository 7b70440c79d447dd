"""Every kind of night, from the alarm to all checks green; and what is said that night is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from kmscourse import cloud, course, incident
from kmscourse.incident.clinic import ROLE, may_fetch, records
from kmscourse.lab.cells import code_cells, solved
from kmscourse.lab.contract import run
from kmscourse.lab.panels import State
from kmscourse.lab.session import Session

LESSON = course.lesson("13-incident")
KINDS = {
    "key policy": ("gale", "frost", "ice"),
    "grant": ("moon", "february", "july"),
    "role trust": ("thunder", "breeze", "calm"),
    "IAM policy": ("storm", "hail", "mist"),
    "bucket policy": ("wind", "fog", "haze"),
}
WORDS = [(kind, word) for kind, words in KINDS.items() for word in words]


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    cloud.stop()


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    from kmscourse.lab import record

    monkeypatch.setenv(record.SWITCH, "off")


def played(word: str) -> Session:
    """The lab of that night, with its solutions run from top to bottom."""
    names: dict[str, Any] = {"__name__": "__main__"}
    session = Session(LESSON, names)
    for cell in code_cells(LESSON.lab_source.read_text(encoding="utf-8")):
        source = re.sub(r'word = "\w+"', f'word = "{word}"', solved(cell.source))
        assert run(source, names, f"lab.py:{cell.line}") == ""
    return session


@pytest.mark.parametrize(("kind", "word"), [(k, words[0]) for k, words in KINDS.items()])
def test_the_lab_can_be_done_in_every_night(kind: str, word: str) -> None:
    session = played(word)
    night = session.names["night"]
    assert night._leak.kind == kind
    assert night.status().splitlines() == [
        "The intruder is out.",
        "The door is shut.",
        "The clinic: nobody locked out; the key is Enabled.",
    ]
    assert not night.still_stands()
    assert night.missing() == []
    states = {name: session.judge(task).state for name, task in session.tasks.items()}
    assert set(states.values()) == {State.DONE}, states


@pytest.mark.parametrize(("kind", "word"), [(k, words[1]) for k, words in KINDS.items()])
def test_the_truth_of_a_night_is_what_happens_when_it_is_tried(kind: str, word: str) -> None:
    night = incident.begin(word)
    assert night._leak.kind == kind
    assert night.locked_out() == []
    assert night.intruder_may_read()
    assert night.door_is_open()
    who = night.truth.callers[0]
    kms = boto3.client("kms")
    kms.cancel_key_deletion(KeyId=night.key_arn)
    kms.enable_key(KeyId=night.key_arn)
    really = {key for key in records() if may_fetch(night.intruder, key)}
    assert really == set(records(night.truth.could_read))
    assert night.truth.did_read <= really
    replayed = {
        each
        for each in night.departments
        if all(decision.allowed for decision in night.replay(who, f"{each}/1.json"))
    }
    assert replayed == night.truth.could_read
    bill = "billing/4711.json"  # under the other key
    opened = all(decision.allowed for decision in night.replay(who, bill))
    assert opened == may_fetch(night.intruder, bill)


def test_the_same_word_gives_the_same_night_and_another_one_another() -> None:
    nights = [incident.begin(word) for word in ("thunder", "thunder", "calm")]
    truths = [night.truth for night in nights]
    assert truths[0] == truths[1] != truths[2]
    assert nights[0].aws.trail.events() == nights[1].aws.trail.events()


@pytest.mark.parametrize("word", [words[0] for words in KINDS.values()])
def test_three_o_clock_comes_back_whatever_was_done(word: str) -> None:
    night = incident.begin(word)
    kms, iam = boto3.client("kms"), boto3.client("iam")
    for grant in kms.list_grants(KeyId=night.key_arn)["Grants"]:
        kms.revoke_grant(KeyId=night.key_arn, GrantId=grant["GrantId"])
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": deny})
    for user in ("contractor", "helpdesk", "clinic-app"):
        iam.put_user_policy(UserName=user, PolicyName="out", PolicyDocument=document)
    iam.put_role_policy(RoleName=ROLE, PolicyName="out", PolicyDocument=document)
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{night.aws.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    only_root = json.dumps({"Version": "2012-10-17", "Statement": root})
    kms.put_key_policy(KeyId=night.key_arn, Policy=only_root)
    assert "clinic-app" in night.locked_out()
    night.reopen()
    assert night.locked_out() == []
    assert night.intruder_may_read()
    assert night.door_is_open()
    assert night.key_state() == "PendingDeletion"


def test_a_session_outlives_the_trust_policy_that_made_it() -> None:
    night = incident.begin("thunder")
    iam = boto3.client("iam")
    trust = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"] = [s for s in trust["Statement"] if s["Sid"] in night.register.statements]
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    assert not night.door_is_open()
    assert night.intruder_may_read()


@pytest.mark.parametrize(
    ("word", "task", "answer", "says"),
    [
        ("moon", "close", "def close(through):\n    contain(who)", "still stands"),
        (
            "storm",
            "close",
            "def close(through):\n"
            "    iam.delete_user_policy(UserName=who.split('/')[-1], PolicyName='work')",
            "gone, or has changed: StaffFetches",
        ),
        (
            "thunder",
            "who",
            'who = f"arn:aws:iam::{aws.account_id}:role/records-auditor"',
            "No record",
        ),
        ("thunder", "through", 'through = "AuditorsDecrypt"', "was meant"),
        ("wind", "through", 'through = "PartnerThroughS3"', "was meant"),
        ("storm", "through", 'through = "Account"', "was meant"),
        ("gale", "read", "could_read = set(night.departments)", "could not have been read"),
        (
            "thunder",
            "contain",
            "_out = contain\n"
            'def contain(who):\n    _out(f"arn:aws:iam::{aws.account_id}:role/records-auditor")',
            "locked out now: auditor",
        ),
        (
            "storm",
            "close",
            "def close(through):\n"
            "    statement = {'Effect': 'Deny', 'Principal': '*', 'Action': 'kms:Decrypt',\n"
            "                 'Resource': '*'}\n"
            "    policy = key_policy()\n"
            "    policy['Statement'].append(statement)\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))",
            "locked out now: clinic-app",
        ),
        (
            "storm",
            "contain",
            "def contain(who):\n"
            "    iam.delete_user_policy(UserName=who.split('/')[-1], PolicyName='work')",
            "as long as nothing else lets them in",
        ),
        (
            "wind",
            "contain",
            "def contain(who):\n"
            "    policy = key_policy()\n"
            "    policy['Statement'].append({'Effect': 'Deny', 'Principal': '*',\n"
            "        'Action': 'kms:*', 'Resource': '*', 'Condition': {\n"
            "            'StringEquals': {'aws:PrincipalAccount': '222222222222'},\n"
            "            'StringNotLike': {'kms:EncryptionContext:aws:s3:arn': '*/reports/*'}}})\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))",
            "or of some objects only",
        ),
        (
            "thunder",
            "contain",
            "def contain(who):\n"
            "    policy = key_policy()\n"
            "    policy['Statement'].append({'Effect': 'Deny', 'Principal': '*',\n"
            "        'Action': 'kms:*', 'Resource': '*',\n"
            "        'Condition': {'ArnEquals': {'aws:PrincipalArn': who}}})\n"
            "    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))",
            "A session's aws:PrincipalArn is the ARN of its role",
        ),
    ],
)
def test_wrong_findings_are_told_what_is_wrong(
    word: str, task: str, answer: str, says: str
) -> None:
    session = played(word)
    assert run(answer, session.names, "answer") == ""
    report = session.judge(session.tasks[task])
    assert report.state is State.NOT_THERE_YET
    assert says in report.message


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("thunder", "{'StringLike': {'aws:userid': '*:maintenance'}}"),
        ("storm", "{'StringEquals': {'aws:username': who.split('/')[-1]}}"),
        ("gale", "{'ArnEquals': {'aws:PrincipalArn': who}}"),
    ],
)
def test_a_deny_may_know_the_caller_by_any_condition_that_aws_has(
    word: str, condition: str
) -> None:
    session = played(word)
    answer = (
        "def contain(who):\n"
        "    policy = key_policy()\n"
        "    policy['Statement'].append({'Effect': 'Deny', 'Principal': '*', 'Action': 'kms:*',\n"
        f"        'Resource': '*', 'Condition': {condition}}})\n"
        "    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))"
    )
    assert run(answer, session.names, "answer") == ""
    report = session.judge(session.tasks["contain"])
    assert report.state is State.DONE, report.message


def test_the_sessions_of_a_role_can_be_revoked_and_the_auditor_begins_a_new_one() -> None:
    session = played("thunder")
    answer = (
        "def contain(who):\n"
        "    now = aws.clock.now().strftime('%Y-%m-%dT%H:%M:%SZ')\n"
        "    deny = {'Effect': 'Deny', 'Action': '*', 'Resource': '*',\n"
        "            'Condition': {'DateLessThan': {'aws:TokenIssueTime': now}}}\n"
        "    iam.put_role_policy(RoleName='records-auditor', PolicyName='AWSRevokeOlderSessions',\n"
        "        PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': deny}))"
    )
    assert run(answer, session.names, "answer") == ""
    report = session.judge(session.tasks["contain"])
    assert report.state is State.DONE, report.message


def test_a_replay_knows_policies_that_are_attached_and_says_what_a_caller_is() -> None:
    night = incident.begin("storm")
    who = night.truth.callers[0]
    name, iam = who.rpartition("/")[2], boto3.client("iam")
    deny = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": deny})
    made = iam.create_policy(PolicyName="out", PolicyDocument=document)["Policy"]["Arn"]
    assert not night.is_denied(who)
    iam.attach_user_policy(UserName=name, PolicyArn=made)
    assert night.is_denied(who)
    assert not may_fetch(night.intruder, min(night.truth.did_read))
    key = records()[0]
    assert [str(each) for each in night.replay(who, f"arn:aws:s3:::clinic-records/{key}")] == [
        str(each) for each in night.replay(who, key)
    ]
    with pytest.raises(ValueError, match=f"'{name}'. Give the whole ARN or id"):
        night.replay(name, key)


def test_the_table_of_nights_for_instructors_is_right() -> None:
    rows = re.findall(
        r"^\| (\w+) \| (?:an|a|the)?\s?(.+?) \| ([^|]+) \|$",
        LESSON.teaching.read_text(encoding="utf-8")
        .partition("## The nights")[2]
        .partition("##")[0],
        re.MULTILINE,
    )
    told = {
        word: kind
        for first, kind, others in rows
        if first != "Word"
        for word in re.findall(r"\b[a-z]+\b", f"{first} {re.sub(r'[(].*?[)]', '', others)}")
    }
    spoken = {"role trust": "role's trust policy"}
    assert told == {word: spoken.get(kind, kind) for kind, word in WORDS}
