//! `cp`, `mv` and `ln`.

use super::super::options::options;
use super::super::{Context, Ended, Failure, about, said};
use super::{look, place};
use crate::testing::fake::machine::errno::Errno;
use crate::testing::fake::machine::node::{Kind, Node, Parts};

/// Where a copy goes: into a directory, or to that name.
fn target(context: &Context, from: &str, to: &str) -> Result<Parts, Failure> {
    let mut place = place(context, to, true)?;
    if context
        .view()
        .look(&place)
        .is_ok_and(|node| node.is_directory())
    {
        let name = from
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(from);
        place.push(name.to_owned());
    }
    Ok(place)
}

pub(in super::super) async fn cp(context: Context) -> Ended {
    let options = options(&context.argv, "rRapfLPdi")?;
    let (to, from) = options.split_last("no paths")?;
    for path in from {
        let deep = ['r', 'R', 'a'].iter().any(|letter| options.has(*letter));
        let (_, node) = look(&context, path, !deep || options.has('L'))?;
        if node.is_directory() && !deep {
            return Err(said(format!("omitting directory '{path}'")));
        }
        if !node.allows(context.process.user, 4) {
            return Err(about(path)(Errno::Access));
        }
        let place = target(&context, path, to)?;
        context.view().copy(&node, &place).map_err(about(to))?;
    }
    Ok(0)
}

pub(in super::super) async fn mv(context: Context) -> Ended {
    let options = options(&context.argv, "fin")?;
    let (to, from) = options.split_last("no paths")?;
    for path in from {
        let (source, node) = look(&context, path, false)?;
        let place = target(&context, path, to)?;
        if place.starts_with(&source) {
            return Err(about(path)(Errno::Invalid));
        }
        let view = context.view();
        view.insert(&place, Node::clone(&node)).map_err(about(to))?;
        view.remove(&source).map_err(about(path))?;
    }
    Ok(0)
}

pub(in super::super) async fn ln(context: Context) -> Ended {
    let options = options(&context.argv, "sfn")?;
    let [from, to] = options.operands.as_slice() else {
        return Err(said("usage: ln [-sf] TARGET LINK"));
    };
    let place = target(&context, from, to)?;
    let view = context.view();
    if !options.has('f') && view.look(&place).is_ok() {
        return Err(about(to)(Errno::Exists));
    }
    let node = match options.has('s') {
        true => Node::new(Kind::Link(from.clone()), 0o777, context.process.user),
        false => {
            // Two names of one body: what is an image's becomes the container's own first.
            view.writable(&context.cwd, from, 0o644)
                .map_err(about(from))?;
            Node::clone(&*look(&context, from, true)?.1)
        }
    };
    view.insert(&place, node).map_err(about(to))?;
    Ok(0)
}
