"""The engine itself: ping, version, info, df; and the errors that every call can meet."""

import os

import docker
from check import equal, raises, within

client = docker.from_env()

assert client.ping() is True
version = client.version()
for key in ["Version", "ApiVersion", "MinAPIVersion", "GitCommit", "GoVersion", "Os", "Arch", "KernelVersion", "Components"]:
    within(key, version)
equal(version["Os"], "linux")
# The client takes the older one of its own version and the engine's.
equal(client.api.api_version.split(".")[0], "1")
assert docker.DockerClient(os.environ["DOCKER_HOST"], version="1.40").ping(), "an older version is spoken, too"

info = client.info()
for key in ["ID", "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "Driver",
            "MemoryLimit", "NCPU", "MemTotal", "Name", "ServerVersion", "DockerRootDir", "Plugins", "SecurityOptions"]:
    within(key, info)
equal(info["OSType"], "linux")
equal(info["Swarm"]["LocalNodeState"], "inactive")
within("local", info["Plugins"]["Volume"])
within("bridge", info["Plugins"]["Network"])

# df: what is there, with sizes.
client.volumes.create("kept")
box = client.containers.create("base", "true", name="box")
df = client.df()
within("/box", [name for one in df["Containers"] for name in one["Names"]])
within("kept", [one["Name"] for one in df["Volumes"]])
within("base:latest", [tag for one in df["Images"] for tag in one["RepoTags"] or []])
assert df["LayersSize"] >= 0 and isinstance(df["BuildCache"], list | None)
assert all(isinstance(one["UsageData"]["Size"], int) for one in df["Volumes"])
box.remove()

# Each error has its class, its status and Docker's words.
raises(docker.errors.NotFound, lambda: client.containers.get("nobody"), 404, "No such container: nobody")
raises(docker.errors.ImageNotFound, lambda: client.images.get("nothing"), 404, "No such image: nothing:latest")
raises(docker.errors.NotFound, lambda: client.networks.get("nowhere"), 404, "network nowhere not found")
raises(docker.errors.NotFound, lambda: client.volumes.get("nowhere"), 404, "no such volume")
raises(docker.errors.APIError, lambda: client.containers.list(filters={"status": "upright"}), 400, "upright")
error = raises(docker.errors.APIError, lambda: client.containers.create("base", "true", mem_limit=1), 400, "emory")
assert error.is_client_error() and not error.is_server_error()
assert error.explanation, "the message is read from the JSON"
raises(docker.errors.APIError, lambda: client.containers.create("base", "true", name="/ /"), 400, "Invalid container name")
