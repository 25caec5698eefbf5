# SPDX-License-Identifier: LGPL-3.0-or-later
# options.py -- what benchmarks' command lines have in common
import argparse


def some(text, known, what):
    chosen = text.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is no {what}: there are {', '.join(known)}")
    return [name for name in known if name in chosen]


def assignment(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text} isn't NAME=VALUE")
    return name, value
