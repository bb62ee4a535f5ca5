//! A unix socket as the file system shows it: looking at it here, judging below, so that each can be tested.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::report::Finding;
use crate::quote::one_line;

const NAME: &str = "socket_rights";
/// Such files are short; a longer one gives fewer names.
const LARGEST_FILE: u64 = 1 << 20;

/// What is at the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A socket.
    Socket(Socket),
    /// Something else.
    Other,
    /// It can't be looked at.
    Failed(Io, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) owner: Named,
    pub(super) group: Named,
    pub(super) mode: u32,
    /// Whether this process may connect.
    pub(super) may_connect: bool,
    pub(super) process: Process,
}

/// Who this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) user: Named,
    /// All its groups.
    pub(super) groups: Vec<u32>,
    /// Whether its user is listed as the group's member: then it is of an older login.
    pub(super) listed: bool,
}

/// A number with its name, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named(pub(super) u32, pub(super) Option<String>);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self(_, Some(name)) => f.write_str(name),
            Self(number, None) => write!(f, "{number}"),
        }
    }
}

pub(super) fn look(path: &Path) -> Place {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(cause) => return Place::Failed(cause.kind(), cause.to_string()),
    };
    if !metadata.file_type().is_socket() {
        return Place::Other;
    }
    let (users, groups) = (table("/etc/passwd"), table("/etc/group"));
    let group = named(&groups, metadata.gid());
    let user = named(&users, rustix::process::geteuid().as_raw());
    let mut own: Vec<u32> = rustix::process::getgroups()
        .unwrap_or_default()
        .into_iter()
        .map(|group| group.as_raw())
        .collect();
    own.push(rustix::process::getegid().as_raw());
    Place::Socket(Socket {
        owner: named(&users, metadata.uid()),
        mode: metadata.mode() & 0o777,
        // As in `endpoint::discover`: the permission is checked before the open fails.
        may_connect: !matches!(
            OpenOptions::new().write(true).open(path),
            Err(cause) if cause.kind() == Io::PermissionDenied
        ),
        process: Process {
            listed: is_member(&groups, metadata.gid(), user.1.as_deref()),
            user,
            groups: own,
        },
        group,
    })
}

/// `/etc/passwd` or `/etc/group`; users that come from elsewhere have no name here.
fn table(path: &str) -> String {
    let read = || -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(LARGEST_FILE)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// A table's lines: name, number, and the rest.
fn rows(table: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    table.lines().filter_map(|line| {
        let mut fields = line.splitn(4, ':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name, number.parse().ok()?, fields.next().unwrap_or("")))
    })
}

fn named(table: &str, number: u32) -> Named {
    let name = rows(table).find(|row| row.1 == number).map(|row| row.0);
    Named(number, name.map(str::to_owned))
}

fn is_member(groups: &str, group: u32, user: Option<&str>) -> bool {
    let members = rows(groups).find(|row| row.1 == group).map(|row| row.2);
    match (members, user) {
        (Some(members), Some(user)) => members.split(',').any(|member| member == user),
        _ => false,
    }
}

pub(super) fn judge(path: &Path, place: &Place) -> Finding {
    let shown = one_line(path);
    let socket = match place {
        Place::Socket(socket) => socket,
        Place::Other => {
            return Finding::problem(NAME, format!("{shown} is no socket"))
                .advise("an engine that is told to listen there makes one: see DOCKER_HOST, and what made this file");
        }
        Place::Failed(Io::NotFound | Io::NotADirectory, _) => {
            return Finding::problem(NAME, format!("there is no {shown}")).advise(
                "start the engine (systemctl start docker, or systemctl start podman.socket), or correct DOCKER_HOST; \
                 in a container, mount the socket",
            );
        }
        Place::Failed(Io::PermissionDenied, _) => {
            return Finding::problem(NAME, format!("a directory on the way to {shown} may not be entered"))
                .advise(format!("namei -l {shown} shows which; the socket of a rootless engine is for its user alone"));
        }
        Place::Failed(_, why) => return Finding::problem(NAME, format!("{shown}: {why}")),
    };
    let Socket {
        owner,
        group,
        mode,
        may_connect,
        process,
    } = socket;
    let in_group = process.groups.contains(&group.0);
    let of_group = if in_group { "in" } else { "not in" };
    let seen = format!(
        "{shown} is {owner}:{group} {mode:04o}; this process is {}, {of_group} the group {group}",
        process.user
    );
    if !may_connect {
        let finding = Finding::problem(NAME, format!("permission denied: {seen}"));
        let user = &process.user;
        return finding.advise(if mode & 0o020 == 0 {
            format!("the group may not connect: run as {owner}, or see the engine's setting of its socket's mode")
        } else if in_group {
            // Neither owner nor mode refuses it.
            "something else refuses it: see SELinux or AppArmor (ausearch -m avc, dmesg)".to_owned()
        } else if process.listed {
            format!("{user} is in {group} by now, but this process is of an older login: restart the service")
        } else {
            format!(
                "usermod -aG {group} {user}, then restart the service; whoever is in {group} is root on this machine, \
                 so a rootless engine may be the better way"
            )
        });
    }
    if mode & 0o002 != 0 {
        return Finding::warning(NAME, seen).advise(format!(
            "every user of this machine may connect, and is {owner} through it: chmod o-rwx {shown}"
        ));
    }
    Finding::ok(NAME, seen)
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;

    fn named(number: u32, name: &str) -> Named {
        Named(number, Some(name.to_owned()))
    }

    fn socket(mode: u32, may_connect: bool, groups: &[u32], listed: bool) -> Place {
        Place::Socket(Socket {
            owner: named(0, "root"),
            group: named(998, "docker"),
            mode,
            may_connect,
            process: Process {
                user: named(1000, "app"),
                groups: groups.to_vec(),
                listed,
            },
        })
    }

    #[test]
    fn a_refused_socket_says_whose_it_is_and_what_to_do() {
        let path = Path::new("/run/docker.sock");
        let cases = [
            (
                socket(0o660, false, &[1000], false),
                "usermod -aG docker app",
            ),
            (socket(0o660, false, &[1000], true), "older login"),
            (socket(0o660, false, &[998], true), "SELinux"),
            (socket(0o600, false, &[998], false), "run as root"),
            (Place::Other, "DOCKER_HOST"),
            (
                Place::Failed(Io::NotFound, String::new()),
                "start the engine",
            ),
            (
                Place::Failed(Io::PermissionDenied, String::new()),
                "namei -l /run/docker.sock",
            ),
        ];
        for (place, advice) in cases {
            let finding = judge(path, &place);
            assert_eq!(finding.severity, Severity::Problem, "{finding:?}");
            assert!(finding.seen.contains("/run/docker.sock"), "{finding:?}");
            let given = finding.advice.as_deref().unwrap_or_default();
            assert!(given.contains(advice), "{finding:?}");
        }
        let refused = judge(path, &socket(0o660, false, &[1000], false));
        assert_eq!(
            refused.seen,
            "permission denied: /run/docker.sock is root:docker 0660; this process is app, not in the group docker"
        );
    }

    #[test]
    fn a_socket_for_everybody_is_warned_of() {
        let path = Path::new("/run/docker.sock");
        let open = judge(path, &socket(0o666, true, &[998], true));
        assert_eq!(open.severity, Severity::Warning, "{open:?}");
        let sound = judge(path, &socket(0o660, true, &[998], true));
        assert_eq!((sound.severity, sound.advice), (Severity::Ok, None));
    }

    #[test]
    fn looks_at_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        assert!(matches!(look(&path), Place::Failed(Io::NotFound, _)));
        fs::write(&path, "").unwrap();
        assert_eq!(look(&path), Place::Other);
        fs::remove_file(&path).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let Place::Socket(found) = look(&path) else {
            panic!("a socket");
        };
        assert!(found.may_connect);
        assert_eq!(found.owner.0, rustix::process::geteuid().as_raw());
        assert!(found.process.groups.contains(&found.group.0));
    }

    #[test]
    fn names_come_from_the_tables() {
        let groups = "root:x:0:\nbroken\ndocker:x:998:ann,app\n";
        assert_eq!(super::named(groups, 998), named(998, "docker"));
        assert_eq!(super::named(groups, 7), Named(7, None));
        assert!(is_member(groups, 998, Some("app")));
        assert!(!is_member(groups, 998, Some("ap")) && !is_member(groups, 998, None));
    }
}
