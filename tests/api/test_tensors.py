"""Tensors of PyTorch arrive as they were, with their memory beside the pickle."""

from __future__ import annotations

import pickle

import pytest

from bgpy import Client, respond
from bgpy._by_value import dumps

torch = pytest.importorskip("torch")

HOST = "127.0.0.1"

TENSORS = {
    "large": torch.arange(1 << 20, dtype=torch.float64).reshape(1024, 1024),
    "bfloat16": torch.arange(1000, dtype=torch.bfloat16),
    "booleans": torch.arange(1000) % 3 == 0,
    "transposed": torch.arange(1 << 16).reshape(256, 256).t(),
    "part": torch.arange(1 << 16)[1000:2000:3],
    "no elements": torch.zeros(0, 7),
    "no dimensions": torch.tensor(7.5),
    "with gradient": torch.ones(1000, requires_grad=True),
    "parameter": torch.nn.Parameter(torch.ones(1000)),
}


@pytest.fixture
def client(start):
    """Return a client whose calls return what they were given."""
    client = Client(HOST, start().port)
    client.initialize(dict, lambda caller, state, args: respond(caller, args), print)
    return client


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_comes_back_as_it_was(client, name):
    tensor = TENSORS[name]
    expected = pickle.loads(pickle.dumps(tensor))
    for _ in range(4):
        received = client.call(tensor)
        assert type(received) is type(expected)
        assert received.dtype == expected.dtype
        assert received.stride() == expected.stride()
        assert received.requires_grad == expected.requires_grad
        assert torch.equal(received, expected)
        with torch.no_grad():
            received.fill_(1)


def test_a_model_keeps_its_parameters(client):
    model = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1))
    received = client.call({"model": model})["model"]
    inputs = torch.ones(3, 512)
    assert torch.equal(received(inputs), model(inputs))


def test_its_memory_is_beside_the_pickle():
    tensor = torch.ones(1 << 20)
    data, buffers, _ = dumps([tensor, tensor[10:20]], 10)
    assert len(data) < 2000
    assert [buffer.nbytes for buffer in buffers] == [4 << 20] * 2
    del tensor
    assert bytes(buffers[0][:4]) == b"\0\0\x80\x3f"
