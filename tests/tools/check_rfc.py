"""docs/RFC.md against the tree: every function and every test it names exists, every section of
the RFCs has a row, every section a transcript says it proves is one of them.
check_rfc.py SOURCE_ROOT prints TAP."""
import glob
import os
import re
import sys

SECTIONS = {
    "1939": "1 2 3 4 4/QUIT 5 5/STAT 5/LIST 5/RETR 5/DELE 5/NOOP 5/RSET 6 7/TOP 7/UIDL 7/USER 7/PASS 7/APOP "
            "8 9 10 11 12 13",
    "2449": "1 2 3 4 5 6 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 6.9 7 8 8.1.1 8.1.2 9 10",
    "2595": "1 2.1 2.2 2.3 2.4 2.5 3 4 5 6 7 8 9",
    "3206": "1 2 3 4 5 6 7 8",
    "5034": "1 2 3 4 5 6 7 8",
    "6856": "1 2 2.1 2.2 3 4 5 6 7",
    "6857": "3.1.1 3.1.6 3.1.8 3.2.4 3.2.5 3.2.6",
}
# Mail in and out, SASL: these have many sections for others than us; rows may name those of here only.
MAIL = {
    "2033": "4.1 4.2 5",
    "5321": "2.3.8 3.2 3.3 4.1.1.4 4.1.1.5 4.1.1.10 4.1.2 4.1.4 4.2 4.4 4.5.1 4.5.2 4.5.3.1 4.5.3.1.8",
    "1870": "6",
    "2034": "4",
    "2920": "3.1",
    "3030": "2 3",
    "6152": "2",
    "6409": "3.2 4.3 5.1 6.1 8.2 8.3",
    "6531": "3.2 3.4",
    "3207": "4.1 4.2",
    "4954": "4",
    "4422": "3.4 3.5 5",
    "5802": "3 5 5.1 6 7",
    "7677": "3 4",
    "7519": "4.1 7.2",
    "7628": "3.1 3.2.2 3.2.3 4.3",
    "7662": "2.1 2.2 4",
    "9266": "2 3",
    "5929": "4.1",
}
LEVELS = {"-", "rule", "MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
COLUMNS = ["section", "level", "rule", "function", "test"]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def rows(text):
    """(side, rfc, cells) of every row of every table."""
    side = rfc = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            side, rfc = line[3:].strip(), None
        elif match := re.match(r"### RFC (\d+)", line):
            rfc = match.group(1)
        elif line.startswith("|"):
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if cells != COLUMNS and not set("".join(cells)) <= {"-"}:
                yield number, side, rfc, cells


def functions(root):
    found = set()
    for path in glob.glob(root + "/src/**/*.[ch]", recursive=True):
        found.update(re.findall(r"^(?:[a-z].*[ *])?([a-z][a-z0-9_]*)\(", read(path), re.M))
    return found


def test_missing(root, test):
    """What is wrong with one entry of the last column, or None."""
    if test.endswith("t") and "." in test and ":" not in test:
        return None if os.path.exists(f"{root}/tests/script/{test}") else "no such transcript"
    if test.startswith("fuzz_"):
        return None if os.path.exists(f"{root}/tests/fuzz/{test}.c") else "no such fuzzer"
    name, _, case = test.partition(": ")
    places = glob.glob(f"{root}/tests/unit/*/{name}.c") + glob.glob(f"{root}/tests/crash/{name}.c") + \
        glob.glob(f"{root}/tests/*/{name}.py")
    if not places:
        return "no such file"
    text = read(places[0])
    if places[0].endswith(".py"):
        good = f'case("{case}")' in text
    else:
        good = re.search(rf"cmocka_unit_test\w*\({re.escape(case)}\b", text)
    return None if good else "no such case"


def check_rows(root, table):
    wrong = []
    known = functions(root)
    for number, side, rfc, cells in table:
        where = f"line {number}"
        if side is None or rfc is None or len(cells) != len(COLUMNS):
            wrong.append(f"{where}: a row that is not understood")
            continue
        section, level, _, names, tests = cells
        if level not in LEVELS:
            wrong.append(f"{where}: level {level}")
        if section not in (SECTIONS.get(rfc) or MAIL.get(rfc, "")).split():
            wrong.append(f"{where}: RFC {rfc} has no section {section}")
        if level.startswith(("MUST", "SHOULD", "MAY")) and not (names and tests):
            wrong.append(f"{where}: {level} without function or test")
        for name in re.findall(r"`(\w+)`", names):
            if name not in known:
                wrong.append(f"{where}: no function {name}")
        # a case of Python may hold commas and colons: split in front of what looks like a test
        for test in re.split(r", (?=[a-z0-9_]+(?::|\.pop3t|\.smtpt|\.saslt|$)|fuzz_)", tests):
            if test and (why := test_missing(root, test)):
                wrong.append(f"{where}: {test}: {why}")
    return wrong


def check_sections(root, table):
    wrong = []
    mapped = {(rfc, cells[0]) for _, side, rfc, cells in table if side == "Server"}
    for rfc, sections in SECTIONS.items():
        wrong += [f"RFC {rfc} section {s} has no row" for s in sections.split()
                  if (rfc, s) not in mapped]
    wrong += [f"RFC {rfc} section {s} has no row" for rfc, sections in MAIL.items()
              for s in sections.split() if (rfc, s) not in {(r, c[0]) for _, _, r, c in table}]
    return wrong


def check_transcripts(root, table):
    wrong = []
    mapped = {(rfc, cells[0]) for _, _, rfc, cells in table}
    for path in sorted(glob.glob(root + "/tests/script/*.*t")):
        tags = re.findall(r"^@rfc (.*)$", read(path), re.M)
        name = os.path.basename(path)
        if not tags:
            wrong.append(f"{name}: no @rfc")
        for tag in " ".join(tags).split():
            rfc, _, section = tag.partition("/")
            if (rfc in SECTIONS or rfc in MAIL) and (rfc, section) not in mapped:
                wrong.append(f"{name}: {tag} is not in docs/RFC.md")
    return wrong


def main(root):
    table = list(rows(read(root + "/docs/RFC.md")))
    checks = [("every function and test named exists", check_rows),
              ("every section has a row", check_sections),
              ("every section a transcript proves has a row", check_transcripts)]
    print(f"1..{len(checks)}")
    bad = 0
    for i, (name, check) in enumerate(checks, 1):
        wrong = check(root, table)
        bad += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}")
        for line in wrong:
            print("# " + line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
