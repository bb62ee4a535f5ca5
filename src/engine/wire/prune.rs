//! Removing what nothing uses: our model to Docker's requests, and what an engine mustn't be asked since it would take
//! more than that.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::query::{Filters, Query};
use super::{Call, Head};
use crate::endpoint::ApiVersion;
use crate::error::{Error, Result};
use crate::model::{
    LabelKey, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneVolumesOptions, format_unix,
};

type Labels = BTreeMap<LabelKey, Option<String>>;

pub(crate) fn prune_containers(options: &PruneContainersOptions) -> Call {
    let (labels, without) = (&options.labels, &options.without_labels);
    prune("/containers/prune", labels, without, options.until)
}

pub(crate) fn prune_networks(options: &PruneNetworksOptions) -> Call {
    let (labels, without) = (&options.labels, &options.without_labels);
    prune("/networks/prune", labels, without, options.until)
}

fn prune(path: &str, labels: &Labels, without: &Labels, until: Option<SystemTime>) -> Call {
    let filters = Filters::default()
        .with_labels("label", labels)
        .with_labels("label!", without)
        .with("until", until.map(format_unix));
    Call::post(Query::new(path).with_filters(&filters).finish())
}

pub(crate) fn prune_images(options: &PruneImagesOptions) -> Call {
    let filters = Filters::default()
        .with("dangling", [!options.all])
        .with_labels("label", &options.labels)
        .with("until", options.until.map(format_unix));
    Call::post(Query::new("/images/prune").with_filters(&filters).finish())
}

pub(crate) fn prune_volumes(options: &PruneVolumesOptions, version: ApiVersion) -> Result<Call> {
    let chooses = version >= ApiVersion::new(1, 42);
    if !options.all && !chooses {
        // It would take what nobody asked it to.
        let message = format!(
            "an engine of API {version} prunes volumes with a name too: sparing them needs API 1.42"
        );
        return Err(Error::unsupported("all", message));
    }
    let filters = Filters::default()
        .with_labels("label", &options.labels)
        .with_labels("label!", &options.without_labels)
        .with("all", (options.all && chooses).then_some(true));
    Ok(Call::post(
        Query::new("/volumes/prune").with_filters(&filters).finish(),
    ))
}

/// Conditions that Podman reads otherwise than Docker, so that it would remove what was to be spared; the field that
/// holds them and why. Seen on 5.4.2, the rest read in `pkg/domain/filters` and `libpod/runtime_volume.go`.
pub(crate) struct Misread(&'static str, &'static str);

impl Misread {
    fn of(labels: &Labels, without: &Labels) -> Option<Self> {
        let is_any = |value: &Option<String>| value.as_deref() == Some("");
        for (field, conditions) in [("labels", labels), ("without_labels", without)] {
            if conditions.values().any(is_any) {
                return Some(Self(field, "takes an empty value of a label for any"));
            }
        }
        (without.len() > 1).then_some(Self(
            "without_labels",
            "spares only those that bear all of several labels",
        ))
    }

    pub(crate) fn of_containers(options: &PruneContainersOptions) -> Option<Self> {
        Self::of(&options.labels, &options.without_labels)
    }

    pub(crate) fn of_networks(options: &PruneNetworksOptions) -> Option<Self> {
        Self::of(&options.labels, &options.without_labels)
    }

    pub(crate) fn of_images(options: &PruneImagesOptions) -> Option<Self> {
        Self::of(&options.labels, &Labels::new())
    }

    pub(crate) fn of_volumes(options: &PruneVolumesOptions) -> Option<Self> {
        let (labels, without) = (&options.labels, &options.without_labels);
        Self::of(labels, without).or_else(|| {
            (!labels.is_empty() && !without.is_empty()).then_some(Self(
                "without_labels",
                "removes volumes that one condition of several is true of",
            ))
        })
    }

    /// The refusal, if the engine that answers so is one that misreads them.
    pub(crate) fn refused_for(self, ping: &Head) -> Result<()> {
        if ping.header("libpod-api-version").is_none() {
            return Ok(());
        }
        let Self(field, what) = self;
        let message = format!("Podman {what}: it would remove what is to be spared");
        Err(Error::unsupported(field, message)
            .with_advice("list them, and remove one by one what is to go"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::Headers;
    use crate::error::{Effect, ErrorKind};

    /// An engine that can't spare volumes with a name isn't asked to prune as if it could.
    #[test]
    fn a_prune_takes_what_was_asked_for_at_every_version() {
        let (old, new) = (ApiVersion::new(1, 41), ApiVersion::new(1, 42));
        let nameless = PruneVolumesOptions::default();
        let all = PruneVolumesOptions::default().with_all(true);
        let path = |options, version| prune_volumes(options, version).map(|call| call.path);
        assert_eq!(path(&all, old).expect("a call"), "/volumes/prune");
        assert_eq!(path(&nameless, new).expect("a call"), "/volumes/prune");
        assert_eq!(
            path(&all, new).expect("a call"),
            "/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D"
        );
        let refused = path(&nameless, old).expect_err("it would take the others too");
        assert_eq!(
            (refused.kind(), refused.effect(), refused.field()),
            (ErrorKind::Unsupported, Effect::NotSent, Some("all"))
        );
    }

    fn labels(conditions: &[(&str, Option<&str>)]) -> Labels {
        let condition = |&(key, value): &(&str, Option<&str>)| {
            let key = LabelKey::new(key).expect("a key");
            (key, value.map(str::to_owned))
        };
        conditions.iter().map(condition).collect()
    }

    #[test]
    fn podman_is_not_asked_what_it_would_misread() {
        let (one, two) = (("a", None), ("b", Some("c")));
        let volumes = |kept: &[_], spared: &[_]| {
            let mut options = PruneVolumesOptions::default().with_all(true);
            (options.labels, options.without_labels) = (labels(kept), labels(spared));
            Misread::of_volumes(&options).map(|Misread(field, _)| field)
        };
        let containers = |kept: &[_], spared: &[_]| {
            let mut options = PruneContainersOptions::default();
            (options.labels, options.without_labels) = (labels(kept), labels(spared));
            Misread::of_containers(&options).map(|Misread(field, _)| field)
        };
        for (kept, spared) in [(&[one, two][..], &[][..]), (&[], &[one])] {
            assert_eq!(volumes(kept, spared), None);
            assert_eq!(containers(kept, spared), None);
        }
        assert_eq!(containers(&[two], &[one]), None);
        assert_eq!(volumes(&[two], &[one]), Some("without_labels"));
        let any = ("a", Some(""));
        for asked in [volumes, containers] {
            assert_eq!(asked(&[], &[one, two]), Some("without_labels"));
            assert_eq!(asked(&[any], &[]), Some("labels"));
            assert_eq!(asked(&[], &[any]), Some("without_labels"));
        }
    }

    #[test]
    fn only_podman_is_refused_it() {
        let head = |name: &'static str| {
            let mut headers = http::HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static("5.4.2"));
            Head {
                status: 200,
                headers: Headers::Hyper1(headers),
            }
        };
        let misread = || Misread("labels", "does otherwise");
        assert!(misread().refused_for(&head("api-version")).is_ok());
        let refused = misread().refused_for(&head("libpod-api-version"));
        let refused = refused.expect_err("Podman would misread it");
        assert_eq!(
            (refused.kind(), refused.effect(), refused.field()),
            (ErrorKind::Unsupported, Effect::NotSent, Some("labels"))
        );
    }
}
