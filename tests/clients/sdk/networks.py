"""Networks: create, list, inspect, connect with aliases, disconnect, prune."""

import docker
from check import equal, raises, within

client = docker.from_env()

equal(sorted(one.name for one in client.networks.list()), ["bridge", "host", "none"])
equal(client.networks.list(filters={"type": "custom"}), [])
bridge = client.networks.list(names=["bridge"])[0]
box = client.containers.run("base", "sleep 1000", detach=True)
box.reload()
gateway = box.attrs["NetworkSettings"]["Networks"]["bridge"]["Gateway"]
within(f"default via {gateway} ", box.exec_run("ip route").output.decode())
equal(box.attrs["NetworkSettings"]["Gateway"], gateway)
box.remove(force=True)

pool = docker.types.IPAMPool(subnet="10.123.0.0/24", gateway="10.123.0.1")
net = client.networks.create("fleet", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]),
                             labels={"crew": "ada"}, check_duplicate=True, internal=False, attachable=True)
equal(net.attrs["IPAM"]["Config"], [{"Subnet": "10.123.0.0/24", "Gateway": "10.123.0.1"}])
equal((net.attrs["Labels"], net.attrs["Attachable"]), ({"crew": "ada"}, True))
equal([one.name for one in client.networks.list(filters={"type": "custom", "label": "crew"})], ["fleet"])
equal([one.name for one in client.networks.list(names=["fleet"])], ["fleet"])
equal([one.id for one in client.networks.list(ids=[net.id])], [net.id])
raises(docker.errors.APIError, lambda: client.networks.create("fleet", check_duplicate=True), 409, "network with name fleet already exists")

box = client.containers.run("base", "sleep 1000", detach=True, name="box", network="fleet",
                            networking_config={"fleet": client.api.create_endpoint_config(
                                aliases=["flagship"], ipv4_address="10.123.0.7")})
box.reload()
settings = box.attrs["NetworkSettings"]["Networks"]["fleet"]
equal((settings["IPAddress"], settings["IPPrefixLen"], settings["Gateway"]), ("10.123.0.7", 24, "10.123.0.1"))
equal(settings["NetworkID"], net.id)
within("flagship", settings["Aliases"])
net.reload()
equal([one.name for one in net.containers], ["box"])
equal(net.attrs["Containers"][box.id]["IPv4Address"], "10.123.0.7/24")
greeted = client.containers.run("base", "ping -c 1 -W 5 flagship", network="fleet", remove=True)
within(b"10.123.0.7", greeted)

# One that is running comes and goes.
other = client.containers.run("base", "sleep 1000", detach=True, name="other")
net.connect(other, aliases=["tender"], ipv4_address="10.123.0.9")
equal(box.exec_run("ping -c 1 -W 5 tender").exit_code, 0)
other.reload()
equal(sorted(other.attrs["NetworkSettings"]["Networks"]), ["bridge", "fleet"])
raises(docker.errors.APIError, lambda: net.connect(other), 403, "already exists in network fleet")
raises(docker.errors.APIError, net.remove, 403, "has active endpoints")
net.disconnect(other, force=True)
other.reload()
equal(sorted(other.attrs["NetworkSettings"]["Networks"]), ["bridge"])
raises(docker.errors.NotFound, lambda: net.connect("nobody"), 404, "nobody")

for one in [box, other]:
    one.remove(force=True)
client.networks.create("empty", labels={"crew": "bob"})
equal(client.networks.prune(filters={"label": "crew=bob"})["NetworksDeleted"], ["empty"])
net.remove()
equal(client.networks.prune()["NetworksDeleted"], None)
raises(docker.errors.NotFound, net.reload, 404)
raises(docker.errors.APIError, bridge.remove, 403, "bridge")
# What testcontainers asks for. (Docker 20.10 knows it only from its second start on.)
bridge.reload()
equal(bridge.attrs["IPAM"]["Config"][0]["Gateway"], gateway)
