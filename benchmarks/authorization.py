"""Decisions a second, in one process, next to two others in the same run.

    python benchmarks/authorization.py [--seconds 2] [--no-npm] [--iam-simulate DIR]

Two sets of worlds (a request, its policies and the right answer) go to everyone, the same
documents and the same questions:

- *the whole decision*: key policies, IAM policies, boundaries, service control policies, accounts
  and conditions;
- *IAM policies alone*, in one account and without conditions: all that moto is made for.

Who is asked:

- ``decide``, its policies compiled beforehand, as they are in the simulated AWS: the outcome alone;
  explained, that is with the sentence and the verdict on each statement read; and with everything
  read, a sentence about each statement;
- ``moto.iam.access_control.IAMPolicy``, its policies parsed beforehand, which moto itself does
  anew for each request. It answers yes or no. It does not look at boundaries, organizations or
  accounts as such (each document is simply asked, and a Deny wins); of principals it knows ``*``;
  conditions it knows in trust policies. So a row says how often it is right;
- ``@cloud-copilot/iam-simulate`` of npm, run by node, if both can be had: put into a temporary
  folder for the run, never part of the project. ``runSimulation`` checks its input and explains.

Measured in processor time, the rounds of all in turn, so that what else the machine does counts
for all alike.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kmscourse.cloud.authorization import Decision, Policies, Request, decide

A, B = "111122223333", "444455556666"
KEY = f"arn:aws:kms:eu-west-1:{A}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
USER = f"arn:aws:iam::{A}:user/ana"
SESSION = f"arn:aws:sts::{A}:assumed-role/App/i-0123456789abcdef0"
ROLE = f"arn:aws:iam::{A}:role/App"
READER = f"arn:aws:sts::{B}:assumed-role/Reader/r1"
OBJECT = "arn:aws:s3:::clinic-records/2026/11/ana.json"


def doc(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


DEFAULT = doc(allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{A}:root"}))
ADMINISTERED = doc(
    allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{A}:root"}),
    allow(
        ["kms:Create*", "kms:Describe*", "kms:Put*", "kms:ScheduleKeyDeletion"],
        "*",
        Principal={"AWS": f"arn:aws:iam::{A}:role/KeyAdmin"},
    ),
    allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
        "*",
        Principal={"AWS": [ROLE, f"arn:aws:iam::{B}:role/Reader"]},
        Condition={"StringEquals": {"kms:EncryptionContext:Department": ["IT", "Ward"]}},
    ),
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
)
IAM = doc(
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "*"),
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::clinic-records/*"),
    allow(["kms:Decrypt", "kms:GenerateDataKey*"], f"arn:aws:kms:*:{A}:key/*"),
)
FULL = doc(allow("*", "*"))
CONTEXT = {
    "aws:SecureTransport": "true",
    "aws:SourceIp": "203.0.113.9",
    "kms:EncryptionContext:Department": "IT",
}
GUARD = doc(
    {
        "Effect": "Deny",
        "Action": ["kms:ScheduleKeyDeletion", "kms:DisableKey"],
        "Resource": "*",
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{A}:role/Break*"}},
    }
)


def world(
    principal: str,
    action: str,
    resource: str,
    expected: str,
    *,
    identity: list[dict[str, Any]],
    policy: dict[str, Any] | None = None,
    boundary: list[dict[str, Any]] | None = None,
    scps: list[list[dict[str, Any]]] | None = None,
    context: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "principal": principal,
        "action": action,
        "resource": resource,
        "account": A,
        "identity": identity,
        "policy": policy,
        "boundary": boundary,
        "scps": scps,
        "context": CONTEXT if context is None else context,
        "expected": expected,
    }


YES, NO, DENIED = "Allowed", "ImplicitlyDenied", "ExplicitlyDenied"
WORLDS = [
    world(USER, "kms:Decrypt", KEY, YES, identity=[IAM], policy=DEFAULT),
    world(USER, "kms:Encrypt", KEY, NO, identity=[IAM], policy=DEFAULT),
    world(SESSION, "kms:Decrypt", KEY, YES, identity=[], policy=ADMINISTERED),
    world(
        READER,
        "kms:Decrypt",
        KEY,
        YES,
        identity=[doc(allow("kms:Decrypt", KEY))],
        policy=ADMINISTERED,
    ),
    world(READER, "kms:Decrypt", KEY, NO, identity=[], policy=ADMINISTERED),
    world(
        USER,
        "kms:Decrypt",
        KEY,
        DENIED,
        identity=[IAM],
        policy=ADMINISTERED,
        context={"aws:SecureTransport": "false"},
    ),
    world(
        USER,
        "kms:ScheduleKeyDeletion",
        KEY,
        DENIED,
        identity=[FULL],
        policy=DEFAULT,
        scps=[[FULL], [FULL, GUARD]],
    ),
    world(
        USER,
        "kms:Decrypt",
        KEY,
        NO,
        identity=[FULL],
        policy=DEFAULT,
        boundary=[doc(allow("s3:*", "*"))],
    ),
    world(
        USER,
        "s3:GetObject",
        OBJECT,
        YES,
        identity=[IAM],
        context={"aws:SecureTransport": "true"},
    ),
]

RECORDS = doc(
    allow("s3:ListAllMyBuckets", "*"),
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::clinic-records/*"),
    allow(["dynamodb:GetItem", "dynamodb:Query"], f"arn:aws:dynamodb:*:{A}:table/patients"),
)
NO_DELETING = doc(
    {"Effect": "Deny", "Action": ["s3:Delete*", "dynamodb:Delete*"], "Resource": "*"},
)
TABLE = f"arn:aws:dynamodb:eu-west-1:{A}:table/patients"
IAM_WORLDS = [
    world(USER, "s3:GetObject", OBJECT, YES, identity=[RECORDS], context={}),
    world(USER, "s3:ListAllMyBuckets", "*", YES, identity=[NO_DELETING, RECORDS], context={}),
    world(USER, "s3:DeleteObject", OBJECT, DENIED, identity=[FULL, NO_DELETING], context={}),
    world(SESSION, "dynamodb:Query", TABLE, YES, identity=[RECORDS, NO_DELETING], context={}),
    world(SESSION, "dynamodb:PutItem", TABLE, NO, identity=[RECORDS, NO_DELETING], context={}),
    world(USER, "kms:CreateKey", "*", NO, identity=[IAM, RECORDS], context={}),
]
SETS = {"The whole decision": WORLDS, "IAM policies alone": IAM_WORLDS}

# ---------------------------------------------------------------- who is asked

World = dict[str, Any]
Rounds = Callable[[], int]
"""One round over all worlds; how many decisions that was."""


@dataclass
class Contender:
    name: str
    answers: list[str]
    run: Rounds
    rates: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        done, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds:
            done += self.run()
        self.rates.append(done / spent)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def ours(worlds: list[World]) -> list[Contender]:
    pairs = [
        (
            Request(w["principal"], w["action"], w["resource"], w["account"], w["context"]),
            Policies(
                identity=w["identity"],
                resource=w["policy"],
                boundary=w["boundary"],
                scps=w["scps"],
            ),
        )
        for w in worlds
    ]
    answers = [decide(*pair).outcome for pair in pairs]

    def asking(read: Callable[[Decision], object]) -> Rounds:
        def run() -> int:
            for request, policies in pairs:
                read(decide(request, policies))
            return len(pairs)

        return run

    return [
        Contender("decide", answers, asking(lambda decision: decision.allowed)),
        Contender("decide, explained", answers, asking(_explanation)),
        Contender("decide, everything read", answers, asking(_everything)),
    ]


def _explanation(decision: Decision) -> object:
    return decision.because, decision.decided_by, [step.failed_on for step in decision.steps]


def _everything(decision: Decision) -> object:
    return decision.because, [(step.failed_on, step.detail) for step in decision.steps]


def motos(worlds: list[World]) -> list[Contender]:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    def documents(w: World) -> list[str]:
        several = [one for level in w["scps"] or [] for one in level]
        several += [w["policy"]] if w["policy"] else []
        several += [*w["identity"], *(w["boundary"] or [])]
        return [json.dumps(one) for one in several]

    def outcome(policies: list[IAMPolicy], w: World) -> str:
        answers = [policy.is_action_permitted(w["action"], w["resource"]) for policy in policies]
        if PermissionResult.DENIED in answers:
            return DENIED
        return YES if PermissionResult.PERMITTED in answers else NO

    texts = [documents(w) for w in worlds]
    rows = [[IAMPolicy(text) for text in each] for each in texts]

    def parsed() -> int:
        for row, w in zip(rows, worlds, strict=True):
            outcome(row, w)
        return len(worlds)

    def as_moto_does() -> int:
        for each, w in zip(texts, worlds, strict=True):
            outcome([IAMPolicy(text) for text in each], w)
        return len(worlds)

    answers = [outcome(row, w) for row, w in zip(rows, worlds, strict=True)]
    return [
        Contender("moto, policies parsed beforehand", answers, parsed),
        Contender("moto, parsed for each request", answers, as_moto_does),
    ]


SCRIPT = """
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'
const { sets, seconds } = JSON.parse(readFileSync(0, 'utf8'))
const named = (list, prefix) => list.map((policy, i) => ({ name: prefix + i, policy }))
const simulation = w => ({
  request: { principal: w.principal, action: w.action, contextVariables: w.context,
             resource: { resource: w.resource, accountId: w.account } },
  identityPolicies: named(w.identity, 'identity'),
  resourcePolicy: w.policy ?? undefined,
  permissionBoundaryPolicies: w.boundary ? named(w.boundary, 'boundary') : undefined,
  serviceControlPolicies: (w.scps ?? []).map((level, i) => (
    { orgIdentifier: 'level' + i, policies: named(level, 'scp') })),
  resourceControlPolicies: []
})
const outcome = r => r.overallResult ?? r.resultType
const rate = async simulations => {
  for (let i = 0; i < 200; i++) for (const s of simulations) await runSimulation(s, {})
  const rounds = []
  for (let round = 0; round < 5; round++) {
    const start = process.cpuUsage()
    const used = () => { const u = process.cpuUsage(start); return (u.user + u.system) / 1e6 }
    let done = 0, spent = 0
    while ((spent = used()) < seconds / 5) {
      for (const s of simulations) await runSimulation(s, {})
      done += simulations.length
    }
    rounds.push(done / spent)
  }
  return rounds.sort((a, b) => a - b)[2]
}
const found = []
for (const worlds of sets) {
  const simulations = worlds.map(simulation), answers = []
  for (const s of simulations) answers.push(outcome(await runSimulation(s, {})))
  found.push({ answers, speed: await rate(simulations) })
}
console.log(JSON.stringify(found))
"""


def iam_simulate(seconds: float, folder: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Run the npm package with node.

    Returns:
        Its version (or why it could not be run), and answers and speed for each set of worlds.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or (folder is None and npm is None):
        return "not measured: node and npm are not here", []
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        if folder is None:
            assert npm is not None
            installed = subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "@cloud-copilot/iam-simulate"],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=300,
            )
            if installed.returncode:
                return "not measured: npm could not fetch the package", []
        script = place / "measure.mjs"
        script.write_text(SCRIPT)
        try:
            done = subprocess.run(
                [node, str(script)],
                cwd=place,
                input=json.dumps({"sets": list(SETS.values()), "seconds": seconds}),
                capture_output=True,
                text=True,
                timeout=60 + 20 * seconds,
            )
        finally:
            script.unlink()
        if done.returncode:
            return f"not measured: {done.stderr.strip()[:2000]}", []
        version = json.loads(
            (place / "node_modules/@cloud-copilot/iam-simulate/package.json").read_text()
        )["version"]
        return f"version {version}", json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--no-npm", action="store_true", help="leave iam-simulate out")
    parser.add_argument("--iam-simulate", help="a folder where it is installed already")
    options = parser.parse_args()
    note, theirs = "not measured: left out", []
    if not options.no_npm:
        note, theirs = iam_simulate(options.seconds, options.iam_simulate)
    for number, (title, worlds) in enumerate(SETS.items()):
        rows = [*ours(worlds), *motos(worlds)]
        for _ in range(5):
            for row in rows:
                row.measure(options.seconds / 5)
        for found in theirs[number : number + 1]:
            one = Contender("iam-simulate, runSimulation", found["answers"], lambda: 0)
            one.rates.append(found["speed"])
            rows.append(one)
        table(title, worlds, rows)
    print(f"iam-simulate: {note}")


def table(title: str, worlds: list[World], rows: list[Contender]) -> None:
    fast, explained = rows[0].rate, rows[1].rate
    print(f"{title:36}{'decisions/s':>12}{'right':>8}{'decide is':>12}{'explained is':>14}")
    for row in rows:
        right = sum(a == w["expected"] for a, w in zip(row.answers, worlds, strict=True))
        print(
            f"  {row.name:34}{row.rate:12,.0f}{f'{right}/{len(worlds)}':>8}"
            f"{fast / row.rate:10.1f} x{explained / row.rate:12.1f} x"
        )
    print()


if __name__ == "__main__":
    main()
