//! What a container may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spec::bounded;
use crate::error::{Error, Result};

/// The bound on memory and swap together.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemorySwap {
    /// This many bytes of memory and swap together. Equal to the memory limit, it means no swap.
    Total(u64),
    /// As much swap as the host has.
    Unlimited,
}

/// A limit on one of a process's resources, as `ulimit` sets it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The name: `nofile`, `nproc`, `core` …
    pub name: String,
    /// The limit in force.
    pub soft: i64,
    /// How far the process may raise it.
    pub hard: i64,
}

impl Ulimit {
    /// A limit whose soft and hard value are the same.
    #[must_use]
    pub fn new(name: impl Into<String>, limit: i64) -> Self {
        Self {
            name: name.into(),
            soft: limit,
            hard: limit,
        }
    }
}

/// The limits on a container's use of its host. A `None` leaves the engine's default, which is mostly
/// no limit at all.
///
/// ```
/// use catamaran::model::Resources;
///
/// let limits = Resources::default()
///     .with_memory_and_no_swap(256 << 20)
///     .with_cpus(0.5)
///     .with_pids(64u32);
/// # let _ = limits;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    /// Memory in bytes; at least 6 MiB, Docker's own minimum.
    pub memory: Option<u64>,
    /// Memory and swap together. Docker's default is twice the memory.
    pub memory_swap: Option<MemorySwap>,
    /// Memory in bytes that the kernel tries to leave under pressure.
    pub memory_reservation: Option<u64>,
    /// Processor time, in CPUs: `0.5` is half of one.
    pub cpus: Option<f64>,
    /// The weight against other containers when CPUs are scarce; Docker's default is 1024.
    pub cpu_shares: Option<u32>,
    /// The CPUs that may be used, as in `0-2,7`.
    pub cpuset_cpus: Option<String>,
    /// How many processes and threads.
    pub pids: Option<u32>,
    /// Limits on single processes.
    pub ulimits: Vec<Ulimit>,
    /// The size of `/dev/shm` in bytes; Docker's default is 64 MiB.
    pub shm_size: Option<u64>,
    /// The size of the writable layer in bytes, where the storage driver can limit it (overlay2 on
    /// xfs with pquota, btrfs, zfs …); elsewhere the engine refuses the create.
    pub disk: Option<u64>,
}

impl Resources {
    /// Modest limits for code that nobody vouches for: 256 MiB of memory and no swap, one CPU, 128
    /// processes, no core dumps. Raise them by name.
    #[must_use]
    pub fn untrusted() -> Self {
        Self::default()
            .with_memory_and_no_swap(256 << 20)
            .with_cpus(1.0)
            .with_pids(128u32)
            .with_ulimit(Ulimit::new("core", 0))
    }

    /// Sets the memory limit in bytes, and the same bound for memory and swap together, so that the
    /// container can't swap.
    #[must_use]
    pub fn with_memory_and_no_swap(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self.memory_swap = Some(MemorySwap::Total(bytes));
        self
    }

    /// Adds a limit on single processes.
    #[must_use]
    pub fn with_ulimit(mut self, ulimit: Ulimit) -> Self {
        self.ulimits.push(ulimit);
        self
    }

    /// Sets the CPUs that may be used, as in `0-2,7`.
    #[must_use]
    pub fn with_cpuset_cpus(mut self, cpus: impl Into<String>) -> Self {
        self.cpuset_cpus = Some(cpus.into());
        self
    }

    setters! {
        /// Sets the memory limit in bytes; see also
        /// [`with_memory_and_no_swap`](Self::with_memory_and_no_swap).
        with_memory(memory: Option<u64>);
        /// Sets the bound on memory and swap together.
        with_memory_swap(memory_swap: Option<MemorySwap>);
        /// Sets the memory that the kernel tries to leave under pressure.
        with_memory_reservation(memory_reservation: Option<u64>);
        /// Sets the processor time, in CPUs.
        with_cpus(cpus: Option<f64>);
        /// Sets the weight against other containers.
        with_cpu_shares(cpu_shares: Option<u32>);
        /// Sets how many processes and threads.
        with_pids(pids: Option<u32>);
        /// Sets the size of `/dev/shm` in bytes.
        with_shm_size(shm_size: Option<u64>);
        /// Sets the size of the writable layer in bytes.
        with_disk(disk: Option<u64>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        // Docker's minimum (moby daemon/daemon_unix.go, linuxMinMemory).
        const MIN_MEMORY: u64 = 6 << 20;
        for (field, bytes) in [
            ("resources.memory", self.memory),
            ("resources.memory_reservation", self.memory_reservation),
            ("resources.shm_size", self.shm_size),
            ("resources.disk", self.disk),
        ] {
            if bytes.is_some_and(|b| b == 0 || i64::try_from(b).is_err()) {
                return Err(Error::invalid(
                    field,
                    "must be from 1 byte to 2^63 - 1 bytes",
                ));
            }
        }
        if let Some(memory) = self.memory {
            if memory < MIN_MEMORY {
                return Err(Error::invalid(
                    "resources.memory",
                    format!("{memory} bytes are less than Docker's minimum of 6 MiB"),
                ));
            }
            if self.memory_reservation.is_some_and(|r| r > memory) {
                return Err(Error::invalid(
                    "resources.memory_reservation",
                    "exceeds the memory limit",
                ));
            }
        }
        if let Some(MemorySwap::Total(total)) = self.memory_swap {
            let Some(memory) = self.memory else {
                return Err(Error::invalid(
                    "resources.memory_swap",
                    "needs a memory limit beside it",
                ));
            };
            if total < memory || i64::try_from(total).is_err() {
                return Err(Error::invalid(
                    "resources.memory_swap",
                    "is memory and swap together: it can't be less than the memory limit",
                ));
            }
        }
        // 0.001 CPUs is the kernel's smallest quota (1 ms in 1 s); no machine has 65536 CPUs.
        if self.cpus.is_some_and(|c| !(0.001..=65_536.0).contains(&c)) {
            return Err(Error::invalid(
                "resources.cpus",
                "must be from 0.001 to 65536",
            ));
        }
        // The engine clamps or refuses other weights (kernel: 2 to 262144).
        if self.cpu_shares.is_some_and(|s| !(2..=262_144).contains(&s)) {
            return Err(Error::invalid(
                "resources.cpu_shares",
                "must be from 2 to 262144",
            ));
        }
        if self.pids == Some(0) {
            return Err(Error::invalid("resources.pids", "must be at least 1"));
        }
        if let Some(cpus) = &self.cpuset_cpus {
            let sound = !cpus.is_empty()
                && cpus.len() <= 1024
                && cpus
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b',' | b'-'));
            if !sound {
                return Err(Error::invalid(
                    "resources.cpuset_cpus",
                    "is a list such as 0-2,7",
                ));
            }
        }
        for ulimit in &self.ulimits {
            let sound = !ulimit.name.is_empty()
                && ulimit.name.len() <= 32
                && ulimit.name.bytes().all(|b| b.is_ascii_lowercase());
            if !sound || ulimit.soft < -1 || ulimit.hard < -1 {
                return Err(Error::invalid(
                    "resources.ulimits",
                    "a name in lower case such as nofile, and limits from -1 (none)",
                ));
            }
        }
        Ok(())
    }
}

/// What the engine does when the container's process ends.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// Start it again, always.
    Always,
    /// Start it again, unless somebody stopped it.
    UnlessStopped,
    /// Start it again after a failure, at most so often (0: without bound).
    OnFailure(u32),
}

/// How many of the devices.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceCount {
    /// All that there are.
    All,
    /// So many, of the engine's choice.
    Count(u32),
    /// These, by the driver's ids.
    Ids(Vec<String>),
}

/// A wish for devices of a driver, such as GPUs.
///
/// ```
/// let gpus = catamaran::model::DeviceRequest::gpus(catamaran::model::DeviceCount::Count(1));
/// assert_eq!(gpus.capabilities, [["gpu"]]);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The driver; `None` lets the engine choose by the capabilities.
    #[serde(default)]
    pub driver: Option<String>,
    /// How many, or which.
    pub count: DeviceCount,
    /// Alternatives, each a set of capabilities that must all be there.
    pub capabilities: Vec<Vec<String>>,
    /// Options for the driver.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl DeviceRequest {
    /// GPUs, as `docker run --gpus` asks for them.
    #[must_use]
    pub fn gpus(count: DeviceCount) -> Self {
        Self {
            driver: None,
            count,
            capabilities: vec![vec!["gpu".to_owned()]],
            options: BTreeMap::new(),
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let ids: &[String] = match &self.count {
            DeviceCount::Count(0) => {
                return Err(Error::invalid("devices", "none are asked for"));
            }
            DeviceCount::Ids(ids) => ids,
            DeviceCount::All | DeviceCount::Count(_) => &[],
        };
        let words = self.driver.iter().chain(ids);
        for word in words.chain(self.capabilities.iter().flatten()) {
            bounded("devices", word, 255)?;
        }
        for (key, value) in &self.options {
            bounded("devices", key, 255)?;
            bounded("devices", value, 4096)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_no_engine_can_hold() {
        let good = Resources::untrusted();
        assert!(good.validate().is_ok());
        let bad = [
            ("resources.memory", good.clone().with_memory(1u64)),
            ("resources.memory", good.clone().with_memory(u64::MAX)),
            (
                "resources.memory_swap",
                good.clone().with_memory(512u64 << 20),
            ),
            (
                "resources.memory_swap",
                Resources::default().with_memory_swap(MemorySwap::Total(1 << 30)),
            ),
            (
                "resources.memory_reservation",
                good.clone().with_memory_reservation(1u64 << 40),
            ),
            ("resources.cpus", good.clone().with_cpus(f64::NAN)),
            ("resources.cpus", good.clone().with_cpus(-1.0)),
            ("resources.cpu_shares", good.clone().with_cpu_shares(1u32)),
            ("resources.pids", good.clone().with_pids(0u32)),
            (
                "resources.cpuset_cpus",
                good.clone().with_cpuset_cpus("0; rm"),
            ),
            (
                "resources.ulimits",
                good.clone().with_ulimit(Ulimit::new("no file", 1)),
            ),
            ("resources.disk", good.with_disk(0u64)),
        ];
        for (field, resources) in bad {
            let error = resources.validate().expect_err(field);
            assert_eq!(error.field(), Some(field));
        }
    }
}
