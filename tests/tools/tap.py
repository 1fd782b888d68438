"""The Test Anything Protocol for tests in Python: each case is counted by ./test.

    import tap

    @tap.case("a second session is told IN-USE")
    def _():
        assert ...

    tap.run()
"""
import sys
import time
import traceback

_cases = []


def case(name):
    def note(function):
        _cases.append((name, function))
        return function
    return note


class Skip(Exception):
    pass


def run():
    """Run all cases in order; the exit status says whether all were well."""
    print(f"1..{len(_cases)}")
    failed = 0
    for i, (name, function) in enumerate(_cases, 1):
        name = name.replace("#", "no.")
        began = time.monotonic()
        try:
            function()
            print(f"ok {i} - {name}", flush=True)
            print(f"# {time.monotonic() - began:.1f} s", flush=True)
        except Skip as why:
            print(f"ok {i} - {name} # SKIP {why}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {i} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    sys.exit(1 if failed else 0)
