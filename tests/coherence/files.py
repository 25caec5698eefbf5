# SPDX-License-Identifier: LGPL-3.0-or-later
# files.py -- what a file system has to answer, for linear.py: names, links, blocks of files
"""Operations, their arguments and their answers; an object is "f..." (a file) or "d..." (a directory), whatever its
handle is; "/..." is a directory that is always there:

    lookup dir name                    object, NOENT
    getattr object                     [nlink, size] of a file, "dir"
    read file block                    its value; 0: a hole; END: behind the end (TORN: half of it, which never fits)
    write file block value             OK
    create dir name, mkdir dir name    the new object, EXIST
    rename dir name dir name           OK, NOENT, NOTEMPTY, ...
    unlink, rmdir, remove  dir name    OK, NOENT, NOTEMPTY, ...; remove is NFSv4's, of anything
    link file dir name                 OK, EXIST
    readdir dir                        list of names

STALE or NOENT is the answer to everything about what is gone, even by its name: Ganesha looks that up first, and may
lose the object before it goes on. A file without a name may live on where somebody has it open, so it may be read and
written, but never be told to have a link. Of the errors that apply any may be given.

Ganesha looks at what NFSv3's REMOVE and RMDIR are about before it removes the name, in two steps: what it removes may
be of the other type, if it came there in between. So it does after an MKDIR of a name that was there: if that is gone by then, the
answer is NOENT or STALE. And it answers RENAME with OK, and does nothing, when the old name and then the new one lead to one object, which
somebody else may have renamed in between.

No RFC makes READDIR atomic: each name by itself has to be there, or not, at some moment between call and return;
expand() makes of one READDIR such a question for each name that the history knows.

The object of a CREATE without an answer is known when a LOOKUP finds it; until then it is called "f?..."."""

ROOT = "/"
END, TORN = "END", "TORN"
BLOCK = 8
GONE = frozenset({"STALE", "NOENT"})
MAKES = {"create": "f", "mkdir": "d"}
REMOVES = ("unlink", "rmdir", "remove")
CHANGES = ("write", "rename", "link", *MAKES, *REMOVES)


def is_error(result):
    return isinstance(result, str) and result.isupper() and result not in ("OK", END)


class Tree:
    """names: (directory, name) to object; data: (file, block) to value. Never changed."""

    __slots__ = ("names", "data", "key", "hash")

    def __init__(self, names, data):
        self.names, self.data = names, data
        self.key = frozenset(names.items()), frozenset(data.items())
        self.hash = hash(self.key)

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        return self is other or self.hash == other.hash and self.key == other.key

    def with_names(self, changes):
        """changes: (directory, name) to object or None. What a file that goes contains is forgotten."""
        names = {place: thing for place, thing in {**self.names, **changes}.items() if thing}
        there = set(names.values())
        return Tree(names, {place: value for place, value in self.data.items() if place[0] in there})

    def with_block(self, file, block, value):
        return Tree(self.names, {**self.data, (file, block): value})

    def renamed(self, thing, new):
        """With another name for an object itself."""
        def other(one):
            return new if one == thing else one
        return Tree({(other(directory), name): other(one) for (directory, name), one in self.names.items()},
                    {(other(file), block): value for (file, block), value in self.data.items()})

    def has(self, thing):
        return thing.startswith(ROOT) or thing in self.names.values()

    def links(self, file):
        return sum(thing == file for thing in self.names.values())

    def size(self, file):
        return max((block + 1 for one, block in self.data if one == file), default=0) * BLOCK

    def empty(self, directory):
        return all(where != directory for where, _ in self.names)

    def above(self, directory):
        """The directory itself and all above it."""
        while directory:
            yield directory
            directory = next((where for (where, _), thing in self.names.items() if thing == directory), None)


def missing(tree, *directories):
    return GONE if any(not tree.has(directory) for directory in directories) else frozenset()


def overlap(one, other):
    return one is not other and one.call < other.ret and other.call < one.ret


def to_name(op):
    """The name that is given to something that has another one."""
    return op.args[-2:] if op.kind in ("rename", "link") and op.result in ("OK", None) else None


def is_dir(thing):
    return thing.startswith(("d", ROOT))


# Each takes a state and an operation and returns the errors that it may give, and the state after success (None: it
# can't succeed, or not with this answer).


def lookup(tree, op):
    found = tree.names.get(op.args)
    if found and found[1] == "?" and op.result[0] == found[0] and not tree.has(op.result):
        return frozenset(), tree.renamed(found, op.result)
    if found:
        return frozenset(), tree if op.result == found else None
    return GONE, None


def getattr_(tree, op):
    thing, = op.args
    if not tree.has(thing):
        return GONE, tree if thing[0] == "f" and isinstance(op.result, list) and op.result[0] == 0 else None
    right = "dir" if is_dir(thing) else [tree.links(thing), tree.size(thing)]
    return frozenset(), tree if op.result == right else None


def read(tree, op):
    file, block = op.args
    if not tree.has(file):
        return GONE, tree
    value = tree.data.get((file, block), 0 if block * BLOCK < tree.size(file) else END)
    return frozenset(), tree if op.result == value else None


def write(tree, op):
    file, block, value = op.args
    if not tree.has(file):
        return GONE, tree
    return frozenset(), tree.with_block(file, block, value)


def make(tree, op):
    directory, name = op.args
    errors = missing(tree, directory)
    if (directory, name) in tree.names:
        errors |= {"EXIST", "ISDIR"} if is_dir(tree.names[directory, name]) else {"EXIST"}
        errors |= GONE if op.kind == "mkdir" else frozenset()
    new = op.result or f"{MAKES[op.kind]}?{op.call}"
    return errors, tree.with_names({(directory, name): new}) if not errors and not tree.has(new) else None


def rename(tree, op):
    old, new = op.args[:2], op.args[2:]
    errors = missing(tree, old[0], new[0])
    source, target = tree.names.get(old), tree.names.get(new)
    if not source:
        return errors | GONE, None
    if is_dir(source) and source in tree.above(new[0]):
        errors |= {"INVAL"}
    if target and is_dir(source) != is_dir(target):
        errors |= {"EXIST", "ISDIR", "NOTDIR"}
    if target and target != source and is_dir(target) and not tree.empty(target):
        errors |= {"NOTEMPTY", "EXIST"}
    if errors or source == target:
        return errors, None if errors else tree
    return errors, tree.with_names({old: None, new: source})


def renamed(tree, op):
    """A RENAME during which somebody else gave the new name to something."""
    source, target = tree.names.get(op.args[:2]), tree.names.get(op.args[2:])
    return rename(tree, op) if source or not target else (GONE, tree)


def remove(tree, op):
    found = tree.names.get(op.args)
    if not found:
        return GONE, None
    full = is_dir(found) and not tree.empty(found)
    errors = {"NOTEMPTY", "EXIST"} if full else frozenset()
    if op.kind != "remove" and is_dir(found) != (op.kind == "rmdir"):
        errors |= {"ISDIR"} if is_dir(found) else {"NOTDIR"}
    return errors, None if full else tree.with_names({op.args: None})


def link(tree, op):
    file, directory, name = op.args
    errors = missing(tree, directory, file)
    if (directory, name) in tree.names:
        errors |= {"EXIST"}
    return errors, None if errors else tree.with_names({(directory, name): file})


def listed(tree, op):
    return frozenset(), tree if op.result == (op.args in tree.names) else None


def readdir(tree, op):
    """What is left of it by expand(): the error of a directory that is gone."""
    return missing(tree, *op.args), None


STEPS = {"lookup": lookup, "getattr": getattr_, "read": read, "write": write, "rename": rename, "renamed": renamed,
         "link": link, "listed": listed, "readdir": readdir, **dict.fromkeys(MAKES, make), **dict.fromkeys(REMOVES, remove)}


class Files:
    """linear.py's model; at first there are the directories "/..." with nothing in them."""

    initial = Tree({}, {})

    @staticmethod
    def step(tree, op):
        errors, after = STEPS[op.kind](tree, op)
        if op.result is None:
            return after or tree
        if is_error(op.result):
            return tree if op.result in errors else None
        return after

    @staticmethod
    def changes(op):
        return op.kind in (*CHANGES, "renamed") and not is_error(op.result)

    @staticmethod
    def telling(operations):
        """LOOKUPs that tell the object of a CREATE without an answer."""
        made = {op.result for op in operations if op.kind in MAKES}
        return {op for op in operations if op.kind == "lookup" and not is_error(op.result) and op.result not in made}

    @staticmethod
    def visible(operations):
        """Nobody sees a WRITE to a file at which nobody looks."""
        looked = {op.args[0] for op in operations if op.kind in ("getattr", "read")}
        return [op for op in operations if op.kind != "write" or op.args[0] in looked]

    @staticmethod
    def footprint(op):
        """Names by their directory, and objects; the directories that are always there are nobody's."""
        places = {op.args[:2]} if op.kind in ("lookup", "listed", *MAKES, *REMOVES) else set()
        if op.kind in ("rename", "renamed"):
            places = {op.args[:2], op.args[2:]}
        if op.kind == "link":
            places = {op.args[1:]}
        things = {directory for directory, _ in places if not directory.startswith(ROOT)}
        if op.kind in ("getattr", "read", "write", "link", "readdir"):
            things.add(op.args[0])
        if op.kind in ("lookup", *MAKES) and op.result and not is_error(op.result):
            things.add(op.result)
        return places | things

    @staticmethod
    def expand(history):
        known = sorted({place for op in history for place in Files.footprint(op) if isinstance(place, tuple)})
        operations = []
        for op in history:
            if op.kind == "readdir" and isinstance(op.result, list):
                operations += [op.changed(kind="listed", args=place, result=place[1] in op.result)
                               for place in known if place[0] == op.args[0]]
            elif op.kind == "rename" and any(overlap(op, other) and to_name(other) == op.args[2:] for other in history):
                operations.append(op.changed(kind="renamed"))
            else:
                operations.append(op)
        return operations
