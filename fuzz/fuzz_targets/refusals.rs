//! Answers that refuse: a status, a line of headers, and whatever body.
#![no_main]

use catamaran::fuzzing::refusal;
use catamaran_fuzz::memory::within;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((status, rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len());
    let (header, body) = rest.split_at(end);
    let status = u16::from_be_bytes(*status);
    within(64, 0, input.len(), || refusal(status, header, body));
});
