//! The environment, and Docker's own files: whatever they say configures, or is named as what is wrong. Nobody sees a secret.
#![no_main]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catamaran::fuzzing::{VARIABLES, pull};
use catamaran::model::{ImageRef, RegistryAuth};
use catamaran::{ApiVersion, Config, Endpoint, Environment, ErrorKind};
use catamaran_fuzz::disk::own;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sha2::{Digest, Sha256};

const SECRET: &str = "c4n4ry-";
/// The context that there is.
const CONTEXT: &str = "fuzzed";

#[derive(Arbitrary, Debug)]
enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Yes,
    /// The context that there is.
    Context,
    /// A directory with what is in `Files`.
    Directory,
}

#[derive(Arbitrary, Debug)]
enum ConfigFile {
    None,
    Bytes(Vec<u8>),
    Context(String),
    TheContext,
    /// A login, with a secret.
    Login {
        registry: String,
        shape: Shape,
        rest: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum Shape {
    Basic,
    Unencoded,
    Password,
    Identity,
    Registry,
    Helper,
}

#[derive(Arbitrary, Debug)]
enum ContextFile {
    None,
    Bytes(Vec<u8>),
    Host {
        host: String,
        skip_verification: bool,
    },
}

#[derive(Arbitrary, Debug)]
struct Case {
    variables: Vec<(u8, Value)>,
    config: ConfigFile,
    context: ContextFile,
    certificates: u8,
    image: String,
    /// Whether there is a socket to be found.
    socket: bool,
}

struct Place {
    docker: PathBuf,
    meta: PathBuf,
    tls: PathBuf,
    roots: [PathBuf; 2],
    _listener: UnixListener,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let own = own();
    let docker = own.join("home/.docker");
    let id: String = Sha256::digest(CONTEXT)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let meta = docker.join("contexts/meta").join(&id);
    let roots = ["with", "without"].map(|name| own.join(name));
    let run = roots[0].join("run/podman");
    for directory in [&meta, &run] {
        fs::create_dir_all(directory).expect("a directory");
    }
    Place {
        tls: docker.join("contexts/tls").join(id).join("docker"),
        _listener: UnixListener::bind(run.join("podman.sock")).expect("a socket"),
        docker,
        meta,
        roots,
    }
});

impl Case {
    fn config_file(&self) -> Option<Vec<u8>> {
        let json = match &self.config {
            ConfigFile::None => return None,
            ConfigFile::Bytes(bytes) => return Some(bytes.clone()),
            ConfigFile::Context(name) => json!({ "currentContext": name }),
            ConfigFile::TheContext => json!({ "currentContext": CONTEXT }),
            ConfigFile::Login {
                registry,
                shape,
                rest,
            } => {
                let rest = String::from_utf8_lossy(rest);
                let secret = format!("{SECRET}{rest}");
                let entry = match shape {
                    Shape::Basic => json!({ "auth": STANDARD.encode(format!("{rest}:{secret}")) }),
                    Shape::Unencoded => json!({ "auth": secret }),
                    Shape::Password => json!({ "username": rest, "password": secret }),
                    Shape::Identity => json!({ "identitytoken": secret }),
                    Shape::Registry => json!({ "registrytoken": secret }),
                    Shape::Helper => json!({}),
                };
                let helper = matches!(shape, Shape::Helper).then_some(rest);
                json!({ "auths": { registry: entry }, "credHelpers": { registry: helper } })
            }
        };
        Some(json.to_string().into_bytes())
    }

    fn context_file(&self) -> Option<Vec<u8>> {
        match &self.context {
            ContextFile::None => None,
            ContextFile::Bytes(bytes) => Some(bytes.clone()),
            ContextFile::Host {
                host,
                skip_verification,
            } => {
                let docker = json!({ "Host": host, "SkipTLSVerify": skip_verification });
                let json = json!({ "Name": CONTEXT, "Endpoints": { "docker": docker } });
                Some(json.to_string().into_bytes())
            }
        }
    }

    fn lay_out(&self) {
        let Place {
            docker, meta, tls, ..
        } = &*PLACE;
        let write = |path: PathBuf, contents: Option<Vec<u8>>| match contents {
            Some(contents) => fs::write(path, contents).expect("a file"),
            None => drop(fs::remove_file(path)),
        };
        write(docker.join("config.json"), self.config_file());
        write(meta.join("meta.json"), self.context_file());
        drop(fs::remove_dir_all(tls));
        if self.certificates & 8 != 0 {
            fs::create_dir_all(tls).expect("a directory");
        }
        for (bit, name) in ["ca.pem", "cert.pem", "key.pem"].into_iter().enumerate() {
            let there = self.certificates >> bit & 1 == 1;
            write(docker.join(name), there.then(|| b"pem".to_vec()));
            if self.certificates & 8 != 0 {
                write(tls.join(name), there.then(|| b"pem".to_vec()));
            }
        }
    }

    /// Whether the secret is said elsewhere, where it is none.
    fn tells(&self) -> bool {
        let mut said = vec![self.image.as_bytes()];
        said.extend(self.variables.iter().map(|(_, value)| match value {
            Value::Bytes(bytes) => bytes,
            Value::Text(text) => text.as_bytes(),
            Value::Yes | Value::Context | Value::Directory => b"",
        }));
        match &self.config {
            ConfigFile::None | ConfigFile::TheContext => {}
            ConfigFile::Bytes(bytes) => said.push(bytes),
            ConfigFile::Context(name) => said.push(name.as_bytes()),
            ConfigFile::Login { registry, rest, .. } => said.extend([registry.as_bytes(), rest]),
        }
        match &self.context {
            ContextFile::None => {}
            ContextFile::Bytes(bytes) => said.push(bytes),
            ContextFile::Host { host, .. } => said.push(host.as_bytes()),
        }
        let tells = |said: &&[u8]| String::from_utf8_lossy(said).contains(SECRET);
        said.iter().any(tells)
    }

    fn environment(&self) -> (Environment, Vec<&'static str>) {
        let root = &PLACE.roots[usize::from(!self.socket)];
        let mut environment = Environment::empty().with_root(root);
        environment = environment.with_home(PLACE.docker.with_file_name(""));
        let mut set = Vec::new();
        for (which, value) in self.variables.iter().take(VARIABLES.len()) {
            let name = VARIABLES[usize::from(*which) % VARIABLES.len()];
            let value = match value {
                Value::Bytes(bytes) => OsString::from_vec(bytes.clone()),
                Value::Text(text) => text.into(),
                Value::Yes => "1".into(),
                Value::Context => CONTEXT.into(),
                Value::Directory => PLACE.docker.clone().into(),
            };
            set.retain(|known| *known != name);
            if !value.is_empty() {
                set.push(name);
            }
            environment = environment.with_var(name, value);
        }
        (environment, set)
    }
}

/// One line, of a length that a log has room for.
fn is_told(text: &str) {
    assert!(text.len() < 4000, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn configured(config: &Config, set: &[&str]) {
    let times = [
        config.operation_timeout(),
        config.connect_timeout(),
        config.idle_timeout(),
    ];
    let most = Duration::from_secs(24 * 60 * 60);
    assert!(
        times
            .iter()
            .all(|time| (Duration::from_millis(1)..=most).contains(time))
    );
    let limits = config.limits();
    assert!((1..=1024).contains(&config.pool_size()) && (1..=1024).contains(&limits.pulls));
    assert!((1..=65_536).contains(&limits.streams) && limits.queue <= 65_536);
    let spoken = ApiVersion::OLDEST..=ApiVersion::NEWEST;
    assert!(
        config
            .api_version()
            .is_none_or(|version| spoken.contains(&version))
    );
    for endpoint in [Some(config.endpoint()), config.fallback_endpoint()]
        .into_iter()
        .flatten()
    {
        if matches!(endpoint, Endpoint::Tcp { .. }) {
            assert!(
                endpoint.is_loopback() || config.insecure_tcp(),
                "{config:?}"
            );
            let tls = ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"];
            assert!(
                !set.iter().any(|name| tls.contains(name)),
                "{config:?} though {set:?}"
            );
        }
        is_told(&endpoint.to_string());
    }
    is_told(config.endpoint_origin());
}

fuzz_target!(|case: Case| {
    case.lay_out();
    let (environment, set) = case.environment();
    let told = case.tells();
    let hidden = |shown: String| assert!(told || !shown.contains(SECRET), "{shown}");
    match Config::from_environment(&environment) {
        Ok(config) => {
            configured(&config, &set);
            hidden(format!("{config:?}"));
        }
        Err(error) => {
            assert!(matches!(
                error.kind(),
                ErrorKind::Config | ErrorKind::Unsupported
            ));
            is_told(&error.to_string());
            hidden(format!("{error:#} {error:?}"));
        }
    }
    let Ok(image) = ImageRef::new(&case.image) else {
        return;
    };
    match RegistryAuth::for_image(&image, &environment) {
        Ok(None) => {}
        Ok(Some(auth)) => {
            hidden(format!("{auth:?}"));
            pull(&image, auth);
        }
        Err(error) => {
            assert!(matches!(
                error.kind(),
                ErrorKind::Config | ErrorKind::Unsupported
            ));
            is_told(&error.to_string());
            hidden(format!("{error:#} {error:?}"));
        }
    }
});
