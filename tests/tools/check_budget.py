"""The hard budgets of the code: functions of at most 100 lines and complexity 20, files of at most
900 lines, no banned function. check_budget.py SOURCE_ROOT prints TAP; needs pmccabe."""
import os
import re
import subprocess
import sys

FUNCTION_LINES, COMPLEXITY, FILE_LINES = 100, 20, 900
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|strncpy|gets|scanf|sscanf|"
                    r"system|popen|rand|srand|alloca)\s*\(")
# A state switch may be longer than a function (never the arm of one state); name them here.
LONGER = set()


def sources(root):
    for top in ("src", "tests"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.join(folder, name)


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def check_files(root):
    wrong = []
    for path in sources(root):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        name = os.path.relpath(path, root)
        if text.count("\n") > FILE_LINES:
            wrong.append(f"{name}: {text.count(chr(10))} lines, at most {FILE_LINES}")
        for n, line in enumerate(without_comments(text).splitlines(), 1):
            found = BANNED.search(line)
            if found:
                wrong.append(f"{name}:{n}: {found.group(1)} is banned")
    return wrong


def check_functions(root):
    files = [p for p in sources(root) if p.endswith(".c")]
    out = subprocess.run(["pmccabe", *files], text=True, stdout=subprocess.PIPE, check=True).stdout
    wrong = []
    for row in out.splitlines():
        fields = row.split("\t")
        complexity, lines = int(fields[1]), int(fields[4])
        where = os.path.relpath(fields[5].split("(")[0], root)
        name = fields[5].split(": ")[-1]
        if name in LONGER:
            continue
        if complexity > COMPLEXITY:
            wrong.append(f"{where}: {name} has complexity {complexity}, at most {COMPLEXITY}")
        if lines > FUNCTION_LINES:
            wrong.append(f"{where}: {name} has {lines} lines, at most {FUNCTION_LINES}")
    return wrong


def main():
    root = sys.argv[1]
    parts = [("files can be read in one sitting, no banned function", check_files(root)),
             ("functions can be seen at once", check_functions(root))]
    print(f"1..{len(parts)}")
    for i, (name, wrong) in enumerate(parts, 1):
        print(f"{'not ' if wrong else ''}ok {i} - {name}")
        for line in wrong:
            print("# " + line)
    return 1 if any(wrong for _, wrong in parts) else 0


sys.exit(main())
