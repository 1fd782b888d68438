"""Every text for people is listed for translation, and has a German one that fits.

    check_po.py TOP
"""
import os
import re
import subprocess
import sys
import tempfile

import tap

TOP = sys.argv[1]
FOLDERS = ["src/client", "src/restante"]
LANGUAGES = open(os.path.join(TOP, "po/LINGUAS")).read().split()


def run(*args):
    done = subprocess.run(args, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stdout
    return done.stdout


@tap.case("po/POTFILES lists the files that have texts, in order")
def _():
    found = []
    for folder in FOLDERS:
        for name in sorted(os.listdir(os.path.join(TOP, folder))):
            with open(os.path.join(TOP, folder, name)) as f:
                if name.endswith(".c") and re.search(r"\b(_|N_|P_)\(", f.read()):
                    found.append(f"{folder}/{name}")
    listed = open(os.path.join(TOP, "po/POTFILES")).read().split()
    assert listed == found, set(listed) ^ set(found)


@tap.case("no text is without its translation, none is fuzzy, every format fits")
def _():
    with tempfile.TemporaryDirectory() as tmp:
        pot = os.path.join(tmp, "restante.pot")
        run("xgettext", "--from-code=UTF-8", "--keyword=_", "--keyword=N_", "--keyword=P_:1,2",
            "-f", "po/POTFILES", "-o", pot)
        for language in LANGUAGES:
            po = f"po/{language}.po"
            run("msgcmp", po, pot)
            told = run("msgfmt", "--check-format", "--check-domain", "--statistics", "-o",
                       os.devnull, po)
            assert "fuzzy" not in told and "untranslated" not in told, told


tap.run()
