#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# ganesha-headers.py -- fetches the headers of a Debian version of nfs-ganesha by apt, without touching /etc
"""
usage: ganesha-headers.py VERSION DESTINATION

apt verifies the archive's signature and, through it, the source tarball's checksum. It works with a list of
sources of its own, derived from the host's: Debian's own archives only, source packages only, Debian's key
only. DESTINATION appears at once and complete, so that several builds may share the folder it is in.
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGE = "nfs-ganesha"
WANTED = re.compile(r"[^/]+/(src/include/.*|src/CMakeLists\.txt|src/LICENSE\.txt)$")


class Failure(Exception):
    """Something the user has to see, with its remedy."""


def is_debian(uri, components):
    """Whether this looks like Debian's own archive or a mirror of it; that it is, its signature shows."""
    parts = urllib.parse.urlsplit(uri)
    host = parts.hostname or ""
    if host == "debian.org" or host.endswith(".debian.org"):
        return True
    last = parts.path.rstrip("/").rpartition("/")[2]
    return last in ("debian", "debian-security") and "main" in components and parts.scheme != "cdrom"


def one_line(text):
    """Yields (uri, suite, components) of a sources.list."""
    for line in text.splitlines():
        match = re.match(r"\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?([^\s#]+)\s+([^\s#]+)([^#]*)", line)
        if match:
            yield match[1], match[2], match[3].split()


def deb822(text):
    """Yields (uri, suite, components) of a .sources file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            match[1].lower(): match[2].split()
            for match in re.finditer(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.M)
        }
        if fields.get("enabled", ["yes"])[0].lower() in ("no", "false", "0", "off"):
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield uri, suite, fields.get("components", [])


def host_sources():
    """The host's entries, as apt would read them."""
    entries = []
    etc = pathlib.Path("/etc/apt")
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        parse = deb822 if path.suffix == ".sources" else one_line
        entries += parse(path.read_text(encoding="utf-8", errors="replace"))
    return entries


def source_list(entries):
    """The private list's lines."""
    signed = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
    lines = {}
    for uri, suite, components in entries:
        if not suite.endswith("/") and is_debian(uri, components):
            lines[f"deb-src {signed}{uri} {suite} main"] = None
    return list(lines)


def apt(work, *arguments):
    """Runs apt-get with everything it reads and writes, but its settings, below `work`."""
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::AllowInsecureRepositories": "false",
        "APT::Get::AllowUnauthenticated": "false",
        # The build folder need not be readable for apt's own user.
        "APT::Sandbox::User": "root",
    }
    command = ["apt-get", "-q", "-c", str(work / "apt.conf")]
    for key, value in options.items():
        command += ["-o", f"{key}={value}"]
    return subprocess.run(
        [*command, *arguments],
        cwd=work,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def fetch(version, work):
    """Downloads the upstream tarball of the package's version into `work`; returns its path."""
    if not shutil.which("apt-get"):
        raise Failure("apt-get isn't there: this is no Debian system.")
    lines = source_list(host_sources())
    if not lines:
        raise Failure(
            "/etc/apt/sources.list and /etc/apt/sources.list.d name no Debian archive to fetch from. "
            "Add the one nfs-ganesha was installed from."
        )
    (work / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # The host's hooks are about the host's lists and caches, not about these.
    (work / "apt.conf").write_text(
        "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n"
        "#clear APT::Update::Post-Invoke-Success;\n",
        encoding="utf-8",
    )
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)

    update = apt(work, "update")
    # Only the upstream tarball: the packaging isn't needed, and not in every archive's mirror.
    source = apt(work, "source", "--download-only", "--tar-only", f"{PACKAGE}={version}")
    tarballs = sorted(work.glob(f"{PACKAGE}_*.orig.tar.*"))
    if source.returncode or not tarballs:
        raise Failure(
            f"{update.stdout}{source.stdout}\n"
            f"apt-get could not fetch the source package {PACKAGE}={version} from:\n  "
            + "\n  ".join(lines)
            + "\nIf the archive is unreachable, check network and proxy; if it no longer has this version, "
            f"upgrade {PACKAGE} to the one it has."
        )
    return tarballs[0]


def unpack(tarball, destination):
    """Unpacks what is wanted, without the tarball's top folder."""
    with tarfile.open(tarball) as archive:
        members = []
        for member in archive.getmembers():
            match = WANTED.match(member.name)
            if match and member.isfile() and ".." not in member.name.split("/"):
                member.name = match[1]
                members.append(member)
        archive.extractall(destination, members)
    if not (destination / "src/include/fsal_api.h").exists():
        raise Failure(f"{tarball.name} has no src/include/fsal_api.h: not the sources of {PACKAGE}.")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    version, destination = sys.argv[1], pathlib.Path(sys.argv[2]).absolute()
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with open(destination.parent / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if destination.exists():
                return
            with tempfile.TemporaryDirectory(dir=destination.parent, prefix="fetch-") as name:
                work = pathlib.Path(name)
                unpack(fetch(version, work), work / "tree")
                (work / "tree").rename(destination)
    except (Failure, OSError, subprocess.TimeoutExpired, tarfile.TarError) as error:
        sys.exit(f"ganesha-headers.py: {error}")


if __name__ == "__main__":
    main()
