"""Images a second from a TFDS folder, beside tensorflow_datasets and Pillow on the same two cores in the same minutes.

    python3 tests/benchmarks/data_reading.py [--bin build/release/bin] [--data ../shared/data/tfds] [--json FILE]

Two rows a data set: decoded at native size to uint8, and resized to 64 x 64 floats. Ours: marquee_data_benchmark, two
threads; record checksums, parsing and decoding through open_dataset(). tensorflow_datasets: parallel decoding and
resizing with AUTOTUNE and prefetch, all inside TensorFlow, examples in any order; resizing antialiased as ours or not,
whichever is faster. Pillow: two
processes over image files that already lie in memory; its bilinear resizing, then numpy. The three take turns, and
ratios are medians over the rounds. Where other work shares the cores, look at the ratios by processor time.

The tools are installed into a throw-away environment (--environment keeps and reuses one); a tool that pip cannot
install is left out with the reason. --large N also reads N links to the first data set's shards as one set, for the
memory that it takes. Exit code 77 where there are no data.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = {"eurosat": "eurosat/rgb", "caltech101": "caltech101"}
ROWS = ("decoded", "resized")
PACKAGES = {"pillow": ["pillow", "numpy"], "tensorflow_datasets": ["tensorflow-cpu", "tensorflow-datasets"]}

TENSORFLOW = """\
import json, os, resource, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
def reader(row, antialias=True):
    data = builder.as_dataset(split="+".join(builder.info.splits), shuffle_files=False,
                              read_config=tfds.ReadConfig(try_autocache=False))
    options = tf.data.Options()
    options.deterministic = False
    options.threading.private_threadpool_size = 2
    data = data.with_options(options)
    if row == "resized":
        resize = lambda example: {"image": tf.image.resize(example["image"], (64, 64), antialias=antialias)}
        data = data.map(resize, num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)
def read(data):
    # Nothing goes through Python image by image.
    last = lambda total, example: total + tf.cast(example["image"][-1, -1, -1], tf.float64)
    return data.reduce(tf.constant(0, tf.float64), last).numpy()
images = sum(split.num_examples for split in builder.info.splits.values())
answer = {}
for name, *how in (("decoded", "decoded"), ("resized", "resized", True), ("resized_plain", "resized", False)):
    read(reader(*how).take(500))
    start, cpu = time.monotonic(), time.process_time()
    read(reader(*how))
    answer[name] = {"images": images, "seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
# Without antialiasing pixels are others, but TensorFlow is faster: let it have that.
answer["resized_antialiased"] = answer["resized"]
answer["resized"] = min(answer["resized"], answer["resized_plain"], key=lambda measured: measured["seconds"])
print(json.dumps(answer))
"""
PILLOW = """\
import io, json, multiprocessing, pathlib, resource, struct, sys, time
import numpy as np
from PIL import Image
def files_of(folder):
    # JPEG decoders pass over what follows the image in its record.
    for shard in sorted(pathlib.Path(folder).glob("*.tfrecord-*")):
        data, at = shard.read_bytes(), 0
        while at < len(data):
            length, = struct.unpack_from("<Q", data, at)
            record = data[at + 12:at + 12 + length]
            yield record[record.index(b"\\xff\\xd8\\xff"):]
            at += length + 16
def read(files, row, barrier, queue):
    barrier.wait()
    start, cpu = time.monotonic(), time.process_time()
    for file in files:
        image = Image.open(io.BytesIO(file)).convert("RGB")
        if row == "resized":
            np.asarray(image.resize((64, 64), Image.BILINEAR), dtype=np.float32)
        else:
            np.asarray(image)
    queue.put((start, time.monotonic(), time.process_time() - cpu,
               resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
if __name__ == "__main__":
    files, answer = list(files_of(sys.argv[1])), {}
    for row in ("decoded", "resized"):
        barrier, queue = multiprocessing.Barrier(2), multiprocessing.Queue()
        both = [multiprocessing.Process(target=read, args=(files[i::2], row, barrier, queue)) for i in range(2)]
        for process in both: process.start()
        starts, ends, cpu, memory = zip(*[queue.get() for _ in both])
        for process in both: process.join()
        answer[row] = {"images": len(files), "seconds": max(ends) - min(starts), "cpu_seconds": sum(cpu),
                       "peak_mb": sum(memory)}
    print(json.dumps(answer))
"""


def newest(folder):
    return sorted(path for path in folder.iterdir() if path.name[0].isdigit())[-1]


def install(folder, packages):
    """Why the packages cannot be had; None where they can."""
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def run(command, cores):
    done = subprocess.run(command, capture_output=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    if done.returncode != 0:
        sys.exit(f"error: {command[0]}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def link_often(folder, into, shards):
    """A data set whose shards are links to those of `folder`, `shards` of each split in all."""
    into.mkdir(parents=True)
    info = json.loads((folder / "dataset_info.json").read_text())
    for split in info["splits"]:
        stored = sorted(folder.glob(f"*-{split['name']}.tfrecord-*"))
        split["shardLengths"] = [split["shardLengths"][i % len(stored)] for i in range(shards)]
        for i in range(shards):
            name = stored[0].name.split(".tfrecord-")[0]
            (into / f"{name}.tfrecord-{i:05}-of-{shards:05}").symlink_to(stored[i % len(stored)].resolve())
    (into / "dataset_info.json").write_text(json.dumps(info))
    for other in folder.iterdir():
        if ".tfrecord-" not in other.name and other.name != "dataset_info.json":
            (into / other.name).symlink_to(other.resolve())


def table_of(rounds):
    """Medians over the rounds; "cpu" is what two cores would give that have nothing else to do."""
    table = []
    for task in rounds[0]:
        for row in ROWS:
            def median(value):
                return statistics.median(value({tool: m[row] for tool, m in each[task].items()}) for each in rounds)

            entry = {"task": task, "row": row, "tools": {}}
            for tool in rounds[0][task]:
                entry["tools"][tool] = {
                    "images_per_second": median(lambda m: m[tool]["images"] / m[tool]["seconds"]),
                    "images_per_second_cpu": median(lambda m: 2 * m[tool]["images"] / m[tool]["cpu_seconds"]),
                    "ours_is_faster": median(lambda m: m[tool]["seconds"] / m["ours"]["seconds"]),
                    "ours_is_faster_cpu": median(lambda m: m[tool]["cpu_seconds"] / m["ours"]["cpu_seconds"]),
                    "peak_mb": median(lambda m: m[tool]["peak_mb"])}
            table.append(entry)
    return table


def print_table(table):
    names = sorted(table[0]["tools"], key=lambda tool: (tool != "ours", tool))
    others = names[1:]
    print("Images/s by the clock (by processor time, as on two free cores).\n")
    print("| data set | row | " + " | ".join(names + [f"ours / {tool}" for tool in others] + ["our peak memory"]) + " |")
    print("|---|---|" + "---:|" * (len(names) + len(others) + 1))
    for entry in table:
        tools = entry["tools"]
        cells = [f"{tools[t]['images_per_second']:,.0f} ({tools[t]['images_per_second_cpu']:,.0f})" for t in names]
        cells += [f"{tools[t]['ours_is_faster']:.1f} ({tools[t]['ours_is_faster_cpu']:.1f})" for t in others]
        print("| " + " | ".join([entry["task"], entry["row"], *cells, f"{tools['ours']['peak_mb']:.0f} MB"]) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = pathlib.Path(os.environ.get("MARQUEE_SHARED", ROOT / "../shared"))
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--data", type=pathlib.Path, default=shared / "data/tfds", help="TFDS folder")
    parser.add_argument("--tasks", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, metavar="N", help="shards of the large set")
    parser.add_argument("--environment", type=pathlib.Path, help="folder of the Python environment, kept")
    parser.add_argument("--json", type=pathlib.Path, help="write all measurements here")
    arguments = parser.parse_args()
    missing = [task for task in arguments.tasks if not (arguments.data / PARTS[task]).is_dir()]
    if missing:
        print(f"skipped: no {' and no '.join(missing)} in {arguments.data} (--data or MARQUEE_SHARED)")
        return 77
    ours = arguments.bin / "marquee_data_benchmark"
    if not ours.exists():
        sys.exit(f"error: no {ours}: build the target marquee_data_benchmark, or give --bin")
    cores = sorted(os.sched_getaffinity(0))[:2]

    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        environment = arguments.environment or temporary / "environment"
        tools = {}
        for tool, packages in PACKAGES.items():
            reason = install(environment, packages)
            if reason:
                print(f"skipped: {tool}: pip cannot install {' '.join(packages)}: {reason}")
            else:
                program = {"pillow": PILLOW, "tensorflow_datasets": TENSORFLOW}[tool]
                (temporary / f"{tool}_worker.py").write_text(program)
                tools[tool] = [environment / "bin/python", temporary / f"{tool}_worker.py"]

        def measure(tool, task):
            if tool != "ours":
                return run([*tools[tool], newest(arguments.data / PARTS[task])], cores)
            return {row: run([ours, arguments.data, task, row, str(len(cores))], cores) for row in ROWS}

        names = ["ours", *tools]
        rounds = []  # round -> task -> tool -> row
        for number in range(arguments.rounds):
            turn = names[number % len(names):] + names[:number % len(names)]
            rounds.append({task: {tool: measure(tool, task) for tool in turn} for task in arguments.tasks})
        large = None
        if arguments.large:
            part = PARTS[arguments.tasks[0]]
            stored = newest(arguments.data / part)
            link_often(stored, temporary / "large" / part / stored.name, arguments.large)
            large = run([ours, temporary / "large", arguments.tasks[0], "resized", str(len(cores))], cores)

    table = table_of(rounds)
    print_table(table)
    if large:
        print(f"{large['images']:,} images in {arguments.large} shards: {large['peak_mb']:.0f} MB, "
              f"{large['images'] / large['seconds']:,.0f} images/s, opened in {large['open_seconds']:.1f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps({"cores": len(cores), "table": table, "large": large, "rounds": rounds}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
