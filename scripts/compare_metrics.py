"""Runs the field's tools and marquee on the same two folders with the same weights; see compare_metrics."""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy
import torch
from safetensors.torch import load_file

warnings.filterwarnings("ignore")
# Of fewer images than features the tools' FID holds the square roots of rounding eigenvalues: it lies below its value.
# KID of clean-fid is summed in float32.
TOLERANCE = {"fid": 1e-3, "kid": 5e-5, "inception_score": 1e-5, "precision": 1e-6, "recall": 1e-6}


def image_files(folder):
    return sorted(file for file in pathlib.Path(folder).rglob("*") if file.suffix.lower() in (".png", ".jpg", ".jpeg"))


def flat_copy(folder, target, images):
    """The first images as PNG in one folder: what every tool reads alike."""
    from PIL import Image
    files = image_files(folder)
    for i, file in enumerate(files[:images or None]):
        Image.open(file).convert("RGB").save(target / f"{i:06d}.png")
    return len(list(target.iterdir()))


def torch_fidelity(a, b, weights):
    import torch_fidelity
    plain = weights / "plain.pth"
    torch.save(load_file(weights / "inception.safetensors"), plain)
    started = time.monotonic()
    values = torch_fidelity.calculate_metrics(
        input1=str(a), input2=str(b), isc=True, fid=True, kid=True, prc=True, cuda=False, verbose=False,
        feature_extractor="inception-v3-compat", feature_extractor_weights_path=str(plain), cache=False,
        kid_subset_size=min(1000, len(list(a.iterdir())), len(list(b.iterdir()))))
    return {"fid": values["frechet_inception_distance"], "kid": values["kernel_inception_distance_mean"],
            "inception_score": values["inception_score_mean"], "precision": values["precision"],
            "recall": values["recall"]}, time.monotonic() - started


def patched_pytorch_fid(weights):
    import pytorch_fid.inception
    state = load_file(weights / "inception.safetensors")
    pytorch_fid.inception.load_state_dict_from_url = lambda *args, **options: state
    return pytorch_fid.inception


def pytorch_fid(a, b, weights):
    patched_pytorch_fid(weights)
    from pytorch_fid.fid_score import calculate_fid_given_paths
    started = time.monotonic()
    return {"fid": calculate_fid_given_paths([str(a), str(b)], 32, "cpu", 2048, 0)}, time.monotonic() - started


def clean_fid(a, b, weights):
    from cleanfid import fid
    network = patched_pytorch_fid(weights).InceptionV3([3], resize_input=False, normalize_input=False).eval()

    def features(batch):  # levels 0 to 255, resized by clean-fid
        with torch.no_grad():
            return network((batch - 128) / 128)[0].flatten(1)

    started = time.monotonic()
    made, real = (fid.get_folder_features(str(folder), features, mode="clean", device=torch.device("cpu"), num_workers=0,
                                          verbose=False) for folder in (a, b))
    moments = [moment for rows in (made, real) for moment in (numpy.mean(rows, axis=0), numpy.cov(rows, rowvar=False))]
    values = {"fid": fid.frechet_distance(*moments)}
    numpy.random.seed(0)
    values["kid"] = fid.kernel_distance(real, made)
    return values, time.monotonic() - started


def marquee(program, a, b, weights, protocol, *words):
    started = time.monotonic()
    done = subprocess.run([program, "evaluate", "--generated", a, "--reference", b, "--protocol", protocol, "--features",
                           weights / "inception.safetensors", "--json", "--quiet", "--resamples", "0", *words],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)["metrics"], time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--weights", type=pathlib.Path, required=True)
    parser.add_argument("--images", type=int, default=0)
    parser.add_argument("folders", nargs=2)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="compare-metrics-"))
    apart = []
    try:
        counts = []
        for name, folder in zip("ab", options.folders):
            (work / name).mkdir()
            counts.append(flat_copy(folder, work / name, options.images))
        a, b = work / "a", work / "b"
        subset = str(min(1000, *counts))
        print(f"{counts[0]} and {counts[1]} images\n\n| protocol | metric | the tool | marquee | difference | seconds, tool | "
              "seconds, marquee |\n|---|---|---:|---:|---:|---:|---:|")
        for tool, protocol, words in [(torch_fidelity, "torch-fidelity", ["--kid-subset-size", subset]),
                                      (pytorch_fid, "pytorch-fid", []), (clean_fid, "clean-fid", [])]:
            expected, their_seconds = tool(a, b, options.weights)
            values, seconds = marquee(options.bin / "marquee-trainer", a, b, options.weights, protocol, *words)
            for metric, value in expected.items():
                difference = values[metric] - value
                room = TOLERANCE[metric] * max(1, abs(value))
                if abs(difference) > room:
                    apart.append(f"{protocol} {metric}")
                print(f"| `{protocol}` | {metric} | {value:.10g} | {values[metric]:.10g} | {difference:.1e} | "
                      f"{their_seconds and round(their_seconds, 1)} | {seconds and round(seconds, 1)} |", flush=True)
                their_seconds = seconds = ""
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if apart:
        sys.exit("differ by more than their tolerance: " + ", ".join(apart))


if __name__ == "__main__":
    main()
