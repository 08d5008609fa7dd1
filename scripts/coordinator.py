"""The part of the launcher of node 0 that starts and stops the ranks of all nodes together; see launch.py."""

import asyncio
import contextlib
import json
import os
import signal
import socket

from exits import CONSEQUENCES, EXIT_CODES, say

ATTEMPTS = 3  # failures from one checkpoint that end the run
LOST_SECONDS = float(os.environ.get("LOST_SECONDS", 30))
JUDGE_SECONDS = 2  # for reports of failures that have the same cause, of launchers that do not answer
GENTLE = (EXIT_CODES["terminated"], 128 + signal.SIGABRT)  # the ranks have saved, or NCCL writes traces: all end soon
HUNG = "hung"  # in place of an exit code


class Member:
    """Another launcher, as the coordinator sees it."""

    def __init__(self, writer):
        self.writer, self.state = writer, "new"  # new, waiting, running, stopping, stopped, done

    def send(self, **message):
        with contextlib.suppress(OSError):
            self.writer.write(json.dumps(message).encode() + b"\n")


class Coordinator:
    """Starts and stops an attempt on all nodes together, and decides who has caused its end."""

    def __init__(self, nodes, port):
        self.nodes, self.port = nodes, port
        self.members = {}
        self.attempt, self.running = 0, False
        self.failures, self.since, self.saved = 0, None, None  # failures since the checkpoint of a step; the newest one's
        self.outside, self.reports, self.judgement = "", {}, None  # of the attempt that is ending

    async def serve(self):
        server = await asyncio.start_server(self.attend, port=self.port, limit=1 << 20)
        asyncio.get_running_loop().create_task(self.wait_for_all())
        return server

    async def wait_for_all(self):
        while True:
            await asyncio.sleep(60)
            if not self.running and (absent := [str(n) for n in range(self.nodes) if n not in self.members]):
                say(f"launch: waiting for {len(absent)} of {self.nodes} nodes: {', '.join(absent[:20])}")

    async def attend(self, reader, writer):
        keep_alive(writer)
        node, member = None, Member(writer)
        try:
            while line := await asyncio.wait_for(reader.readline(), LOST_SECONDS):
                message = json.loads(line)
                if message["type"] == "hello":
                    node = message["node"]
                    if other := self.members.get(node):
                        self.lost(node, other, "joined again")
                    self.members[node] = member
                    if message["failures"] > self.failures:  # this coordinator is newer than that member
                        self.failures, self.since = message["failures"], message["since"]
                elif self.members.get(node) is member:
                    self.hear(node, member, message)
            self.lost(node, member, "connection closed")
        except (asyncio.TimeoutError, OSError):
            self.lost(node, member, f"no sign for {LOST_SECONDS:.0f} s")
        finally:
            writer.close()

    def hear(self, node, member, message):
        match message["type"]:
            case "beat":
                member.send(type="beat")
            case "ready":
                member.state = "waiting"
                if message["saved"] is not None:
                    self.saved = max(self.saved or 0, message["saved"])
                self.start()
            case "done":
                member.state = "done"
                if self.running and len(self.members) == self.nodes and all(m.state == "done" for m in self.members.values()):
                    self.end(EXIT_CODES["done"], "")
            case "leaving":
                self.outside = self.outside or f"node {node} is told to stop"
            case "failed":
                self.interrupt(f"a rank of node {node} ended with {message['code']}", message["code"])
                self.report(node, member, message["code"])
            case "hung":
                self.interrupt(f"node {node} hangs", None)
                self.report(node, member, HUNG)
            case "stopped":
                self.report(node, member, message["code"])

    def report(self, node, member, code):
        member.state = "stopped"
        if code:
            self.reports[node] = code
        if self.judgement and all(m.state != "stopping" for m in self.members.values()):
            self.judgement.cancel()
            self.judge()

    def start(self):
        if self.running or len(self.members) < self.nodes or any(m.state != "waiting" for m in self.members.values()):
            return
        self.attempt, self.running, self.outside, self.reports = self.attempt + 1, True, "", {}
        say(f"launch: attempt {self.attempt} on {self.nodes} nodes")
        for member in self.members.values():
            member.state = "running"
            member.send(type="go", port=self.port + 1 + self.attempt % 64)

    def lost(self, node, member, how):
        if self.members.get(node) is not member:
            return
        del self.members[node]
        member.writer.close()
        if self.running and member.state in ("running", "done"):
            self.outside = self.outside or f"node {node} is lost"
            self.interrupt(f"node {node} is lost: {how}", EXIT_CODES["interrupted"])

    def interrupt(self, reason, code):
        """Stops the ranks of all nodes, and then decides."""
        if not self.running:
            return
        self.running = False
        say(f"launch: attempt {self.attempt} ends: {reason}")
        for member in self.members.values():
            member.state = "stopping"
            member.send(type="stop", gently=code in GENTLE)
        self.judgement = asyncio.get_running_loop().call_later(JUDGE_SECONDS, self.judge)

    def judge(self):
        """Names the node whose fault it was, if it was one's: the first to report what is no consequence. When a node was
        lost or told to stop, any plain failure is a consequence of that."""
        self.judgement = None
        plain = (*CONSEQUENCES, 1) if self.outside else CONSEQUENCES
        own = [node for node, code in self.reports.items() if code is not HUNG and code not in plain]
        own.sort(key=lambda node: self.reports[node] == 1)  # a rank that says why goes before one that does not
        if own or HUNG in self.reports.values() or not self.outside and self.reports and not all(
                code == EXIT_CODES["terminated"] for code in self.reports.values()):
            self.failures = self.failures + 1 if self.since == self.saved else 1
            self.since = self.saved
        if self.saved is not None and self.failures >= ATTEMPTS:
            return self.end(EXIT_CODES["progress"], f"progress: {self.failures} failures from the checkpoint of step {self.saved}, none newer; "
                            f"the last: {self.reports or self.outside}")
        for node, member in self.members.items():
            member.send(type="verdict", own=own[:1] == [node], failures=self.failures, since=self.since)

    def end(self, code, reason):
        self.running = False
        for member in self.members.values():
            member.send(type="end", code=code, reason=reason)


def keep_alive(writer):
    """Has the kernel notice within LOST_SECONDS that what was sent is not acknowledged."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(LOST_SECONDS * 1000))
