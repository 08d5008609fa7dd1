"""Parts of the scripts in this process: tokens, data, model, checkpoints, flags."""

import json
import math
import os
import types

import numpy
import pytest
import torch
import torch.distributed as dist
from conftest import HERE, SAMPLE, SCRIPTS, job_environment
from test_train import stops

TINY = json.loads((HERE / "tiny.json").read_text())


@pytest.fixture
def group(tmp_path):
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def bucket(s3, request):
    """An empty place in S3."""
    place = f"{'/'.join(job_environment()['CHECKPOINT_URI'].split('/')[:3])}/{request.node.name.replace('[', '-').replace(']', '')}"
    yield place
    for name in s3.names(place + "/"):
        s3.delete(f"{place}/{name}")


def say_all(tokenizer, tokens):
    return tokenizer.tokenizer.decode(tokens.tolist(), skip_special_tokens=False)


# --- tokens
TEXTS = {"a.txt": "One line.\r\nAnother line, which is longer.\n", "b.txt": "no line end" * 9, "c.txt": "", "d.txt": "\n\nx\n",
         "e.jsonl": '{"text": "First\\ndocument"}\n{"text": "a \u2028 b"}\n\n{"text": "third"}', "f.txt": "Grüße.\n" * 20}


@pytest.mark.parametrize("unit", [7, 20, 1 << 20])
def test_tokens_are_the_text(unit, here, s3, bucket, monkeypatch):
    """Units of any size give the text of all objects, in order, with one end of a document after each."""
    import prepare
    monkeypatch.setattr(prepare, "UNIT", unit)
    monkeypatch.setattr(prepare, "PIECE", 11)
    for name, content in TEXTS.items():
        s3.put(f"{bucket}/text/{name}", content.encode())
    tokenizer, objects = prepare.Tokenizer("tokenizer"), here.s3.listing(f"{bucket}/text")
    for rank in (2, 0, 1):  # in any order
        prepare.prepare(f"{bucket}/text", objects, tokenizer, f"{bucket}/tokens", rank, 3)
        prepare.write_index(f"{bucket}/text", objects, tokenizer, f"{bucket}/tokens")
        assert (here.Tokens.at(f"{bucket}/tokens") is not None) == (rank == 1), "the index is written before the last shard"
    tokens = here.Tokens.at(f"{bucket}/tokens")
    found = numpy.frombuffer(b"".join(tokens.read(0, tokens.count)), tokens.dtype)
    documents = [*(TEXTS[name] for name in ("a.txt", "b.txt")), TEXTS["d.txt"], "First\ndocument", "a \u2028 b", "third", TEXTS["f.txt"]]
    assert say_all(tokenizer, found) == "<|end|>".join([*documents, ""])


def test_interrupted_preparation_writes_the_missing_shards(here, s3, bucket, monkeypatch):
    import prepare
    monkeypatch.setattr(prepare, "UNIT", 50)
    s3.put(f"{bucket}/text/a.txt", SAMPLE.read_bytes()[:500])
    tokenizer, objects = prepare.Tokenizer("tokenizer"), here.s3.listing(f"{bucket}/text")

    class Stopped(Exception):
        pass
    turns = iter(range(4))

    def meet():
        if next(turns) == 3:
            raise Stopped
    with pytest.raises(Stopped):
        prepare.prepare(f"{bucket}/text", objects, tokenizer, f"{bucket}/tokens", 0, 1, meet)
    there, written, write = s3.names(f"{bucket}/tokens/"), [], here.s3.write
    assert len(there) == 4
    monkeypatch.setattr(here.s3, "write", lambda uri, body: written.append(uri.rpartition("/")[2]) or write(uri, body))
    prepare.prepare(f"{bucket}/text", objects, tokenizer, f"{bucket}/tokens", 0, 1)
    assert sorted(there + written) == [f"{i:08d}.bin" for i in range(10)]


def test_digest_is_of_text_and_tokenizer(here, s3, bucket, tmp_path):
    import prepare
    s3.put(f"{bucket}/a.txt", b"text")
    tokenizer, objects = prepare.Tokenizer("tokenizer"), here.s3.listing(bucket)
    (tmp_path / "tokenizer_config.json").write_text((SCRIPTS / "tokenizer" / "tokenizer_config.json").read_text() + "\n")
    (tmp_path / "tokenizer.json").write_text((SCRIPTS / "tokenizer" / "tokenizer.json").read_text())
    other = prepare.Tokenizer(str(tmp_path))
    s3.put(f"{bucket}/a.txt", b"TEXT")
    digests = {prepare.digest(objects, tokenizer), prepare.digest(objects, other), prepare.digest(here.s3.listing(bucket), tokenizer)}
    assert len(digests) == 3 and prepare.digest(objects, tokenizer) in digests


@pytest.mark.parametrize("name,content,line", [
    ("a.txt", b"good\n\xff\xfe", "a.txt: not UTF-8 text at byte 5"),
    ("a.jsonl", b'{"text": "good"}\n{"words": 1}\n', 'a.jsonl: not an object with "text" in every line'),
])
def test_unreadable_text(name, content, line, here, s3, bucket, capsys):
    import prepare
    s3.put(f"{bucket}/{name}", content)
    stops("dataset", line, capsys, prepare.prepare, bucket, here.s3.listing(bucket), prepare.Tokenizer("tokenizer"), f"{bucket}/t", 0, 1)


def test_preparation_as_a_job_of_its_own(here, s3, bucket, monkeypatch, capsys):
    """Each of two nodes takes its part; a run with the same dataset finds the tokens."""
    import prepare
    monkeypatch.setattr(prepare, "UNIT", 4000)
    for i in range(2):
        s3.put(f"{bucket}/text/{i}.txt", SAMPLE.read_bytes())
    env = {"DATASET_URI": f"{bucket}/text", "CHECKPOINT_URI": f"{bucket}/runs/first/", "PET_NNODES": "2"}
    for node in "01":
        prepare.main(env | {"PET_NODE_RANK": node}, here.options())
    name = prepare.digest(here.s3.listing(env["DATASET_URI"]), prepare.Tokenizer("tokenizer"))
    other = env | {"CHECKPOINT_URI": f"{bucket}/runs/second/"}
    assert prepare.find(other, name) == f"{bucket}/runs/first/tokens/{name}"
    assert prepare.find(other, "another") is None
    assert here.Tokens.at(prepare.find(other, name)).count == 2 * 9051
    nowhere = env | {"DATASET_URI": f"{bucket}/nowhere", "PET_NODE_RANK": "0"}
    stops("dataset", "no object below this prefix", capsys, prepare.main, nowhere, here.options())


# --- data
@pytest.fixture
def tokens(here, s3, bucket):
    """10,001 tokens in shards of all sizes: each token is its own place."""
    sizes = [3, 0, 1000, 64, 8934]
    place = iter(range(10_001))
    for i, size in enumerate(sizes):
        s3.put(f"{bucket}/{i}.bin", numpy.asarray([next(place) for _ in range(size)], "<u2").tobytes())
    s3.put(f"{bucket}/index.json", json.dumps({"dtype": "<u2", "end": 0, "vocabulary": 10_001,
                                               "shards": [[f"{i}.bin", size] for i, size in enumerate(sizes)]}).encode())
    return here.Tokens.at(bucket)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_every_window_once_in_an_epoch_on_any_number_of_ranks(world, here, tokens, monkeypatch):
    """Windows of 16 tokens, 8 in a step: 625, of which 25 are held out."""
    import data
    monkeypatch.setattr(data, "BLOCK", 16 * 2 * 3)
    ranks = [here.Batches(tokens, 16, 8, 25, 1, rank, world) for rank in range(world)]
    alone = here.Batches(tokens, 16, 8, 25, 1)
    assert alone.size == 3 and alone.steps == 75
    seen = []
    for step in [*range(77), 160, 3]:
        rows = torch.cat([batches.batch(step) for batches in ranks])
        assert torch.equal(rows, alone.batch(step))
        windows = [w for batches in ranks for w in batches.windows(step)]
        assert rows.tolist() == [list(range(w * 16, w * 16 + 17)) for w in windows]
        seen += windows
    first = seen[:600]
    assert sorted(first) == list(range(600)), "an epoch has another window twice, or one that is held out"
    assert [w // 3 for w in seen[600:616]] != [w // 3 for w in first[:16]], "the second epoch has the order of the first"
    held_out = torch.cat([batches.validation(rank, world) for rank, batches in enumerate(ranks)])
    assert held_out.tolist() == [list(range(w * 16, w * 16 + 17)) for w in range(600, 625)]


def test_memory_does_not_grow_with_the_dataset(here, tokens, monkeypatch):
    """A rank holds the blocks of two rounds, in mapped files that are gone, and asks S3 for nothing else."""
    import data
    monkeypatch.setattr(data, "BLOCK", 16 * 2 * 3)
    monkeypatch.setenv("HOME", "/tmp")
    asked, real = [], data.s3.read
    monkeypatch.setattr(data.s3, "read", lambda uri, first=0, end=None, etag=None: asked.append(end - first) or real(uri, first, end, etag))
    batches = here.Batches(tokens, 16, 8, 25, 1, rank=1, world=2)
    for step in range(75):
        batches.batch(step)
        assert len(batches.rounds) <= 2 and all(len(blocks) == 4 for blocks in batches.rounds.values())
    assert all(isinstance(block.result(), numpy.memmap) for blocks in batches.rounds.values() for _, _, block in blocks)
    assert os.listdir(data.folder()) == []
    assert max(asked) <= 2 * (16 * 3 + 1)
    assert sum(asked) <= 2 * 49 * 4 * 26, "read more than this rank's half, and one round ahead"


def test_too_small_dataset(here, tokens, capsys):
    stops("dataset", "one step takes 601 windows of --context 16 tokens, and 25 are held out", capsys, here.Batches, tokens, 16, 601, 25, 1)


# --- model
def test_model_flops(here):
    """Llama 3 8B and its 6 operations for each weight but those of the embedding, and attention's."""
    config = TINY | {"vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "tie_word_embeddings": False,
                     "num_attention_heads": 32, "num_key_value_heads": 8}
    model = here.models.on_meta(config)
    assert sum(p.numel() for p in model.parameters()) == 8_030_261_248
    assert here.models.flops_per_token(model, 8192) == 6 * (8_030_261_248 - 128256 * 4096) + 12 * 32 * 4096 * 8192
    experts = {"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
               "num_key_value_heads": 2, "vocab_size": 64}
    assert here.models.flops_per_token(here.models.on_meta(experts), 64) is None


@pytest.mark.parametrize("change,line", [
    (lambda t: t.pop("model.norm.weight"), "no weights for 1 tensors of the model, for example model.norm.weight"),
    (lambda t: t.update({"model.norm.weight": torch.ones(65)}), r"model.norm.weight is F32 of shape \[65\]"),
    (lambda t: t.update({"model.norm.weight": torch.ones(64, dtype=torch.int32)}), r"model.norm.weight is I32 of shape \[64\]"),
])
def test_weights_of_another_model(change, line, here, s3, bucket, capsys, tmp_path):
    from safetensors.torch import save_file
    model = here.models.on_meta(TINY)
    model.to_empty(device="cpu")
    model.init_weights()
    tensors = {name: p.detach() for name, p in model.named_parameters()}
    for wrong in (False, True):
        if wrong:
            change(tensors)
        save_file(tensors, tmp_path / "model.safetensors")
        s3.put(f"{bucket}/model.safetensors", (tmp_path / "model.safetensors").read_bytes())
        call = here.models.load, model, bucket, here.models.given_weights(bucket)
        if wrong:
            stops("checkpoint", line, capsys, *call)
        else:
            call[0](*call[1:])


# --- checkpoints
class Model(torch.nn.Linear):
    pass


@pytest.fixture
def checkpoints(here, s3, bucket, group, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("RANK", "0")
    model = Model(4, 4)
    state = here.checkpoint.State(model, torch.optim.AdamW(model.parameters()))
    return here.checkpoint.Checkpoints(f"{bucket}/", job_environment()["AWS_REGION"], {"layout": "x"}, 2, None), state


def test_failed_checkpoint_is_reported_and_the_next_succeeds(checkpoints, here, monkeypatch, capsys, bucket):
    saver, state = checkpoints
    real = here.s3.write
    for step, fails in ((1, False), (2, True), (3, False), (4, False)):
        def write(uri, body):
            if fails and uri.endswith("complete.json"):
                raise ConnectionError("no way")
            real(uri, body)
        monkeypatch.setattr(here.s3, "write", write)
        state.step = step
        saver.save(state)
        assert saver.settle() is not fails
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["saved", "not saved", "saved", "saved"] and "no way" in lines[1]["reason"]
    found = here.checkpoint.folders(bucket)
    assert sorted(f for f in found if "complete.json" in found[f]) == ["step-00000003", "step-00000004"]


def test_checkpoint_is_of_the_step_and_not_of_later_ones(checkpoints, here, bucket):
    """Training changes the weights while they are written."""
    saver, state = checkpoints
    expected = state.model.weight.detach().clone()
    state.step = state.turn = 7
    saver.save(state)
    with torch.no_grad():
        state.model.weight.zero_()
    state.step = 8
    assert saver.settle()
    marker, uri = here.checkpoint.newest_complete(bucket)
    assert marker["step"] == 7
    state.load(uri, job_environment()["AWS_REGION"])
    assert torch.equal(state.model.weight, expected) and state.step == state.turn == 7


def test_checkpoint_that_is_written_again_is_incomplete_meanwhile(checkpoints, here, bucket, monkeypatch):
    saver, state = checkpoints
    for step in (5, 6):
        state.step = step
        saver.save(state)
        assert saver.settle()

    def cut_short(*_):
        raise InterruptedError
    monkeypatch.setattr(here.checkpoint.S3StorageWriter, "write_data", cut_short)
    saver.save(state)
    assert not saver.settle()
    assert here.checkpoint.newest_complete(bucket)[0]["step"] == 5


# --- flags
def test_flags_cost_less_than_a_hundredth(here, group, monkeypatch):
    flags = here.Flags()
    clock, asked = [0.0], []

    def exchange(values, *_, **__):
        clock[0] += 0.02
        asked.append(step)
    monkeypatch.setattr(here.dist, "all_reduce", exchange)
    monkeypatch.setattr(here.time, "monotonic", lambda: clock[0])
    for step in range(1, 101):
        assert flags.raised(False, step, seconds=0.1) == (False, False)
    assert flags.every == 20 and len(asked) <= 7
    flags.cost = 1e9
    for step in range(101, 301):
        flags.raised(False, step, seconds=0.1)
    assert flags.every == 20, "the time until all hear of a SIGTERM grows without a limit"
    step = 320
    assert flags.raised(True, 320, seconds=0.1) == (False, True)
    os.kill(os.getpid(), 15)
    assert flags.raised(False, 340, seconds=0.1) == (True, False)


def test_sigterm_while_preparing(here, group, capsys):
    flags = here.Flags()
    flags.meet()
    os.kill(os.getpid(), 15)
    stops("terminated", "SIGTERM: while preparing tokens", capsys, flags.meet)


def test_learning_rate(here):
    args = types.SimpleNamespace(learning_rate=1.0, warmup=10, steps=100)
    rates = [here.learning_rate(args, step) for step in range(101)]
    assert rates[0] == 0.1 and rates[100] == pytest.approx(0.1) and max(rates) == pytest.approx(rates[10], abs=0.05)
    assert all(math.isfinite(rate) and 0 < rate <= 1 for rate in rates)


def test_weight_decay_is_of_matrices(here):
    model = here.models.on_meta(TINY)
    groups = here.optimizer_of(model, here.options()).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert {decay[id(p)] for n, p in model.named_parameters() if "norm" in n} == {0.0}
    assert {decay[id(p)] for n, p in model.named_parameters() if "norm" not in n} == {0.1}
