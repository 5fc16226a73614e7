"""Volumes: create, list, inspect, remove, prune."""

import docker
from check import equal, raises, within

client = docker.from_env()

equal(client.volumes.list(), [])
hold = client.volumes.create("hold", driver="local", labels={"crew": "ada"})
equal((hold.name, hold.id, hold.short_id), ("hold", "hold", "hold"))
equal((hold.attrs["Driver"], hold.attrs["Labels"], hold.attrs["Scope"]), ("local", {"crew": "ada"}, "local"))
within("hold", hold.attrs["Mountpoint"])
within("T", hold.attrs["CreatedAt"])
equal(client.volumes.create("hold").attrs["Labels"], {"crew": "ada"})
anonymous = client.volumes.create()
equal(len(anonymous.name), 64)
equal(len(client.volumes.list()), 2)
equal([one.name for one in client.volumes.list(filters={"name": "hol"})], ["hold"])
equal([one.name for one in client.volumes.list(filters={"label": "crew=ada"})], ["hold"])

box = client.containers.run("base", "touch /data/cargo", detach=True, volumes=["hold:/data"])
box.wait()
mount = box.attrs["Mounts"][0]
equal((mount["Type"], mount["Name"], mount["Destination"], mount["RW"]), ("volume", "hold", "/data", True))
equal([one.name for one in client.volumes.list(filters={"dangling": True})], [anonymous.name])
raises(docker.errors.APIError, hold.remove, 409, "volume is in use")
box.remove()

# One that the container brought goes with it, if v is said.
box = client.containers.create("base", "true", volumes=["/own"])
equal(len(client.volumes.list()), 3)
box.remove(v=True)
equal(len(client.volumes.list()), 2)

within(anonymous.name, client.volumes.prune()["VolumesDeleted"])
if client.volumes.list():  # Since 1.42 those with a name are kept, unless all are asked for.
    pruned = client.volumes.prune(filters={"all": True})
    equal(pruned["VolumesDeleted"], ["hold"])
    assert pruned["SpaceReclaimed"] >= 0
raises(docker.errors.NotFound, hold.reload, 404)
raises(docker.errors.NotFound, hold.remove, 404, "no such volume")
