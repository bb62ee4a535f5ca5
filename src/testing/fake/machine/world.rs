//! The world of one container: its files, which outlive its runs, and the processes of the present one.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::errno::{Errno, Result};
use super::files::{Mount, MountKind, Space, Told, View};
use super::io::{Open, OutputSender, Stream, Table, Terminal};
use super::node::{Device, Node, Quota};
use super::process::{Made, Proc, Task};
use super::programs::{self, Context};
use super::tree::parts_of;
use super::{Command, Limits, Mounted, Running, Setup, SpawnError, Tree, What};

/// What a process takes, at least.
const BASE_MEMORY: u64 = 300 << 10;
/// What all may hold where there is no limit: the test's host isn't to run out of memory.
const MOST_MEMORY: u64 = 256 << 20;
/// Pieces of output that wait for the engine.
const WAITING: usize = 16;

pub(crate) struct World {
    setup: Setup,
    limits: Mutex<Limits>,
    layers: Arc<Space>,
    image: Arc<Node>,
    mounts: Mutex<Arc<Vec<Mount>>>,
    processes: Mutex<BTreeMap<u32, Arc<Proc>>>,
    next_pid: AtomicU32,
    frozen: AtomicBool,
    /// Processor time of those that have gone.
    spent: Mutex<Duration>,
    /// Who listens at which port.
    ports: Mutex<BTreeMap<u16, mpsc::Sender<Connection>>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// `/dev`: one for all, until somebody writes to it.
static DEVICES: LazyLock<Arc<Node>> = LazyLock::new(|| {
    let devices = [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("random", Device::Random),
        ("urandom", Device::Random),
        ("full", Device::Full),
        ("tty", Device::Terminal),
    ];
    let devices = devices.map(|(name, device)| (name.to_owned(), Node::device(device)));
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    let links = links.map(|(name, target)| (name.to_owned(), Node::link(target)));
    let shared = ("shm".to_owned(), Node::directory(0o1777));
    let entries = devices.into_iter().chain(links).chain([shared]);
    Arc::new(Node::directory(0o755).with(entries))
});

/// Where what is made up as it is read would be.
static NOWHERE: LazyLock<Arc<Space>> =
    LazyLock::new(|| Space::new(Arc::new(Node::directory(0o555)), None));

const ETC: [&str; 1] = ["etc"];

/// `/sys` without anything but a loopback: most have no other.
static ALONE: LazyLock<Arc<Node>> = LazyLock::new(|| Arc::new(sys(&["lo".to_owned()])));

/// `/sys`, as far as it tells of network interfaces.
fn system(interfaces: &[String]) -> Arc<Node> {
    match interfaces {
        [lo] if lo == "lo" => Arc::clone(&ALONE),
        interfaces => Arc::new(sys(interfaces)),
    }
}

fn sys(interfaces: &[String]) -> Node {
    let net = interfaces
        .iter()
        .map(|name| (name.clone(), Node::directory(0o755)));
    let net = Node::directory(0o755).with(net);
    let class = Node::directory(0o755).with([("net".to_owned(), net)]);
    Node::directory(0o755).with([("class".to_owned(), class)])
}

/// One end of a connection between machines.
pub(super) struct Connection {
    pub(super) read: Arc<Open>,
    pub(super) write: Arc<Open>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(tree: &Tree, setup: Setup) -> Arc<Self> {
        let mut root = Arc::clone(&tree.root);
        let points = setup.mounts.iter().map(|mount| parts_of(&mount.target));
        for point in points.chain([
            vec!["dev".to_owned()],
            vec!["proc".to_owned()],
            vec!["sys".to_owned()],
        ]) {
            // Engines make what they mount on.
            for length in 1..=point.len() {
                let Some((name, above)) = point.get(..length).and_then(|point| point.split_last())
                else {
                    continue;
                };
                if let Err(Errno::NoEntry) = root.at(point.get(..length).unwrap_or_default())
                    && let Ok(entries) = root.at_mut(above).and_then(Node::entries_mut)
                {
                    entries.insert(name.clone(), Arc::new(Node::directory(0o755)));
                }
            }
        }
        let world = Self {
            limits: Mutex::new(setup.limits.clone()),
            layers: Space::new(root, None),
            image: Arc::clone(&tree.root),
            mounts: Mutex::default(),
            processes: Mutex::default(),
            next_pid: AtomicU32::new(1),
            frozen: AtomicBool::new(false),
            spent: Mutex::default(),
            ports: Mutex::default(),
            setup,
        };
        // An archive may be put before the first start.
        *lock(&world.mounts) = Arc::new(world.lasting());
        Arc::new(world)
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn limits(&self) -> Limits {
        lock(&self.limits).clone()
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
    }

    pub(super) fn mounts(&self) -> Arc<Vec<Mount>> {
        Arc::clone(&lock(&self.mounts))
    }

    pub(super) fn layers(&self) -> &Arc<Space> {
        &self.layers
    }

    pub(super) fn image(&self) -> &Arc<Node> {
        &self.image
    }

    /// Layers and volumes: what is there whether it runs or not.
    fn lasting(&self) -> Vec<Mount> {
        let root = Mount {
            path: Vec::new(),
            space: Arc::clone(&self.layers),
            kind: MountKind::Layers,
            read_only: self.setup.read_only_root,
            runs: true,
        };
        let volumes = self.setup.mounts.iter().filter_map(|mounted| {
            let space = match &mounted.what {
                What::Volume(volume) => Arc::clone(&volume.0),
                What::Host => Space::new(Arc::new(Node::directory(0o755)), None),
                What::Memory { .. } => return None,
            };
            Some(Mount {
                path: parts_of(&mounted.target),
                space,
                kind: MountKind::Volume,
                read_only: mounted.read_only,
                runs: true,
            })
        });
        std::iter::once(root).chain(volumes).collect()
    }

    /// Everything anew, as each start has it: what is in memory is empty.
    fn mount_all(&self) {
        let mut mounts = self.lasting();
        for mounted in &self.setup.mounts {
            self.fill(mounted);
        }
        let sys = system(&self.setup.interfaces);
        let memory = |path: &str, node: Arc<Node>, bytes: Option<u64>, read_only, runs| Mount {
            path: parts_of(path),
            space: Space::new(node, bytes.map(|bytes| Quota::new(Some(bytes)))),
            kind: MountKind::Memory,
            read_only,
            runs,
        };
        let shm_bytes = self.limits().shm_bytes.unwrap_or(64 << 20);
        mounts.push(memory(
            "/dev",
            Arc::clone(&DEVICES),
            Some(64 << 10),
            false,
            false,
        ));
        mounts.push(memory(
            "/dev/shm",
            Arc::new(Node::directory(0o1777)),
            Some(shm_bytes),
            false,
            false,
        ));
        mounts.push(memory("/sys", sys, None, true, false));
        mounts.push(Mount {
            path: parts_of("/proc"),
            space: Arc::clone(&NOWHERE),
            kind: MountKind::Processes,
            read_only: true,
            runs: false,
        });
        if self.layers.root().at(&ETC.map(str::to_owned)).is_ok() {
            for (name, told) in [
                ("hostname", Told::Hostname),
                ("hosts", Told::Hosts),
                ("resolv.conf", Told::Resolver),
            ] {
                mounts.push(Mount {
                    path: vec![ETC[0].to_owned(), name.to_owned()],
                    space: Arc::clone(&NOWHERE),
                    kind: MountKind::Told(told),
                    read_only: false,
                    runs: false,
                });
            }
        }
        for mounted in &self.setup.mounts {
            if let What::Memory { bytes, mode, runs } = mounted.what {
                let node = Node::directory(mode);
                let bytes = bytes.or(Some(1 << 30));
                mounts.push(memory(
                    &mounted.target,
                    Arc::new(node),
                    bytes,
                    mounted.read_only,
                    runs,
                ));
            }
        }
        mounts.shrink_to_fit();
        *lock(&self.mounts) = Arc::new(mounts);
    }

    /// What an engine tells in a file.
    pub(super) fn told(&self, told: Told) -> String {
        let name = &self.setup.hostname;
        match told {
            Told::Hostname => format!("{name}\n"),
            Told::Hosts => format!("127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n"),
            Told::Resolver => "nameserver 127.0.0.11\n".to_owned(),
        }
    }

    /// A volume that is empty takes what the image has there.
    fn fill(&self, mounted: &Mounted) {
        let What::Volume(volume) = &mounted.what else {
            return;
        };
        let Ok(there) = self.image.at(&parts_of(&mounted.target)) else {
            return;
        };
        // Nothing that is written to is shared; there is room for it.
        let _ = volume.0.change(|root| {
            if root.entries()?.is_empty() && there.is_directory() {
                *root = Arc::new(there.unshared(None)?);
            }
            Ok(())
        });
    }

    pub(super) fn view(&self, pid: u32, user: (u32, u32)) -> View<'_> {
        View {
            world: self,
            pid,
            user,
            archives: false,
        }
    }

    /// What an engine's archives see.
    pub(super) fn archives(&self) -> View<'_> {
        View {
            world: self,
            pid: 0,
            user: (0, 0),
            archives: true,
        }
    }

    pub(super) fn cpus(&self) -> usize {
        let limits = self.limits();
        let set = limits.cpuset.as_deref().unwrap_or("0-1");
        let ranges = set.split(',').filter(|range| !range.is_empty());
        let count = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first: usize = first.trim().parse().ok()?;
            let last: usize = last.trim().parse().ok()?;
            Some(last.checked_sub(first)? + 1)
        };
        ranges.filter_map(count).sum::<usize>().max(1)
    }

    /// How much of a processor a process that never waits gets.
    pub(super) fn share(&self) -> f64 {
        lock(&self.limits).cpus.unwrap_or(1.0).clamp(0.0, 1.0)
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    pub(super) fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::Release);
        for process in self.processes() {
            process.wake();
        }
    }

    pub(super) fn processes(&self) -> Vec<Arc<Proc>> {
        lock(&self.processes).values().cloned().collect()
    }

    pub(super) fn process(&self, pid: u32) -> Option<Arc<Proc>> {
        lock(&self.processes).get(&pid).cloned()
    }

    pub(super) fn signal_terminal(&self, terminal: &Arc<Terminal>, signal: i32) {
        for process in self.processes() {
            if process
                .terminal
                .as_ref()
                .is_some_and(|own| Arc::ptr_eq(own, terminal))
            {
                process.signal(signal, true);
            }
        }
    }

    pub(super) fn end_all(&self) {
        for process in self.processes() {
            process.signal(super::process::KILL, false);
        }
    }

    pub(super) fn cpu(&self) -> Duration {
        let gone = *lock(&self.spent);
        self.processes()
            .iter()
            .map(|process| process.cpu())
            .sum::<Duration>()
            + gone
    }

    /// What processes and what is mounted in memory take.
    pub(super) fn memory(&self) -> u64 {
        let processes = self.processes();
        let held: u64 = processes
            .iter()
            .map(|process| BASE_MEMORY + process.held())
            .sum();
        let mounts = self.mounts();
        let quotas = mounts.iter().filter_map(|mount| mount.space.quota.as_ref());
        held + quotas.map(|quota| quota.used()).sum::<u64>()
    }

    /// A process holds so much from now on; it is ended where that is too much.
    pub(super) fn holds(&self, process: &Proc, bytes: u64) {
        process.holds(bytes);
        let limit = lock(&self.limits)
            .memory
            .unwrap_or(MOST_MEMORY)
            .min(MOST_MEMORY);
        if self.memory() > limit {
            process.out_of_memory();
        }
    }

    /// A process has ended.
    pub(super) fn gone(&self, process: &Arc<Proc>) {
        {
            let mut processes = lock(&self.processes);
            // After a restart the number may be another's.
            if processes
                .get(&process.pid)
                .is_none_or(|known| !Arc::ptr_eq(known, process))
            {
                return;
            }
            processes.remove(&process.pid);
        }
        *lock(&self.spent) += process.cpu();
        let first = process.pid == 1;
        for other in self.processes() {
            if first {
                // With the first, all end.
                other.signal(super::process::KILL, false);
            } else if other.parent() == process.pid {
                other.adopt(1);
            }
        }
    }

    fn pid(&self) -> u32 {
        self.next_pid.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a process and its task, whose program is made of it.
    pub(super) fn spawn(
        self: &Arc<Self>,
        made: impl FnOnce(u32) -> Made,
        program: impl FnOnce(&Arc<Proc>) -> futures::future::BoxFuture<'static, i64>,
    ) -> Result<Arc<Proc>> {
        let process = {
            let mut processes = lock(&self.processes);
            let most = lock(&self.limits).pids.unwrap_or(u64::MAX);
            if processes.len() as u64 >= most {
                return Err(Errno::Again);
            }
            let pid = self.pid();
            let process = Proc::new(made(pid));
            processes.insert(pid, Arc::clone(&process));
            process
        };
        let program = program(&process);
        tokio::spawn(Task::new(Arc::clone(self), Arc::clone(&process), program));
        Ok(process)
    }

    /// Runs the first process.
    pub(super) fn boot(
        self: &Arc<Self>,
        command: Command,
    ) -> std::result::Result<Running, SpawnError> {
        self.end_all();
        lock(&self.processes).clear();
        self.mount_all();
        self.next_pid.store(1, Ordering::Relaxed);
        self.begin(command, true)
    }

    /// Runs a command for the engine: the first one, or one beside it.
    pub(super) fn begin(
        self: &Arc<Self>,
        command: Command,
        first: bool,
    ) -> std::result::Result<Running, SpawnError> {
        let (sender, output) = mpsc::channel(WAITING);
        let (stdin, input) = match command.stdin || command.tty {
            true => {
                let (sender, receiver) = mpsc::channel(WAITING);
                (Some(sender), Some(receiver))
            }
            false => (None, None),
        };
        let cwd = self.directory(&command)?;
        let program = programs::find(self, &command.argv, &command.env, &cwd, command.user)?;
        let (files, terminal) = self.ends(&command, sender, input);
        let context = |process: &Arc<Proc>| Context {
            world: Arc::clone(self),
            process: Arc::clone(process),
            files,
            argv: command.argv.clone(),
            env: command.env.clone(),
            cwd,
        };
        let made = |pid| Made {
            pid,
            parent: u32::from(!first),
            user: command.user,
            privileged: command.privileged,
            argv: command.argv.clone(),
            environ: command.env.clone(),
            terminal: terminal.clone(),
            first: first && !command.init,
            ignored: HashSet::new(),
        };
        let process = self.spawn(made, |process| program.run(context(process)));
        let process = process.map_err(|errno| SpawnError {
            code: 126,
            message: format!("unable to start container process: {errno}"),
        })?;
        Ok(Running {
            pid: process.pid,
            stdin,
            output,
            exit: process.exits(),
        })
    }

    fn ends(
        self: &Arc<Self>,
        command: &Command,
        sender: OutputSender,
        input: Option<mpsc::Receiver<bytes::Bytes>>,
    ) -> (Table, Option<Arc<Terminal>>) {
        if command.tty {
            let terminal = Terminal::new(sender, command.size.unwrap_or((24, 80)));
            if let Some(keys) = input {
                tokio::spawn(Terminal::listen(
                    Arc::downgrade(&terminal),
                    Arc::clone(self),
                    keys,
                ));
            }
            let open = Open::terminal(&terminal);
            let table = Table::new(Arc::clone(&open), Arc::clone(&open), open);
            return (table, Some(terminal));
        }
        let output = Open::sink(Stream::Out, sender.clone());
        let errors = Open::sink(Stream::Err, sender);
        let input = input.map_or_else(Open::null, Open::source);
        (Table::new(input, output, errors), None)
    }

    fn directory(&self, command: &Command) -> std::result::Result<String, SpawnError> {
        let cwd = if command.cwd.is_empty() {
            "/"
        } else {
            &command.cwd
        };
        // Engines make a working directory that isn't there.
        let root = self.view(0, (0, 0));
        let mut path = Vec::new();
        for name in parts_of(cwd) {
            path.push(name);
            if let Err(Errno::NoEntry) = root.look(&path) {
                // Where it can't be made, the look below fails.
                let _ = root.insert(&path, Node::directory(0o755));
            }
        }
        let found = root.find("/", cwd);
        match found {
            Ok(node) if node.is_directory() => Ok(cwd.to_owned()),
            _ => Err(SpawnError {
                code: 126,
                message: format!(
                    "chdir to cwd (\"{cwd}\") set in config.json failed: no such file or directory"
                ),
            }),
        }
    }

    /// Listens at a port until the receiver goes.
    pub(super) fn listen(&self, port: u16) -> Result<mpsc::Receiver<Connection>> {
        let mut ports = lock(&self.ports);
        if ports
            .get(&port)
            .is_some_and(|listener| !listener.is_closed())
        {
            return Err(Errno::Busy);
        }
        let (sender, receiver) = mpsc::channel(1);
        ports.insert(port, sender);
        Ok(receiver)
    }

    pub(super) fn connect(&self, port: u16) -> Option<Connection> {
        let listener = lock(&self.ports).get(&port).cloned()?;
        let (their_read, write) = Open::pipe();
        let (read, their_write) = Open::pipe();
        let theirs = Connection {
            read: their_read,
            write: their_write,
        };
        listener.try_send(theirs).ok()?;
        Some(Connection { read, write })
    }
}
