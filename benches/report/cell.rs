//! What is measured: cells, each of some subjects that are measured in turn, round after round.

use std::collections::BTreeMap;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::common::statistics::Estimate;
use crate::noise;
use crate::options::Options;

/// What one sample of a subject gave, by name.
pub type Figures = Vec<(&'static str, f64)>;

#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    pub name: String,
    pub title: String,
    pub subjects: Vec<Subject>,
    /// Why there is nothing.
    pub missing: Option<String>,
    /// A fixed piece of work before each round.
    pub spin_us: Vec<f64>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    pub name: String,
    /// One value for each round.
    pub figures: BTreeMap<&'static str, Vec<f64>>,
    /// Why it has been left out from some round on.
    pub failed: Option<String>,
}

impl Subject {
    pub fn estimate(&self, figure: &str) -> Option<Estimate> {
        Estimate::of(self.figures.get(figure)?.iter().copied())
    }

    fn took_part(&self, figure: &str) -> Result<&[f64], String> {
        if let Some(why) = &self.failed {
            return Err(format!("{}: {why}", self.name));
        }
        let values = self.figures.get(figure).map(Vec::as_slice);
        values.ok_or_else(|| format!("{} has no {figure}", self.name))
    }
}

impl Cell {
    pub fn subject(&self, name: &str) -> Result<&Subject, String> {
        if let Some(why) = &self.missing {
            return Err(why.clone());
        }
        let found = self.subjects.iter().find(|subject| subject.name == name);
        found.ok_or_else(|| format!("{name} isn't in {}", self.name))
    }

    /// Of what that makes of two subjects' figures in each round.
    pub fn both(
        &self,
        one: &str,
        other: &str,
        figure: &str,
        made: impl Fn(f64, f64) -> f64,
    ) -> Result<Estimate, String> {
        let one = self.subject(one)?.took_part(figure)?;
        let other = self.subject(other)?.took_part(figure)?;
        let values = one.iter().zip(other).map(|(one, other)| made(*one, *other));
        Estimate::of(values).ok_or_else(|| "no round was measured".to_owned())
    }

    pub fn value(&self, name: &str, figure: &str) -> Result<Estimate, String> {
        let values = self.subject(name)?.took_part(figure)?;
        Estimate::of(values.iter().copied()).ok_or_else(|| "no round was measured".to_owned())
    }
}

/// A run: all figures of a page are of one.
pub struct Run {
    pub options: Options,
    pub cells: Vec<Cell>,
    /// Whether all that was wanted has been measured.
    pub finished: bool,
}

impl Run {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            cells: Vec::new(),
            finished: false,
        }
    }

    /// Whether a cell of that name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        let only = self.options.only.as_deref();
        only.is_none_or(|only| name.starts_with(only))
    }

    /// Whether a cell is wanted whose name begins so.
    pub fn wants_some(&self, kind: &str) -> bool {
        let only = self.options.only.as_deref();
        only.is_none_or(|only| kind.starts_with(only) || only.starts_with(kind))
    }

    /// A cell that can't be measured here.
    pub fn missing(&mut self, name: &str, title: &str, why: impl ToString) {
        let why = why.to_string();
        eprintln!("{name}: not measured: {why}");
        self.cells.push(Cell {
            name: name.to_owned(),
            title: title.to_owned(),
            subjects: Vec::new(),
            missing: Some(why),
            spin_us: Vec::new(),
            seconds: 0.0,
        });
    }

    /// Measures all subjects in each round. One that fails is left out of those that follow.
    pub fn measure<S>(
        &mut self,
        name: &str,
        title: &str,
        rounds: usize,
        subjects: &mut [(String, S)],
        mut sample: impl FnMut(&str, &mut S) -> Result<Figures, String>,
    ) {
        if !self.wants(name) {
            return;
        }
        let rounds = self.options.rounds.unwrap_or(rounds);
        let began = Instant::now();
        let mut results: Vec<_> = subjects
            .iter()
            .map(|(name, _)| Subject {
                name: name.clone(),
                figures: BTreeMap::new(),
                failed: None,
            })
            .collect();
        let bar = bar(name, rounds * subjects.len());
        let mut spins = Vec::new();
        for round in 0..rounds {
            spins.push(noise::spin().as_secs_f64() * 1e6);
            for turn in 0..subjects.len() {
                let place = place(round, turn, subjects.len());
                let (result, (who, subject)) = (&mut results[place], &mut subjects[place]);
                bar.inc(1);
                if result.failed.is_some() {
                    continue;
                }
                match sample(who, subject) {
                    Ok(figures) => figures.into_iter().for_each(|(figure, value)| {
                        result.figures.entry(figure).or_default().push(value);
                    }),
                    Err(why) => {
                        eprintln!("{name}: {who}: {why}");
                        result.failed = Some(why);
                    }
                }
            }
        }
        bar.finish_and_clear();
        let seconds = began.elapsed().as_secs_f64();
        eprintln!(
            "{name}: {rounds} rounds of {} in {seconds:.0} s",
            subjects.len()
        );
        self.cells.push(Cell {
            name: name.to_owned(),
            title: title.to_owned(),
            subjects: results,
            missing: None,
            spin_us: spins,
            seconds,
        });
    }
}

/// Rotated, and every other time backwards, so that nobody always comes after the same one.
fn place(round: usize, turn: usize, all: usize) -> usize {
    let place = (round + turn) % all;
    if round.is_multiple_of(2) {
        place
    } else {
        all - 1 - place
    }
}

fn bar(name: &str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_message(name.to_owned());
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos} of {len} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
