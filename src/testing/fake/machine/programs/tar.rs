//! `tar`: to and from its output and input, or a file.

use super::super::errno::Errno;
use super::super::files::{Opened, Writing, path_of};
use super::super::node::{Kind, Node, Parts};
use super::super::tree::{Packed, append, entries};
use super::options::options;
use super::{Context, Ended, Failure, about, said};

pub(super) async fn tar(mut context: Context) -> Ended {
    // `tar xf` is `tar -xf`.
    if let Some(first) = context
        .argv
        .get_mut(1)
        .filter(|first| !first.starts_with('-'))
    {
        first.insert(0, '-');
    }
    let options = options(&context.argv, "xctf:opvhC:zm")?;
    if let Some(directory) = options.value('C') {
        context.cwd = match directory.starts_with('/') {
            true => directory.to_owned(),
            false => format!("{}/{directory}", context.cwd),
        };
    }
    let file = options.value('f').unwrap_or("-").to_owned();
    if options.has('c') {
        let mut builder = tar::Builder::new(Vec::new());
        for path in &options.operands {
            let view = context.view();
            let place = view
                .resolve(&context.cwd, path, options.has('h'))
                .map_err(about(path))?;
            let node = view.look(&place).map_err(about(path))?;
            append(
                &mut builder,
                path.trim_start_matches('/').trim_end_matches('/'),
                &node,
            )
            .map_err(|error| said(error.to_string()))?;
        }
        let archive = builder
            .into_inner()
            .map_err(|error| said(error.to_string()))?;
        match file.as_str() {
            "-" => context.out(&archive).await?,
            path => {
                let output = super::files::output(&context, path, Writing::Truncate)?;
                output.write(&archive).await?
            }
        }
        return Ok(0);
    }
    let archive = context.whole(&file).await?;
    if archive.is_empty() {
        return Err(said("short read"));
    }
    let mut listed = String::new();
    let mut failed = None;
    let read = entries(&archive, |path, packed| {
        listed.push_str(&format!("{}\n", path.join("/")));
        if options.has('x')
            && let Err(failure) = put(&context, &path, packed, options.has('p'))
        {
            failed = Some(failure);
            return Err(std::io::Error::other("an entry"));
        }
        Ok(())
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    read.map_err(|error| said(error.to_string()))?;
    if options.has('t') || options.has('v') {
        context.say(listed).await?;
    }
    Ok(0)
}

fn put(context: &Context, path: &[String], packed: Packed, keeps: bool) -> Result<(), Failure> {
    let shown = path.join("/");
    let fail = about(&shown);
    let view = context.view();
    let mut here: Parts = view.resolve("/", &context.cwd, true).map_err(&fail)?;
    let Some((name, above)) = path.split_last() else {
        return Ok(());
    };
    let user = context.process.user;
    for part in above {
        here.push(part.clone());
        if let Err(Errno::NoEntry) = view.look(&here) {
            let directory = Node::new(Kind::Directory(Default::default()), 0o755, user);
            view.insert(&here, directory).map_err(&fail)?;
        }
    }
    let base = here.clone();
    here.push(name.clone());
    let node = match packed {
        Packed::Node(node) => node,
        Packed::HardLink(target) => {
            let top = base.len() - above.len();
            let whole = [base.get(..top).unwrap_or_default(), &target].concat();
            Node::clone(&*view.look(&whole).map_err(&fail)?)
        }
    };
    if let (true, Ok(old)) = (node.is_directory(), view.look(&here))
        && old.is_directory()
    {
        // Who isn't the owner can't change it, which tar takes for a failure.
        if keeps && (user.0 == 0 || user.0 == old.uid) {
            let changed = view.change(&here, |old, _| {
                old.mode = node.mode;
                old.modified = node.modified;
                Ok(())
            });
            changed.map_err(&fail)?;
        }
        return Ok(());
    }
    // The files belong to whoever unpacks them.
    let (mode, modified) = (node.mode, node.modified);
    match &node.kind {
        Kind::File(body) => {
            if view.look(&here).is_ok() {
                view.remove(&here).map_err(&fail)?;
            }
            let opened = view.writable("/", &path_of(&here), mode);
            if let Opened::File(new) = opened.map_err(&fail)? {
                new.write(None, &body.contents()).map_err(&fail)?;
            }
            let changed = view.change(&here, |node, _| {
                node.mode = mode;
                node.modified = modified;
                Ok(())
            });
            changed.map_err(&fail)?;
        }
        _ => {
            let mut own = Node::clone(&node);
            (own.uid, own.gid) = user;
            view.insert(&here, own).map_err(&fail)?;
        }
    }
    Ok(())
}
