//! The processes of a world: who is there, what they use, and how they come and go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::errno::{Errno, Result};
use super::super::files::MountKind;
use super::super::process::{KILL, Made, Proc, Task};
use super::super::terminal::Terminal;
use super::{World, lock};

/// What a process takes, at least.
const BASE_MEMORY: u64 = 300 << 10;
/// What all may hold where there is no limit: the test's host isn't to run out of memory.
const MOST_MEMORY: u64 = 256 << 20;

impl World {
    pub(in super::super) fn processes(&self) -> Vec<Arc<Proc>> {
        lock(&self.processes).values().cloned().collect()
    }

    pub(in super::super) fn process(&self, pid: u32) -> Option<Arc<Proc>> {
        lock(&self.processes).get(&pid).cloned()
    }

    pub(in super::super) fn signal_terminal(&self, terminal: &Arc<Terminal>, signal: i32) {
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

    pub(in super::super) fn end_all(&self) {
        for process in self.processes() {
            process.signal(KILL, false);
        }
    }

    pub(in super::super) fn cpu(&self) -> Duration {
        let gone = *lock(&self.spent);
        self.processes()
            .iter()
            .map(|process| process.cpu())
            .sum::<Duration>()
            + gone
    }

    /// What processes and what is mounted in memory take.
    pub(in super::super) fn memory(&self) -> u64 {
        let processes = self.processes();
        let held: u64 = processes
            .iter()
            .map(|process| BASE_MEMORY + process.held())
            .sum();
        let mounts = self.mounts();
        let memory = mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Memory);
        let quotas = memory.filter_map(|mount| mount.space.quota.as_ref());
        held + quotas.map(|quota| quota.used()).sum::<u64>()
    }

    /// A process holds so much from now on; it is ended where that is too much.
    pub(in super::super) fn holds(&self, process: &Proc, bytes: u64) {
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
    pub(in super::super) fn gone(&self, process: &Arc<Proc>) {
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
                other.signal(KILL, false);
            } else if other.parent() == process.pid {
                other.adopt(1);
            }
        }
    }

    /// Adds a process and its task, whose program is made of it.
    pub(in super::super) fn spawn(
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
            let pid = self.next_pid.fetch_add(1, Ordering::Relaxed);
            let made = made(pid);
            // With the first process all end: nobody comes after it.
            if made.parent != 0 && !processes.contains_key(&1) {
                return Err(Errno::NoMemory);
            }
            let process = Proc::new(made);
            processes.insert(pid, Arc::clone(&process));
            process
        };
        let program = program(&process);
        tokio::spawn(Task::new(Arc::clone(self), Arc::clone(&process), program));
        Ok(process)
    }
}
