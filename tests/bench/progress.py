# SPDX-License-Identifier: LGPL-3.0-or-later
# progress.py -- how much is done, and about how long the rest takes (tests/bench/run)


class Progress:
    """Steps of several kinds. Those of one kind take about equally long, a kind that is still unknown as others do."""

    def __init__(self, kinds):
        self.left, self.total, self.took = list(kinds), len(kinds), {}

    def done(self, kind, seconds):
        self.left.remove(kind)
        self.took.setdefault(kind, []).append(seconds)

    def seconds_left(self):
        means = {kind: sum(took) / len(took) for kind, took in self.took.items()}
        usual = sum(means.values()) / len(means) if means else 0
        return sum(means.get(kind, usual) for kind in self.left)

    def __str__(self):
        minutes, seconds = divmod(round(self.seconds_left()), 60)
        return f"[{self.total - len(self.left)}/{self.total}, {minutes}:{seconds:02} left]"
