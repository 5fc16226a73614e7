"""What happens, as events: live, and of a stretch of time."""

import time

import docker
from check import equal, eventually, within

client = docker.from_env()
since = time.time()
box = client.containers.run("base", "sleep 1000", detach=True, name="box", labels={"crew": "ada"})

live = client.events(decode=True, since=since, filters={"type": "container", "container": "box"})
seen = [next(live) for _ in range(2)]
equal([one["Action"] for one in seen], ["create", "start"])
for one in seen:
    equal((one["Type"], one["Actor"]["ID"], one["scope"]), ("container", box.id, "local"))
    equal((one["status"], one["id"], one["from"]), (one["Action"], box.id, "base"))
    equal(one["Actor"]["Attributes"]["name"], "box")
    equal(one["Actor"]["Attributes"]["crew"], "ada")
    assert one["timeNano"] // 10**9 == one["time"]

box.kill()
box.wait()
# One comes as it happens.
equal([next(live)["Action"] for _ in range(2)], ["kill", "die"])
live.close()
box.remove()
until = time.time() + 1

def told(**filters):
    return [one["Action"] for one in client.events(decode=True, since=since, until=until, filters=filters)]

eventually("the removal is told", lambda: told(event="destroy", container="box") == ["destroy"])
equal(told(container="box", type="container"), ["create", "start", "kill", "die", "destroy"])
equal(told(event=["die", "start"], container="box"), ["start", "die"])
equal(told(label="crew=ada", event="start"), ["start"])
equal(told(label="crew=bob"), [])
equal(told(image="base", event="create"), ["create"])
equal(told(type="network"), ["connect", "disconnect"])
die = next(client.events(decode=True, since=since, until=until, filters={"event": "die", "container": box.id}))
equal(die["Actor"]["Attributes"]["exitCode"], "137")
text = next(client.events(since=since, until=until))
assert isinstance(text, bytes) and text.startswith(b"{")
