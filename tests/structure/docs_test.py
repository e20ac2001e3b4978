"""What the pages speak of is there: links and their anchors, files, and on the pages for those who change the code
every type, function and test that they name. The worked examples of docs/extending.md still apply."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "assets").rglob("*.md"))]
NAMING = ("extending.md", "contributing.md")
SOURCES = ("cluster", "datasets", "experiments", "workers", "analysis", "orchestrator", "tests", "cmake", "scripts", ".ci")
FENCED = re.compile(r"(?ms)^ *```.*?^ *``` *$\n?")
LINK = re.compile(r"\]\(([^()\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
CODE_FILE = re.compile(r"^[\w./-]+\.(h|cpp|py|def)$")
ELSEWHERE = {"nccl.h"}  # headers of other projects
NAME = re.compile(r"^(?:\w+::)*([A-Za-z_]\w{2,})(?:\(\))?$")


def slug(heading):
    """The anchor that a heading gets."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors_of(path):
    return {slug(line.lstrip("#")) for line in FENCED.sub("", path.read_text()).split("\n") if re.match(r"#+ ", line)}


def broken_links(path):
    found = []
    for link in LINK.findall(FENCED.sub("", path.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            found.append(f"{path.name}: {link} leads nowhere")
        elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
            found.append(f"{path.name}: {link}: no heading gives this anchor")
    return found


def files_here():
    return {path.relative_to(ROOT).as_posix() for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.is_file()}


def is_there(name, files):
    """A path from the root, from tests/, a pair without its ending, or a bare name of some file."""
    return (name in files or f"tests/{name}" in files or f"{name}.h" in files or (ROOT / name).exists()
            or any(file.endswith("/" + name) for file in files))


def missing_files(path, files):
    """Source files, and paths below our folders, that a page names in `...` and that are not there."""
    new = set(re.findall(r"^\+\+\+ b/(\S+)", path.read_text(), re.MULTILINE))  # what an example adds
    found = []
    for span in SPAN.findall(FENCED.sub("", path.read_text())):
        word = span.split(" ")[0].rstrip(",.;:")
        ours = "/" in word and word.split("/")[0] in SOURCES and "<" not in word and "*" not in word and "..." not in word
        if (CODE_FILE.match(word) or ours) and "{" not in word and not is_there(word.rstrip("/"), files) and word not in new | ELSEWHERE:
            found.append(f"{path.name}: `{word}` is not there")
    return found


def words_of(files):
    words = set()
    for file in files:
        if file.endswith((".h", ".cpp", ".py", ".txt", ".cmake", ".yaml", ".cc")) or "." not in pathlib.Path(file).name:
            words |= set(re.findall(r"\w+", (ROOT / file).read_text(errors="replace")))
    words |= set(re.findall(r"\w+", (ROOT / "CMakeLists.txt").read_text()))
    return words | set(re.findall(r"[\w-]+", (ROOT / "CMakePresets.json").read_text()))


def diffs_of(path):
    return re.findall(r"(?ms)^```diff\n(.*?)^```$", path.read_text())


def unknown_names(path, words):
    """Names in `...` that are a word of no source, nor of what the page's examples add."""
    text = path.read_text()
    words = words | set(re.findall(r"\w+", " ".join(re.findall(r"^\+.*", text, re.MULTILINE))))
    found = []
    for span in SPAN.findall(FENCED.sub("", text)):
        name = NAME.match(span)
        if name and name[1] not in words and name[1].isupper() is False:
            found.append(f"{path.name}: `{span}` is a word of no source")
    return found


def refused_by(diff, root):
    with tempfile.NamedTemporaryFile("w", suffix=".diff") as file:
        file.write(diff)
        file.flush()
        done = subprocess.run(["git", "apply", "--check", "--recount", file.name], cwd=root, capture_output=True, text=True,
                              env={**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)})
    return done.stderr if done.returncode else ""


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        self.assertEqual([], [each for path in PAGES for each in broken_links(path)])

    def test_readme_leads_to_every_page(self):
        linked = set(LINK.findall((ROOT / "README.md").read_text()))
        for page in (ROOT / "docs").glob("*.md"):
            self.assertIn(f"docs/{page.name}", {link.split("#")[0] for link in linked})

    def test_files_that_pages_name_are_there(self):
        files = files_here()
        self.assertEqual([], [each for path in PAGES for each in missing_files(path, files)])

    def test_names_on_the_pages_for_developers_exist(self):
        words = words_of(files_here() - {"tests/structure/docs_test.py"})
        for name in NAMING:
            self.assertEqual([], unknown_names(ROOT / "docs" / name, words))

    def test_the_worked_examples_apply(self):
        diffs = diffs_of(ROOT / "docs" / "extending.md")
        self.assertGreater(len(diffs), 5)
        self.assertEqual("", refused_by("".join(diffs), ROOT), "docs/extending.md: make its diffs anew")

    def test_what_is_wrong_is_found(self):
        with tempfile.TemporaryDirectory() as temporary:
            page = pathlib.Path(temporary) / "page.md"
            page.write_text("# A heading, `code`\n\n[a](#a-heading-code) [b](gone.md) [c](#gone) [d](page.md#gone)\n"
                            "`workers/gone.h` `gone_test.py` `cluster/error.h` `no_such_function_here()` `TaskInfo`\n")
            self.assertEqual(3, len(broken_links(page)), broken_links(page))
            self.assertEqual(2, len(missing_files(page, files_here())))
            words = words_of({"datasets/task.h"})
            self.assertEqual(1, len(unknown_names(page, words)), unknown_names(page, words))
            wrong = ("diff --git a/cluster/error.h b/cluster/error.h\n--- a/cluster/error.h\n+++ b/cluster/error.h\n"
                     "@@ -1,1 +1,2 @@\n nothing like this stands there\n+a line\n")
            self.assertIn("error", refused_by(wrong, ROOT))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0]])
