#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# exports.py -- libxfer.so exports what its headers declare, no more and no less
"""usage: exports.py LIBXFER_SO   (XFER_SOURCE_DIR: the source tree)"""

import os
import pathlib
import re
import subprocess
import sys


def declared(header):
    """The functions that the header declares and doesn't define itself."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
    return set(re.findall(r"^(?!static )[a-z][^;{}()#]*?\b(xfer_\w+)\(", text, re.M))


def exported(library):
    """The symbols that the library offers to others."""
    output = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    symbols = (line.split() for line in output.splitlines())
    return {name.partition("@")[0] for *_, kind, name in symbols if kind != "A"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = pathlib.Path(os.environ["XFER_SOURCE_DIR"])
    headers = source / "libxfer/include/xfer"
    wanted = set().union(*(declared(headers / name) for name in ("xfer.h", "tls.h")))
    present = exported(sys.argv[1])
    for name in sorted(wanted - present):
        print(f"{name}: declared, but not exported: define it and name it in libxfer.map")
    for name in sorted(present - wanted):
        print(f"{name}: exported, but not declared: take it out of libxfer.map")
    print(f"{len(wanted)} functions declared, {len(present)} symbols exported")
    sys.exit(0 if wanted and wanted == present else 1)


if __name__ == "__main__":
    main()
