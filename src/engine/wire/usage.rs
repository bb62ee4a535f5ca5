//! Processes, changed files and disk space, as engines old and new tell of them.

use serde::Deserialize;

use super::nullable::nullable;
use super::query::Query;
use super::{Call, json};
use crate::error::Result;
use crate::model::{
    ChangeKind, ContainerRef, DiskUsage, FileChange, ProcessTable, SpaceUsage, TopOptions,
};

pub(crate) fn top(container: &ContainerRef, options: &TopOptions) -> Call {
    let path = Query::new(format!("/containers/{container}/top"));
    Call::get(path.with_some("ps_args", options.ps_args.as_ref()).finish())
}

pub(crate) fn changes(container: &ContainerRef) -> Call {
    Call::get(format!("/containers/{container}/changes"))
}

pub(crate) fn disk_usage() -> Call {
    Call::get("/system/df")
}

pub(crate) fn processes(body: &[u8]) -> Result<ProcessTable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Table {
        #[serde(default, deserialize_with = "nullable")]
        titles: Vec<String>,
        #[serde(default, deserialize_with = "nullable")]
        processes: Vec<Vec<String>>,
    }
    let table: Table = json(body)?;
    // Old Podmans tell each line of `ps` as one column.
    let (titles, processes) = match &table.titles[..] {
        [line] if line.split_whitespace().nth(1).is_some() => {
            let titles = columns(line, usize::MAX);
            let rows = table.processes.iter();
            let rows = rows.map(|row| columns(&row.join(" "), titles.len()));
            let rows = rows.collect();
            (titles, rows)
        }
        _ => (table.titles, table.processes),
    };
    Ok(ProcessTable { titles, processes })
}

/// The words of a line, the last with all that is left.
fn columns(line: &str, count: usize) -> Vec<String> {
    let mut columns = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let ends = rest.find(char::is_whitespace);
        let (column, after) = match ends.filter(|_| columns.len() + 1 < count) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        columns.push(column.to_owned());
        rest = after.trim_start();
    }
    columns
}

pub(crate) fn file_changes(body: &[u8]) -> Result<Vec<FileChange>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Change {
        #[serde(default, deserialize_with = "nullable")]
        path: String,
        #[serde(default, deserialize_with = "nullable")]
        kind: i64,
    }
    // Docker's answer is null where nothing changed.
    let changes: Option<Vec<Change>> = json(body)?;
    let change = |change: Change| FileChange {
        path: change.path,
        kind: match change.kind {
            0 => ChangeKind::Modified,
            1 => ChangeKind::Added,
            2 => ChangeKind::Deleted,
            other => ChangeKind::Unknown(other),
        },
    };
    Ok(changes.into_iter().flatten().map(change).collect())
}

/// The sums that API 1.52 brought.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sums {
    active_count: Option<u64>,
    total_count: Option<u64>,
    reclaimable: Option<u64>,
    total_size: Option<u64>,
}

impl From<Sums> for SpaceUsage {
    fn from(sums: Sums) -> Self {
        Self {
            count: sums.total_count,
            active: sums.active_count,
            size: sums.total_size,
            reclaimable: sums.reclaimable,
        }
    }
}

/// One thing of the lists that engines gave before; each kind has its own few of these.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    /// An image's containers; -1 where they weren't counted.
    containers: Option<i64>,
    size: Option<i64>,
    shared_size: Option<i64>,
    size_rw: Option<i64>,
    state: Option<String>,
    usage_data: Option<VolumeUsage>,
    in_use: Option<bool>,
    shared: Option<bool>,
}

/// Docker answers -1 for what it hasn't computed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VolumeUsage {
    size: Option<i64>,
    ref_count: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    image_usage: Option<Sums>,
    container_usage: Option<Sums>,
    volume_usage: Option<Sums>,
    build_cache_usage: Option<Sums>,
    layers_size: Option<u64>,
    #[serde(default, deserialize_with = "nullable")]
    images: Vec<Item>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Item>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: Vec<Item>,
    #[serde(default, deserialize_with = "nullable")]
    build_cache: Vec<Item>,
}

pub(crate) fn space(body: &[u8]) -> Result<DiskUsage> {
    let usage: Usage = json(body)?;
    let images = || SpaceUsage {
        // Layers that images share are on the disk once.
        size: usage.layers_size,
        ..sum(&usage.images, |image| {
            Some(Part {
                size: image.size,
                freed: image
                    .size?
                    .checked_sub(image.shared_size.unwrap_or(0).max(0)),
                active: image.containers? > 0,
            })
        })
    };
    let containers = || {
        sum(&usage.containers, |container| {
            let running = matches!(container.state.as_deref(), Some("running" | "paused"));
            let size = container.size_rw.or(Some(0));
            Some(Part {
                size,
                freed: size,
                active: running,
            })
        })
    };
    let volumes = || {
        sum(&usage.volumes, |volume| {
            let data = volume.usage_data.as_ref()?;
            Some(Part {
                size: data.size,
                freed: data.size,
                active: data.ref_count? > 0,
            })
        })
    };
    let build_cache = || {
        sum(&usage.build_cache, |record| {
            // What is shared with images is counted there.
            let size = record.size.filter(|_| record.shared != Some(true));
            Some(Part {
                size: size.or(Some(0)),
                freed: size.or(Some(0)),
                active: record.in_use?,
            })
        })
    };
    Ok(DiskUsage {
        images: usage.image_usage.map_or_else(images, Into::into),
        containers: usage.container_usage.map_or_else(containers, Into::into),
        volumes: usage.volume_usage.map_or_else(volumes, Into::into),
        build_cache: usage.build_cache_usage.map_or_else(build_cache, Into::into),
    })
}

/// What one thing adds to the sums.
struct Part {
    size: Option<i64>,
    freed: Option<i64>,
    active: bool,
}

/// The sums over a list; one that lacks a part, or has a negative one, leaves that sum untold.
fn sum(items: &[Item], part: impl Fn(&Item) -> Option<Part>) -> SpaceUsage {
    let count = Some(items.len() as u64);
    let Some(parts) = items.iter().map(part).collect::<Option<Vec<_>>>() else {
        return SpaceUsage {
            count,
            ..SpaceUsage::default()
        };
    };
    let idle = parts.iter().filter(|part| !part.active);
    SpaceUsage {
        count,
        active: Some(parts.iter().filter(|part| part.active).count() as u64),
        size: total(parts.iter().map(|part| part.size)),
        reclaimable: total(idle.map(|part| part.freed)),
    }
}

fn total(mut bytes: impl Iterator<Item = Option<i64>>) -> Option<u64> {
    bytes.try_fold(0u64, |total, bytes| {
        Some(total.saturating_add(u64::try_from(bytes?).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_where_it_is_one_column() {
        let body =
            br#"{"Processes":[["1 0 sleep 600"],["  20  1  ps"]],"Titles":["PID   PPID COMMAND"]}"#;
        let table = processes(body).unwrap();
        assert_eq!(table.titles, ["PID", "PPID", "COMMAND"]);
        assert_eq!(
            table.processes,
            [["1", "0", "sleep 600"], ["20", "1", "ps"]]
        );
        let body = br#"{"Processes":[["sleep 600"]],"Titles":["COMMAND"]}"#;
        assert_eq!(processes(body).unwrap().processes, [["sleep 600"]]);
    }

    #[test]
    fn lists_are_summed() {
        let body = br#"{"LayersSize":100,"Images":[
            {"Containers":1,"Size":60,"SharedSize":20},{"Containers":0,"Size":70,"SharedSize":20}],
            "Containers":[{"State":"running","SizeRw":5},{"State":"exited","SizeRw":7},{"State":"exited"}],
            "Volumes":[{"UsageData":{"Size":9,"RefCount":0}},{"UsageData":{"Size":4,"RefCount":2}}],
            "BuildCache":null}"#;
        let usage = |count, active, size, reclaimable| SpaceUsage {
            count: Some(count),
            active: Some(active),
            size: Some(size),
            reclaimable: Some(reclaimable),
        };
        let expected = DiskUsage {
            images: usage(2, 1, 100, 50),
            containers: usage(3, 1, 12, 7),
            volumes: usage(2, 1, 13, 9),
            build_cache: usage(0, 0, 0, 0),
        };
        assert_eq!(space(body).unwrap(), expected);
    }

    #[test]
    fn what_was_not_computed_is_not_told() {
        let body = br#"{"Volumes":[{"UsageData":{"Size":-1,"RefCount":-1}},{}]}"#;
        let volumes = space(body).unwrap().volumes;
        assert_eq!(
            (volumes.count, volumes.size, volumes.reclaimable),
            (Some(2), None, None)
        );
    }

    #[test]
    fn sums_of_newer_engines_are_taken_as_they_are() {
        let body =
            br#"{"ImageUsage":{"ActiveCount":1,"TotalCount":4,"Reclaimable":12,"TotalSize":98}}"#;
        let images = space(body).unwrap().images;
        assert_eq!((images.count, images.size), (Some(4), Some(98)));
    }
}
