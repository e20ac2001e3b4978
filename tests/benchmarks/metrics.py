"""The field's tools at the sizes of metrics_benchmark.cpp and marquee beside them, in turns, as ratios.

Run by a Python that has torch-fidelity and scipy (`scripts/compare_metrics --env DIR ...` makes one):
    OMP_NUM_THREADS=2 DIR/bin/python tests/benchmarks/metrics.py [--build DIR] [--turns N]
With --rows N instead marquee alone: precision, recall, density and coverage of N x N images, their seconds and the
most memory that the process took. Any Python runs that.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

WIDTH = 2048
ROWS = 10000
ROOT = pathlib.Path(__file__).resolve().parents[2]


def features(rows, seed):
    import torch
    torch.manual_seed(seed)
    return torch.randn(rows, WIDTH).clamp_min(0) + 0.1 * torch.randn(rows, WIDTH)


def seconds(work):
    started = time.monotonic()
    work()
    return time.monotonic() - started


def sqrtm_trace(rows):
    import numpy
    import scipy.linalg
    a, b = (numpy.cov(features(rows, seed).double().numpy(), rowvar=False) for seed in (1, 2))
    return seconds(lambda: numpy.trace(scipy.linalg.sqrtm(a.dot(b)).real))


def precision_recall():
    from torch_fidelity.metric_prc import prc_features_to_metric
    a, b = features(ROWS, 1), features(ROWS, 2)
    return seconds(lambda: prc_features_to_metric(a, b, prc_neighborhood=3, prc_batch_size=ROWS, save_cpu_ram=False,
                                                  verbose=False))


def extractor(build):
    import torch
    from safetensors.torch import load_file
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([build / "bin" / "marquee_formula_checkpoint", "inception", folder], check=True)
        weights = pathlib.Path(folder) / "weights.pth"
        torch.save(load_file(pathlib.Path(folder) / "inception.safetensors"), weights)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    images = torch.full((32, 3, 32, 32), 90, dtype=torch.uint8)

    def run():
        with torch.no_grad():
            return seconds(lambda: network(images))

    run()
    return run


def ours(build, name, **environment):
    done = subprocess.run([build / "bin" / "marquee_benchmarks", f"--benchmark_filter=^{name}/", "--benchmark_format=json"],
                          env=os.environ | environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["benchmarks"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rows", type=int, help="images a side of one large comparison")
    options = parser.parse_args()
    if options.rows:
        found = ours(options.build, "manifold", MARQUEE_MANIFOLD_ROWS=str(options.rows))
        print(f"{options.rows} x {options.rows} x {WIDTH}: {found['real_time']:.0f} s, {found['peak_MB'] / 1000:.2f} GB")
        return
    extract = extractor(options.build)
    rows = [("trace term, full rank", "scipy sqrtm", lambda: sqrtm_trace(ROWS), f"frechet_from_statistics/{ROWS}"),
            ("trace term, singular", "scipy sqrtm", lambda: sqrtm_trace(1000), "frechet_from_statistics/1000"),
            ("precision and recall, 10,000 x 10,000", "torch-fidelity", precision_recall, f"manifold/{ROWS}"),
            ("32 images through Inception, fp32", "torch-fidelity", extract, "inception/0"),
            ("32 images through Inception, bf16", "torch-fidelity, fp32", extract, "inception/1")]
    print("| | tool | its seconds | marquee's | times as fast |\n|---|---|---:|---:|---:|")
    for what, tool, theirs, name in rows:
        turns = [(theirs(), ours(options.build, name)["real_time"]) for _ in range(options.turns)]
        ratios = sorted(a / b for a, b in turns)
        print(f"| {what} | {tool} | {statistics.median(a for a, _ in turns):.2f} | "
              f"{statistics.median(b for _, b in turns):.2f} | {statistics.median(ratios):.1f} "
              f"({ratios[0]:.1f} to {ratios[-1]:.1f}) |", flush=True)


if __name__ == "__main__":
    main()
