"""What a power cut could leave: reads the log of shim/storage_shim.c and rebuilds the folder as it might be
found after the machine stopped at any record.

The model is the pessimistic one of POSIX: bytes are durable once their file was synced, a name (made, renamed,
removed) once its folder was. What was not synced may be there or not, each thing for itself:

  synced   nothing that was not synced is there
  names    every name is there, of the bytes only the synced ones: a file renamed before its sync is empty or old
  sizes    as `names`, and files have their last size, with zeros where bytes were not synced
  mixed    by chance: of each folder's changes the first few, of each file's writes any 512-byte sectors
  all      everything: the processes were killed and the machine lived on
"""

import pathlib
import random
import shutil

VARIANTS = ("synced", "names", "sizes", "mixed", "all")
SECTOR = 512


class Record:
    """One line of the log. Kinds: C made or emptied, W written, T cut, S synced, P sync swallowed, D folder synced,
    Q folder's sync swallowed, R renamed, U removed, M folder made, L linked."""

    def __init__(self, kind, pid, inode, offset, path, data):
        self.kind, self.pid, self.inode, self.offset, self.path, self.data = kind, pid, inode, offset, path, data

    def __str__(self):
        return f"{self.kind} {self.path} {self.offset} +{len(self.data)}"


def read_log(path):
    content, at, records = pathlib.Path(path).read_bytes(), 0, []
    while at < len(content):
        end = content.index(b"\n", at)
        kind, pid, inode, offset, path_bytes, data_bytes = content[at:end].split()
        begin = end + 1
        middle = begin + int(path_bytes)
        at = middle + int(data_bytes)
        records.append(Record(kind.decode(), int(pid), int(inode), int(offset), content[begin:middle].decode(),
                              content[middle:at]))
    return records


def put(content, offset, data):
    """`data` at `offset` of the bytearray; a gap becomes zeros."""
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


class File:
    def __init__(self):
        self.now = bytearray()  # as every process sees it
        self.synced = b""
        self.pending = []       # (offset, data), or (size, None) for a cut, since the last sync

    def write(self, offset, data):
        put(self.now, offset, data)
        self.pending.append((offset, data))

    def cut(self, size):
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))
        self.pending.append((size, None))

    def sync(self):
        self.synced, self.pending = bytes(self.now), []

    def after_cut(self, variant, chance):
        if variant == "all":
            return bytes(self.now)
        if variant == "sizes":
            return self.synced[:len(self.now)].ljust(len(self.now), b"\0")
        if variant != "mixed":
            return self.synced
        content = bytearray(self.synced)
        for offset, data in self.pending:
            if data is None:
                if chance.random() < 0.5:
                    del content[offset:]
                    content.extend(bytes(offset - len(content)))
                continue
            at = offset
            while at < offset + len(data):
                end = min((at // SECTOR + 1) * SECTOR, offset + len(data))
                if chance.random() < 0.5:
                    put(content, at, data[at - offset:end - offset])
                at = end
        return bytes(content)


def parent(path):
    return path.rsplit("/", 1)[0]


FOLDER = "folder"


class Disk:
    """The files below `root` as of the records applied so far: what processes see, and what is durable."""

    def __init__(self, root):
        self.root = str(root)
        self.names, self.durable = {self.root: FOLDER}, {self.root: FOLDER}  # path -> File or FOLDER
        self.pending = {}  # folder -> changes of its names since its last sync: (path, what it names or None)
        self.inodes = {}   # number -> File, of files that have a name
        self.number = {}   # the other way round, by id()

    def apply(self, record):
        kind, path = record.kind, record.path
        if kind in "CWT":
            file = self._file(record)
            if kind == "W":
                file.write(record.offset, record.data)
            elif kind == "T" or record.offset:
                file.cut(record.offset if kind == "T" else 0)
        elif kind == "S":
            self._file(record).sync()
        elif kind == "D":
            for name, what in self.pending.pop(path, []):
                self._set(self.durable, name, what)
        elif kind == "M":
            self._change(path, FOLDER)
        elif kind == "U":
            self._change(path, None)
        elif kind in "RL":
            to = record.data.decode()
            moved = self.names.get(path)
            if moved is None:
                return
            if moved is FOLDER:
                raise NotImplementedError(f"a folder was renamed: {path}")
            self._change(to, moved)
            if kind == "R":
                self._change(path, None, forget=False)

    def _file(self, record):
        """The file with the record's inode; its first record is where it was made."""
        file = self.inodes.get(record.inode)
        if file is None or self.names.get(record.path) is not file:
            known = self.names.get(record.path)
            if file is not None and known is None:
                return file  # renamed by another process between the call and its record
            file = File()
            self.inodes[record.inode] = file
            self.number[id(file)] = record.inode
            self._change(record.path, file)
        return file

    def _change(self, path, what, forget=True):
        before = self.names.get(path)
        self._set(self.names, path, what)
        self.pending.setdefault(parent(path), []).append((path, what))
        if forget and isinstance(before, File) and before is not what and before not in self.names.values():
            self.inodes.pop(self.number.get(id(before)), None)  # the number may be given again

    @staticmethod
    def _set(names, path, what):
        if what is None:
            names.pop(path, None)
        else:
            names[path] = what

    def after_cut(self, variant, seed=0):
        """{path: bytes, or None for a folder}, relative to the root."""
        chance = random.Random(seed)
        if variant == "synced":
            names = self.durable
        elif variant == "mixed":
            names = dict(self.durable)
            for _, changes in sorted(self.pending.items()):
                for path, what in changes[:chance.randint(0, len(changes))]:
                    self._set(names, path, what)
        else:
            names = self.names
        left = {}
        for path, what in sorted(names.items()):
            inside, above = path != self.root, parent(path)
            while inside and above != self.root:  # a folder without a name has lost what was in it
                inside, above = names.get(above) is FOLDER, parent(above)
            if inside:
                left[path[len(self.root) + 1:]] = None if what is FOLDER else what.after_cut(variant, chance)
        return left


def write_out(state, folder):
    """Makes `folder` anew with the files of `state`."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in state.items():
        path = folder / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def cut_points(count, wanted):
    """At most `wanted` numbers of applied records from 0 to `count`, evenly chosen, both ends among them."""
    if count + 1 <= wanted:
        return list(range(count + 1))
    return sorted({round(i * count / (wanted - 1)) for i in range(wanted)})
