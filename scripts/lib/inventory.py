"""One line per container, network, volume or image in an engine's answer (standard input): kind, name, id."""

import json
import sys

kind, answer = sys.argv[1], json.load(sys.stdin)
rows = answer.get("Volumes") if isinstance(answer, dict) else answer
for row in rows or []:
    names = row.get("Names") or row.get("RepoTags") or [row.get("Name") or "unnamed"]
    # Podman names a registry before it: localhost/catamaran/busybox:test.
    if kind != "image" or not all(name.endswith("catamaran/busybox:test") for name in names):
        print(kind, ",".join(names), row.get("Id", "").removeprefix("sha256:")[:12])
