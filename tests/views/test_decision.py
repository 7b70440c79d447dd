"""The decision view in Python: really decided again, a stable still form, colours to be read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import cloud
from kmscourse.cloud.authorization import (
    Decision,
    Grant,
    MalformedPolicyError,
    NamedPolicy,
    Policies,
    Request,
    decide,
)
from kmscourse.views import DecisionView, _json_place, _what_if
from tests.views.test_envelope import colours, contrast

HOME = "111122223333"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ANA = f"arn:aws:iam::{HOME}:user/ana"
ROOT = f"arn:aws:iam::{HOME}:root"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, **more), "Effect": "Deny"}


WARD = {"StringEquals": {"kms:EncryptionContext:ward": "cardiology"}}
LEFT_TO_IAM = policy(allow("kms:*", Sid="LeaveItToIAM", Principal={"AWS": ROOT}))


def decided(**policies: Any) -> Decision:
    given = {"identity": [], "resource": LEFT_TO_IAM, **policies}
    context = {"kms:EncryptionContext:ward": "surgery", "aws:SourceIp": "10.0.0.1"}
    return decide(Request(ANA, "kms:Decrypt", KEY, context=context), Policies(**given))


@pytest.fixture
def view() -> DecisionView:
    return DecisionView(decided())


def layer(view: DecisionView, key: str) -> dict[str, Any]:
    return next(each for each in view._shown["layers"] if each["key"] == key)


def send(view: DecisionView, **content: Any) -> None:
    """What the browser sends, as the widget receives it."""
    view._from_browser(None, content, [])


# A real refusal, and the statement that was missing


@pytest.fixture
def refusal() -> Any:
    with cloud.running(seed="decision view") as aws:
        key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        analyst = aws.session("analyst").client("kms")

        def attempt() -> Any:
            return analyst.encrypt(KeyId=key, Plaintext=b"x")

        with pytest.raises(ClientError) as error:
            attempt()
        yield aws.explain(error.value), attempt


def test_the_statement_that_turns_the_view_turns_the_simulated_aws_too(refusal: Any) -> None:
    decision, attempt = refusal
    view = DecisionView(decision)
    assert layer(view, "identity")["badge"] == "An Allow is missing here"
    assert not layer(view, "identity")["documents"]
    send(view, do="add", where=layer(view, "identity")["add"], asked=1)
    assert view.decision.allowed
    # The view changes nothing there: the same call is refused as before ...
    with pytest.raises(ClientError, match="not authorized"):
        attempt()
    assert not view.original.allowed
    # ... until what was written is really attached.
    boto3.client("iam").put_user_policy(
        UserName="analyst", PolicyName="use", PolicyDocument=view.documents["identity/0"]
    )
    assert attempt()["CiphertextBlob"]


def test_it_wants_a_decision() -> None:
    with pytest.raises(TypeError, match=r"aws\.explain\(error\)"):
        DecisionView(ClientError({"Error": {}}, "Decrypt"))


# What is shown


def test_every_layer_is_there_in_awss_order_and_what_has_no_say_is_quiet(
    view: DecisionView,
) -> None:
    shown = view._shown["layers"]
    assert [each["key"] for each in shown] == list(_what_if.NAMES.values())
    assert [each["key"] for each in shown if not each["quiet"]] == ["resource", "identity"]
    json.dumps(view._shown)  # all of it can be sent


def test_what_decided_is_marked_and_nothing_else() -> None:
    admin = policy(allow(Sid="All"), deny("kms:Decrypt", Sid="NoDecrypt"), deny("s3:*", Sid="NoS3"))
    view = DecisionView(decided(identity=[NamedPolicy("admin", admin)]))
    statements = [
        each
        for shown in view._shown["layers"]
        for document in shown["documents"]
        for each in document["statements"]
    ]
    assert [each["name"] for each in statements if each["decided"]] == ["NoDecrypt"]
    assert [each["matched"] for each in statements] == [True, True, True, False]
    assert statements[3]["result"] == "Does not apply: another action"
    assert layer(view, "identity")["badge"] == "Denied here"
    assert layer(view, "resource")["role"] == "passes"
    assert view._shown["because"] == view.decision.because


def test_each_part_of_a_statement_says_how_it_fared() -> None:
    other = {"StringLike": {"aws:SourceIp": "10.*"}, **WARD}
    view = DecisionView(decided(identity=[policy(allow("kms:Decrypt", KEY, Condition=other))]))
    [statement] = layer(view, "identity")["documents"][0]["statements"]
    assert [(part["name"], part["state"]) for part in statement["parts"]] == [
        ("Action", "fits"),
        ("Resource", "fits"),
        ("Condition", "fits"),
        ("Condition", "fails"),
    ]
    assert statement["parts"][3]["has"] == '"surgery"'
    assert statement["open"]  # it came close, so it is shown
    far = DecisionView(decided(resource=policy(allow("kms:*", Principal={"AWS": ANA + "s"}))))
    [statement] = layer(far, "resource")["documents"][0]["statements"]
    assert [part["state"] for part in statement["parts"]] == ["fails", "unread", "unread"]


def test_a_statement_without_what_it_must_name_says_so() -> None:
    nobody = {"Effect": "Allow", "Principal": {"AWS": ANA}, "Action": "kms:*"}
    view = DecisionView(decided(resource=policy(nobody)))
    [statement] = layer(view, "resource")["documents"][0]["statements"]
    assert statement["parts"][-1] == {"name": "Resource", "text": "not named", "state": "fails"}


def test_the_request_is_in_plain_sight_and_what_conditions_ask_for_comes_first() -> None:
    asking = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}, "Bool": {
        "aws:PrincipalIsAWSService": "false"}}  # fmt: skip
    view = DecisionView(decided(identity=[policy(allow(Condition=asking))]))
    request = view._shown["request"]
    assert (request["who"], request["action"], request["resource"]) == (
        "user ana",
        "kms:Decrypt",
        KEY,
    )
    rows = {row["key"]: row for row in request["context"]}
    assert list(rows)[:2] == ["kms:ViaService", "aws:PrincipalIsAWSService"]
    assert rows["kms:ViaService"]["values"] == []
    assert rows["aws:PrincipalIsAWSService"]["values"] == ["false"]
    assert rows["aws:PrincipalIsAWSService"]["follows"]
    assert rows["aws:SourceIp"]["values"] == ["10.0.0.1"]


def test_grants_are_shown() -> None:
    grants = [
        Grant(frozenset({"Encrypt"}), grantee_principal=ANA, grant_id="a"),
        Grant(
            frozenset({"Decrypt"}),
            grantee_principal=ANA,
            grant_id="b",
            encryption_context_subset={"ward": "surgery"},
        ),
    ]
    view = DecisionView(decided(grants=grants))
    shown = layer(view, "grant")
    assert (shown["role"], shown["badge"]) == ("decides", "Allows it")
    assert [each["decided"] for each in shown["documents"][0]["statements"]] == [
        "",
        "This decided it",
    ]
    assert json.loads(view.documents["grant/0"])["Grants"][1] == {
        "GrantId": "b",
        "GranteePrincipal": ANA,
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"ward": "surgery"}},
    }


def test_a_grant_is_added_changed_and_taken_away(view: DecisionView) -> None:
    assert not view.decision.allowed
    assert layer(view, "grant")["add"] == "grant"
    send(view, do="add", where="grant")
    assert view.decision.allowed
    (document,) = layer(view, "grant")["documents"]
    assert (document["holds"], document["state"]) == ("grant", "added here")
    added = view._shown["added"]
    marked = document["text"][added["start"] : added["end"]]
    assert json.loads(marked) == {"GranteePrincipal": ANA, "Operations": ["Decrypt"]}
    # Constrained to another ward, it does not help; to this one it does.
    for ward, helps in (("cardiology", False), ("surgery", True)):
        grant = json.loads(marked) | {"Constraints": {"EncryptionContextSubset": {"ward": ward}}}
        view.edit("grant/0", {"Grants": [grant]})
        assert view.decision.allowed is helps
    view.edit("grant/0", {"Grants": []})
    assert not view.decision.allowed
    view.add_statement("grant", grant)
    assert view.decision.allowed
    view.reset()
    assert "grant/0" not in view.documents


def test_given_grants_count_as_they_were_given() -> None:
    """What ListGrants shows is enough to go on, and going back is going back."""
    given = Grant(frozenset({"Decrypt"}), grantee_principal=ANA, grant_id="a", source_arn=None)
    view = DecisionView(decided(grants=[given]))
    before = view.documents["grant/0"]
    assert not view.edit("grant/0", {"Grants": []}).allowed
    assert view.edit("grant/0", before) is view.original


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("{", "no JSON", 1),
        ("[]", "These are no grants", 0),
        ('{"Grants": {}}', "Grants is a list", 1),
        ('{"Grants": [1]}', "A grant is an object", 1),
        ('{"Grants": [\n{"Operations": ["Decrypt"]}]}', "one of the two", 2),
        ('{"Grants": [{"GranteePrincipal": "a"}]}', "lists its operations", 1),
        (
            '{"Grants": [{"GranteePrincipal": "a",\n"Operations": ["PutKeyPolicy"]}]}',
            "No grant can give PutKeyPolicy",
            2,
        ),
        (
            '{"Grants": [{"GranteePrincipal": "a", "Operations": ["Decrypt"], "Note": "x"}]}',
            "A grant has no Note",
            1,
        ),
        (
            '{"Grants": [{"GranteePrincipal": "a", "Operations": ["Decrypt"],'
            '"Constraints": {"Ward": "7"}}]}',
            "There is no constraint Ward",
            1,
        ),
        (
            '{"Grants": [{"GranteePrincipal": "a", "Operations": ["Decrypt"],'
            '"Constraints": {"EncryptionContextEquals": "7"}}]}',
            "holds pairs of texts",
            1,
        ),
    ],
)
def test_a_text_that_is_no_grant_says_where_and_the_last_one_counts(
    text: str, words: str, line: int
) -> None:
    given = Grant(frozenset({"Decrypt"}), grantee_principal=ANA)
    view = DecisionView(decided(grants=[given]))
    send(view, do="edit", key="grant/0", text=text)
    assert view.decision.allowed
    problem = layer(view, "grant")["documents"][0]["problem"]
    assert words in f"{problem['message']} {problem['advice']}"
    assert problem["line"] == line
    with pytest.raises(MalformedPolicyError):
        view.add_statement("grant")


def test_what_no_grant_can_give_is_told(view: DecisionView) -> None:
    view.change_request(action="kms:PutKeyPolicy")
    assert layer(view, "grant")["add"] == ""
    send(view, do="add", where="grant")
    assert "No grant can give kms:PutKeyPolicy" in view._shown["problem"]


@pytest.mark.parametrize(
    ("principal", "action", "resource"),
    [
        (ROOT, "kms:Decrypt", KEY),
        (f"arn:aws:sts::{HOME}:assumed-role/clinician/night", "s3:GetObject", "arn:aws:s3:::b/k"),
        (ANA, "kms:ListKeys", "*"),
        (ANA, "kms:RetireGrant", KEY),
        (f"arn:aws:iam::{HOME}:user/x", "sts:AssumeRole", f"arn:aws:iam::{HOME}:role/r"),
        ("s3.amazonaws.com", "kms:Decrypt", KEY),
        ("anonymous", "s3:GetObject", "arn:aws:s3:::b/k"),
        ("arn:aws:iam::999999999999:user/far", "kms:ScheduleKeyDeletion", KEY),
    ],
)
def test_every_kind_of_request_can_be_shown_and_written_in(
    principal: str, action: str, resource: str
) -> None:
    everything = [policy(allow())]
    full = Policies(
        identity=everything, boundary=everything, session=everything, scps=[everything], rcps=[[]]
    )
    for policies in (Policies(), full):
        view = DecisionView(decide(Request(principal, action, resource), policies))
        assert view.picture().startswith("<svg")
        assert view.sentence().startswith(action)
        for shown in view._shown["layers"]:
            for where in [shown["add"], *(document["key"] for document in shown["documents"])]:
                if where:
                    view.add_statement(where)
        assert view._shown["changed"]
        view.reset()
        assert view.decision is view.original


# What is changed


def test_an_edit_is_really_decided_again(view: DecisionView) -> None:
    assert not view.decision.allowed
    view.add_statement("identity", allow("kms:*", Condition=WARD))
    assert not view.decision.allowed
    assert "surgery" in view.decision.because
    text = view.documents["identity/0"].replace("cardiology", "surgery")
    send(view, do="edit", key="identity/0", text=text, asked=7)
    assert view.decision.allowed
    assert (view._shown["outcome"], view._shown["asked"]) == ("Allowed", 7)
    assert view._shown["before"]["outcome"] == "ImplicitlyDenied"
    send(view, do="reset", asked=8)
    assert view.decision is view.original
    assert list(view.documents) == ["resource/0"]
    assert not view._shown["changed"]


def test_a_deny_that_is_added_wins(view: DecisionView) -> None:
    view.add_statement("identity")
    assert view.decision.allowed
    view.add_statement("resource/0", deny("kms:Decrypt", Sid="Never", Principal="*"))
    assert view.decision.outcome == "ExplicitlyDenied"
    assert layer(view, "identity")["badge"] == "Allows it, but a Deny wins"


def test_an_empty_boundary_limits_everything_and_only_here(view: DecisionView) -> None:
    view.add_statement("identity")
    view.add_statement("boundary", allow("s3:*"))
    assert view.decision.denied_by == "permissions boundary"
    assert view.original.policies.boundary is None


def test_what_cannot_be_read_is_kept_explained_and_does_not_count(view: DecisionView) -> None:
    view.add_statement("identity")
    text = view.documents["identity/0"]
    send(view, do="edit", key="identity/0", text=text.replace('"Allow"', '"Alow"'), asked=1)
    problem = layer(view, "identity")["documents"][0]["problem"]
    assert problem["message"] == "Syntax errors in policy."
    assert problem["place"] == "Statement[0].Effect"
    assert 'Effect is "Allow" or "Deny"' in problem["advice"]
    wrong = view.documents["identity/0"]
    assert wrong[problem["start"] : problem["end"]] == '"Alow"'
    assert wrong.splitlines()[problem["line"] - 1].strip() == '"Effect": "Alow",'
    assert view._shown["allowed"]  # the last good verdict, and said to be that
    assert view._shown["unread"] == ["identity/0"]
    with pytest.raises(MalformedPolicyError):
        view.add_statement("identity/0")
    with pytest.raises(MalformedPolicyError):
        view.edit("identity/0", text[:-2])
    problem = layer(view, "identity")["documents"][0]["problem"]
    assert problem["message"] == "This policy contains invalid Json"
    assert problem["line"] == len(text.splitlines()) - 1
    view.edit("identity/0", text)
    assert view._shown["unread"] == []


def test_each_layer_is_saved_by_its_own_rules(view: DecisionView) -> None:
    with pytest.raises(MalformedPolicyError, match="should not specify a principal"):
        view.add_statement("identity", allow(Principal="*"))
    with pytest.raises(MalformedPolicyError, match="must contain principals"):
        view.add_statement("resource/0", allow())


def test_the_request_can_be_changed(view: DecisionView) -> None:
    view.add_statement("identity", allow("kms:Encrypt", Condition=WARD))
    send(view, do="request", action="kms:Encrypt", asked=2)
    assert not view.decision.allowed
    send(view, do="request", context={"kms:encryptioncontext:WARD": "cardiology"}, asked=3)
    assert view.decision.allowed
    send(view, do="request", context={"kms:EncryptionContext:ward": ""}, asked=4)
    assert "kms:EncryptionContext:ward" not in view.decision.request.context
    assert not view.decision.allowed
    send(view, do="request", action="kms", asked=5)
    assert "service:Action" in view._shown["problem"]
    assert view.decision.request.action == "kms:Encrypt"
    with pytest.raises(ValueError, match="service:Action"):
        view.change_request(action="Decrypt")
    view.reset()
    assert view.decision.request is view.original.request


def test_a_document_put_back_as_it_was_is_no_change() -> None:
    sloppy = {"Statement": allow("kms:Decrypt")}  # AWS would not save it today, but may have once
    view = DecisionView(decided(identity=[sloppy]))
    given = view.documents["identity/0"]
    with pytest.raises(MalformedPolicyError, match="2012-10-17"):
        view.edit("identity/0", given + " ")
    assert view.edit("identity/0", given) is view.original


def test_a_policy_of_an_organization_is_changed_at_its_level() -> None:
    full = [NamedPolicy("FullAWSAccess", policy(allow()))]
    view = DecisionView(decided(identity=[policy(allow())], scps=[full, []]))
    assert view.decision.denied_by == "service control policy"
    view.add_statement("scp/1")
    assert view.decision.allowed
    assert list(view.documents) == ["resource/0", "identity/0", "scp/0/0", "scp/1/0"]
    for where in ("scp/2", "rcp/0", "scp", "nowhere"):
        with pytest.raises(KeyError):
            view.add_statement(where)


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from([json.dumps(policy(allow())), json.dumps(LEFT_TO_IAM, indent=2)]).flatmap(
        lambda text: st.tuples(
            st.integers(0, len(text)), st.integers(0, 9), st.text(max_size=3)
        ).map(lambda cut: text[: cut[0]] + cut[2] + text[cut[0] + cut[1] :])
    ),
)


@given(TEXTS)
def test_whatever_is_typed_gets_an_answer(text: str) -> None:
    view = DecisionView(decided(identity=[policy(allow("kms:Encrypt"))]))
    for key in ("identity/0", "resource/0"):
        send(view, do="edit", key=key, text=text, asked=1)
        json.dumps(view._shown)
    unread = bool(view._shown["unread"])
    shown = [d for each in view._shown["layers"] for d in each["documents"] if d["problem"]]
    assert bool(shown) == unread
    for document in shown:
        problem = document["problem"]
        assert problem["message"]
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2
        assert 0 <= problem["start"] <= problem["end"] <= units
        assert 0 <= problem["line"] <= text.count("\n") + 1


# Where in the text

NAMES = st.text(st.characters(exclude_characters=".[]", exclude_categories=["Cs"]), min_size=1)
TREES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@given(TREES)
def test_a_place_leads_to_its_value(tree: Any) -> None:
    text = json.dumps(tree, indent=2, ensure_ascii=False)

    def walk(value: Any, place: str) -> None:
        span = _json_place.find(text, place)
        assert span is not None
        assert json.loads(text[span[0] : span[1]]) == value
        if isinstance(value, dict):
            for name, each in value.items():
                walk(each, f"{place}.{name}" if place else name)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                walk(each, f"{place}[{number}]")

    walk(tree, "")


def test_a_lone_statement_counts_as_the_first_and_names_may_hold_dots() -> None:
    text = json.dumps({"Statement": {"Condition": {"Bool": {"aws:PrincipalTag/a.b": "x"}}}})
    span = _json_place.find(text, "Statement[0].Condition.Bool.aws:PrincipalTag/a.b")
    assert span is not None
    assert text[slice(*span)] == '"x"'
    # What is missing is sought in the nearest thing around it.
    span = _json_place.find(text, "Statement[0].Action")
    assert span is not None
    assert text[slice(*span)].startswith('{"Condition"')
    assert _json_place.find("{", "Statement") is None


# The still form


def test_the_still_form_has_no_ids_and_is_the_same_each_time(refusal: Any) -> None:
    decision, _ = refusal
    view = DecisionView(decision)
    assert repr(view) == (
        "DecisionView: kms:Encrypt by user analyst on a KMS key: refused, an Allow is missing; AWS "
        "looked at key policy (leaves it to IAM) and identity-based policies (an Allow is missing "
        "here)."
    )
    assert decision.request.resource.rsplit("/", 1)[-1] not in view.picture() + view.sentence()
    assert view.picture() == DecisionView(decision).picture()
    bundle = view._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"] == repr(view)
    assert data["image/svg+xml"] == view.picture()


def test_the_picture_is_an_svg_that_names_what_decided() -> None:
    view = DecisionView(
        decided(identity=[NamedPolicy("own <ward>", policy(allow(Sid="OwnWard")))]), title="A & b"
    )
    root = ET.fromstring(view.picture())
    space = "{http://www.w3.org/2000/svg}"
    words = [each.text for each in root.iter(f"{space}text")]
    assert root.get("role") == "img"
    assert "Allowed" in words
    assert 'OwnWard of IAM policy "own <ward>": half of what is needed' in words
    assert "LeaveItToIAM of key policy: half of what is needed" in words
    missing = DecisionView(decided()).picture()
    assert "LeaveItToIAM of key policy: counted, but not enough" in missing
    assert root.find(f"{space}desc").text == view.sentence()  # type: ignore[union-attr]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_meets_wcag_aa(theme: str) -> None:
    c = colours(theme)
    pairs = [(ink, "letter") for ink in ("ink", "muted", "accent", "seal", "ok", "key")]
    pairs += [("ink", "key-tint"), ("key", "key-tint"), ("accent", "paper"), ("key", "paper")]
    pairs += [(ink, "accent-tint") for ink in ("ink", "muted", "accent", "seal")]
    pairs += [("on-strong", ground) for ground in ("seal", "ok")]
    for text, ground in pairs:
        assert contrast(c[text], c[ground]) >= 4.5, (theme, text, ground)
