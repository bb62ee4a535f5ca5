//! Logs with timestamps, followed over two connections: of a terminal, or framed, by the first byte; the next two say how
//! they are cut.
#![no_main]

use catamaran::fuzzing::follow;
use catamaran::model::LogSource;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([console, sizes @ ..], log)) = input.split_first_chunk::<3>() else {
        return;
    };
    let source = match console & 1 {
        0 => LogSource::Console,
        _ => LogSource::Stdout,
    };
    let sizes: [u8; 2] = *sizes;
    follow(log, source, sizes.map(usize::from));
});
