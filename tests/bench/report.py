"""From measurements to a Markdown report."""

import os
import platform
import re
import statistics
import time

from servers import versions

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def number(value):
    """Three significant digits, and no more than two after the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Results:
    """rounds[i][server name] = Measurement, of one work."""

    def __init__(self, work, labels):
        self.work, self.labels, self.rounds = work, labels, []

    def names(self):
        return [name for name in self.work.servers if any(name in each for each in self.rounds)]

    def valid(self, name):
        return [each[name] for each in self.rounds if name in each and not each[name].problems]

    def problems(self):
        for index, each in enumerate(self.rounds, 1):
            for name, measurement in each.items():
                for problem in measurement.problems:
                    yield f"{self.work.name}, round {index}, {self.labels[name]}: {problem}"

    def ratios(self, name):
        """Paired: each round's cost by the base's cost in the same round."""
        base = self.work.base
        return [each[name].cost / each[base].cost for each in self.rounds
                if base in each and name in each and each[base].cost > 0
                and not each[base].problems and not each[name].problems]

    def judged(self):
        """Our values that gate and aim are about."""
        if self.work.absolute:
            return [measurement.cost for measurement in self.valid(self.work.ours)]
        if self.work.added:
            return [(ratio - 1) * base for ratio, base in
                    zip(self.ratios(self.work.ours),
                        (measurement.cost for measurement in self.valid(self.work.base)))]
        return self.ratios(self.work.ours)

    def verdict(self):
        values = self.judged()
        if not values or not self.work.gate:
            return "–"
        median = statistics.median(values)
        if median <= self.work.aim:
            return "**aim met**"
        return "**gate met**" if median <= self.work.gate else "**over the gate**"


def spread(values, form="{:.2f}"):
    low, high = quartiles(values)
    return "{} ({}–{}; {}–{})".format(*(form.format(value) for value in (
        statistics.median(values), low, high, min(values), max(values))))


def median_of(measurements, what):
    return number(statistics.median(what(measurement) for measurement in measurements))


def row(results, name):
    valid = results.valid(name)
    cells = [results.labels[name]]
    if not valid:
        return cells + ["no valid round"]
    cells.append(median_of(valid, lambda m: m.cost))
    ratios = results.ratios(name)
    is_base = name == results.work.base
    cells.append("1" if is_base else spread(ratios) if ratios else "–")
    if valid[0].total:
        cells.append(median_of(valid, lambda m: m.total / 2**20))
    if valid[0].per_second:
        cells.append(median_of(valid, lambda m: m.per_second))
    if valid[0].latency_us:
        cells += [median_of(valid, lambda m, key=key: m.latency_us[key])
                  for key in ("p50", "p90", "p99", "p999")]
    return cells


def table(header, rows):
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for cells in rows:
        yield "| " + " | ".join(cells + [""] * (len(header) - len(cells))) + " |"


def work_table(results):
    work = results.work
    header = ["server", work.unit, f"ratio to {results.labels[work.base]}"]
    sample = next((m for name in results.names() for m in results.valid(name)), None)
    if sample and sample.total:
        header.append("whole server, MiB")
    if sample and sample.per_second:
        header.append("GB/s" if "GB" in work.unit else "requests/s")
    if sample and sample.latency_us:
        header += ["p50 µs", "p90", "p99", "p99.9"]
    yield f"### {work.title}"
    yield ""
    yield f"{len(results.rounds)} rounds."
    yield ""
    yield from table(header, [row(results, name) for name in results.names()])
    yield ""


def budget_table(all_results):
    rows = []
    for results in all_results:
        work, values = results.work, results.judged()
        if not values:
            continue
        form = "{:,.0f}" if work.absolute or work.added else "{:.2f}"
        base = results.labels[work.base]
        what = (work.unit if work.absolute else f"{work.unit} more than {base} alone" if work.added
                else f"ratio to {base}")
        limits = [form.format(limit) if limit else "–" for limit in (work.gate, work.aim)]
        rows.append([work.title, what, *limits, spread(values, form), results.verdict()])
    if rows:
        yield from table(["work", "what", "gate", "aim", "sallyport", ""], rows)
        yield ""


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpuinfo:
        found = re.search(r"model name\s*:\s*(.*)", cpuinfo.read())
    return found[1] if found else platform.machine()


def congestion_control():
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as setting:
        return setting.read().strip()


def circumstances(place, rounds):
    names = {name.split("-")[0] for name in place.servers}
    yield time.strftime("Measured on %Y-%m-%d, ", time.gmtime()) + \
        f"{rounds} rounds, {place.placement.describe()}."
    yield ""
    yield f"- {os.cpu_count()} × {cpu_model()}, Linux {platform.release()}, " \
        f"TCP {congestion_control()}"
    for line in versions(place.binary, names):
        yield f"- {line}"
    yield ""


def markdown(all_results, place, rounds):
    lines = list(circumstances(place, rounds))
    lines += ["Median (quartiles; least–most) of the ratios of one round each.", ""]
    lines += budget_table(all_results)
    for results in all_results:
        lines += work_table(results)
    broken = [problem for results in all_results for problem in results.problems()]
    if broken:
        lines += ["Rounds left out:", ""] + [f"- {problem}" for problem in broken] + [""]
    return "\n".join(lines)


def write_into(path, text):
    """Puts the report between the markers of the README."""
    with open(path, encoding="utf-8") as readme:
        before, rest = readme.read().split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w", encoding="utf-8") as readme:
        readme.write(before + BEGIN + text + END + after)
