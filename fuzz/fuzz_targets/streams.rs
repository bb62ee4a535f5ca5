//! Bodies that are read as they come: the first byte says how they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else {
        return;
    };
    let pieces: Vec<&[u8]> = body.chunks(usize::from(*size).max(1)).collect();
    catamaran::fuzzing::streams(&pieces);
});
