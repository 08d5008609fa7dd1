"""Turns the text of the dataset into tokens, once for each dataset and tokenizer.

train.py calls it, and all ranks of the run take part. For a large dataset, run it alone on nodes without GPUs first:
`python prepare.py` with the environment and the options of train.py. Text and tokens:

  DATASET_URI/...                                UTF-8 text, one document an object; or .jsonl, one a line, in "text"
  CHECKPOINT_URI/tokens/<digest>/00000000.bin    the tokens of 16 MiB of text, little-endian uint16 or uint32
  CHECKPOINT_URI/tokens/<digest>/index.json      written last: the shards and their tokens

The digest stands for the listing of the dataset (with ETags) and the tokenizer. A run that finds tokens with its digest,
its own or an earlier run's, only reads them. A run that was interrupted writes the missing shards only.
"""

import concurrent.futures
import hashlib
import io
import json
import os

import numpy
import tokenizers

import s3
from exits import stop
from launch import beat
from report import event_of_rank_0

UNIT = 16 << 20  # bytes of text that become one shard
PIECE = 64 << 10  # bytes of text that are encoded at once; pieces end at a line's end
INDEX = "index.json"


class Tokenizer:
    """A tokenizer.json with its tokenizer_config.json, from a folder or an S3 URI."""

    FILES = ("tokenizer.json", "tokenizer_config.json")

    def __init__(self, place):
        self.files = {name: read_file(place, name) for name in self.FILES}
        if missing := [name for name, content in self.files.items() if content is None]:
            stop("configuration", f"--tokenizer {place}: no {' and no '.join(missing)}")
        try:
            self.tokenizer = tokenizers.Tokenizer.from_buffer(self.files["tokenizer.json"])
            end = json.loads(self.files["tokenizer_config.json"]).get("eos_token")
        except Exception as error:  # tokenizers raises nothing more specific
            stop("configuration", f"--tokenizer {place}: {error}")
        self.end = self.tokenizer.token_to_id(end["content"] if isinstance(end, dict) else end or "")
        if self.end is None:
            stop("configuration", f"--tokenizer {place}: tokenizer_config.json names no eos_token of tokenizer.json")
        self.vocabulary = self.tokenizer.get_vocab_size()
        self.dtype = "<u2" if self.vocabulary <= 1 << 16 else "<u4"

    @classmethod
    def of(cls, args):
        """Returns the tokenizer of the options: that of a model in S3, unless another is named."""
        return cls(args.tokenizer or (args.model if args.model.startswith("s3://") else "tokenizer"))

    def encode(self, pieces):
        return [e.ids for e in self.tokenizer.encode_batch_fast(pieces, add_special_tokens=False)]


def read_file(place, name):
    """Returns the bytes of a file in a folder or under an S3 URI, or None if there is none."""
    if place.startswith("s3://"):
        return s3.read_if_present(s3.join(place, name))
    try:
        with open(os.path.join(place, name), "rb") as file:
            return file.read()
    except OSError:
        return None


def digest(objects, tokenizer):
    """Returns what two datasets with the same tokens have in common."""
    files = [hashlib.sha256(content).hexdigest() for content in tokenizer.files.values()]
    return hashlib.sha256(repr((objects, files, UNIT, 1)).encode()).hexdigest()[:32]


def find(env, name):
    """Returns the URI of the tokens with a digest, or None: this run's, or those of another run beside it."""
    own = env["CHECKPOINT_URI"].rstrip("/")
    runs = own.rpartition("/")[0]
    places = [s3.join(s3.join(runs, run), f"tokens/{name}") for run in s3.folders(runs)]
    places = [uri for uri in places if uri.startswith(own + "/")] + [uri for uri in places if not uri.startswith(own + "/")]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda uri: s3.exists(s3.join(uri, INDEX)), places)
        return next((uri for uri, there in zip(places, found) if there), None)


def units(objects):
    """Returns the parts of the dataset that become a shard each, in the order of the data."""
    return [(name, etag, size, begin) for name, size, etag in objects for begin in range(0, size, UNIT)]


def text(uri, unit):
    """Returns the lines that begin in a unit, as one text."""
    name, etag, size, begin = unit
    end = min(begin + UNIT, size)
    data = s3.read(s3.join(uri, name), max(begin - 1, 0), end, etag)
    if begin > 0:  # the rest of a line that began in an earlier unit
        data = data[data.find(b"\n") + 1:] if b"\n" in data else b""
    while data and end < size and not data.endswith(b"\n"):
        more = s3.read(s3.join(uri, name), end, min(end + PIECE, size), etag)
        data += more[:more.find(b"\n") + 1] if b"\n" in more else more
        end += len(more)
        if b"\n" in more:
            break
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        stop("dataset", f"{s3.join(uri, name)}: not UTF-8 text at byte {begin + error.start}: the dataset must be text or .jsonl")


def pieces(uri, unit, lines):
    """Returns (text, whether a document ends with it) of what is encoded at once."""
    name, _, size, begin = unit
    if name.endswith(".jsonl"):
        for line in lines:
            if line.strip():
                try:
                    yield json.loads(line)["text"], True
                except (ValueError, KeyError, TypeError):
                    stop("dataset", f"{s3.join(uri, name)}: not an object with \"text\" in every line: {line[:80]!r}")
        return
    piece = ""
    for line in lines:
        piece += line
        if len(piece) >= PIECE:
            yield piece, False
            piece = ""
    yield piece, begin + UNIT >= size


def encode(uri, unit, tokenizer):
    """Returns the tokens of a unit, as bytes."""
    cut = list(pieces(uri, unit, io.StringIO(text(uri, unit), newline="\n")))
    tokens = []
    for (_, last), ids in zip(cut, tokenizer.encode([piece for piece, _ in cut])):
        tokens += ids
        if last:
            tokens.append(tokenizer.end)
    return numpy.asarray(tokens, dtype=tokenizer.dtype).tobytes()


def prepare(uri, objects, tokenizer, target, rank, world, meet=lambda: None):
    """Writes the shards of this rank that are missing, and calls meet() after each turn: all ranks have as many turns,
    whatever each has found there."""
    everything = list(zip(shard_names(objects), units(objects)))
    there = {name for name, _, _ in s3.listing(target)}
    for first in range(0, len(everything), world):
        for name, unit in everything[first + rank:first + rank + 1]:
            if name not in there:
                s3.write(s3.join(target, name), encode(uri, unit, tokenizer))
                event_of_rank_0("prepared", shards=min(first + world, len(everything)), of=len(everything))
        beat()
        meet()


def shard_names(objects):
    return [f"{number:08d}.bin" for number in range(len(units(objects)))]


def write_index(uri, objects, tokenizer, target):
    """Writes the index if all shards are there."""
    sizes, names = {name: size for name, size, _ in s3.listing(target)}, shard_names(objects)
    width = numpy.dtype(tokenizer.dtype).itemsize
    if all(name in sizes for name in names):
        s3.write(s3.join(target, INDEX), json.dumps({
            "dtype": tokenizer.dtype, "end": tokenizer.end, "vocabulary": tokenizer.vocabulary, "dataset": uri,
            "shards": [[name, sizes[name] // width] for name in names]}))


def main(env, args):
    """Prepares the tokens of a dataset as a Job of its own. Every node takes its part."""
    objects = s3.listing(env["DATASET_URI"])
    if not objects:
        stop("dataset", f"DATASET_URI {env['DATASET_URI']}: no object below this prefix")
    tokenizer = Tokenizer.of(args)
    name = digest(objects, tokenizer)
    found = find(env, name)
    if not found:
        found = s3.join(env["CHECKPOINT_URI"], f"tokens/{name}")
        prepare(env["DATASET_URI"], objects, tokenizer, found, int(env["PET_NODE_RANK"]), int(env["PET_NNODES"]))
        write_index(env["DATASET_URI"], objects, tokenizer, found)  # on the node that ends last
    event_of_rank_0("finished", tokens=found)


if __name__ == "__main__":
    import train
    main(os.environ, train.options())
