"""The key log: the secrets of a session, as programs write them for debugging.

Format: "The SSLKEYLOGFILE Format for TLS" (RFC 9850). Whoever has this file reads everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

CLIENT_HANDSHAKE = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
SERVER_HANDSHAKE = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
CLIENT_APPLICATION = "CLIENT_TRAFFIC_SECRET_0"
SERVER_APPLICATION = "SERVER_TRAFFIC_SECRET_0"
TLS12_MASTER = "CLIENT_RANDOM"


@dataclass(frozen=True)
class KeyLog:
    """Secrets by client random and label. Its repr shows no secret."""

    secrets: Mapping[tuple[bytes, str], bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> KeyLog:
        """Read a key log. Comments, and lines that are not of the format, are passed over."""
        found: dict[tuple[bytes, str], bytes] = {}
        for line in text.splitlines():
            parts = line.split()
            if len(parts) != 3 or parts[0].startswith("#"):
                continue
            try:
                found[bytes.fromhex(parts[1]), parts[0]] = bytes.fromhex(parts[2])
            except ValueError:
                continue
        return cls(found)

    def secret(self, client_random: bytes, label: str) -> bytes | None:
        return self.secrets.get((client_random, label))

    def labels(self) -> tuple[str, ...]:
        """Which secrets are here, in order."""
        return tuple(label for _, label in self.secrets)

    def __iter__(self) -> Iterator[tuple[bytes, str]]:
        return iter(self.secrets)

    def __len__(self) -> int:
        return len(self.secrets)

    def __repr__(self) -> str:
        return f"KeyLog({', '.join(self.labels())})"
