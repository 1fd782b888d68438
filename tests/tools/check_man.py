"""Every key of restanted.conf (src/server/conf_keys.c) stands in data/man/restanted.conf.5 in its section,
and the page has no key that is not there; the same of config.ini (src/client/account.c, settings.c) and restante.5. check_man.py SOURCE_ROOT prints TAP."""
import os
import re
import sys

root = sys.argv[1]
with open(os.path.join(root, "src/server/conf_keys.c"), encoding="utf-8") as f:
    keys = set(re.findall(r'^\t\{"([a-z]+)", "([a-z0-9-]+)", (?:conf_)?set_', f.read(), re.M))
page = set()
section = None
with open(os.path.join(root, "data/man/restanted.conf.5"), encoding="utf-8") as f:
    for line in f:
        found = re.match(r"\.SH \[([a-z]+)\]", line)
        if found:
            section = found.group(1)
        elif line.startswith(".SH"):
            section = None
        elif section and line.startswith(".B "):
            for key in line[3:].replace("\\-", "-").split(","):
                page.add((section, key.strip()))
wrong = sorted(keys ^ page)
print("1..2")
print(("not " if wrong or not keys else "") + "ok 1 - the manual has every key of restanted.conf and no other")
for section, key in wrong:
    print(f"# [{section}] {key}: " + ("not in the manual" if (section, key) in keys else "not in the code"))

client = set()
for name, row in (("account.c", r'^\t\{"([a-z0-9-]+)", \w+_set, '), ("settings.c", r'strcmp\(key, "([a-z0-9-]+)"\)')):
    with open(os.path.join(root, "src/client", name), encoding="utf-8") as f:
        client |= set(re.findall(row, f.read(), re.M))
with open(os.path.join(root, "data/man/restante.5"), encoding="utf-8") as f:
    told = set(re.findall(r"^\.It Li ([a-z0-9-]+)$", f.read(), re.M))
print(("not " if client ^ told or not client else "") + "ok 2 - restante.5 has every key of config.ini and no other")
for key in sorted(client ^ told):
    print(f"# {key}: " + ("not in data/man/restante.5" if key in client else "not in the code"))
sys.exit(1 if wrong or not keys or client ^ told or not client else 0)
