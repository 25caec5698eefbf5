# SPDX-License-Identifier: LGPL-3.0-or-later
# results.py -- medians, spreads and ratios of what was measured, and tables of them (tests/bench/run)
"""An entry is what one target did in one workload, over all rounds; a ratio compares the medians of two entries."""

import statistics

from clusters import AGAINST, say

# Each is compared with all that come before it. What is compared to another build comes after it.
ORDER = ["vfs", "proxy_v4", AGAINST, "rdmaxfer", "inline", "shm"]
GIB = 1024 ** 3


def latency(run):
    return run["lat_us"]["mean"]


def cpu_per_gib(run):
    """Of all servers; None: it isn't measured there."""
    return run["cpu_seconds"] * GIB / run["bytes"] if run.get("bytes") else None


def summary(values):
    if None in values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values}


def entry(target, nfs, workload, runs):
    return {
        "target": target, "nfs": nfs, "workload": workload.name, "unit": workload.unit,
        "rate": summary([run[workload.unit] for run in runs]),
        "latency_us": summary([latency(run) for run in runs]),
        "latency_p99_us": summary([run["lat_us"]["p99"] for run in runs]),
        "cpu_seconds_per_gib": summary([cpu_per_gib(run) for run in runs]),
        "delays": sum(run["delays"] for run in runs),
    }


def entries_of(targets, parts):
    return [entry(one.cluster.name, one.nfs, part, one.runs[part.name]) for part in parts for one in targets]


def ratio(one, base, metric):
    """Of medians; None where there is none."""
    above, below = one[metric], base[metric]
    return above["median"] / below["median"] if above and below and below["median"] else None


def pairs(entries):
    """What is compared with what: the same workload by the same version of NFS on another target."""
    return [
        (one, base) for base_name in ORDER for one in entries for base in entries
        if base["target"] == base_name and ORDER.index(one["target"]) > ORDER.index(base_name)
        and (one["workload"], one["nfs"]) == (base["workload"], base["nfs"])
    ]


def ratios_of(entries):
    """Rates: above 1 is better than the base; latencies and processor time: below."""
    names = list(dict.fromkeys(one["workload"] for one in entries))
    return [
        {
            "workload": one["workload"], "target": one["target"], "nfs": one["nfs"], "base": base["target"],
            "rate": ratio(one, base, "rate"), "latency": ratio(one, base, "latency_us"),
            "cpu": ratio(one, base, "cpu_seconds_per_gib"),
        }
        for one, base in sorted(pairs(entries), key=lambda pair: names.index(pair[0]["workload"]))
    ]


def relative(entries, base_name="vfs"):
    """Rates as parts of the base's median, by version of NFS, target and workload: (median, min, max)."""
    bases = {(one["nfs"], one["workload"]): one["rate"]["median"] for one in entries if one["target"] == base_name}
    found = {}
    for one in entries:
        base = bases.get((one["nfs"], one["workload"]))
        if base:
            of_target = found.setdefault(one["nfs"], {}).setdefault(one["target"], {})
            of_target[one["workload"]] = tuple(one["rate"][which] / base for which in ("median", "min", "max"))
    return found


# --- tables ------------------------------------------------------------------------------------------


def cell(value, form):
    return format(value, form) if value is not None else "-"


def print_entries(entries):
    say(f"\n{'workload':<22} {'target':<12} {'median':>9} {'unit':<9} {'min':>9} {'max':>9} "
        f"{'latency us':>10} {'p99':>9} {'CPU s/GiB':>9}")
    for one in entries:
        cpu = one["cpu_seconds_per_gib"]
        say(f"{one['workload']:<22} {one['target'] + ' v' + str(one['nfs']):<12} {one['rate']['median']:9.1f} "
            f"{one['unit']:<9} {one['rate']['min']:9.1f} {one['rate']['max']:9.1f} "
            f"{one['latency_us']['median']:10.1f} {one['latency_p99_us']['median']:9.1f} "
            f"{cell(cpu and cpu['median'], '.2f'):>9}")


def print_ratios(ratios):
    if not ratios:
        return
    say(f"\n{'workload':<22} {'ratio of medians':<24} {'rate':>6} {'latency':>8} {'CPU':>6}")
    for one in ratios:
        rate, late, cpu = (cell(one[name], ".2f") for name in ("rate", "latency", "cpu"))
        who = f"{one['target']} / {one['base']} v{one['nfs']}"
        say(f"{one['workload']:<22} {who:<24} {rate:>6} {late:>8} {cpu:>6}")
