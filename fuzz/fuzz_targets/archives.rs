//! Archives as callers and containers make them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| catamaran::fuzzing::archive(bytes));
