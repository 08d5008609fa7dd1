"""The model: any causal language model that transformers can configure, sharded over all ranks (FSDP2)."""

import concurrent.futures
import json
import os
import re
import tempfile

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.core_model_loading import revert_weight_conversion

import s3
from exits import stop
from launch import beat
from prepare import read_file

FILE = 2 << 30  # bytes of tensors in one file of a published model, about; a rank holds two files in memory
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


def configuration(place):
    """Returns the configuration at --model, a JSON file or an S3 folder, as a dictionary."""
    folder, name = (place, "config.json") if place.startswith("s3://") else os.path.split(place)
    content = read_file(folder, name)
    if content is None:
        stop("configuration", f"--model {place}: no {name} there")
    try:
        found = json.loads(content)
        parsed(found)
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        stop("configuration", f"--model {place}: not the configuration of a causal language model of transformers: {error}")


def parsed(config):
    """Returns the configuration as transformers' class."""
    found = AutoConfig.for_model(**config)
    if type(found) not in AutoModelForCausalLM._model_mapping:
        raise ValueError(f"{found.model_type} has no language model")
    return found


def on_meta(config, activation_checkpoints=False):
    """Returns the model without its weights."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(parsed(config), dtype=torch.float32, attn_implementation="sdpa")
    model.config.use_cache = False
    if activation_checkpoints:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def shard(model, half, compiled=False):
    """Shards the model over all ranks, layer by layer. half: computes in bf16; weights and gradients stay in fp32."""
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    for layer in model.get_decoder().layers:
        if compiled:
            layer.compile()  # one layer's code serves all
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
    return model


def build(args, config, device, half, seed, rank):
    """Returns the sharded model, with random weights or those at --model. No rank ever holds it whole."""
    model = on_meta(config, args.checkpoint_activations)
    if dist.get_world_size() > 1 or device.type == "cuda":
        shard(model, half, args.compile)
    elif args.compile:
        for layer in model.get_decoder().layers:
            layer.compile()
    model.to_empty(device=device)
    # DTensor's random numbers differ between the shards on GPUs only.
    torch.manual_seed(seed if device.type == "cuda" else seed + rank)
    model.init_weights()
    if weights := given_weights(args.model):
        load(model, args.model, weights)
    return model


def flops_per_token(model, context):
    """Returns the operations that training on a token takes, or None where not every token uses every weight. 6 for
    each weight that is multiplied, and those of attention: https://arxiv.org/abs/2204.02311, appendix B."""
    config = model.config.get_text_config()
    if any("expert" in name for name, _ in model.named_parameters()):
        return None
    embedding = 0 if config.tie_word_embeddings else model.get_input_embeddings().weight.numel()
    weights = sum(p.numel() for p in model.parameters()) - embedding
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return 6 * weights + 12 * config.num_hidden_layers * width * context


# --- weights from S3
def given_weights(place):
    """Returns tensor name -> (URI, dtype, shape, first byte, end) of the safetensors files in an S3 folder."""
    tensors = {}
    if place.startswith("s3://"):
        for name, _, _ in s3.listing(place):
            if name.endswith(".safetensors") and "/" not in name:
                uri = s3.join(place, name)
                length = int.from_bytes(s3.read(uri, 0, 8), "little")
                for tensor, about in json.loads(s3.read(uri, 8, 8 + length)).items():
                    if tensor != "__metadata__":
                        first, end = (8 + length + offset for offset in about["data_offsets"])
                        tensors[tensor] = uri, about["dtype"], about["shape"], first, end
    return tensors


def load(model, place, weights):
    """Reads the weights. Every rank reads its shards only: rows of a tensor follow each other in the file."""
    parameters = dict(model.named_parameters())
    if missing := parameters.keys() - weights.keys():
        stop("checkpoint", f"--model {place}: no weights for {len(missing)} tensors of the model, for example {min(missing)}")
    for name, parameter in parameters.items():
        if list(parameter.shape) != weights[name][2] or weights[name][1] not in TYPES:
            stop("checkpoint", f"--model {place}: {name} is {weights[name][1]} of shape {weights[name][2]}, and not a floating-"
                 f"point tensor of shape {list(parameter.shape)}")

    def read(name):
        uri, kind, shape, first, end = weights[name]
        local, rows, begin = parameters[name].detach(), shape[0] if shape else 1, 0
        if isinstance(local, DTensor):
            _, offset = compute_local_shape_and_global_offset(local.shape, local.device_mesh, local.placements)
            local, begin = local.to_local(), offset[0]
        row = (end - first) // rows
        count = local.shape[0] if shape else 1
        if local.numel():
            content = bytearray(s3.read(uri, first + begin * row, first + (begin + count) * row))
            local.copy_(torch.frombuffer(content, dtype=TYPES[kind]).view(local.shape))
    with torch.no_grad(), concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(read, parameters):
            pass


# --- publication
def files(parameters, width):
    """Returns the lists of parameter names of each file of the published model, layer by layer, in files of about FILE
    bytes. width: bytes of a number."""
    layers = {}
    for name in parameters:
        layer = re.match(r".*?\.\d+\.", name)
        layers.setdefault(layer.group() if layer else name, []).append(name)
    found, size = [[]], 0
    for names in layers.values():
        more = sum(parameters[name].numel() for name in names) * width
        if found[-1] and size + more > FILE:
            found.append([])
            size = 0
        found[-1] += names
        size += more
    return found


def publish(model, uri, tokenizer, half, rank, world):
    """Writes the model to S3 as from_pretrained reads it: safetensors files, their index, configuration, tokenizer. Every
    rank writes its share of the files, while the others gather theirs."""
    parameters = dict(model.named_parameters())  # a tensor that is tied to another stands there once
    dtype = torch.bfloat16 if half else torch.float32
    plan = files(parameters, dtype.itemsize)
    names = [f"model-{i + 1:05d}-of-{len(plan):05d}.safetensors" for i in range(len(plan))]
    index, pending = {}, []

    def write(name, tensors):
        with tempfile.TemporaryDirectory(dir=os.environ.get("HOME")) as folder:
            save_file(tensors, f"{folder}/{name}", metadata={"format": "pt"})
            s3.upload(f"{folder}/{name}", s3.join(uri, name))

    def written():
        for future in pending:
            while not future.done():
                concurrent.futures.wait([future], 30)
                beat()
    with concurrent.futures.ThreadPoolExecutor(1) as pool, torch.no_grad():
        for i, (name, part) in enumerate(zip(names, plan)):
            mine, tensors = i % world == rank, {}
            for parameter in part:
                tensor = parameters[parameter].detach().to(dtype)
                tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
                if mine:
                    tensors[parameter] = tensor.cpu().contiguous()
                beat()
            if mine:
                tensors = revert_weight_conversion(model, tensors)  # to the names and shapes of published models
                index |= {tensor: (name, t.numel() * t.element_size()) for tensor, t in tensors.items()}
                written()
                pending.append(pool.submit(write, name, {k: t.contiguous() for k, t in tensors.items()}))
        written()
    for future in pending:
        future.result()  # raises what has failed
    parts = [None] * world
    dist.all_gather_object(parts, index)
    if rank == 0:
        index = {name: where for part in parts for name, where in part.items()}
        s3.write(s3.join(uri, "model.safetensors.index.json"), json.dumps({
            "metadata": {"total_size": sum(size for _, size in index.values())},
            "weight_map": {name: file for name, (file, _) in sorted(index.items())}}, indent=1))
        with tempfile.TemporaryDirectory() as folder:
            model.config.use_cache = True
            model.config.architectures, model.config.dtype = [type(model).__name__.removeprefix("FSDP")], dtype
            model.config.save_pretrained(folder)
            s3.upload(f"{folder}/config.json", s3.join(uri, "config.json"))
        for name, content in tokenizer.files.items():
            s3.write(s3.join(uri, name), content)
