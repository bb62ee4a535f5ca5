//! Images, as far as they aren't made or listed: inspect, pull, tag, prune.

use std::collections::BTreeMap;

use http::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Call;
use super::decode::{bad_id, json};
use super::inspect::env;
use super::nullable::nullable;
use super::query::Query;
use crate::error::{Error, Result};
use crate::model::{
    ImageDetails, ImagePruneReport, ImageRef, ImageRemoval, PullOptions, parse_rfc3339,
};

pub(crate) fn inspect_image(image: &ImageRef) -> Call {
    Call::get(format!("/images/{}/json", image.to_path()))
}

pub(crate) fn pull_image(image: &ImageRef, options: &PullOptions) -> Result<Call> {
    options.validate(image)?;
    // As Docker's CLI sends it: a digest goes in `tag`, and without either every tag would be pulled.
    let tag = image.digest().or(image.tag()).unwrap_or("latest");
    let path = Query::new("/images/create")
        .with("fromImage", image.name())
        .with("tag", tag)
        .with_some("platform", options.platform.as_ref());
    let mut call = Call::post(path.finish());
    if let Some(auth) = &options.auth {
        let mut value = HeaderValue::try_from(auth.header()?)
            .map_err(|_| Error::invalid("auth", "can't be a header"))?;
        value.set_sensitive(true);
        call.registry_auth = Some(value);
    }
    Ok(call)
}

/// Fails where no image can be given that name.
pub(crate) fn tag_image(image: &ImageRef, name: &ImageRef) -> Result<Call> {
    if name.is_id() || name.digest().is_some() {
        return Err(Error::invalid(
            "name",
            "an image is named by a name, not by an id or a digest",
        ));
    }
    let path = Query::new(format!("/images/{}/tag", image.to_path()))
        .with("repo", name.name())
        .with("tag", name.tag().unwrap_or("latest"));
    Ok(Call::post(path.finish()))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    cmd: Vec<String>,
    working_dir: Option<String>,
    user: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    exposed_ports: BTreeMap<String, IgnoredAny>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: BTreeMap<String, IgnoredAny>,
    stop_signal: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(default, deserialize_with = "nullable")]
    layers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    repo_digests: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    created: String,
    #[serde(default, deserialize_with = "nullable")]
    size: u64,
    #[serde(default, deserialize_with = "nullable")]
    os: String,
    #[serde(default, deserialize_with = "nullable")]
    architecture: String,
    variant: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    config: Config,
    #[serde(default, rename = "RootFS", deserialize_with = "nullable")]
    root_fs: RootFs,
}

pub(crate) fn image_details(body: &[u8]) -> Result<ImageDetails> {
    let image: Image = json(body)?;
    let config = image.config;
    let told = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(ImageDetails {
        id: ImageRef::new(&image.id).map_err(bad_id)?,
        tags: image.repo_tags,
        digests: image.repo_digests,
        created: parse_rfc3339(&image.created),
        size: image.size,
        os: image.os,
        architecture: image.architecture,
        variant: told(image.variant),
        labels: config.labels,
        env: env(&config.env),
        entrypoint: config.entrypoint,
        command: config.cmd,
        working_dir: told(config.working_dir),
        user: told(config.user),
        exposed_ports: config.exposed_ports.into_keys().collect(),
        volumes: config.volumes.into_keys().collect(),
        stop_signal: told(config.stop_signal),
        layers: image.root_fs.layers,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Removal {
    untagged: Option<String>,
    deleted: Option<String>,
}

fn consequences(removals: Vec<Removal>) -> Vec<ImageRemoval> {
    let told = |text: Option<String>| text.filter(|text| !text.is_empty());
    let both = removals.into_iter().flat_map(|removal| {
        [
            told(removal.untagged).map(ImageRemoval::Untagged),
            told(removal.deleted).map(ImageRemoval::Deleted),
        ]
    });
    both.flatten().collect()
}

pub(crate) fn removals(body: &[u8]) -> Result<Vec<ImageRemoval>> {
    Ok(consequences(
        json::<Option<Vec<Removal>>>(body)?.unwrap_or_default(),
    ))
}

pub(crate) fn pruned_images(body: &[u8]) -> Result<ImagePruneReport> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Report {
        #[serde(default, deserialize_with = "nullable")]
        images_deleted: Vec<Removal>,
        #[serde(default, deserialize_with = "nullable")]
        space_reclaimed: u64,
    }
    let report: Report = json(body)?;
    Ok(ImagePruneReport {
        removals: consequences(report.images_deleted),
        reclaimed: report.space_reclaimed,
    })
}
