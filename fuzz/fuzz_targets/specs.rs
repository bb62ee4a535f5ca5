//! What is to be made, read from JSON as a host may keep it: what is taken is asked for as it was said.
#![no_main]

use catamaran::fuzzing::{network, shown_back, volume};
use catamaran::model::{ContainerSpec, NetworkSpec, VolumeSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    if let Ok(spec) = serde_json::from_slice::<ContainerSpec>(json) {
        shown_back(&spec);
    }
    if let Ok(spec) = serde_json::from_slice::<NetworkSpec>(json) {
        network(&spec);
    }
    if let Ok(spec) = serde_json::from_slice::<VolumeSpec>(json) {
        volume(&spec);
    }
});
