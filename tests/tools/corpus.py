"""Awkward messages, the same on every run. Bytes with LF line ends.

Each is legal enough that a POP3 server must hand it over as it is, and holds something that
programs have stumbled over: dots at line starts, no final line end, header only, 8-bit octets,
long lines, blank lines at either end, lone dots, lines like "From " or ".." and so on.
"""
import random

BODIES = [
    "",                                      # header and empty line only
    "plain\n",
    ".\n..\n...\n.leading dot\n",            # transparency
    "\n\n\nleading blank lines\n\n\n",
    "Grüße aus Köln — naïve café\n",          # UTF-8, 8 bit
    "x" * 998 + "\n",                        # longest legal line
    "y" * 5000 + "\n",                       # longer than legal
    "From here on\n>From there\n",           # mbox traps
    "+OK not a reply\n-ERR neither\nQUIT\n",  # protocol look-alikes
    "tab\tand trailing blanks   \n \n",
    ".\n" * 200,
    "--b\nContent-Type: text/plain\n\nno closing boundary\n",
]


def message(i, seed=1):
    r = random.Random(seed * 1_000_003 + i)
    head = [f"From: Peer {i} <peer{i}@example.org>", "To: Anna <anna@example.org>",
            f"Subject: message {i}" + r.choice(["", " =?UTF-8?Q?gr=C3=BC=C3=9Fe?=", " " + "long " * 30]),
            f"Date: Thu, {1 + i % 28} Jan 2026 10:{i % 60:02}:00 +0000",
            f"Message-ID: <{seed}.{i}@example.org>"]
    body = BODIES[i % len(BODIES)]
    if i % 7 == 3:
        body += "".join(r.choice("ab .\n") for _ in range(r.randrange(4000))) + "\n"
    return ("\n".join(head) + "\n\n" + body).encode()


def corpus(n=500, seed=1, final_newline=True):
    """n messages; with final_newline False every fifth ends without one."""
    made = [message(i, seed) for i in range(n)]
    if not final_newline:
        made = [m.rstrip(b"\n") + b" end" if i % 5 == 4 else m for i, m in enumerate(made)]
    return made
