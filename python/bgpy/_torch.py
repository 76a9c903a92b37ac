"""Pickling the memory of PyTorch's tensors out of band.

PyTorch pickles a storage as a file in its own format, within the pickle. Only that is replaced; the
rest of a tensor is pickled as PyTorch defines.
"""

from __future__ import annotations

import ctypes
import pickle

import torch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Storage: type = torch.storage.TypedStorage


def reduce(storage: Any) -> Any:
    """Reduce a storage to its memory, if that is on the CPU.

    Parameters
    ----------
    storage : torch.storage.TypedStorage
        Storage of a tensor.

    Returns
    -------
    tuple, or NotImplemented
        Its reduction; NotImplemented leaves it to PyTorch.
    """
    # The public accessor emits a deprecation warning.
    untyped = storage._untyped_storage
    if untyped.device.type != "cpu":
        return NotImplemented
    memory = (ctypes.c_ubyte * untyped.nbytes()).from_address(untyped.data_ptr() or 1)
    # The view of the memory keeps the storage alive.
    memory.owner = untyped
    return restore, (pickle.PickleBuffer(memory), storage.dtype)


def restore(memory: Any, dtype: torch.dtype) -> Any:
    """Make a storage that uses the given memory, without copying.

    Parameters
    ----------
    memory : object with a writable buffer
        Bytes of the storage.
    dtype : torch.dtype
        Type of its elements.

    Returns
    -------
    torch.storage.TypedStorage
        The storage.
    """
    if memoryview(memory).nbytes:
        untyped = torch.frombuffer(memory, dtype=torch.uint8).untyped_storage()
    else:
        untyped = torch.UntypedStorage(0)
    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)
