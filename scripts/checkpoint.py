"""Checkpoints: folders under CHECKPOINT_URI, for example step-00000100, written while training goes on.

A checkpoint is complete when it has its marker, the last object to be written, and every object that the marker lists.
Others are passed over.
"""

import collections
import concurrent.futures
import json
import time

import torch
import torch.distributed.checkpoint as dcp
from s3torchconnector import S3ClientConfig
from s3torchconnector.dcp import S3StorageReader, S3StorageWriter
from torch.distributed.checkpoint import state_dict as parts
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

import s3
from launch import beat
from report import event, event_of_rank_0

MARKER = "complete.json"
CONFIG = S3ClientConfig(part_size=s3.PART)


class State:
    """What a checkpoint contains. All else (learning rate, data, dropout) follows from the step."""

    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.step = 0
        self.turn = 0  # steps since the order of the data began

    def collect(self):
        model, optimizer = parts.get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer, "step": self.step, "turn": self.turn}

    def load(self, uri, region):
        state = self.collect()
        dcp.load(state, storage_reader=S3StorageReader(region, uri, CONFIG))
        parts.set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])
        self.step, self.turn = state["step"], state["turn"]


def folders(uri):
    """Returns folder -> object sizes by name of every checkpoint under a URI, complete or not."""
    found = collections.defaultdict(dict)
    for path, size, _ in s3.listing(uri, "step-"):  # and not the tokens, which may be many
        folder, _, name = path.partition("/")
        found[folder][name] = size
    return found


def newest_complete(uri):
    """Returns marker and URI of the newest complete checkpoint, or None."""
    for folder, objects in sorted(folders(uri).items(), reverse=True):
        there = s3.join(uri, folder)
        if MARKER in objects:
            marker = json.loads(s3.read(s3.join(there, MARKER)))
            if marker["objects"].items() <= objects.items():
                return marker, there
        event("passed over", checkpoint=there, reason="not complete")
    return None


class Writer(S3StorageWriter):
    """Writes one checkpoint. What rank 0 does first and last is part of DCP's protocol, so that all ranks hear of a failure."""

    def __init__(self, region, uri, folder, marker, keep):
        super().__init__(region, s3.join(uri, folder), CONFIG)
        self.uri, self.folder, self.marker, self.keep = uri, folder, marker, keep

    def prepare_global_plan(self, plans):
        """Removes what an interrupted attempt has left, before any rank writes."""
        remove(s3.join(self.uri, self.folder))
        return super().prepare_global_plan(plans)

    def finish(self, metadata, results):
        """Completes the checkpoint when all ranks have written, and removes older ones."""
        super().finish(metadata, results)
        there = s3.join(self.uri, self.folder)
        marker = self.marker | {"objects": {name: size for name, size, _ in s3.listing(there)}}
        s3.write(s3.join(there, MARKER), json.dumps(marker, indent=1))
        found = folders(self.uri)
        complete = sorted(folder for folder in found if MARKER in found[folder] and folder <= self.folder)
        for old in found:
            if old < complete[-self.keep:][0]:
                remove(s3.join(self.uri, old))


def remove(uri):
    """Deletes a checkpoint, complete or not; the marker first."""
    bucket, key = s3.split(s3.join(uri, MARKER))
    s3.CLIENT.delete_object(Bucket=bucket, Key=key)
    s3.remove(uri)


class Checkpoints:
    """Saves checkpoints of a run, one at a time. Every rank calls every method at the same step."""

    def __init__(self, uri, region, marker, keep, group):
        self.uri, self.region, self.marker, self.keep, self.group = uri, region, marker, keep, group
        gpu = torch.cuda.is_available()
        self.stager = DefaultStager(StagingOptions(
            use_pinned_memory=gpu, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=gpu))
        self.saving, self.step, self.began = None, None, None  # the checkpoint that is being written
        self.stalled = 0.0  # s in which training has waited, in all

    def save(self, state):
        """Copies the state to the host's memory and starts to write it."""
        self.settle()
        began = time.monotonic()
        marker = self.marker | {"step": state.step}
        writer = Writer(self.region, self.uri, f"step-{state.step:08d}", marker, self.keep)
        self.saving = dcp.async_save(state.collect(), storage_writer=writer, process_group=self.group, async_stager=self.stager)
        self.step, self.began = state.step, began
        self.stalled += time.monotonic() - began

    def settle(self):
        """Waits for the checkpoint that is being written. Reports whether it is complete."""
        if not self.saving:
            return False
        began = time.monotonic()
        while not self.saving.done():
            concurrent.futures.wait([self.saving], 30)
            beat()
        self.stalled += time.monotonic() - began
        return self.settled()

    def settled(self):
        """Reports the checkpoint that has been written, if it has."""
        if not self.saving or not self.saving.done():
            return False
        failure, seconds, self.saving = self.saving.exception(), time.monotonic() - self.began, None
        if failure:  # training goes on: the next checkpoint may succeed
            event_of_rank_0("not saved", step=self.step, reason=f"{type(failure).__name__}: {failure}"[:2000])
        else:
            event_of_rank_0("saved", step=self.step, seconds=seconds)
        return not failure
