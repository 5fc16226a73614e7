"""What a container says, and what is said to it: logs, attach, exec, with and without a terminal."""

import socket
import time

import docker
from check import equal, eventually, within

client = docker.from_env()

# logs
talker = client.containers.run("base", ["sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done"], detach=True)
talker.wait()
equal(talker.logs(stderr=False), b"out 1\nout 2\nout 3\n")
equal(talker.logs(stdout=False), b"err 1\nerr 2\nerr 3\n")
equal(len(talker.logs().splitlines()), 6)
equal(len(talker.logs(tail=2).splitlines()), 2)
equal(talker.logs(tail=0), b"")
equal(b"".join(talker.logs(stderr=False, stream=True)), b"out 1\nout 2\nout 3\n")
first = talker.logs(stderr=False, timestamps=True).splitlines()[0]
stamp, said = first.decode().split(" ", 1)
equal(said, "out 1")
within("T", stamp)
equal(talker.logs(since=int(time.time()) + 100), b"")
equal(talker.logs(until=int(time.time()) - 100), b"")
equal(talker.logs(stderr=False, since=int(time.time()) - 100), b"out 1\nout 2\nout 3\n")
talker.remove()

# Followed from the beginning to the end of the container.
slow = client.containers.run("base", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done"], detach=True)
equal(b"".join(slow.logs(follow=True, stream=True)), b"1\n2\n3\n")
stream = slow.logs(stream=True, follow=True)
equal(next(stream), b"1\n")
stream.close()
slow.remove()

# attach: what was said, and what comes.
slow = client.containers.create("base", ["sh", "-c", "echo out; echo err >&2"])
stream = slow.attach(stream=True, logs=True, demux=True)
slow.start()
halves = list(stream)
equal(b"".join(out for out, _ in halves if out), b"out\n")
equal(b"".join(err for _, err in halves if err), b"err\n")
# Docker itself loses this at times: the SDK reads more than the head of the answer, and forgets it.
equal(sorted(slow.attach(logs=True, stream=False).split()), [b"err", b"out"])
slow.remove()

def raw(connection):
    """The SDK gives the socket itself, or what http.client has wrapped around it."""
    return getattr(connection, "_sock", connection)


def rest(connection):
    """All that comes until the other side closes."""
    received = b""
    while chunk := connection.recv(4096):
        received += chunk
    return received


# A conversation with `cat`: stdin is closed by us, and it ends by that.
cat = client.containers.create("base", "cat", stdin_open=True, detach=False)
connection = raw(cat.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}))
cat.start()
connection.sendall(b"through\n")
connection.shutdown(socket.SHUT_WR)
equal(rest(connection), b"\x01\0\0\0\0\0\0\x08through\n")
connection.close()
equal(cat.wait()["StatusCode"], 0)
cat.remove()

# With a terminal the bytes are as they are.
shell = client.containers.create("base", "sh", stdin_open=True, tty=True)
connection = raw(shell.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1}))
shell.start()
shell.resize(height=33, width=77)
connection.sendall(b"stty size; exit 4\n")
within(b"33 77\r\n", rest(connection))
equal(shell.wait()["StatusCode"], 4)
shell.remove()

# exec
box = client.containers.run("base", "sleep 1000", detach=True)
equal(tuple(box.exec_run("echo hello")), (0, b"hello\n"))
equal(box.exec_run(["sh", "-c", "exit 9"]).exit_code, 9)
within(box.exec_run("no-such-command").exit_code, [126, 127])  # Docker 20.10 doesn't tell them apart.
equal(box.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output, (b"out\n", b"err\n"))
equal(box.exec_run(["sh", "-c", "echo out; echo err >&2"], stderr=False).output, b"out\n")
equal(b"".join(box.exec_run("seq 3", stream=True).output), b"1\n2\n3\n")
equal(box.exec_run("sleep 1000", detach=True).exit_code, None)
equal(box.exec_run("id -u", user="7").output, b"7\n")
equal(box.exec_run("pwd", workdir="/etc").output, b"/etc\n")
equal(box.exec_run(["sh", "-c", "echo $BOAT"], environment={"BOAT": "canoe"}).output, b"canoe\n")
equal(box.exec_run("tty", tty=True).output[:5], b"/dev/")
within("CapEff:\t000001ff", box.exec_run("grep CapEff /proc/self/status", privileged=True).output.decode())

connection = raw(box.exec_run("cat", stdin=True, socket=True).output)
connection.sendall(b"asked\n")
connection.shutdown(socket.SHUT_WR)
equal(rest(connection), b"\x01\0\0\0\0\0\0\x06asked\n")
connection.close()

api = client.api
exec_id = api.exec_create(box.id, "sh -c 'exit 5'")["Id"]
equal(api.exec_inspect(exec_id)["ExitCode"], None)
api.exec_start(exec_id)
told = api.exec_inspect(exec_id)
equal((told["Running"], told["ExitCode"], told["ContainerID"]), (False, 5, box.id))
equal(told["ProcessConfig"]["entrypoint"], "sh")
within(exec_id, [exec_id] if box.attrs["ExecIDs"] is None else box.attrs["ExecIDs"] + [exec_id])
terminal = api.exec_create(box.id, "sleep 1000", tty=True)["Id"]
api.exec_start(terminal, detach=True)
api.exec_resize(terminal, height=10, width=20)
box.remove(force=True)
