"""Makes a container image of a folder, to be imported by containerd: image.py NAME OUT.tar FOLDER ENV,... COMMAND..."""

import hashlib
import io
import json
import sys
import tarfile

name, out, folder, env, *command = sys.argv[1:]


def packed(fill):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        fill(archive)
    return content.getvalue()


def digest(content):
    return hashlib.sha256(content).hexdigest()


layer = packed(lambda archive: archive.add(folder, arcname="."))
config = json.dumps({
    "architecture": "amd64", "os": "linux", "config": {"Cmd": command, "Env": env.split(",")},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}, "history": [{}],
}).encode()
manifest = json.dumps([{"Config": digest(config) + ".json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()

with tarfile.open(out, "w") as archive:
    for path, content in ((digest(config) + ".json", config), ("layer.tar", layer), ("manifest.json", manifest)):
        entry = tarfile.TarInfo(path)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
