//! TLS under both engines: the same files, the same trust, and the same words where it fails.
//!
//! The files are read when an engine is made, and again once they have changed. Which authorities are trusted, and whose key is presented, is
//! decided here; [`rustls`] and [`openssl`] only put it into the terms of their library.

mod fault;
mod files;
pub(super) mod openssl;
mod renewal;
pub(super) mod rustls;

use std::error::Error as StdError;
use std::io;

use fault::{Fault, Parties};
use files::Files;
use renewal::{Made, Renewed};

/// The cause of that type, however deep. An I/O error hides its own from `source`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let within = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match within {
        Some(within) => find(within),
        None => find(error.source()?),
    }
}
