"""Runs scripts/train.py as the Job runs it, on the CPU and against an S3 on this machine.

Every run is real: the launcher, torchrun, its processes, gloo, S3 requests. Nodes are launchers with node ranks
of their own, all on 127.0.0.1. Command, environment, working directory and scripts are those of the Job and the
ConfigMap that package job renders, read from $MANIFESTS/plain.json and filled in as the kubelet does.
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
import types

import boto3
import botocore.exceptions
import pytest
import torch
import yaml
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

HERE = pathlib.Path(__file__).parent
SCRIPTS, IMAGE = HERE.parents[1] / "scripts", HERE.parents[1] / "image"
sys.path.insert(0, str(SCRIPTS))
import train  # noqa: E402
MANIFEST = pathlib.Path(os.environ["MANIFESTS"], "plain.json")
SMALL = ["--layers=2", "--width=64", "--heads=2", "--context=64", "--batch=8", "--warmup=5",
         "--steps=60", "--save-every=10", "--log-every=10", "--keep=3"]
LIMIT = 300  # seconds that any one run may take on a busy machine
CODES = train.EXIT_CODES


def rendered(kind):
    """Returns the only object of a kind."""
    (found,) = [o for o in json.loads(MANIFEST.read_text()) if o["kind"] == kind]
    return found


CONFIG_MAP, POD = rendered("ConfigMap"), rendered("Job")["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def job_environment(node=0):
    """Returns the container's environment in the pod with that index."""
    def value(variable):
        match variable.get("valueFrom"):
            case None:
                return variable["value"]
            case {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}:
                return str(node)
            case {"configMapKeyRef": {"name": name, "key": key}} if name == CONFIG_MAP["metadata"]["name"]:
                return CONFIG_MAP["data"][key]
        raise ValueError(f"cannot fill in {variable}")
    return {variable["name"]: value(variable) for variable in CONTAINER["env"]}


def mount(root):
    """Makes the container's volumes in a folder: the scripts, read-only, and empty ones."""
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    for at in CONTAINER["volumeMounts"]:
        folder = root / at["mountPath"].strip("/")
        folder.mkdir(parents=True)
        if scripts := volumes[at["name"]].get("configMap"):
            for item in scripts["items"]:
                (folder / item["path"]).write_text(CONFIG_MAP["data"][item["key"]])
                (folder / item["path"]).chmod(int(scripts["defaultMode"]))
    return root


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
        self.resource = boto3.resource("s3", endpoint_url=endpoint, region_name=job["AWS_REGION"],
                                       aws_access_key_id="test", aws_secret_access_key="test")
        self.client = self.resource.meta.client
        place = {} if job["AWS_REGION"] == "us-east-1" else {
            "CreateBucketConfiguration": {"LocationConstraint": job["AWS_REGION"]}}
        for bucket in {job[name].split("/")[2] for name in ("DATASET_URI", "CHECKPOINT_URI", "ARTIFACT_URI")}:
            self.client.create_bucket(Bucket=bucket, **place)
        text = (HERE.parents[1] / "sample" / "corpus.txt").read_bytes()
        third = len(text) // 3  # several objects, so that windows cross their borders
        for i in range(3):
            self.put(f"{job['DATASET_URI'].rstrip('/')}/part-{i}.txt", text[i * third:(i + 1) * third])
        self.text = text[:3 * third]

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

    def __init__(self, s3, root, name, nodes=1, processes=2, options=(), command=None, **changes):
        # What this machine is not: the cluster's network and its GPUs; and one run in S3 for every run here.
        overrides = {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(free_port()), "PET_NNODES": str(nodes),
                      "PET_NPROC_PER_NODE": str(processes), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
                      "AWS_ENDPOINT_URL": s3.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                      "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
        def environment(job):
            mine = {key: value.replace(job["RUN_NAME"], name) for key, value in job.items()}
            return mine | {"HOME": str(root) + job["HOME"]} | overrides | changes
        self.s3, self.began, self.env = s3, time.monotonic(), environment(job_environment())
        self.logs = [root / f"{name}-{time.monotonic_ns()}-node{node}.log" for node in range(nodes)]
        self.launchers = [subprocess.Popen(
            [*(command or CONTAINER["command"]), *CONTAINER.get("args", []), *SMALL, *options],
            cwd=str(root) + CONTAINER["workingDir"], env=environment(job_environment(node)),
            stdin=subprocess.DEVNULL, stdout=log.open("w"), stderr=subprocess.STDOUT,
        ) for node, log in enumerate(self.logs)]

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
    runs, root = [], mount(tmp_path_factory.mktemp("pod"))

    def start(name, **kwargs):
        runs.append(Run(s3, root, name, **kwargs))
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

    data, windows = run.data(), (len(run.s3.text) - 1) // 64 // world
    seen = {rank: {w for (_, r), ws in data.items() if r == rank for w in ws} for rank in range(world)}
    for rank, mine in seen.items():
        assert mine <= set(range(rank * windows, (rank + 1) * windows)), f"rank {rank} read another's data"
    steps = windows // 8  # of one epoch
    assert steps < 60, "no epoch ends: nothing is shown of what comes after"
    for rank in range(world):
        first = [w for step in range(1, steps + 1) for w in data[step, rank]]
        assert len(first) == len(set(first)) == steps * 8, f"rank {rank} saw a window twice in an epoch"
        assert first != sorted(first), "not shuffled"
    figures(run, f"{world} ranks", f"loss {losses[10]} -> {losses[60]}", f"windows per rank and epoch {steps * 8}",
            f"{re.findall(r'tokens_per_second=([0-9]+)', run.output)[-1]} tokens/s")


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
    assert killed.codes() == [128 + signal.SIGKILL], killed.output  # which the Job tries again
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


def test_checkpoint_written_again_is_incomplete_meanwhile(here, s3, two, monkeypatch):
    env = two.env | {"CHECKPOINT_URI": two.env["CHECKPOINT_URI"].replace("/two/", "/again/")}
    s3.copy(two.env["CHECKPOINT_URI"], env["CHECKPOINT_URI"])
    assert here.newest_complete(env["CHECKPOINT_URI"])[0]["step"] == 60

    def cut_short(*_, **__):
        raise InterruptedError
    monkeypatch.setattr(here.dcp, "save", cut_short)
    monkeypatch.setattr(here.dist, "get_rank", lambda: 0)
    state = types.SimpleNamespace(step=60, collect=dict)
    with pytest.raises(InterruptedError):
        here.save(env, state, {}, 3)
    assert here.newest_complete(env["CHECKPOINT_URI"])[0]["step"] == 50


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
    assert re.search(r"^resumed from \S*/two/step-00000060 at step 60; the data order restarts", run.output, re.M)
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


def stops(kind, line, capsys, call, *args):
    """Checks that a call ends the process with the code of a kind and one line."""
    with pytest.raises(SystemExit) as stop:
        call(*args)
    said = capsys.readouterr().out.strip().splitlines()
    assert stop.value.code == CODES[kind] and len(said) == 1 and re.match(f"{kind}: .*{line}", said[0]), said


@pytest.mark.parametrize("line,changes", [
    ("not set in the environment: DATASET_URI, AWS_REGION", {"DATASET_URI": "", "AWS_REGION": ""}),
    ("wrong world size: torchrun started 3 processes, but PET_NNODES 2 x PET_NPROC_PER_NODE 4", {"WORLD_SIZE": "3"}),
    ("wrong world size: PET_NPROC_PER_NODE is 4, but this node has 8 GPUs", {"gpus": 8}),
])
def test_environment_that_contradicts_itself(line, changes, monkeypatch, capsys):
    changes = dict(changes)
    gpus = changes.pop("gpus", 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert train.world_size(job_environment()) == 8  # or the change would not be what it refuses
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    stops("configuration", line, capsys, train.world_size, job_environment() | changes)


@pytest.fixture
def here(s3, monkeypatch):
    """The script in this process, on the local S3."""
    monkeypatch.setattr(train, "S3", s3.resource)
    monkeypatch.setattr(sys, "argv", ["train.py", *SMALL])
    return train


@pytest.mark.parametrize("kind,line,option", [
    ("configuration", "--steps 60: s3://.*step-00000060 is as far already", "--steps=60"),
    ("checkpoint", "holds a model of .*'width': 64.* but the options say .*'width': 32", "--width=32"),
])
def test_checkpoint_of_another_kind(kind, line, option, here, two, capsys):
    sys.argv += ["--steps=99", option]
    uri = two.env["CHECKPOINT_URI"]
    env = two.env | {"CHECKPOINT_URI": uri + "none/", "RESUME_FROM_URI": uri}
    stops(kind, line, capsys, here.starting_point, env, here.options())


@pytest.mark.parametrize("line,option", [
    ("argument --keep: 0 is less than 1", "--keep=0"),
    ("--width 64 is not a multiple of --heads 3", "--heads=3"),
])
def test_options(line, option, here, capsys):
    assert here.options().keep == 3
    sys.argv.append(option)
    stops("configuration", line, capsys, here.options)


def test_windows_are_the_dataset(here, s3):
    uri, args = job_environment()["DATASET_URI"], here.options()
    objects = here.listing(uri)
    for rank in range(4):
        windows = here.Windows(uri, objects, rank, 4, args)
        assert len(windows.bytes) == windows.count * args.context + 1
        for turn in range(windows.count // args.batch):
            for number, x, y in zip(windows.numbers(turn), *windows.batch(turn), strict=True):
                begin = (rank * windows.count + number) * args.context
                assert bytes(x.tolist()) == s3.text[begin:begin + args.context]
                assert bytes(y.tolist()) == s3.text[begin + 1:begin + args.context + 1]
    stale = [(name, size, etag[:-2] + '0"') for name, size, etag in objects]
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        here.Windows(uri, stale, 0, 4, args)


@pytest.mark.parametrize("stack,processes", [("dev", 1), ("prod", 8)])  # on a g5.xlarge, a p5.48xlarge
def test_the_sample_feeds_the_stack(stack, processes, here, monkeypatch):
    root = SCRIPTS.parent
    training = yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text())["config"]["llm-platform:training"]
    size = (root / "sample" / "corpus.txt").stat().st_size
    monkeypatch.setattr(sys, "argv", ["train.py", *training.get("args", [])])
    monkeypatch.setattr(here, "listing", lambda _: [("corpus.txt", size, "")])
    assert here.dataset(job_environment(), here.options(), training.get("nodes", 1) * processes)


@pytest.mark.parametrize("expected,ends", [
    (CODES["dataset"], [-signal.SIGABRT, CODES["dataset"], 1]),  # a reason goes before its consequences
    (128 + signal.SIGKILL, [-signal.SIGKILL]),
    (1, [1]),
    (CODES["terminated"], []),
    (CODES["done"], None),
])
def test_exit_code_of_the_launcher(expected, ends, here, s3, monkeypatch):
    def ranks(_):
        if ends:
            raise train.ChildFailedError("train.py", {
                i: ProcessFailure(local_rank=i, pid=1, exitcode=code, error_file="") for i, code in enumerate(ends)})
        if ends is not None:
            raise train.SignalException("", signal.SIGTERM)
    monkeypatch.setattr(train.torchrun, "run", ranks)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert here.launch(job_environment(), here.options()) == expected
    finally:
        signal.signal(signal.SIGTERM, before)


def test_image_that_lacks_a_package(start, tmp_path):
    (tmp_path / "s3torchconnector.py").write_text("raise ModuleNotFoundError(name='s3torchconnector')")
    run = start("lacking", PYTHONPATH=str(tmp_path))
    assert run.codes() == [CODES["configuration"]], run.output
    assert run.output == "configuration: the image lacks s3torchconnector: build it from image/Dockerfile\n"


def test_wrong_world_size(start):
    run = start("world", command=["python", "-m", "torch.distributed.run", "--nproc-per-node=1", "train.py"])
    run.codes()
    said = "configuration: wrong world size: torchrun started 1 processes, but PET_NNODES 1 x PET_NPROC_PER_NODE 2 is 2"
    assert run.output.count(said) == 1, run.output
    assert re.search(rf"exitcode\s*: {CODES['configuration']} ", run.output), run.output
    print(f"\n{said}")


def test_environment_is_the_contract():
    """The Job gives what the script asks for, and the script documents all that it asks for."""
    documented = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", (SCRIPTS / "train.py").read_text().split('"""')[1]))
    asked = documented - {"EXIT_CODES"}
    assert set(train.REQUIRED) == asked - {"RESUME_FROM_URI", "SCRIPT_COMMIT"}  # these two may be empty
    assert asked <= job_environment().keys(), f"the Job does not give {asked - job_environment().keys()}"


def test_pins_are_those_of_the_image():
    """The tests use the package versions of the image."""
    def pins(path):
        return set(re.findall(r"^([a-z0-9-]+==\S+)", path.read_text(), re.M))
    image = pins(IMAGE / "requirements.txt")
    assert len(image) > 20 and image <= pins(HERE / "requirements.txt"), image - pins(HERE / "requirements.txt")
