#!/usr/bin/env python3
"""Makes requests for `rates` of what there is to measure on:

    rates.py log FILE       an access log in combined or common form: method, target, Referer, User-Agent
    rates.py payloads FILE  a list of payloads, one a line: each as an argument's value, as a form sends it
    rates.py targets FILE   a list of request-targets, one a line
    rates.py params FILE LABEL   a CSV file "payload,length,type,label": those payloads of that label or type
"""
import csv
import re
import sys
from urllib.parse import quote_plus

LINE = re.compile(r'"((?:[^"\\]|\\.)*)" \d{3} \S+(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?')
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ENCODED = re.compile(r'[\x00-\x20"<>\x7f]')


def unescape(text):
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m.group(1), 16)), text.replace('\\"', '"'))


def clean(value):
    return re.sub(r"[\x00-\x1f\x7f]", " ", value)


def say(method, target, fields=()):
    line = f"{method} {target}" + "".join(f"\t{name}: {clean(value)}" for name, value in fields if value)
    sys.stdout.buffer.write(line.encode("latin-1", "replace") + b"\n")


def from_log(path):
    for line in open(path, encoding="latin-1"):
        found = LINE.search(line)
        parts = unescape(found.group(1)).split(" ") if found else []
        if len(parts) < 2 or not parts[0].isalpha() or not parts[1].startswith("/"):
            continue
        referer, agent = found.group(2) or "", found.group(3) or ""
        say(parts[0], parts[1], (("Referer", "" if referer == "-" else unescape(referer)),
                                 ("User-Agent", "" if agent == "-" else unescape(agent))))


def as_argument(payload):
    say("GET", "/search?q=" + quote_plus(payload.encode("utf-8", "surrogateescape")), (("User-Agent", BROWSER),))


def lines_of(path):
    return (line.rstrip("\r\n") for line in open(path, encoding="utf-8", errors="surrogateescape"))


def main():
    kind, path = sys.argv[1:3]
    if kind == "log":
        from_log(path)
    elif kind == "payloads":
        for line in filter(None, lines_of(path)):
            as_argument(line)
    elif kind == "targets":
        for line in filter(None, lines_of(path)):
            text = line.encode("utf-8", "surrogateescape").decode("latin-1")
            say("GET", ENCODED.sub(lambda m: f"%{ord(m.group(0)):02X}", text), (("User-Agent", BROWSER),))
    else:
        for row in csv.DictReader(open(path, encoding="utf-8", errors="surrogateescape")):
            if sys.argv[3] in (row["label"], row["attack_type"]):
                as_argument(row["payload"])


main()
