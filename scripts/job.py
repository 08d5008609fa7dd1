"""What a training script needs of the Job that it runs in: how to start and end, and checkpoints in S3.

train.py says what is in the environment. Nothing here knows the model or the data.
"""

import argparse
import json
import os
import re
import signal
import sys
import time

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from s3torchconnector import S3Checkpoint
from s3torchconnector.dcp import S3StorageReader, S3StorageWriter
from torch.distributed import run as torchrun
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions, get_model_state_dict, get_state_dict, set_state_dict)
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

# How the container ends. Trying again cannot mend a configuration, dataset or checkpoint error: the Job fails
# at once. It tries again after every other code.
EXIT_CODES = {"done": 0, "configuration": 10, "dataset": 11, "checkpoint": 12, "terminated": 143}

REQUIRED = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT",
            "DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI", "RUN_NAME", "AWS_REGION")
MARKER = "complete.json"  # the last object of a checkpoint to be written, the first to be deleted


class Stop(Exception):
    """Ends the program with the exit code of its kind and one line that says why."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Parser(argparse.ArgumentParser):
    def error(self, message):  # argparse would end with 2, and the Job would try again
        raise Stop("configuration", message)


def say(line):
    sys.stdout.write(line + "\n")  # in one write, so that lines of several processes do not mix
    sys.stdout.flush()


def check_environment(env):
    """Finds what is missing or contradicts itself, before any process waits for another."""
    if missing := [name for name in REQUIRED if not env.get(name)]:
        raise Stop("configuration", f"not set in the environment: {', '.join(missing)}")
    for name in ("DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI", "RESUME_FROM_URI"):
        if env.get(name) and not re.match(r"s3://[^/]+", env[name]):
            raise Stop("configuration", f"{name} is {env[name]!r}: it must be s3://bucket/prefix")
    for name in ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK"):
        if not env[name].isdigit():
            raise Stop("configuration", f"{name} is {env[name]!r}: it must be a number")
    nodes, processes, node = int(env["PET_NNODES"]), int(env["PET_NPROC_PER_NODE"]), int(env["PET_NODE_RANK"])
    if node >= nodes:
        raise Stop("configuration", f"PET_NODE_RANK is {node}, but PET_NNODES is {nodes}: ranks begin with 0")
    if int(env.get("WORLD_SIZE", nodes * processes)) != nodes * processes:
        raise Stop("configuration", f"wrong world size: torchrun started {env['WORLD_SIZE']} processes, but "
                   f"PET_NNODES {nodes} x PET_NPROC_PER_NODE {processes} is {nodes * processes}")
    if processes < 1 or torch.cuda.is_available() and torch.cuda.device_count() != processes:
        raise Stop("configuration", f"wrong world size: PET_NPROC_PER_NODE is {processes}, but this node has "
                   f"{torch.cuda.device_count()} GPUs: it must be one process per GPU")


def launch(env, args, check):
    """Runs the checks, then torchrun in this process. Returns the exit code.

    The command torchrun ends with 1 whatever its processes end with; the Job needs to know why they failed.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODES["terminated"]))  # until torchrun sets its own
    check_environment(env)
    check(env, args)
    env.setdefault("PET_RDZV_CONF", "timeout=1800")  # seconds for all nodes to come up; a GPU node may take its time
    env.setdefault("PET_SHUTDOWN_TIMEOUT", "90")
    try:
        torchrun.run(torchrun.parse_args(sys.argv))
    except ChildFailedError as e:
        codes = [failure.exitcode for failure in e.failures.values()]
        code = next((c for c in codes if c in EXIT_CODES.values()), codes[0])  # a reason goes before its consequences
        return 128 - code if code < 0 else code  # a signal, as a shell tells it
    except SignalException as e:
        return 128 + e.sigval
    return EXIT_CODES["done"]


def main(options, check, train):
    """The script's whole life: the launcher of a node, or, started by torchrun, one of its processes."""
    try:
        args = options()
        if "LOCAL_RANK" not in os.environ:
            sys.exit(launch(os.environ, args, check))
        train(os.environ, args)
    except Stop as stop:
        if os.environ.get("RANK", "0") == "0":
            say(f"{stop.kind}: {stop}")
        sys.exit(EXIT_CODES[stop.kind])


# --- S3 -----------------------------------------------------------------------


def split(uri):
    """Bucket and prefix of an S3 URI; the prefix is "" or ends with a slash."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix.rstrip("/") + "/" if prefix.strip("/") else ""


def listing(s3, uri):
    """Name below the prefix, size and ETag of every object there, sorted by name."""
    bucket, prefix = split(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted((o["Key"][len(prefix):], o["Size"], o["ETag"]) for page in pages for o in page.get("Contents", ()))


def put_json(s3, uri, name, value):
    bucket, prefix = split(uri)
    s3.put_object(Bucket=bucket, Key=prefix + name, Body=json.dumps(value, indent=1).encode())


def delete(s3, uri, names):
    bucket, prefix = split(uri)
    for i in range(0, len(names), 1000):  # as many as one request may name
        keys = [{"Key": prefix + name} for name in names[i:i + 1000]]
        if errors := s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors"):
            say(f"could not delete {len(errors)} objects under {uri}: {errors[0].get('Message')}")


# --- checkpoints --------------------------------------------------------------


class State:
    """All that a checkpoint holds, in the form that torch.distributed.checkpoint saves and loads."""

    def __init__(self, model, optimizer, scheduler, layout):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.layout = layout  # stands for all that decides which data comes when
        self.step = 0
        self.turn = 0  # batches taken from the data since its order last began
        self.exact = True  # False while loading what was saved in another layout

    def generators(self):
        """The names of this process's random number generators in a checkpoint, with what reads and sets them."""
        if not self.exact:
            return {}
        both = {"cpu": torch, "cuda": torch.cuda} if torch.cuda.is_available() else {"cpu": torch}
        return {f"random_{device}_{dist.get_rank()}": of for device, of in both.items()}

    def state_dict(self):
        model, optimizer = get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer, "scheduler": self.scheduler.state_dict(), "step": self.step,
                "turn": self.turn, **{name: of.get_rng_state() for name, of in self.generators().items()}}

    def load_state_dict(self, state):
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"],
                       optim_state_dict=state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.step, self.turn = state["step"], state["turn"] if self.exact else 0
        for name, of in self.generators().items():
            of.set_rng_state(state[name])

    def load(self, env, marker, uri):
        """Goes on from a checkpoint: at the exact batch, unless data, processes, batch or seed have changed."""
        self.exact = marker["layout"] == self.layout
        dcp.load({"state": self}, storage_reader=S3StorageReader(env["AWS_REGION"], uri))
        if dist.get_rank() == 0:
            say(f"resumed from {uri} at step {self.step}" + (
                "" if self.exact else "; the data begins anew: objects, processes, batch or seed have changed"))
        self.exact = True


def checkpoints(s3, uri):
    """Step -> sizes of the objects by name, of every checkpoint under the URI, complete or not."""
    found = {}
    for name, size, _ in listing(s3, uri):
        if match := re.fullmatch(r"step-(\d+)/(.+)", name):
            found.setdefault(int(match[1]), {})[match[2]] = size
    return found


def folder(uri, step):
    return f"{uri.rstrip('/')}/step-{step:08d}"


def newest_complete(s3, uri):
    """Marker and URI of the newest checkpoint that has a marker and all that it names, or None."""
    found = checkpoints(s3, uri)
    for step in sorted(found, reverse=True):
        at, objects = folder(uri, step), found[step]
        if MARKER in objects:
            bucket, prefix = split(at)
            marker = json.load(s3.get_object(Bucket=bucket, Key=prefix + MARKER)["Body"])
            if all(objects.get(name) == size for name, size in marker["objects"].items()):
                return marker, at
        say(f"passed over {at}: not complete")
    return None


def starting_point(s3, env, shape, steps):
    """Where to go on from: this run's newest checkpoint, else the earlier run's; None to begin."""
    found = newest_complete(s3, env["CHECKPOINT_URI"])
    if not found and (uri := env.get("RESUME_FROM_URI")):
        found = newest_complete(s3, uri)
        if not found:
            raise Stop("checkpoint", f"RESUME_FROM_URI {uri}: no complete checkpoint there")
        if found[0]["step"] >= steps:
            raise Stop("configuration", f"--steps {steps}: {found[1]} is as far already")
    if found and found[0]["model"] != shape:
        raise Stop("checkpoint", f"{found[1]} holds a model of {found[0]['model']}, but the options say {shape}")
    return found


def save(s3, env, state, shape, keep):
    """Saves a checkpoint, marks it as complete and prunes older ones. Every process calls it at the same step."""
    began, uri = time.monotonic(), env["CHECKPOINT_URI"]
    at = folder(uri, state.step)
    if dist.get_rank() == 0:  # what an attempt that was cut short has left
        delete(s3, at, [MARKER])
        delete(s3, at, [name for name, _, _ in listing(s3, at)])
    dcp.save({"state": state}, storage_writer=S3StorageWriter(env["AWS_REGION"], at))
    if dist.get_rank() == 0:  # dcp.save returns here when all processes have written
        put_json(s3, at, MARKER, {"step": state.step, "layout": state.layout, "model": shape, "run": env["RUN_NAME"],
                                  "commit": env.get("SCRIPT_COMMIT", ""),
                                  "objects": {name: size for name, size, _ in listing(s3, at)}})
        found = checkpoints(s3, uri)
        oldest = sorted(step for step, names in found.items() if MARKER in names and step <= state.step)[-keep:][0]
        for step in sorted(step for step in found if step < oldest):
            delete(s3, folder(uri, step), [MARKER])
            delete(s3, folder(uri, step), list(found[step]))
        say(f"saved {at} in {time.monotonic() - began:.1f} s")
    dist.barrier()


def publish(s3, env, state, shape):
    """Writes the finished model, whole, to the artifacts; model.json comes last."""
    weights = get_model_state_dict(state.model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if dist.get_rank() == 0:
        at = env["ARTIFACT_URI"].rstrip("/")
        with S3Checkpoint(env["AWS_REGION"]).writer(f"{at}/model.pt") as writer:
            torch.save(weights, writer)
        put_json(s3, at, "model.json", {"step": state.step, "model": shape, "run": env["RUN_NAME"],
                                        "commit": env.get("SCRIPT_COMMIT", "")})
        say(f"finished model: {at}/model.pt")
    dist.barrier()
