"""One line per container, network, volume or image in an engine's answer (standard input): kind, name, id."""

import json
import sys

kind, answer = sys.argv[1], json.load(sys.stdin)
rows = answer.get("Volumes") if isinstance(answer, dict) else answer
for row in rows or []:
    names = row.get("Names") or row.get("RepoTags") or [row.get("Name") or "unnamed"]
    if kind != "image" or names != ["catamaran/busybox:test"]:
        print(kind, ",".join(names), row.get("Id", "").removeprefix("sha256:")[:12])
