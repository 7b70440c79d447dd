"""Who can read a record: what really comes of each attempt, and that nothing else decides."""

from __future__ import annotations

from itertools import combinations

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import attempts, cloud
from kmscourse.attempts import AT_REST, IN_FLIGHT, MEASURES, ON_THE_CLIENT, Attempt
from kmscourse.attempts.attempt import See

RECORD = b'{"patient": "4711", "diagnosis": "type 2 diabetes"}'


@pytest.fixture(scope="module")
def made() -> list[Attempt]:
    return attempts.by_everyone(RECORD)


def readers(made: list[Attempt], *measures: attempts.Measure) -> set[str]:
    """Who reads the record where just these measures are taken."""
    return {each.who for each in made if set(each.measures) == set(measures) and each.reads}


def one(made: list[Attempt], who: str, *measures: attempts.Measure) -> Attempt:
    [found] = [e for e in made if e.who == who and set(e.measures) == set(measures)]
    return found


def test_everyone_tries_once_with_each_choice_of_measures(made: list[Attempt]) -> None:
    everyone = {each.who for each in made}
    chosen = [c for count in range(len(MEASURES) + 1) for c in combinations(MEASURES, count)]
    assert len(made) == len(everyone) * len(chosen)
    assert {frozenset(each.measures) for each in made} == {frozenset(c) for c in chosen}


def test_each_measure_shuts_its_own_place(made: list[Attempt]) -> None:
    everyone = {each.who for each in made}
    assert readers(made) == everyone
    assert everyone - readers(made, IN_FLIGHT) == {"Eavesdropper"}
    assert everyone - readers(made, AT_REST) == {
        "Stolen disk",
        "Stolen backup",
        "Leaked IAM key: report job",
    }
    assert readers(made, ON_THE_CLIENT) == {"Leaked IAM key: the clinic's own"}
    # Whoever may do what the clinic may reads whatever is done.
    assert readers(made, *MEASURES) == {"Leaked IAM key: the clinic's own"}


def test_who_refused_is_kept_in_its_own_words(made: list[Attempt]) -> None:
    stolen = one(made, "Stolen backup", AT_REST)
    assert "KMSKeyNotAccessibleFault" in stolen.error
    assert stolen.trail[-1].startswith("rds:CopyDBSnapshot by arn:aws:iam::444455556666:root")
    report = one(made, "Leaked IAM key: report job", AT_REST)
    assert "kms:Decrypt" in report.error
    assert report.trail == (
        "kms:Decrypt by report-job through s3.amazonaws.com: AccessDenied",
        "s3:GetObject by report-job: AccessDenied",
    )
    # An administrator whom IAM allows everything is stopped by the key policy alone.
    administrator = one(made, "Leaked IAM key: administrator", ON_THE_CLIENT)
    assert administrator.trail == (
        "s3:GetObject by administrator: allowed",
        "kms:Decrypt by administrator: AccessDenied",
    )
    assert administrator.seen
    # Nobody hears of a disk that is carried away, or of a wire that is tapped.
    assert one(made, "Stolen disk").trail == one(made, "Eavesdropper").trail == ()


def test_a_simulated_aws_that_was_running_is_left_alone() -> None:
    with cloud.running(seed="before") as aws:
        boto3.client("s3").create_bucket(Bucket="clinic-1")
        before = len(aws.trail)
        attempts.by_everyone(RECORD)
        assert len(aws.trail) == before
        assert [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]] == ["clinic-1"]


def test_what_was_seen_decides_and_nothing_else() -> None:
    said = {"who": "A nurse", "where": "at the desk", "tried": "Looked", "secret": b"diabetes"}
    assert attempts.attempt(lambda see: see(b"type 2 diabetes"), **said).reads
    assert not attempts.attempt(lambda see: None, **said).reads

    def in_two_sights(see: See) -> None:
        see(b"dia")
        see(b"betes")

    assert not attempts.attempt(in_two_sights, **said).reads

    def refused(see: See) -> None:
        see(b"the envelope")
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "Decrypt")

    found = attempts.attempt(refused, **said)
    assert (found.reads, found.seen) == (False, b"the envelope")
    assert found.error == "An error occurred (AccessDenied) when calling the Decrypt operation: No."


@pytest.mark.parametrize(
    ("record", "error"),
    [("text", TypeError), (b"short", ValueError), (b"x" * 1001, ValueError)],
)
def test_what_cannot_be_looked_for_is_refused(record: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="record"):
        attempts.by_everyone(record)  # type: ignore[arg-type]


def test_an_empty_secret_would_be_found_everywhere() -> None:
    with pytest.raises(ValueError, match="no record"):
        attempts.attempt(lambda see: None, who="", where="", tried="", secret=b"")
