"""Exit codes of ranks, launcher and init container: one table, which internal/job/exits.go has too."""

import os
import signal
import sys

# internal/job/exits.go says what each means, and which of them Kubernetes counts.
EXIT_CODES = {
    "done": 0, "configuration": 10, "dataset": 11, "checkpoint": 12, "efa": 13, "interrupted": 14, "accelerator": 15,
    "fabric": 16, "progress": 17, "credentials": 18, "terminated": 143,
}
# How a rank ends because of another: by itself, after the SIGTERM of one that all have heard of, by NCCL's watchdog.
CONSEQUENCES = (EXIT_CODES["interrupted"], EXIT_CODES["terminated"], 128 + signal.SIGABRT, 128 + signal.SIGTERM)


def say(line):
    sys.stdout.write(line + "\n")  # in one write, so that lines of several processes do not mix
    sys.stdout.flush()


def stop(kind, message):
    """Ends the process with the exit code of a kind. Rank 0 prints the reason in one line."""
    if os.environ.get("RANK", "0") == "0":
        say(f"{kind}: {message}")
    sys.exit(EXIT_CODES[kind])
