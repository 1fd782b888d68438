"""Completion in bash: it offers the commands and options that --help tells, accounts of the configuration, and
folders that there are."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

FILE = os.path.join(rs_serve.peers.TOP, "data/completion/restante")
PROGRAMS = {name: rs_serve.program(name) for name in ("restante", "restanted")}
ENV = {"PATH": ":".join([*(os.path.dirname(p) for p in PROGRAMS.values()), os.environ["PATH"]]), "LC_ALL": "C.UTF-8",
       "ASAN_OPTIONS": "detect_leaks=0"}


def help_of(*words):
    done = subprocess.run([PROGRAMS[words[0]], *words[1:], "--help"], text=True, stdout=subprocess.PIPE, env=ENV,
                          stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, (words, done.stdout)
    return done.stdout


def complete(*words, home="/nonexistent"):
    """What bash offers for the last word, which is being typed."""
    script = f'. "{FILE}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _restante; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script, "bash", *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**ENV, "HOME": home, "RESTANTE_HOME": home}, timeout=120)
    assert done.stderr == "", done.stderr
    return [line for line in done.stdout.split("\n") if line]


def commands(text):
    return re.findall(r"^  ([a-z][a-z-]*)  +\S", text, re.M)


def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", "\n".join(l for l in text.splitlines()
                                                                  if l.startswith("  -")))) | {"--help"}


@tap.case("the commands of --help, and those that begin as what is typed")
def _():
    for program in PROGRAMS:
        wanted = commands(help_of(program))
        assert len(wanted) > 5
        assert sorted(complete(program, "")) == sorted([*wanted, "--help", "--version"]), program
    assert complete("restante", "ch") == ["check"] and complete("restante", "xyz") == []


@tap.case("every command's options are those of its --help")
def _():
    for program in PROGRAMS:
        for command in commands(help_of(program)):
            if command == "account":
                continue
            # an option's own text may name others; only those that begin its line count
            wanted = {m for l in help_of(program, command).splitlines() if (m := first_option(l))} | {"--help"}
            assert set(complete(program, command, "-")) >= wanted - {"-h"}, (program, command)
            assert set(complete(program, command, "--")) <= options(help_of(program, command)), (program, command)


def first_option(line):
    found = re.match(r"  (?:-\w, )?(--[a-z0-9-]+)", line)
    return found and found.group(1)


@tap.case("subcommands and their options")
def _():
    wanted = re.findall(r"^  account ([a-z]+)", help_of("restante", "account"), re.M)
    assert complete("restante", "account", "") == wanted and "add" in wanted
    assert "--pop3" in complete("restante", "account", "add", "--p")
    assert "--pop3" not in complete("restante", "account", "list", "--")
    assert complete("restante", "account", "add", "--security", "") == ["tls", "starttls", "none"]
    users = complete("restanted", "user", "")
    assert {"add", "remove", "list"} <= set(users) and all(u in help_of("restanted", "user") for u in users)
    assert set(complete("restanted", "import", "")) == {"uidl", "diff"}


@tap.case("accounts by name, also with blanks; folders; files where an option wants one")
def _():
    with tempfile.TemporaryDirectory(prefix="rs-completion-") as home:
        with open(os.path.join(home, "config.ini"), "w") as f:
            f.write("# [account no]\n[account anna]\naddress = a@b\n\n  [ account x]\n[account  my work ]\nuser = x\n")
        for folder in ("anna", "Lists/Dev", "Lists/A B"):
            os.makedirs(os.path.join(home, "mail", folder, "cur"))
        os.makedirs(os.path.join(home, "mail", "no-folder", "new"))
        for command in (("check",), ("watch",), ("account", "show"), ("account", "remove")):
            assert complete("restante", *command, "", home=home) == ["anna", "x", "my\\ work"], command
            assert complete("restante", *command, "an", home=home) == ["anna"], command
        assert complete("restante", "list", "L", home=home) == ["Lists/A\\ B", "Lists/Dev"]
        assert complete("restante", "save", "1", "2", "-o", home + "/conf", home=home) == [home + "/config.ini"]


tap.run()
