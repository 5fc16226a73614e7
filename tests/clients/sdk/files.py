"""Files in and out: put_archive, get_archive, export, commit where it exists."""

import io
import stat
import tarfile

import docker
from check import equal, raises, within

client = docker.from_env()

def tar_of(name, content):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.uid = len(content), 0o640, 7
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()

def files_of(chunks):
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        return {member.name: archive.extractfile(member).read() if member.isfile() else None for member in archive}

for running in [False, True]:
    box = client.containers.create("base", "sleep 1000")
    if running:
        box.start()
    assert box.put_archive("/root", tar_of("cargo", b"grain")) is True
    assert box.put_archive("/root", io.BytesIO(tar_of("stream", b"of bytes"))) is True
    chunks, info = box.get_archive("/root/cargo")
    equal((info["name"], info["size"], stat.S_IMODE(info["mode"]), info["linkTarget"]), ("cargo", 5, 0o640, ""))
    within("T", info["mtime"])
    equal(files_of(chunks), {"cargo": b"grain"})
    chunks, info = box.get_archive("/root", chunk_size=512, encode_stream=True)
    assert info["mode"] & 1 << 31, "a folder, in Go's bits"
    equal(files_of(chunks)["root/stream"], b"of bytes")
    within("root/cargo", files_of(box.export()))
    raises(docker.errors.NotFound, lambda: box.get_archive("/nowhere"), 404, "/nowhere")
    raises(docker.errors.NotFound, lambda: box.put_archive("/nowhere", tar_of("x", b"")), 404, "/nowhere")
    if running:
        equal(box.exec_run("ls -n /root/cargo").output.split()[:3], [b"-rw-r-----", b"1", b"7"])
    box.remove(force=True)
