"""inetd.py PORT COMMAND [ARG...] - listen on 127.0.0.1:PORT and run COMMAND for each connection
with the socket as its standard input and output, as inetd does."""
import socket
import subprocess
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
running = []
while True:
    peer, _ = listener.accept()
    running = [p for p in running if p.poll() is None]
    running.append(subprocess.Popen(sys.argv[2:], stdin=peer, stdout=peer))
    peer.close()
