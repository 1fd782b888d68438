"""What the front says to a POP3 client in words of its own stands in src/proto/pop3s_text.c with its German, and nothing
else does. check_pop3_words.py SOURCE_ROOT prints TAP."""
import glob
import os
import re
import sys

root = sys.argv[1]
said = set()
for path in glob.glob(os.path.join(root, "src/server/front*.c")):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for call in re.findall(r"\b(?:rs_pop3s_refuse|rs_pop3s_abort|kick|refuse)\(([^;]*);", text):
        if "RS_POP3" in call or "kick" in path or path.endswith("front_admin.c"):
            said.update(re.findall(r'"([^"\\]*)"', call))
with open(os.path.join(root, "src/proto/pop3s_text.c"), encoding="utf-8") as f:
    table = f.read().split("owners[] = {", 1)[1].split("};", 1)[0]
known = dict(re.findall(r'\{"([^"]*)",\s*"([^"]*)"\}', table))
wrong = [f"not in the table: {w}" for w in sorted(said - set(known))]
wrong += [f"nobody says: {w}" for w in sorted(set(known) - said)]
wrong += [f"the same in German: {w}" for w, german in known.items() if w == german]
print("1..1")
print(("not " if wrong or not said else "") + "ok 1 - the words of refusals are there in both languages")
for line in wrong:
    print("# " + line)
sys.exit(1 if wrong or not said else 0)
