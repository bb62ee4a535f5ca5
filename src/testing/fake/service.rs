//! From a request to its answer, noted in the journal.

use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use percent_encoding::percent_decode_str;

use super::journal::Asked;
use super::request::{Answer, Query, Refusal, Request};
use super::routes;
use super::state::Shared;
use crate::testing::serve::{Body, Sent, Service};
use crate::testing::unversioned;

/// How large a request's body may be.
const MOST: usize = 256 << 20;

impl Service for Shared {
    async fn answer(self: &Arc<Self>, request: http::Request<Sent>) -> http::Response<Body> {
        let podman = self.personality.is_podman();
        match self.respond(request).await {
            Ok(answer) => answer.0,
            Err(refusal) => Answer::refusal(&refusal, podman).0,
        }
    }
}

impl Shared {
    async fn respond(
        self: &Arc<Self>,
        mut request: http::Request<Sent>,
    ) -> Result<Answer, Refusal> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let bad =
            |error: &dyn std::fmt::Display| Refusal::new(400, format!("reading the body: {error}"));
        let body = Limited::new(body, MOST)
            .collect()
            .await
            .map_err(|error| bad(&error))?
            .to_bytes();
        let query = head.uri.query().unwrap_or_default();
        let number = self.journal.asked(Asked {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: query.to_owned(),
            body: body.clone(),
            status: None,
        });
        let answered = async {
            let version = self.version(head.uri.path())?;
            let path = unversioned(head.uri.path());
            let parts = path.split('/').filter(|part| !part.is_empty());
            let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
            let request = Request {
                method: head.method,
                parts: parts.map(decoded).collect(),
                version,
                query: Query::parse(query),
                headers: head.headers,
                body,
                upgrade: Some(upgrade),
            };
            routes::route(self, request).await
        };
        let answered = answered.await;
        let status = match &answered {
            Ok(answer) => answer.0.status().as_u16(),
            Err(refusal) => refusal.status,
        };
        self.journal.answered(number, status);
        answered
    }

    /// The version that a path asks for.
    fn version(&self, path: &str) -> Result<(u32, u32), Refusal> {
        let traits = self.personality.traits();
        if unversioned(path).len() == path.len() {
            return Ok(traits.api);
        }
        let text = path
            .split('/')
            .nth(1)
            .unwrap_or_default()
            .trim_start_matches('v');
        let (major, minor) = text.split_once('.').unwrap_or_default();
        let version = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
        let (most, least) = (traits.api, traits.min_api);
        if version > most {
            let message = format!(
                "client version {text} is too new. Maximum supported API version is {}.{}",
                most.0, most.1
            );
            return Err(Refusal::new(400, message));
        }
        if version < least {
            let message = format!(
                "client version {text} is too old. Minimum supported API version is {}.{}, please upgrade your client to a newer version",
                least.0, least.1
            );
            return Err(Refusal::new(400, message));
        }
        Ok(version)
    }
}
