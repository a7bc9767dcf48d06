"""Program `bin/python` of the warm environment. Its first line names the real interpreter, which runs it."""

import json
import os
import socket
import sys
from pathlib import Path


def main() -> None:
    # The language host runs programs and policy packs unbuffered, and asks its own questions otherwise.
    if sys.argv[1:2] != ["-u"]:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    run = {
        "words": sys.argv[2:],
        "variables": dict(os.environ),
        "folder": str(Path.cwd()),
        "group": os.getpgid(0),
    }
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(Path(sys.argv[0]).resolve().parents[1] / "socket"))
        socket.send_fds(server, [b"x"], [0, 1, 2])
        server.sendall(json.dumps(run).encode())
        server.shutdown(socket.SHUT_WR)
        code = int(server.makefile().read() or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


main()
