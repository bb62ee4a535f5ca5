//! Whole answers, as each kind of them: what is read can be shown, and takes no more memory than in proportion.
#![no_main]

use catamaran::fuzzing::answers;
use catamaran_fuzz::memory::within;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    within(256, 0, body.len(), || answers(body, false));
    answers(body, true);
});
