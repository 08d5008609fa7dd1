"""Runs scripts/launch.py with ranks that only count: several launchers on this machine, no PyTorch."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from conftest import free_port

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
from coordinator import HUNG, Coordinator  # noqa: E402
from exits import EXIT_CODES as CODES  # noqa: E402

# A rank counts to STEPS, and does what the file do-RANK says: hang, stay, raise, look for its GPU, or end with a code or by a signal. The
# launcher's check does what the file check says: an exit code, a step, "published" or "no credentials".
SCRIPT = """
import os, pathlib, signal, sys, time
sys.path.insert(0, SCRIPTS)
import launch
here = pathlib.Path(__file__).parent
NoCredentialsError = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})

def train():
    rank = os.environ["RANK"]
    def told(*_):
        (here / "told").touch()
    signal.signal(signal.SIGTERM, told)
    print(f"rank {rank} of {os.environ['WORLD_SIZE']} starts", flush=True)
    for step in range(int(os.environ["STEPS"])):
        time.sleep(0.05)
        launch.beat()
        if (here / "told").exists():  # all ranks save and end together, as in train.py
            sys.exit(launch.EXIT_CODES["terminated"])
        do = here / f"do-{rank}"
        if do.exists():
            what = do.read_text()
            do.unlink()
            if what == "hang":
                time.sleep(1000)
            if what == "trace":
                pathlib.Path(os.environ["TORCH_FR_DUMP_TEMP_FILE"] + rank).write_text("collectives")
                os.abort()
            if what == "raise":
                raise RuntimeError("Gloo: connection closed by peer")
            if what == "no credentials":
                raise NoCredentialsError("Unable to locate credentials")
            if what == "device":
                launch.device()
            while what == "stay":  # whatever it is told
                time.sleep(1)
            os.kill(os.getpid(), int(what[1:])) if what[0] == "-" else os._exit(int(what))
    print(f"rank {rank} ends", flush=True)

def check():
    (here / "told").unlink(missing_ok=True)
    what = (here / "check").read_text() if (here / "check").exists() else "0"
    if what == "published":
        return launch.PUBLISHED
    if what == "no credentials":
        raise NoCredentialsError("Unable to locate credentials")
    if what.startswith("stop "):
        launch.stop(what[5:], "because")
    return int(what)

launch.rank(train) if launch.is_rank() else launch.main(check)
""".replace("SCRIPTS", repr(str(SCRIPTS)), 1)


class Nodes:
    def __init__(self, root, count=3, processes=2, **env):
        self.root, self.launchers, self.logs = root, {}, {}
        self.env = os.environ | {
            "PET_NNODES": str(count), "PET_NPROC_PER_NODE": str(processes), "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(free_port()),
            "PET_SHUTDOWN_TIMEOUT": "20", "LOST_SECONDS": "6", "HANG_SECONDS": "8", "STEPS": "1000000", "NODE_NAME": "host-1",
        } | env
        (root / "script.py").write_text(SCRIPT)
        for node in range(count):
            self.start(node)

    def start(self, node):
        self.logs[node] = self.root / f"node-{node}-{time.monotonic_ns()}.log"
        self.launchers[node] = subprocess.Popen(
            [sys.executable, "-u", str(self.root / "script.py")], env=self.env | {"PET_NODE_RANK": str(node)},
            stdout=self.logs[node].open("w"), stderr=subprocess.STDOUT, start_new_session=True)

    def do(self, rank, what):
        (self.root / f"do-{rank}").write_text(what)

    def check(self, what):
        (self.root / "check").write_text(what)

    def output(self, node):
        return self.logs[node].read_text()

    def reach(self, node, text, times=1, limit=90):
        end = time.monotonic() + limit
        while self.output(node).count(text) < times:
            assert time.monotonic() < end, f"node {node} does not say {text!r}:\n" + "\n".join(self.output(n) for n in self.logs)
            time.sleep(0.05)

    def all_start(self):
        """Waits until all ranks of the first attempt run, or a node could be stopped before its ranks have said that they do."""
        for node in self.logs:
            self.reach(node, "starts", 2)

    def code(self, node, limit=90):
        return self.launchers[node].wait(limit)

    def alive(self, *nodes):
        return all(self.launchers[node].poll() is None for node in nodes)

    def end(self):
        """Kills the launchers, then all ranks, also those whose launcher was killed before."""
        for launcher in self.launchers.values():
            launcher.kill()
            launcher.wait()
        while ranks := self.processes():
            for rank in ranks:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank, signal.SIGKILL)
            time.sleep(0.05)

    def processes(self):
        """Returns the ids of all processes of the script that run."""
        found, script = [], str(self.root / "script.py").encode()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if script in (process / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found


@pytest.fixture
def nodes(tmp_path):
    started = []

    def start(**arguments):
        started.append(Nodes(tmp_path, **arguments))
        return started[-1]
    yield start
    for each in started:
        each.end()


@pytest.mark.parametrize("rank,what,code", [(3, "5", 5), (4, "-9", 137), (5, "1", 1), (0, "-11", 139), (2, "15", 15)])
def test_own_fault_ends_one_pod(nodes, rank, what, code):
    run = nodes()
    victim = rank // 2
    others = [n for n in range(3) if n != victim]
    run.all_start()
    run.do(rank, what)
    assert run.code(victim) == code
    for node in others:
        run.reach(node, "stays and starts over")
    run.start(victim)
    for node in others:
        run.reach(node, "starts", 4)
    run.reach(victim, "starts", 2)
    assert run.alive(0, 1, 2)


def test_credentials_that_are_lost_end_one_pod(nodes):
    run = nodes(count=2)
    run.all_start()
    run.do(2, "no credentials")
    assert run.code(1) == CODES["credentials"] and run.alive(0)
    assert "rank 2: credentials: NoCredentialsError" in run.output(1)


@pytest.mark.parametrize("what", ["1", "device"])  # the launcher looks when a rank has failed, and each rank looks
def test_gpu_that_disappears_ends_one_pod(nodes, tmp_path, what):
    (tmp_path / "torch.py").write_text("""
import pathlib
class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: int((pathlib.Path(__file__).parent / "gpus").read_text()))
class ones:
    def __init__(self, size, device): pass
    def item(self): return 1
""")
    (tmp_path / "gpus").write_text("2")
    run = nodes(count=2, ACCELERATOR="nvidia", PYTHONPATH=str(tmp_path))
    run.all_start()
    (tmp_path / "gpus").write_text("1")
    run.do(2, what)
    assert run.code(1) == CODES["accelerator"] and run.alive(0)
    assert "accelerator: node host-1: 1 of 2 GPUs" in run.output(1)


@pytest.mark.parametrize("arguments,line", [
    ([], "usage: launch.py SCRIPT"),
    (["train.py"], "not set in the environment: PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK"),
])
def test_started_in_a_wrong_way(arguments, line):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PET_")}
    ended = subprocess.run([sys.executable, str(SCRIPTS / "launch.py"), *arguments], env=environment, capture_output=True, text=True)
    assert ended.returncode == CODES["configuration"] and ended.stdout.startswith(f"configuration: {line}"), ended


def test_all_end_together(nodes):
    run = nodes(STEPS="20")
    assert [run.code(node) for node in range(3)] == [0, 0, 0]


def test_cause_goes_before_its_consequence(nodes):
    run = nodes()
    run.all_start()
    run.do(2, "raise")  # of node 1: another rank is gone
    run.do(4, "1")
    assert run.code(2) == 1
    run.reach(1, "stays and starts over")
    assert run.alive(0, 1)


def test_consequence_without_a_cause_ends_no_pod(nodes):
    run = nodes()
    run.all_start()
    run.do(4, "raise")
    for node in range(3):
        run.reach(node, "starts", 4)
    assert run.alive(0, 1, 2)


def test_hang_ends_no_pod(nodes):
    run = nodes()
    run.all_start()
    run.do(4, "hang")
    run.reach(2, "no progress of local rank 0")
    for node in range(3):
        run.reach(node, "starts", 4)
    assert run.alive(0, 1, 2)


@pytest.mark.parametrize("victim", [0, 2])
def test_silent_node_counts_as_lost(nodes, victim):
    run = nodes()
    others = [n for n in range(3) if n != victim]
    run.all_start()
    run.launchers[victim].send_signal(signal.SIGSTOP)
    for node in others:
        run.reach(node, "has lost node 0" if victim == 0 else "stays and starts over")
    run.launchers[victim].kill()
    run.launchers[victim].wait()
    run.start(victim)
    for node in others:
        run.reach(node, "starts", 4)


def test_sigterm_to_one_ends_one(nodes):
    run = nodes()
    run.all_start()
    run.launchers[1].send_signal(signal.SIGTERM)
    assert run.code(1, 30) == CODES["terminated"]
    for node in (0, 2):
        run.reach(node, "stays and starts over")
    began = time.monotonic()
    run.launchers[2].send_signal(signal.SIGTERM)  # which waits
    assert run.code(2, 30) == CODES["terminated"] and time.monotonic() - began < 10
    (run.root / "told").unlink(missing_ok=True)
    run.start(1)
    run.start(2)
    run.reach(0, "starts", 4)


def test_sigterm_does_not_wait_for_ever(nodes):
    run = nodes(PET_SHUTDOWN_TIMEOUT="3")
    run.all_start()
    run.do(2, "stay")
    while (run.root / "do-2").exists():
        time.sleep(0.05)
    run.launchers[1].send_signal(signal.SIGTERM)
    assert run.code(1, 30) == CODES["terminated"]


@pytest.mark.parametrize("outside,reports,own,failures", [
    ("", {1: 1, 2: 5}, 2, 1),  # who says why goes before who does not
    ("", {2: 5, 1: 5}, 2, 1),  # the first one alone
    ("", {1: HUNG}, None, 1),
    ("node 0 is told to stop", {1: HUNG}, None, 1),
    ("", {1: 14}, None, 1),
    ("", {1: 143, 2: 143}, None, 0),
    ("node 0 is told to stop", {2: 1}, None, 0),  # its peers fail in ways that say nothing
    ("node 0 is told to stop", {2: 5}, 2, 1),
])
def test_whose_fault(outside, reports, own, failures):
    class Member:
        def send(self, **message):
            self.heard = message
    coordinator = Coordinator(3, 0)
    coordinator.members = {node: Member() for node in range(3)}
    coordinator.outside, coordinator.reports, coordinator.saved = outside, reports, 7
    coordinator.judge()
    assert [node for node, member in coordinator.members.items() if member.heard["own"]] == [own][:own is not None]
    assert coordinator.failures == failures


def test_sigterm_is_answered_while_modules_load(nodes):
    run = nodes(count=2)
    run.launchers[1].send_signal(signal.SIGTERM)
    assert run.code(1, 30) in (CODES["terminated"], -signal.SIGTERM)


def test_no_progress_ends_the_run(nodes):
    run = nodes()
    run.check("7")
    for attempt, node in enumerate((1, 2, 1), 1):
        for each in range(3):
            run.reach(each, "starts", 2)
        run.reach(0, "starts", 2 * attempt)
        run.do(2 * node, "1")
        if attempt < 3:
            assert run.code(node) == 1
            run.start(node)
    assert [run.code(node) for node in range(3)] == [CODES["progress"]] * 3
    assert "progress: 3 failures from the checkpoint of step 7, none newer" in run.output(2)


def test_a_newer_checkpoint_is_progress(nodes):
    run = nodes()
    for attempt, node in enumerate((1, 2, 1, 2), 1):
        run.check(str(attempt))
        run.reach(node, "starts", 2)
        run.reach(0, "starts", 2 * attempt)
        run.do(2 * node, "1")
        assert run.code(node) == 1
        run.check(str(attempt + 1))
        run.start(node)
    run.reach(0, "starts", 10)


@pytest.mark.parametrize("what,code", [("published", CODES["done"]), ("no credentials", CODES["credentials"]), *(
    (f"stop {kind}", CODES[kind]) for kind in ("configuration", "dataset", "checkpoint", "fabric"))])
def test_checks_before_anyone_waits(nodes, tmp_path, what, code):
    (tmp_path / "check").write_text(what)
    run = nodes(count=2)
    run.launchers[0].send_signal(signal.SIGSTOP)
    assert run.code(1) == code
    run.launchers[0].send_signal(signal.SIGCONT)


def test_missing_accelerators(nodes):
    run = nodes(count=2, ACCELERATOR="nvidia", CUDA_VISIBLE_DEVICES="", REPAIR_SECONDS="1")
    assert run.code(1) == CODES["accelerator"]
    assert run.output(1).count("accelerator: node host-1: 0 of 2 GPUs work") > 1  # in case that the node is repaired


def test_node_under_repair_costs_no_retry(nodes):
    run = nodes(count=2, ACCELERATOR="nvidia", CUDA_VISIBLE_DEVICES="")
    run.reach(1, "0 of 2 GPUs work")
    run.launchers[1].send_signal(signal.SIGTERM)  # its node is drained
    assert run.code(1, 30) == CODES["terminated"]


def test_traces_are_kept(nodes, tmp_path):
    (tmp_path / "boto3.py").write_text("""
import pathlib, shutil
class client:
    def __init__(self, *_, **__): pass
    def upload_file(self, file, bucket, key):
        shutil.copy(file, pathlib.Path(__file__).parent / "-".join([bucket, *key.split("/")]))
""")
    run = nodes(PYTHONPATH=str(tmp_path), ARTIFACT_URI="s3://artifacts/runs/a/")
    run.all_start()
    run.do(5, "trace")
    run.reach(2, "traces of 1 ranks: s3://artifacts/runs/a/traces/")
    (kept,) = tmp_path.glob("artifacts-runs-a-traces-*-node-2-trace-5")
    assert kept.read_text() == "collectives"
    run.reach(2, "starts", 4)  # the watchdog's abort is a consequence, so that no pod ends
