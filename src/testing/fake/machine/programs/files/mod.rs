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

use super::super::files::Writing;
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

/// A file to be read; where none is named, or `-`, what is typed or piped in.
pub(super) fn input(context: &Context, path: Option<&str>) -> Result<Arc<Open>, Failure> {
    match path.filter(|path| *path != "-") {
        Some(path) => {
            let opened = context.view().open(&context.cwd, path);
            opened.map_err(about(path))
        }
        None => Ok(Arc::clone(context.files.get(0)?)),
    }
}

/// A file to be written.
pub(super) fn output(
    context: &Context,
    path: &str,
    writing: Writing,
) -> Result<Arc<Open>, Failure> {
    let opened = context.view().create(&context.cwd, path, 0o644, writing);
    opened.map_err(about(path))
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
