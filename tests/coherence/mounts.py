# SPDX-License-Identifier: LGPL-3.0-or-later
# mounts.py -- plain|uncached DIRECTORY DIRECTORY: what is done in one mount of a directory is seen in the other
"""Each check has a name and does many rounds: it changes something by way of one mount and looks by way of the other,
in turns. Between changes it looks, too, so that there is something old to be cached.

On plain mounts: close-to-open, what is read after an open is what was written before the last close. On mounts that
cache neither attributes nor names: everything, at once. Prints a line per check; exits with 1 if anything was old."""
import os
import sys
import time

ROUNDS = 20
TICK_SECONDS = 0.02  # files' times are no finer; a change of the same size within one can't be seen by them


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text, mode="w"):
    with open(path, mode, encoding="ascii") as file:
        file.write(text)


def rewritten(here, there, number):
    time.sleep(TICK_SECONDS)
    write(f"{here}/file", f"{number}")
    return read(f"{there}/file") == f"{number}"


def appended(here, there, number):
    before = read(f"{here}/log") if number else ""
    write(f"{here}/log", f"{number}\n", "a")
    return read(f"{there}/log") == f"{before}{number}\n"


def shortened(here, there, number):
    write(f"{here}/short", f"{number:03}" * 100)
    old = read(f"{there}/short")
    os.truncate(f"{here}/short", 3)
    return (old, read(f"{there}/short")) == (f"{number:03}" * 100, f"{number:03}")


def created(here, there, number):
    path = f"created-{number}"
    missing = not os.path.exists(f"{there}/{path}")
    write(f"{here}/{path}", "")
    return missing and os.path.exists(f"{there}/{path}") and path in os.listdir(there)


def unlinked(here, there, number):
    path = f"unlinked-{number}"
    write(f"{here}/{path}", "")
    found = os.path.exists(f"{there}/{path}")
    os.unlink(f"{here}/{path}")
    return found and not os.path.exists(f"{there}/{path}") and path not in os.listdir(there)


def renamed(here, there, number):
    old, new = f"old-{number}", f"new-{number}"
    write(f"{here}/{old}", old)
    found = read(f"{there}/{old}"), os.path.exists(f"{there}/{new}")
    os.rename(f"{here}/{old}", f"{here}/{new}")
    return found == (old, False) and not os.path.exists(f"{there}/{old}") and read(f"{there}/{new}") == old


def replaced(here, there, number):
    write(f"{here}/next", f"{number}")
    if number:
        read(f"{there}/target")
    os.rename(f"{here}/next", f"{here}/target")
    return read(f"{there}/target") == f"{number}"


def remade(here, there, number):
    """A directory with a name that was another's."""
    path, listings = f"dir-{number}", []
    for inside in ("old", "new"):
        os.makedirs(f"{here}/{path}/{inside}")
        listings += os.listdir(f"{there}/{path}")
        os.rmdir(f"{here}/{path}/{inside}")
        listings += os.listdir(f"{there}/{path}")
        os.rmdir(f"{here}/{path}")
        listings += [os.path.exists(f"{there}/{path}")]
    return listings == ["old", False, "new", False]


def linked(here, there, number):
    if number == 0:
        write(f"{here}/links", "")
    before = os.stat(f"{there}/links").st_nlink
    os.link(f"{here}/links", f"{here}/link-{number}")
    return (before, os.stat(f"{there}/links").st_nlink) == (number + 1, number + 2)


def restricted(here, there, number):
    if number == 0:
        write(f"{here}/mode", "")
    os.chmod(f"{here}/mode", 0o600 | number)
    return os.stat(f"{there}/mode").st_mode & 0o777 == 0o600 | number


CONTENTS = (rewritten, appended, shortened)
CHECKS = {"plain": CONTENTS,
          "uncached": (*CONTENTS, created, unlinked, renamed, replaced, remade, linked, restricted)}


def failures(check, mounts):
    """The rounds whose changes weren't seen, with what is known of them."""
    for number in range(ROUNDS):
        try:
            if not check(*mounts[::1 if number % 2 else -1], number):
                yield f"round {number}"
        except OSError as problem:
            yield f"round {number}: {problem}"


def main():
    mode, *mounts = sys.argv[1:]
    wrong = 0
    for check in CHECKS[mode]:
        failed = list(failures(check, mounts))
        print(f"what is {check.__name__} is seen" if not failed else
              f"FAILED: what is {check.__name__} isn't seen in {len(failed)} of {ROUNDS} rounds, first in {failed[0]}",
              flush=True)
        wrong += len(failed)
    return 1 if wrong else 0


sys.exit(main())
