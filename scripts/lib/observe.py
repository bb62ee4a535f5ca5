"""The checks of scripts/observe: a service on a real engine, behind two roads to it that fail as they are told, scraped by a real
Prometheus and looked at by a real browser. Standard library only. Fails if something isn't told as it is."""

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse
from pathlib import Path

NAME = f"observe-{os.getpid()}"
OPERATOR, USER = secrets.token_hex(16), secrets.token_hex(16)
IMAGE = "catamaran/busybox:test"
BEGAN = time.time()
SLOW = 2.3  # above what counts as slow, 2 s
failures = []


def say(text):
    print(f"[{time.time() - BEGAN:5.1f} s] {text}", flush=True)


def check(name, so, detail=""):
    if not so:
        failures.append(name)
    say(f"{'ok  ' if so else 'FAIL'} {name}" + (f": {detail}" if detail and not so else ""))
    return so


def until(name, so, seconds=30):
    """Looks until it is so, and checks that it comes to be so in time."""
    end, last = time.time() + seconds, ""
    while time.time() < end:
        try:
            seen = so()
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen, last = None, f": {error!r}"
        if seen:
            return check(name, True) and seen
        time.sleep(0.2)
    check(name, False, f"not within {seconds} s{last}")
    return None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def exchange(connection, method, path, body=None, headers=None):
    try:
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {**(headers or {}), "Content-Type": "application/json"}
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def at_port(port, method, path, body=None, headers=None, timeout=60):
    return exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout), method, path, body, headers)


class Engine:
    """The real one, not by the roads."""

    def __init__(self, path):
        self.path = path

    def ask(self, method, path, body=None, headers=None):
        status, answer = exchange(UnixConnection(self.path), method, path, body, headers)
        if status >= 400 and not (method == "DELETE" and status == 404):
            raise ValueError(f"{method} {path}: {status} {answer[:200]}")
        return json.loads(answer) if answer.startswith((b"{", b"[")) else answer

    def of_service(self, kind):
        """What bears the label of this run's services."""
        path = {"containers": "/containers/json?all=1&", "volumes": "/volumes?", "networks": "/networks?"}[kind]
        found = []
        for label in ("catamaran.host", "catamaran.lease.host"):
            for name in (NAME, f"{NAME}-tight"):
                filters = urllib.parse.quote(json.dumps({"label": [f"{label}={name}"]}))
                answer = self.ask("GET", f"{path}filters={filters}")
                found += (answer.get("Volumes") or []) if kind == "volumes" else answer
        return found

    def remove_all(self):
        """What is left of this run's services, which is then gone."""
        left = []
        for kind, key, how in (("containers", "Id", "?force=1&v=1"), ("networks", "Id", ""), ("volumes", "Name", "?force=1")):
            for one in self.of_service(kind):
                left.append(f"{kind[:-1]} {(one.get('Names') or [one.get('Name')])[0]}")
                self.ask("DELETE", f"/{kind}/{one[key]}{how}")
        return left


class Road:
    """A way to the engine's socket: whole, cut, held (nothing comes through), slow, or one that changes what comes back."""

    def __init__(self, path, engine):
        self.path, self.engine, self.mode = str(path), engine, "whole"
        self.lock, self.open, self.listener, self.losses = threading.Lock(), set(), None, 0
        self.set("whole")

    def set(self, mode):
        self.mode = mode
        with self.lock:
            if mode == "cut" and self.listener:
                os.unlink(self.path)
                self.listener.shutdown(socket.SHUT_RDWR)
                self.listener.close()
                self.listener = None
            if mode != "cut" and not self.listener:
                self.listener = socket.socket(socket.AF_UNIX)
                self.listener.bind(self.path)
                self.listener.listen(512)
                threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
            broken = list(self.open) if mode == "cut" else []
        for one in broken:
            end(one)

    def accept(self, listener):
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self.engine)
            with self.lock:
                cut = self.mode == "cut"
                if not cut:
                    self.open |= {caller, engine}
            if cut:
                end(caller)
                end(engine)
                return
            for pump in (self.there, self.back):
                threading.Thread(target=pump, args=(caller, engine), daemon=True).start()

    def there(self, caller, engine):
        """What is asked."""
        for data in pieces(caller):
            while self.mode == "held":
                time.sleep(0.05)
            if self.mode == "slow":
                time.sleep(SLOW)
            if b"POST " in data and b"/containers/create" in data and self.losses > 0:
                self.losses -= 1
                with self.lock:
                    self.open.discard(engine)  # marks it: the answer to this one is lost
            if not sent(engine, data):
                break
        self.leave(caller, engine)

    def back(self, caller, engine):
        """What is answered."""
        for data in pieces(engine):
            if engine not in self.open:
                break
            if self.mode == "lying":
                data = data.replace(b'"RestartCount":0', b'"RestartCount":7')
            if not sent(caller, data):
                break
        self.leave(caller, engine)

    def leave(self, *both):
        with self.lock:
            self.open -= set(both)
        for one in both:
            end(one)


def pieces(of):
    try:
        while data := of.recv(65536):
            yield data
    except OSError:
        return


def sent(to, data):
    try:
        to.sendall(data)
        return True
    except OSError:
        return False


def end(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()


class Program:
    """One that was started here, ended by its id."""

    started = []

    def __init__(self, arguments, log, **more):
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=open(log, "ab"), stderr=subprocess.STDOUT, **more)
        Program.started.append(self)

    def end(self, how=signal.SIGTERM, patience=40):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Service:
    def __init__(self, binary, scratch, port, **more):
        self.port, self.log = port, scratch / f"service-{port}.log"
        variables = {
            "ADDR": f"127.0.0.1:{port}", "NAME": NAME, "TOKENS": f"{OPERATOR}:operator,{USER}:user", "OPERATORS": "operator",
            "IMAGE": IMAGE, "COMMAND": "sleep 600", "MEMORY": "32m", "OWNER_SESSIONS": "100", "REQUESTS": "200",
            "WARM": "2", "ON_SHUTDOWN": "close", "DRAIN": "5s", "OPEN_TIMEOUT": "30s", "AUDIT": str(scratch / "audit" / "audit.jsonl"),
        }
        environment = {**os.environ, **{f"SESSION_SERVICE_{name}": value for name, value in variables.items()}, **more}
        self.program = Program([binary], self.log, env=environment)

    def ask(self, method, path, body=None, token=USER):
        if (code := self.program.process.poll()) is not None:
            raise OSError(f"the service of port {self.port} has ended ({code})")
        status, answer = at_port(self.port, method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
        return status, (json.loads(answer) if answer.startswith(b"{") and b"\n{" not in answer else answer)

    def health(self):
        return self.ask("GET", "/health", token=None)[1]

    def is_ready(self):
        return self.ask("GET", "/ready", token=None)[0] == 200


class Load:
    """Users who open sessions, run something there, and close them, again and again."""

    def __init__(self, service, users):
        self.service, self.over, self.done, self.failed = service, threading.Event(), 0, 0
        self.threads = [threading.Thread(target=self.user, args=(n,), daemon=True) for n in range(users)]

    def user(self, number):
        turn = 0
        while not self.over.is_set():
            turn += 1
            path = f"/sessions/load-{number}-{turn}"
            try:
                opened = self.service.ask("POST", "/sessions", {"name": path.rsplit("/", 1)[1]})[0]
                if opened < 300:
                    self.service.ask("POST", f"{path}/exec", {"command": ["true"]})
                    self.service.ask("DELETE", path)
                self.done, self.failed = self.done + (opened < 300), self.failed + (opened >= 300)
                if opened >= 300:
                    time.sleep(0.1)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(40)
        # A close may have been refused, or have met a road that was cut.
        end = time.time() + 30
        while time.time() < end:
            _, told = self.service.ask("GET", "/sessions")
            if isinstance(told, dict) and "sessions" in told:
                left = [one["name"] for one in told["sessions"] if one["name"].startswith("load-")]
                if not left:
                    return
                for name in left:
                    self.service.ask("DELETE", f"/sessions/{name}")
            time.sleep(0.1)


class Prometheus:
    """On a copy of the rules in which all times are short, so that what takes ten minutes is seen in half of one."""

    SHORT = ((r"\[5m\]", "[15s]"), (r"\[10m\]", "[20s]"), (r"offset 10m", "offset 20s"), (r"for: \d+m", "for: 2s"))

    def __init__(self, scratch, port, targets):
        rules = Path("docs/prometheus/alerts.yml").read_text()
        for long, short in self.SHORT:
            rules = re.sub(long, short, rules)
        (scratch / "rules.yml").write_text(rules)
        targets = json.dumps([f"127.0.0.1:{target}" for target in targets])
        (scratch / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: catamaran, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        subprocess.run(["promtool", "check", "config", scratch / "prometheus.yml"], check=True, stdout=subprocess.DEVNULL)
        self.names = re.findall(r"- alert: (\w+)", rules)
        self.port = port
        self.program = Program(
            ["prometheus", f"--config.file={scratch}/prometheus.yml", f"--storage.tsdb.path={scratch}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], scratch / "prometheus.log")

    def ask(self, what, **parameters):
        query = urllib.parse.urlencode(parameters)
        return json.loads(at_port(self.port, "GET", f"/api/v1/{what}?{query}")[1])["data"]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def is_over(self, *names):
        """Waits until none of them fires, so that what fires next does for what is done next."""
        end = time.time() + 60
        while self.firing() & set(names) and time.time() < end:
            time.sleep(0.2)
        check(f"{', '.join(names)}: not yet", not self.firing() & set(names))

    def fires(self, *names, seconds=30):
        for name in names:
            until(f"{name} fires", lambda name=name: name in self.firing(), seconds)


class Browser:
    """Chromium by its DevTools: narrower than 500 px it makes no window, yet a telephone's view."""

    def __init__(self, scratch, url):
        place = scratch / "browser"
        arguments = ["chromium", "--headless=new", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                     "--remote-debugging-port=0", f"--user-data-dir={place}", "about:blank"]
        if os.getuid() == 0:
            arguments.insert(1, "--no-sandbox")
        self.program = Program(arguments, scratch / "browser.log")
        told = place / "DevToolsActivePort"

        def page():
            lines = told.read_text().split()
            pages = json.loads(at_port(int(lines[0]), "GET", "/json/list")[1]) if lines else []
            addresses = (urllib.parse.urlparse(page["webSocketDebuggerUrl"]) for page in pages if page["type"] == "page")
            return next(addresses, None)

        found = until("the browser starts", page, 30)
        port, path = found.port, found.path
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.input = self.socket.makefile("rb")
        while self.input.readline().strip():
            pass
        self.count, self.complaints = 0, []
        for domain in ("Page", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def call(self, method, **parameters):
        self.count += 1
        text = json.dumps({"id": self.count, "method": method, "params": parameters}).encode()
        mask = secrets.token_bytes(4)
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
        self.socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text)))
        while True:
            told = json.loads(self.message())
            if told.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                entry = told["params"].get("entry", {})
                # That /health answers 503, or nothing, is what is looked at.
                if entry.get("source") != "network":
                    self.complaints.append(entry.get("text") or str(told["params"])[:300])
            if told.get("id") == self.count:
                return told["result"]

    def message(self):
        whole = b""
        while True:
            first, second = self.input.read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self.input.read(2 if size == 126 else 8), "big")
            data = self.input.read(size)
            if first & 0x0F < 3:
                whole += data
                if first & 0x80:
                    return whole

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text(self, element):
        return self.value(f"document.getElementById('{element}').textContent")

    def picture(self, path, width, dark=False):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        overflow = self.value("document.documentElement.scrollWidth")
        check(f"at {width} px nothing is wider than the page", overflow <= width, f"{overflow} px")
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))


class Run:
    def __init__(self, options):
        self.options, self.scratch = options, Path(options.scratch)
        self.shots = Path(options.screenshots)
        self.shots.mkdir(parents=True, exist_ok=True)
        host = os.environ["DOCKER_HOST"]
        if not host.startswith("unix://"):
            sys.exit(f"DOCKER_HOST={host}: the roads lead to a Unix socket")
        self.engine = Engine(host.removeprefix("unix://"))
        (self.scratch / "audit").mkdir()
        self.one = Road(self.scratch / "one.sock", self.engine.path)
        self.other = Road(self.scratch / "other.sock", self.engine.path)
        self.ports = free_ports(3)

    def start(self, port=None, **more):
        environment = {
            "DOCKER_HOST": f"unix://{self.one.path}", "DOCKER_FALLBACK_HOST": f"unix://{self.other.path}",
            "DOCKER_OPERATION_TIMEOUT": "8s", "ASYNC_DOCKER_SHADOW": "20", "ASYNC_POOL_SIZE": "64", **more,
        }
        return Service(self.options.service, self.scratch, port or self.ports[0], **environment)

    def image(self):
        names = [name for image in self.engine.ask("GET", "/images/json") for name in image.get("RepoTags") or []]
        if not any(name.endswith(IMAGE) for name in names):
            tar = Path(os.environ["CATAMARAN_TEST_ROOTFS"]).read_bytes()
            self.engine.ask("POST", "/images/create?fromSrc=-&repo=catamaran/busybox&tag=test", tar, {"Content-Type": "application/x-tar"})

    def look(self, name, *pictures):
        """What the page says, and how it looks: by width and whether in the dark."""
        def same():
            before = self.service.health()["status"]
            return self.browser.text("status") == before == self.service.health()["status"] and before
        status = until(f"the page says what /health says ({name})", same, 15)
        for width, dark in pictures:
            self.browser.picture(self.shots / f"{name}-{width}{'-dark' if dark else ''}.png", width, dark)
        return status

    def run(self):
        self.image()
        say("the rules' times are shortened: " + ", ".join(f"{long.replace(chr(92) + 'd+', '…').replace(chr(92), '')} to {short}" for long, short in Prometheus.SHORT))
        self.prometheus = Prometheus(self.scratch, self.ports[2], self.ports[:2])
        until("Prometheus answers", lambda: self.prometheus.ask("status/runtimeinfo"))
        self.prometheus.fires("CatamaranMetricsAbsent")
        self.browser = Browser(self.scratch, f"http://127.0.0.1:{self.ports[0]}/")
        for part in (self.well, self.death, self.held, self.one_cut, self.both_cut, self.tight, self.changed_answers, self.no_audit,
                     self.slow, self.recovery, self.metrics, self.ending):
            say(f"-- {part.__doc__}")
            part()

    def death(self):
        """The instance dies: what it leaves is weakened, and a volume is nobody's"""
        self.service.program.end(signal.SIGKILL)
        left = next(one for one in self.engine.of_service("containers") if any(".left" in name for name in one["Names"]))
        self.engine.ask("POST", f"/containers/{left['Id']}/update", {"Memory": 64 << 20, "MemorySwap": 64 << 20})
        labels = {name: left["Labels"][name] for name in ("catamaran.host", "catamaran.instance")}
        labels["catamaran.session"] = "00000000-0000-4000-8000-000000000000"
        self.engine.ask("POST", "/volumes/create", {"Name": f"{NAME}-stray", "Labels": labels})
        self.service = self.start()
        until("the next instance is ready", self.service.is_ready, 60)
        until("it has adopted the session", lambda: self.service.ask("GET", "/sessions/left")[0] == 200)
        self.prometheus.fires("CatamaranLimitsNotEffective", "CatamaranOrphansFound", seconds=45)

    def held(self):
        """The async engine's road is held, under a burst of reads"""
        self.prometheus.is_over("CatamaranAsyncPathFailing")
        self.service.ask("PUT", "/sessions/left/files/tmp/x", "x")
        self.one.set("held")
        read = lambda: self.service.ask("GET", "/sessions/left/files/tmp/x")
        burst = [threading.Thread(target=read, daemon=True) for _ in range(120)]
        for thread in burst:
            thread.start()
        self.prometheus.fires("CatamaranAsyncPathFailing")
        self.one.set("whole")
        for thread in burst:
            thread.join(30)

    def well(self):
        """Nothing fails"""
        self.service = self.start()
        until("an instance is ready", self.service.is_ready, 60)
        for name in ("left", "one", "two", "three"):
            self.service.ask("POST", "/sessions", {"name": name})
        with Load(self.service, 2):
            time.sleep(2)
            status = self.look("well", (1280, False), (390, False), (1280, True))
        say(f"     it is {status}: {'; '.join(self.service.health()['reasons']) or 'without a reason not to be healthy'}")
        check("no alert fires", not self.prometheus.firing(), str(self.prometheus.firing()))

    def slow(self):
        """The async engine's road is slow"""
        self.prometheus.is_over("CatamaranSlowEngine")
        self.one.set("slow")
        with Load(self.service, 24):
            self.prometheus.fires("CatamaranSlowEngine")
            self.one.set("whole")

    def one_cut(self):
        """The async engine's road is cut: the blocking engine takes over by the other one"""
        self.prometheus.is_over("CatamaranBreakerOpen", "CatamaranFallbackShare")
        with Load(self.service, 6) as load:
            time.sleep(1)
            self.one.set("cut")
            before = load.done
            self.prometheus.fires("CatamaranBreakerOpen", "CatamaranFallbackShare")
            until("sessions are served meanwhile", lambda: load.done > before + 5)
            check("it is ready", self.service.is_ready())
            self.look("fallback", (1280, False))
            self.one.set("whole")
            until("the async engine serves again", lambda: self.service.health()["engines"][0]["breaker"] == "closed")

    def both_cut(self):
        """Both roads are cut"""
        self.prometheus.is_over("CatamaranNoPath")
        self.one.set("cut")
        self.other.set("cut")
        with Load(self.service, 2):
            until("the page says unhealthy", lambda: self.browser.text("status") == "unhealthy", 10)
            self.look("cut", (1280, False), (390, False))
            check("/live is 200", self.service.ask("GET", "/live", token=None)[0] == 200)
            code, ready = self.service.ask("GET", "/ready", token=None)
            check("/ready is 503 and says why", code == 503 and "no container engine answers" in ready["reasons"], str(ready))
            self.prometheus.fires("CatamaranNoPath", "CatamaranLeaseLost")
            self.one.set("whole")
            self.other.set("whole")
            until("it is ready again", self.service.is_ready)

    def changed_answers(self):
        """Answers to creations are lost, and the blocking engine's answers are changed on their way"""
        self.one.losses = 3
        self.other.set("lying")
        told = (b"catamaran_shadow_differences_total", b"catamaran_resolutions_total")
        with Load(self.service, 3):
            until("it tells of both", lambda: self.one.losses == 0 and all(name in self.service.ask("GET", "/metrics", token=None)[1] for name in told), 60)
        self.other.set("whole")
        self.one.losses = 0

    def no_audit(self):
        """The audit log's directory is away"""
        away = self.scratch / "away"
        (self.scratch / "audit").rename(away)
        # What was under way may still be written to the file, which is there, if elsewhere.
        opens = lambda name: self.service.ask("POST", "/sessions", {"name": name})[0] < 300
        until("what can't be recorded isn't done", lambda: not opens(f"unproven-{secrets.token_hex(4)}"))
        self.prometheus.fires("CatamaranAuditFailing")
        away.rename(self.scratch / "audit")
        until("once it is back, sessions are opened again", lambda: opens("proven"))

    def tight(self):
        """Another service, by one road for both engines: too many ask at once, and the road is cut"""
        self.prometheus.is_over("CatamaranQueueSaturated", "CatamaranEngineRestarted", "CatamaranNoPath")
        tight = self.start(self.ports[1], ASYNC_POOL_SIZE="1", ASYNC_QUEUE_SIZE="1", DOCKER_FALLBACK_HOST="",
                           SESSION_SERVICE_NAME=f"{NAME}-tight", SESSION_SERVICE_WARM="0", SESSION_SERVICE_AUDIT="")
        until("it answers", lambda: tight.ask("GET", "/live")[0] == 200)
        with Load(tight, 12):
            self.prometheus.fires("CatamaranQueueSaturated")
        with Load(tight, 1):
            self.one.set("cut")
            self.prometheus.fires("CatamaranNoPath")
            self.one.set("whole")
            self.prometheus.fires("CatamaranEngineRestarted")
            until("it is ready again", tight.is_ready)
        until("what has fired for it is over", lambda: not self.prometheus.firing() & {"CatamaranNoPath"})
        tight.program.end()

    def recovery(self):
        """All is well again, and what was told is over: some of it looks back on a minute, and waits for another"""
        code, told = self.service.ask("PUT", "/rollout", {"percent": 50}, OPERATOR)
        check("an operator turns the rollout", code == 200 and told["before"] == 100, str(told))
        check("nobody else does", self.service.ask("PUT", "/rollout", {"percent": 50})[0] == 403)
        until("Prometheus says that all alerts are over", lambda: not self.prometheus.firing(), 100)
        until("so does the service", lambda: not self.service.health()["alerts"], 135)
        status = self.look("recovered", (1280, False), (390, True))
        say(f"     it is {status}: {'; '.join(self.service.health()['reasons']) or 'without a reason not to be healthy'}")
        check("the page breaks no rule of its policy", not self.browser.complaints, str(self.browser.complaints))

    def metrics(self):
        """Every metric of docs/metrics.md is there, as what it is said to be"""
        rows = re.findall(r"^\| `(catamaran_\w+)` \| (\w+) \| (\w*) ?\| ([^|]*)\|", Path("docs/metrics.md").read_text(), re.M)
        check("docs/metrics.md lists metrics", len(rows) > 20, str(len(rows)))
        metadata = self.prometheus.ask("metadata")
        missing = []
        for name, kind, unit, labels in rows:
            wanted = set(re.findall(r"\w+", labels))
            match = name + "_bucket" if kind == "histogram" else name
            series = self.prometheus.ask("series", **{"match[]": match, "start": BEGAN})
            kinds = {entry["type"] for entry in metadata.get(name, [])}
            named = name.endswith({"counter": "_total", "histogram": f"_{unit}"}.get(kind, "")) and bool(unit) == name.endswith("_seconds")
            has = set().union(*series) - {"__name__", "instance", "job", "le"} if series else set()
            if not series or kinds != {kind} or not named or has != wanted:
                missing.append(f"{name}: {len(series)} series of {kinds or 'no kind'} with {sorted(has)}, not {kind} with {sorted(wanted)}")
        check(f"all {len(rows)} metrics are there, with their kinds, units and labels", not missing, "; ".join(missing))
        own = {one["metric"]["alert"] for one in self.prometheus.ask("query", query="max_over_time(catamaran_alerts_active[10m]) > 0")["result"]}
        source = Path("src/telemetry/alerts/alert.rs").read_text()
        kinds = set(re.findall(r'Self::\w+ => "(\w+)"', source)) - {"info", "warning", "critical"}
        check("the service itself has raised every alert, too", own == kinds, str(sorted(kinds ^ own)))

    def ending(self):
        """The service is stopped"""
        self.service.program.end()
        self.audit()
        # Its page has been left alone.
        until("the page says that nobody answers", lambda: self.browser.text("when").startswith("no answer since"), 15)
        self.browser.picture(self.shots / "gone-1280.png", 1280)
        left = self.engine.remove_all()
        check("nothing is left at the engine", not left, ", ".join(left))


    def audit(self):
        """Each record's hash is of its line up to there, and the next record has it, too: over two processes and a fault."""
        records, broken, last = 0, 0, None
        for line in (self.scratch / "audit" / "audit.jsonl").read_text().splitlines():
            record, records = json.loads(line), records + 1
            own = hashlib.sha256(line.rsplit(',"hash":', 1)[0].encode()).hexdigest()
            linked = "begins" in record or record["seq"] == 1 or record["prev"] == last
            broken += own != record["hash"] or not linked
            last = record["hash"] if "seq" in record else last
        check(f"the audit's chain of {records} lines holds", records > 10 and not broken, f"{broken} broken")


def free_ports(count):
    """Ports that the system gives to nobody who asks it for any, as the browser does before the last of them is taken."""
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = []
    # Below 20000 there are some that browsers refuse.
    for port in random.sample(range(20000, max(given, 21000)), 1000):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    sys.exit(f"fewer than {count} of 1000 ports are free")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--scratch", "--screenshots", "--service"):
        parser.add_argument(option, required=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(parser.parse_args())
    try:
        run.run()
    except Exception as error:
        traceback.print_exc()
        failures.append(f"the run ended early: {error!r}")
    finally:
        run.one.set("whole")
        run.other.set("whole")
        for program in reversed(Program.started):
            program.end()
        run.engine.remove_all()
    if failures:
        for log in sorted(run.scratch.glob("*.log")):
            print(f"---- the end of {log.name}")
            print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-25:]))
        sys.exit(f"{len(failures)} failed: " + "; ".join(failures))
    say(f"all is told as it is; screenshots: {run.shots}")


if __name__ == "__main__":
    main()
