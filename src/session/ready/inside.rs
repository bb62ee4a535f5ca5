//! Who listens in a container, as its kernel tells it there: `/proc/net/tcp`.

use std::time::Duration;

use super::NotReady;
use super::probe::{Context, passing};
use crate::model::ExecOptions;

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(5);
/// What is kept of the table, in which those who listen come first: some seven thousand lines.
const TABLE: usize = 1 << 20;
/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: &str = "0A";

/// Who listens at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Listener {
    Nobody,
    /// For the container itself alone.
    Loopback,
    All,
}

/// What a look inside has given.
#[derive(Debug)]
pub(super) enum Look {
    Seen(Listener),
    /// There is nothing to look with, as far as this tells.
    Blind(String),
    /// This look has failed.
    Failed(String),
}

pub(super) async fn look(context: &Context<'_>, port: u16) -> Result<Look, NotReady> {
    let options = ExecOptions::new(["cat", "/proc/net/tcp", "/proc/net/tcp6"])
        .with_timeout(LOOK)
        .with_max_output(TABLE);
    let ran = match context.backend.exec(context.container, &options).await {
        Ok(ran) => ran,
        // Podman's word for a program that isn't there is an error.
        Err(error)
            if error
                .status()
                .is_some_and(|status| matches!(status, 400 | 404 | 500)) =>
        {
            return passing(error).map(Look::Blind);
        }
        Err(error) => return passing(error).map(Look::Failed),
    };
    let table = String::from_utf8_lossy(&ran.stdout);
    // Without IPv6 one of the files isn't there, which is an exit code too.
    Ok(if table.contains("local_address") {
        Look::Seen(listener(&table, port))
    } else if ran.timed_out {
        Look::Failed("a look inside took too long".to_owned())
    } else {
        Look::Blind(format!(
            "no look inside: exit code {} of cat",
            ran.exit_code
        ))
    })
}

fn listener(table: &str, port: u16) -> Listener {
    let wanted = format!("{port:04X}");
    let listeners = table.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (address, state) = (words.nth(1)?, words.nth(1)?);
        let (address, listens_at) = address.rsplit_once(':')?;
        let is_one = matches!(address.len(), 8 | 32);
        if !is_one || state != LISTEN || listens_at != wanted {
            return None;
        }
        Some(match is_loopback(address) {
            true => Listener::Loopback,
            false => Listener::All,
        })
    });
    listeners.max().unwrap_or(Listener::Nobody)
}

/// Whether it is 127.0.0.0/8, `::1`, or the former within IPv6: words of 32 bits in hexadecimal, as a little-endian
/// processor has them.
fn is_loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        32 => {
            address == "00000000000000000000000001000000"
                || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel shows it, shortened at the right.
    pub(crate) const TABLES: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0B00007F:A1B2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3
   3: 020011AC:0016 010011AC:D431 01 00000000:00000000 00:00000000 00000000     0        0 4
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:22B8 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 00000000:00000000
   3: 0000000000000000FFFF0000020011AC:0053 00000000000000000000000000000000:0000 0A 00000000:00000000
   4: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 06 00000000:00000000
";

    #[test]
    fn tells_who_listens() {
        for (port, expected) in [
            (8080, Listener::Loopback),
            (80, Listener::All),
            (8888, Listener::All),
            (81, Listener::Loopback),
            (82, Listener::Loopback),
            (83, Listener::All),
            // A connection, and what isn't there.
            (22, Listener::Nobody),
            (5000, Listener::Nobody),
        ] {
            assert_eq!(listener(TABLES, port), expected, "{port}");
        }
    }

    #[test]
    fn stands_what_is_no_table() {
        for text in [
            "",
            "x",
            ": : : :",
            "1: é:0050 0 0A",
            "1: 0050 0 0A",
            "a b c d e f",
        ] {
            assert_eq!(listener(text, 80), Listener::Nobody, "{text}");
        }
    }
}
