//! Looking for the engine's socket where engines put it.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind as Io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::environment::{Environment, vars};
use crate::error::{Error, ErrorKind, Result};
use crate::quote::one_line;

#[derive(Clone)]
enum Found {
    Open,
    Denied,
    No(String),
}

/// The first socket that may be opened; else the first that exists, so that the connect says what is
/// wrong with it.
pub(crate) fn socket(environment: &Environment) -> Result<PathBuf> {
    choose(places(environment), look_at)
}

/// A place to look at, or why it can't be named.
type Place = Result<PathBuf, String>;

fn choose(
    places: impl IntoIterator<Item = Place>,
    look_at: impl Fn(&Path) -> Found,
) -> Result<PathBuf> {
    let mut denied = None;
    let mut looked_at = Vec::new();
    for place in places {
        match place {
            Err(why) => looked_at.push(why),
            Ok(path) => match look_at(&path) {
                Found::Open => return Ok(path),
                Found::Denied => denied = denied.or(Some(path)),
                Found::No(why) => looked_at.push(format!("{} ({why})", one_line(&path))),
            },
        }
    }
    denied.ok_or_else(|| {
        let looked_at = looked_at.join(", ");
        Error::new(
            ErrorKind::Config,
            format!("no container engine was found; looked at {looked_at}"),
        )
        .with_advice(format!(
            "start Docker or Podman's service, or set {}",
            vars::HOST
        ))
    })
}

/// The places in order.
fn places(environment: &Environment) -> [Place; 5] {
    let root = |place: &str| match environment.root() {
        Some(root) => Ok(root.join(place)),
        None => Err(format!("/{place} (no root)")),
    };
    let runtime = |place: &str| match environment.os(vars::RUNTIME_DIR).map(Path::new) {
        // The XDG specification calls a relative one invalid.
        Some(dir) if dir.is_absolute() => Ok(dir.join(place)),
        Some(_) => Err(format!(
            "${}/{place} (not an absolute path)",
            vars::RUNTIME_DIR
        )),
        None => Err(format!("${}/{place} (unset)", vars::RUNTIME_DIR)),
    };
    let home = |place: &str| match environment.home() {
        Some(home) => Ok(home.join(place)),
        None => Err(format!("~/{place} (no home)")),
    };
    [
        root("var/run/docker.sock"),
        runtime("docker.sock"),
        home(".docker/run/docker.sock"),
        root("run/podman/podman.sock"),
        runtime("podman/podman.sock"),
    ]
}

fn look_at(path: &Path) -> Found {
    match fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Found::No("not a socket".to_owned()),
        Err(cause) if matches!(cause.kind(), Io::NotFound | Io::NotADirectory) => {
            return Found::No("not there".to_owned());
        }
        Err(cause) => return Found::No(cause.to_string()),
    }
    // Opening a socket's file always fails, but the permission is checked first (ENXIO comes after
    // EACCES); unlike a connect it can't block, and the engine sees nothing of it. Connecting takes write
    // permission alone.
    match OpenOptions::new().write(true).open(path) {
        Err(cause) if cause.kind() == Io::PermissionDenied => Found::Denied,
        _ => Found::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_among(found: &[(&str, Found)]) -> Result<PathBuf> {
        let places = found.iter().map(|(path, _)| Ok(PathBuf::from(path)));
        choose(places, |path| {
            let found = found.iter().find(|(place, _)| Path::new(place) == path);
            found.unwrap().1.clone()
        })
    }

    #[test]
    fn a_socket_that_may_not_be_opened_yields_to_one_that_may() {
        let no = || Found::No("not there".into());
        let found = choose_among(&[("/a", Found::Denied), ("/b", Found::Open)]);
        assert_eq!(found.unwrap(), Path::new("/b"));
        // Alone it is chosen: the connect then says "permission denied".
        let found = choose_among(&[("/a", no()), ("/b", Found::Denied), ("/c", Found::Denied)]);
        assert_eq!(found.unwrap(), Path::new("/b"));
        let error = choose_among(&[("/a", no()), ("/b", no())]).unwrap_err();
        assert!(
            error.message().contains("/a (not there), /b (not there)"),
            "{error}"
        );
    }
}
