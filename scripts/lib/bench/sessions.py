"""Sessions under load by Python's clients, as examples/load has them by others: the same containers, and the same last line.

sessions.py CLIENT ENDPOINT USERS SESSIONS, where CLIENT is docker-py (in a thread pool) or aiodocker.
"""

import asyncio
import json
import math
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

# As many as a FastAPI service has for what blocks, unless it says otherwise.
THREADS = 40
PATIENCE = 120
STOP_SECONDS = 2
LABEL = "load.run"


def body(run):
    """As examples/load/body.rs has it."""
    return {
        "Image": "catamaran/busybox:test",
        "Cmd": ["sleep", "3600"],
        "User": "65534:65534",
        "Labels": {LABEL: run},
        "HostConfig": {
            "Memory": 256 << 20,
            "MemorySwap": 256 << 20,
            "NanoCpus": 1_000_000_000,
            "PidsLimit": 128,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=67108864,mode=1777"},
            "NetworkMode": "none",
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10485760", "max-file": "3"}},
            "Init": True,
        },
    }


class DockerPy:
    """Each blocking call in a thread of a pool."""

    def __init__(self, endpoint, run):
        import docker

        self.api = docker.APIClient(base_url=endpoint, timeout=PATIENCE, num_pools=THREADS)
        self.pool = ThreadPoolExecutor(THREADS)
        self.body = body(run)
        self.run = run

    async def blocking(self, call, *words, **options):
        return await asyncio.get_running_loop().run_in_executor(self.pool, lambda: call(*words, **options))

    async def open(self):
        made = await self.blocking(self.api.create_container_from_config, self.body)
        await self.blocking(self.api.start, made["Id"])
        shown = await self.blocking(self.api.inspect_container, made["Id"])
        assert shown["State"]["Running"]
        return made["Id"]

    async def close(self, opened):
        await self.blocking(self.api.stop, opened, timeout=STOP_SECONDS)
        await self.blocking(self.api.remove_container, opened, v=True, force=True)

    async def left(self):
        found = await self.blocking(self.api.containers, all=True, filters={"label": f"{LABEL}={self.run}"})
        return [one["Id"] for one in found]

    async def remove(self, left):
        await self.blocking(self.api.remove_container, left, v=True, force=True)

    async def end(self):
        self.pool.shutdown()


class AioDocker:
    def __init__(self, endpoint, run):
        import aiodocker

        self.docker = aiodocker.Docker(url=endpoint)
        self.body = body(run)
        self.run = run

    async def open(self):
        made = await self.docker.containers.create(self.body)
        await made.start()
        shown = await made.show()
        assert shown["State"]["Running"]
        return made

    async def close(self, opened):
        await opened.stop(t=STOP_SECONDS)
        await opened.delete(force=True, v=True)

    async def left(self):
        return await self.docker.containers.list(all=True, filters={"label": [f"{LABEL}={self.run}"]})

    async def remove(self, left):
        await left.delete(force=True, v=True)

    async def end(self):
        await self.docker.close()


class Lag:
    """How late the event loop is, in milliseconds; what a late probe couldn't ask for counts, too (examples/load/lag.rs)."""

    def __init__(self):
        self.lates = []
        self.task = asyncio.create_task(self.probe())

    async def probe(self):
        while True:
            asked = time.monotonic()
            await asyncio.sleep(0.001)
            late = max(0.0, (time.monotonic() - asked) * 1e3 - 2)
            while True:
                self.lates.append(late)
                if late <= 1:
                    break
                late -= 1


class Threads:
    """Counts this process's threads, whatever the event loop does."""

    def __init__(self):
        self.most = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ended.wait(0.01):
            self.most = max(self.most, status("Threads"))

    def finish(self):
        self.ended.set()
        self.thread.join()
        return max(0, self.most - 1)


def status(name):
    with open("/proc/self/status") as text:
        return next(int(line.split()[1]) for line in text if line.startswith(name + ":"))


def percentile(values, share):
    """The nearest rank."""
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * share) - 1)] if values else 0.0


def spread(values):
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {"mean": sum(values) / max(1, len(values))} | {name: percentile(values, share) for name, share in shares.items()}


async def main(kind, endpoint, users, sessions):
    run = f"load-{uuid.uuid4().hex}"
    client = {"docker-py": DockerPy, "aiodocker": AioDocker}[kind](endpoint, run)
    threads, lag = Threads(), Lag()
    opens, errors, numbers = [], [], iter(range(sessions))
    began = time.monotonic()

    async def user():
        asked = began
        for _ in numbers:
            try:
                opened = await client.open()
                opens.append((time.monotonic() - asked) * 1e3)
                await client.close(opened)
            except Exception as error:
                errors.append(repr(error))
            asked = time.monotonic()

    await asyncio.gather(*(user() for _ in range(users)))
    seconds = time.monotonic() - began
    lag.task.cancel()
    left = await client.left()
    for one in left:
        await client.remove(one)
    await client.end()
    for error in sorted(set(errors))[:5]:
        print(error, file=sys.stderr)
    ok = sessions - len(errors)
    line = {
        "mode": kind,
        "users": users,
        "sessions": sessions,
        "ok": ok,
        "failed": len(errors),
        "open_ms": spread(opens),
        "warm_hits": 0,
        "sessions_per_min": ok / seconds * 60,
        "seconds": seconds,
        "loop_lag_ms": {"p50": percentile(lag.lates, 0.5), "p99": percentile(lag.lates, 0.99), "max": max(lag.lates, default=0)},
        "threads_peak": threads.finish(),
        "rss_peak_mb": status("VmHWM") / 1024,
        "left_over": len(left),
    }
    print(json.dumps(line))
    return 0 if ok == sessions and not left else 1


if __name__ == "__main__":
    kind, endpoint, users, sessions = sys.argv[1:]
    sys.exit(asyncio.run(main(kind, endpoint, int(users), int(sessions))))
