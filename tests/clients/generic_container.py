"""testcontainers: a container for a test, with a port, waited for and cleaned up. Run with
TESTCONTAINERS_RYUK_DISABLED: its reaper is an image of Docker Hub's."""

import urllib.request

import docker
from check import equal, raises, within
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs

client = docker.from_env()
SERVE = "sh -c 'mkdir -p /srv; echo cargo > /srv/index.html; echo ready to serve; exec httpd -f -p 80 -h /srv'"

with DockerContainer("base").with_command(SERVE).with_exposed_ports(80).with_env("BOAT", "canoe").with_name("box") as box:
    wait_for_logs(box, "ready to serve", timeout=30)
    url = f"http://{box.get_container_host_ip()}:{box.get_exposed_port(80)}/"
    equal(urllib.request.urlopen(url, timeout=30).read(), b"cargo\n")
    equal(tuple(box.exec("sh -c 'echo $BOAT; exit 3'")), (3, b"canoe\n"))
    within(b"ready to serve", box.get_logs()[0])
    equal(box.get_wrapped_container().name, "box")
    within("org.testcontainers.session-id", box.get_wrapped_container().labels)
raises(docker.errors.NotFound, lambda: client.containers.get("box"), 404)

# Two on a network of their own.
with Network() as network:
    store = DockerContainer("base").with_command(SERVE).with_network(network).with_network_aliases("store")
    with store, DockerContainer("base").with_command("sleep 1000").with_network(network) as front:
        wait_for_logs(store, "ready to serve", timeout=30)
        equal(tuple(front.exec("wget -qO- http://store/")), (0, b"cargo\n"))
equal(client.networks.list(filters={"type": "custom"}), [])

# With what a container is given, and what is mounted.
with DockerContainer("base", mem_limit="64m").with_command("sleep 1000").with_tmpfs_mount("/fast", "size=1m").with_volume_mapping(
        "/etc", "/host", "ro") as box:
    equal(box.exec("test -f /host/passwd").exit_code, 0)
    within(b"/fast", box.exec("mount").output)
equal(client.containers.list(all=True), [])
