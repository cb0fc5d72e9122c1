"""Medians and their spread."""

import statistics
from dataclasses import dataclass, field


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def flat(rounds):
    return [value for one in rounds for value in one]


@dataclass
class Goal:
    """What a row is to reach; every limit that is set counts."""
    text: str
    ratio_max: float = None
    ratio_min: float = None
    added_max: float = None  # in the row's own unit
    value_max: float = None

    def limits(self):
        return any(limit is not None for limit in (self.ratio_max, self.ratio_min, self.added_max,
                                                   self.value_max))

    def met(self, row):
        return ((self.ratio_max is None or row.ratio <= self.ratio_max) and
                (self.ratio_min is None or row.ratio >= self.ratio_min) and
                (self.added_max is None or row.ours - row.theirs <= self.added_max) and
                (self.value_max is None or row.ours <= self.value_max))


@dataclass
class Row:
    """One figure: samples of both sides, round by round in turn. unit: (name, divisor)."""
    name: str
    beside: str
    unit: tuple
    our_rounds: list
    their_rounds: list = field(default_factory=list)
    goal: Goal = None
    note: str = ""

    @property
    def ours(self):
        return statistics.median(flat(self.our_rounds)) / self.unit[1]

    @property
    def theirs(self):
        return statistics.median(flat(self.their_rounds)) / self.unit[1]

    @property
    def ratio(self):
        return self.ours / self.theirs

    @property
    def spread(self):
        """The middle four fifths of the ratios of single rounds."""
        ratios = [statistics.median(a) / statistics.median(b)
                  for a, b in zip(self.our_rounds, self.their_rounds)]
        return percentile(ratios, 10), percentile(ratios, 90)

    def p99(self):
        return percentile(flat(self.our_rounds), 99) / self.unit[1]

    def as_json(self):
        found = {"figure": self.name, "unit": self.unit[0], "ours": self.ours, "rounds": len(self.our_rounds)}
        if self.their_rounds:
            found |= {"beside": self.beside, "theirs": self.theirs, "ratio": self.ratio,
                      "spread": self.spread}
        if self.goal:
            found |= {"goal": self.goal.text, "met": self.goal.met(self)}
        return found | ({"note": self.note} if self.note else {})


NANOSECONDS = ("ns", 1)
MICROSECONDS = ("µs", 1000)
MILLISECONDS = ("ms", 1e6)
GIGABITS = ("Gbit/s", 1e9)
PER_SECOND = ("/s", 1)
KIBIBYTES = ("KiB", 1)


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def said(row):
    """The goal, and whether it is met."""
    if not row.goal or not row.goal.limits():
        return row.goal.text if row.goal else ""
    return f"{row.goal.text}: {'met' if row.goal.met(row) else 'not met'}"


def markdown(rows):
    """The rows as a table of README.md."""
    lines = ["| figure | tool | beside | | ratio | spread | goal |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row.name, f"{number(row.ours)} {row.unit[0]}", "–", "", "", ""]
        if row.their_rounds:
            low, high = row.spread
            cells[2:] = [number(row.theirs), row.beside, f"{row.ratio:.2f}", f"{low:.2f} .. {high:.2f}"]
        notes = [text for text in (said(row), row.note) if text]
        lines.append("| " + " | ".join([*cells, "; ".join(notes)]) + " |")
    return "\n".join(lines) + "\n"


def print_header():
    print(f"{'figure':<44} {'tool':>13} {'beside':>9}  {'ratio':>5} {'10-90 % of rounds':<17}  goal")


def print_row(row):
    line = f"{row.name:<44} {number(row.ours):>6} {row.unit[0]:<6} "
    if row.their_rounds:
        low, high = row.spread
        line += f"{number(row.theirs):>9}  {row.ratio:5.2f} {f'{low:.2f} .. {high:.2f}':<17}  "
    else:
        line += f"{'–':>9}  {'':5} {'':17}  "
    line += said(row)
    print(line.rstrip() + (f"  ({row.note})" if row.note else ""), flush=True)
