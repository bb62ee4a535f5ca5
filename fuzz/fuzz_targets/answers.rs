//! Whole answers, as each kind of them, and the header that tells of a path.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    catamaran::fuzzing::answers(body);
    catamaran::fuzzing::path_stat(body);
});
