//! What is asked for.

use std::path::PathBuf;

pub const USAGE: &str = "\
scripts/bench [--quick|--full] [--out DIRECTORY] [--only CELL]

  --quick    what fits into a quarter of an hour, with the build: of calls all but TLS with 256 callers, of allocations a ping and
             a long list, memory, fallback, the pipeline, a warm pool, five users on the engine as it is, and a hundred on a fake one
             with simulated delays
  --full     everything: more rounds, more users, more delays, and clients outside of Rust (unless --quick is given)
  --out      where the page, the plots and the figures go (docs/benchmarks)
  --only     those cells whose name begins so, to look at them: the page says what is left out
  --rounds   so many rounds of each cell, to try it
";

#[derive(Debug, Clone)]
pub struct Options {
    pub quick: bool,
    pub out: PathBuf,
    pub only: Option<String>,
    pub rounds: Option<usize>,
    /// What cargo has told of the programs that it built.
    pub programs: PathBuf,
    /// A Python that has docker-py and aiodocker.
    pub python: Option<PathBuf>,
}

impl Options {
    /// `None` where only help was asked for.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            quick: false,
            out: "docs/benchmarks".into(),
            only: None,
            rounds: None,
            programs: PathBuf::new(),
            python: None,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--quick" => options.quick = true,
                "--full" => options.quick = false,
                "--out" => options.out = value()?.into(),
                "--only" => options.only = Some(value()?),
                "--python" => options.python = Some(value()?.into()),
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = Some(rounds.ok_or("--rounds: a number from 1 is wanted")?);
                }
                "--programs" => options.programs = value()?.into(),
                other => return Err(format!("{other}: see --help")),
            }
        }
        Ok(Some(options))
    }

    /// So many in the quick form, so many in the full one.
    pub fn either<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}
