//! Who asks: bearer tokens, each of an owner.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use catamaran::session::SessionKey;
use sha2::{Digest, Sha256};

use crate::config::Observe;
use crate::problem::{Problem, sorts};
use crate::state::App;

/// Shorter ones can be guessed.
const MIN_TOKEN: usize = 16;

/// The owners by their tokens' digests: the tokens themselves aren't kept.
pub struct Tokens(Vec<([u8; 32], Arc<str>)>);

impl Tokens {
    /// Reads `token:owner` pairs between spaces, commas or line ends; what follows a `#` on its line is a remark.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        let pairs = lines.flat_map(|line| line.split([',', ' ', '\t']));
        let mut tokens = Vec::new();
        for (place, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
            // By its place, for it is a secret.
            let wrong = |what: &str| format!("pair {}: {what}", place + 1);
            let (token, owner) = pair
                .split_once(':')
                .ok_or_else(|| wrong("isn't of the form token:owner"))?;
            if token.len() < MIN_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(wrong(
                    "the token isn't 16 or more letters, digits and signs",
                ));
            }
            if SessionKey::new(owner, "session").is_err() {
                return Err(wrong(
                    "the owner can't be one: it is empty, too long, or has a '/'",
                ));
            }
            let digest = digest(token.as_bytes());
            if tokens.iter().any(|(other, _)| *other == digest) {
                return Err(wrong("the token is there twice"));
            }
            tokens.push((digest, Arc::from(owner)));
        }
        if tokens.is_empty() {
            return Err("there is no token".to_owned());
        }
        Ok(Self(tokens))
    }

    /// Whose token it is. All are compared, whichever fits, and by digests, so that the time it takes says nothing of
    /// any token.
    pub fn owner(&self, token: &[u8]) -> Option<Arc<str>> {
        let asked = digest(token);
        let mut found = None;
        for (digest, owner) in &self.0 {
            let differs = digest
                .iter()
                .zip(&asked)
                .fold(0, |all, (a, b)| all | (a ^ b));
            if std::hint::black_box(differs) == 0 {
                found = Some(owner);
            }
        }
        found.cloned()
    }

    /// Who may ask.
    pub fn owners(&self) -> Vec<&str> {
        let mut owners: Vec<_> = self.0.iter().map(|(_, owner)| &**owner).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whose request it is.
#[derive(Clone, Debug)]
pub struct Owner(pub Arc<str>);

/// The bearer token of a request.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let header = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = header.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// Lets those through who have a token, and notes whose it is.
pub async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = token(request.headers());
    let owner = token
        .and_then(|token| app.settings.tokens.owner(token))
        .ok_or_else(|| Problem::unauthorized(token.is_some()))?;
    tracing::Span::current().record("owner", &*owner);
    request.extensions_mut().insert(Owner(owner));
    Ok(next.run(request).await)
}

impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Missing only where a route was put outside of the layer.
        let owner = parts.extensions.get::<Self>().cloned();
        owner.ok_or_else(|| Problem::unauthorized(false))
    }
}

/// One who may change how the service works, and is shown all of how it does.
#[derive(Debug)]
pub struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = token(&parts.headers);
        let owner = token
            .and_then(|token| app.settings.tokens.owner(token))
            .ok_or_else(|| Problem::unauthorized(token.is_some()))?;
        match app.settings.operators.iter().any(|name| **name == *owner) {
            true => Ok(Self),
            false => Err(Problem::new(&sorts::FORBIDDEN)),
        }
    }
}

/// What whoever asks is shown of how the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Whether it serves.
    Status,
    /// Numbers and states.
    Numbers,
    /// What concerns single sessions, too.
    All,
}

impl FromRequestParts<App> for Sight {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let open = app.settings.observe == Observe::Anybody;
        match Operator::from_request_parts(parts, app).await {
            Ok(Operator) => Ok(Self::All),
            // One that is wrong is told so: whoever sends one wants to see all.
            Err(problem) if token(&parts.headers).is_some() && problem.is_unauthorized() => {
                Err(problem)
            }
            Err(_) if open => Ok(Self::Numbers),
            Err(_) => Ok(Self::Status),
        }
    }
}
