//! Programs that look at and change files.

mod attributes;
mod copy;
mod dd;
mod list;
mod make;
mod paths;
mod remove;
mod room;

use std::sync::Arc;

use super::super::files::Opened;
use super::super::io::Open;
use super::super::node::{Node, Parts};
use super::{Context, Failure, about};

pub(super) use attributes::{chmod, chown, touch};
pub(super) use copy::{cp, ln, mv};
pub(super) use dd::dd;
pub(super) use list::{find, ls, stat};
pub(super) use make::{mkdir, mktemp};
pub(super) use paths::{basename, dirname, readlink};
pub(super) use remove::{rm, rmdir};
pub(super) use room::{df, du};

pub(super) fn opened(opened: Opened) -> Arc<Open> {
    match opened {
        Opened::File(body) => Open::file(body, false),
        Opened::Device(device) => Open::device(device),
        Opened::Directory => Open::directory(),
    }
}

/// A file to be read; where none is named, or `-`, what is typed or piped in.
pub(super) fn input(context: &Context, path: Option<&str>) -> Result<Arc<Open>, Failure> {
    match path.filter(|path| *path != "-") {
        Some(path) => {
            let readable = context.view().readable(&context.cwd, path);
            Ok(opened(readable.map_err(about(path))?))
        }
        None => Ok(Arc::clone(context.files.get(0)?)),
    }
}

/// A file to be written, anew or at its end.
pub(super) fn created(context: &Context, path: &str, append: bool) -> Result<Arc<Open>, Failure> {
    let writable = context.view().writable(&context.cwd, path, 0o644);
    Ok(match writable.map_err(about(path))? {
        Opened::File(body) => {
            if !append {
                body.truncate();
            }
            Open::file(body, append)
        }
        other => opened(other),
    })
}

fn place(context: &Context, path: &str, follow: bool) -> Result<Parts, Failure> {
    let place = context.view().resolve(&context.cwd, path, follow);
    place.map_err(about(path))
}

fn look(context: &Context, path: &str, follow: bool) -> Result<(Parts, Arc<Node>), Failure> {
    let place = place(context, path, follow)?;
    let node = context.view().look(&place).map_err(about(path))?;
    Ok((place, node))
}
