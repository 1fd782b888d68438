"""The floors of docs/ARCHITECTURE.md, read off the code.

1. Every #include "floor/…" in src/ goes down the table below; client and server never meet.
2. Floors 0 and 1 include of the system only what computes: no socket, clock, file, log.
3. What the archives of floors 0 and 1 leave undefined is on a short list (nm).
4. Random octets come from the kernel, never from GLib, which falls back to the time in a sandbox.

check_floors.py SOURCE_ROOT ARCHIVE…    prints TAP; exit 1 when something is wrong.
"""
import os
import re
import subprocess
import sys

MAY = {
    "base": {"base"},
    "proto": {"base", "proto"},
    "maildir": {"base", "proto", "maildir"},
    "sasl": {"base", "sasl"},
    "server": {"base", "proto", "maildir", "sasl", "server"},
    "client": {"base", "proto", "maildir", "sasl", "client"},
    "restanted": {"base", "maildir", "server", "restanted"},
    "restante": {"base", "client", "restante"},
}
PURE = {"base", "proto"}
PURE_SYSTEM = {"assert.h", "emmintrin.h", "errno.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
               "stdlib.h", "string.h"}
# memory, strings, and formatting into memory; stdio.h is there for vsnprintf only
PURE_SYMBOLS = {"memcpy", "memmove", "memset", "memchr", "memcmp", "strlen", "strcmp", "calloc",
                "malloc", "realloc", "free", "snprintf", "vsnprintf", "explicit_bzero",
                "__assert_fail", "__stack_chk_fail", "__errno_location", "_GLOBAL_OFFSET_TABLE_",
                "__memcpy_chk", "__memset_chk", "__memmove_chk", "__vsnprintf_chk", "__snprintf_chk",
                "__explicit_bzero_chk"}
SANITIZER = re.compile(r"^(__asan|__ubsan|__sanitizer|__sancov|__lsan|__gcov|__llvm)")


def includes(root):
    for folder, _, files in os.walk(os.path.join(root, "src")):
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    for n, line in enumerate(f, 1):
                        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
                        if found:
                            yield path, n, found.group(1), found.group(2)


def check_chance(root):
    """GLib's random numbers fall back to the time where /dev/urandom is out of reach."""
    wrong = []
    for folder, _, files in os.walk(os.path.join(root, "src")):
        for name in sorted(files):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                for n, line in enumerate(f, 1):
                    if re.search(r"\bg_(random|rand|uuid_string_random)\w*\(", line):
                        wrong.append(f"{os.path.relpath(path, root)}:{n}: ask the kernel (getrandom, RAND_bytes)")
    return wrong


def check_includes(root):
    wrong = []
    for path, n, kind, what in includes(root):
        floor = os.path.relpath(path, os.path.join(root, "src")).split(os.sep)[0]
        at = f"{os.path.relpath(path, root)}:{n}"
        if floor not in MAY:
            wrong.append(f"{at}: src/{floor} is not a floor; add it to the table in this script")
        elif kind == '"' and what.split("/")[0] not in MAY[floor]:
            wrong.append(f'{at}: {floor} may not include "{what}"')
        elif kind == "<" and floor in PURE and what not in PURE_SYSTEM:
            wrong.append(f"{at}: floor {floor} is pure and may not include <{what}>")
    return wrong


def check_symbols(archives):
    wrong = []
    for archive in archives:
        out = subprocess.run(["nm", "-A", archive], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=True).stdout
        for line in out.splitlines():
            found = re.match(r"(\S+?):?\s+U (\S+)$", line)
            if not found:
                continue
            name = found.group(2).split("@")[0]
            ours = name.startswith(("rs_", "pop3s_", "pop3c_", "lmtps_", "downgrade_", "smtpc_"))
            if not ours and name not in PURE_SYMBOLS and not SANITIZER.match(name):
                wrong.append(f"{found.group(1)}: needs {name}, which no pure floor may need")
    return wrong


def main():
    root, archives = sys.argv[1], sys.argv[2:]
    parts = [("includes go down the floors only", check_includes(root)),
             ("floors 0 and 1 need nothing but memory", check_symbols(archives)),
             ("chance comes from the kernel only", check_chance(root))]
    print(f"1..{len(parts)}")
    for i, (name, wrong) in enumerate(parts, 1):
        print(f"{'not ' if wrong else ''}ok {i} - {name}")
        for line in wrong:
            print("# " + line)
    return 1 if any(wrong for _, wrong in parts) else 0


sys.exit(main())
