"""Compares train.py with a plain training loop around the same model, on one CPU core and one rank: make bench-training.

The plain loop has no launcher, process group, S3, checkpoints, validation or log. Both report steps after the tenth. CPU time
is what counts on a machine with other work; tokens per second are the wall clock's.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from conftest import SAMPLE, SCRIPTS, S3, Run, free_port, job_environment, mount, wait

STEPS, WARM, CONTEXT, BATCH = 60, 10, 128, 8
OPTIONS = ["--model=config.json", f"--context={CONTEXT}", f"--batch={BATCH}", f"--global-batch={BATCH}", f"--steps={STEPS + 10}",
           "--save-every=20", "--validate-every=0", "--log-every=10", "--warmup=20", "--learning-rate=0.001"]


def plain():
    import numpy
    import torch
    import torch.nn.functional as F
    import transformers
    from tokenizers import Tokenizer
    torch.set_num_threads(1)
    ids = Tokenizer.from_file(str(SCRIPTS / "tokenizer" / "tokenizer.json")).encode(SAMPLE.read_text()).ids
    numpy.asarray(ids, "<u2").tofile("tokens.bin")
    data = numpy.memmap("tokens.bin", "<u2", "r")
    config = transformers.AutoConfig.for_model(**json.loads((SCRIPTS / "config.json").read_text()))
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    for step in range(STEPS):
        if step == WARM:
            wall, cpu = time.monotonic(), time.process_time()
        starts = numpy.random.randint(0, len(data) - CONTEXT - 1, BATCH)
        rows = torch.from_numpy(numpy.stack([data[i:i + CONTEXT + 1] for i in starts]).astype(numpy.int64))
        loss = F.cross_entropy(model(input_ids=rows[:, :-1], use_cache=False).logits.flatten(0, 1).float(), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    print(json.dumps({"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(s3, root, name):
    run = Run(s3, root, name, processes=1, options=OPTIONS)
    try:
        run.reach(WARM)
        (pid,) = run.ranks()
        wall, cpu = time.monotonic(), cpu_seconds(pid)
        run.reach(STEPS)  # and not the last step, after which the model is published
        result = {"wall": time.monotonic() - wall, "cpu": cpu_seconds(pid) - cpu}
        run.succeed()
    finally:
        run.kill()
    steps = [e for e in run.events("step") if WARM < e["step"] <= STEPS]
    seconds = sum(10 * CONTEXT * BATCH / e["tokens_per_second"] for e in steps)
    return result | {"stall": sum(e["checkpoint_seconds"] for e in steps) / seconds, "data": sum(e["data_wait_seconds"] for e in steps) / seconds}


def main(rounds):
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        try:
            import socket
            wait("the local S3", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 60)
            s3, root, results = S3(f"http://127.0.0.1:{port}"), mount(pathlib.Path(folder) / "pod"), {"plain": [], "train.py": []}
            # The sample alone has 70 windows, each of which would be a block of its own: every step would read eight objects.
            s3.put(job_environment(0)["DATASET_URI"].rstrip("/") + "/more.txt", SAMPLE.read_bytes() * 64)
            for i in range(rounds):  # interleaved: other work on the machine comes and goes
                output = subprocess.check_output([sys.executable, __file__, "plain"], cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"})
                results["plain"].append(json.loads(output.splitlines()[-1]))
                results["train.py"].append(ours(s3, root, f"bench{i}"))
        finally:
            server.kill()
    print("| loop | CPU ms a step | tokens/s | stalled by checkpoints | waiting for data |\n|---|---|---|---|---|")
    for name, found in results.items():
        steps = STEPS - WARM
        def median(key, scale=1.0):
            return statistics.median(r[key] for r in found) * scale if key in found[0] else None
        print(f"| {name} | {median('cpu', 1000 / steps):.0f} | {steps * CONTEXT * BATCH / median('wall'):.0f} | " + " | ".join(
            "-" if median(key) is None else f"{median(key):.1%}" for key in ("stall", "data")) + " |")
    cpu = [statistics.median(r["cpu"] for r in results[name]) for name in ("plain", "train.py")]
    wall = [statistics.median(r["wall"] for r in results[name]) for name in ("plain", "train.py")]
    print(f"\nplain / train.py, CPU time: {cpu[0] / cpu[1]:.2f}, wall clock: {wall[0] / wall[1]:.2f}")


if __name__ == "__main__":
    plain() if sys.argv[1:] == ["plain"] else main(int(sys.argv[1]) if sys.argv[1:] else 3)
