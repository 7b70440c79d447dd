"""A volume as the operating system of its instance sees it: bytes, while it is attached."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from kmscourse.cloud.at_rest.blocks import Blocks


@dataclass(frozen=True, slots=True)
class Disk:
    """A block device of an instance.

    Attributes:
        volume_id: the volume behind it.
    """

    volume_id: str
    _open: Callable[[str], tuple[Blocks, bytes | None]]

    @property
    def size(self) -> int:
        """In bytes."""
        return self._device()[0].size

    def read(self, offset: int = 0, length: int = 512) -> bytes:
        """Read bytes; those never written are zeros.

        Raises:
            OSError: ENXIO, where no running instance has the volume attached.
            ValueError: for bytes beyond the end of the disk.
        """
        blocks, key = self._device()
        return blocks.read(key, offset, length)

    def write(self, offset: int, data: bytes) -> int:
        """Write bytes.

        Returns:
            How many.

        Raises:
            OSError: ENXIO, where no running instance has the volume attached.
            ValueError: for bytes beyond the end of the disk.
        """
        blocks, key = self._device()
        blocks.write(key, offset, data)
        return len(data)

    def _device(self) -> tuple[Blocks, bytes | None]:
        try:
            return self._open(self.volume_id)
        except LookupError as error:
            raise OSError(errno.ENXIO, str(error.args[0]), self.volume_id) from error

    def __repr__(self) -> str:
        return f"<Disk {self.volume_id}>"
