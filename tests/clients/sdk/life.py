"""A container's life: create, start, stop, kill, restart, pause, rename, wait, update, list, prune."""

import time

import docker
from check import equal, eventually, raises, within

client = docker.from_env()

def state(container):
    container.reload()
    return container.status

box = client.containers.create("base", "sleep 1000", name="box", labels={"crew": "ada"}, stop_signal="KILL")
equal(state(box), "created")
box.start()
equal(state(box), "running")
box.start()  # 304 is no error.
box.pause()
equal(state(box), "paused")
raises(docker.errors.APIError, box.pause, 409, "already paused")
box.unpause()
equal(state(box), "running")
started = box.attrs["State"]["StartedAt"]
box.restart(timeout=1)
equal(state(box), "running")
assert box.attrs["State"]["StartedAt"] > started, "each run has its own time"
box.rename("other")
raises(docker.errors.NotFound, lambda: client.containers.get("box"), 404)
equal(client.containers.get("other").id, box.id)
raises(docker.errors.APIError, box.remove, 409, "running")
box.stop(timeout=5)
equal(state(box), "exited")
equal(box.attrs["State"]["ExitCode"], 137)
box.stop()  # 304
raises(docker.errors.APIError, box.kill, 409, f"ontainer {box.id} is not running")
box.start()
box.kill("SIGKILL")
equal(box.wait(), {"StatusCode": 137} if "Error" not in box.wait() else {"StatusCode": 137, "Error": None})
raises(docker.errors.APIError, lambda: box.kill("SIGNONE"), words="SIGNONE")

# wait, for each of its conditions.
quick = client.containers.create("base", ["sh", "-c", "exit 7"])
quick.start()
equal(quick.wait(timeout=20)["StatusCode"], 7)
equal(quick.wait(condition="not-running")["StatusCode"], 7)
quick.remove()
slow = client.containers.run("base", "sleep 1000", detach=True, auto_remove=True)
import requests
try:
    slow.wait(timeout=1)
    raise AssertionError("it has not ended yet")
except requests.exceptions.ConnectionError:
    pass  # what the SDK says when its own time is over
slow.kill()
eventually("it is gone", lambda: slow.id not in [one.id for one in client.containers.list(all=True, sparse=True)])

# update
box.update(restart_policy={"Name": "always"})
box.reload()
equal(box.attrs["HostConfig"]["RestartPolicy"]["Name"], "always")
box.update(restart_policy={"Name": "no"})

# list, and its filters
up = client.containers.run("base", "sleep 1000", detach=True, name="up", labels={"crew": "bob"})
names = lambda **how: sorted(one.name for one in client.containers.list(**how))
equal(names(), ["up"])
equal(names(all=True), ["other", "up"])
equal(names(limit=1), ["up"])
equal(names(all=True, filters={"status": "exited"}), ["other"])
equal(names(all=True, filters={"label": "crew=ada"}), ["other"])
equal(names(all=True, filters={"label": ["crew"]}), ["other", "up"])
equal(names(all=True, filters={"name": "oth"}), ["other"])
equal(names(all=True, filters={"exited": 137}), ["other"])
equal(names(all=True, filters={"since": "other"}), ["up"])
equal(names(all=True, filters={"before": "up"}), ["other"])
equal(names(all=True, filters={"ancestor": "base"}), ["other", "up"])
equal(names(filters={"network": "bridge"}), ["up"])
# Sparse ones are made of the list alone, without a look at each.
sparse = client.containers.list(sparse=True)[0]
equal((sparse.attrs["Names"], sparse.status, sparse.attrs["Labels"]["crew"]), (["/up"], "running", "bob"))
within("base", sparse.image.tags[0])
raw = client.api.containers(all=True, size=True, trunc=False)
assert all(one["SizeRootFs"] > 0 for one in raw)

# top, stats, diff
equal(client.containers.get("up").top()["Titles"][1], "PID")
within("sleep 1000", up.top(ps_args="aux")["Processes"][0][-1])
once = up.stats(stream=False)
equal(once["name"], "/up")
assert once["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and once["precpu_stats"]["system_cpu_usage"] > 0
first, second = (stats := up.stats(decode=True)).__next__(), stats.__next__()
assert first["read"] < second["read"]
stats.close()
for key in ["memory_stats", "blkio_stats", "pids_stats", "networks", "num_procs", "id"]:
    within(key, second)
up.exec_run("touch /new")
within({"Path": "/new", "Kind": 1}, up.diff())

# prune
up.stop(timeout=0)
pruned = client.containers.prune(filters={"label": "crew=bob"})
equal(pruned["ContainersDeleted"], [up.id])
assert pruned["SpaceReclaimed"] >= 0
equal(client.containers.prune()["ContainersDeleted"], [box.id])
equal(client.containers.prune()["ContainersDeleted"], None)
equal(names(all=True), [])
