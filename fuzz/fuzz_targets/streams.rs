//! Bodies that are read as they come: the first byte says how they are cut, which makes no difference.
#![no_main]

use catamaran::fuzzing::{lines, output};
use catamaran_fuzz::memory::within;
use libfuzzer_sys::fuzz_target;

/// What a frame's head makes room for at most, and the same again while it grows.
const FRAMES: usize = 33 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else {
        return;
    };
    let size = usize::from(*size);
    within(16, 0, body.len(), || lines(body, size, false));
    within(16, FRAMES, body.len(), || output(body, size, false));
    lines(body, size, true);
    output(body, size, true);
});
