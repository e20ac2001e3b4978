#!/usr/bin/env python3
"""How long answers take on a results database of 10,000 made-up runs: every stored question and comparisons.

    tests/benchmarks/questions.py [--bin build/release/bin] [--runs 10000] [--repeat 3]

A line each: the shortest of the repetitions in seconds (the program's start included), and as a ratio to the shortest
SELECT that reads every row of `results`."""
import argparse
import pathlib
import subprocess
import tempfile
import time


def seconds(command, repeat):
    best = None
    for _ in range(repeat):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken = time.perf_counter() - began
        best = taken if best is None else min(best, taken)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    programs = pathlib.Path(options.bin).resolve()
    marquee = str(programs / "marquee")
    with tempfile.TemporaryDirectory() as folder:
        out = str(pathlib.Path(folder) / "results")
        subprocess.run([str(programs / "marquee_synthetic_results"), out, str(options.runs)], check=True)
        listed = subprocess.run([marquee, "query", "--list"], check=True, capture_output=True, text=True).stdout
        names = [line.split()[0] for line in listed.split("\n\n")[0].splitlines()[1:]]
        query = [marquee, "query", "--out", out, "--format", "csv"]
        compare = [marquee, "compare", "--out", out]
        commands = {"SELECT": query + ["SELECT * FROM results"]}
        commands.update({f"query {name}": query + [name] for name in names})
        commands["query task=dtd shots<=5"] = query + ["task=dtd", "shots<=5"]
        commands["compare none finetune"] = compare + ["none", "finetune"]
        commands["compare, four sides"] = compare + [
            "none", "finetune", "scratch", "method=prompt prompt_length=16 factors=4"]
        commands["compare, two databases"] = [marquee, "compare", out, out]
        plain = None
        for name, command in commands.items():
            taken = seconds(command, options.repeat)
            plain = plain or taken
            print(f"{name:28} {taken:7.3f} s  {taken / plain:6.2f}", flush=True)


if __name__ == "__main__":
    main()
