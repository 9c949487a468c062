"""A checkpoint is read whole or not at all, and the one before it is still there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kptool.engine import checkpoint


def tensors(seed: int = 0) -> checkpoint.Tensors:
    torch.manual_seed(seed)
    return {
        "model/w": torch.randn(3, 5, 7, 2).contiguous(memory_format=torch.channels_last),
        "model/count": torch.tensor(11),
        "model/half": torch.randn(4).bfloat16(),
        "model/none": torch.zeros(0, 3),
    }


def test_round_trip(tmp_path: Path) -> None:
    state = {"epoch": 3, "best": None, "history": [[1, 0.5, None, 2.0, 3.0]]}
    checkpoint.save(tmp_path / "a.safetensors", tensors(), state)
    found = checkpoint.load(tmp_path / "a.safetensors")
    assert found is not None
    assert found[1] == state
    for name, tensor in tensors().items():
        assert found[0][name].dtype == tensor.dtype
        assert torch.equal(found[0][name], tensor)


def test_two_generations(tmp_path: Path) -> None:
    last, previous = tmp_path / "last.safetensors", tmp_path / "previous.safetensors"
    for epoch in range(3):
        checkpoint.save(last, tensors(epoch), {"epoch": epoch}, previous)
    assert [checkpoint.load(p)[1]["epoch"] for p in (last, previous)] == [2, 1]  # type: ignore[index]
    last.write_bytes(last.read_bytes()[:-9])
    newest = checkpoint.load_newest(last, previous)
    assert newest is not None
    assert newest[1]["epoch"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.safetensors", "previous.safetensors"]


@pytest.mark.parametrize("where", [0, 0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_changed_byte_is_noticed(tmp_path: Path, where: float) -> None:
    file = tmp_path / "a.safetensors"
    checkpoint.save(file, tensors(), {"epoch": 3, "note": "x" * 50})
    content = bytearray(file.read_bytes())
    content[int(where * (len(content) - 1))] ^= 0x15
    file.write_bytes(content)
    assert checkpoint.load(file) is None


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"\x10\0\0\0\0\0\0\0" + b"{" * 16])
def test_rubbish_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(content)
    assert checkpoint.load(file) is None
    assert checkpoint.load(tmp_path / "absent.safetensors") is None
