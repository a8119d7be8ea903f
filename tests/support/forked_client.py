"""What stands for `toyvm` where tests run it: see forked.py.  Imports nothing that takes time."""

import json
import os
import signal
import socket
import sys

server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
request = json.dumps(
    {"arguments": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
).encode()
socket.send_fds(server, [len(request).to_bytes(8, "little")], [0, 1, 2])
server.sendall(request)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
for number in (0, 1, 2):
    # Whoever reads what the command writes waits for the command alone.
    os.close(number)
answer = server.recv(4)
code = int.from_bytes(answer, "little", signed=True) if len(answer) == 4 else 70
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
