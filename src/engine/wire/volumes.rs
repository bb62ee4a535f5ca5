//! Volumes: our model to Docker's requests, and Docker's answers to our model.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use super::Call;
use super::decode::json;
use super::encode::{labels, literal, options};
use super::nullable::nullable;
use super::query::{Filters, Query};
use crate::engine::bollard::models;
use crate::error::Result;
use crate::model::{
    LabelKey, ListVolumesOptions, PruneReport, RemoveVolumeOptions, VolumeDetails, VolumeList,
    VolumeName, VolumeSpec, parse_rfc3339,
};

pub(crate) fn create_volume(spec: &VolumeSpec) -> Result<Call> {
    spec.validate()?;
    Call::post("/volumes/create").with_json(&models::VolumeCreateRequest {
        name: spec.name.as_ref().map(ToString::to_string),
        driver: spec.driver.clone(),
        driver_opts: options(&spec.options),
        labels: labels(&spec.labels),
        ..Default::default()
    })
}

pub(crate) fn inspect_volume(volume: &VolumeName) -> Call {
    Call::get(format!("/volumes/{volume}"))
}

pub(crate) fn list_volumes(options: &ListVolumesOptions) -> Call {
    let names = options.names.iter().map(|name| literal("", name.as_str()));
    let filters = Filters::default()
        .with_labels("label", &options.labels)
        .with("name", names)
        .with("driver", &options.driver)
        .with("dangling", options.dangling);
    Call::get(Query::new("/volumes").with_filters(&filters).finish())
}

pub(crate) fn remove_volume(volume: &VolumeName, options: &RemoveVolumeOptions) -> Call {
    let path = Query::new(format!("/volumes/{volume}")).with("force", options.force);
    Call::new(Method::DELETE, path.finish())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    driver: String,
    #[serde(default, deserialize_with = "nullable")]
    mountpoint: String,
    #[serde(default, deserialize_with = "nullable")]
    created_at: String,
    #[serde(default, deserialize_with = "nullable")]
    scope: String,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    options: BTreeMap<String, String>,
}

impl From<Volume> for VolumeDetails {
    fn from(volume: Volume) -> Self {
        Self {
            name: volume.name,
            driver: volume.driver,
            mountpoint: volume.mountpoint,
            created: parse_rfc3339(&volume.created_at),
            scope: volume.scope,
            labels: volume.labels,
            options: volume.options.into_iter().collect(),
        }
    }
}

pub(crate) fn volume(body: &[u8]) -> Result<VolumeDetails> {
    json::<Volume>(body).map(VolumeDetails::from)
}

/// Those of the answer that are asked for: Podman shows what any one condition is true of, not all.
pub(crate) fn volumes(body: &[u8], options: &ListVolumesOptions) -> Result<VolumeList> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default, deserialize_with = "nullable")]
        volumes: Vec<Volume>,
        #[serde(default, deserialize_with = "nullable")]
        warnings: Vec<String>,
    }
    let answer = json::<Option<Answer>>(body)?.unwrap_or_default();
    Ok(VolumeList {
        volumes: answer
            .volumes
            .into_iter()
            .map(Into::into)
            .filter(|volume| is_asked_for(volume, options))
            .collect(),
        warnings: answer.warnings,
    })
}

fn is_asked_for(volume: &VolumeDetails, options: &ListVolumesOptions) -> bool {
    let ListVolumesOptions {
        labels,
        names,
        driver,
        dangling: _, // an answer doesn't say
    } = options;
    let bears = |(key, value): (&LabelKey, &Option<String>)| {
        let found = volume.labels.get(key.as_str());
        found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
    };
    labels.iter().all(bears)
        && (names.is_empty() || names.iter().any(|name| name.as_str() == volume.name))
        && driver
            .as_ref()
            .is_none_or(|driver| *driver == volume.driver)
}

pub(crate) fn pruned_volumes(body: &[u8]) -> Result<PruneReport> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default, deserialize_with = "nullable")]
        volumes_deleted: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        space_reclaimed: u64,
    }
    let answer = json::<Option<Answer>>(body)?.unwrap_or_default();
    Ok(PruneReport {
        removed: answer.volumes_deleted,
        reclaimed: answer.space_reclaimed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// An engine that shows what one condition of several is true of is asked for all of them.
    #[test]
    fn a_list_has_what_all_conditions_are_true_of() {
        let body = br#"{"Volumes":[
            {"Name":"a","Driver":"local","Labels":{"k":"v"}},{"Name":"b","Driver":"local","Labels":{"k":"w"}},
            {"Name":"c","Driver":"other","Labels":null}]}"#;
        let listed = |options: ListVolumesOptions| {
            let list = volumes(body, &options).expect("a list");
            let names = list.volumes.into_iter().map(|volume| volume.name);
            names.collect::<String>()
        };
        let all = ListVolumesOptions::default;
        let key = || LabelKey::new("k").expect("a key");
        let name = |name: &str| VolumeName::new(name).expect("a name");
        assert_eq!(listed(all()), "abc");
        assert_eq!(listed(all().with_label(key(), None)), "ab");
        assert_eq!(listed(all().with_label(key(), "w".to_owned())), "b");
        assert_eq!(listed(all().with_driver("other")), "c");
        let named = all().with_name(name("bb")).with_name(name("cc"));
        assert_eq!(listed(named), "");
    }

    #[test]
    fn an_answer_is_read_with_what_it_lacks() {
        for none in ["null", "{}", r#"{"Volumes":null,"Warnings":null}"#] {
            let list = volumes(none.as_bytes(), &Default::default()).expect("a list");
            assert_eq!(list, VolumeList::default());
        }
        // Docker takes the name; what can't be asked for is shown all the same.
        let odd = volume(br#"{"Name":"a..b","Options":{"o":"canary"},"New":1}"#).expect("a volume");
        assert!(odd.reference().is_err() && odd.labels.is_empty());
        assert!(!format!("{odd:?}").contains("canary"));
        assert_eq!(
            volume(b"{}").expect_err("no name").kind(),
            ErrorKind::Decode
        );
        for none in [
            "null",
            "{}",
            r#"{"VolumesDeleted":null,"SpaceReclaimed":null}"#,
        ] {
            let report = pruned_volumes(none.as_bytes()).expect("a report");
            assert_eq!(report, PruneReport::default());
        }
    }
}
