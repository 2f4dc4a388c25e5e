#!/usr/bin/env python3
"""Checks a Tianyin journal (format: host/journal/src/lib.rs) without Tianyin: python3 verify_journal.py DIR
Prints the number of lines and the hash of the last one; exit code 1 names segment and line of damage."""
import hashlib, json, os, re, sys, zlib
LINE = re.compile(rb'\{"v":1,"seq":(\d+),"group":(\d+),"size":(\d+),"time":"[-T:.Z\d]{24}","actor":.+,'
                  rb'"events":\[.*\],"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}')
sm3 = lambda data: hashlib.new("sm3", data).hexdigest()
def need(good, why):
    if not good: raise ValueError(why)

def lines(path, chain, members, zeros):  # members of a compressed segment: [seq, plain byte, gz byte]
    if not path.endswith(".gz"): return (yield from filter(None, (t.rstrip(zeros) for t in open(path, "rb"))))
    data, plain, left = memoryview(open(path, "rb").read()), 0, os.path.getsize(path)
    while left:
        member = zlib.decompressobj(31)
        text = member.decompress(data[-left:], 1 << 30)
        need(member.eof, "compressed data is cut short")
        members.append([chain["seq"] + 1, plain, len(data) - left])
        plain, left = plain + len(text), len(member.unused_data)
        yield from re.findall(rb"[^\n]*\n|[^\n]+$", text)

def accept(chain, text):  # the next line, without its line break
    found = LINE.fullmatch(text)
    need(found and sm3(text[:-75] + b"}") == found[5].decode(), "hash does not match, or not a line of this format")
    seq, group, end = int(found[1]), int(found[2]), int(found[2]) + int(found[3]) - 1
    need(seq == chain["seq"] + 1 and found[4].decode() == chain["hash"], "does not follow by its seq and prev")
    expected = (chain["group"], chain["end"]) if seq <= chain["end"] else (seq, max(end, seq))
    need((group, end) == expected, "group or size is wrong")
    chain.update(seq=seq, hash=found[5].decode(), group=group, end=end)

def is_torn(tail, group):  # an unfinished write holds no whole line but of its own group
    found = re.findall(rb'(?=(\{"v":\d+,"seq":\d+[^\n]*))', tail)
    whole = [LINE.fullmatch(t) for t in found if t[-75:] == b',"hash":"%s"}' % sm3(t[:-75] + b"}").encode()]
    return all(line and int(line[2]) == group for line in whole)

if "sm3" not in hashlib.algorithms_available: sys.exit("this Python's OpenSSL has no SM3")
folder, torn, chain = sys.argv[1], "", {"seq": 0, "hash": "0" * 64, "group": 0, "end": 0}
names = [n for n in sorted(os.listdir(folder)) if re.fullmatch(r"\d{16}\.(jsonl(\.gz)?|seal)", n)]
for first in sorted({name[:16] for name in names}):
    path = os.path.join(folder, first + (".jsonl" if first + ".jsonl" in names else ".jsonl.gz"))
    before, whole, at, number, members, is_next = dict(chain), dict(chain), 0, 1, [], int(first) == chain["seq"] + 1
    is_open = is_next and names[-1] == first + ".jsonl"  # the last segment may end in an unfinished write
    try:
        need(is_next, f"line {chain['seq'] + 1} comes next: a segment is missing")
        for text in lines(path, chain, members, b"\0" if is_open else b""):  # space reserved ahead
            accept(chain, text.removesuffix(b"\n") if is_open or text.endswith(b"\n") else b"")
            at, number, whole = at + len(text), number + 1, dict(chain) if chain["seq"] == chain["end"] else whole
        need(chain["seq"] == chain["end"], "the file ends inside a group")
        if first + ".seal" in names:
            text = open(os.path.join(folder, first + ".seal")).read()
            gz = dict(bytes=os.path.getsize(path), sm3=sm3(open(path, "rb").read()), members=members)
            seal = dict(v=1, first=int(first), last=chain["seq"], group=chain["group"], prev=before["hash"],
                        hash=chain["hash"], bytes=at, gz=gz if members else json.loads(text).get("gz"))
            seal = json.dumps({key: value for key, value in seal.items() if value}, separators=(",", ":"))
            need(text == seal + "\n", "the seal does not agree")
    except (ValueError, AttributeError, zlib.error, OSError) as why:
        if not (is_open and is_torn(open(path, "rb").read()[at:], whole["seq"] + 1)):
            sys.exit(f"{path} line {number}: {why}")
        chain, torn = whole, f", then an unfinished write ({why})"
print(f"{chain['seq']} lines, head {chain['hash']}{torn}")
