"""Custom key stores: keys in a CloudHSM cluster, or in a key manager outside AWS.

There is neither cluster nor key manager behind them on one machine: the simulator holds the
material itself. What is real are the states, the rules and the errors that follow from them.
Source: botocore kms, the custom key store operations; AWS KMS Developer Guide, "Key stores".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kmscourse import facts
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import specs
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.service import KMS, Region, operation

CLOUDHSM = "AWS_CLOUDHSM"
EXTERNAL = "EXTERNAL_KEY_STORE"
CONNECTED, CONNECTING = "CONNECTED", "CONNECTING"
DISCONNECTED, DISCONNECTING = "DISCONNECTED", "DISCONNECTING"

_CLOUDHSM_ONLY = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_EXTERNAL_ONLY = (
    "XksProxyConnectivity", "XksProxyAuthenticationCredential", "XksProxyUriEndpoint",
    "XksProxyUriPath",
)  # fmt: skip
_VPC = "XksProxyVpcEndpointServiceName"
_OWNER = "XksProxyVpcEndpointServiceOwner"


@dataclass(slots=True)
class KeyStore:
    """A custom key store of one account and Region.

    Attributes:
        settings: what it was created with, by the names of CreateCustomKeyStore.
        state: the ConnectionState.
    """

    id: str
    kind: str
    name: str
    created: datetime
    settings: dict[str, Any] = field(repr=False)
    state: str = DISCONNECTED

    def of_key(self, key: Key) -> dict[str, Any]:
        """What DescribeKey says about a key in this store."""
        shown: dict[str, Any] = {"CustomKeyStoreId": self.id}
        if self.kind == CLOUDHSM:
            shown["CloudHsmClusterId"] = self.settings["CloudHsmClusterId"]
        else:
            shown["XksKeyConfiguration"] = {"Id": key.external_key_id}
        return shown

    def listed(self) -> dict[str, Any]:
        """As DescribeCustomKeyStores shows it: never with its secrets."""
        entry: dict[str, Any] = {
            "CustomKeyStoreId": self.id,
            "CustomKeyStoreName": self.name,
            "CustomKeyStoreType": self.kind,
            "ConnectionState": self.state,
            "CreationDate": self.created,
        }
        if self.kind == CLOUDHSM:
            shown = ("CloudHsmClusterId", "TrustAnchorCertificate")
            return entry | {name: self.settings[name] for name in shown}
        proxy = {
            "Connectivity": self.settings["XksProxyConnectivity"],
            "AccessKeyId": self.settings["XksProxyAuthenticationCredential"]["AccessKeyId"],
            "UriEndpoint": self.settings["XksProxyUriEndpoint"],
            "UriPath": self.settings["XksProxyUriPath"],
        }
        if _VPC in self.settings:
            proxy["VpcEndpointServiceName"] = self.settings[_VPC]
        if _OWNER in self.settings:
            proxy["VpcEndpointServiceOwner"] = self.settings[_OWNER]
        return entry | {"XksProxyConfiguration": proxy}


def for_new_key(
    there: Region, parameters: dict[str, Any], spec: str, origin: str, multi_region: bool
) -> KeyStore | None:
    """The key store that a CreateKey names; None for a key in KMS itself.

    Raises:
        AWSError: where the store is not there or not connected, or cannot hold such a key.
    """
    store_id = parameters.get("CustomKeyStoreId")
    if origin == EXTERNAL and "XksKeyId" not in parameters:
        raise _invalid("XksKeyId is required for a key with the origin EXTERNAL_KEY_STORE.")
    if origin != EXTERNAL and "XksKeyId" in parameters:
        raise _invalid("XksKeyId is only valid with the origin EXTERNAL_KEY_STORE.")
    if (store_id is None) != (origin not in (CLOUDHSM, EXTERNAL)):
        raise _invalid(f"CustomKeyStoreId and the origin {origin} do not go together.")
    if store_id is None:
        return None
    if spec != specs.SYMMETRIC or multi_region:
        raise AWSError(
            "UnsupportedOperationException",
            "A custom key store holds single-Region symmetric encryption keys only.",
        )
    store = find(there, store_id)
    if store.kind != origin:
        raise AWSError(
            "UnsupportedOperationException",
            f"The custom key store {store_id} is of the type {store.kind}.",
        )
    _check_state(store, {CONNECTED})
    taken = {key.external_key_id for key in there.keys.values() if key.store is store}
    if origin == EXTERNAL and parameters["XksKeyId"] in taken:
        raise AWSError(
            "XksKeyAlreadyInUseException",
            f"The external key {parameters['XksKeyId']} is already associated with a KMS key.",
        )
    return store


def for_random(there: Region, store_id: str | None) -> None:
    """Whether random bytes can come from a key store.

    Raises:
        AWSError: where it is no CloudHSM key store, or not connected.
    """
    if store_id is None:
        return
    store = find(there, store_id)
    if store.kind != CLOUDHSM:
        raise AWSError(
            "UnsupportedOperationException", "An external key store makes no random bytes."
        )
    _check_state(store, {CONNECTED})


def find(there: Region, store_id: str) -> KeyStore:
    """The key store of an id.

    Raises:
        AWSError: ``CustomKeyStoreNotFoundException``.
    """
    store = there.stores.get(store_id)
    if store is None:
        raise AWSError(
            "CustomKeyStoreNotFoundException", f"The custom key store {store_id} is not found."
        )
    return store


@operation("CreateCustomKeyStore", on="account")
def create_custom_key_store(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """A key store, not yet connected."""
    parameters = call.parameters
    there = kms.region(call.account, call.region)
    kind = parameters.get("CustomKeyStoreType", CLOUDHSM)
    _check_settings(kind, parameters)
    _check_free(there, None, kind, parameters["CustomKeyStoreName"], parameters)
    most = int(facts.limit("kms.custom-key-stores"))
    if len(there.stores) >= most:
        raise AWSError("LimitExceededException", f"There are {most} custom key stores already.")
    names = (*_CLOUDHSM_ONLY, *_EXTERNAL_ONLY, _VPC, _OWNER)
    store = KeyStore(
        id=f"cks-{kms.random.hex(17)}",
        kind=kind,
        name=parameters["CustomKeyStoreName"],
        created=call.time,
        settings={name: parameters[name] for name in names if name in parameters},
    )
    there.stores[store.id] = store
    return {"CustomKeyStoreId": store.id}


@operation("DescribeCustomKeyStores", on="account")
def describe_custom_key_stores(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """All key stores of the account and Region, or one of them."""
    there = kms.region(call.account, call.region)
    store_id, name = (call.parameters.get(f"CustomKeyStore{what}") for what in ("Id", "Name"))
    if store_id is not None and name is not None:
        raise _invalid("Specify CustomKeyStoreId or CustomKeyStoreName, not both.")
    found = [
        store
        for store in there.stores.values()
        if store_id in (None, store.id) and name in (None, store.name)
    ]
    if not found and (store_id or name):
        raise AWSError(
            "CustomKeyStoreNotFoundException",
            f"The custom key store {store_id or name} is not found.",
        )
    return page(call, "CustomKeyStores", [store.listed() for store in found], 100)


@operation("ConnectCustomKeyStore", on="account")
def connect_custom_key_store(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Connect: from then on the keys in the store can be used."""
    store = find(kms.region(call.account, call.region), call.parameters["CustomKeyStoreId"])
    _check_state(store, {CONNECTED, CONNECTING, DISCONNECTED})
    if store.state == DISCONNECTED:
        _pass_through(kms, call, store, CONNECTING, CONNECTED)
    return {}


@operation("DisconnectCustomKeyStore", on="account")
def disconnect_custom_key_store(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Disconnect: the keys in the store become Unavailable."""
    store = find(kms.region(call.account, call.region), call.parameters["CustomKeyStoreId"])
    _check_state(store, {CONNECTED, CONNECTING})
    _pass_through(kms, call, store, DISCONNECTING, DISCONNECTED)
    return {}


@operation("UpdateCustomKeyStore", on="account")
def update_custom_key_store(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Change a key store: its name at any time, anything else while it is disconnected."""
    parameters = call.parameters
    there = kms.region(call.account, call.region)
    store = find(there, parameters["CustomKeyStoreId"])
    names = (*_CLOUDHSM_ONLY, *_EXTERNAL_ONLY, _VPC, _OWNER)
    changed = {name: parameters[name] for name in names if name in parameters}
    new_name = parameters.get("NewCustomKeyStoreName")
    if not changed and new_name is None:
        raise _invalid("Specify at least one property to change.")
    _check_state(store, {DISCONNECTED} if changed else {DISCONNECTED, CONNECTED})
    _check_kind(store.kind, changed)
    if store.kind == CLOUDHSM and "CloudHsmClusterId" in changed:
        _check_related(store, changed["CloudHsmClusterId"])
    settings = store.settings | changed
    _check_vpc(settings, store.kind)
    _check_free(there, store, store.kind, new_name or store.name, settings)
    store.settings = settings
    store.name = new_name or store.name
    return {}


@operation("DeleteCustomKeyStore", on="account")
def delete_custom_key_store(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Forget a key store that holds no keys; the cluster or key manager stays as it is."""
    there = kms.region(call.account, call.region)
    store = find(there, call.parameters["CustomKeyStoreId"])
    _check_state(store, {DISCONNECTED})
    if any(key.store is store for key in there.keys.values()):
        raise AWSError(
            "CustomKeyStoreHasCMKsException", f"The custom key store {store.id} has KMS keys."
        )
    del there.stores[store.id]
    return {}


def _pass_through(kms: KMS, call: Call, store: KeyStore, through: str, to: str) -> None:
    store.state = through

    def arrive(when: datetime) -> None:
        if store.state == through:
            store.state = to

    kms.in_the_background(call, arrive)


def _check_state(store: KeyStore, allowed: set[str]) -> None:
    if store.state not in allowed:
        raise AWSError(
            "CustomKeyStoreInvalidStateException",
            f"The custom key store {store.id} is {store.state}: the operation needs it "
            f"{' or '.join(sorted(allowed))}.",
        )


def _check_settings(kind: str, parameters: dict[str, Any]) -> None:
    _check_kind(kind, parameters)
    needed = _CLOUDHSM_ONLY if kind == CLOUDHSM else _EXTERNAL_ONLY
    missing = [name for name in needed if name not in parameters]
    if missing:
        raise _invalid(f"A custom key store of the type {kind} needs {', '.join(missing)}.")
    _check_vpc(parameters, kind)


def _check_kind(kind: str, parameters: dict[str, Any]) -> None:
    foreign = (*_EXTERNAL_ONLY, _VPC, _OWNER) if kind == CLOUDHSM else _CLOUDHSM_ONLY
    wrong = [name for name in foreign if name in parameters]
    if wrong:
        raise _invalid(f"{', '.join(wrong)} is not valid for a custom key store of type {kind}.")


def _check_vpc(parameters: dict[str, Any], kind: str) -> None:
    if kind != EXTERNAL:
        return
    through_vpc = parameters["XksProxyConnectivity"] == "VPC_ENDPOINT_SERVICE"
    if through_vpc != (_VPC in parameters):
        raise _invalid(f"{_VPC} goes with the XksProxyConnectivity VPC_ENDPOINT_SERVICE.")


def _check_free(
    there: Region, own: KeyStore | None, kind: str, name: str, settings: dict[str, Any]
) -> None:
    """Names, clusters and proxies are taken once. Source: botocore kms CreateCustomKeyStore."""
    for store in there.stores.values():
        if store is own:
            continue
        if store.name == name:
            raise AWSError("CustomKeyStoreNameInUseException", f"The name {name} is in use.")
        if store.kind != kind:
            continue
        if kind == CLOUDHSM:
            if store.settings["CloudHsmClusterId"] == settings["CloudHsmClusterId"]:
                raise AWSError("CloudHsmClusterInUseException")
            continue
        endpoint = store.settings["XksProxyUriEndpoint"] == settings["XksProxyUriEndpoint"]
        path = store.settings["XksProxyUriPath"] == settings["XksProxyUriPath"]
        if endpoint and path:
            raise AWSError("XksProxyUriInUseException")
        if endpoint and _VPC in settings:
            raise AWSError("XksProxyUriEndpointInUseException")
        if _VPC in settings and store.settings.get(_VPC) == settings[_VPC]:
            raise AWSError("XksProxyVpcEndpointServiceInUseException")


def _check_related(store: KeyStore, cluster: str) -> None:
    """No two clusters share a backup history here: there are none behind their ids."""
    if store.settings["CloudHsmClusterId"] != cluster:
        raise AWSError("CloudHsmClusterNotRelatedException")


def _invalid(words: str) -> AWSError:
    return AWSError("ValidationException", words)
