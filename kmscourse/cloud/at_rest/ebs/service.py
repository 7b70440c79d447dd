"""The service: EC2's calls about volumes and snapshots, with their keys, and moto for the rest.

KMS is asked after the answer, as on AWS: CreateVolume and CopySnapshot succeed, and the volume is
gone or the snapshot in the state ``error`` where the key could not be used.

Source: Amazon EC2 User Guide, "Amazon EBS encryption", "Copy an Amazon EBS snapshot" (StateMessage
"Given key ID is not accessible"), "Share an Amazon EBS snapshot"; EC2 API Reference, "Error codes"
(CustomerKeyHasBeenRevoked); AWS KMS Developer Guide, "How Amazon EBS uses AWS KMS". Words that are
only known from reports of users, or inferred, are marked so where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.at_rest import infrastructure
from kmscourse.cloud.at_rest.blocks import Blocks, StoredDisk
from kmscourse.cloud.at_rest.ebs import keys, moto_ebs
from kmscourse.cloud.at_rest.ebs.disk import Disk
from kmscourse.cloud.at_rest.ebs.keys import Settings, Stored
from kmscourse.cloud.at_rest.infrastructure import Held
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_GIB = 1 << 30
AskMoto = Callable[[], Response]
Answer = dict[str, Any] | Response


@dataclass(slots=True)
class _Attached:
    """An encrypted volume on an instance: the grant, and the key in the hypervisor's memory.

    Attributes:
        key: None while the instance is stopped.
    """

    instance_id: str
    held: Held
    key: bytes | None


class EBS:
    """Volumes and snapshots of every account and Region, around moto."""

    def __init__(self, _: Randomness) -> None:
        self._stored: dict[str, Stored] = {}
        self._attached: dict[str, _Attached] = {}
        self._settings: dict[tuple[str, str], Settings] = {}
        self._operations: dict[str, Callable[[Gateway, Call, AskMoto], Answer]] = {
            "CreateVolume": self._create_volume,
            "DescribeVolumes": self._describe_volumes,
            "DeleteVolume": self._delete,
            "AttachVolume": self._attach,
            "DetachVolume": self._detach,
            "RunInstances": self._run_instances,
            "StartInstances": self._start_instances,
            "StopInstances": self._stop_instances,
            "TerminateInstances": self._terminate_instances,
            "CreateSnapshot": self._create_snapshots,
            "CreateSnapshots": self._create_snapshots,
            "CopySnapshot": self._copy_snapshot,
            "DeleteSnapshot": self._delete,
            "DescribeSnapshots": self._describe_snapshots,
            "ModifySnapshotAttribute": self._share_snapshot,
            "ResetSnapshotAttribute": self._unshare_snapshot,
            "DescribeImages": self._describe_images,
            "CreateImage": self._create_image,
            "CopyImage": self._copy_image,
            "ModifyImageAttribute": self._share_image,
            "GetEbsDefaultKmsKeyId": self._default_key,
            "ModifyEbsDefaultKmsKeyId": self._modify_default_key,
            "ResetEbsDefaultKmsKeyId": self._reset_default_key,
        }

    def open(self) -> None:
        """Nothing of moto needs to be replaced."""

    def close(self) -> None:
        """Forget the keys in memory."""
        self._attached.clear()

    def needs(self, call: Call) -> list[Permission]:
        """Those of the table in `kmscourse.cloud.needs`."""
        return []

    def perform(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """Carry out a call that was found to be allowed."""
        operation = self._operations.get(call.operation)
        if operation is None:
            return ask_moto()
        if call.parameters.get("DryRun"):
            raise AWSError(
                "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412
            )
        return operation(gateway, call, ask_moto)

    def stored(self, disk_id: str) -> StoredDisk:
        """What lies on the disk for a volume or snapshot.

        Raises:
            KeyError: where there is no such volume or snapshot.
        """
        found = self._find(disk_id)
        if found is None:
            raise KeyError(f"There is no volume or snapshot {disk_id}.")
        return StoredDisk.of(disk_id, found.blocks, found.key)

    def disk(self, volume_id: str) -> Disk:
        """A volume as the instance sees it that has it attached."""
        return Disk(volume_id, self._device)

    # --- volumes -------------------------------------------------------------------------------

    def _create_volume(self, gateway: Gateway, call: Call, _: AskMoto) -> Answer:
        parameters = call.parameters
        there = moto_ebs.backend(call.account, call.region)
        encrypted = bool(parameters.get("Encrypted"))
        key_id = keys.check_parameters(call, encrypted=encrypted)
        if not parameters.get("AvailabilityZone") and not parameters.get("AvailabilityZoneId"):
            raise AWSError(  # that it is refused: botocore CreateVolume; the words are inferred
                "MissingParameter", "The request must contain the parameter availabilityZone"
            )
        snapshot, source = None, None
        if parameters.get("SnapshotId"):
            snapshot = self._usable(call, parameters["SnapshotId"])
            source = self._of_snapshot(snapshot)
            _check_size(parameters.get("Size"), snapshot)
        key_id = self._key_for(gateway, call, encrypted, key_id, source)
        volume = moto_ebs.words_of_aws(
            lambda: there.create_volume(
                size=parameters.get("Size") or (snapshot.volume.size if snapshot else None),
                zone_name=parameters.get("AvailabilityZone"),
                volume_type=parameters.get("VolumeType"),
                iops=parameters.get("Iops"),
                throughput=parameters.get("Throughput"),
                multi_attach_enabled=parameters.get("MultiAttachEnabled"),
            )
        )
        volume.add_tags(moto_ebs.tags(call, "volume"))
        volume.snapshot_id = snapshot.id if snapshot else None
        try:
            self._fill_volume(gateway, call, volume, source, key_id)
        except AWSError:  # the volume never becomes available, and is gone
            del there.volumes[volume.id]
        answer = {
            "VolumeId": volume.id,
            "Size": volume.size,
            "SnapshotId": volume.snapshot_id or "",
            "AvailabilityZone": volume.availability_zone,
            "State": "creating",
            "CreateTime": volume.create_time,
            "VolumeType": volume.volume_type,
            "Iops": volume.iops,
            "Throughput": volume.throughput,
            "Encrypted": key_id is not None,
            "KmsKeyId": key_id and infrastructure.full_arn(gateway, call, key_id),
            "MultiAttachEnabled": bool(volume.multi_attach_enabled),
            "Tags": moto_ebs.listed_tags(volume),
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _fill_volume(
        self, gateway: Gateway, call: Call, volume: Any, source: Stored | None, key_id: str | None
    ) -> Stored:
        """Give a volume of moto's its data key and content, and tell moto.

        Raises:
            AWSError: as KMS refuses it.
        """
        new = Stored(volume.id, call.account, call.region, Blocks(int(volume.size) * _GIB))
        keys.fill(gateway, call, new, source, key_id)
        volume.encrypted = new.key is not None
        volume.kms_key_id = new.key.key_arn if new.key else None
        self._stored[volume.id] = new
        return new

    def _describe_volumes(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        there = moto_ebs.backend(call.account, call.region)
        for volume_id in call.parameters.get("VolumeIds", []):
            moto_ebs.words_of_aws(partial(there.get_volume, volume_id))
        return ask_moto()

    def _delete(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        response = ask_moto()
        if response.status < 400:
            name = call.parameters.get("VolumeId") or call.parameters.get("SnapshotId", "")
            self._stored.pop(name, None)
        return response

    def _attach(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        volume_id, instance_id = call.parameters["VolumeId"], call.parameters["InstanceId"]
        there = moto_ebs.backend(call.account, call.region)
        volume = there.volumes.get(volume_id)
        if volume is None or moto_ebs.instance(call.account, call.region, instance_id) is None:
            return ask_moto()
        if volume.attachment is not None:
            raise AWSError("VolumeInUse", f"{volume_id} is already attached to an instance", 400)
        try:
            self._unlock(gateway, call, volume_id, instance_id)
        except AWSError as error:
            raise AWSError(
                "CustomerKeyHasBeenRevoked",  # its words as users report them
                f"Volume {volume_id} cannot be attached. The encrypted volume was unable to "
                "access the KMS key.",
            ) from error
        response = ask_moto()
        if response.status >= 400:
            self._lock(gateway, volume_id)
        return response

    def _detach(self, gateway: Gateway, call: Call, _: AskMoto) -> Answer:
        volume_id = call.parameters["VolumeId"]
        there = moto_ebs.backend(call.account, call.region)
        volume = moto_ebs.words_of_aws(lambda: there.get_volume(volume_id))
        if volume.attachment is None:
            raise AWSError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        instance_id = call.parameters.get("InstanceId") or volume.attachment.instance.id
        done = moto_ebs.words_of_aws(
            lambda: there.detach_volume(volume_id, instance_id, call.parameters.get("Device"))
        )
        self._lock(gateway, volume_id)
        return {
            "VolumeId": volume_id,
            "InstanceId": instance_id,
            "Device": done.device,
            "State": "detaching",
            "AttachTime": done.attach_time,
        }

    def _unlock(self, gateway: Gateway, call: Call, volume_id: str, instance_id: str) -> None:
        """Bring a volume's data key into the hypervisor's memory, by a grant for the instance.

        Raises:
            AWSError: as KMS refuses it.
        """
        stored = self._find(volume_id)
        if stored is None or stored.key is None:
            return
        who = infrastructure.role("ec2", call.account, instance_id)
        held = infrastructure.grant(gateway, call, stored.key.key_arn, who, stored.key.context)
        try:
            key = infrastructure.open_key(gateway, call, held, stored.key)
        except AWSError:
            infrastructure.give_back(gateway, held)
            raise
        self._attached[volume_id] = _Attached(instance_id, held, key)

    def _lock(self, gateway: Gateway, volume_id: str) -> None:
        attached = self._attached.pop(volume_id, None)
        if attached is not None:
            infrastructure.give_back(gateway, attached.held)

    def _device(self, volume_id: str) -> tuple[Blocks, bytes | None]:
        """The blocks of an attached volume, and the key to them.

        Raises:
            LookupError: where no running instance has it attached.
        """
        volume = moto_ebs.find_volume(volume_id)
        stored = self._find(volume_id)
        if volume is None or stored is None:
            raise LookupError(f"There is no volume {volume_id}")
        if volume.attachment is None:
            raise LookupError("No such device: the volume is not attached to an instance")
        if not volume.attachment.instance.is_running():
            raise LookupError("No such device: the instance is not running")
        stored.blocks.size = int(volume.size) * _GIB  # ModifyVolume may have made it larger
        attached = self._attached.get(volume_id)
        return stored.blocks, attached.key if attached else None

    # --- instances -----------------------------------------------------------------------------

    def _run_instances(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        there = moto_ebs.backend(call.account, call.region)
        image_id = call.parameters.get("ImageId", "")
        if moto_ebs.is_anothers_image(call.account, call.region, image_id):
            raise AWSError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        # moto would make a key of its own, in a KMS that nobody sees.
        there.default_kms_key_id = keys.AWS_MANAGED
        asked = {
            each.get("DeviceName"): each.get("Ebs") or {}
            for each in call.parameters.get("BlockDeviceMappings", [])
        }
        with moto_ebs.with_shared_images(call.account, call.region):
            response = ask_moto()
        image = moto_ebs.image_for(call.account, call.region, image_id)
        for instance_id in _ids(response, "instanceId"):
            instance = moto_ebs.instance(call.account, call.region, instance_id)
            try:
                for device, mapping in list(instance.block_device_mapping.items()):
                    root = image if image and image.root_device_name == device else None
                    self._add_device(
                        gateway, call, instance_id, mapping.volume_id, asked.get(device, {}), root
                    )
            except AWSError:
                there.terminate_instances([instance_id])
                self._sweep(gateway)
                _explain(instance)
        return response

    def _add_device(
        self,
        gateway: Gateway,
        call: Call,
        instance_id: str,
        volume_id: str,
        asked: dict[str, Any],
        image: Any,
    ) -> None:
        """Give a device of a new instance its key and content.

        Args:
            image: for the root device the image, whose snapshot is its content unless the request
                names another. Whoever may launch the image needs no permission for the snapshot.
        """
        volume = moto_ebs.backend(call.account, call.region).volumes[volume_id]
        source = None
        if asked.get("SnapshotId"):
            source = self._of_snapshot(self._usable(call, asked["SnapshotId"]))
        elif image is not None and image.ebs_snapshot.id in self._stored:
            source = self._of_snapshot(image.ebs_snapshot)  # AWS's own images are empty
        key_id = self._key_for(
            gateway, call, bool(asked.get("Encrypted")), asked.get("KmsKeyId"), source
        )
        self._fill_volume(gateway, call, volume, source, key_id)
        self._unlock(gateway, call, volume_id, instance_id)

    def _stop_instances(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        response = ask_moto()
        if response.status < 400:
            for attached in self._attached_to(call.parameters["InstanceIds"]).values():
                attached.key = None
        return response

    def _start_instances(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """Start instances; one whose disk cannot be opened is soon stopped again."""
        response = ask_moto()
        if response.status >= 400:
            return response
        for volume_id, attached in self._attached_to(call.parameters["InstanceIds"]).items():
            stored = self._stored[volume_id]
            assert stored.key is not None
            try:
                attached.key = infrastructure.open_key(gateway, call, attached.held, stored.key)
            except AWSError:
                there = moto_ebs.backend(call.account, call.region)
                there.stop_instances([attached.instance_id])
                _explain(moto_ebs.instance(call.account, call.region, attached.instance_id))
        return response

    def _terminate_instances(self, gateway: Gateway, _: Call, ask_moto: AskMoto) -> Answer:
        response = ask_moto()
        self._sweep(gateway)
        return response

    def _attached_to(self, instance_ids: list[str]) -> dict[str, _Attached]:
        return {v: a for v, a in self._attached.items() if a.instance_id in instance_ids}

    def _sweep(self, gateway: Gateway) -> None:
        """Forget the keys of volumes that are no longer attached."""
        for volume_id in list(self._attached):
            volume = moto_ebs.find_volume(volume_id)
            if volume is None or volume.attachment is None:
                self._lock(gateway, volume_id)
            if volume is None:
                self._stored.pop(volume_id, None)

    def _create_image(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """An image of an instance: its snapshot has the root volume's content and key."""
        response = ask_moto()
        for image_id in _ids(response, "imageId"):
            there = moto_ebs.backend(call.account, call.region)
            instance = moto_ebs.instance(call.account, call.region, call.parameters["InstanceId"])
            root = instance.block_device_mapping.get("/dev/sda1") if instance else None
            if root is not None:
                snapshot = there.amis[image_id].ebs_snapshot
                snapshot.volume = there.volumes[root.volume_id]
                self._take(snapshot)
        return response

    def _describe_images(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        with moto_ebs.with_shared_images(call.account, call.region):
            return ask_moto()

    def _copy_image(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """A copy of an image, whose snapshot is encrypted as a snapshot's copy is.

        Source: Amazon EC2 User Guide, "Copy an AMI": of a shared image the owner must share the
        storage, too. The words are AWS's, as users report them.
        """
        parameters = call.parameters
        wanted, region = parameters["SourceImageId"], parameters["SourceRegion"]
        original = moto_ebs.image_for(call.account, region, wanted)
        if original is not None:
            storage = original.ebs_snapshot.id
            if moto_ebs.snapshot_for(call.account, region, storage) is None:
                raise AWSError(
                    "InvalidRequest", "You do not have permission to access the storage of this ami"
                )
        with moto_ebs.with_shared_images(call.account, region):
            response = ask_moto()
        for image_id in _ids(response, "imageId"):
            image = moto_ebs.backend(call.account, call.region).amis[image_id]
            source = self._of_snapshot(original.ebs_snapshot)
            encrypted = bool(parameters.get("Encrypted"))
            key_id = keys.check_parameters(call, encrypted=encrypted or source.key is not None)
            key_id = self._key_for(gateway, call, encrypted, key_id, source, same_as_source=False)
            snapshot = image.ebs_snapshot
            new = Stored(snapshot.id, call.account, call.region, source.blocks.copy())
            try:
                keys.fill(gateway, call, new, source, key_id)
            except AWSError:
                image.state = "failed"
                _fail(snapshot, "Given key ID is not accessible")
            snapshot.encrypted = key_id is not None
            snapshot.kms_key_id = new.key.key_arn if new.key else None
            self._stored[snapshot.id] = new
        return response

    def _share_image(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """Share an image: not with others while its snapshot is under the AWS managed key."""
        parameters = call.parameters
        there = moto_ebs.backend(call.account, call.region)
        image = there.amis.get(parameters["ImageId"])
        adds = (parameters.get("LaunchPermission") or {}).get("Add", [])
        if parameters.get("OperationType") == "add":
            adds = [*adds, *parameters.get("UserIds", []), *parameters.get("UserGroups", [])]
        stored = self._stored.get(image.ebs_snapshot.id) if image is not None else None
        if adds and stored is not None and stored.key is not None:
            key = infrastructure.key_of(gateway, stored.key.key_arn)
            if key is not None and key.manager == "AWS":  # AWS's words, as users report them
                raise AWSError(
                    "InvalidParameter",
                    "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify "
                    "another snapshot.",
                )
        return ask_moto()

    # --- snapshots -----------------------------------------------------------------------------

    def _create_snapshots(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Answer:
        """Snapshots keep the volume's wrapped data key, bound to the volume's id."""
        response = ask_moto()
        there = moto_ebs.backend(call.account, call.region)
        made = [there.snapshots[name] for name in _ids(response, "snapshotId")]
        for snapshot in made:
            self._take(snapshot)
        if call.operation == "CreateSnapshot" and made:
            return {**_described(made[0]), "State": "pending", "Progress": ""}
        return response

    def _take(self, snapshot: Any) -> None:
        volume = self._find(snapshot.volume.id)
        assert volume is not None
        owner = (volume.account, volume.region)
        self._stored[snapshot.id] = Stored(snapshot.id, *owner, volume.blocks.copy(), volume.key)
        snapshot.encrypted = volume.key is not None
        snapshot.kms_key_id = volume.key.key_arn if volume.key else None

    def _copy_snapshot(self, gateway: Gateway, call: Call, _: AskMoto) -> Answer:
        parameters = call.parameters
        wanted, region = parameters["SourceSnapshotId"], parameters["SourceRegion"]
        found = moto_ebs.snapshot_for(call.account, region, wanted)
        source = self._of_snapshot(found) if found else None
        source_encrypted = source is not None and source.key is not None
        if source_encrypted and parameters.get("Encrypted") is False:
            raise AWSError(  # that it is refused: botocore CopySnapshot; the words are inferred
                "InvalidParameterValue",
                "Value (false) for parameter encrypted is invalid. A copy of an encrypted "
                "snapshot is always encrypted.",
            )
        encrypted = bool(parameters.get("Encrypted"))
        key_id = keys.check_parameters(call, encrypted=encrypted or source_encrypted)
        key_id = self._key_for(gateway, call, encrypted, key_id, source, same_as_source=False)
        snapshot = moto_ebs.new_snapshot(
            call, parameters.get("Description", ""), found.volume.size if found else None
        )
        snapshot.add_tags(moto_ebs.tags(call, "snapshot"))
        snapshot.encrypted = key_id is not None
        snapshot.kms_key_id = key_id and infrastructure.full_arn(gateway, call, key_id)
        new = Stored(snapshot.id, call.account, call.region, Blocks(0))
        if source is None or found.status == "error":
            # The request is accepted, the copy fails: as users report it.
            _fail(snapshot, "Source snapshot is not found")
        else:
            new.blocks.size = source.blocks.size
            try:
                keys.fill(gateway, call, new, source, key_id)
            except AWSError:
                _fail(snapshot, "Given key ID is not accessible")
        self._stored[snapshot.id] = new
        return {"SnapshotId": snapshot.id, "Tags": moto_ebs.listed_tags(snapshot)}

    def _describe_snapshots(self, _: Gateway, call: Call, __: AskMoto) -> Answer:
        parameters = call.parameters
        own = moto_ebs.backend(call.account, call.region).snapshots.values()
        found = [*own, *moto_ebs.shared_with(call.account, call.region)]
        named = parameters.get("SnapshotIds")
        if named:
            found = [each for each in found if each.id in named]
            missing = [name for name in named if name not in {each.id for each in found}]
            if missing:
                raise _not_found(missing[0])
        owners = [
            call.account if owner == "self" else owner for owner in parameters.get("OwnerIds", [])
        ]
        if owners:
            found = [each for each in found if each.owner_id in owners]
        if parameters.get("RestorableByUserIds"):
            users = {call.account if u == "self" else u for u in parameters["RestorableByUserIds"]}
            found = [
                each
                for each in found
                if users & (each.create_volume_permission_userids | {each.owner_id})
                or ("all" in each.create_volume_permission_groups and "all" in users)
            ]
        return {"Snapshots": [_described(each) for each in moto_ebs.filtered(call, found)]}

    def _share_snapshot(self, gateway: Gateway, call: Call, _: AskMoto) -> Answer:
        parameters = call.parameters
        there = moto_ebs.backend(call.account, call.region)
        snapshot = there.snapshots.get(parameters["SnapshotId"])
        if snapshot is None:
            raise _not_found(parameters["SnapshotId"])
        change = parameters.get("CreateVolumePermission") or {}
        adds, removes = list(change.get("Add", [])), list(change.get("Remove", []))
        listed = [{"UserId": user} for user in parameters.get("UserIds", [])]
        listed += [{"Group": group} for group in parameters.get("GroupNames", [])]
        (removes if parameters.get("OperationType") == "remove" else adds).extend(listed)
        stored = self._of_snapshot(snapshot)
        if adds and stored.key is not None:
            _check_sharing(gateway, stored, adds)
        users, groups = (
            snapshot.create_volume_permission_userids,
            snapshot.create_volume_permission_groups,
        )
        for given, change_set in ((adds, set.add), (removes, set.discard)):
            for each in given:
                if "UserId" in each:
                    change_set(users, each["UserId"])
                if "Group" in each:
                    change_set(groups, each["Group"])
        return {}

    def _unshare_snapshot(self, _: Gateway, call: Call, __: AskMoto) -> Answer:
        there = moto_ebs.backend(call.account, call.region)
        snapshot = there.snapshots.get(call.parameters["SnapshotId"])
        if snapshot is None:
            raise _not_found(call.parameters["SnapshotId"])
        snapshot.create_volume_permission_userids.clear()
        snapshot.create_volume_permission_groups.clear()
        return {}

    # --- encryption by default -----------------------------------------------------------------

    def _default_key(self, _: Gateway, call: Call, __: AskMoto) -> Answer:
        return {"KmsKeyId": self._settings_of(call).key_id or keys.AWS_MANAGED}

    def _modify_default_key(self, gateway: Gateway, call: Call, _: AskMoto) -> Answer:
        """Set the default key. It is looked at only when something is to be encrypted."""
        key_id = str(call.parameters["KmsKeyId"])
        chosen = infrastructure.full_arn(gateway, call, key_id)
        self._settings_of(call).key_id = None if key_id.endswith(keys.AWS_MANAGED) else chosen
        return {"KmsKeyId": chosen}

    def _reset_default_key(self, _: Gateway, call: Call, __: AskMoto) -> Answer:
        self._settings_of(call).key_id = None
        return {"KmsKeyId": keys.AWS_MANAGED}

    def _settings_of(self, call: Call) -> Settings:
        return self._settings.setdefault((call.account, call.region), Settings())

    def _key_for(
        self,
        gateway: Gateway,
        call: Call,
        encrypted: bool,
        key_id: str | None,
        source: Stored | None,
        *,
        same_as_source: bool = True,
    ) -> str | None:
        there = moto_ebs.backend(call.account, call.region)
        return keys.choose(
            gateway,
            call,
            self._settings_of(call),
            encrypted=encrypted or there.ebs_encryption_by_default,
            key_id=key_id,
            source=source,
            same_as_source=same_as_source,
        )

    # --- what is stored ------------------------------------------------------------------------

    def _usable(self, call: Call, snapshot_id: str) -> Any:
        """A snapshot to make a volume from.

        Raises:
            AWSError: where there is none for this account, or it is not complete.
        """
        snapshot = moto_ebs.snapshot_for(call.account, call.region, snapshot_id)
        if snapshot is None:
            raise _not_found(snapshot_id)
        if snapshot.status != "completed":  # the words are inferred
            raise AWSError(
                "IncorrectState", f"Snapshot {snapshot_id} is in invalid state - {snapshot.status}"
            )
        return snapshot

    def _of_snapshot(self, snapshot: Any) -> Stored:
        found = self._find(snapshot.id)
        assert found is not None
        return found

    def _find(self, disk_id: str) -> Stored | None:
        """What is stored of a volume or snapshot; those that moto made by itself are empty."""
        if disk_id in self._stored:
            return self._stored[disk_id]
        for each in moto_ebs.backends():
            known = each.volumes.get(disk_id) or each.snapshots.get(disk_id)
            if known is not None:
                size = getattr(known, "size", None) or known.volume.size
                made = Stored(disk_id, each.account_id, each.region_name, Blocks(size * _GIB))
                return self._stored.setdefault(disk_id, made)
        return None


def _described(snapshot: Any) -> dict[str, Any]:
    """A snapshot as DescribeSnapshots shows it."""
    shown = {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume.id,
        "VolumeSize": snapshot.volume.size,
        "State": snapshot.status,
        "StateMessage": getattr(snapshot, "state_message", None),
        "StartTime": snapshot.start_time,
        "Progress": "100%" if snapshot.status == "completed" else "0%",
        "OwnerId": snapshot.owner_id,
        "Description": snapshot.description or "",
        "Encrypted": bool(snapshot.encrypted),
        "KmsKeyId": snapshot.kms_key_id or None,
        "StorageTier": snapshot.storage_tier,
        "Tags": moto_ebs.listed_tags(snapshot),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _check_sharing(gateway: Gateway, stored: Stored, adds: list[Any]) -> None:
    """Facts EBS-01: never publicly, and not under the AWS managed key.

    Raises:
        AWSError: OperationNotPermitted. The words about the default key are AWS's, as users
            report them; those about the public are inferred.
    """
    assert stored.key is not None
    if any(each.get("Group") == "all" for each in adds):
        raise AWSError("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly")
    key = infrastructure.key_of(gateway, stored.key.key_arn)
    if key is not None and key.manager == "AWS":
        raise AWSError(
            "OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared"
        )


def _check_size(size: int | None, snapshot: Any) -> None:
    """A volume is not smaller than its snapshot.

    Raises:
        AWSError: InvalidParameterValue, in words as users report them.
    """
    if size is not None and size < snapshot.volume.size:
        raise AWSError(
            "InvalidParameterValue",
            f"Volume of size {size}GB is smaller than snapshot '{snapshot.id}', expect size >= "
            f"{snapshot.volume.size}GB",
        )


def _not_found(snapshot_id: str) -> AWSError:
    return AWSError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def _fail(snapshot: Any, message: str) -> None:
    snapshot.status, snapshot.state_message = "error", message


def _explain(instance: Any) -> None:
    """Why an instance went away again, as DescribeInstances says it.

    Source: Amazon EC2 User Guide, "Instance terminates immediately": an encrypted volume whose
    key is not accessible.
    """
    instance.state_reason.code = "Client.InternalError"
    instance.state_reason.message = "Client.InternalError: Client error on launch"


def _ids(response: Response, element: str) -> list[str]:
    """The ids in an answer of moto's, in their order, each once."""
    if response.status >= 400:
        return []
    found = re.findall(rf"<{element}>([a-z]+-[0-9a-f]+)</{element}>", response.body.decode())
    return list(dict.fromkeys(found))
