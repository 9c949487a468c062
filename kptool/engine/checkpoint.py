"""Checkpoints that a kill cannot spoil.

One safetensors file holds a checkpoint whole: the tensors, and in its header the state as JSON with a digest over
both. It is written beside the old one and renamed into place; the old one stays as a second generation. So a kill at
any instant leaves at least one whole checkpoint, and a torn or altered file is noticed and passed over.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from kptool.files import write_atomic

Tensors = dict[str, torch.Tensor]


def save(path: Path, tensors: Tensors, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write a checkpoint; the one that stood at `path` moves to `previous`."""
    plain = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(state, sort_keys=True)
    header = {"state": text, "digest": digest(plain, text)}
    write_atomic(path, lambda temporary: save_file(plain, temporary, header), keep=previous)


def load(path: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """Read a checkpoint; None where there is none or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError):
        return None
    text = header.get("state", "")
    if header.get("digest") != digest(tensors, text):
        return None
    return tensors, json.loads(text)


def load_newest(*paths: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """The first of several generations that is whole."""
    for path in paths:
        if (found := load(path)) is not None:
            return found
    return None


def digest(tensors: Tensors, text: str) -> str:
    """sha256 over names, types, shapes, bytes and the state."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return total.hexdigest()


def optimizer_tensors(optimizers: list[torch.optim.Optimizer]) -> Tensors:
    """Every state tensor of the optimisers, by optimiser, parameter and slot."""
    out: Tensors = {}
    for number, optimizer in enumerate(optimizers):
        for index, slots in optimizer.state_dict()["state"].items():
            out.update({f"optimizer/{number}/{index}/{slot}": value for slot, value in slots.items()})
    return out


def restore_optimizers(optimizers: list[torch.optim.Optimizer], tensors: Tensors) -> None:
    """Put `optimizer_tensors` back, each laid out in memory as its parameter is.

    The fused AdamW walks parameter and moments side by side in memory: a channels_last kernel with contiguous moments
    would be updated with the wrong elements, without a word.
    """
    for number, optimizer in enumerate(optimizers):
        params = [param for group in optimizer.param_groups for param in group["params"]]
        table = optimizer.state_dict()
        table["state"] = {}
        for name, value in tensors.items():
            parts = name.split("/")
            if parts[0] == "optimizer" and int(parts[1]) == number:
                like = params[int(parts[2])]
                laid = torch.empty_like(like).copy_(value) if value.shape == like.shape else value.clone()
                table["state"].setdefault(int(parts[2]), {})[parts[3]] = laid.detach()
        optimizer.load_state_dict(table)
