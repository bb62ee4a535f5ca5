//! How the quickstart speaks: sections, aligned lines, and a table of timings at the end.

use std::future::Future;
use std::time::{Duration, Instant};

pub fn section(title: &str) {
    println!("\n{title}");
}

pub fn line(name: &str, text: impl std::fmt::Display) {
    println!("  {name:<11} {text}");
}

pub fn bytes(count: u64) -> String {
    match count {
        0..0x10_0000 => format!("{} KiB", count >> 10),
        _ => format!("{:.1} MiB", count as f64 / f64::from(1 << 20)),
    }
}

pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// How long each step took, with each engine.
#[derive(Default)]
pub struct Timings {
    engine: &'static str,
    taken: Vec<(&'static str, &'static str, Duration)>,
}

impl Timings {
    /// What follows is timed as this engine's.
    pub fn by(&mut self, engine: &'static str) {
        self.engine = engine;
    }

    /// Times a step.
    pub async fn step<F: Future>(&mut self, name: &'static str, step: F) -> F::Output {
        let began = Instant::now();
        let output = step.await;
        self.taken.push((name, self.engine, began.elapsed()));
        output
    }

    /// The last step's time.
    pub fn last(&self) -> String {
        self.taken
            .last()
            .map_or_else(String::new, |(_, _, time)| millis(*time))
    }

    pub fn print(&self, engines: &[&'static str]) {
        let mut steps: Vec<&str> = Vec::new();
        for (name, ..) in &self.taken {
            if !steps.contains(name) {
                steps.push(name);
            }
        }
        let row = |name: &str, cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>14}")).collect();
            println!("  {name:<11}{cells}");
        };
        row("", engines.iter().map(ToString::to_string).collect());
        for step in steps {
            let cell = |engine: &&str| {
                let mut taken = self.taken.iter();
                let found = taken.find(|(name, by, _)| (*name, by) == (step, engine));
                found.map_or_else(|| "-".to_owned(), |(_, _, time)| millis(*time))
            };
            row(step, engines.iter().map(cell).collect());
        }
    }
}
