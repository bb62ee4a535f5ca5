//! Text that goes into a request's body: what is taken is said there as it was, and nothing more.
#![no_main]

use catamaran::fuzzing::with_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| with_text(text));
