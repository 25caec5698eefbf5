# SPDX-License-Identifier: LGPL-3.0-or-later
# machine.py -- where something was measured (tests/bench/run)
import os
import platform
import re

KIB_PER_GIB = 1024 ** 2


def field(path, name):
    """The first such line's value, in files of /proc."""
    with open(path, encoding="utf-8") as file:
        found = re.search(rf"^{name}\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return found.group(1) if found else "unknown"


def machine():
    return {
        "cpu": field("/proc/cpuinfo", "model name"), "processors": os.cpu_count(), "kernel": platform.release(),
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / KIB_PER_GIB, 1),
    }
