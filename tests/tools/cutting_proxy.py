"""A TCP proxy on loopback that cuts a connection at a given octet, and can be slow.

    with CuttingProxy(port) as proxy:
        proxy.cut = (900, "down", "rst")    # the next connection: at the 900th octet from the server, with RST
        ... connect to proxy.port ...
        proxy.octets                        # what went through the last connection: {"up": …, "down": …}
"""
import socket
import struct
import threading


class CuttingProxy:
    def __init__(self, port):
        self.to, self.cut, self.octets = port, None, {"up": 0, "down": 0}

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            cut, self.cut, self.octets = self.cut, None, {"up": 0, "down": 0}
            server = socket.create_connection(("127.0.0.1", self.to))
            for way, source, sink in (("up", client, server), ("down", server, client)):
                threading.Thread(target=self.pump, args=(way, source, sink, cut, self.octets),
                                 daemon=True).start()

    @staticmethod
    def pump(way, source, sink, cut, octets):
        try:
            while piece := source.recv(4096):
                end = cut and cut[1] == way and octets[way] + len(piece) >= cut[0]
                if end:
                    piece = piece[:cut[0] - octets[way]]
                sink.sendall(piece)
                octets[way] += len(piece)
                if end:
                    for link in (source, sink):
                        if cut[2] == "rst":
                            link.shutdown(socket.SHUT_RD)  # wakes the other thread, which holds it open
                            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            link.close()
                        else:
                            link.shutdown(socket.SHUT_RDWR)
                    return
            if not cut:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
