"""count.py JUNIT - the closing line of ./test: every case of every test program counts once.

A program that reports no cases of its own counts as one. Names what failed and what was skipped.
Exit 1 when anything failed, or nothing ran.
"""
import sys
import xml.etree.ElementTree as ET


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    seen = {}
    try:
        suites = ET.parse(sys.argv[1]).getroot().iter("testsuite")
    except (OSError, ET.ParseError) as e:
        print(f"no result of the tests: {e}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    for suite in suites:
        for case in suite.iter("testcase"):
            key = (suite.get("name"), case.get("classname"), case.get("name"))
            if key not in seen or outcome(case) == "failed":
                seen[key] = outcome(case)
    for key, what in seen.items():
        counts[what] += 1
        if what != "passed":
            print(f"{what}: {' / '.join(k for k in key if k)}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] or not counts["passed"] else 0


sys.exit(main())
