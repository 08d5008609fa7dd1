"""Runs scripts/train.py as the Job runs it, on the CPU and against an S3 on this machine.

Every run is real: the launcher, torchrun, its processes, gloo, S3 requests. Nodes are launchers with node
ranks of their own, all on 127.0.0.1. The environment comes from the file that TRAINING_ENVIRONMENT names, the
Job's container environment as JSON (name -> value); without it from environment.example.json.
"""

import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import boto3
import pytest
import torch

HERE = pathlib.Path(__file__).parent
SCRIPT = HERE.parents[1] / "scripts" / "train.py"
sys.path.insert(0, str(SCRIPT.parent))
import job  # noqa: E402
ENVIRONMENT = pathlib.Path(os.environ.get("TRAINING_ENVIRONMENT") or HERE / "environment.example.json")
SMALL = ["--layers=2", "--width=64", "--heads=2", "--context=64", "--batch=8", "--warmup=5",
         "--steps=60", "--save-every=10", "--log-every=10", "--keep=3"]
LIMIT = 300  # seconds that any one run may take on a busy machine
CODES = job.EXIT_CODES
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


def job_environment():
    """The environment that the Job gives its container, of the pod with index 0."""
    env = json.loads(ENVIRONMENT.read_text())
    assert env, f"{ENVIRONMENT}: empty, so these tests would test nothing"
    return env


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(what, condition, limit=LIMIT):
    end = time.monotonic() + limit
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {limit} s for {what}"
        time.sleep(0.05)
    return result


class S3:
    """The local S3 and what the tests look at in it."""

    def __init__(self, endpoint):
        job = job_environment()
        self.endpoint = endpoint
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name=job["AWS_REGION"],
                                   aws_access_key_id="test", aws_secret_access_key="test")
        place = {} if job["AWS_REGION"] == "us-east-1" else {
            "CreateBucketConfiguration": {"LocationConstraint": job["AWS_REGION"]}}
        for bucket in {job[name].split("/")[2] for name in ("DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI")}:
            self.client.create_bucket(Bucket=bucket, **place)
        text = (HERE.parents[1] / "sample" / "corpus.txt").read_bytes()
        third = len(text) // 3  # several objects, so that windows cross their borders
        for i in range(3):
            self.put(f"{job['DATASET_URI'].rstrip('/')}/part-{i}.txt", text[i * third:(i + 1) * third])
        self.dataset_bytes = 3 * third

    def put(self, uri, body):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def get(self, uri):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def names(self, uri):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        found = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
        return [o["Key"][len(prefix):] for o in found]

    def delete(self, uri):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client.delete_object(Bucket=bucket, Key=key)

    def copy(self, source, target):
        for name in self.names(source):
            self.put(target + name, self.get(source + name))


class Run:
    """One run of the script: a launcher for every node."""

    def __init__(self, s3, folder, name, nodes=1, processes=2, options=(), command=(str(SCRIPT),), **changes):
        job = job_environment()
        # What this machine is not: the cluster's network and its GPUs; and one run in S3 for every run here.
        self.env = {key: value.replace(job["RUN_NAME"], name) for key, value in job.items()}
        self.env |= {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(free_port()),
                     "PET_NNODES": str(nodes), "PET_NPROC_PER_NODE": str(processes)}
        self.env |= ACCESS | {"AWS_ENDPOINT_URL": s3.endpoint, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
                              "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]} | changes
        self.s3, self.began = s3, time.monotonic()
        self.logs = [folder / f"{name}-{time.monotonic_ns()}-node{i}.log" for i in range(nodes)]
        self.launchers = [subprocess.Popen(
            [sys.executable, *command, *SMALL, *options], stdin=subprocess.DEVNULL,
            stdout=log.open("w"), stderr=subprocess.STDOUT, cwd=SCRIPT.parent,
            env={k: v for k, v in (self.env | {"PET_NODE_RANK": str(i)} | changes).items() if v is not None},
        ) for i, log in enumerate(self.logs)]

    @property
    def output(self):
        return "".join(log.read_text() for log in self.logs)

    def codes(self, limit=LIMIT):
        """The exit codes of the nodes, in order, when all have ended."""
        try:
            codes = [launcher.wait(limit) for launcher in self.launchers]
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"still running after {limit} s:\n{self.output}")
        self.seconds = time.monotonic() - self.began
        return codes

    def succeed(self):
        codes = self.codes()
        assert set(codes) == {CODES["done"]}, f"exit codes {codes}:\n{self.output}"
        return self

    def ranks(self, node=0):
        """The process ids of a node's ranks: the launcher's children."""
        children = pathlib.Path(f"/proc/{self.launchers[node].pid}/task/{self.launchers[node].pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill(self):
        for node, launcher in enumerate(self.launchers):
            if launcher.poll() is None:
                for pid in [*self.ranks(node), launcher.pid]:
                    os.kill(pid, signal.SIGKILL)
                launcher.wait()

    def reach(self, text):
        wait(repr(text), lambda: text in self.output or any(p.poll() is not None for p in self.launchers))
        assert text in self.output, f"ended without {text!r}:\n{self.output}"

    def losses(self):
        return {int(step): float(loss) for step, loss in re.findall(r"^step=(\d+) loss=([\d.]+)", self.output, re.M)}

    def data(self):
        """(step, rank) -> the windows that this rank trained on."""
        found = {(int(step), int(rank)): json.loads(windows) for rank, step, windows in re.findall(
            r"^rank=(\d+) step=(\d+) windows=(\[.*?\])$", self.output, re.M)}
        assert found, f"no rank logged its data; this test tests nothing:\n{self.output}"
        return found

    def steps(self):
        """The steps of which there is a checkpoint with a marker."""
        return sorted(int(name[5:13]) for name in self.s3.names(self.env["CHECKPOINT_URI"])
                      if name.endswith("/complete.json"))

    def model(self):
        return torch.load(io.BytesIO(self.s3.get(self.env["ARTIFACT_URI"] + "model.pt")), weights_only=True)


def assert_same(got, expected):
    assert got.keys() == expected.keys() and len(got) > 10
    different = [name for name in got if not torch.equal(got[name], expected[name])]
    assert not different, f"{len(different)} of {len(got)} weights differ: {different}"


@pytest.fixture(scope="session")
def s3():
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up():
        assert server.poll() is None, "the local S3 ended at once"
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait("the local S3", up, 60)
        yield S3(f"http://127.0.0.1:{port}")
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def start(s3, tmp_path_factory):
    """Starts runs, and ends what a failed test left running."""
    runs, folder = [], tmp_path_factory.mktemp("runs")

    def start(name, **kwargs):
        runs.append(Run(s3, folder, name, **kwargs))
        return runs[-1]
    yield start
    for run in runs:
        run.kill()


@pytest.fixture(scope="session")
def two(start):
    """A run of two ranks that nothing interrupts."""
    return start("two", options=["--log-data"]).succeed()


@pytest.fixture(scope="session")
def four(start):
    """A run of four ranks on two nodes that nothing interrupts."""
    return start("four", nodes=2, options=["--log-data"]).succeed()


def figures(run, *more):
    print(f"\n{run.env['RUN_NAME']}: {run.seconds:.1f} s", *more, sep=", ")


@pytest.mark.parametrize("name,world", [("two", 2), ("four", 4)])
def test_loss_falls_and_ranks_see_disjoint_data(name, world, request):
    run = request.getfixturevalue(name)
    losses = run.losses()
    assert list(losses) == [10, 20, 30, 40, 50, 60]
    assert losses[60] < losses[10] - 0.5, losses
    assert len(re.findall(r"^step=\d+ loss=[\d.]+ tokens_per_second=[1-9]\d* peak_memory_mib=[1-9]\d*$",
                          run.output, re.M)) == 6, run.output  # of rank 0 alone
    assert run.steps() == [40, 50, 60], "three are to be kept"
    marker = json.loads(run.s3.get(run.env["ARTIFACT_URI"] + "model.json"))
    assert marker["commit"] == run.env["SCRIPT_COMMIT"] and marker["step"] == 60

    data, windows = run.data(), (run.s3.dataset_bytes - 1) // 64 // world
    seen = {rank: {w for (_, r), ws in data.items() if r == rank for w in ws} for rank in range(world)}
    for rank, mine in seen.items():
        assert mine <= set(range(rank * windows, (rank + 1) * windows)), f"rank {rank} read another's data"
    steps = windows // 8  # of one epoch
    assert steps < 60, "no epoch ends: nothing is shown of what comes after"
    for rank in range(world):
        first = [w for step in range(1, steps + 1) for w in data[step, rank]]
        assert len(first) == len(set(first)) == steps * 8, f"rank {rank} saw a window twice in an epoch"
        assert first != sorted(first), "not shuffled"
    figures(run, f"{world} ranks", f"loss {losses[10]} -> {losses[60]}",
            f"windows per rank and epoch {steps * 8}", f"{re.findall(r'tokens_per_second=([0-9]+)', run.output)[-1]} tokens/s")


def resumed(run):
    """The step that the run went on from."""
    found = re.findall(r"^resumed from (\S+) at step (\d+)$", run.output, re.M)
    assert len(found) == 1, run.output
    return int(found[0][1])


def test_killed_rank_and_restart_end_with_the_same_weights(start, two):
    killed = start("killed", options=["--log-data"])
    killed.reach("step=30 loss=")
    victim = killed.ranks()[1]
    os.kill(victim, signal.SIGKILL)
    assert killed.codes()[0] not in CODES.values(), f"the Job would not retry:\n{killed.output}"
    again = start("killed", options=["--log-data"]).succeed()
    assert 20 <= resumed(again) < 60
    expected = {key: ws for key, ws in two.data().items() if key[0] > resumed(again)}
    assert again.data() == expected, "did not go on at the exact batch"
    assert_same(again.model(), two.model())
    figures(again, f"resumed at step {resumed(again)}, {len(again.model())} tensors bitwise equal")


def test_sigterm_to_one_node_saves_and_exits_in_time(start, four):
    run = start("terminated", nodes=2)
    run.reach("step=20 loss=")
    run.launchers[1].send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert run.codes() == [CODES["terminated"]] * 2, run.output
    took = time.monotonic() - began
    assert took < 60, f"took {took:.1f} s to save and exit: a pod's grace period is not longer by much"
    saved = run.steps()[-1]
    assert 20 <= saved < 60 and f"SIGTERM: saved step {saved}" in run.output, run.output
    again = start("terminated", nodes=2).succeed()
    assert resumed(again) == saved
    assert_same(again.model(), four.model())
    figures(again, f"ended {took:.1f} s after SIGTERM", f"resumed at step {saved}", "weights bitwise equal")


def test_checkpoint_cut_short_is_passed_over(start, two, s3):
    uri = two.env["CHECKPOINT_URI"]
    target = uri.replace("/two/", "/cut/")
    assert target != uri
    s3.copy(uri, target)
    s3.delete(f"{target}step-00000060/complete.json")
    shard = next(name for name in s3.names(target) if name.startswith("step-00000050/") and name.endswith(".distcp"))
    s3.delete(target + shard)
    run = start("cut").succeed()
    assert resumed(run) == 40
    for step in (50, 60):
        assert f"passed over {target}step-000000{step}: not complete" in run.output
    assert_same(run.model(), two.model())
    assert run.steps() == [40, 50, 60]


def test_fsdp_trains_and_resumes(start, s3):
    whole = start("sharded", options=["--fsdp"]).succeed()
    assert "parallel=fsdp" in whole.output and whole.losses()[60] < whole.losses()[10] - 0.5
    expected = whole.model()
    for step in (50, 60):
        s3.delete(f"{whole.env['CHECKPOINT_URI']}step-{step:08d}/complete.json")
    again = start("sharded", options=["--fsdp"]).succeed()
    assert resumed(again) == 40
    assert_same(again.model(), expected)
    figures(again, "FSDP2", "resumed at step 40", "weights bitwise equal")


def test_goes_on_from_an_earlier_run_with_other_ranks(start, two):
    run = start("later", processes=1, options=["--steps=70"], RESUME_FROM_URI=two.env["CHECKPOINT_URI"]).succeed()
    assert re.search(r"^resumed from \S*/two/step-00000060 at step 60; the data begins anew", run.output, re.M)
    assert list(run.losses()) == [70] and run.losses()[70] < two.losses()[10]
    assert run.steps() == [70]


def test_errors_end_with_one_line_and_the_agreed_code(start, s3):
    bucket = "/".join(job_environment()["DATASET_URI"].split("/")[:3])
    s3.put(f"{bucket}/empty/nothing.txt", b"")
    runs = [(start("wrong", options=options, **changes), kind, line) for kind, line, options, changes in (
        ("dataset", "no object below this prefix", [], {"DATASET_URI": f"{bucket}/nowhere"}),
        ("dataset", "empty or too small: 0 bytes in 1 objects", [], {"DATASET_URI": f"{bucket}/empty"}),
        ("checkpoint", "no complete checkpoint there", [], {"RESUME_FROM_URI": f"{bucket}/runs/none/"}),
        ("configuration", "unrecognized arguments: --layer-count=3", ["--layer-count=3"], {}),
    )]
    for run, kind, line in runs:
        assert run.codes() == [CODES[kind]], run.output
        lines = run.output.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith(f"{kind}: ") and line in lines[0], run.output
        print(f"\nexit {CODES[kind]}: {lines[0]}")


@pytest.mark.parametrize("line,changes", [
    ("not set in the environment: DATASET_URI, AWS_REGION", {"DATASET_URI": "", "AWS_REGION": ""}),
    ("DATASET_URI is '/data': it must be s3://bucket/prefix", {"DATASET_URI": "/data"}),
    ("PET_NNODES is 'two': it must be a number", {"PET_NNODES": "two"}),
    ("PET_NODE_RANK is 3, but PET_NNODES is 2", {"PET_NODE_RANK": "3", "PET_NNODES": "2"}),
    ("wrong world size: PET_NPROC_PER_NODE is 0", {"PET_NPROC_PER_NODE": "0"}),
    ("wrong world size: PET_NPROC_PER_NODE is 4, but this node has 8 GPUs", {"PET_NPROC_PER_NODE": "4", "gpus": 8}),
])
def test_environment_that_contradicts_itself(line, changes, monkeypatch):
    gpus = changes.pop("gpus", 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if not gpus:
        job.check_environment(job_environment())  # or the change would not be what it refuses
    with pytest.raises(job.Stop, match=re.escape(line)) as stop:
        job.check_environment(job_environment() | changes)
    assert stop.value.kind == "configuration"


@pytest.mark.parametrize("kind,line,width,steps", [
    ("configuration", "--steps 60: s3://.*step-00000060 is as far already", 64, 60),
    ("checkpoint", "holds a model of .*'width': 64.* but the options say .*'width': 32", 32, 99),
])
def test_checkpoint_of_another_kind(kind, line, width, steps, s3, two):
    env = two.env | {"CHECKPOINT_URI": two.env["CHECKPOINT_URI"] + "none/", "RESUME_FROM_URI": two.env["CHECKPOINT_URI"]}
    shape = {"layers": 2, "heads": 2, "width": width, "context": 64}
    with pytest.raises(job.Stop, match=line) as stop:
        job.starting_point(s3.client, env, shape, steps)
    assert stop.value.kind == kind


def test_wrong_world_size(start):
    run = start("world", command=["-m", "torch.distributed.run", "--nproc-per-node=1", str(SCRIPT)])
    run.codes()
    said = "configuration: wrong world size: torchrun started 1 processes, but PET_NNODES 1 x PET_NPROC_PER_NODE 2 is 2"
    assert run.output.count(said) == 1, run.output
    assert re.search(rf"exitcode\s*: {CODES['configuration']} ", run.output), run.output
    print(f"\n{said}")


def test_environment_is_the_contract():
    """The Job gives what the script asks for, and the script documents all that it asks for."""
    documented = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", SCRIPT.read_text().split('"""')[1]))
    asked = documented - {"EXIT_CODES", "PET_SHUTDOWN_TIMEOUT"}  # the latter is optional
    assert set(job.REQUIRED) == asked - {"RESUME_FROM_URI", "SCRIPT_COMMIT"}  # these two may be empty
    assert asked <= job_environment().keys(), f"not in {ENVIRONMENT.name}: {asked - job_environment().keys()}"


def test_pins_are_those_of_the_image():
    """What was tested is what the image holds."""
    def pins(path):
        return set(re.findall(r"^([a-z0-9-]+==\S+)", path.read_text(), re.M))
    image = pins(SCRIPT.with_name("requirements.txt"))
    assert len(image) > 20 and image <= pins(HERE / "requirements.txt"), image - pins(HERE / "requirements.txt")
