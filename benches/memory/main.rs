//! What calls take of the heap, counted by an allocator that would slow down what measures time: `scripts/bench` runs this program,
//! for each figure anew, so that nobody has what another has left.
//!
//! Prints one line of JSON.

#[allow(dead_code, reason = "each bench takes what it needs")]
#[path = "../common/mod.rs"]
mod common;
mod in_flight;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use catamaran::model::ContainerRef;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Runtime;

use common::clients::{Client, Operation};
use common::fixture::{LABEL, Target};
use common::unix::{self, FullStack};

#[global_allocator]
static COUNTED: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let told = match words[..] {
        ["calls", client, of, socket, id, label, listed] => {
            calls(client, of, Path::new(socket), (id, label, listed))
        }
        ["in-flight", client, count, socket] => in_flight::silent(client, count, Path::new(socket)),
        ["slow-calls", count, socket] => in_flight::slow_calls(count, Path::new(socket)),
        ["slow-logs", count, socket] => in_flight::slow_logs(count, Path::new(socket)),
        // Cargo's own.
        [] | ["--bench"] => return ExitCode::SUCCESS,
        _ => Err("this is run by scripts/bench".into()),
    };
    match told {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("memory: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What one call of many in a row allocates: what is kept once doesn't count.
fn calls(
    name: &str,
    of: &str,
    socket: &Path,
    (id, label, listed): (&str, &str, &str),
) -> Outcome<Value> {
    let of = Operation::named(of).ok_or("what is asked for?")?;
    let target = Target {
        id: ContainerRef::new(id)?,
        label: (LABEL, label.to_owned()),
        listed: listed.parse()?,
    };
    let (runtime, driver) = (Runtime::new()?, Runtime::new()?);
    let full;
    let client = if name == "full" {
        full = FullStack::new(socket, target.clone()).map_err(|error| error.to_string())?;
        Arc::clone(&full.client)
    } else {
        let clients = unix::clients(&runtime, &driver, socket, &target, 1);
        let clients = clients.map_err(|error| error.to_string())?;
        let found = clients.into_iter().find(|(client, _)| *client == name);
        found.ok_or("who?")?.1
    };
    // A long list takes long.
    let calls = if target.listed > 1 { 4 } else { 200 };
    let task = runtime.spawn(async move {
        several(&client, of, calls).await;
        let region = Region::new(COUNTED);
        several(&client, of, calls).await;
        region.change()
    });
    let change = runtime.block_on(task)?;
    let each = |all: usize| all as f64 / calls as f64;
    // Whatever grew is an allocation to whoever has to find the room.
    Ok(json!({
        "allocations": each(change.allocations + change.reallocations),
        "allocated_bytes": each(change.bytes_allocated),
    }))
}

async fn several(client: &Arc<dyn Client>, of: Operation, calls: u64) {
    for _ in 0..calls {
        client.call(of).await;
    }
}
