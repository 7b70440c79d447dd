"""Decisions a second, in one process, next to two others in the same run.

    python benchmarks/authorization.py [--seconds 1] [--no-npm] [--iam-simulate DIR]

The same worlds (a request, its policies and the right answer) go to

- ``decide``: the outcome alone, and with the whole explanation read (because, steps, decided_by);
- ``moto.iam.access_control.IAMPolicy``, its policies parsed beforehand. It knows no principals and
  no conditions. Once with every document of the world, so that it reads as much as ``decide``
  does; once with the identity policies alone, as moto itself does for KMS: less work, and less
  often right;
- ``@cloud-copilot/iam-simulate`` of npm, run by node, if both can be had: put into a temporary
  folder for the run, never part of the project. ``runSimulation`` checks its input and explains.

For each it is also counted how many of the worlds it answers rightly.
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

# ---------------------------------------------------------------- measuring


def rate(work: Callable[[], int], seconds: float) -> float:
    """Decisions a second of processor time: the median of five rounds.

    Processor time, so that what else the machine does counts for none of the three.
    """
    rounds = []
    work()
    for _ in range(5):
        done = 0
        start = time.process_time()
        while (spent := time.process_time() - start) < seconds / 5:
            done += work()
        rounds.append(done / spent)
    return statistics.median(rounds)


def ours(seconds: float) -> dict[str, float]:
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
        for w in WORLDS
    ]
    right = sum(decide(*p).outcome == w["expected"] for p, w in zip(pairs, WORLDS, strict=True))

    def bare() -> int:
        for request, policies in pairs:
            decide(request, policies).allowed  # noqa: B018
        return len(pairs)

    def explained() -> int:
        for request, policies in pairs:
            _read(decide(request, policies))
        return len(pairs)

    return {
        "right": right,
        "without explanation": rate(bare, seconds),
        "with explanation": rate(explained, seconds),
    }


def _read(decision: Decision) -> object:
    return decision.because, decision.steps, decision.decided_by


def motos(seconds: float) -> dict[str, tuple[float, int]]:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    def outcome(policies: list[Any], w: dict[str, Any]) -> str:
        answers = [policy.is_action_permitted(w["action"], w["resource"]) for policy in policies]
        if PermissionResult.DENIED in answers:
            return DENIED
        return YES if PermissionResult.PERMITTED in answers else NO

    def measure(documents: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> tuple[float, int]:
        rows = [[IAMPolicy(json.dumps(one)) for one in documents(w)] for w in WORLDS]

        def work() -> int:
            for row, w in zip(rows, WORLDS, strict=True):
                outcome(row, w)
            return len(WORLDS)

        right = sum(outcome(row, w) == w["expected"] for row, w in zip(rows, WORLDS, strict=True))
        return rate(work, seconds), right

    def everything(w: dict[str, Any]) -> list[dict[str, Any]]:
        levels = [one for level in w["scps"] or [] for one in level]
        return [
            *levels,
            *([w["policy"]] if w["policy"] else []),
            *w["identity"],
            *(w["boundary"] or []),
        ]

    return {
        "moto, every document": measure(everything),
        "moto, identity policies alone": measure(lambda w: w["identity"]),
    }


SCRIPT = """
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'
const { worlds, seconds } = JSON.parse(readFileSync(0, 'utf8'))
const named = (list, prefix) => list.map((policy, i) => ({ name: prefix + i, policy }))
const simulations = worlds.map(w => ({
  request: { principal: w.principal, action: w.action, contextVariables: w.context,
             resource: { resource: w.resource, accountId: w.account } },
  identityPolicies: named(w.identity, 'identity'),
  resourcePolicy: w.policy ?? undefined,
  permissionBoundaryPolicies: w.boundary ? named(w.boundary, 'boundary') : undefined,
  serviceControlPolicies: (w.scps ?? []).map((level, i) => (
    { orgIdentifier: 'level' + i, policies: named(level, 'scp') })),
  resourceControlPolicies: []
}))
const outcome = r => r.overallResult ?? r.resultType
const rate = async run => {
  for (let i = 0; i < 200; i++) for (const s of simulations) await run(s, {})
  const rounds = []
  for (let round = 0; round < 5; round++) {
    const start = process.cpuUsage()
    const used = () => { const u = process.cpuUsage(start); return (u.user + u.system) / 1e6 }
    let done = 0, spent = 0
    while ((spent = used()) < seconds / 5) {
      for (const s of simulations) await run(s, {})
      done += simulations.length
    }
    rounds.push(done / spent)
  }
  return rounds.sort((a, b) => a - b)[2]
}
const answers = []
for (const s of simulations) answers.push(outcome(await runSimulation(s, {})))
console.log(JSON.stringify({ answers, speed: await rate(runSimulation) }))
"""


def iam_simulate(seconds: float, folder: str | None) -> dict[str, Any] | str:
    """Run the npm package with node; a sentence if that is not possible here."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or (folder is None and npm is None):
        return "not measured: node and npm are not here"
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
                return "not measured: npm could not fetch the package"
        script = place / "measure.mjs"
        script.write_text(SCRIPT)
        try:
            done = subprocess.run(
                [node, str(script)],
                cwd=place,
                input=json.dumps({"worlds": WORLDS, "seconds": seconds}),
                capture_output=True,
                text=True,
                timeout=60 + 10 * seconds,
            )
        finally:
            script.unlink()
        if done.returncode:
            return f"not measured: {done.stderr.strip()[:2000]}"
        found: dict[str, Any] = json.loads(done.stdout)
        version = json.loads(
            (place / "node_modules/@cloud-copilot/iam-simulate/package.json").read_text()
        )["version"]
        return {**found, "version": version}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--no-npm", action="store_true", help="leave iam-simulate out")
    parser.add_argument("--iam-simulate", help="a folder where it is installed already")
    options = parser.parse_args()
    total = len(WORLDS)
    rows: list[tuple[str, float, int]] = []
    mine = ours(options.seconds)
    right = int(mine["right"])
    rows.append(("decide", mine["without explanation"], right))
    rows.append(("decide, explanation read", mine["with explanation"], right))
    rows += [(name, *found) for name, found in motos(options.seconds).items()]
    note = "iam-simulate: not measured: left out"
    if not options.no_npm:
        found = iam_simulate(options.seconds, options.iam_simulate)
        if isinstance(found, str):
            note = f"iam-simulate: {found}"
        else:
            note = f"iam-simulate is version {found['version']}"
            good = sum(a == w["expected"] for a, w in zip(found["answers"], WORLDS, strict=True))
            rows.append(("iam-simulate, runSimulation", found["speed"], good))
    fast, explained = mine["without explanation"], mine["with explanation"]
    print(f"{'':36}{'decisions/s':>12}{'right':>8}{'decide is':>12}{'explained is':>14}")
    for name, speed, good in rows:
        print(
            f"{name:36}{speed:12,.0f}{f'{good}/{total}':>8}"
            f"{fast / speed:10.1f} x{explained / speed:12.1f} x"
        )
    print(note)


if __name__ == "__main__":
    main()
