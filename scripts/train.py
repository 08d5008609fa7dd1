"""Trains a small GPT on bytes, data parallel, and survives being stopped.

Start it as `python train.py [options]`, once on every node. It checks the environment, starts one process per
GPU through torchrun, and ends with one of job.EXIT_CODES. The environment is its only interface:

  PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR, PET_MASTER_PORT
                   where this node stands among the others, in torchrun's own names
  PET_SHUTDOWN_TIMEOUT
                   optional: seconds to save after SIGTERM, less than the pod's grace period; 90 if unset
  DATASET_URI      s3://bucket/prefix: every object under it is training data
  CHECKPOINT_URI   s3://bucket/runs/<run>/: this run's checkpoints
  ARTIFACT_URI     s3://bucket/runs/<run>/: the finished model
  RESUME_FROM_URI  s3://bucket/runs/<earlier>/: an earlier run to go on from, or ""
  RUN_NAME, SCRIPT_COMMIT, AWS_REGION

To train something else, change GPT, Windows, train and the options. job.py can stay as it is.
"""

import argparse
import datetime
import hashlib
import math
import resource
import signal
import time

import boto3
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from botocore.exceptions import ClientError
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

import job
from job import Stop, say


def options():
    p = job.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--layers", type=int, default=4)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--width", type=int, default=256)
    p.add_argument("--context", type=int, default=256, help="bytes that the model sees at once")
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--batch", type=int, default=8, help="windows per process and step")
    p.add_argument("--steps", type=int, default=300, help="steps of the whole run, resumed ones included")
    p.add_argument("--learning-rate", type=float, default=1e-3)
    p.add_argument("--warmup", type=int, default=20, help="steps until the full learning rate")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--fsdp", action="store_true", help="shard the model over the processes (FSDP2), not DDP")
    p.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    p.add_argument("--keep", type=int, default=3, help="checkpoints to keep")
    p.add_argument("--log-every", type=int, default=10, help="steps between log lines")
    p.add_argument("--log-data", action="store_true", help="every process logs the windows of every step")
    args = p.parse_args()
    for name, value in vars(args).items():
        if isinstance(p.get_default(name), int) and value < 1 and name not in ("seed", "fsdp", "log_data"):
            p.error(f"--{name.replace('_', '-')} is {value}: it must be at least 1")
    if args.width % args.heads:
        p.error(f"--width {args.width} is not a multiple of --heads {args.heads}")
    return args


# --- data ---------------------------------------------------------------------


def dataset(s3, env, args):
    """The listing of the dataset, if it can feed every process."""
    uri, world = env["DATASET_URI"], int(env["PET_NNODES"]) * int(env["PET_NPROC_PER_NODE"])
    try:
        found = job.listing(s3, uri)
    except ClientError as e:
        if e.response["Error"]["Code"] != "NoSuchBucket":
            raise
        raise Stop("dataset", f"DATASET_URI {uri}: there is no such bucket") from e
    if not found:
        raise Stop("dataset", f"DATASET_URI {uri}: no object below this prefix")
    size, needed = sum(o[1] for o in found), world * args.batch * args.context + 1
    if size < needed:
        raise Stop("dataset", f"DATASET_URI {uri}: empty or too small: {size} bytes in {len(found)} objects, but one "
                   f"step of {world} processes x --batch {args.batch} x --context {args.context} takes {needed}")
    return found


class Windows:
    """This process's part of the dataset: a run of windows that no other process sees.

    The objects, in order of their names, are one long row of bytes, cut into windows of --context bytes (and
    one more, the last target). Each process keeps its part in memory: the dataset's size / processes.
    """

    def __init__(self, s3, uri, objects, rank, world, args):
        self.args, self.rank, self.epoch = args, rank, None
        self.count = (sum(o[1] for o in objects) - 1) // args.context // world
        self.first = rank * self.count
        begin, end = self.first * args.context, (self.first + self.count) * args.context + 1
        bucket, prefix = job.split(uri)
        buffer, offset = bytearray(end - begin), 0
        for name, size, etag in objects:
            low, high = max(begin, offset), min(end, offset + size)
            if low < high:  # If-Match: an object that was overwritten since the listing is an error
                body = s3.get_object(Bucket=bucket, Key=prefix + name, IfMatch=etag,
                                     Range=f"bytes={low - offset}-{high - offset - 1}")["Body"]
                for chunk in body.iter_chunks(1 << 20):
                    buffer[low - begin:low - begin + len(chunk)] = chunk
                    low += len(chunk)
            offset += size
        self.bytes = torch.frombuffer(buffer, dtype=torch.uint8)

    def numbers(self, turn):
        """The windows of the turn-th batch: every epoch goes through all of them in an order of its own."""
        epoch, place = divmod(turn, self.count // self.args.batch)
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(hash((self.args.seed, epoch, self.rank)))
            self.epoch, self.order = epoch, torch.randperm(self.count, generator=generator)
        return self.order[place * self.args.batch:(place + 1) * self.args.batch]

    def batch(self, turn):
        places = self.numbers(turn)[:, None] * self.args.context + torch.arange(self.args.context + 1)
        rows = self.bytes[places].long()
        return rows[:, :-1], rows[:, 1:]


# --- model --------------------------------------------------------------------


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
    """What a checkpoint's model must have in common with this one."""
    return {name: getattr(args, name) for name in ("layers", "heads", "width", "context")}


# --- training -----------------------------------------------------------------


def from_rank_0(find):
    """What find() returns on rank 0, on every rank: all must go by one look at S3, not each by its own."""
    box = [find() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box)
    return box[0]


def parallel(model, args, device, half):
    """The model over all processes: copied (DDP) or sharded (FSDP2)."""
    if not args.fsdp:
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    for part in [*model.blocks, model]:
        fully_shard(part, mp_policy=policy)
    return model


def train(env, args):
    """One process of the run; torchrun has told it its RANK, LOCAL_RANK and WORLD_SIZE."""
    stop = torch.zeros(1)  # on the CPU, so that to ask for it does not wait for the GPU
    signal.signal(signal.SIGTERM, lambda *_: stop.fill_(1))
    job.check_environment(env)
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(env["LOCAL_RANK"])) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=datetime.timedelta(minutes=10))
    rank, world = dist.get_rank(), dist.get_world_size()
    s3 = boto3.client("s3", region_name=env["AWS_REGION"])
    objects = from_rank_0(lambda: dataset(s3, env, args))
    found = from_rank_0(lambda: job.starting_point(s3, env, shape(args), args.steps))
    windows = Windows(s3, env["DATASET_URI"], objects, rank, world, args)

    half = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    torch.manual_seed(args.seed)  # the same weights in every process
    model = GPT(args).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    model = parallel(model, args, device, half)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.95))
    # A warm-up, then a cosine down to a tenth.
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        (step + 1) / args.warmup, 0.55 + 0.45 * math.cos(math.pi * min(step / args.steps, 1))))
    # One pass for nothing: DDP arranges its buckets anew after the first, and in another arrangement sums differ
    # in their last bit. Without it a run that was resumed would end with other weights than one that was not.
    model(torch.zeros(1, args.context, dtype=torch.long, device=device)).sum().backward()
    optimizer.zero_grad()
    torch.manual_seed(args.seed + rank)  # another dropout in every process

    if rank == 0:
        say(f"run={env['RUN_NAME']} commit={env.get('SCRIPT_COMMIT', '')} processes={world} device={device.type} "
            f"dtype={'bf16' if half else 'fp32'} parallel={'fsdp' if args.fsdp else 'ddp'} parameters={parameters}")
    layout = hashlib.sha256(repr((objects, world, args.batch, args.context, args.seed)).encode()).hexdigest()
    state = job.State(model, optimizer, scheduler, layout)
    if found:
        state.load(env, *found)

    model.train()
    began, seen = time.monotonic(), 0
    while state.step < args.steps:
        if args.log_data:
            mine = (windows.first + windows.numbers(state.turn)).tolist()
            say(f"rank={rank} step={state.step + 1} windows={mine}")
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
            mean = mean.item() / world  # waits for the GPU: before the clock is read
            now, peak = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if gpu:
                peak = torch.cuda.max_memory_allocated()
            if rank == 0:
                say(f"step={state.step} loss={mean:.4f} tokens_per_second={seen / (now - began):.0f} "
                    f"peak_memory_mib={peak >> 20}")
            began, seen = now, 0
        # One process told to stop stops all: a checkpoint takes everyone, at the same step.
        anyone = stop.clone()
        dist.all_reduce(anyone, dist.ReduceOp.MAX)
        if state.step % args.save_every == 0 or state.step == args.steps or anyone:
            job.save(s3, env, state, shape(args), args.keep)
        if anyone and state.step < args.steps:
            raise Stop("terminated", f"SIGTERM: saved step {state.step}")
    job.publish(s3, env, state, shape(args))
    dist.destroy_process_group()


def check(env, args):
    """What one process can find out before there are many: whether there is data, and where to go on from."""
    s3 = boto3.client("s3", region_name=env["AWS_REGION"])
    dataset(s3, env, args)
    job.starting_point(s3, env, shape(args), args.steps)


if __name__ == "__main__":
    job.main(options, check, train)
