"""Runs the scripts as the Job runs them, on the CPU and against an S3 on this machine.

Every run is real: launcher, ranks, gloo, S3 requests. Nodes are launchers with node ranks of their own, all on 127.0.0.1.
Command, environment, working directory and scripts are those of the Job and the ConfigMap that package job renders, read
from $MANIFESTS/plain.json and filled in as the kubelet does.
"""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

import boto3
import pytest
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
SCRIPTS, IMAGE, SAMPLE = HERE.parents[1] / "scripts", HERE.parents[1] / "image", HERE.parents[1] / "sample" / "corpus.txt"
os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
sys.path.insert(0, str(SCRIPTS))
from exits import EXIT_CODES as CODES  # noqa: E402
MANIFEST = pathlib.Path(os.environ["MANIFESTS"], "plain.json")
SMALL = [f"--model={HERE}/tiny.json", "--context=64", "--batch=4", "--global-batch=8", "--warmup=5", "--learning-rate=0.01",
         "--steps=40", "--save-every=10", "--validate-every=20", "--log-every=10", "--keep=3"]
LIMIT = 600  # seconds that any one run may take on a busy machine


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
            case {"fieldRef": {"fieldPath": "spec.nodeName"}}:
                return f"node-{node}"
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
                (folder / item["path"]).parent.mkdir(exist_ok=True)
                (folder / item["path"]).write_text(CONFIG_MAP["data"][item["key"]])
                (folder / item["path"]).chmod(int(scripts["defaultMode"]))
    return root


def free_port():
    """Returns a port that nobody has, below those that the system gives to clients, which could take it meanwhile."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(15000, 30000)))
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
        text = SAMPLE.read_bytes()
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
                     "ACCELERATOR": "none", "AWS_ENDPOINT_URL": s3.endpoint, "AWS_ACCESS_KEY_ID": "test",
                     "AWS_SECRET_ACCESS_KEY": "test", "PYTHONDONTWRITEBYTECODE": "1",
                     "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}

        def environment(node):
            job = job_environment(node)
            mine = {key: value.replace(job["RUN_NAME"], name) for key, value in job.items()}
            return mine | {"HOME": str(root) + job["HOME"]} | overrides | changes
        self.s3, self.root, self.began, self.env, self.environment = s3, root, time.monotonic(), environment(0), environment
        self.command = [*(command or CONTAINER["command"]), *CONTAINER.get("args", []), *SMALL, *options]
        self.logs, self.launchers = [None] * nodes, [None] * nodes
        for node in range(nodes):
            self.start(node)

    def start(self, node):
        """Starts the launcher of a node, as in a new pod."""
        self.logs[node] = self.root / f"{self.env['RUN_NAME']}-{time.monotonic_ns()}-node{node}.log"
        self.launchers[node] = subprocess.Popen(
            self.command, cwd=str(self.root) + CONTAINER["workingDir"], env=self.environment(node),
            stdin=subprocess.DEVNULL, stdout=self.logs[node].open("w"), stderr=subprocess.STDOUT)

    @property
    def output(self):
        return "".join(log.read_text() for log in self.logs)

    def events(self, name):
        """Returns the lines of the log with an event of that name."""
        lines = (line for line in self.output.splitlines() if line.startswith('{"event": '))
        return [found for found in map(json.loads, lines) if found["event"] == name]

    def event(self, name):
        (found,) = self.events(name)
        return found

    def codes(self, limit=LIMIT):
        """Returns the exit codes of the nodes, in order, when all have ended."""
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
        """Returns the process ids of a node's ranks: the launcher's children."""
        children = pathlib.Path(f"/proc/{self.launchers[node].pid}/task/{self.launchers[node].pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill(self):
        for node, launcher in enumerate(self.launchers):
            if launcher.poll() is None:
                for pid in [*self.ranks(node), launcher.pid]:
                    os.kill(pid, signal.SIGKILL)
                launcher.wait()

    def reach(self, step):
        """Waits for the line of a step."""
        def there():
            return any(e["step"] >= step for e in self.events("step")) or any(p.poll() is not None for p in self.launchers)
        wait(f"step {step}", there)
        assert any(e["step"] >= step for e in self.events("step")), f"ended before step {step}:\n{self.output}"

    def losses(self):
        return {e["step"]: e["loss"] for e in self.events("step")}

    def data(self):
        """Returns (step, rank) -> the windows that this rank trained on."""
        found = {(e["step"], e.get("rank", 0)): e["windows"] for e in self.events("data")}
        assert found, f"no rank logged its data; this test tests nothing:\n{self.output}"
        return found

    def steps(self):
        """Returns the steps of which there is a checkpoint with a marker."""
        return sorted(int(name[5:13]) for name in self.s3.names(self.env["CHECKPOINT_URI"]) if name.endswith("/complete.json"))

    def resumed(self):
        """Returns the step that the run went on from."""
        return self.event("resumed")["step"]

    def download(self, folder):
        """Copies the published model into a folder."""
        for name in self.s3.names(self.env["ARTIFACT_URI"]):
            (folder / name).write_bytes(self.s3.get(self.env["ARTIFACT_URI"] + name))
        return folder

    def model(self, folder):
        tensors = {}
        for file in self.download(folder).glob("*.safetensors"):
            tensors |= load_file(file)
        return tensors


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
    start.root = root
    yield start
    for run in runs:
        run.kill()


@pytest.fixture(scope="session")
def two(start):
    """A run of two ranks that nothing interrupts."""
    return start("two", options=["--log-data"]).succeed()


@pytest.fixture(scope="session")
def four(start, two):
    """A run of four ranks on two nodes that nothing interrupts, with the tokens of `two`."""
    return start("four", nodes=2, options=["--log-data", "--batch=2"]).succeed()


@pytest.fixture
def here(s3, monkeypatch):
    """The scripts in this process, on the local S3."""
    import s3 as client
    import train
    monkeypatch.setattr(client, "CLIENT", s3.client)
    monkeypatch.setattr(sys, "argv", ["train.py", *SMALL])
    monkeypatch.chdir(SCRIPTS)
    return train
