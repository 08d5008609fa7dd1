"""Which tokens a rank trains on in which step, and how they reach it.

The shards of a dataset (prepare.py), in order, are one sequence of tokens, which is cut into windows of --context tokens
(and one more, the last target). Windows that follow each other form a block of at most 1 MiB. Every epoch takes the blocks
in another order, and every step one window from each of --global-batch blocks, in a shuffled order of the block. So

  - step and --global-batch alone decide which windows a step trains on, on any number of nodes and after any restart;
  - a window is trained on once in an epoch;
  - a rank reads only the blocks of its own windows, ahead of time, into files on the node's disk that it maps into memory.
"""

import bisect
import concurrent.futures
import functools
import hashlib
import itertools
import json
import os
import tempfile
import time

import numpy
import torch

import s3
from exits import stop
from prepare import INDEX

BLOCK = 1 << 20  # bytes
READERS = 16  # requests of a rank at once


class Tokens:
    """The tokens of a dataset in S3: one sequence over all shards."""

    def __init__(self, uri, index):
        self.uri, self.dtype, self.end, self.vocabulary = uri, numpy.dtype(index["dtype"]), index["end"], index["vocabulary"]
        self.names = [name for name, _ in index["shards"]]
        self.starts = [0, *itertools.accumulate(count for _, count in index["shards"])]
        self.count = self.starts[-1]
        self.digest = hashlib.sha256(repr((uri.rstrip("/").rpartition("/")[2], index["shards"])).encode()).hexdigest()

    @classmethod
    def at(cls, uri):
        """Returns the tokens at a URI, or None if there are none, or not all of them."""
        index = s3.read_if_present(s3.join(uri, INDEX))
        return cls(uri, json.loads(index)) if index else None

    def read(self, first, count):
        """Yields the bytes of count tokens from the first, shard by shard."""
        width, shard = self.dtype.itemsize, bisect.bisect_right(self.starts, first) - 1
        while count > 0:
            offset = first - self.starts[shard]
            take = min(count, self.starts[shard + 1] - first)
            yield s3.read(s3.join(self.uri, self.names[shard]), offset * width, (offset + take) * width)
            first, count, shard = first + take, count - take, shard + 1

    def fetch(self, first, count):
        """Returns count tokens from the first, mapped from a file that goes with the mapping."""
        with tempfile.NamedTemporaryFile(dir=folder()) as file:
            for part in self.read(first, count):
                file.write(part)
            file.flush()
            return numpy.memmap(file.name, self.dtype, "r", shape=(count,))


def folder():
    """Returns the folder for blocks: on the node's local disks, where it has some."""
    path = os.path.join(os.environ.get("HOME", tempfile.gettempdir()), "blocks")
    os.makedirs(path, exist_ok=True)
    return path


def shuffled(count, *seed):
    """Returns the numbers below count in the order that the seed stands for."""
    number = int.from_bytes(hashlib.sha256(repr(seed).encode()).digest()[:8])
    return torch.randperm(count, generator=torch.Generator().manual_seed(number)).tolist()


class Batches:
    """The windows of a rank in every step."""

    def __init__(self, tokens, context, global_batch, held_out, seed, rank=0, world=1):
        self.tokens, self.context, self.global_batch, self.seed = tokens, context, global_batch, seed
        self.slots = range(rank * global_batch // world, (rank + 1) * global_batch // world)
        windows = (tokens.count - 1) // context
        self.held_out = range(windows - held_out, windows)
        windows -= held_out
        if windows < global_batch:
            stop("dataset", f"{tokens.uri}: too small: one step takes {global_batch} windows of --context {context} tokens, and "
                 f"{held_out} are held out for validation, but {tokens.count} tokens are {max(windows + held_out, 0)} windows")
        # At least 16 blocks for every window of a step, so that small datasets are shuffled too.
        self.size = max(1, min(BLOCK // (context * tokens.dtype.itemsize), windows // (16 * global_batch)))
        self.blocks = windows // self.size
        self.steps = self.blocks // global_batch * self.size  # of an epoch
        self.order = functools.lru_cache(2)(lambda epoch: shuffled(self.blocks, seed, epoch))
        self.rounds, self.pool = {}, concurrent.futures.ThreadPoolExecutor(READERS)
        self.waited = 0.0  # s for data, in all

    def round(self, step):
        """Returns (epoch, round) and place of a step: a round trains on one set of blocks, at one place after the other."""
        epoch, step = divmod(step, self.steps)
        number, place = divmod(step, self.size)
        return (epoch, number), place

    def blocks_of(self, key):
        """Returns number, order and future tokens of this rank's blocks in a round. The first call starts to read them."""
        if key not in self.rounds:
            epoch, number = key
            blocks = [self.order(epoch)[number * self.global_batch + slot] for slot in self.slots]
            self.rounds[key] = [(block, shuffled(self.size, self.seed, epoch, block), self.pool.submit(
                self.tokens.fetch, block * self.size * self.context, self.size * self.context + 1)) for block in blocks]
        return self.rounds[key]

    def windows(self, step):
        """Returns the numbers of this rank's windows in a step."""
        key, place = self.round(step)
        return [block * self.size + order[place] for block, order, _ in self.blocks_of(key)]

    def batch(self, step):
        """Returns this rank's windows of a step, (windows, context + 1), and has the next round read ahead."""
        key, place = self.round(step)
        blocks = self.blocks_of(key)
        self.blocks_of(self.round(step - place + self.size)[0])
        for old in [k for k in self.rounds if k < key]:
            del self.rounds[old]
        began, rows = time.monotonic(), []
        for _, order, tokens in blocks:
            begin = order[place] * self.context
            rows.append(tokens.result()[begin:begin + self.context + 1])
        self.waited += time.monotonic() - began
        return as_tensor(rows, self.context)

    def validation(self, part, parts):
        """Returns this part of the windows that are held out, which no step trains on."""
        numbers = self.held_out[len(self.held_out) * part // parts:len(self.held_out) * (part + 1) // parts]
        tokens = self.tokens.fetch(numbers.start * self.context, len(numbers) * self.context + 1)
        rows = [tokens[i * self.context:(i + 1) * self.context + 1] for i in range(len(numbers))]
        return as_tensor(rows, self.context)


def as_tensor(rows, context):
    return torch.from_numpy(numpy.stack(rows).astype(numpy.int64)) if rows else torch.empty(0, context + 1, dtype=torch.int64)
