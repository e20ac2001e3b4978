"""A stranger on a bare Debian: in a root of its own, with nothing installed but what every system has, the first command of
README.md and then docs/tutorial.md, word for word, to its report, images and prompt file. Half an hour, for scripts/soak
alone; needs root, debootstrap and a Debian mirror (the one that this machine's apt uses)."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
SH_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 3 * 3600
# What a newcomer would have set up to reach the network from here.
NETWORK = re.compile(r"^(PIP_\w+|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE)$")


def mirror():
    for file in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        if not file.is_file() or file.suffix not in (".list", ".sources"):
            continue
        for line in file.read_text(errors="replace").splitlines():
            found = re.match(r"URIs: *(\S+/debian)\s*$|deb (?:\[.*?\] )?(\S+/debian) ", line)
            if found:
                return found[1] or found[2]
    return None


class Newcomer(unittest.TestCase):
    def setUp(self):
        if not os.environ.get("MARQUEE_SOAK"):
            self.skipTest("half an hour: scripts/soak newcomer.newcomer_test")
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if shutil.which("debootstrap") is None:
            self.skipTest("no debootstrap here: apt-get install debootstrap")
        if mirror() is None:
            self.skipTest("no Debian mirror in this machine's apt sources")
        self.system = pathlib.Path(tempfile.mkdtemp(prefix="marquee-newcomer-"))
        self.system.chmod(0o755)  # packages run programs as users of their own
        self.mounted = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for place in reversed(self.mounted):
            subprocess.run(["umount", "--lazy", str(place)], check=False)
        if any(os.path.ismount(place) for place in self.mounted):
            return  # never through a mount
        shutil.rmtree(self.system, ignore_errors=True)

    def mount(self, *words):
        place = self.system / words[-1].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *words[:-1], str(place)], check=True)
        subprocess.run(["mount", "--make-rslave", str(place)], check=True)  # its end is nothing to this machine's own
        self.mounted.append(place)

    def make_system(self):
        subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates,git", "bookworm", str(self.system),
                        mirror()], check=True, stdout=subprocess.DEVNULL, timeout=1800)
        # How this machine reaches its mirror and its packages.
        for name in ("/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/etc/ssl/certs", "/usr/local/share/ca-certificates"):
            if pathlib.Path(name).is_dir():
                (self.system / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-a", "--remove-destination", f"{name}/.", str(self.system / name.lstrip("/"))], check=True)
        for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf"):
            if pathlib.Path(name).is_file():
                shutil.copy(name, self.system / name.lstrip("/"))
        self.mount("-t", "proc", "proc", "/proc")
        self.mount("--rbind", "/sys", "/sys")
        self.mount("--rbind", "/dev", "/dev")
        wheels = os.environ.get("PIP_FIND_LINKS", "")
        if wheels.startswith("/") and pathlib.Path(wheels).is_dir():
            self.mount("--bind", wheels, wheels)

    def inside(self, script, where="/root"):
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                       "LANG": "C.UTF-8", **{key: value for key, value in os.environ.items() if NETWORK.match(key)}}
        began = time.monotonic()
        done = subprocess.run(["chroot", str(self.system), "/bin/bash", "-euo", "pipefail", "-c", f"cd {where}\n{script}"],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=LONGEST)
        print(done.stdout[-2000:], f"\n{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        self.assertEqual(0, done.returncode, done.stdout[-4000:])
        return done.stdout

    def test_readme_and_tutorial(self):
        readme = (ROOT / "README.md").read_text()
        command = re.search(r"^(scripts/quickstart)\b", readme, re.MULTILINE)
        self.assertTrue(command, "README.md begins with another command")
        blocks = SH_BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())
        self.assertGreater(len(blocks), 6)
        self.make_system()
        home = self.system / "root" / "marquee"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(home)], check=True)
        self.inside(command[1], "/root/marquee")
        self.inside("\n".join(blocks), "/root/marquee")
        page = (home / "results" / "digits" / "report" / "index.html").read_text()
        self.assertIn("folder/digits", page)
        self.assertIn("data:image/png;base64,", page)
        for name in ("class_3.png", "from_the_file.png"):
            self.assertEqual(b"\x89PNG", (home / name).read_bytes()[:4], name)
        self.assertGreater((home / "digits.safetensors").stat().st_size, 1000)


if __name__ == "__main__":
    unittest.main()
