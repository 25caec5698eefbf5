# SPDX-License-Identifier: LGPL-3.0-or-later
# suite.py -- the registry of tests, what a test may expect, and running them
"""A test is a function with a code, flags, and the sentences of RFCs that it checks:

    @test("LOOK1", "v3 lookup", cites=[("RFC 1813 3.3.3", "NFS3ERR_NOENT ...")], depends=["MKDIR1"])
    def lookup_of_nothing(env):
        "LOOKUP of a name that isn't there"

Exactly one of its flags is a version (v3, v40, v41, v42) and chooses the class of `env`. It gets an env of its own: a fresh
connection, and a directory env.home that nobody else uses. All that it learns has to come from replies or through
env.tape.value(), names must not be random: then it can be repeated from a recording."""

import base64
import gzip
import json
import time

from rpc import RpcError, Tape
from xdr import XdrError

VERSIONS = ("v3", "v40", "v41", "v42")
TESTS = {}
ENVIRONMENTS = {}


class Failed(Exception):
    """A test's expectation doesn't hold. `status` is the failing status, where it is about one."""

    def __init__(self, text, status=""):
        super().__init__(text)
        self.status = status


class Test:
    def __init__(self, code, function, flags, cites, depends):
        self.code, self.function, self.flags, self.cites, self.depends = code, function, flags, cites, depends
        self.title = (function.__doc__ or "").strip()
        self.version = next(version for version in VERSIONS if version in flags)


def test(code, flags, *, cites, depends=()):
    """Registers a test. cites: (document and section, sentence) pairs, at least one."""
    def register(function):
        words = flags.split()
        if code in TESTS or not cites or not function.__doc__ or sum(word in VERSIONS for word in words) != 1:
            raise ValueError(f"{code}: the code is taken, or a sentence, a title or a version is missing")
        TESTS[code] = Test(code, function, words, list(cites), list(depends))
        return function
    return register


def environment(*versions):
    """Registers a class for tests of these versions."""
    def register(kind):
        for version in versions:
            ENVIRONMENTS[version] = kind
        return kind
    return register


class Environment:
    """What a test acts through. Subclasses speak a version of NFS.

    open(self)            connects
    prepare(self)         makes self.base, a directory that all tests of a run share; on the run's first connection
    begin(self, code)     makes self.home in self.base
    tidy(self)            removes self.base and what is in it
    close(self)           ends connections, never fails"""

    def __init__(self, target, version, tape):
        self.target, self.version, self.tape = target, version, tape

    def now(self):
        """The client's time in seconds."""
        return self.tape.value(time.time)

    def sleep(self, seconds):
        if not self.tape.replaying:
            time.sleep(seconds)


class Target:
    """server, NFS port, MOUNT port, export's path; and the name of the run's directory."""

    def __init__(self, server, port, mount_port, export, name):
        self.server, self.port, self.mount_port, self.export, self.name = server, port, mount_port, export, name


def expect(enum, got, *names):
    """The status has to be one of these."""
    if enum.name(got) not in names:
        raise Failed(f"{enum.name(got)} instead of {' or '.join(names)}", enum.name(got))


def equal(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what} is {got!r} instead of {wanted!r}")


def that(holds, text):
    if not holds:
        raise Failed(text)


def expect_rpc(name, call, *args, **kwargs):
    """The call has to be answered by this RPC error (or one of several, with blanks between)."""
    try:
        call(*args, **kwargs)
    except RpcError as problem:
        if problem.what in name.split():
            return
        raise Failed(f"{problem} instead of {name}", problem.what) from problem
    raise Failed(f"the call is answered instead of {name}", "SUCCESS")


class Result:
    """outcome: pass, fail or skip; status: what a failing operation answered."""

    def __init__(self, code, outcome, status="", text="", seconds=0.0):
        self.code, self.outcome, self.status, self.text, self.seconds = code, outcome, status, text, seconds

    def json(self):
        return dict(self.__dict__, title=TESTS[self.code].title, flags=TESTS[self.code].flags, cites=TESTS[self.code].cites)


def run_test(code, target, tape, prepared):
    """Runs one test on a tape. `prepared` is what prepare() of its version returned."""
    case = TESTS[code]
    env = ENVIRONMENTS[case.version](target, case.version, tape)
    started = time.monotonic()
    try:
        env.base = prepared
        env.open()
        env.begin(code)
        case.function(env)
        if tape.replaying and tape.at != len(tape.entries):
            raise Failed("fewer calls than were recorded")
        outcome = Result(code, "pass")
    except Failed as problem:
        outcome = Result(code, "fail", problem.status, str(problem))
    except RpcError as problem:
        outcome = Result(code, "fail", problem.what, str(problem))
    except XdrError as problem:
        outcome = Result(code, "fail", "XDR", f"the answer can't be decoded: {problem}")
    except OSError as problem:
        outcome = Result(code, "fail", "CONNECTION", str(problem))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as problem:
        outcome = Result(code, "fail", "ANSWER", f"the answer lacks something: {type(problem).__name__}: {problem}")
    finally:
        env.close()
    outcome.seconds = time.monotonic() - started
    return outcome


def select(words):
    """The codes of tests that words (codes, flags, or either behind "no") choose, dependencies first."""
    flags = {flag for case in TESTS.values() for flag in case.flags}
    wanted, refused = set(), set()
    for word in words:
        if word in TESTS:
            wanted.add(word)
        elif word in flags:
            wanted.update(code for code, case in TESTS.items() if word in case.flags)
        elif word.startswith("no") and (word[2:] in flags or word[2:] in TESTS):
            refused.update(code for code, case in TESTS.items() if word[2:] in case.flags or code == word[2:])
        else:
            raise KeyError(word)
    if not wanted:
        wanted = set(TESTS)
    order = []

    def visit(code):
        if code not in order:
            for needed in TESTS[code].depends:
                visit(needed)
            order.append(code)
    for code in TESTS:
        if code in wanted - refused:
            visit(code)
    return order


class Recording:
    """The tapes of a run, by test; and what is needed to play them again."""

    def __init__(self, target):
        self.target = target
        self.prepared = {}
        self.tapes = {}

    def save(self, path):
        def entry(item):
            if item[0] == "value":
                return list(item)
            return [*item[:3], None if item[3] is None else base64.b64encode(item[3]).decode()]
        tapes = {code: [entry(item) for item in tape.entries] for code, tape in self.tapes.items()}
        data = {"target": self.target.__dict__, "tapes": tapes,
                "prepared": {version: base64.b64encode(base).decode() for version, base in self.prepared.items()}}
        with gzip.open(path, "wt") as file:
            json.dump(data, file)

    @classmethod
    def load(cls, path):
        with gzip.open(path, "rt") as file:
            data = json.load(file)
        recording = cls(Target(**data["target"]))
        recording.prepared = {version: base64.b64decode(base) for version, base in data["prepared"].items()}
        for code, entries in data["tapes"].items():
            recording.tapes[code] = Tape([tuple(item) if item[0] == "value" else
                                          (*item[:3], None if item[3] is None else base64.b64decode(item[3]))
                                          for item in entries])
        return recording


def run_all(codes, target, report):
    """Runs tests in order against a server; report(Result) after each. Returns the recording."""
    recording = Recording(target)
    outcomes = {}
    for version in VERSIONS:
        if not any(TESTS[code].version == version for code in codes):
            continue
        env = ENVIRONMENTS[version](target, version, Tape())
        env.open()
        recording.prepared[version] = env.prepare()
        env.close()
    for code in codes:
        missing = [needed for needed in TESTS[code].depends if outcomes.get(needed) != "pass"]
        if missing:
            result = Result(code, "skip", text=f"{', '.join(missing)} didn't pass")
        else:
            tape = Tape()
            result = run_test(code, target, tape, recording.prepared[TESTS[code].version])
            if result.outcome == "pass":
                recording.tapes[code] = tape
        outcomes[code] = result.outcome
        report(result)
    for version, base in recording.prepared.items():
        env = ENVIRONMENTS[version](target, version, Tape())
        env.base = base
        try:
            env.open()
            env.tidy()
        finally:
            env.close()
    return recording
