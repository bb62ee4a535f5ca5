"""What fuzzing begins with, for each target in a folder of its own beneath the one that is named: answers that engines
gave (tests/replay), and archives, logs, names and specs as there are."""

import io
import json
import pathlib
import sys
import tarfile

corpus = pathlib.Path(sys.argv[1])


def seed(target, name, contents):
    (corpus / target / f"seed-{name}").write_bytes(contents)


def frame(stream, text):
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def answers():
    for path in sorted(pathlib.Path("tests/replay").glob("*/*.json")):
        recorded = json.loads(path.read_text())
        name = f"{path.parent.name}-{path.stem}"
        messages = [
            message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
            for message in recorded.get("messages", [])
        ]
        for number, message in enumerate(messages):
            seed("answers", f"{name}-{number}", message.encode())
        if len(messages) > 1:
            seed("streams", name, b"\x40" + "\r\n".join(messages).encode())
        status = recorded.get("status", 200)
        headers = recorded.get("headers", {})
        header = headers.get("x-docker-container-path-stat", headers.get("api-version", ""))
        if status >= 400 or path.stem in ("stat", "ping"):
            body = "".join(messages).encode()
            seed("refusals", name, status.to_bytes(2, "big") + header.encode() + b"\n" + body)


def streams():
    output = frame(1, b"out\n") + frame(2, b"") + frame(2, b"error\n") + frame(0, b"more")
    seed("streams", "frames", b"\x05" + output)
    seed("streams", "system-error", b"\x40" + output + frame(3, b"the log driver failed"))
    pull = '{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"a1"}\n{"error":"no"}'
    seed("streams", "pull", b"\x09" + pull.encode())
    one, two = b"2026-11-24T15:32:07.271699179Z ", b"2026-11-24T15:32:07.5+01:00 "
    console = one + b"a\r\n" + one + b"\n" + two + b"long" + two + b", longer\n" + two + b"no end"
    seed("follow", "console", b"\x00\x07\xff" + console)
    seed("follow", "framed", b"\x01\x07\xff" + one + b"a\n" + two + b"b\n" + one + b"c\n")


def archive(form):
    def add(name, kind, contents=b"", link="", mode=0o644, **more):
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname, entry.mode = kind, len(contents), link, mode
        entry.pax_headers = more
        packed.addfile(entry, io.BytesIO(contents))

    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as packed:
        add("w", tarfile.DIRTYPE, mode=0o755)
        add("w/file", tarfile.REGTYPE, b"contents\n", mode=0o4755)
        add("w/hard", tarfile.LNKTYPE, link="w/file")
        add("w/link", tarfile.SYMTYPE, link="../elsewhere")
        add("w/pipe", tarfile.FIFOTYPE)
        add("w/deep/er/", tarfile.DIRTYPE)
        add("w/old/", tarfile.AREGTYPE)
        if form != tarfile.USTAR_FORMAT:
            add("w/" + "long/" * 40 + "ä", tarfile.REGTYPE, b"x", comment="pax")
            add("w/far", tarfile.SYMTYPE, link="up/" * 60)
    return written.getvalue()


def archives():
    for name in ("USTAR", "GNU", "PAX"):
        seed("archives", name.lower(), archive(getattr(tarfile, f"{name}_FORMAT")))
    one = io.BytesIO()
    with tarfile.open(fileobj=one, mode="w") as packed:
        entry = tarfile.TarInfo("file")
        entry.size = 5
        packed.addfile(entry, io.BytesIO(b"alone"))
    seed("archives", "file", one.getvalue())


def names():
    digest = "sha256:" + "f" * 64
    for number, name in enumerate([
        "web-1", "catamaran.test_2", "4fa6e0f0c678", "/work/a b/ü", "SIGUSR1", "RTMIN+3", "10.1.0.0/16", "fd00::/64",
        "registry.example:5000/team/app:1.2", f"[2001:db8::1]:5000/repo@{digest}", digest, "org.example/owner",
        "container:web", "host", "1.44", "linux/arm64", "unix:///run/docker.sock", "tcp://127.0.0.1:2375",
        "https://[2001:db8::7]:2376", "KEY=value", "0-2,7", "NET_ADMIN", "1000:1000", '{"defaultAction":"SCMP_ACT_ERRNO"}',
    ]):
        seed("names", number, name.encode())
        seed("texts", number, name.encode())


CONTAINER = {
    "image": "busybox:1", "name": "job-42", "command": ["echo", "x"], "entrypoint": ["/bin/sh", "-c"],
    "env": {"MODE": "batch"}, "labels": {"owner": "alice"}, "working_dir": "/work", "hostname": "job",
    "tty": False, "stdin": True, "stdin_once": True,
    "resources": {
        "memory": 268435456, "memory_swap": {"total": 268435456}, "memory_reservation": 134217728, "cpus": 0.5,
        "cpu_shares": 512, "cpuset_cpus": "0-2,7", "pids": 64, "ulimits": [{"name": "nofile", "soft": 64, "hard": 128}],
        "shm_size": 1048576, "disk": 1073741824,
    },
    "security": {
        "cap_drop": ["ALL"], "cap_add": ["NET_BIND_SERVICE"], "no_new_privileges": True, "read_only_root": True,
        "tmpfs": {"/tmp": {"size": 67108864, "mode": 1023, "exec": False}}, "user": "65534:65534",
        "seccomp": "unconfined", "apparmor": "docker-default", "runtime": "runc", "network": "none", "privileged": False,
    },
    "mounts": [
        {"kind": {"bind": "/source"}, "target": "/target", "read_only": True},
        {"kind": {"volume": "data"}, "target": "/data"},
        {"kind": {"tmpfs": 4096}, "target": "/memory"},
    ],
    "ports": [{"container_port": 80, "protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 8080}],
    "health_check": {
        "test": {"Shell": "true"}, "interval": {"secs": 30, "nanos": 0}, "timeout": {"secs": 1, "nanos": 5},
        "start_period": {"secs": 2, "nanos": 0}, "start_interval": {"secs": 1, "nanos": 0}, "retries": 3,
    },
    "log": {"driver": "json-file", "options": {"max-size": "10m"}},
    "restart_policy": {"on_failure": 3},
    "devices": [{"driver": "nvidia", "count": {"count": 1}, "capabilities": [["gpu"]], "options": {"a": "b"}}],
    "init": True, "stop_signal": "SIGINT", "stop_timeout": {"secs": 5, "nanos": 1}, "platform": "linux/arm64",
    "strict": True,
}
NETWORK = {
    "name": "net", "driver": "bridge", "internal": True, "attachable": False, "ipv6": True, "labels": {"a": "b"},
    "options": {"o": "p"},
    "subnets": [
        {"subnet": "10.1.0.0/16", "ip_range": "10.1.2.0/24", "gateway": "10.1.0.1"}, {"subnet": "fd00::/64"},
    ],
}
VOLUME = {"name": "data", "driver": "local", "options": {"type": "tmpfs"}, "labels": {"a": "b"}}


def specs():
    kinds = {"container": CONTAINER, "network": NETWORK, "volume": VOLUME}
    for name, spec in kinds.items():
        seed("specs", name, json.dumps(spec, separators=(",", ":")).encode())
    for key, value in CONTAINER.items():
        part = {"image": "busybox", key: value}
        seed("specs", f"container-{key}", json.dumps(part, separators=(",", ":")).encode())
    others = [{"Command": ["true"]}, "Disabled"]
    for number, test in enumerate(others):
        part = {"image": "busybox", "health_check": {"test": test}}
        seed("specs", f"check-{number}", json.dumps(part, separators=(",", ":")).encode())


for make in (answers, streams, archives, names, specs):
    make()
