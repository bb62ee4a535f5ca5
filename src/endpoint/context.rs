//! Docker contexts: endpoints by name, kept as files under `~/.docker`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind as Io, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::environment::{Environment, vars};
use super::parse::{self, Parsed, Scheme};
use super::{Endpoint, TlsConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::quote::{one_line, quote, quote_url};

/// The files are written by people and tools of other kinds: beyond this it is none of them.
const LARGEST_FILE: u64 = 1 << 20;
/// How a message calls the directory that no variable names.
const DEFAULT_DIR: &str = "~/.docker";
/// How many contexts a message names.
const MOST_NAMES: usize = 20;

/// Where Docker's CLI keeps its configuration, and who says so.
pub(crate) struct ConfigDir {
    pub(crate) path: PathBuf,
    pub(crate) origin: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    endpoints: Endpoints,
}

/// Other endpoints (Kubernetes and what tools add) are none of ours, whatever is in them.
#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<EndpointMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointMetadata {
    #[serde(default)]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

pub(crate) fn config_dir(environment: &Environment) -> Result<Option<ConfigDir>> {
    if let Some(path) = environment.path(vars::CONFIG)? {
        return Ok(Some(ConfigDir {
            path,
            origin: vars::CONFIG,
        }));
    }
    let default = |home: &Path| ConfigDir {
        path: home.join(".docker"),
        origin: DEFAULT_DIR,
    };
    Ok(environment.home().map(default))
}

/// The current context's endpoint and its origin for messages; `None` where no context is chosen.
pub(crate) fn current(environment: &Environment) -> Result<Option<(Endpoint, String)>> {
    let dir = config_dir(environment)?;
    let (name, chosen_by) = match environment.text(vars::CONTEXT)? {
        Some(name) => (name.to_owned(), vars::CONTEXT),
        None => match dir.as_ref().map(current_name).transpose()?.flatten() {
            Some(name) => (name, "currentContext in config.json"),
            None => return Ok(None),
        },
    };
    if name == "default" {
        return Ok(None);
    }
    let origin = format!("{chosen_by} {}", quote(&name));
    let Some(dir) = dir else {
        return Err(wrong(format!("{origin}: no home directory to look in"))
            .with_advice(format!("set {}", vars::CONFIG)));
    };
    let endpoint = load(&dir, &name, &origin)?;
    Ok(Some((endpoint, origin)))
}

fn current_name(dir: &ConfigDir) -> Result<Option<String>> {
    let path = dir.path.join("config.json");
    let file: Option<ConfigFile> = read_json(&path, dir.origin)?;
    Ok(file
        .and_then(|file| file.current_context)
        .filter(|name| !name.is_empty()))
}

fn load(dir: &ConfigDir, name: &str, origin: &str) -> Result<Endpoint> {
    let id = hex(&Sha256::digest(name));
    let contexts = dir.path.join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let Some(metadata) = read_json::<Metadata>(&path, origin)? else {
        return Err(wrong(format!(
            "{origin}: no such context in {}; known: {}",
            one_line(&contexts),
            known(&contexts.join("meta")),
        ))
        .with_advice("docker context ls lists them; default means none"));
    };
    let found = metadata
        .endpoints
        .docker
        .filter(|found| !found.host.is_empty());
    let Some(EndpointMetadata {
        host,
        skip_tls_verify,
    }) = found
    else {
        return Err(wrong(format!(
            "{origin}: {} has no Endpoints.docker.Host",
            one_line(&path)
        )));
    };
    let parsed = parse::parse(host.trim())
        .map_err(|refusal| refusal.into_error(&format!("{origin}: host {}", quote_url(&host))))?;
    let Parsed::Net { scheme, .. } = parsed else {
        // TLS has no meaning on a socket; Docker's CLI ignores it there too.
        return Ok(parsed.into_endpoint(None));
    };
    if skip_tls_verify {
        return Err(wrong(format!(
            "{origin}: the context asks for TLS without verification"
        ))
        .with_advice("give it the engine's CA and skip-tls-verify=false (docker context update)"));
    }
    let tls = TlsConfig::from_context(&contexts.join("tls").join(&id).join("docker"))
        .map_err(|why| wrong(format!("{origin}: {why}")))?;
    if tls.is_some() && scheme == Scheme::Http {
        return Err(wrong(format!(
            "{origin}: its host is http://, plaintext, but it has certificates"
        ))
        .with_advice("write tcp:// or https://"));
    }
    Ok(parsed.into_endpoint(tls))
}

fn known(meta: &Path) -> String {
    let Ok(entries) = fs::read_dir(meta) else {
        return "none".to_owned();
    };
    let mut names: Vec<_> = entries
        .flatten()
        .take(MOST_NAMES)
        // What can't be read has no name to show.
        .filter_map(|entry| {
            read_json::<Metadata>(&entry.path().join("meta.json"), "")
                .ok()
                .flatten()
        })
        .map(|metadata| quote(&metadata.name))
        .collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.sort();
    names.join(", ")
}

/// `None` where there is no such file. The message never quotes the file: `config.json` holds registry
/// passwords.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(
    path: &Path,
    origin: &str,
) -> Result<Option<T>> {
    let fault = |why: String| wrong(format!("{origin}: {}: {why}", one_line(path)));
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == Io::NotFound => return Ok(None),
        // `HOME=/dev/null` is a habit of service managers; a `DOCKER_CONFIG` that is a file is a mistake.
        Err(cause) if cause.kind() == Io::NotADirectory && origin == DEFAULT_DIR => {
            return Ok(None);
        }
        Err(cause) => {
            return Err(fault(cause.to_string())
                .with_source(cause)
                .with_advice(format!("make it readable, or set {}", vars::HOST)));
        }
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|cause| {
        fault(format!(
            "malformed at line {} column {}",
            cause.line(),
            cause.column()
        ))
    })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    // A named pipe would block the open.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(std::io::Error::other("larger than 1 MiB"));
    }
    Ok(bytes)
}

pub(crate) fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
