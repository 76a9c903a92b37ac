"""Memory of PyTorch's tensors beside the pickle, instead of in it.

PyTorch has its storages pickled as a file of its own format within the pickle. The rest of a tensor
is pickled as PyTorch has it.
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
    """Reduce a storage to its memory, where that is the processor's.

    Parameters
    ----------
    storage : torch.storage.TypedStorage
        What a tensor lies in.

    Returns
    -------
    tuple, or NotImplemented
        What `pickle` is to make of it; NotImplemented leaves it to PyTorch.
    """
    # The public way to it warns its caller off storages.
    untyped = storage._untyped_storage
    if untyped.device.type != "cpu":
        return NotImplemented
    memory = (ctypes.c_ubyte * untyped.nbytes()).from_address(untyped.data_ptr() or 1)
    # Whoever holds the memory holds what it belongs to.
    memory.owner = untyped
    return restore, (pickle.PickleBuffer(memory), storage.dtype)


def restore(memory: Any, dtype: torch.dtype) -> Any:
    """Make a storage that lies in the given memory.

    Parameters
    ----------
    memory : object with a writable buffer
        Its bytes.
    dtype : torch.dtype
        The type of its elements.

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
