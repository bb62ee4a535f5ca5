//! What each owner has of its quotas.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::quote::quote;
use crate::session::limits::SessionLimits;

/// What a session may use, by its container's limits; 0 where it has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Needs {
    /// In bytes.
    pub(crate) memory: u64,
    pub(crate) cpus: f64,
}

/// What the sessions of one owner may use together. Wide enough that sums never overflow, and whole, so that they come back
/// to zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) sessions: usize,
    pub(super) memory: u128,
    pub(super) millicpus: u128,
}

impl Used {
    fn of(needs: Needs) -> Self {
        Self {
            sessions: 1,
            memory: needs.memory.into(),
            millicpus: millicpus(needs.cpus),
        }
    }
}

/// The smallest limit of a container is one of them. What is no number is none.
fn millicpus(cpus: f64) -> u128 {
    let least = u128::from(cpus > 0.0);
    // The cast saturates.
    let rounded = (cpus * 1000.0).round() as u64;
    u128::from(rounded).max(least)
}

pub(super) fn cpus(millicpus: u128) -> f64 {
    millicpus as f64 / 1000.0
}

/// The quotas, and who has what of them: owners without a session aren't kept.
#[derive(Debug)]
pub(super) struct Quotas {
    sessions: Option<usize>,
    memory: Option<u64>,
    millicpus: Option<u128>,
    owners: Mutex<HashMap<Arc<str>, Used>>,
}

/// What a session has of its owner's quotas; given back when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    quotas: Arc<Quotas>,
    owner: Arc<str>,
    claimed: Used,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut owners = lock(&self.quotas.owners);
        if let Some(used) = owners.get_mut(&self.owner) {
            used.sessions -= self.claimed.sessions;
            used.memory -= self.claimed.memory;
            used.millicpus -= self.claimed.millicpus;
            if used.sessions == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl Quotas {
    pub(super) fn new(limits: &SessionLimits) -> Arc<Self> {
        Arc::new(Self {
            sessions: limits.owner_sessions,
            memory: limits.owner_memory,
            millicpus: limits.owner_cpus.map(millicpus),
            owners: Mutex::default(),
        })
    }

    /// What this session needs of its owner's quotas, or why it can't have it: at once, for only the owner makes room.
    pub(super) fn claim(self: &Arc<Self>, owner: &Arc<str>, needs: Needs) -> Result<Claim> {
        let claimed = Used::of(needs);
        self.check_alone(claimed)?;
        let mut owners = lock(&self.owners);
        let used = owners.get(owner).copied().unwrap_or_default();
        self.check_beside(owner, used, claimed)?;
        Ok(self.count(&mut owners, owner, claimed))
    }

    /// The same for what is there anyway.
    pub(super) fn take_over(self: &Arc<Self>, owner: &Arc<str>, needs: Needs) -> Claim {
        self.count(&mut lock(&self.owners), owner, Used::of(needs))
    }

    pub(super) fn used(&self) -> HashMap<Arc<str>, Used> {
        lock(&self.owners).clone()
    }

    fn count(
        self: &Arc<Self>,
        owners: &mut HashMap<Arc<str>, Used>,
        owner: &Arc<str>,
        claimed: Used,
    ) -> Claim {
        let used = owners.entry(Arc::clone(owner)).or_default();
        used.sessions += claimed.sessions;
        used.memory += claimed.memory;
        used.millicpus += claimed.millicpus;
        Claim {
            quotas: Arc::clone(self),
            owner: Arc::clone(owner),
            claimed,
        }
    }

    /// Whether it can ever be had.
    fn check_alone(&self, claimed: Used) -> Result<()> {
        let memory = (self.memory.map(u128::from), claimed.memory);
        let millicpus = (self.millicpus, claimed.millicpus);
        for (field, setting, (quota, asked), amount) in [
            (
                "resources.memory",
                "limits.owner_memory",
                memory,
                bytes as fn(u128) -> String,
            ),
            ("resources.cpus", "limits.owner_cpus", millicpus, of_cpus),
        ] {
            match quota {
                Some(quota) if asked == 0 => {
                    let quota = amount(quota);
                    let message = format!("has no limit, and {setting} allows {quota} to an owner");
                    return Err(Error::invalid(field, message));
                }
                Some(quota) if asked > quota => {
                    let (asked, quota) = (amount(asked), amount(quota));
                    let message = format!(
                        "{asked} are more than {setting} allows to an owner, which is {quota}"
                    );
                    return Err(Error::invalid(field, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether it can be had now.
    fn check_beside(&self, owner: &str, used: Used, claimed: Used) -> Result<()> {
        if let Some(quota) = self.sessions
            && used.sessions >= quota
        {
            let (has, quota) = (used.sessions, format!("{quota} sessions"));
            return Err(used_up(owner, has, quota, "one more", "owner_sessions"));
        }
        if let Some(quota) = self.memory
            && used.memory + claimed.memory > quota.into()
        {
            let (has, asked) = (used.memory, bytes(claimed.memory));
            let quota = format!("{} of memory", bytes(quota.into()));
            return Err(used_up(owner, has, quota, asked, "owner_memory"));
        }
        if let Some(quota) = self.millicpus
            && used.millicpus + claimed.millicpus > quota
        {
            let (has, asked) = (cpus(used.millicpus), of_cpus(claimed.millicpus));
            return Err(used_up(owner, has, of_cpus(quota), asked, "owner_cpus"));
        }
        Ok(())
    }
}

fn bytes(amount: u128) -> String {
    format!("{amount} bytes")
}

fn of_cpus(millicpus: u128) -> String {
    format!("{} CPUs", cpus(millicpus))
}

fn used_up(
    owner: &str,
    has: impl Display,
    quota: impl Display,
    asked: impl Display,
    setting: &str,
) -> Error {
    let owner = quote(owner);
    let message = format!(
        "the quota of owner {owner}: it has {has} of at most {quota}, and asked for {asked}"
    );
    Error::new(ErrorKind::Saturated, message).with_advice(format!(
        "close one of its sessions, or raise limits.{setting}"
    ))
}
