//! Docker's answers to our model: tolerant of what is missing, `null`, renamed or new.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::nullable::nullable;
use super::streams::Framing;
use super::{Head, brief, fault};
use crate::endpoint::ApiVersion;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    CgroupVersion, ContainerRef, ContainerState, ContainerSummary, Created, EngineInfo,
    EngineProduct, EngineVersion, ImageRef, ImageSummary, LimitSupport, Ping, PruneReport,
    WaitOutcome, unix,
};

/// Reads JSON; what it says of a failure names no content, since content may be secret.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    // From bytes, each string is checked by itself, which takes an eighth of an inspect; but nobody minds what is in those that
    // aren't looked at.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    read.map_err(|error| {
        if let Some(told) = fault::told(body) {
            return told;
        }
        let what = match error.classify() {
            serde_json::error::Category::Eof => "ends too early",
            serde_json::error::Category::Data => "lacks or mistypes a field",
            _ => "is no JSON",
        };
        Error::new(
            ErrorKind::Decode,
            format!(
                "the answer of {} bytes {what}, at line {} column {}",
                body.len(),
                error.line(),
                error.column()
            ),
        )
    })
}

/// An id that the engine gave us; it goes into URLs, so it is checked like anybody else's.
pub(super) fn id(text: &str) -> Result<ContainerRef> {
    ContainerRef::new(text).map_err(bad_id)
}

pub(super) fn bad_id(error: Error) -> Error {
    Error::new(ErrorKind::Decode, "the engine gave an id that is none").with_source(error)
}

pub(crate) fn ping_answer(head: &Head) -> Ping {
    Ping {
        api_version: head
            .header("api-version")
            .and_then(|text| text.parse().ok()),
        os: head.header("ostype").map(str::to_owned),
    }
}

pub(crate) fn engine_version(body: &[u8]) -> Result<EngineVersion> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Component {
        #[serde(default, deserialize_with = "nullable")]
        name: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Version {
        #[serde(default, deserialize_with = "nullable")]
        version: String,
        #[serde(default, deserialize_with = "nullable")]
        api_version: String,
        #[serde(default, rename = "MinAPIVersion", deserialize_with = "nullable")]
        min_api_version: String,
        #[serde(default, deserialize_with = "nullable")]
        os: String,
        #[serde(default, deserialize_with = "nullable")]
        arch: String,
        kernel_version: Option<String>,
        #[serde(default, deserialize_with = "nullable")]
        components: Vec<Component>,
    }
    let version: Version = json(body)?;
    let product = match version
        .components
        .first()
        .map(|component| component.name.as_str())
    {
        // Engines before 18.06 name no components, and only Docker was there then.
        Some("Engine") | None => EngineProduct::Docker,
        Some("Podman Engine") => EngineProduct::Podman,
        Some(other) => EngineProduct::Other(other.into()),
    };
    Ok(EngineVersion {
        product,
        version: version.version,
        api_version: version.api_version.parse().ok(),
        min_api_version: version.min_api_version.parse().ok(),
        os: version.os,
        arch: version.arch,
        kernel: version.kernel_version,
    })
}

pub(crate) fn engine_info(body: &[u8]) -> Result<EngineInfo> {
    #[derive(Deserialize, Default)]
    struct Device {
        #[serde(default, rename = "ID", deserialize_with = "nullable")]
        id: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        #[serde(rename = "ID")]
        id: Option<String>,
        name: Option<String>,
        server_version: Option<String>,
        operating_system: Option<String>,
        #[serde(rename = "NCPU")]
        ncpu: Option<u64>,
        mem_total: Option<u64>,
        containers: Option<u64>,
        containers_running: Option<u64>,
        images: Option<u64>,
        driver: Option<String>,
        logging_driver: Option<String>,
        cgroup_version: Option<String>,
        #[serde(default, deserialize_with = "nullable")]
        runtimes: BTreeMap<String, IgnoredAny>,
        default_runtime: Option<String>,
        #[serde(default, deserialize_with = "nullable")]
        security_options: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        warnings: Vec<String>,
        cgroup_driver: Option<String>,
        // Pairs of text, but nobody promises that they stay so.
        #[serde(default, deserialize_with = "nullable")]
        driver_status: Vec<Vec<serde_json::Value>>,
        live_restore_enabled: Option<bool>,
        memory_limit: Option<bool>,
        swap_limit: Option<bool>,
        pids_limit: Option<bool>,
        cpu_cfs_quota: Option<bool>,
        #[serde(rename = "CPUShares")]
        cpu_shares: Option<bool>,
        #[serde(rename = "CPUSet")]
        cpu_set: Option<bool>,
        #[serde(default, rename = "CDISpecDirs", deserialize_with = "nullable")]
        cdi_spec_dirs: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        discovered_devices: Vec<Device>,
    }
    let info: Info = json(body)?;
    let backing = info.driver_status.iter().find_map(|pair| {
        let [key, value] = pair.as_slice() else {
            return None;
        };
        (key.as_str()? == "Backing Filesystem").then(|| value.as_str().map(str::to_owned))?
    });
    let rootless = info
        .security_options
        .iter()
        .any(|option| option.split(',').any(|part| part == "name=rootless"));
    Ok(EngineInfo {
        id: info.id.filter(|id| !id.is_empty()),
        name: info.name,
        version: info.server_version,
        operating_system: info.operating_system,
        cpus: info.ncpu,
        memory: info.mem_total,
        containers: info.containers,
        containers_running: info.containers_running,
        images: info.images,
        storage_driver: info.driver,
        log_driver: info.logging_driver,
        cgroup_version: match info.cgroup_version.as_deref() {
            Some("1") => Some(CgroupVersion::V1),
            Some("2") => Some(CgroupVersion::V2),
            _ => None,
        },
        runtimes: info.runtimes.into_keys().collect(),
        default_runtime: info.default_runtime,
        security_options: info.security_options,
        rootless,
        warnings: info.warnings,
        cgroup_driver: info.cgroup_driver.filter(|driver| !driver.is_empty()),
        backing_filesystem: backing,
        live_restore: info.live_restore_enabled,
        limits: LimitSupport {
            memory: info.memory_limit,
            swap: info.swap_limit,
            pids: info.pids_limit,
            cpu_quota: info.cpu_cfs_quota,
            cpu_shares: info.cpu_shares,
            cpuset: info.cpu_set,
        },
        cdi_spec_dirs: info.cdi_spec_dirs,
        devices: info
            .discovered_devices
            .into_iter()
            .map(|device| device.id)
            .collect(),
    })
}

pub(crate) fn images(body: &[u8]) -> Result<Vec<ImageSummary>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Image {
        id: String,
        #[serde(default, deserialize_with = "nullable")]
        repo_tags: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        repo_digests: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        size: u64,
        #[serde(default, deserialize_with = "nullable")]
        created: i64,
        #[serde(default, deserialize_with = "nullable")]
        labels: BTreeMap<String, String>,
    }
    let none = |name: &String| name.starts_with("<none>");
    json::<Option<Vec<Image>>>(body)?
        .into_iter()
        .flatten()
        .map(|mut image| {
            image.repo_tags.retain(|name| !none(name));
            image.repo_digests.retain(|name| !none(name));
            Ok(ImageSummary {
                id: ImageRef::new(&image.id).map_err(bad_id)?,
                tags: image.repo_tags,
                digests: image.repo_digests,
                size: image.size,
                created: unix(image.created),
                labels: image.labels,
            })
        })
        .collect()
}

/// The id of an imported image: the last status of a stream of progress messages, which may hold an
/// error under its status 200.
pub(crate) fn imported(body: &[u8]) -> Result<ImageRef> {
    #[derive(Deserialize)]
    struct Detail {
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct Progress {
        status: Option<String>,
        error: Option<String>,
        #[serde(rename = "errorDetail")]
        detail: Option<Detail>,
    }
    let mut id = None;
    for message in serde_json::Deserializer::from_slice(body).into_iter::<Progress>() {
        let message = message.map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                format!("a progress message is broken at column {}", error.column()),
            )
        })?;
        if let Some(error) = message
            .error
            .or(message.detail.and_then(|detail| detail.message))
        {
            return Err(Error::new(ErrorKind::Engine, brief(error)).with_effect(Effect::Rejected));
        }
        id = message.status.or(id);
    }
    let id = id.ok_or_else(|| Error::new(ErrorKind::Decode, "the engine named no image"))?;
    ImageRef::new(id.trim()).map_err(bad_id)
}

pub(crate) fn created(body: &[u8]) -> Result<Created> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        id: String,
        #[serde(default, deserialize_with = "nullable")]
        warnings: Vec<String>,
    }
    let answer: Answer = json(body)?;
    Ok(Created {
        id: id(&answer.id)?,
        warnings: answer.warnings,
    })
}

pub(crate) fn warnings(body: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default, deserialize_with = "nullable")]
        warnings: Vec<String>,
    }
    // Podman 4.3 answers an update with the bare id.
    if serde_json::from_slice::<String>(body).is_ok() {
        return Ok(Vec::new());
    }
    Ok(json::<Answer>(body)?.warnings)
}

pub(crate) fn pruned_containers(body: &[u8]) -> Result<PruneReport> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default, deserialize_with = "nullable")]
        containers_deleted: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        space_reclaimed: u64,
    }
    let answer = json::<Option<Answer>>(body)?.unwrap_or_default();
    Ok(PruneReport {
        removed: answer.containers_deleted,
        reclaimed: answer.space_reclaimed,
    })
}

pub(crate) fn summaries(body: &[u8]) -> Result<Vec<ContainerSummary>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Container {
        id: String,
        #[serde(default, deserialize_with = "nullable")]
        names: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        image: String,
        #[serde(default, deserialize_with = "nullable")]
        state: String,
        #[serde(default, deserialize_with = "nullable")]
        status: String,
        #[serde(default, deserialize_with = "nullable")]
        created: i64,
        #[serde(default, deserialize_with = "nullable")]
        labels: BTreeMap<String, String>,
    }
    json::<Option<Vec<Container>>>(body)?
        .into_iter()
        .flatten()
        .map(|container| {
            Ok(ContainerSummary {
                id: id(&container.id)?,
                names: container
                    .names
                    .iter()
                    .map(|name| without_slash(name))
                    .collect(),
                image: container.image,
                state: ContainerState::from(container.state),
                status: container.status,
                created: unix(container.created),
                labels: container.labels,
            })
        })
        .collect()
}

pub(super) fn without_slash(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

pub(crate) fn wait_outcome(body: &[u8]) -> Result<WaitOutcome> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Fault {
        message: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        status_code: i64,
        error: Option<Fault>,
    }
    let answer: Answer = json(body)?;
    let error = answer
        .error
        .and_then(|fault| fault.message)
        .filter(|message| !message.is_empty());
    Ok(WaitOutcome {
        exit_code: answer.status_code,
        error,
    })
}

/// How a container's own program is spoken to.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Streams {
    /// Whether it has a terminal, which decides how its output is framed.
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) tty: bool,
    /// Whether its input ends with the first attachment's.
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) stdin_once: bool,
}

impl Streams {
    pub(crate) fn framing(&self) -> Framing {
        if self.tty {
            Framing::Raw
        } else {
            Framing::Multiplexed
        }
    }
}

pub(crate) fn streams_of(body: &[u8]) -> Result<Streams> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Details {
        #[serde(default, deserialize_with = "nullable")]
        config: Streams,
    }
    Ok(json::<Details>(body)?.config)
}

/// The newest API version that both sides speak.
pub(crate) fn agree(newest: Option<ApiVersion>) -> Result<ApiVersion> {
    // An engine that names none predates 1.25 (2017).
    match newest {
        Some(engine) if engine >= ApiVersion::OLDEST => Ok(engine.min(ApiVersion::NEWEST)),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the engine speaks API {}; this crate needs {} or later (Docker 19.03)",
                other.map_or_else(|| "of an unknown version".to_owned(), |v| v.to_string()),
                ApiVersion::OLDEST
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_import_is_told_briefly() {
        let words = "é".repeat(5 << 20);
        for body in [
            format!(r#"{{"status":"x"}}{{"error":"{words}"}}"#),
            format!(r#"{{"errorDetail":{{"message":"{words}"}}}}"#),
        ] {
            let error = imported(body.as_bytes()).expect_err("an error under status 200");
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Engine, Effect::Rejected)
            );
            assert!(error.message().starts_with('é') && error.to_string().len() < 5000);
        }
    }
}
