"""containers.run in all its forms, as people call it."""

import docker
from check import equal, eventually, raises, within

client = docker.from_env()
run = client.containers.run

# In the foreground: what it said comes back.
equal(run("base", "echo hello", remove=True), b"hello\n")
equal(run("base", ["sh", "-c", "echo out; echo err >&2"], remove=True), b"out\n")
equal(sorted(run("base", ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True).split()), [b"err", b"out"])
equal(run("base", ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=False, stderr=True), b"err\n")
equal(list(run("base", "seq 3", remove=True, stream=True)), [b"1\n", b"2\n", b"3\n"])

# Failing: the exit status, and what was said on standard error.
error = raises(docker.errors.ContainerError, lambda: run("base", ["sh", "-c", "echo why >&2; exit 3"], remove=True))
equal(error.exit_status, 3)
equal(error.stderr, b"why\n")
error = raises(docker.errors.APIError, lambda: run("base", "no-such-command", remove=True), 400, "no-such-command")
raises(docker.errors.ImageNotFound, lambda: client.api.create_container("nothing/here"), 404, "No such image: nothing/here:latest")
# With remove=True nothing of them is left, but what could not be started.
eventually("they are removed", lambda: [one.status for one in client.containers.list(all=True)] == ["created"])
client.containers.prune()

# With options, and the container says that they have arrived.
said = run(
    "base",
    ["sh", "-c", "id -u; pwd; echo $BOAT; hostname; cat /etc/hosts; grep name /etc/resolv.conf; ulimit -n; mount"],
    remove=True,
    user="7:8",
    working_dir="/tmp",
    environment={"BOAT": "canoe"},
    hostname="harbour",
    extra_hosts={"lighthouse": "10.1.2.3"},
    dns=["10.9.9.9"],
    ulimits=[docker.types.Ulimit(name="nofile", soft=321, hard=654)],
    tmpfs={"/scratch": "size=1m"},
    read_only=True,
    shm_size="2m",
).decode()
lines = said.splitlines()
equal(lines[:4], ["7", "/tmp", "canoe", "harbour"])
within("10.1.2.3\tlighthouse", said)
within("nameserver 10.9.9.9", said)
within("321", lines)
within("/scratch type tmpfs", said)

# Mounts of each kind; a bind by both of its names.
client.volumes.create("hold")
mounts = [
    docker.types.Mount("/hold", "hold", type="volume"),
    docker.types.Mount("/host", "/etc", type="bind", read_only=True),
    docker.types.Mount("/fast", None, type="tmpfs", tmpfs_size=1 << 20),
]
run("base", "touch /hold/cargo /fast/x", mounts=mounts, remove=True)
equal(run("base", "ls /hold", volumes={"hold": {"bind": "/hold", "mode": "ro"}}, remove=True), b"cargo\n")
equal(run("base", "ls /hold", volumes=["hold:/hold"], remove=True), b"cargo\n")
raises(docker.errors.ContainerError, lambda: run("base", "touch /host/x", mounts=mounts, remove=True))

# Detached.
box = run("base", "sleep 1000", detach=True, name="box", labels={"kind": "test"}, init=True, tty=True, stdin_open=True)
equal((box.name, box.status, box.labels["kind"]), ("box", "created", "test"))
box.reload()
equal(box.status, "running")
equal(len(box.short_id), 12)
within("base:latest", box.image.tags)
equal(box.attrs["Config"]["Tty"], True)
equal(box.attrs["HostConfig"]["Init"], True)
box.remove(force=True)

# A restart policy, limits, capabilities: as inspect tells them again.
box = run(
    "base",
    ["sh", "-c", "exit 1"],
    detach=True,
    restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
    cap_add=["NET_ADMIN"],
    cap_drop=["MKNOD"],
    security_opt=["no-new-privileges"],
    log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
    stop_signal="SIGINT",
    network_mode="none",
)
host = box.attrs["HostConfig"]
equal(host["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 2})
equal((host["CapAdd"], host["CapDrop"]), (["NET_ADMIN"], ["MKNOD"]))
equal(host["LogConfig"], {"Type": "json-file", "Config": {"max-size": "1m"}})
equal(box.attrs["Config"]["StopSignal"], "SIGINT")
eventually("it was tried again twice", lambda: client.api.inspect_container(box.id)["RestartCount"] == 2)
equal(box.wait()["StatusCode"], 1)
box.remove()

# A published port, in both forms that are given, as `ports` says it.
box = run("base", "sleep 1000", detach=True, ports={"80/tcp": None, "81/udp": ("127.0.0.1", 18181)})
box.reload()
assert int(box.ports["80/tcp"][0]["HostPort"]) > 0
equal(box.ports["81/udp"], [{"HostIp": "127.0.0.1", "HostPort": "18181"}])
box.remove(force=True)

# A health check.
box = run("base", "sleep 1000", detach=True,
          healthcheck={"test": ["CMD-SHELL", "true"], "interval": 100_000_000, "timeout": 10**10, "retries": 2})
eventually("it is healthy", lambda: box.reload() or box.health == "healthy")
equal(box.attrs["State"]["Health"]["Log"][0]["ExitCode"], 0)
box.remove(force=True)
