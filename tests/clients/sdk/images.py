"""Images, from the registry that the first argument names: pull, list, inspect, tag, history, remove."""

import sys

import docker
from check import equal, raises, within

client = docker.from_env()
repository = f"{sys.argv[1]}/some/box"

image = client.images.pull(repository, tag="1")
equal(image.tags, [f"{repository}:1"])
equal(len(image.id), len("sha256:") + 64)
equal(image.short_id, image.id[:19])
equal(image.labels, {})
equal(client.images.get(f"{repository}:1"), image)
equal((image.attrs["Os"], image.attrs["Config"]["Cmd"]), ("linux", ["sh"]))
within(f"{repository}@sha256:", image.attrs["RepoDigests"][0])
equal(len(image.attrs["RootFS"]["Layers"]), 2)
assert image.attrs["Size"] > 0
within("canoa's tests", image.history()[0]["CreatedBy"])

lines = list(client.api.pull(repository, tag="1", stream=True, decode=True))
equal(lines[-1]["status"], f"Status: Image is up to date for {repository}:1")
equal([one.tags for one in client.images.pull(repository, all_tags=False, tag="1") and [image]], [[f"{repository}:1"]])
data = client.images.get_registry_data if False else None

assert image.tag("mine", tag="2") is True
assert image.tag("mine:3") is True
image.reload()
equal(sorted(image.tags), sorted([f"{repository}:1", "mine:2", "mine:3"]))
equal(sorted(tag for one in client.images.list("mine") for tag in one.tags if "mine" in tag), ["mine:2", "mine:3"])
equal([one.id for one in client.images.list(filters={"reference": "mine:2"})], [image.id])
equal(client.images.list(filters={"dangling": True}), [])
assert len(client.images.list(all=True)) >= 1

equal(client.containers.run("mine:2", "cat /etc/note", remove=True), b"the upper layer\n")
box = client.containers.create("mine:2", "true")
client.images.remove("mine:3")
raises(docker.errors.ImageNotFound, lambda: client.images.get("mine:3"), 404, "No such image: mine:3")
raises(docker.errors.APIError, lambda: client.images.remove(image.id), 409)
box.remove()
client.images.remove(image.id, force=True)
raises(docker.errors.ImageNotFound, image.reload, 404)
raises(docker.errors.ImageNotFound, lambda: client.images.remove("mine:3"), 404, "No such image: mine:3")
client.images.prune(filters={"dangling": True})
raises(docker.errors.APIError, lambda: client.images.pull(f"{sys.argv[1]}:1/nonsense:x:y"), 400)
