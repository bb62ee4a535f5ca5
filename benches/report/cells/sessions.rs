//! Sessions under load, by examples/load: a process for each run, all in turn.

use std::time::Duration;

use crate::cell::{Figures, Run};
use crate::cells::python;
use crate::ground::Ground;
use crate::programs::{Programs, figures};

/// What a run of the load test tells, and how it is called here.
const FIGURES: [(&str, &str); 11] = [
    ("mean_ms", "/open_ms/mean"),
    ("p50_ms", "/open_ms/p50"),
    ("p95_ms", "/open_ms/p95"),
    ("p99_ms", "/open_ms/p99"),
    ("per_min", "/sessions_per_min"),
    ("failed", "/failed"),
    ("left_over", "/left_over"),
    ("threads", "/threads_peak"),
    ("rss_mib", "/rss_peak_mb"),
    ("lag_p99_ms", "/loop_lag_ms/p99"),
    ("warm_hits", "/warm_hits"),
];

/// Where the sessions are.
#[derive(Clone, Copy)]
enum Engine {
    /// The one that the environment names.
    Real,
    /// Without containers, in another process: what is left is the client's.
    Fake,
}

/// Who opens them.
#[derive(Clone, Copy)]
struct Opener {
    mode: &'static str,
    /// A container for each user stands by.
    pool: bool,
    /// As many opens at once as there are users, not as the crate does by itself.
    all_at_once: bool,
}

const fn opener(mode: &'static str) -> Opener {
    Opener {
        mode,
        pool: false,
        all_at_once: false,
    }
}

const ROUNDS: usize = 10;

/// Who stands for what is outside of this crate's language.
const PYTHON: [(&str, &str); 2] = [
    ("docker-py, 40 threads", "docker-py"),
    ("aiodocker", "aiodocker"),
];

const OPENERS: [(&str, Opener); 6] = [
    ("naive", opener("naive")),
    ("bollard", opener("bollard")),
    ("blocking", opener("blocking")),
    ("async", opener("async")),
    ("hybrid", opener("hybrid")),
    (
        "hybrid + pool",
        Opener {
            pool: true,
            ..opener("hybrid")
        },
    ),
];

struct Load {
    engine: Engine,
    delay: Duration,
    users: u64,
    sessions: u64,
}

impl Load {
    fn kind(&self) -> &'static str {
        match self.engine {
            Engine::Real => "real",
            Engine::Fake => "fake",
        }
    }

    fn ask(&self, programs: &Programs, opener: Opener) -> Result<Figures, String> {
        // All that the users will ask for, so that none is made while the clock runs but what replaces them.
        let warm = if opener.pool {
            self.users.max(self.sessions.min(20))
        } else {
            0
        };
        let mut words: Vec<String> = [
            ("--mode", opener.mode.to_owned()),
            ("--engine", self.kind().to_owned()),
            ("--engine-delay", format!("{}ms", self.delay.as_millis())),
            ("--users", self.users.to_string()),
            ("--sessions", self.sessions.to_string()),
            ("--warm", warm.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        if opener.all_at_once {
            words.extend(["--in-flight".to_owned(), self.users.to_string()]);
        }
        words.push("--json".to_owned());
        figures(&programs.ask("load", words)?, &FIGURES)
    }
}

fn named(openers: impl IntoIterator<Item = (&'static str, Opener)>) -> Vec<(String, Opener)> {
    openers
        .into_iter()
        .map(|(name, opener)| (name.to_owned(), opener))
        .collect()
}

/// The name of the cell with so many users, and what it is about.
fn name(load: &Load) -> (String, String) {
    let Load {
        engine,
        delay,
        users,
        sessions,
    } = load;
    let (short, long) = match engine {
        Engine::Real => ("real", "the engine as it is"),
        Engine::Fake => ("fake", "a fake engine in another process"),
    };
    let delayed = match delay.as_millis() {
        0 => String::new(),
        delay => format!(", with {delay} ms of simulated delay before each create and start"),
    };
    (
        format!("sessions/{short}/{}ms/{users}", delay.as_millis()),
        format!("{sessions} sessions by {users} users on {long}{delayed}"),
    )
}

/// By a run of examples/load, or by one of Python's.
enum Who {
    Load(Opener),
    Python(&'static str),
}

/// Each cell of them takes minutes: what was measured is written after each.
pub fn measure(
    run: &mut Run,
    ground: &Ground<'_>,
    programs: &Programs,
    write: impl Fn(&Run) -> Result<(), Box<dyn std::error::Error>>,
) {
    warm(run, programs);
    let ms = Duration::from_millis;
    let real = |users| (Engine::Real, 0, users);
    // The engine, its delay, and the users' number.
    let quick = vec![real(5), (Engine::Fake, 25, 100)];
    let users = [1, 10, 20, 50, 100];
    let full = users.map(real).into_iter();
    let full = full.chain([(Engine::Fake, 25, 100), (Engine::Fake, 250, 100)]);
    let delayed = [250, 1000].into_iter();
    let delayed = delayed.flat_map(|delay| users.map(|users| (Engine::Real, delay, users)));
    for (engine, delay, users) in run.options.either(quick, full.chain(delayed).collect()) {
        let load = Load {
            engine,
            delay: ms(delay),
            users,
            // In the quick form one each; as many as tell something where there is time.
            sessions: run.options.either(users, users.max(10)),
        };
        let (name, title) = name(&load);
        let mut openers = OPENERS.to_vec();
        if run.options.quick {
            // No time for them: hybrid is measured with its pool, and blocking on the fake engine.
            let real = matches!(engine, Engine::Real);
            openers.retain(|(name, _)| *name != "hybrid" && !(real && *name == "blocking"));
        }
        if matches!(engine, Engine::Fake) {
            let all_at_once = Opener {
                all_at_once: true,
                ..opener("async")
            };
            openers.push(("async, all at once", all_at_once));
        }
        let load_openers = openers
            .into_iter()
            .map(|(name, opener)| (name, Who::Load(opener)));
        let python = run.options.python.clone();
        // In the full form alone: quick has no time for them.
        let peers = PYTHON.into_iter().filter(|_| !run.options.quick);
        let peers = peers.map(|(name, client)| (name, Who::Python(client)));
        let mut subjects: Vec<_> = load_openers
            .chain(peers)
            .map(|(name, who)| (name.to_owned(), who))
            .collect();
        let endpoint = ground.endpoint.to_string();
        run.measure(&name, &title, ROUNDS, &mut subjects, |_, who| match who {
            Who::Load(opener) => load.ask(programs, *opener),
            Who::Python(client) => {
                let python = python.as_deref().ok_or("there is no Python that has it")?;
                let engine = (load.kind(), load.delay.as_millis(), endpoint.as_str());
                let told = python::ask(
                    programs,
                    python,
                    client,
                    engine,
                    (load.users, load.sessions),
                )?;
                figures(&told, &FIGURES)
            }
        });
        if let Err(why) = write(run) {
            eprintln!("{name}: not written: {why}");
        }
    }
}

/// One user, who takes one session after the other.
fn warm(run: &mut Run, programs: &Programs) {
    let load = Load {
        engine: Engine::Real,
        delay: Duration::ZERO,
        users: 1,
        sessions: run.options.either(2, 20),
    };
    let mut openers = named([
        ("cold", opener("hybrid")),
        (
            "warm",
            Opener {
                pool: true,
                ..opener("hybrid")
            },
        ),
    ]);
    let title = format!(
        "{} sessions by one user, cold and from a pool",
        load.sessions
    );
    run.measure(
        "sessions/warm",
        &title,
        ROUNDS,
        &mut openers,
        |_, opener| load.ask(programs, *opener),
    );
}
