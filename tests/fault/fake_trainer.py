#!/usr/bin/env python3
"""A trainer for tests: speaks the control protocol, computes nothing. `marquee` starts it when the
environment variable MARQUEE_TRAINER names it.

Faults are chosen by environment variables:
  FAKE               crash | exit | hang | garbage | oversize | ill_typed | unsealed | stale | fail_usage |
                     fail_environment
  FAKE_TIMES         attempts of a run that misbehave (default: all)
  FAKE_METHOD        only runs of this method misbehave
  FAKE_STEP_SECONDS  duration of a tuning step
"""

import argparse
import ctypes
import hashlib
import json
import os
import pathlib
import select
import signal
import socket
import struct
import sys
import time

PR_SET_PDEATHSIG = 1



class Channel:
    def __init__(self, fd):
        self.socket = socket.socket(fileno=fd)

    def send(self, **message):
        text = json.dumps(message).encode()
        self.socket.sendall(struct.pack("<I", len(text)) + text)

    def receive_exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                sys.exit(0)  # the agent has gone
            data += part
        return data

    def receive(self):
        (length,) = struct.unpack("<I", self.receive_exactly(4))
        return json.loads(self.receive_exactly(length))

    def waiting(self):
        return bool(select.select([self.socket], [], [], 0)[0])


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def digest(*words):
    return hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()


def result_of(request):
    """Numbers that depend on the run alone, so that equal runs give equal rows."""
    run_id = request["run_id"]
    metrics = [{"metric": name, "value": int(digest(run_id, name)[:8], 16) / 2**32, "standard_error": 0.5,
                "n_generated": 8, "n_reference": 100, "protocol": request["run"].get("protocol", "mini-v0"), "network_hash": digest("network")}
               for name in ("fid_mini", "kid_mini", "precision", "recall", "density", "coverage")]
    return {"metrics": metrics, "trainable_parameters": 7, "seconds": 0.1, "result_sha256": digest(run_id),
            "prompt_sha256": digest(run_id, "prompt"), "tokens_sha256": digest(run_id, "tokens"),
            "class_prior": [0.5, 0.5], "fingerprint": {"device": "none"},
            "provenance": {"pid": os.getpid(), "cpus": sorted(os.sched_getaffinity(0)),
                           "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
                           "saw_mpi": any(key.startswith(("OMPI_", "PMIX_")) for key in os.environ)}}


def seal(folder, request, status, **more):
    record = {"run_id": request["run_id"], "attempt": request["attempt"], "epoch": request["epoch"],
              "status": status, "started": now(), "ended": now(), "host": socket.gethostname(), "run": request["run"],
              **more}
    aside = folder / ".attempt.json"
    aside.write_text(json.dumps(record))
    aside.rename(folder / "attempt.json")


def misbehave(channel, fault, request, folder):
    """Returns True when the attempt ends with this fault."""
    about = {"run_id": request["run_id"], "attempt": request["attempt"]}
    if fault == "crash":
        (folder / "log").write_text("first words\nlast words before the crash\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    elif fault == "exit":
        os._exit(9)
    elif fault == "hang":
        channel.send(type="progress", **about, phase="tune", step=1, total=4, deadline_s=0.5)
        time.sleep(600)
    elif fault == "garbage":
        channel.socket.sendall(struct.pack("<I", 4) + b"rats")
    elif fault == "oversize":
        channel.socket.sendall(struct.pack("<I", 0xFFFFFFF0) + b"x" * 64)
    elif fault == "ill_typed":
        channel.send(type="progress", **about, phase="tune", step="one", total=4, deadline_s=5)
    elif fault == "unsealed":
        channel.send(type="done", **about, result=result_of(request))
    elif fault == "older_epoch":
        seal(folder, {**request, "epoch": request["epoch"] - 1}, "done", result=result_of(request))
        channel.send(type="done", **about, result=result_of(request))
    elif fault == "stale":
        channel.send(type="done", run_id=request["run_id"], attempt=request["attempt"] + 1, result=result_of(request))
        return False
    elif fault == "fail_usage":
        channel.send(type="failed", **about, kind="usage", message="this combination is impossible")
    elif fault == "fail_environment":
        channel.send(type="failed", **about, kind="environment", message="the disk is full")
    else:
        sys.exit(f"unknown fault {fault}")
    return True


def serve_run(channel, request):
    folder = pathlib.Path(request["results"]) / "runs" / request["run_id"] / f"attempt-{request['attempt']}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log").write_text("fake trainer\n")
    about = {"run_id": request["run_id"], "attempt": request["attempt"]}
    earlier = len([path for path in folder.parent.glob("attempt-*") if path.name != folder.name])
    fault = os.environ.get("FAKE")
    chosen = os.environ.get("FAKE_METHOD", request["run"]["method"]) == request["run"]["method"]
    if fault and chosen and earlier < int(os.environ.get("FAKE_TIMES", "1000000")):
        if misbehave(channel, fault, request, folder):
            return
    steps = request["run"].get("steps", 4)
    for step in range(steps):
        channel.send(type="progress", **about, phase="tune", step=step, total=steps, deadline_s=30)
        time.sleep(float(os.environ.get("FAKE_STEP_SECONDS", "0")))
        if channel.waiting():
            message = channel.receive()
            if message["type"] == "interrupt":
                seal(folder, request, "interrupted", cause={"kind": "interrupted", "message": "on request"})
                channel.send(type="interrupted", **about, step=step)
                return
            sys.exit(0)
    seal(folder, request, "done", result=result_of(request))
    channel.send(type="done", **about, result=result_of(request))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != arguments.parent_pid:
        sys.exit(1)
    channel = Channel(arguments.control_fd)
    channel.send(type="hello", fingerprint={"device": "none"})
    while True:
        request = channel.receive()
        if request["type"] == "stop":
            return
        if request["type"] == "run":
            serve_run(channel, request)


main()
