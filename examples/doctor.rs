//! Tells what the engine gives, and where it isn't reached, why. The exit code is 1 where there is a problem.
//!
//! `cargo run --example doctor [-- [--json] [IMAGE]]`; with an image that is there, containers of it show which
//! limits really hold.

use std::process::ExitCode;

use catamaran::Config;
use catamaran::doctor::{DoctorOptions, Severity};
use catamaran::model::ImageRef;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut json = false;
    let mut options = DoctorOptions::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            image => options = options.with_image(ImageRef::new(image)?),
        }
    }
    let report = catamaran::doctor(Config::from_env(), &options).await;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.worst() == Severity::Problem {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
