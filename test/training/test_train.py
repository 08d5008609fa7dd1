"""Whole runs of scripts/train.py: what a run trains on, writes and prints, and how it ends."""

import json
import os
import re
import shutil
import signal
import sys
import time

import pytest
import torch
import yaml
from conftest import CODES, CONFIG_MAP, HERE, IMAGE, SAMPLE, SCRIPTS, job_environment, wait


def assert_same(got, expected):
    assert got.keys() == expected.keys() and len(got) > 10
    different = [name for name in got if not torch.equal(got[name], expected[name])]
    assert not different, f"{len(different)} of {len(got)} weights differ: {different}"


def figures(run, *more):
    print(f"\n{run.env['RUN_NAME']}: {run.seconds:.1f} s", *more, sep=", ")


@pytest.mark.parametrize("name,world", [("two", 2), ("four", 4)])
def test_loss_falls_and_ranks_see_disjoint_data(name, world, request):
    run = request.getfixturevalue(name)
    losses = run.losses()
    assert list(losses) == [10, 20, 30, 40] and losses[40] < losses[10] - 1, losses
    assert run.steps() == [20, 30, 40], "three are to be kept"
    started = run.event("started")
    assert started["ranks"] == world and started["global_batch"] == 8 and started["parameters"] == 106816
    data, epoch = run.data(), started["steps_of_an_epoch"]
    assert {rank for _, rank in data} == set(range(world)) and 2 * epoch <= 40, "no second epoch: nothing is shown of it"
    for first in (1, epoch + 1):
        seen = [w for step in range(first, first + epoch) for rank in range(world) for w in data[step, rank]]
        assert len(seen) == len(set(seen)) == 8 * epoch, "a window was seen twice in an epoch"
        assert seen != sorted(seen), "not shuffled"
    assert max(seen) < started["tokens"] // 64 - 8, "trained on windows that are held out"
    figures(run, f"{world} ranks", f"loss {losses[10]} -> {losses[40]}", f"windows of an epoch {8 * epoch}",
            f"{run.events('step')[-1]['tokens_per_second']:.0f} tokens/s")


def test_data_does_not_depend_on_the_number_of_ranks(two, four):
    def by_step(run, world):
        data = run.data()
        return [[w for rank in range(world) for w in data[step, rank]] for step in range(1, 41)]
    assert by_step(two, 2) == by_step(four, 4)


def test_tokens_are_made_once(two, four):
    assert two.events("prepared"), two.output
    assert not four.events("prepared"), "made anew, though another run has the tokens of this dataset"
    folders = {name.split("/")[1] for name in two.s3.names(two.env["CHECKPOINT_URI"]) if name.startswith("tokens/")}
    assert len(folders) == 1
    assert not any(name.startswith("tokens/") for name in four.s3.names(four.env["CHECKPOINT_URI"]))


def test_lines_of_the_log(four):
    steps = four.events("step")
    assert [e["step"] for e in steps] == [10, 20, 30, 40] and all("rank" not in e for e in steps)
    for line in steps:
        line = line | {"validation_loss": line.get("validation_loss", 1)}
        assert line.keys() == {
            "event", "step", "loss", "validation_loss", "learning_rate", "gradient_norm", "tokens_per_second",
            "tokens_per_second_per_device", "mfu", "data_wait_seconds", "checkpoint_seconds", "memory_mib", "eta_seconds"}
        # 6 operations for each of 106,816 weights, and those of attention; the rendered Job is one of L4 GPUs.
        assert line["mfu"] == pytest.approx(line["tokens_per_second_per_device"] * (6 * 106816 + 12 * 2 * 64 * 64) / 121e12, rel=1e-4)
        assert line["tokens_per_second_per_device"] == pytest.approx(line["tokens_per_second"] / 4, rel=1e-4)
        assert line["memory_mib"] > 100 and line["tokens_per_second"] > 0
    assert ["validation_loss" in e for e in steps] == [False, True, False, True]
    assert steps[-1]["eta_seconds"] == 0 < steps[0]["eta_seconds"]
    last = [line for line in four.logs[0].read_text().splitlines() if line.startswith("{")][-1]
    assert json.loads(last) == {"event": "finished", "step": 40, "model": four.env["ARTIFACT_URI"]}


def test_published_model_loads(two, four, tmp_path, here):
    """from_pretrained loads what a run of four ranks has published, and it computes what the run has computed."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from data import Batches, Tokens
    for run, name in ((two, "two"), (four, "four")):
        folder = tmp_path / name
        folder.mkdir()
        loaded, about = AutoModelForCausalLM.from_pretrained(run.download(folder), output_loading_info=True)
        assert not any(about.values()), about
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer.decode(tokenizer("Every student watches.")["input_ids"]) == "Every student watches."
        marker = json.loads((folder / "model.json").read_text())
        assert marker["commit"] == run.env["SCRIPT_COMMIT"] and marker["step"] == 40
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        assert set(index["weight_map"]) == set(run.model(folder)) and index["metadata"]["total_size"] == 4 * 106816
        batches = Batches(Tokens.at(marker["tokens"]), 64, 8, 8, 1)
        with torch.no_grad():
            loss = here.loss_of(loaded, batches.validation(0, 1), torch.device("cpu")).item()
        assert loss == pytest.approx(run.events("step")[-1]["validation_loss"], rel=1e-4)


def test_killed_rank_and_restart_end_with_the_same_weights(start, two, tmp_path):
    killed = start("killed", options=["--log-data"])
    killed.reach(20)
    os.kill(killed.ranks()[1], signal.SIGKILL)
    assert killed.codes() == [128 + signal.SIGKILL], killed.output  # which the Job counts
    again = start("killed", options=["--log-data"]).succeed()
    assert 10 <= again.resumed() < 40
    expected = {key: ws for key, ws in two.data().items() if key[0] > again.resumed()}
    assert again.data() == expected, "did not go on at the exact batch"
    (tmp_path / "two").mkdir()
    assert_same(again.model(tmp_path), two.model(tmp_path / "two"))
    figures(again, f"resumed at step {again.resumed()}, weights bitwise equal")


def test_sigterm_to_one_node(start, four, tmp_path):
    """The node saves and ends; the other stays, and both resume when a new pod takes the place of the first."""
    run = start("terminated", nodes=2, options=["--batch=2"])
    run.reach(20)
    run.launchers[1].send_signal(signal.SIGTERM)
    assert run.launchers[1].wait(60) == CODES["terminated"], run.output
    saved = run.steps()[-1]
    assert 20 <= saved < 40 and f'SIGTERM: saved step {saved}' in run.output, run.output
    assert run.event("interrupted")["code"] == CODES["terminated"]
    assert run.launchers[0].poll() is None, "the node that was not told to stop has ended"
    run.start(1)
    run.succeed()
    assert run.resumed() == saved
    (tmp_path / "four").mkdir()
    assert_same(run.model(tmp_path), four.model(tmp_path / "four"))
    figures(run, f"resumed at step {saved}", "weights bitwise equal")


def test_checkpoint_cut_short_is_passed_over_and_new_data_is_not_read(start, two, s3, tmp_path):
    uri = two.env["CHECKPOINT_URI"]
    target = uri.replace("/two/", "/cut/")
    assert target != uri
    s3.copy(uri, target)
    marker = json.loads(s3.get(target + "step-00000020/complete.json"))
    marker["tokens"] = marker["tokens"].replace("/two/", "/cut/")
    s3.put(target + "step-00000020/complete.json", json.dumps(marker))
    s3.delete(f"{target}step-00000040/complete.json")
    shard = next(name for name in s3.names(target) if name.startswith("step-00000030/") and name.endswith(".distcp"))
    s3.delete(target + shard)
    # The dataset has a new object: the run goes on with the tokens that it began with.
    dataset = two.env["DATASET_URI"].rstrip("/") + "/part-9.txt"
    s3.put(dataset, b"Nobody has read this.\n" * 100)
    try:
        run = start("cut").succeed()
    finally:
        s3.delete(dataset)
    assert run.resumed() == 20 and run.event("resumed")["data"] == "goes on" and not run.events("prepared")
    assert {e["checkpoint"] for e in run.events("passed over")} == {f"{target}step-000000{step}" for step in (30, 40)}
    (tmp_path / "two").mkdir()
    assert_same(run.model(tmp_path), two.model(tmp_path / "two"))
    assert run.steps() == [20, 30, 40]


def test_goes_on_from_an_earlier_run_on_other_ranks(start, four):
    """One and two ranks accumulate the gradients of the global batch of four. They go on with the windows that come next,
    and compute the same."""
    options = ["--steps=45", "--log-every=1", "--log-data"]
    one = start("one", processes=1, options=options, RESUME_FROM_URI=four.env["CHECKPOINT_URI"]).succeed()
    two = start("both", options=[*options, "--batch=1"], RESUME_FROM_URI=four.env["CHECKPOINT_URI"]).succeed()
    for run in (one, two):
        resumed = run.event("resumed")
        assert resumed["checkpoint"].endswith("/four/step-00000040") and resumed["data"] == "goes on"
        assert run.steps() == [45]
    assert list(one.losses()) == [41, 42, 43, 44, 45] and one.losses() == pytest.approx(two.losses(), rel=1e-4)
    norms = [[e["gradient_norm"] for e in run.events("step")] for run in (one, two)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)
    epoch, data = one.event("started")["steps_of_an_epoch"], one.data()
    before = [w for (step, _), ws in four.data().items() if 2 * epoch < step for w in ws]
    assert before and not set(before) & {w for step in range(41, 46) for w in data[step, 0]}, "trained on a window twice"


def test_given_weights(start, two):
    """A run that starts from a published model computes at once what the model computes."""
    options = [f"--model={two.env['ARTIFACT_URI']}", "--learning-rate=1e-9", "--steps=1", "--validate-every=1", "--log-every=1"]
    run = start("given", options=options).succeed()
    assert run.event("step")["validation_loss"] == pytest.approx(two.events("step")[-1]["validation_loss"], rel=1e-4)


def test_not_a_number_is_not_saved(start):
    run = start("diverges", processes=1, options=["--learning-rate=1e30", "--warmup=1", "--save-every=5"])
    assert run.codes() == [1], run.output
    assert run.event("failed")["reason"].startswith("FloatingPointError: step ") and run.steps() == []


def test_not_a_number_is_not_saved_on_sigterm(start):
    """Also at a step whose loss is not logged."""
    run = start("diverged", processes=1, options=["--learning-rate=1e30", "--warmup=1", "--steps=1000000", "--save-every=1000000",
                                                  "--log-every=1000000", "--validate-every=0"])
    wait("the first step", lambda: run.events("started") or run.launchers[0].poll() is not None)
    time.sleep(3)
    run.launchers[0].send_signal(signal.SIGTERM)
    assert run.codes() == [CODES["terminated"]], run.output
    assert run.event("failed")["reason"].startswith("FloatingPointError: step ") and run.steps() == []


def test_checkpoints_by_time(start):
    run = start("minutes", options=["--save-minutes=0.001", "--save-every=1000000"]).succeed()
    saved = [e["step"] for e in run.events("saved")]
    assert len(saved) > 2 and saved[-1] == 40 and saved != [10, 20, 30, 40], saved


def test_compiled_and_with_activation_checkpoints(start, two):
    """The compiled model, which computes activations again, computes what the other does. Needs the C compiler."""
    options = ["--steps=2", "--log-every=1", "--compile", "--checkpoint-activations"]
    run = start("compiled", options=options, TORCHINDUCTOR_CACHE_DIR=str(start.root / "inductor")).succeed()
    plain = start("plain", options=["--steps=2", "--log-every=1"]).succeed()
    assert run.losses() == pytest.approx(plain.losses(), rel=1e-4)
    assert list((start.root / "inductor").rglob("*.so")), "nothing was compiled"


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


def test_image_that_lacks_a_package(start, tmp_path):
    (tmp_path / "safetensors").mkdir()
    (tmp_path / "safetensors" / "__init__.py").write_text("raise ModuleNotFoundError(name='safetensors')")
    run = start("lacking", PYTHONPATH=str(tmp_path))
    assert run.codes() == [CODES["configuration"]], run.output
    assert run.output == "configuration: the image lacks safetensors: build it from image/Dockerfile\n"


def test_ended_run_is_not_run_again(start, two):
    run = start("two").succeed()
    assert not run.events("started"), run.output


# --- in this process
def stops(kind, line, capsys, call, *args):
    """Checks that a call ends the process with the code of a kind and one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call(*args)
    said = [line for line in capsys.readouterr().out.strip().splitlines() if not line.startswith("{")]
    assert stop.value.code == CODES[kind] and len(said) == 1 and re.match(f"{kind}: .*{line}", said[0]), said


def job(two, **changes):
    """Returns the environment of a run that does not exist yet."""
    return two.env | {"CHECKPOINT_URI": two.env["CHECKPOINT_URI"].replace("/two/", "/new/"),
                      "ARTIFACT_URI": two.env["ARTIFACT_URI"].replace("/two/", "/new/")} | changes


@pytest.mark.parametrize("kind,line,options,changes", [
    ("configuration", "not set in the environment: DATASET_URI, AWS_REGION", [], {"DATASET_URI": "", "AWS_REGION": ""}),
    ("configuration", "--model no.json: no no.json there", ["--model=no.json"], {}),
    ("configuration", "--model train.py: not the configuration of a causal language model", ["--model=train.py"], {}),
    ("configuration", "--tokenizer lib: no tokenizer.json", ["--tokenizer=lib"], {}),
    ("configuration", "vocab_size is 400, but the tokens have 512 values", ["vocab_size=400"], {}),
    ("configuration", "--context 4096: .* has max_position_embeddings 512", ["--context=4096"], {}),
    ("configuration", "--global-batch 10: not a multiple of 8, --batch 4 x 2 ranks", ["--global-batch=10"], {}),
    ("configuration", "--steps 40: s3://.*step-00000040 is as far already", [], {"RESUME_FROM_URI": "two"}),
    ("checkpoint", "holds another model than --model .*: hidden_size 64, not 32", ["--steps=99", "hidden_size=32"], {"RESUME_FROM_URI": "two"}),
])
def test_checks(kind, line, options, changes, here, two, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PET_NNODES", "1")
    here.check(job(two), here.options())  # or the change would not be what it refuses
    for option in options:
        if "--" not in option:  # of the model
            key, value = option.split("=")
            (tmp_path / "other.json").write_text(json.dumps(json.loads((HERE / "tiny.json").read_text()) | {key: int(value)}))
            option = f"--model={tmp_path / 'other.json'}"
        sys.argv.append(option)
    changes = {key: two.env["CHECKPOINT_URI"] if value == "two" else value for key, value in changes.items()}
    stops(kind, line, capsys, here.check, job(two, **changes), here.options())


def test_global_batch_of_the_run_that_is_resumed(here, two, capsys):
    sys.argv[:] = ["train.py", "--batch=3"]
    found = here.checkpoint.newest_complete(two.env["CHECKPOINT_URI"])
    assert here.global_batch(here.options(), None, 2) == 6
    stops("configuration", "--global-batch 8: not a multiple of 6, .* was trained with it", capsys,
          here.global_batch, here.options(), found, 2)
    sys.argv[1] = "--batch=1"
    assert here.global_batch(here.options(), found, 2) == 8


def test_tokenizer_of_a_model_in_s3_is_its_own(here, two, capsys):
    import prepare
    sys.argv += [f"--model={two.env['ARTIFACT_URI']}"]
    assert prepare.Tokenizer.of(here.options()).vocabulary == 512
    sys.argv += [f"--model={two.env['CHECKPOINT_URI']}"]
    stops("configuration", "no tokenizer.json and no tokenizer_config.json", capsys, prepare.Tokenizer.of, here.options())
    sys.argv += ["--tokenizer=tokenizer"]
    assert prepare.Tokenizer.of(here.options()).vocabulary == 512


@pytest.mark.parametrize("file,content,line", [
    ("tokenizer.json", "{}", "--tokenizer .*/t: "),
    ("tokenizer_config.json", '{"eos_token": "<none>"}', "tokenizer_config.json names no eos_token of tokenizer.json"),
])
def test_tokenizer_that_cannot_be_used(file, content, line, here, capsys, tmp_path):
    import prepare
    shutil.copytree(SCRIPTS / "tokenizer", tmp_path / "t")
    prepare.Tokenizer(str(tmp_path / "t"))
    (tmp_path / "t" / file).write_text(content)
    stops("configuration", line, capsys, prepare.Tokenizer, str(tmp_path / "t"))


@pytest.mark.parametrize("stack,processes", [("dev", 1), ("prod", 8), ("solo", 1)])  # on a g5.xlarge, a p5.48xlarge, a CPU
def test_the_sample_feeds_the_stack(stack, processes, here, monkeypatch):
    """The first `pulumi up` trains: model, tokenizer, sample and arguments of a stack that is shipped fit each other."""
    from data import Batches, Tokens
    import prepare
    training = yaml.safe_load((SCRIPTS.parent / f"Pulumi.{stack}.yaml").read_text())["config"]["llm-platform:training"]
    monkeypatch.setattr("sys.argv", ["train.py", *training.get("args", [])])
    args, tokenizer = here.options(), prepare.Tokenizer("tokenizer")
    config = here.models.configuration(args.model)
    here.fits(args, config, tokenizer.vocabulary)
    count = len(tokenizer.encode([SAMPLE.read_text()])[0]) + 1
    tokens = Tokens("s3://none", {"dtype": "<u2", "end": 0, "vocabulary": 512, "shards": [["0", count]]})
    windows = here.global_batch(args, None, training.get("nodes", 1) * processes)
    assert Batches(tokens, args.context, windows, here.held_out_of(tokens, args), args.seed).steps >= 1


def test_environment_is_the_contract(here):
    """The Job gives what the script asks for, and the script documents all that it asks for."""
    documented = set(re.findall(r"\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b", here.__doc__)) - {"EXIT_CODES"}
    assert set(here.REQUIRED) == documented - {"RESUME_FROM_URI", "SCRIPT_COMMIT", "ACCELERATOR_BF16_TFLOPS"}  # may be empty
    asked = documented - {"ACCELERATOR_BF16_TFLOPS"}  # which the Job gives on GPUs alone
    assert asked <= job_environment().keys(), f"the Job does not give {asked - job_environment().keys()}"


def test_scripts_are_those_of_the_config_map():
    shipped = {str(p.relative_to(SCRIPTS)).replace("/", "..") for p in SCRIPTS.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert shipped == CONFIG_MAP["data"].keys() - {"SHA256SUMS"} - {k for k in CONFIG_MAP["data"] if k.isupper()}


def test_tokenizer_is_made_of_the_sample(tmp_path):
    import make_tokenizer
    make_tokenizer.make(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_text() == (SCRIPTS / "tokenizer" / name).read_text(), "run make_tokenizer.py"


def test_pins_are_those_of_the_image():
    """The tests use Python and the package versions of the image."""
    def pins(path):
        return set(re.findall(r"^([a-z0-9-]+==\S+)", path.read_text(), re.M))
    image = pins(IMAGE / "requirements.txt")
    assert len(image) > 30 and image <= pins(HERE / "requirements.txt"), image - pins(HERE / "requirements.txt")
    assert "ubuntu:24.04" in (IMAGE / "Dockerfile").read_text() and sys.version_info[:2] == (3, 12)  # Ubuntu 24.04's
    for file in (IMAGE / "requirements.txt", HERE / "requirements.txt"):
        assert "--python-version 3.12" in file.read_text()
