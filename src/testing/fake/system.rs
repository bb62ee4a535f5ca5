//! The engine itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Shared;
use super::containers::Status;
use super::images;
use super::request::Answer;

fn text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

pub(super) fn ping(engine: &Arc<Shared>) -> Answer {
    let traits = engine.personality.traits();
    let answer = Answer::bytes(200, "OK");
    let (server, answer) = match engine.personality.is_podman() {
        true => (
            "Libpod",
            answer.with_header("libpod-api-version", traits.version),
        ),
        false => ("Docker", answer),
    };
    answer
        .with_header("api-version", &text(traits.api))
        .with_header("ostype", "linux")
        .with_header("docker-experimental", "false")
        .with_header("builder-version", "2")
        .with_header("cache-control", "no-cache, no-store, must-revalidate")
        .with_header("server", &format!("{server}/{} (linux)", traits.version))
}

pub(super) fn version(engine: &Arc<Shared>) -> Answer {
    let traits = engine.personality.traits();
    let (name, platform) = match engine.personality.is_podman() {
        true => ("Podman Engine", "linux/amd64/debian-13"),
        false => ("Engine", "Docker Engine - Community"),
    };
    let value = json!({
        "Platform": {"Name": platform},
        "Components": [{
            "Name": name, "Version": traits.version,
            "Details": {"APIVersion": text(traits.api), "MinAPIVersion": text(traits.min_api), "Os": "linux", "Arch": "amd64"},
        }],
        "Version": traits.version, "ApiVersion": text(traits.api), "MinAPIVersion": text(traits.min_api),
        "GitCommit": "fake", "GoVersion": "go1.24", "Os": "linux", "Arch": "amd64", "KernelVersion": "6.1.0-fake",
        "BuildTime": "2026-01-01T00:00:00.000000000+00:00",
    });
    Answer::json(200, &value)
}

pub(super) fn info(engine: &Arc<Shared>) -> Answer {
    let containers = engine.containers();
    let count = |wanted: &[Status]| {
        containers
            .iter()
            .filter(|container| wanted.contains(&container.status()))
            .count()
    };
    let traits = engine.personality.traits();
    // Podman makes one up each time (measured with 4.3 and 5.4).
    let id = match engine.personality.is_podman() {
        true => uuid::Uuid::new_v4().to_string(),
        false => engine.id.clone(),
    };
    let value = json!({
        "ID": id, "Containers": containers.len(), "ContainersRunning": count(&[Status::Running]),
        "ContainersPaused": count(&[Status::Paused]), "ContainersStopped": count(&[Status::Created, Status::Exited]),
        "Images": engine.state().images.0.len(), "Driver": "overlay2", "DriverStatus": [], "Name": "fake",
        "ServerVersion": traits.version, "OperatingSystem": "catamaran's fake engine", "OSType": "linux",
        "Architecture": "x86_64", "KernelVersion": "6.1.0-fake", "NCPU": 2, "MemTotal": 8_u64 << 30,
        "LoggingDriver": "json-file", "CgroupDriver": "systemd", "CgroupVersion": "2", "MemoryLimit": true,
        "SwapLimit": true, "KernelMemory": false, "CpuCfsPeriod": true, "CpuCfsQuota": true, "CPUShares": true, "CPUSet": true,
        "PidsLimit": true, "IPv4Forwarding": true, "OomKillDisable": false, "Debug": false,
        "Runtimes": {"runc": {"path": "runc"}}, "DefaultRuntime": "runc", "SecurityOptions": ["name=seccomp,profile=default"],
        "IndexServerAddress": "https://index.docker.io/v1/", "Warnings": null, "Labels": [], "ExperimentalBuild": false,
    });
    Answer::json(200, &value)
}

pub(super) fn disk_usage(engine: &Arc<Shared>) -> Answer {
    let containers = engine.containers();
    let shown: Vec<Value> = containers.iter().map(|container| {
        let size = container.machine().size_rw();
        json!({
            "Id": container.id, "Names": [format!("/{}", container.name())], "Image": container.config()["Image"],
            "ImageID": container.image, "SizeRw": size, "SizeRootFs": size, "State": container.status().as_str(),
            "Labels": container.labels(), "Created": container.created.seconds(),
        })
    }).collect();
    let all = engine.state().images.0.clone();
    let listed: Vec<Value> = all
        .iter()
        .map(|image| {
            let used = containers
                .iter()
                .filter(|container| container.image == image.id)
                .count();
            images::summary(engine, image, used)
        })
        .collect();
    let size: u64 = all.iter().map(|image| image.tree.size()).sum();
    let volumes: Vec<Value> = engine
        .state()
        .volumes
        .values()
        .map(|volume| {
            let mut value = volume.value();
            let name = value["Name"].as_str().unwrap_or_default().to_owned();
            let users = containers
                .iter()
                .filter(|container| container.mounts_volume(&name))
                .count();
            value["UsageData"] = json!({"Size": volume.files.size(), "RefCount": users});
            value
        })
        .collect();
    let value = json!({
        "LayersSize": size, "Images": listed, "Containers": shown, "Volumes": volumes, "BuildCache": [],
    });
    Answer::json(200, &value)
}
