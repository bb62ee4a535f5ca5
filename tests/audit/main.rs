//! The audit log from outside: its writer is killed, its disk is full, its files are tampered with.

mod child;
mod full;
mod killed;
mod tampered;

use std::path::Path;

use catamaran::telemetry::audit::{
    AuditEntry, AuditFault, AuditProblem, AuditReport, VerifyOptions, verify,
};
use catamaran::{EngineKind, Operation};

fn entry(actor: String, subject: String) -> AuditEntry {
    AuditEntry::new(Operation::Create, EngineKind::Async)
        .with_actor(actor)
        .with_subject(subject)
}

fn verified(path: &Path) -> AuditReport {
    match verify(path, &VerifyOptions::default()) {
        Ok(report) => report,
        Err(fault) => panic!("{fault}"),
    }
}

fn fault(path: &Path, options: &VerifyOptions) -> AuditFault {
    match verify(path, options) {
        Ok(report) => panic!("it should be found: {report}"),
        Err(fault) => fault,
    }
}

fn problem(path: &Path) -> AuditProblem {
    fault(path, &VerifyOptions::default()).problem
}

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
