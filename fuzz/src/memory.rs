//! How much memory is taken. libFuzzer's own limit of one allocation (`-malloc_limit_mb`) needs a sanitizer, and knows
//! nothing of the input's size.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What may be taken whatever the input.
const ALWAYS: usize = 64 << 10;

/// Runs it, and fails where it took more memory at a time than so many bytes for each of the input, beside what is
/// `reserved` at once.
pub fn within(factor: usize, reserved: usize, input: usize, run: impl FnOnce()) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    run();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let most = ALWAYS + reserved + factor * input;
    assert!(
        taken <= most,
        "{taken} bytes of memory for an input of {input}"
    );
}
