"""The fenced blocks of README.md and docs/, and the commands in them, as docs/contributing.md says what a block is."""

import difflib
import pathlib
import re
import shlex

FENCE = re.compile(r"^ *```(\w*) *$")
OURS = re.compile(r"^(\S*/)?marquee\s|^scripts/|^(mpirun|srun)\s|^\.\/")
# Other programs in blocks of scripts and of what was typed.
OTHERS = {"cat", "cd", "cmake", "cp", "ctest", "export", "mkdir", "apptainer", "datasette", "python3"}


class Block:
    def __init__(self, page, line, kind, text):
        self.page, self.line, self.kind, self.text = page, line, kind, text

    def __str__(self):
        return f"{self.page}:{self.line}"


class Command:
    """One command line of a page: `words` as a shell would pass them, comments left out."""

    def __init__(self, page, line, text):
        self.page, self.line, self.text = page, line, text

    @property
    def words(self):
        return shlex.split(self.text, comments=True)

    def __str__(self):
        return f"{self.page}:{self.line}: {self.text}"


def blocks_of(path, root):
    """All fenced blocks of a page; raises where a fence is not closed."""
    found, opened, lines = [], None, path.read_text().split("\n")
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if fence and opened is None:
            opened = (number, fence[1])
        elif fence:
            found.append(Block(path.relative_to(root).as_posix(), opened[0], opened[1],
                               "\n".join(lines[opened[0]:number - 1]) + "\n"))
            opened = None
    if opened is not None:
        raise ValueError(f"{path}:{opened[0]}: the block is not closed")
    return found


def is_whole(text):
    """False while a shell would go on reading: a quote is open, or the line ends with a backslash."""
    if text.rstrip(" ").endswith("\\"):
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def is_command(line):
    """Whether a line of a block without a name is a command; one whose program is nearly spelt like ours is, and fails."""
    first = line.split(" ")[0].split("/")[0]
    return bool(OURS.match(line) or difflib.get_close_matches(first, ["marquee", "scripts", "mpirun"], 1, 0.85))


def commands_of(block):
    """The commands of a block, continued lines joined."""
    if block.kind not in ("", "console", "sh"):
        return []
    found, lines, here = [], block.text.split("\n"), 0
    while here < len(lines):
        line, start = lines[here], block.line + here + 1
        here += 1
        if block.kind == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        elif block.kind == "" and not is_command(line):
            continue
        elif block.kind == "sh" and "<<'END'" in line:
            while lines[here] != "END":
                here += 1
            here += 1
        while not is_whole(line) and here < len(lines):
            line = (line.rstrip(" ")[:-1] if line.rstrip(" ").endswith("\\") else line + "\n") + lines[here]
            here += 1
        if line.strip():
            found.append(Command(block.page, start, line))
    return found


def alternatives(text):
    """What a line of a synopsis stands for: `[x]` with and without, each part of `(a | b)`, one word for `A...`."""
    optional = re.search(r"\[([^\[\]]*)\](?=\s|$)", text)
    if optional and not re.search(r"[\"']", text[:optional.start()]):
        before, after = text[:optional.start()], text[optional.end():]
        return alternatives(before + after) + alternatives(before + optional[1] + after)
    choice = re.search(r"(?<=\s)\(([^()]*\|[^()]*)\)", text)
    if choice and not re.search(r"[\"']", text[:choice.start()]):
        before, after = text[:choice.start()], text[choice.end():]
        return [line for part in choice[1].split(" | ") for line in alternatives(before + part + after)]
    return [re.sub(r"\b([A-Z]+)\.\.\.", r"\1", text)]


def pages(root):
    root = pathlib.Path(root)
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]
