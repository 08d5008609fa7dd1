"""A model of 70 billion parameters on 64 ranks: the objects of its checkpoint and its publication fit into S3.

Nothing is computed: the model is on the meta device, and the objects are names, sizes and parts.
"""

import json
import math
import pathlib

import pytest
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.default_planner import create_default_local_save_plan
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import _compute_local_shape_and_global_offset
from torch.testing._internal.distributed.fake_pg import FakeStore

WORLD = 64
LLAMA_70B = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5}


class FakeS3:
    """Keeps names and sizes, and refuses what S3 refuses: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""

    def __init__(self):
        self.sizes = {}

    def put(self, name, size, part):
        parts = math.ceil(size / part)
        if parts > 10_000:
            raise ValueError(f"{name}: part 10001 of {size} bytes")
        if parts > 1 and part < 5 << 20:
            raise ValueError(f"{name}: a part of {part} bytes")
        if min(size, part) > 5 << 30:
            raise ValueError(f"{name}: a PUT of {size} bytes")
        assert name not in self.sizes, f"{name} is written twice"
        self.sizes[name] = size


def test_the_fake_refuses_what_s3_refuses():
    for size, part in ((6 << 30, 6 << 30), (70_553_706_496 * 4, 8 << 20)):  # as one file in parts of 8 MiB: 33,000 of them
        with pytest.raises(ValueError):
            FakeS3().put("model.pt", size, part)


@pytest.fixture(scope="module")
def sharded():
    import model as models
    dist.init_process_group("fake", rank=0, world_size=WORLD, store=FakeStore())
    yield models.shard(models.on_meta(LLAMA_70B), half=True)
    dist.destroy_process_group()


def local_elements(tensor, rank):
    shape, _ = _compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh.shape, [rank], tensor.placements)
    return math.prod(shape)


def test_checkpoint(sharded):
    import checkpoint
    import s3
    parameters = dict(sharded.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == 70_553_706_496
    assert all(isinstance(p, DTensor) and p.dtype == torch.float32 for p in parameters.values())
    moments = {f"optimizer.{name}.{kind}": torch.empty_like(p) for name, p in parameters.items() for kind in ("exp_avg", "exp_avg_sq")}
    plan = create_default_local_save_plan(parameters | moments, is_coordinator=True)
    planned = sum(math.prod(item.tensor_data.chunk.sizes) * 4 for item in plan.items)
    fake = FakeS3()
    for rank in range(WORLD):
        size = sum(3 * 4 * local_elements(p, rank) for p in parameters.values())
        assert rank > 0 or size == planned, "DCP's plan writes something else"
        fake.put(f"step-00000001/__{rank}_0.distcp", size + 2048 * len(plan.items), checkpoint.CONFIG.part_size)
    assert checkpoint.CONFIG.part_size == s3.PART
    assert len(fake.sizes) == WORLD and sum(fake.sizes.values()) >= 12 * 70_553_706_496
    assert max(fake.sizes.values()) < 1.01 * min(fake.sizes.values()), "a rank writes more than the others"
    print(f"\n{WORLD} objects of {max(fake.sizes.values()) / 1e9:.1f} GB, {math.ceil(max(fake.sizes.values()) / s3.PART)} parts")


def test_publication(monkeypatch):
    """The code of publish() for each rank, with tensors that have no content."""
    import model as models
    import s3
    model, fake, parts, written = models.on_meta(LLAMA_70B), FakeS3(), {}, {}
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)

    def save_file(tensors, path, metadata):
        with open(path, "w") as file:
            json.dump({name: list(t.shape) for name, t in tensors.items()}, file)
        sizes[path] = sum(t.numel() * t.element_size() for t in tensors.values())
        written.setdefault(rank, []).append(path.rpartition("/")[2])

    def upload(path, uri):
        fake.put(uri.rpartition("/")[2], sizes.get(path, pathlib.Path(path).stat().st_size), s3.PART)

    def write(uri, body):
        fake.put(uri.rpartition("/")[2], len(body), 5 << 30)  # in one PUT
        bodies[uri.rpartition("/")[2]] = body

    def all_gather_object(found, mine):
        parts[rank] = mine
        found[:] = [parts[r] for r in range(WORLD)] if rank == 0 else [mine]
    sizes, bodies = {}, {}
    monkeypatch.setattr(models, "save_file", save_file)
    monkeypatch.setattr(models.s3, "upload", upload)
    monkeypatch.setattr(models.s3, "write", write)
    monkeypatch.setattr(models.dist, "all_gather_object", all_gather_object)
    tokenizer = type("Tokenizer", (), {"files": {"tokenizer.json": b"{}"}})
    for rank in reversed(range(WORLD)):
        models.publish(model, "s3://artifacts/runs/run", tokenizer, True, rank, WORLD)
    files = {name: size for name, size in fake.sizes.items() if name.endswith(".safetensors")}
    assert sum(files.values()) == 2 * 70_553_706_496 and len(files) > WORLD
    assert max(files.values()) < 5 << 30, "a rank holds much in memory"
    assert max(len(names) for names in written.values()) <= math.ceil(len(files) / WORLD), "one rank writes more files than others"
    index = json.loads(bodies["model.safetensors.index.json"])
    assert index["weight_map"].keys() == {name for name, _ in model.named_parameters()} and set(index["weight_map"].values()) == set(files)
    assert sum(len(part) for part in parts.values()) == len(index["weight_map"]), "a tensor is in two files"
    assert {"config.json", "tokenizer.json"} < set(fake.sizes)
    print(f"\n{len(files)} files of at most {max(files.values()) / 1e9:.2f} GB")
