"""Starts a training script on this node and, when another node is lost, starts it again in the same pod.

    python launch.py SCRIPT [ARGUMENT...]   # any script that torchrun could start
    launch.main(check)                      # from a script that checks its input first, such as train.py

Every node runs one launcher. The launcher of node 0 is also the coordinator: all launchers keep a connection to it and
start their ranks when all nodes are there. A rank that fails by its own fault ends its pod with its exit code, so that
Kubernetes counts it and replaces that pod alone. The other launchers stop their ranks, stay, and wait for it, however long
that takes. docs/training.md has a table of losses, and the measurements because of which this is not torchrun.

Environment:
  PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR, PET_MASTER_PORT
                        as torchrun reads them; the coordinator listens on the port, the ranks' store on one of the 64 above
  PET_SHUTDOWN_TIMEOUT  seconds in which the ranks may save a checkpoint after SIGTERM
  ACCELERATOR           nvidia, neuron or none: what each rank needs one of
  NODE_NAME, RUN_NAME   of the Kubernetes node, and of the run
  LOST_SECONDS          without a sign of another launcher until it counts as lost; default 30
  REPAIR_SECONDS        to wait on a node whose accelerators do not work, before the pod ends and is counted; default 1200:
                        EKS repairs such a node after ten minutes, and a pod on a node that is replaced is not counted
  HANG_SECONDS          without beat() of a rank until it counts as hung; default 360, more than its collectives' timeout
A rank has RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, GROUP_RANK, MASTER_ADDR and MASTER_PORT, as from torchrun.
"""

import asyncio
import contextlib
import glob
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import time

import traces
from coordinator import GENTLE, LOST_SECONDS, Coordinator, keep_alive
from exits import CONSEQUENCES, EXIT_CODES, say, stop

REQUIRED = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT", "PET_SHUTDOWN_TIMEOUT")
HANG_SECONDS = float(os.environ.get("HANG_SECONDS", 360))
REPAIR_SECONDS = float(os.environ.get("REPAIR_SECONDS", 1200))
START_SECONDS = 1800  # until the first beat: reading the data, loading a checkpoint, compiling
PUBLISHED = object()  # returned by a check: the run has ended, there is nothing to start

if "LOCAL_RANK" not in os.environ:  # until the launcher handles it: the first process of a container ignores SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_CODES["terminated"]))


# --- for scripts
def device():
    """Returns the device of this rank. Ends the process if its accelerator is missing, rather than train on the CPU."""
    import torch
    kind, needed = os.environ.get("ACCELERATOR", "none"), int(os.environ["LOCAL_WORLD_SIZE"])
    if kind == "nvidia":
        if not torch.cuda.is_available() or torch.cuda.device_count() != needed:
            say(f"accelerator: node {node_name(os.environ)}: {torch.cuda.device_count()} of {needed} GPUs are found")
            sys.exit(EXIT_CODES["accelerator"])
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device("cpu")


def is_rank():
    """Reports whether this process is a rank that a launcher, or torchrun, has started."""
    return "LOCAL_RANK" in os.environ


def beat():
    """Tells the launcher that this rank makes progress. The first call starts the watch for hangs."""
    if path := os.environ.get("BEAT_FILE"):
        with open(path, "a"):
            os.utime(path)


def no_access(error):
    """Reports whether an exception means that S3 cannot be used, now or at all: no credentials, no permission, no answer."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return type(error).__module__.startswith("botocore") and (type(error).__name__ in (
        "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "EndpointConnectionError",
        "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "TokenRetrievalError") or code in (
        "AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"))


def lost_peer(error):
    """Reports whether an exception means that another rank is gone. gloo has no class of its own for it."""
    return isinstance(error, RuntimeError) and (
        type(error).__name__.startswith("Dist") or any(word in str(error) for word in ("gloo", "NCCL", "Gloo")))


def rank(train):
    """Runs the training of a rank, and ends the process with the code of what it raises."""
    try:
        train()
    except Exception as error:
        if no_access(error):
            stop_all(f"credentials: {type(error).__name__}: {error}", EXIT_CODES["credentials"])
        if lost_peer(error):
            stop_all(f"another rank is gone: {str(error).splitlines()[0]}", EXIT_CODES["interrupted"])
        raise


def stop_all(reason, code):
    """Ends the process without waiting for communicators that no peer answers."""
    say(f"rank {os.environ.get('RANK', '0')}: {reason}")
    sys.stderr.flush()
    os._exit(code)


def main(check=None, command=None):
    """Runs this node's part of the run and ends the process with its exit code. check() returns the step of the newest
    checkpoint or PUBLISHED, or ends with stop(). command is what a rank runs: by default this process's own script."""
    if missing := [name for name in REQUIRED if not os.environ.get(name)]:
        stop("configuration", f"not set in the environment: {', '.join(missing)}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one connection per node
    launcher = Launcher(os.environ, check, command or [sys.executable, "-u", *sys.argv])
    asyncio.new_event_loop().run_until_complete(launcher.run())


# --- accelerators
PROBE = """
import torch
print(sum(torch.ones(1, device=f"cuda:{i}").item() == 1 for i in range(torch.cuda.device_count())))
"""


async def missing_accelerators(env):
    """Returns what this node lacks, or "". Works on every device, in a process of its own: a broken one can hang."""
    kind, needed = env.get("ACCELERATOR", "none"), int(env["PET_NPROC_PER_NODE"])
    if kind == "none":
        return ""
    found, detail = 0, ""
    if kind == "neuron":
        return "" if (found := len(glob.glob("/dev/neuron[0-9]*"))) else f"node {node_name(env)}: no /dev/neuron*"
    probe = await asyncio.create_subprocess_exec(sys.executable, "-c", PROBE, stdout=-1, stderr=-1)
    try:
        output, errors = await asyncio.wait_for(probe.communicate(), 300)
        found, detail = int(output or 0), (errors.decode().strip().splitlines() or [""])[-1]
    except asyncio.TimeoutError:
        probe.kill()
        detail = "no answer in 300 s"
    return "" if found == needed else f"node {node_name(env)}: {found} of {needed} GPUs work. {detail}".rstrip(". ")


def node_name(env):
    return env.get("NODE_NAME") or socket.gethostname()


# --- the launcher of one node
class Launcher:
    """Events (messages of the coordinator, ends of ranks, signals, a clock) come one after the other through a queue."""

    def __init__(self, env, check, command):
        self.env, self.check, self.command = dict(env), check, command
        self.node, self.nodes, self.processes = (int(env[name]) for name in ("PET_NODE_RANK", "PET_NNODES", "PET_NPROC_PER_NODE"))
        self.port = int(env["PET_MASTER_PORT"])
        self.address = "127.0.0.1" if self.node == 0 else env["PET_MASTER_ADDR"]
        self.folder = tempfile.mkdtemp(prefix="launch-")
        self.events, self.writer, self.heard = asyncio.Queue(), None, 0.0
        self.state = "joining"  # joining, waiting, running, ending (until the verdict and the end of the last rank), done
        self.terminated, self.judged, self.deadline = False, False, None
        self.ranks, self.code, self.began = {}, 0, 0.0  # of the attempt: processes, how one has failed, when it began
        self.failures, self.since = 0, None  # a copy for the next coordinator

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.put, "sigterm")
        coordinator = await Coordinator(self.nodes, self.port).serve() if self.node == 0 else None
        self.tasks = [loop.create_task(self.tick()), loop.create_task(self.join(first=True))]
        code = None
        while code is None:
            event = await self.events.get()
            code = await getattr(self, "on_" + event.pop("type"))(**event)
        await self.kill_ranks()
        if coordinator:
            await asyncio.sleep(1)  # until what it has said last is sent
        sys.stdout.flush()
        os._exit(code)  # a check in its thread, for example, is not waited for

    def put(self, kind, **event):
        self.events.put_nowait({"type": kind, **event})

    def send(self, kind, **message):
        if self.writer:
            with contextlib.suppress(OSError):
                self.writer.write(json.dumps({"type": kind, **message}).encode() + b"\n")

    def look(self, first):
        """Calls the check. Returns an exit code to end with, or None, and the step of the newest checkpoint, or None."""
        for wait in (1, 5, 15, 30, None):
            try:
                found = self.check() if self.check else None
                return (EXIT_CODES["done"], None) if found is PUBLISHED else (None, found)
            except SystemExit as end:
                return (end.code if first else None), None
            except Exception as error:
                if not no_access(error):
                    raise
                if wait is None or first and "Credentials" in type(error).__name__:
                    say(f"credentials: {type(error).__name__}: {error}")
                    return (EXIT_CODES["credentials"] if first else None), None
            time.sleep(wait)

    async def join(self, first=False):
        """Checks, connects to the coordinator, and passes on its messages until the connection ends."""
        began = None
        while first and (missing := await missing_accelerators(self.env)):
            say(f"accelerator: {missing}")
            began = began or time.monotonic()
            if time.monotonic() - began > REPAIR_SECONDS:
                return self.put("end", code=EXIT_CODES["accelerator"], reason="")
            await asyncio.sleep(min(60, REPAIR_SECONDS))
        code, saved = await asyncio.to_thread(self.look, first)
        if code is not None:
            return self.put("end", code=code, reason="" if code else "launch: the run has published its model")
        said = 0
        while True:
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(self.address, self.port), 5)
                break
            except (OSError, asyncio.TimeoutError) as error:
                if time.monotonic() - said > 60:
                    say(f"launch: node {self.node} waits for node 0 at {self.address}: {error or 'no answer'}")
                    said = time.monotonic()
                await asyncio.sleep(0.5)
        keep_alive(writer)
        self.writer, self.heard, self.state = writer, time.monotonic(), "waiting"
        self.send("hello", node=self.node, failures=self.failures, since=self.since)
        self.send("ready", saved=saved)
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                self.heard = time.monotonic()
                self.put(**{"kind" if name == "type" else name: value for name, value in json.loads(line).items()})
        self.put("lost", writer=writer)

    async def tick(self):
        while True:
            await asyncio.sleep(min(5, LOST_SECONDS / 4))
            self.put("tick")

    # --- events; each returns an exit code, or None to go on
    async def on_beat(self):
        pass

    async def on_tick(self):
        now = time.monotonic()
        self.send("beat")
        if self.writer and now - self.heard > LOST_SECONDS:
            self.put("lost", writer=self.writer)
        if self.deadline and now > self.deadline:
            await self.kill_ranks()
            return EXIT_CODES["terminated"] if self.terminated else await self.start_over()
        if self.state == "running" and not self.terminated and (hung := self.hung()):
            say(f"launch: node {self.node}: no progress of local rank {hung[0]} for {hung[1]:.0f} s")
            self.state = "ending"
            self.send("hung")
            await self.kill_ranks()

    async def on_sigterm(self):
        self.terminated = True
        if not self.ranks:
            return EXIT_CODES["terminated"]
        say(f"launch: node {self.node} is told to stop")
        self.send("leaving")
        self.deadline = time.monotonic() + float(self.env["PET_SHUTDOWN_TIMEOUT"])
        for process in self.ranks.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    async def on_go(self, port):
        """Starts the ranks."""
        self.state, self.judged, self.code, self.deadline, self.began = "running", False, 0, None, time.time()
        environment = self.env | {
            "MASTER_ADDR": self.writer.get_extra_info("peername")[0], "MASTER_PORT": str(port),
            "WORLD_SIZE": str(self.nodes * self.processes), "LOCAL_WORLD_SIZE": str(self.processes), "GROUP_RANK": str(self.node),
            "TORCH_FR_DUMP_TEMP_FILE": self.folder + "/trace-",
        }
        if self.processes > 1:
            environment.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does
        for local in range(self.processes):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.beat_file(local))
            own = {"RANK": str(self.node * self.processes + local), "LOCAL_RANK": str(local), "BEAT_FILE": self.beat_file(local)}
            process = await asyncio.create_subprocess_exec(*self.command, env=environment | own, start_new_session=True)
            self.ranks[local] = process
            self.tasks.append(asyncio.get_running_loop().create_task(self.watch(local, process)))

    async def watch(self, local, process):
        await process.wait()
        self.put("exit", local=local, process=process)

    async def on_exit(self, local, process):
        if self.ranks.get(local) is not process:
            return None  # killed by this launcher
        del self.ranks[local]
        self.note(process.returncode)
        if self.terminated:
            return None if self.ranks else EXIT_CODES["terminated"]
        if self.state == "running" and self.code:
            self.state = "ending"
            self.send("failed", code=self.code)
            if self.code in GENTLE:
                self.deadline = time.monotonic() + 30
            else:
                await self.kill_ranks()
        elif self.state == "running" and not self.ranks:
            self.state = "done"
            self.send("done")
        return await self.start_over()

    async def on_stop(self, gently):
        if self.state not in ("running", "done") or self.terminated:
            return
        self.state = "ending"
        if gently:
            self.deadline = time.monotonic() + 30
        else:
            await self.kill_ranks()
            self.send("stopped", code=self.code)

    async def on_verdict(self, own, failures, since):
        self.failures, self.since, self.judged = failures, since, True
        await asyncio.to_thread(traces.upload, self.folder + "/trace-", self.env)
        if own and not self.terminated:
            if self.code not in EXIT_CODES.values() and (missing := await missing_accelerators(self.env)):
                say(f"accelerator: {missing}")
                return EXIT_CODES["accelerator"]
            return self.code
        return await self.start_over()

    async def start_over(self):
        """Waits for the next attempt, once the verdict is there and the last rank has ended."""
        if self.state != "ending" or self.ranks or not self.judged or self.terminated:
            return None
        self.state, self.deadline = "waiting", None
        say(f"launch: node {self.node} stays and starts over")
        code, saved = await asyncio.to_thread(self.look, False)
        if code is None:
            self.send("ready", saved=saved)
        return code

    async def on_lost(self, writer):
        if writer is not self.writer:
            return
        self.writer.close()
        self.writer = None
        if not self.terminated:
            say(f"launch: node {self.node} has lost node 0, stays and starts over")
            await self.kill_ranks()
            self.state = "joining"
            self.tasks.append(asyncio.get_running_loop().create_task(self.join()))

    async def on_end(self, code, reason):
        if reason:
            say(reason)
        return code

    # --- ranks
    def beat_file(self, local):
        return f"{self.folder}/beat-{local}"

    def note(self, returncode):
        """Remembers how a rank has ended; one that says why goes before its consequences, and those before nothing."""
        code = 128 - returncode if returncode < 0 else returncode  # a signal, as a shell reports it
        if code and (not self.code or self.code in CONSEQUENCES and code not in CONSEQUENCES):
            self.code = code

    def hung(self):
        """Returns local rank and seconds of a rank that has made no progress for too long, or None."""
        for local in self.ranks:
            try:
                since, limit = os.stat(self.beat_file(local)).st_mtime, HANG_SECONDS
            except FileNotFoundError:
                since, limit = self.began, START_SECONDS
            if time.time() - since > limit:
                return local, time.time() - since
        return None

    async def kill_ranks(self):
        """Kills the ranks with all that they have started, and waits until they have ended."""
        ranks, self.ranks, self.deadline = self.ranks, {}, None
        ended = [process for process in ranks.values() if process.returncode is not None]
        for process in ranks.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in ranks.values():
            await process.wait()
            if process in ended or process.returncode != -signal.SIGKILL:
                self.note(process.returncode)  # it had ended by itself


if __name__ == "__main__":
    if len(sys.argv) < 2:
        stop("configuration", "usage: launch.py SCRIPT [ARGUMENT...]")
    main(command=[sys.executable, "-u", *sys.argv[1:]])
