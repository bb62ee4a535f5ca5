//! The call that reads each answer, and what must come out of it at every version.

use std::collections::BTreeSet;
use std::fmt::Debug;

use catamaran::model::{
    ContainerDetails, ContainerPath, ContainerRef, ContainerSpec, EventAction, EventKind,
    EventsOptions, ExecId, ImageRef, ImportOptions, ListImagesOptions, ListNetworksOptions,
    ListOptions, ListVolumesOptions, LogChunk, LogSource, LogsOptions, NetworkRef, NetworkSpec,
    NetworkSummary, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneVolumesOptions, PullEvent, PullOptions, PullStatus, RemoveImageOptions, TopOptions,
    UpdateOptions, VolumeDetails, VolumeName, VolumeSpec, WaitOptions,
};
use catamaran::{ContainerBackend, Result};
use futures::TryStreamExt;
use serde_json::{Value, json};

const LABEL: &str = "catamaran.replay";

/// What was read.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// What is the same whatever the version.
    pub facts: Value,
    /// All of it.
    pub whole: String,
}

fn read<T: Debug>(value: T, facts: impl FnOnce(&T) -> Value) -> Read {
    Read {
        facts: facts(&value),
        whole: format!("{value:?}"),
    }
}

/// Asks for that answer. Those that no call reads alone are `None`.
pub async fn ask(backend: &dyn ContainerBackend, answer: &str) -> Option<Result<Read>> {
    let container = ContainerRef::new("catamaran-replay").expect("a name");
    let image = ImageRef::new("catamaran/replay:1").expect("a reference");
    let network = NetworkRef::new("catamaran-replay").expect("a name");
    let volume = VolumeName::new("catamaran-replay").expect("a name");
    Some(match answer {
        "ping" => backend.ping().await.map(|ping| read(ping, |p| json!(p.api_version.is_some()))),
        "version" => backend.version().await.map(|version| {
            read(version, |v| json!({"os": v.os, "arch": v.arch, "kernel": v.kernel, "api": v.api_version.is_some()}))
        }),
        "info" => backend.info().await.map(|info| {
            read(info, |i| {
                json!({"name": i.name, "cpus": i.cpus, "memory": i.memory, "rootless": i.rootless,
                    "images": i.images, "cgroup": format!("{:?}", i.cgroup_version)})
            })
        }),
        "df" => backend.disk_usage().await.map(|usage| {
            read(usage, |u| json!({"containers": u.containers.count, "volumes": u.volumes.count,
                "running": u.containers.active}))
        }),
        "events" => {
            let events = async { backend.events(&EventsOptions::default()).await?.try_collect().await };
            events.await.map(|events: Vec<catamaran::model::Event>| {
                read(events, |events| {
                    let seen = |action: &str| {
                        events.iter().any(|event| {
                            event.action.to_string() == action
                                && event.kind.to_string() == "container"
                                && event.actor.len() == 64
                                && event.time.is_some()
                        })
                    };
                    let strange: BTreeSet<_> = events
                        .iter()
                        .filter(|event| matches!(event.kind, EventKind::Other(_)) || matches!(event.action, EventAction::Other(_)))
                        .map(|event| format!("{} {}", event.kind, event.action))
                        .collect();
                    json!({"create": seen("create"), "start": seen("start"), "die": seen("die"), "strange": strange})
                })
            })
        }
        "image" => backend.inspect_image(&image).await.map(|image| {
            read(image, |i| {
                json!({"tags": i.tags, "env": i.env.get("IMAGE"), "command": i.command, "os": i.os,
                    "arch": i.architecture, "layers": i.layers.len(), "ports": i.exposed_ports,
                    "workdir": i.working_dir, "label": i.labels.get(LABEL), "sized": i.size > 1 << 20})
            })
        }),
        "missing-image" => backend.inspect_image(&image).await.map(|image| read(image, |_| json!(null))),
        "images" => backend.list_images(&ListImagesOptions::default()).await.map(|images| {
            read(images, |images| {
                let image = |i: &catamaran::model::ImageSummary| {
                    json!({"tags": i.tags, "label": i.labels.get(LABEL), "sized": i.size > 1 << 20,
                        "dated": i.created.is_some(), "id": i.id.to_string().starts_with("sha256:")})
                };
                images.iter().map(image).collect()
            })
        }),
        "import" => backend.import_image(&ImportOptions::new(image), bytes::Bytes::new().into()).await
            .map(|id| read(id, |id| json!(id.is_id()))),
        "image-remove" => backend.remove_image(&image, &RemoveImageOptions::default()).await
            .map(|removals| read(removals, |r| json!(format!("{r:?}").contains("catamaran/replay:2")))),
        "prune-images" => backend.prune_images(&PruneImagesOptions::default()).await
            .map(|report| read(report, |r| json!(!r.removals.is_empty()))),
        "volume" => backend.inspect_volume(&volume).await.map(|v| read(v, volume_facts)),
        "volume-create" => backend.create_volume(&VolumeSpec::new()).await.map(|v| read(v, volume_facts)),
        "volumes" => backend.list_volumes(&ListVolumesOptions::default()).await
            .map(|list| read(list, |list| list.volumes.iter().map(volume_facts).collect())),
        "prune-volumes" => backend.prune_volumes(&PruneVolumesOptions::default().with_all(true)).await
            .map(|report| read(report, |r| json!(r.removed))),
        "network-create" => backend.create_network(&NetworkSpec::new(network)).await
            .map(|made| read(made, |m| json!({"id": m.id.to_string().len(), "warnings": m.warnings}))),
        "network" => backend.inspect_network(&network).await.map(|n| {
            read(n, |n| {
                let members: Vec<_> = n.members.values()
                    .map(|m| json!({"name": m.name, "address": m.ipv4_address, "mac": m.mac_address}))
                    .collect();
                json!({"network": network_facts(&n.network), "members": members})
            })
        }),
        "networks" => backend.list_networks(&ListNetworksOptions::default()).await
            .map(|list| read(list, |list| list.iter().map(network_facts).collect())),
        "prune-networks" => backend.prune_networks(&PruneNetworksOptions::default()).await
            .map(|report| read(report, |r| json!(r.removed))),
        "create" | "conflict" => backend.create(&ContainerSpec::new(image)).await
            .map(|made| read(made, |m| json!({"id": m.id.as_str().len(), "warnings": m.warnings}))),
        "inspect-created" | "inspect-running" | "inspect-exited" | "missing" => {
            backend.inspect(&container).await.map(|details| read(details, details_facts))
        }
        "bad" => backend.kill(&container, &Default::default()).await.map(|()| read((), |()| json!(null))),
        "list" => backend.list(&ListOptions::default()).await.map(|list| {
            read(list, |list| {
                let summary = |c: &catamaran::model::ContainerSummary| {
                    json!({"names": c.names, "state": c.state.to_string(), "label": c.labels.get(LABEL),
                        "dated": c.created.is_some(), "id": c.id.as_str().len()})
                };
                list.iter().map(summary).collect()
            })
        }),
        "top" => backend.top(&container, &TopOptions::default()).await
            .map(|table| read(table, |t| json!(t.processes.iter().all(|p| p.len() == t.titles.len()) && t.processes.len() > 1))),
        "changes" => backend.changes(&container).await.map(|changes| {
            read(changes, |c| json!(c.iter().filter(|c| c.path == "/tmp/made").map(|c| format!("{:?}", c.kind)).collect::<Vec<_>>()))
        }),
        "logs" | "logs-tty" => {
            let output = async { backend.logs(&container, &LogsOptions::default()).await?.try_collect().await };
            output.await.map(|chunks: Vec<LogChunk>| {
                read(chunks, |chunks| {
                    let of = |source: LogSource| {
                        let pieces = chunks.iter().filter(|chunk| chunk.source == source);
                        let bytes: Vec<_> = pieces.flat_map(|chunk| chunk.bytes.to_vec()).collect();
                        String::from_utf8_lossy(&bytes).into_owned()
                    };
                    json!([of(LogSource::Stdout), of(LogSource::Stderr), of(LogSource::Console)])
                })
            })
        }
        "pull" | "pull-broken" | "pull-missing" => {
            let pulled = async { backend.pull_image(&image, &PullOptions::default()).await?.try_collect().await };
            pulled.await.map(|events: Vec<PullEvent>| {
                read(events, |events| {
                    let strange: Vec<_> = events
                        .iter()
                        .filter(|event| event.id.is_some() && matches!(event.status, PullStatus::Other(_)))
                        .map(|event| event.status.to_string())
                        .collect();
                    let counted = |event: &&PullEvent| event.current.is_some() && event.current <= event.total;
                    let uncounted = |event: &&PullEvent| event.current.is_some() && event.total.is_none();
                    let complete = |event: &&PullEvent| event.status == PullStatus::Complete;
                    json!({"counted": events.iter().any(|e| counted(&e)), "uncounted": events.iter().any(|e| uncounted(&e)),
                        "complete": events.iter().filter(complete).count(), "strange": strange})
                })
            })
        }
        "stats" | "stats-none" | "stats-stopped" => backend.stats(&container).await.map(|stats| read(stats, stats_facts)),
        "stats-stream" => {
            let samples = async { backend.stats_stream(&container).await?.try_collect().await };
            samples.await.map(|samples: Vec<_>| read(samples, |s| s.iter().map(stats_facts).collect()))
        }
        "stat" => {
            let path = ContainerPath::new("/etc/passwd").expect("a path");
            backend.stat_path(&container, &path).await
                .map(|stat| read(stat, |s| json!({"name": s.name, "size": s.size, "mode": s.mode, "kind": format!("{:?}", s.kind)})))
        }
        "exec" => backend.inspect_exec(&ExecId::new("c0ffee00c0ffee").expect("an id")).await
            .map(|exec| read(exec, |e| json!({"running": e.running, "code": e.exit_code}))),
        "wait" => backend.wait(&container, &WaitOptions::default()).await
            .map(|outcome| read(outcome, |o| json!({"code": o.exit_code, "error": o.error}))),
        "update" => backend.update(&container, &UpdateOptions::default().with_restart_policy(catamaran::model::RestartPolicy::No)).await
            .map(|warnings| read(warnings, |w| json!(w))),
        "prune-containers" => backend.prune_containers(&PruneContainersOptions::default()).await
            .map(|report| read(report, |r| json!(r.removed.len()))),
        _ => return None,
    })
}

fn volume_facts(volume: &VolumeDetails) -> Value {
    json!({"name": volume.name, "driver": volume.driver, "scope": volume.scope,
        "label": volume.labels.get(LABEL), "dated": volume.created.is_some()})
}

fn network_facts(network: &NetworkSummary) -> Value {
    let blocks: Vec<_> = network
        .subnets
        .iter()
        .map(|block| json!([block.subnet.to_string(), block.gateway]))
        .collect();
    json!({"name": network.name, "driver": network.driver, "internal": network.internal, "scope": network.scope,
        "label": network.labels.get(LABEL), "blocks": blocks})
}

fn details_facts(details: &ContainerDetails) -> Value {
    let networks: Vec<_> = details
        .networks
        .iter()
        .map(|(name, network)| json!([name, network.ip_address, network.gateway]))
        .collect();
    let mounts: Vec<_> = details
        .mounts
        .iter()
        .filter(|mount| mount.kind == "volume")
        .map(|mount| json!([mount.source, mount.target, mount.read_only]))
        .collect();
    let ports: Vec<_> = details
        .ports
        .iter()
        .map(|port| json!([port.container_port, port.host_ip, port.host_port]))
        .collect();
    json!({
        "name": details.name, "state": details.state.status.to_string(), "code": details.state.exit_code,
        "started": details.state.started_at.is_some(), "finished": details.state.finished_at.is_some(),
        "pid": details.state.pid, "label": details.labels.get(LABEL), "env": details.env.get("REPLAY"),
        "memory": details.resources.memory, "cpus": details.resources.cpus, "pids": details.resources.pids,
        "no_new_privileges": details.security.no_new_privileges, "privileged": details.security.privileged,
        "restart": details.restart_policy.map(|policy| format!("{policy:?}")), "command": details.command.first(),
        "networks": networks, "mounts": mounts, "ports": ports,
        "kinds_of_mounts": details.mounts.iter().map(|mount| &mount.kind).collect::<BTreeSet<_>>(),
        "health": details.state.health.as_ref().map(|health| format!("{:?}", health.status)),
    })
}

fn stats_facts(stats: &catamaran::model::ContainerStats) -> Value {
    json!({"memory": stats.memory.as_ref().and_then(|memory| memory.limit.map(|limit| memory.usage < limit)),
        "cpu": stats.cpu.is_some(), "pids": stats.pids.map(|pids| pids > 0),
        "network": stats.network.is_some(), "dated": stats.read_at.is_some()})
}
