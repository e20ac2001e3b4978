"""The dependency rule of docs/design.md: which folder may include which, and where LibTorch may appear."""

import os
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))

# Folder -> folders (or single headers) whose files it may include, besides its own.
ALLOWED = {
    "cluster": [],
    "datasets": ["cluster"],
    "experiments": ["cluster", "datasets/task.h", "datasets/shots.h", "datasets/data_folder.h",
                    "datasets/dataset_hash.h", "datasets/image_counts.h", "datasets/data_files.h"],
    "workers": ["cluster", "datasets", "experiments", "analysis/metrics"],
    "workers/weight_files": ["cluster"],
    "analysis/metrics": ["cluster", "experiments", "workers/torch.h"],
    "analysis/report": ["cluster", "experiments", "datasets/task.h", "datasets/tfrecord.h", "datasets/image_size.h"],
    "orchestrator": ["cluster", "experiments", "datasets", "analysis/report"],
}
LIBTORCH = re.compile(r"^(torch|ATen|c10)/")
LIBTORCH_FOLDERS = ("workers", "analysis/metrics")
# Headers that LibTorch's include folder carries in other versions: only .cpp files may use them.
CLASHING = re.compile(r"^(fmt|spdlog|google/protobuf)/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(relative: str):
    return next((f for f in sorted(ALLOWED, key=len, reverse=True) if relative.startswith(f + "/")), None)


def permitted(folder: str, included: str) -> bool:
    return any(included == a or included.startswith(a + "/") for a in [folder, *ALLOWED[folder]])


def breaches(root: pathlib.Path):
    """All includes under `root` that break the rule, as 'file: reason'."""
    found = []
    for folder in ALLOWED:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            relative = path.relative_to(root).as_posix()
            for bracket, included in INCLUDE.findall(path.read_text()):
                if LIBTORCH.match(included) and folder not in LIBTORCH_FOLDERS:
                    found.append(f"{relative}: LibTorch's <{included}> outside {LIBTORCH_FOLDERS}")
                elif CLASHING.match(included) and path.suffix == ".h":
                    found.append(f"{relative}: <{included}> in a header (LibTorch ships another version)")
                elif bracket == '"' and folder_of(included) and not permitted(folder, included):
                    found.append(f'{relative}: "{included}" is not for {folder}')
    return found


class DependencyRule(unittest.TestCase):
    def test_no_include_breaks_the_rule(self):
        self.assertEqual([], breaches(ROOT))

    def test_every_source_folder_is_covered(self):
        for folder in ALLOWED:
            self.assertTrue(list((ROOT / folder).glob("*.h")), f"no headers in {folder}/")

    def test_breaches_are_found(self):
        cases = {
            "cluster/a.h": '#include "datasets/task.h"',
            "orchestrator/b.cpp": '#include "workers/torch.h"',
            "orchestrator/c.cpp": '#include "analysis/metrics/frechet.h"',
            "experiments/d.cpp": '#include "datasets/decode.h"',
            "datasets/e.cpp": "#include <torch/torch.h>",
            "experiments/f.h": "#include <fmt/format.h>",
            "workers/weight_files/g.cpp": '#include "workers/torch.h"',
        }
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            for name, text in cases.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text + "\n")
            found = breaches(root)
            for name in cases:
                self.assertTrue(any(b.startswith(name + ":") for b in found), f"{name} was not found: {found}")
            self.assertEqual(len(cases), len(found))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0]])
