"""Trains a causal language model on text, on one GPU a process, and resumes from checkpoints after it was stopped.

Run `python train.py [options]` once on every node. It checks options and environment, starts its ranks by launch.py, and ends
with one of exits.EXIT_CODES. The environment is its only interface, beside what launch.py reads:

  DATASET_URI      s3://bucket/prefix: text, see prepare.py
  CHECKPOINT_URI   s3://bucket/runs/<run>/: this run's checkpoints and tokens
  ARTIFACT_URI     s3://bucket/runs/<run>/: the finished model, for from_pretrained of transformers
  RESUME_FROM_URI  s3://bucket/runs/<earlier>/: an earlier run to start from, or ""
  RUN_NAME, SCRIPT_COMMIT, AWS_REGION
  ACCELERATOR_BF16_TFLOPS  peak of a GPU, for the model FLOPs utilization (MFU)

prepare.py makes tokens of text, data.py says which tokens a step trains on, model.py builds, shards and publishes the model,
checkpoint.py saves and resumes. To train another way, change train() below.
"""

import argparse
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
from exits import EXIT_CODES, stop

try:
    import torch
    import torch.distributed as dist
    import torch.nn.functional as F

    import checkpoint
    import model as models
    import prepare
    import s3
    from data import Batches, Tokens
    from launch import beat
    from report import event, event_of_rank_0
except ImportError as error:
    stop("configuration", f"the image lacks {error.name or error}: build it from image/Dockerfile")

REQUIRED = ("DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI", "RUN_NAME", "AWS_REGION")
PUBLISHED = "model.json"  # the last object of a finished model
# Seconds after which a rank that waits for another one gives up, in the model's collectives and in the exchange of flags.
# launch.HANG_SECONDS is longer. A checkpoint may take longer to write.
COLLECTIVE, FLAG, SAVE = 300, 180, 3600
UNCOMPARED = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")


def options():
    def positive(text):
        if int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text} is less than 1")
        return int(text)

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.error = functools.partial(stop, "configuration")  # the Job would retry after argparse's own code, 2
    p.add_argument("--model", default="config.json", help="configuration of a model of transformers, for random weights; or an "
                   "S3 folder with config.json and, to continue from given weights, *.safetensors")
    p.add_argument("--tokenizer", help="folder or S3 folder with tokenizer.json and tokenizer_config.json; default: that of --model "
                   "in S3, else the folder tokenizer")
    p.add_argument("--context", type=positive, default=128, help="tokens that the model sees at once")
    p.add_argument("--batch", type=positive, default=8, help="windows that a rank computes at once; limited by memory")
    p.add_argument("--global-batch", type=positive, help="windows per step of all ranks, a multiple of --batch x ranks; default: "
                   "--batch x ranks. Ranks accumulate gradients, so that the training is the same on any number of nodes")
    p.add_argument("--steps", type=positive, default=100, help="steps of the whole run, resumed ones included")
    p.add_argument("--learning-rate", type=float, default=1e-3, help="largest; it falls to a tenth at the end")
    p.add_argument("--warmup", type=positive, default=20, help="steps until the full learning rate")
    p.add_argument("--weight-decay", type=float, default=0.1, help="of matrices")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, help="compile the layers; default: on GPUs")
    p.add_argument("--checkpoint-activations", action="store_true", help="compute activations again rather than keep them")
    p.add_argument("--save-minutes", type=float, default=10, help="minutes between checkpoints")
    p.add_argument("--save-every", type=positive, help="steps between more checkpoints; default: none")
    p.add_argument("--keep", type=positive, default=3, help="checkpoints to keep")
    p.add_argument("--validate-every", type=int, default=50, help="steps between validations; 0: none, and nothing is held out")
    p.add_argument("--log-every", type=positive, default=10, help="steps between lines of the log")
    p.add_argument("--log-data", action="store_true", help="every rank logs the windows of every step")
    return p.parse_args()


# --- checks
def check(env, args):
    """Checks what one process can, before any process waits for another. Returns the step of the newest checkpoint, or
    launch.PUBLISHED if the run has ended."""
    if missing := [name for name in REQUIRED if not env.get(name)]:
        stop("configuration", f"not set in the environment: {', '.join(missing)}")
    if s3.exists(s3.join(env["ARTIFACT_URI"], PUBLISHED)):
        return launch.PUBLISHED
    config = models.configuration(args.model)
    found = starting_point(env, args, config)
    text(env, args)
    tokenizer = prepare.Tokenizer.of(args)
    fits(args, config, tokenizer.vocabulary)
    global_batch(args, found, int(env["PET_NNODES"]) * int(env["PET_NPROC_PER_NODE"]))
    return found[0]["step"] if found else 0


def fits(args, config, vocabulary):
    """Checks the model against tokens and windows."""
    parsed = models.parsed(config).get_text_config()
    if vocabulary > parsed.vocab_size:
        stop("configuration", f"--model {args.model}: vocab_size is {parsed.vocab_size}, but the tokens have {vocabulary} values")
    if args.context > (longest := getattr(parsed, "max_position_embeddings", None) or args.context):
        stop("configuration", f"--context {args.context}: --model {args.model} has max_position_embeddings {longest}")


def text(env, args):
    """Returns the listing of the dataset."""
    uri = env["DATASET_URI"]
    found = s3.listing(uri)
    if not found:
        stop("dataset", f"DATASET_URI {uri}: no object below this prefix")
    if (size := sum(o[1] for o in found)) < args.context:
        stop("dataset", f"DATASET_URI {uri}: empty or too small: {size} bytes in {len(found)} objects, with --context {args.context}")
    return found


def global_batch(args, found, world):
    """Returns the windows of a step: those of --global-batch, or of the run that is resumed."""
    windows = args.global_batch or (found[0]["global_batch"] if found else args.batch * world)
    if windows % (args.batch * world):
        stop("configuration", f"--global-batch {windows}: not a multiple of {args.batch * world}, --batch {args.batch} x {world} "
             f"ranks" + ("" if args.global_batch else f" ({found[1]} was trained with it)"))
    return windows


def starting_point(env, args, config):
    """Returns marker and URI of the checkpoint to start from: this run's newest, else the earlier run's, else None."""
    found = checkpoint.newest_complete(env["CHECKPOINT_URI"])
    if not found and (uri := env.get("RESUME_FROM_URI")):
        found = checkpoint.newest_complete(uri)
        if not found:
            stop("checkpoint", f"RESUME_FROM_URI {uri}: no complete checkpoint there")
        if found[0]["step"] >= args.steps:
            stop("configuration", f"--steps {args.steps}: {found[1]} is as far already")
    if found:
        theirs, ours = ({k: v for k, v in c.items() if k not in UNCOMPARED} for c in (found[0]["model"], config))
        if other := sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k)):
            stop("checkpoint", f"{found[1]} holds another model than --model {args.model}: " + ", ".join(
                f"{k} {theirs.get(k)}, not {ours.get(k)}" for k in other))
    return found


# --- data
def tokens_of(env, args, found, rank, world, meet):
    """Returns the dataset's tokens: those that this run began with, those with the dataset's digest, or new ones."""
    uri, objects, tokenizer = None, None, prepare.Tokenizer.of(args)
    if rank == 0:
        if found and found[1].startswith(env["CHECKPOINT_URI"]) and s3.exists(s3.join(found[0]["tokens"], prepare.INDEX)):
            uri = found[0]["tokens"]  # so that new objects in the dataset do not change the order of the data
        elif s3.exists(s3.join(env["DATASET_URI"], prepare.INDEX)):
            uri = env["DATASET_URI"]
        else:
            objects = text(env, args)
            uri = prepare.find(env, prepare.digest(objects, tokenizer))
    uri, objects = shared((uri, objects))
    if not uri:
        uri = s3.join(env["CHECKPOINT_URI"], f"tokens/{prepare.digest(objects, tokenizer)}")
        prepare.prepare(env["DATASET_URI"], objects, tokenizer, uri, rank, world, meet)
        if rank == 0:
            prepare.write_index(env["DATASET_URI"], objects, tokenizer, uri)
    return shared(Tokens.at(uri) if rank == 0 else None)


def held_out_of(tokens, args):
    """Returns how many windows are held out for validation: a hundredth, at least 8, at most 1024."""
    return min(1024, max(8, tokens.count // args.context // 100)) if args.validate_every else 0


def shared(value):
    """Returns rank 0's value on every rank."""
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


class Flags:
    """Agrees among all ranks, every few steps, as often as costs less than 1 % of the time: whether one of them has received
    SIGTERM, and whether a checkpoint is due."""

    def __init__(self):
        self.told, self.every, self.cost = False, 1, math.inf
        self.group = dist.new_group(backend="gloo", timeout=datetime.timedelta(seconds=FLAG))
        signal.signal(signal.SIGTERM, self.tell)

    def tell(self, *_):
        self.told = True

    def raised(self, due=False, step=0, seconds=math.inf):
        """Returns whether any rank was told to stop, and whether due is true on any. seconds: of a step."""
        if step % self.every:
            return False, False
        wanted = max(1, min(math.ceil(100 * self.cost / seconds), math.ceil(5 / seconds))) if self.cost < math.inf else 1
        values, began = torch.tensor([self.told, due, wanted], dtype=torch.long), time.monotonic()  # on the CPU: does not wait for the GPU
        dist.all_reduce(values, dist.ReduceOp.MAX, group=self.group)
        self.cost = min(self.cost, time.monotonic() - began)  # the shortest: the others waited for a slower rank
        told, due, self.every = values.tolist()
        return bool(told), bool(due)

    def meet(self):
        """Ends all ranks if any was told to stop, where there is nothing to save."""
        if self.raised()[0]:
            stop("terminated", "SIGTERM: while preparing tokens")


# --- training
def loss_of(model, rows, device):
    """Returns the mean loss of windows, (windows, context + 1)."""
    rows = (rows.pin_memory() if device.type == "cuda" else rows).to(device, non_blocking=True)
    logits = model(input_ids=rows[:, :-1]).logits
    return F.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten())


@torch.no_grad()
def validate(model, rows, most, batch, device):
    """Returns the mean loss of all ranks' windows. most: of any rank, since all ranks must compute equally often."""
    model.eval()
    total = torch.zeros(2, device=device)
    for i in range(0, most, batch):
        part = rows[i:i + batch]
        loss = loss_of(model, part if len(part) else torch.zeros(1, rows.shape[1], dtype=torch.long), device)
        total += torch.stack([loss * len(part), torch.tensor(float(len(part)), device=device)])
        beat()
    dist.all_reduce(total)
    model.train()
    return (total[0] / total[1]).item()


def learning_rate(args, step):
    """Returns the learning rate of a step: a warm-up, then a cosine down to a tenth."""
    return args.learning_rate * min((step + 1) / args.warmup, 0.55 + 0.45 * math.cos(math.pi * min(step / args.steps, 1)))


def optimizer_of(model, args):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": args.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=args.learning_rate, betas=(0.9, 0.95), fused=True)


def train(env, args):
    """Runs one rank of the training. launch.py sets RANK, LOCAL_RANK and WORLD_SIZE."""
    os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")  # connects two ranks when they first talk, not all of them at once
    rank, world = int(env["RANK"]), int(env["WORLD_SIZE"])
    device = launch.device()
    gpu = device.type == "cuda"
    args.compile = gpu if args.compile is None else args.compile
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=datetime.timedelta(seconds=COLLECTIVE))
    flags = Flags()
    config = models.configuration(args.model)
    found = shared(starting_point(env, args, config) if rank == 0 else None)
    tokens = tokens_of(env, args, found, rank, world, flags.meet)
    fits(args, config, tokens.vocabulary)
    windows = global_batch(args, found, world)
    held_out = held_out_of(tokens, args)
    batches = Batches(tokens, args.context, windows, held_out, args.seed, rank, world)
    held_out_rows = batches.validation(rank, world)

    half = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    model = models.build(args, config, device, half, args.seed, rank)
    state = checkpoint.State(model, optimizer_of(model, args))
    # The layout identifies what decides the order of the data.
    layout = hashlib.sha256(repr((tokens.digest, windows, args.context, held_out, args.seed)).encode()).hexdigest()
    marker = {"run": env["RUN_NAME"], "commit": env.get("SCRIPT_COMMIT", ""), "model": config, "layout": layout,
              "tokens": tokens.uri, "global_batch": windows}
    event_of_rank_0(
        "started", run=env["RUN_NAME"], commit=env.get("SCRIPT_COMMIT", ""), ranks=world, device=device.type,
        dtype="bf16" if half else "fp32", parameters=sum(p.numel() for p in model.parameters()), tokens=tokens.count,
        global_batch=windows, steps_of_an_epoch=batches.steps)
    if found:
        state.load(found[1], env["AWS_REGION"])
        if not (exact := found[0]["layout"] == layout):
            state.turn = 0
        event_of_rank_0("resumed", checkpoint=found[1], step=state.step, data="goes on" if exact else
                        "begins again: dataset, tokenizer, context, global batch or seed have changed")
    run(env, args, state, batches, held_out_rows, -(-held_out // world), flags, marker, device)
    event_of_rank_0("publishing", uri=env["ARTIFACT_URI"])
    models.publish(model, env["ARTIFACT_URI"], prepare.Tokenizer.of(args), half, rank, world)
    dist.barrier()
    if rank == 0:
        s3.write(s3.join(env["ARTIFACT_URI"], PUBLISHED), json.dumps(marker | {"step": state.step}, indent=1))
        event("finished", step=state.step, model=env["ARTIFACT_URI"])
    dist.destroy_process_group()


def run(env, args, state, batches, held_out, most_held_out, flags, marker, device):
    """Trains to the last step, and saves."""
    rank, world, model, optimizer = dist.get_rank(), dist.get_world_size(), state.model, state.optimizer
    writing = dist.new_group(backend="gloo", timeout=datetime.timedelta(seconds=SAVE))
    checkpoints = checkpoint.Checkpoints(env["CHECKPOINT_URI"], env["AWS_REGION"], marker, args.keep, writing)
    flops, peak = models.flops_per_token(model, args.context), float(env.get("ACCELERATOR_BF16_TFLOPS") or 0) * 1e12
    model.train()
    began, steps, waited, stalled = time.monotonic(), 0, 0.0, 0.0  # of the interval that is logged
    seconds, validation, saved = math.inf, {}, began
    while state.step < args.steps:
        if args.log_data:
            event("data", step=state.step + 1, windows=batches.windows(state.turn))
        parts = batches.batch(state.turn).split(args.batch)
        torch.manual_seed(args.seed + (state.step << 20) + rank)  # of dropout, so that a resumed run has the same
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args, state.step)
        loss = torch.zeros((), device=device)
        for part in parts:
            part_loss = loss_of(model, part, device) / len(parts)
            part_loss.backward()
            loss += part_loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        state.step, state.turn, steps = state.step + 1, state.turn + 1, steps + 1
        beat()

        terminated, due = flags.raised(time.monotonic() - saved > 60 * args.save_minutes, state.step, seconds)
        last = state.step == args.steps
        saving = last or terminated or due or bool(args.save_every) and state.step % args.save_every == 0
        if args.validate_every and not terminated and (state.step % args.validate_every == 0 or last):
            validation = {"validation_loss": validate(model, held_out, most_held_out, args.batch, device)}
        if state.step % args.log_every == 0 or saving:
            dist.all_reduce(loss)
            loss, norm = loss.item() / world, float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise FloatingPointError(f"step {state.step}: loss {loss}, norm of the gradients {norm}: not saved")
        if state.step % args.log_every == 0 or last:
            now = time.monotonic()
            seconds, speed = (now - began) / steps, steps * batches.global_batch * args.context / (now - began)
            process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else process
            event_of_rank_0(
                "step", step=state.step, loss=loss, **validation, learning_rate=learning_rate(args, state.step - 1),
                gradient_norm=norm, tokens_per_second=speed, tokens_per_second_per_device=speed / world,
                **({"mfu": speed / world * flops / peak} if flops and peak else {}),
                data_wait_seconds=batches.waited - waited, checkpoint_seconds=checkpoints.stalled - stalled,
                memory_mib=memory >> 20, eta_seconds=(args.steps - state.step) * seconds)
            began, steps, validation, waited, stalled = now, 0, {}, batches.waited, checkpoints.stalled
        checkpoints.settled()
        if saving:
            checkpoints.save(state)
            saved = time.monotonic()
        if (last or terminated) and not checkpoints.settle() and not last:
            raise RuntimeError(f"step {state.step}: told to stop, but could not save")
        if terminated and not last:
            stop("terminated", f"SIGTERM: saved step {state.step}")


def main(env, args):
    """Runs a rank, and prints how it ends."""
    try:
        train(env, args)
    except SystemExit as end:
        event_of_rank_0("interrupted" if end.code == EXIT_CODES["terminated"] else "failed", code=end.code)
        raise
    except Exception as error:
        name = "interrupted" if launch.lost_peer(error) else "failed"
        event_of_rank_0(name, reason=f"{type(error).__name__}: {error}".splitlines()[0])
        raise


if __name__ == "__main__":
    arguments = options()
    if launch.is_rank():
        launch.rank(functools.partial(main, os.environ, arguments))
    else:
        launch.main(functools.partial(check, os.environ, arguments))
