//! What each case may cost, and with which compiler that was found.

use std::collections::BTreeMap;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Outcome;

pub const FILE: &str = "benches/instructions/budget.json";
/// More than that, either way, is a change.
const TOLERANCE: f64 = 0.02;

#[derive(Debug, Serialize, Deserialize)]
pub struct Budget {
    pub rustc: String,
    pub architecture: String,
    /// A call, by case.
    pub instructions: BTreeMap<String, u64>,
}

impl Budget {
    pub fn new() -> Outcome<Self> {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let said = Command::new(rustc).arg("--version").output()?;
        Ok(Self {
            rustc: String::from_utf8_lossy(&said.stdout).trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            instructions: BTreeMap::new(),
        })
    }

    pub fn read() -> Outcome<Self> {
        let text = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub fn write(&self) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(std::fs::write(FILE, text)?)
    }

    /// Says how they stand to each other, and whether that is well.
    pub fn judge(&self, taken: &Self) -> bool {
        if (&self.rustc, &self.architecture) != (&taken.rustc, &taken.architecture) {
            println!(
                "the budget is of {} on {}, and this is {} on {}: they can't be compared",
                self.rustc, self.architecture, taken.rustc, taken.architecture
            );
            return true;
        }
        let mut changed = false;
        for (case, now) in &taken.instructions {
            let Some(then) = self.instructions.get(case) else {
                println!("{case}: the budget doesn't have it");
                changed = true;
                continue;
            };
            let change = *now as f64 / *then as f64 - 1.0;
            if change.abs() > TOLERANCE {
                let which = if change > 0.0 { "more" } else { "less" };
                let percent = change.abs() * 100.0;
                println!(
                    "{case}: {now} instructions a call, {percent:.1} % {which} than the budget's {then}"
                );
                changed = true;
            }
        }
        if changed {
            println!(
                "beyond {:.0} % either way. If that is as it should be, renew the budget: cargo bench --bench instructions -- --renew",
                TOLERANCE * 100.0
            );
        }
        !changed
    }
}
