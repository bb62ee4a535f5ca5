//! Where the environment says the engine is: `DOCKER_HOST`, a context, a socket.

use super::environment::{Environment, flag, vars};
use super::parse::{self, Parsed, Scheme};
use super::{Endpoint, TlsConfig, context, discover};
use crate::error::{Error, ErrorKind, Result};
use crate::quote::quote_url;

/// What the environment wants of TLS for TCP.
struct TlsWish {
    /// The variables that ask for it, for messages; empty where none does.
    names: Vec<&'static str>,
    /// `DOCKER_TLS_VERIFY` or `DOCKER_TLS`.
    switched: bool,
    /// `DOCKER_TLS` without `DOCKER_TLS_VERIFY`.
    unverified: bool,
}

impl TlsWish {
    fn read(environment: &Environment) -> Result<Self> {
        let verify = tls_switch(environment, vars::TLS_VERIFY)?;
        let tls = tls_switch(environment, vars::TLS)?;
        let certs = environment.text(vars::CERT_PATH)?.is_some();
        let asked = [
            (verify, vars::TLS_VERIFY),
            (tls, vars::TLS),
            (certs, vars::CERT_PATH),
        ];
        Ok(Self {
            names: asked
                .into_iter()
                .filter(|(set, _)| *set)
                .map(|(_, name)| name)
                .collect(),
            switched: verify || tls,
            unverified: tls && !verify,
        })
    }

    fn is_asked(&self) -> bool {
        !self.names.is_empty()
    }

    fn asked_by(&self) -> String {
        self.names.join(" and ")
    }

    /// Plaintext where TLS is asked for.
    fn contradicts(&self, endpoint: &Endpoint, origin: &str) -> Error {
        let by = self.asked_by();
        Error::new(
            ErrorKind::Config,
            format!("{origin} is {endpoint}, plaintext, but TLS is asked for by {by}"),
        )
        .with_advice(format!("give the engine's address with TLS, or unset {by}"))
    }
}

/// Docker's CLI takes any value for yes, `0` and `false` included: who wrote those meant no, so that
/// neither reading would be safe.
fn tls_switch(environment: &Environment, name: &str) -> Result<bool> {
    let asked = environment.read(
        name,
        "1, true, yes, on; unset it for no",
        |text| match flag(text) {
            Some(true) => Ok(true),
            Some(false) => Err("Docker's CLI takes any value for yes, this one too"),
            None => Err("not a yes"),
        },
    )?;
    Ok(asked.unwrap_or(false))
}

/// What named an endpoint that the code gave.
pub(crate) const GIVEN: &str = "the builder's endpoint";
pub(crate) const GIVEN_FALLBACK: &str = "the builder's fallback endpoint";

/// The endpoint that the code gave, where it doesn't undo TLS that the environment asks for.
pub(crate) fn given(
    endpoint: Endpoint,
    origin: &str,
    environment: &Environment,
) -> Result<Endpoint> {
    if matches!(endpoint, Endpoint::Tcp { .. }) {
        let wish = TlsWish::read(environment)?;
        if wish.is_asked() {
            return Err(wish.contradicts(&endpoint, origin));
        }
    }
    Ok(endpoint)
}

/// The other road that the environment names, and what names it, for messages.
pub(crate) fn fallback(environment: &Environment) -> Result<Option<(Endpoint, String)>> {
    let Some(host) = environment.text(vars::FALLBACK_HOST)? else {
        return Ok(None);
    };
    let origin = format!("{}={}", vars::FALLBACK_HOST, quote_url(host));
    let wish = TlsWish::read(environment)?;
    let endpoint = from_host(host, &origin, &wish, environment)?;
    Ok(Some((endpoint, origin)))
}

/// The endpoint that the environment names, or the first socket found; and what named it, for messages.
pub(crate) fn found(environment: &Environment) -> Result<(Endpoint, String)> {
    let wish = TlsWish::read(environment)?;
    if let Some(host) = environment.text(vars::HOST)? {
        let origin = format!("{}={}", vars::HOST, quote_url(host));
        return Ok((from_host(host, &origin, &wish, environment)?, origin));
    }
    if let Some((endpoint, origin)) = context::current(environment)? {
        if wish.is_asked() && matches!(endpoint, Endpoint::Tcp { .. }) {
            return Err(wish.contradicts(&endpoint, &origin));
        }
        return Ok((endpoint, origin));
    }
    // Docker's CLI takes the switch alone for this machine's TLS port; a socket isn't what was asked for.
    if wish.switched {
        let tls = certificates(&wish, environment)?;
        return Ok((
            Endpoint::tls("localhost", parse::TLS_PORT, tls),
            wish.asked_by(),
        ));
    }
    let socket = discover::socket(environment)?;
    Ok((Endpoint::unix(socket), "the first socket found".to_owned()))
}

fn from_host(
    host: &str,
    origin: &str,
    wish: &TlsWish,
    environment: &Environment,
) -> Result<Endpoint> {
    let parsed = parse::parse(host.trim()).map_err(|refusal| refusal.into_error(origin))?;
    let Parsed::Net { scheme, .. } = parsed else {
        return Ok(parsed.into_endpoint(None));
    };
    if !wish.is_asked() {
        return Ok(parsed.into_endpoint(None));
    }
    if scheme == Scheme::Http {
        return Err(wish.contradicts(&parsed.into_endpoint(None), origin));
    }
    Ok(parsed.into_endpoint(Some(certificates(wish, environment)?)))
}

fn certificates(wish: &TlsWish, environment: &Environment) -> Result<TlsConfig> {
    if wish.unverified {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} without {} asks for TLS without verification",
                vars::TLS,
                vars::TLS_VERIFY
            ),
        )
        .with_advice(format!("set {}=1", vars::TLS_VERIFY)));
    }
    let by = wish.asked_by();
    let fault = |why: String| {
        Error::new(
            ErrorKind::Config,
            format!("TLS is asked for by {by}, but {why}"),
        )
        .with_advice(format!(
            "set {} to where ca.pem, cert.pem and key.pem are",
            vars::CERT_PATH
        ))
    };
    let given = environment.path(vars::CERT_PATH)?;
    let default = || context::config_dir(environment).map(|dir| dir.map(|dir| dir.path));
    let dir = given.map_or_else(default, |given| Ok(Some(given)))?;
    let dir =
        dir.ok_or_else(|| fault("there is no home directory to take certificates from".into()))?;
    let tls = TlsConfig::from_dir(dir);
    match tls.first_unreadable() {
        Some(file) => Err(fault(format!("can't use {file}"))),
        None => Ok(tls),
    }
}

pub(crate) fn refuse_plaintext(endpoint: &Endpoint, origin: &str, allowed: bool) -> Result<()> {
    if allowed || !matches!(endpoint, Endpoint::Tcp { .. }) || endpoint.is_loopback() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "{endpoint} (from {origin}) is plaintext beyond loopback: whoever reaches it is root on the engine's machine"
        ),
    )
    .with_advice(format!(
        "use TLS ({}=1) or forward the engine's socket with ssh -L; where the network is trusted, \
         {}=true allows it",
        vars::TLS_VERIFY,
        vars::INSECURE_TCP,
    )))
}
