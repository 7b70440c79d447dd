"""The five steps in Python: what they say is what was done, and looking leaves nothing behind."""

from __future__ import annotations

import gc
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from kmscourse.views import SharingSteps, sharing_steps
from kmscourse.views._base import read_asset
from tests.cloud.at_rest.snapshot_steps import (
    OWNER,
    RECORD,
    TARGET,
    USE,
    Accounts,
    shared_policy,
    written_volume,
)
from tests.views.test_envelope import colours, contrast


class Scene:
    """Two accounts, a written volume of the one, and the view of it."""

    def __init__(self, accounts: Accounts, *, customers: bool = True) -> None:
        self.accounts, self.ec2, self.kms = accounts, accounts.ec2, accounts.kms
        self.other = accounts.others_ec2
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.own_key = accounts.others_kms.create_key()["KeyMetadata"]["Arn"]
        named = {"KmsKeyId": self.key} if customers else {}
        self.volume = written_volume(accounts.aws, self.ec2, RECORD, Encrypted=True, **named)
        self.view = SharingSteps(accounts.aws, self.volume, TARGET)

    def snapshot(self) -> str:
        self.source = str(self.ec2.create_snapshot(VolumeId=self.volume)["SnapshotId"])
        return self.source

    def allow(self, actions: list[str] = USE) -> None:
        self.kms.put_key_policy(KeyId=self.key, Policy=shared_policy(actions=actions))

    def share(self, how: str = "add") -> None:
        self.ec2.modify_snapshot_attribute(
            SnapshotId=self.source, OperationType=how, UserIds=[TARGET]
        )

    def copy(self, **key: str) -> str:
        under = key or {"KmsKeyId": self.own_key}
        made = self.other.copy_snapshot(
            SourceSnapshotId=self.source, SourceRegion="us-east-1", Encrypted=True, **under
        )
        return str(made["SnapshotId"])

    def volume_from(self, snapshot: str) -> None:
        self.other.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)

    @property
    def states(self) -> list[str]:
        self.view.refresh()
        return [step.state for step in self.view.sharing.steps]

    def says(self, number: int) -> str:
        self.view.refresh()
        return self.view.sharing.steps[number - 1].says


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    with cloud.running(seed="sharing steps") as aws:
        yield Accounts(aws)


@pytest.fixture
def scene(accounts: Accounts) -> Scene:
    return Scene(accounts)


def test_each_step_is_done_when_it_was_done(scene: Scene) -> None:
    assert scene.states == ["open"] * 5
    scene.snapshot()
    assert scene.states == ["done", "open", "open", "open", "open"]
    scene.allow()
    assert scene.states == ["done", "done", "open", "open", "open"]
    scene.share()
    assert scene.states == ["done", "done", "done", "open", "open"]
    copied = scene.copy()
    assert scene.states == ["done", "done", "done", "done", "open"]
    scene.kms.disable_key(KeyId=scene.key)  # it is not needed any more
    scene.volume_from(copied)
    assert scene.states == ["done"] * 5
    steps = scene.view.sharing.steps
    assert dict(steps[3].owner)["Its key was used for"] == "DescribeKey, CreateGrant, Decrypt"
    assert dict(steps[4].owner)["Its key was used for"] == "nothing"
    assert dict(steps[0].owner)["Key"] == f"customer managed, of account {OWNER}, disabled"
    assert dict(steps[4].target)["Key"] == f"customer managed, of account {TARGET}"
    json.dumps(scene.view._shown)  # all of it can be sent


def test_a_step_left_out_is_told_in_the_words_of_aws(scene: Scene) -> None:
    scene.snapshot()
    scene.copy()
    assert scene.says(4) == "The copy failed: Source snapshot is not found"
    scene.share()
    scene.copy()
    assert scene.says(4) == "The copy failed: Given key ID is not accessible"
    refused = dict(scene.view.sharing.steps[3].owner)["Refused by its key"]
    assert refused == "DescribeKey, AccessDenied"
    scene.allow()
    scene.copy()
    assert scene.states[:4] == ["done"] * 4
    scene.share("remove")
    assert scene.states[2] == "open"
    scene.allow(["kms:DescribeKey", "kms:Decrypt"])
    assert scene.states[1] == "partly"
    assert scene.says(2).startswith("The other account still lacks CreateGrant, Gen")


def test_an_aws_managed_key_is_the_end_of_the_way(accounts: Accounts) -> None:
    scene = Scene(accounts, customers=False)
    scene.snapshot()
    with pytest.raises(ClientError):
        scene.share()
    assert scene.states == ["failed", "failed", "failed", "open", "open"]
    assert scene.says(3) == (
        "OperationNotPermitted: Encrypted snapshots with EBS default key cannot be shared"
    )


def test_a_copy_of_the_owners_own_under_another_key_takes_its_place(accounts: Accounts) -> None:
    scene = Scene(accounts, customers=False)
    first = scene.snapshot()
    scene.source = scene.ec2.copy_snapshot(
        SourceSnapshotId=first, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=scene.key
    )["SnapshotId"]
    scene.share()
    assert scene.states == ["done", "open", "done", "open", "open"]
    assert dict(scene.view.sharing.steps[0].owner)["Snapshot"] == scene.source


def test_without_a_copy_the_owner_stays_in_the_way(scene: Scene) -> None:
    scene.snapshot()
    scene.allow()
    scene.share()
    scene.volume_from(scene.source)
    assert scene.states == ["done", "done", "done", "open", "partly"]
    scene.kms.disable_key(KeyId=scene.key)
    scene.volume_from(scene.source)
    assert scene.says(5) == "The volume never became available: DisabledException."


def test_a_copy_under_the_owners_key_is_not_ones_own(scene: Scene) -> None:
    scene.snapshot()
    scene.allow()
    scene.share()
    scene.copy(KmsKeyId=scene.key)
    assert scene.states[3] == "partly"
    assert "the owner can close it" in scene.says(4)


def test_a_statement_for_one_role_counts(scene: Scene) -> None:
    scene.snapshot()
    scene.accounts.aws.account(TARGET).session("admin")
    named = shared_policy(f"arn:aws:iam::{TARGET}:user/admin")
    scene.kms.put_key_policy(KeyId=scene.key, Policy=named)
    assert scene.states[1] == "done"


def test_looking_leaves_nothing_on_the_trail(scene: Scene) -> None:
    scene.snapshot()
    scene.allow()
    scene.share()
    scene.copy()
    before = len(scene.accounts.aws.trail)
    assert repr(scene.view)
    assert scene.view._repr_mimebundle_()
    assert len(scene.accounts.aws.trail) == before


def test_displaying_reads_anew(scene: Scene) -> None:
    assert "0 of 5 steps done; step 1" in repr(scene.view)
    scene.snapshot()
    assert "1 of 5 steps done; step 2" in repr(scene.view)
    assert scene.view.summary == scene.view.sentence()


def test_it_follows_the_cells_of_a_notebook_while_it_lives(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(sharing_steps, "get_ipython", lambda: shell)
    view = SharingSteps(scene.accounts.aws, scene.volume, TARGET)
    scene.snapshot()
    shell.events.trigger("post_run_cell", None)
    assert view._shown["steps"][0]["state"] == "done"
    hooks = len(shell.events.callbacks["post_run_cell"])
    view.close()
    del view
    gc.collect()
    shell.events.trigger("post_run_cell", None)
    assert len(shell.events.callbacks["post_run_cell"]) == hooks - 1


def test_what_cannot_be_shown_is_refused_kindly(scene: Scene) -> None:
    aws = scene.accounts.aws
    with pytest.raises(TypeError, match=r"what cloud\.start\(\) returned first, not str"):
        SharingSteps("aws", scene.volume, TARGET)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Nobody has created a volume 'vol-1'"):
        SharingSteps(aws, "vol-1", TARGET)
    with pytest.raises(ValueError, match=f"in account {OWNER} already: name the other"):
        SharingSteps(aws, scene.volume, OWNER)


def test_the_picture_has_each_step_with_its_state_and_no_ids(scene: Scene) -> None:
    scene.snapshot()
    scene.share()
    scene.copy()
    view = scene.view
    view.refresh()
    root = ET.fromstring(view.picture())
    ns = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{ns}desc").text == view.sentence()  # type: ignore[union-attr]
    words = [text.text for text in root.iter(f"{ns}text")]
    assert [w for w in words if w in sharing_steps._WORDS.values()] == [
        "done", "not yet", "done", "failed", "not yet",
    ]  # fmt: skip
    assert not re.search(r"(snap|vol)-[0-9a-f]", view.picture() + repr(view))


def test_it_fetches_nothing_and_its_text_meets_wcag_aa() -> None:
    for text in (str(SharingSteps._esm), str(SharingSteps._css)):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"\bimport\b|@import|\bfetch\(|url\(|innerHTML", text)
    for theme in ("light", "dark"):
        c = colours(theme)
        for text, ground in [
            *(("ok", each) for each in ("ok-tint", "paper", "letter")),
            *(("key", each) for each in ("key-tint", "paper", "letter")),
            *(("seal", each) for each in ("seal-tint", "paper", "letter")),
            *((each, ground) for each in ("ink", "muted") for ground in ("paper", "letter")),
            ("ink", "accent-tint"),
        ]:
            assert contrast(c[text], c[ground]) >= 4.5, (theme, text, ground)
    # Only colours of the shared theme, so that both themes hold.
    assert not re.search(r"#[0-9a-f]{3,6}\b", read_asset("sharing_steps.css"))
