"""lmtp_send.py [--big MIB] SOCKET ADDRESS FILE... - deliver messages by LMTP, as an MTA would.

SOCKET is the path of a Unix socket or HOST:PORT. --big adds one message with an attachment of
about MIB mebibytes. Says what it delivered; exits 1 when a message was refused.
"""
import argparse
import base64
import random
import smtplib
import sys


def big_message(mib):
    octets = random.Random(4711).randbytes(mib * 1024 * 1024 * 3 // 4)
    lines = base64.encodebytes(octets).decode()
    return ("From: Fotolabor <labor@example.com>\nTo: Anna <anna@example.org>\n"
            f"Subject: Your holiday pictures ({mib} MiB)\n"
            "Date: Sun, 01 Nov 2026 18:30:00 +0100\nMessage-ID: <pictures.1@example.com>\n"
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"cut\"\n\n"
            "--cut\nContent-Type: text/plain; charset=utf-8\n\nAll of them in one archive.\n\n"
            "--cut\nContent-Type: application/octet-stream; name=\"pictures.bin\"\n"
            "Content-Disposition: attachment; filename=\"pictures.bin\"\n"
            "Content-Transfer-Encoding: base64\n\n" + lines + "--cut--\n").encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--big", type=int, default=0)
    parser.add_argument("socket")
    parser.add_argument("address")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    host, _, port = args.socket.rpartition(":")
    lmtp = smtplib.LMTP(host or args.socket, int(port) if host else 0, local_hostname="demo")
    messages = [open(name, "rb").read() for name in args.files]
    if args.big:
        messages.append(big_message(args.big))
    refused = 0
    for octets in messages:
        try:
            wire = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            lmtp.sendmail("demo@example.com", [args.address], wire,
                          mail_options=["BODY=8BITMIME"])
        except smtplib.SMTPException as e:
            print("refused:", e, file=sys.stderr)
            refused = 1
    lmtp.quit()
    total = sum(len(m) for m in messages)
    print(f"{len(messages)} messages, {total / 1048576:.1f} MiB, each answered with 250")
    return refused


sys.exit(main())
