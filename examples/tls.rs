//! Asks an engine behind TLS who it is.
//!
//! `cargo run --features tls --example tls [HOST PORT CERTS]`: the engine at that address, with `ca.pem`,
//! `cert.pem` and `key.pem` in that directory; else the one that the environment names (`DOCKER_HOST`,
//! `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`, or a Docker context).

use std::error::Error;
use std::process::ExitCode;

use catamaran::{AsyncEngine, Config, ContainerBackend, Endpoint, TlsConfig};

fn config() -> Result<Config, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let config = match &arguments[..] {
        [] => Config::from_env()?,
        [host, port, certs] => {
            let tls = TlsConfig::from_dir(certs);
            let endpoint = Endpoint::tls(host, port.parse()?, tls);
            Config::builder().endpoint(endpoint).build()?
        }
        _ => return Err("usage: tls [HOST PORT CERTS]".into()),
    };
    match config.endpoint() {
        Endpoint::Tls { .. } => Ok(config),
        other => Err(format!(
            "{other} is not reached through TLS: name an engine that is, such as \
             DOCKER_HOST=tcp://engine.example:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=~/.docker"
        )
        .into()),
    }
}

async fn ask() -> Result<(), Box<dyn Error>> {
    let config = config()?;
    let engine = AsyncEngine::new(&config)?;
    engine.ping().await?;
    let version = engine.version().await?;
    println!(
        "{} is {} {}, by name and certificate",
        config.endpoint(),
        version.product,
        version.version
    );
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match ask().await {
        Ok(()) => ExitCode::SUCCESS,
        // With all of it: what was done, where, why it failed, and what to do.
        Err(error) => {
            eprintln!("tls: {error:#}");
            ExitCode::FAILURE
        }
    }
}
