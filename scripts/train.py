"""Trains a small GPT on bytes, data parallel, and resumes from checkpoints after it was stopped.

Run `python train.py [options]` once on every node. It checks options and environment, starts one process per GPU
(launch.py), and ends with one of EXIT_CODES (exits.py). The environment is its only interface:

  PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR, PET_MASTER_PORT, PET_SHUTDOWN_TIMEOUT
                   torchrun's: this node, the others, and the seconds in which to save after SIGTERM
  DATASET_URI      s3://bucket/prefix: every object under it is training data
  CHECKPOINT_URI   s3://bucket/runs/<run>/: this run's checkpoints
  ARTIFACT_URI     s3://bucket/runs/<run>/: the finished model
  RESUME_FROM_URI  s3://bucket/runs/<earlier>/: an earlier run to start from, or ""
  RUN_NAME, SCRIPT_COMMIT, AWS_REGION

To train something else, change GPT, Windows and train.
"""

import argparse
import collections
import datetime
import functools
import hashlib
import json
import math
import os
import resource
import signal
import time

import launch  # first: it answers SIGTERM while the rest is imported
from exits import EXIT_CODES, say, stop

try:
    import boto3
    import torch
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    import torch.nn as nn
    import torch.nn.functional as F
    from s3torchconnector import S3Checkpoint
    from s3torchconnector.dcp import S3StorageReader, S3StorageWriter
    from torch.distributed.checkpoint import state_dict as parts
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    from torch.nn.parallel import DistributedDataParallel
except ImportError as e:
    stop("configuration", f"the image lacks {e.name or e}: build it from image/Dockerfile")

REQUIRED = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT",
            "PET_SHUTDOWN_TIMEOUT", "DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI", "RUN_NAME", "AWS_REGION")
S3 = boto3.resource("s3", region_name=os.environ.get("AWS_REGION"))
MARKER = "complete.json"  # the last object of a checkpoint to be written, the first to be deleted


def options():
    def positive(text):
        if int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text} is less than 1")
        return int(text)

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.error = functools.partial(stop, "configuration")  # the Job would retry after argparse's own code, 2
    p.add_argument("--layers", type=positive, default=4)
    p.add_argument("--heads", type=positive, default=4)
    p.add_argument("--width", type=positive, default=256)
    p.add_argument("--context", type=positive, default=256, help="bytes that the model sees at once")
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--batch", type=positive, default=8, help="windows per process and step")
    p.add_argument("--steps", type=positive, default=300, help="steps of the whole run, resumed ones included")
    p.add_argument("--learning-rate", type=float, default=1e-3)
    p.add_argument("--warmup", type=positive, default=20, help="steps until the full learning rate")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--fsdp", action="store_true", help="shard the model over the processes (FSDP2), not DDP")
    p.add_argument("--save-every", type=positive, default=100, help="steps between checkpoints")
    p.add_argument("--keep", type=positive, default=3, help="checkpoints to keep")
    p.add_argument("--log-every", type=positive, default=10, help="steps between log lines")
    p.add_argument("--log-data", action="store_true", help="every process logs the windows of every step")
    args = p.parse_args()
    if args.width % args.heads:
        p.error(f"--width {args.width} is not a multiple of --heads {args.heads}")
    return args


def world_size(env):
    """Returns the number of processes. Stops if something is missing or wrong, before any process waits for another."""
    if missing := [name for name in REQUIRED if not env.get(name)]:
        stop("configuration", f"not set in the environment: {', '.join(missing)}")
    nodes, processes = int(env["PET_NNODES"]), int(env["PET_NPROC_PER_NODE"])
    if int(env.get("WORLD_SIZE", nodes * processes)) != nodes * processes:
        stop("configuration", f"wrong world size: torchrun started {env['WORLD_SIZE']} processes, but PET_NNODES "
             f"{nodes} x PET_NPROC_PER_NODE {processes} is {nodes * processes}")
    return nodes * processes


def check(env, args):
    """Returns the step to start from. Fails in one process rather than in many, before any waits for another."""
    if published(env):
        return launch.PUBLISHED
    dataset(env, args, world_size(env))
    found = starting_point(env, args)
    return found[0]["step"] if found else 0


# --- S3
def at(uri):
    """Returns the object at a URI, s3://bucket/key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return S3.Object(bucket, key)


def under(uri):
    """Returns all objects under a URI, and the length of the part of their keys that belongs to the URI."""
    folder = at(uri.rstrip("/") + "/")
    return folder.Bucket().objects.filter(Prefix=folder.key), len(folder.key)


def listing(uri):
    """Returns name (relative to the URI), size and ETag of every object there, sorted by name."""
    objects, cut = under(uri)
    return sorted((o.key[cut:], o.size, o.e_tag) for o in objects)


# --- data
def dataset(env, args, world):
    """Returns the listing of the dataset. Stops if it is too small for the number of processes."""
    uri = env["DATASET_URI"]
    found = listing(uri)
    if not found:
        stop("dataset", f"DATASET_URI {uri}: no object below this prefix")
    size, needed = sum(o[1] for o in found), world * args.batch * args.context + 1
    if size < needed:
        stop("dataset", f"DATASET_URI {uri}: empty or too small: {size} bytes in {len(found)} objects, but one "
             f"step of {world} processes x --batch {args.batch} x --context {args.context} takes {needed}")
    return found


class Windows:
    """This process's part of the dataset: consecutive windows that no other process reads.

    The objects, in the order of their names, form one sequence of bytes, which is cut into windows of --context bytes
    (and one more, the last target). Each process keeps its part in memory: the dataset's size / processes.
    """

    def __init__(self, uri, objects, rank, world, args):
        self.args, self.rank, self.epoch = args, rank, None
        self.count = (sum(o[1] for o in objects) - 1) // args.context // world
        self.first = rank * self.count
        begin, end = self.first * args.context, (self.first + self.count) * args.context + 1
        part, offset = bytearray(), 0
        for name, size, etag in objects:
            low, high = max(begin - offset, 0), min(end - offset, size)
            if low < high:  # IfMatch: an object that was overwritten since the listing is an error
                found = at(f"{uri.rstrip('/')}/{name}").get(IfMatch=etag, Range=f"bytes={low}-{high - 1}")
                part += found["Body"].read()
            offset += size
        self.bytes = torch.frombuffer(part, dtype=torch.uint8)

    def numbers(self, turn):
        """Returns the windows of the turn-th batch. Every epoch reads all of them, in another order."""
        epoch, place = divmod(turn, self.count // self.args.batch)
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(hash((self.args.seed, epoch, self.rank)))
            self.epoch, self.order = epoch, torch.randperm(self.count, generator=generator)
        return self.order[place * self.args.batch:(place + 1) * self.args.batch]

    def batch(self, turn):
        places = self.numbers(turn)[:, None] * self.args.context + torch.arange(self.args.context + 1)
        rows = self.bytes[places].long()
        return rows[:, :-1], rows[:, 1:]


# --- model
class Block(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.heads, self.dropout = args.heads, args.dropout
        self.norm1, self.norm2 = nn.LayerNorm(args.width), nn.LayerNorm(args.width)
        self.qkv, self.out = nn.Linear(args.width, 3 * args.width), nn.Linear(args.width, args.width)
        self.mlp = nn.Sequential(nn.Linear(args.width, 4 * args.width), nn.GELU(),
                                 nn.Linear(4 * args.width, args.width), nn.Dropout(args.dropout))

    def forward(self, x):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.dropout if self.training else 0.0)
        x = x + self.out(a.transpose(1, 2).flatten(-2))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, args.width), nn.Embedding(args.context, args.width)
        for embedding in (self.bytes, self.places):
            nn.init.normal_(embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(args) for _ in range(args.layers))
        self.norm, self.head = nn.LayerNorm(args.width), nn.Linear(args.width, 256, bias=False)

    def forward(self, x):
        x = self.bytes(x) + self.places(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def shape(args):
    """Returns what a checkpoint's model must have in common with this one."""
    return {name: getattr(args, name) for name in ("layers", "heads", "width", "context")}


# --- checkpoints: folders under CHECKPOINT_URI, for example step-00000100
class State:
    """Everything that a checkpoint contains."""

    def __init__(self, model, optimizer, scheduler, rank):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.step = 0
        self.turn = 0  # batches read since the order of the data last started
        self.random = {f"random_cpu_{rank}": torch}  # this process's generators, by name in a checkpoint
        if torch.cuda.is_available():
            self.random[f"random_cuda_{rank}"] = torch.cuda

    def collect(self, exact=True):
        model, optimizer = parts.get_state_dict(self.model, self.optimizer)
        random = {name: generator.get_rng_state() for name, generator in self.random.items()} if exact else {}
        return {"model": model, "optimizer": optimizer, "scheduler": self.scheduler.state_dict(),
                "step": self.step, "turn": self.turn, **random}

    def load(self, uri, region, exact):
        """Restores a checkpoint: at the exact batch, or else at the start of the data."""
        state = self.collect(exact)
        dcp.load(state, storage_reader=S3StorageReader(region, uri))
        parts.set_state_dict(self.model, self.optimizer, model_state_dict=state["model"],
                             optim_state_dict=state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.step, self.turn = state["step"], state["turn"] if exact else 0
        for name, generator in self.random.items() if exact else ():
            generator.set_rng_state(state[name])


def checkpoints(uri):
    """Returns folder -> object sizes by name of every checkpoint under the URI, complete or not."""
    found = collections.defaultdict(dict)
    for path, size, _ in listing(uri):
        folder, _, name = path.partition("/")
        found[folder][name] = size
    return found


def newest_complete(uri):
    """Returns marker and URI of the newest checkpoint that has a marker and every object it lists, or None."""
    for folder, objects in sorted(checkpoints(uri).items(), reverse=True):
        there = f"{uri.rstrip('/')}/{folder}"
        if MARKER in objects:
            marker = json.load(at(f"{there}/{MARKER}").get()["Body"])
            if marker["objects"].items() <= objects.items():
                return marker, there
        say(f"passed over {there}: not complete")
    return None


def starting_point(env, args):
    """Returns the checkpoint to start from: this run's newest, else the earlier run's, else None."""
    found = newest_complete(env["CHECKPOINT_URI"])
    if not found and (uri := env.get("RESUME_FROM_URI")):
        found = newest_complete(uri)
        if not found:
            stop("checkpoint", f"RESUME_FROM_URI {uri}: no complete checkpoint there")
        if found[0]["step"] >= args.steps:
            stop("configuration", f"--steps {args.steps}: {found[1]} is as far already")
    if found and found[0]["model"] != shape(args):
        stop("checkpoint", f"{found[1]} holds a model of {found[0]['model']}, but the options say {shape(args)}")
    return found


def remove(uri):
    """Deletes a checkpoint, complete or not."""
    at(f"{uri}/{MARKER}").delete()
    under(uri)[0].delete()


def save(env, state, about, keep):
    """Saves a checkpoint, marks it as complete and prunes older ones. Every process calls it at the same step."""
    began, uri, folder = time.monotonic(), env["CHECKPOINT_URI"].rstrip("/"), f"step-{state.step:08d}"
    if dist.get_rank() == 0:
        remove(f"{uri}/{folder}")  # left by an interrupted attempt
    dcp.save(state.collect(), storage_writer=S3StorageWriter(env["AWS_REGION"], f"{uri}/{folder}"))
    if dist.get_rank() == 0:  # dcp.save returns here when all processes have written
        objects = {name: size for name, size, _ in listing(f"{uri}/{folder}")}
        marker = about | {"step": state.step, "objects": objects}
        at(f"{uri}/{folder}/{MARKER}").put(Body=json.dumps(marker, indent=1))
        found = checkpoints(uri)
        complete = sorted(f for f in found if MARKER in found[f] and f <= folder)
        for old in found:
            if old < complete[-keep:][0]:
                remove(f"{uri}/{old}")
        say(f"saved {uri}/{folder} in {time.monotonic() - began:.1f} s")
    dist.barrier()


def published(env):
    """Reports whether the run has ended: model.json is written last."""
    return any(name == "model.json" for name, _, _ in listing(env["ARTIFACT_URI"]))


def publish(env, state, about):
    """Writes the finished, unsharded model to ARTIFACT_URI; model.json comes last."""
    whole = parts.StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights, uri = parts.get_model_state_dict(state.model, options=whole), env["ARTIFACT_URI"].rstrip("/")
    if dist.get_rank() == 0:
        with S3Checkpoint(env["AWS_REGION"]).writer(f"{uri}/model.pt") as writer:
            torch.save(weights, writer)
        at(f"{uri}/model.json").put(Body=json.dumps(about | {"step": state.step}, indent=1))
        say(f"finished model: {uri}/model.pt")
    dist.barrier()


# --- training
def parallel(model, args, device, half):
    """Returns the model distributed over all processes: replicated (DDP) or sharded (FSDP2)."""
    if not args.fsdp:
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    for part in [*model.blocks, model]:
        fully_shard(part, mp_policy=policy)
    return model


def train(env, args):
    """Runs one process of the training. torchrun sets RANK, LOCAL_RANK and WORLD_SIZE."""
    terminating = torch.zeros(1)  # 1: SIGTERM received; on the CPU, so that reading it does not wait for the GPU
    signal.signal(signal.SIGTERM, lambda *_: terminating.fill_(1))
    world, device = world_size(env), launch.device()
    gpu = device.type == "cuda"
    # Less than launch.HANG_SECONDS, so that the ranks that wait for a hung one end before they count as hung too.
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=datetime.timedelta(minutes=5))
    rank = dist.get_rank()
    looked = [dataset(env, args, world), starting_point(env, args)] if rank == 0 else [None, None]
    dist.broadcast_object_list(looked)  # all processes use one listing of S3
    objects, found = looked
    windows = Windows(env["DATASET_URI"], objects, rank, world, args)

    half = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    torch.manual_seed(args.seed)  # the same weights in every process
    model = GPT(args).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    model = parallel(model, args, device, half)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.95))
    # A warm-up, then a cosine down to a tenth.
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        (step + 1) / args.warmup, 0.55 + 0.45 * math.cos(math.pi * min(step / args.steps, 1))))
    # An unused pass: DDP rearranges its buckets after the first one, and then sums differ in the last bit. Without it, a
    # resumed run would end with other weights than an uninterrupted one.
    model(torch.zeros(1, args.context, dtype=torch.long, device=device)).sum().backward()
    optimizer.zero_grad()
    torch.manual_seed(args.seed + rank)  # different dropout in every process

    if rank == 0:
        say(f"run={env['RUN_NAME']} commit={env.get('SCRIPT_COMMIT', '')} processes={world} device={device.type} "
            f"dtype={'bf16' if half else 'fp32'} parallel={'fsdp' if args.fsdp else 'ddp'} parameters={parameters}")
    state = State(model, optimizer, scheduler, rank)
    # The layout identifies everything that decides the order of the data.
    layout = hashlib.sha256(repr((objects, world, args.batch, args.context, args.seed)).encode()).hexdigest()
    about = {"run": env["RUN_NAME"], "commit": env.get("SCRIPT_COMMIT", ""), "model": shape(args), "layout": layout}
    if found:
        exact = found[0]["layout"] == layout
        state.load(found[1], env["AWS_REGION"], exact)
        if rank == 0:
            say(f"resumed from {found[1]} at step {state.step}" + (
                "" if exact else "; the data order restarts: objects, processes, batch or seed have changed"))

    model.train()
    began, seen = time.monotonic(), 0
    while state.step < args.steps:
        if args.log_data:
            say(f"rank={rank} step={state.step + 1} windows={(windows.first + windows.numbers(state.turn)).tolist()}")
        x, y = (t.to(device) for t in windows.batch(state.turn))
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        state.step, state.turn, seen = state.step + 1, state.turn + 1, seen + world * y.numel()

        if state.step % args.log_every == 0 or state.step == args.steps:
            mean = loss.detach().clone()
            dist.all_reduce(mean)
            mean = mean.item() / world  # waits for the GPU before the clock is read
            now, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            peak = torch.cuda.max_memory_allocated() if gpu else memory
            if rank == 0:
                say(f"step={state.step} loss={mean:.4f} tokens_per_second={seen / (now - began):.0f} "
                    f"peak_memory_mib={peak >> 20}")
            began, seen = now, 0
        # SIGTERM to one process stops all: a checkpoint needs every process at the same step.
        anyone = terminating.clone()
        dist.all_reduce(anyone, dist.ReduceOp.MAX)
        if state.step % args.save_every == 0 or state.step == args.steps or anyone:
            save(env, state, about, args.keep)
        if anyone and state.step < args.steps:
            stop("terminated", f"SIGTERM: saved step {state.step}")
        launch.beat()
    publish(env, state, about)
    dist.destroy_process_group()


if __name__ == "__main__":
    arguments = options()
    if launch.is_rank():
        launch.rank(functools.partial(train, os.environ, arguments))
    else:
        launch.main(functools.partial(check, os.environ, arguments))
