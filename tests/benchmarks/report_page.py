#!/usr/bin/env python3
"""The report of 10,000 made-up runs: how long it takes to write, how large it is, and how soon a browser has opened it.

    tests/benchmarks/report_page.py [--bin build/release/bin] [--runs 10000] [--repeat 3] [--chromium chromium]

Seconds of the shortest repetition, and as a ratio to SELECT * FROM results of the same database. Opening is measured by a
headless Chromium that ends when the page has loaded and its script has run, less the same for an empty page."""
import argparse
import pathlib
import subprocess
import tempfile

from questions import seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--chromium", default="chromium")
    options = parser.parse_args()
    programs = pathlib.Path(options.bin).resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "results"
        subprocess.run([programs / "marquee_synthetic_results", out, str(options.runs)], check=True)
        plain = seconds([programs / "marquee", "query", "--out", out, "--format", "csv", "SELECT * FROM results"],
                        options.repeat)
        written = seconds([programs / "marquee", "report", "--out", out], options.repeat)
        page = out / "report" / "index.html"
        print(f"written in {written:.2f} s, {written / plain:.1f} times a SELECT of all runs; "
              f"{page.stat().st_size / 1e6:.1f} MB")
        empty = pathlib.Path(folder) / "empty.html"
        empty.write_text("<!DOCTYPE html><title>empty</title>")
        browser = [options.chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        try:
            nothing = seconds([*browser, empty.as_uri()], options.repeat)
            opened = seconds([*browser, page.as_uri()], options.repeat)
        except OSError:
            print(f"no {options.chromium} here: opening was not measured")
            return
        print(f"opened in {opened - nothing:.2f} s beyond an empty page ({nothing:.2f} s)")


if __name__ == "__main__":
    main()
