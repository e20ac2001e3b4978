"""Completion in real shells and the manual through real formatters, from what the program says of itself."""

import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import time

from harness import MARQUEE, FaultTest, main

# Completes the words of $@ as readline would ask for it; tells the candidates, and what is left to readline.
BASH = r"""
source "$SCRIPT" || exit 9
compopt() { echo "compopt $*"; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_marquee
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
"""

# A trainer whose texts try to be more than texts.
HOSTILE = "a'b\"c`touch pwned`$(touch pwned)\\\n.sy touch pwned\n:[x]: ;& touch pwned \x1b[31m"
TRAINER = """#!/bin/sh
cat <<'END-OF-TEXT'
{text}
END-OF-TEXT
"""


def option(name, **changes):
    return {"name": name, "short": "", "value": "", "default": "", "text": "", "required": False, "repeated": False,
            "words": [], **changes}


def command(name, **changes):
    return {"name": name, "summary": "", "usage": "", "text": "", "options": [], "operands": [], "parts": [],
            **changes}


class Completion(FaultTest):
    def script(self, shell, trainer=None):
        environment = dict(os.environ)
        if trainer:
            environment["MARQUEE_TRAINER"] = str(trainer)
        done = subprocess.run([str(MARQUEE), "completion", shell], capture_output=True, text=True, timeout=120,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        path = self.folder / f"completion.{shell}"
        path.write_text(done.stdout)
        return path, done

    def bash(self, *words, script=None):
        script = script or self.script("bash")[0]
        done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", "marquee", *words], capture_output=True,
                              text=True, timeout=60, env={**os.environ, "SCRIPT": str(script)}, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout.split("\n")[:-1]

    def fake_trainer(self, description):
        path = self.folder / "trainer"
        path.write_text(TRAINER.format(text=json.dumps(description)))
        path.chmod(0o755)
        return path

    def need(self, program):
        if shutil.which(program) is None:
            self.skipTest(f"no {program} here")

    def test_bash_completes_commands_parts_options_and_words(self):
        script, _ = self.script("bash")
        complete = lambda *words: self.bash(*words, script=script)
        self.assertEqual(complete("swe"), ["sweep"])
        self.assertIn("completion", complete(""))
        self.assertEqual(complete("data", "l"), ["list"])
        self.assertEqual(sorted(complete("slurm", "")), ["cancel", "status", "submit"])
        self.assertEqual(complete("data", "list", "--"), ["--json", "--dry-run", "--help"])
        self.assertEqual(complete("slurm", "submit", "--lau"), ["--launcher"])
        self.assertEqual(complete("slurm", "submit", "--launcher", "s"), ["srun"])
        self.assertEqual(complete("slurm", "submit", "--launcher", "=", "m"), ["mpirun"])  # split by bash
        self.assertEqual(complete("slurm", "submit", "--launcher", "="), ["mpirun", "srun"])
        self.assertEqual(complete("slurm", "submit", "--launcher=m"), ["--launcher=mpirun"])  # not split
        self.assertEqual(complete("data", "verify", "--task", "dsprites_l"), ["dsprites_location"])
        self.assertEqual(complete("completion", ""), ["bash", "zsh", "fish"])

    def test_bash_leaves_paths_to_readline(self):
        script, _ = self.script("bash")
        complete = lambda *words: self.bash(*words, script=script)
        self.assertEqual(complete("sweep", ""), ["compopt -o default"])
        self.assertEqual(complete("sweep", "--out", ""), ["compopt -o dirnames"])
        self.assertEqual(complete("sweep", "-o", "x"), ["compopt -o dirnames"])
        self.assertEqual(complete("sweep", "--out", "x", ""), ["compopt -o default"])
        self.assertEqual(complete("sweep", "--out", "x", "f.yaml", ""), [])  # one FILE alone
        self.assertEqual(complete("sweep", "--workers", ""), [])
        self.assertEqual(complete("status", ""), [])

    def test_every_option_of_every_command_completes(self):
        """Nothing is listed by hand: what --help of a command shows is what completes."""
        script, _ = self.script("bash")
        described = json.loads(subprocess.run([str(MARQUEE), "--describe"], capture_output=True, text=True,
                                              timeout=120).stdout)

        def look(command, path):
            if command["options"] and path:
                shown = subprocess.run([str(MARQUEE), *path, "--help"], capture_output=True, text=True, timeout=120)
                for each in command["options"]:
                    self.assertIn("--" + each["name"], shown.stdout, path)
                self.assertEqual(sorted(self.bash(*path, "--", script=script)),
                                 sorted("--" + each["name"] for each in command["options"]))
            for part in command["parts"]:
                look(part, [*path, part["name"]])

        look(described, [])

    def test_a_hostile_file_name_stays_one_word_in_bash(self):
        script, _ = self.script("bash")
        folder = self.folder / "hostile"
        folder.mkdir()
        name = "$(touch pwned) `touch pwned`;'x.yaml"
        (folder / name).write_text("")
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       {**os.environ, "INPUTRC": "/dev/null", "TERM": "dumb", "PS1": "> "})
        said = ""

        def say(text, until):
            nonlocal said
            os.write(terminal, text.encode())
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.2)[0]:
                    said += os.read(terminal, 65536).decode(errors="replace")
                if until(said):
                    return
            self.fail(f"no answer to {text!r}: {said!r}")

        try:
            say(f"source '{script}'; marquee() {{ printf '<%s>' \"$@\" >told; echo rea''dy; }}; echo sou''rced\n",
                lambda text: "sourced" in text)
            say("marquee sweep \t", lambda text: "x.yaml" in text)
            say("\n", lambda text: "ready" in text)
            self.assertEqual((folder / "told").read_text(), f"<sweep><{name}>")
            self.assertEqual(sorted(os.listdir(folder)), sorted([name, "told"]))
        finally:
            os.close(terminal)
            os.waitpid(process, 0)

    def test_texts_of_a_trainer_are_texts_in_every_script_and_page(self):
        trainer = self.fake_trainer(command("marquee-trainer", parts=[
            command("run", text=HOSTILE, usage=HOSTILE, options=[
                option("out", short="o", value=HOSTILE, text=HOSTILE, default=HOSTILE)])]))
        for shell in ("bash", "zsh", "fish"):
            script, done = self.script(shell, trainer)
            self.assertEqual(done.stderr, "")
            if shutil.which(shell) is None:
                continue
            syntax = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, timeout=60)
            self.assertEqual((syntax.returncode, syntax.stderr), (0, ""), shell)
        self.assertEqual(self.bash("run", "--o", script=self.folder / "completion.bash"), ["--out"])
        if shutil.which("fish"):
            done = subprocess.run(["fish", "--no-config", "-c",
                                   f"source {self.folder}/completion.fish; complete -C 'marquee run --o'"],
                                  capture_output=True, text=True, timeout=60, cwd=self.folder)
            self.assertTrue(done.stdout.startswith("--out\ta'b\"c`touch pwned`$(touch pwned)"), done)
        if shutil.which("groff"):
            page = subprocess.run([str(MARQUEE), "man", "run"], capture_output=True, timeout=60,
                                  env={**os.environ, "MARQUEE_TRAINER": str(trainer)})
            shown = subprocess.run(["groff", "-U", "-man", "-Tutf8"], input=page.stdout, capture_output=True, timeout=60,
                                   cwd=self.folder)
            self.assertIn(b".sy touch pwned", shown.stdout)
        self.assertFalse((self.folder / "pwned").exists())

    def test_names_that_are_no_words_are_refused(self):
        trainer = self.fake_trainer(command("marquee-trainer", parts=[
            command("run", options=[option("$(touch pwned)")])]))
        script, done = self.script("bash", trainer)
        self.assertIn("is no plain word", done.stderr)
        self.assertNotIn("pwned", script.read_text())
        self.assertEqual(self.bash("run", "--", script=script), [])  # the command is there, its options are not

    def test_zsh_and_fish_take_their_scripts(self):
        for shell in ("zsh", "fish"):
            with self.subTest(shell=shell):
                self.need(shell)
                script, _ = self.script(shell)
                syntax = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, timeout=60)
                self.assertEqual((syntax.returncode, syntax.stderr), (0, ""))

    def test_fish_completes(self):
        self.need("fish")
        script, _ = self.script("fish")

        def complete(line):
            done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
                                  capture_output=True, text=True, timeout=60, cwd=self.folder)
            return [word.split("\t")[0] for word in done.stdout.splitlines()]

        self.assertEqual(complete("marquee data l"), ["list"])
        self.assertEqual(complete("marquee slurm submit --launcher "), ["mpirun", "srun"])
        self.assertEqual(complete("marquee slurm submit --lau"), ["--launcher"])

    def test_pages_pass_through_formatters_without_a_warning(self):
        tools = [["groff", "-ww", "-man", "-Tutf8"], ["mandoc", "-T", "lint", "-W", "warning"]]
        tools = [tool for tool in tools if shutil.which(tool[0])]
        if not tools:
            self.skipTest("neither groff nor mandoc here")
        folder = self.folder / "man"
        done = subprocess.run([str(MARQUEE), "man", "--out", str(folder)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        pages = sorted(folder.glob("*.1"))
        self.assertIn("marquee-data-list.1", [page.name for page in pages])
        for tool in tools:
            for page in pages:
                shown = subprocess.run([*tool, str(page)], capture_output=True, text=True, timeout=60)
                complaints = shown.stderr if tool[0] == "groff" else shown.stdout
                # Pages have no date: the same program writes the same page on any day.
                complaints = [line for line in complaints.splitlines() if "missing date" not in line]
                self.assertEqual(complaints, [], f"{tool[0]} {page.name}")

    def test_a_page_is_found_or_the_nearest_is_named(self):
        page = subprocess.run([str(MARQUEE), "man", "data", "list"], capture_output=True, text=True, timeout=60)
        self.assertIn(".TH MARQUEE\\-DATA\\-LIST 1", page.stdout)
        page = subprocess.run([str(MARQUEE), "man", "swep"], capture_output=True, text=True, timeout=60)
        self.assertEqual(page.returncode, 2)
        self.assertIn("did you mean 'marquee-sweep'", page.stderr)

    def test_version_tells_what_the_program_is(self):
        said = subprocess.run([str(MARQUEE), "--version"], capture_output=True, text=True, timeout=120).stdout
        for fact in ("marquee ", "compiler", "sqlite", "mpi", "trainer"):
            self.assertIn(fact, said)


if __name__ == "__main__":
    main()
