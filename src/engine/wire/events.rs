//! Events: a line for each, of fields that have two names, an old one and a new one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use serde::Deserialize;
use serde_json::Value;

use super::Call;
use super::lines::messages;
use super::query::{Filters, Query};
use crate::error::Result;
use crate::model::{
    Event, EventAction, EventAttributes, EventKind, EventsOptions, format_unix, unix,
};

pub(crate) fn events(options: &EventsOptions) -> Result<Call> {
    options.validate()?;
    let filters = Filters::default()
        .with("type", &options.kinds)
        .with("event", &options.actions)
        .with("container", &options.containers)
        .with("image", &options.images)
        .with_labels("label", &options.labels);
    let path = Query::new("/events")
        .with_some("since", options.since.map(format_unix))
        .with_some("until", options.until.map(format_unix))
        .with_filters(&filters);
    Ok(Call::get(path.finish()))
}

#[derive(Deserialize, Default)]
struct Actor {
    #[serde(rename = "ID")]
    id: Option<String>,
    #[serde(rename = "Attributes")]
    attributes: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Action")]
    action: Option<String>,
    #[serde(rename = "Actor")]
    actor: Option<Actor>,
    // Their names up to API 1.51.
    status: Option<String>,
    id: Option<String>,
    from: Option<String>,
    scope: Option<String>,
    time: Option<i64>,
    #[serde(rename = "timeNano")]
    nanos: Option<i64>,
    // Podman's own.
    #[serde(rename = "HealthStatus")]
    health: Option<String>,
}

impl Message {
    fn read(self) -> Event {
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        let actor = self.actor.unwrap_or_default();
        // What had no type yet was about a container, or about an image, which comes from nowhere.
        let kind = told(self.kind).map_or_else(
            || match &self.from {
                Some(_) => EventKind::Container,
                None => EventKind::Other(String::new()),
            },
            EventKind::from,
        );
        let action = told(self.action).or(told(self.status)).unwrap_or_default();
        // `exec_create: sh -c …`, `health_status: healthy`
        let (action, detail) = match action.split_once(':') {
            Some((action, detail)) => (action.trim(), Some(detail.trim().to_owned())),
            None => (action.as_str(), None),
        };
        let mut attributes: EventAttributes = actor
            .attributes
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| match value {
                Value::String(text) => (key, text),
                other => (key, other.to_string()),
            })
            .collect();
        if let (Some(image), None) = (told(self.from), attributes.get("image")) {
            attributes.insert("image", image);
        }
        let id = told(actor.id).or(told(self.id)).unwrap_or_default();
        Event::new(kind, EventAction::from(action), id)
            .with_detail(told(detail).or(told(self.health)))
            .with_attributes(attributes)
            .with_time(
                self.nanos
                    .and_then(nanoseconds)
                    .or(self.time.and_then(unix)),
            )
            .with_scope(told(self.scope))
    }
}

/// Nanoseconds since the epoch; 0 and less mean "not known".
fn nanoseconds(nanos: i64) -> Option<SystemTime> {
    let nanos = u64::try_from(nanos).ok().filter(|nanos| *nanos > 0)?;
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

/// Takes an answer's body apart into events; it ends after the first error.
pub(crate) fn told_events(
    body: BoxStream<'static, Result<Bytes>>,
) -> impl Stream<Item = Result<Event>> + Send + 'static {
    messages(body, "an event", |message: Message| {
        Ok(Some(message.read()))
    })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::error::ErrorKind;

    async fn read(text: &str) -> Vec<Result<Event>> {
        let body = futures::stream::iter([Ok(Bytes::from(text.to_owned()))]);
        told_events(body.boxed()).collect().await
    }

    async fn one(text: &str) -> Event {
        let mut events = read(text).await;
        assert_eq!(events.len(), 1, "{text}");
        events.remove(0).expect(text)
    }

    #[tokio::test]
    async fn old_and_new_names_mean_the_same() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_795_534_727_702_573_297);
        let expected = Event::new(EventKind::Container, EventAction::Start, "c0ffee")
            .with_attributes(EventAttributes::from([("image", "busybox")]));
        let new = r#"{"Type":"container","Action":"start","Actor":{"ID":"c0ffee","Attributes":{"image":"busybox"}},
            "scope":"local","time":1795534727,"timeNano":1795534727702573297}"#;
        let expected_new = expected
            .clone()
            .with_time(time)
            .with_scope("local".to_owned());
        assert_eq!(one(&new.replace('\n', " ")).await, expected_new);
        let old = r#"{"status":"start","id":"c0ffee","from":"busybox","time":1795534727}"#;
        let whole = UNIX_EPOCH + Duration::from_secs(1_795_534_727);
        assert_eq!(one(old).await, expected.with_time(whole));
    }

    #[tokio::test]
    async fn what_is_new_or_unknown_is_kept() {
        let event = one(
            r#"{"Type":"quantum","Action":"entangle","Actor":{"ID":"x","Attributes":{"n":1,"no":null}},"new":[1]}"#,
        )
        .await;
        assert_eq!(event.kind, EventKind::Other("quantum".to_owned()));
        assert_eq!(event.action, EventAction::Other("entangle".to_owned()));
        assert_eq!(event.attributes, EventAttributes::from([("n", "1")]));
        assert_eq!(event.time, None);
        assert_eq!(one("{}").await.actor, "");
    }

    #[tokio::test]
    async fn what_an_action_says_more_is_no_secret_told() {
        let event = one(
            r#"{"Type":"container","Action":"exec_start: sh -c 'login s3cret'","Actor":{"ID":"x","Attributes":{"token":"s3cret"}}}"#,
        )
        .await;
        assert_eq!(event.action, EventAction::ExecStart);
        assert_eq!(event.detail.as_deref(), Some("sh -c 'login s3cret'"));
        assert!(!format!("{event:?}").contains("s3cret"), "{event:?}");
        let health = one(r#"{"Type":"container","Action":"health_status: healthy"}"#).await;
        assert_eq!(health.detail.as_deref(), Some("healthy"));
    }

    #[tokio::test]
    async fn what_is_no_event_ends_it_without_a_quote() {
        for text in ["{\"Type\":\"s3cret", "s3cret", "[1]", "{\"Type\":1}"] {
            let events = read(&format!("{{}}\n{text}\n{{}}")).await;
            let error = events[1].as_ref().expect_err(text);
            assert_eq!((events.len(), error.kind()), (2, ErrorKind::Decode));
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
