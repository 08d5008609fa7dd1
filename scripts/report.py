"""What a run prints for programs to read: one JSON object a line, each with an "event"."""

import json
import os

from exits import say


def event(name, **fields):
    """Prints one line: the event, the rank unless it is 0, and the fields, floats with six significant digits."""
    rank = int(os.environ.get("RANK", "0"))
    fields = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in fields.items()}
    say(json.dumps({"event": name} | ({"rank": rank} if rank else {}) | fields))


def event_of_rank_0(name, **fields):
    if os.environ.get("RANK", "0") == "0":
        event(name, **fields)
