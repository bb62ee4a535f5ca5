//! `mkdir` and `mktemp`.

use std::sync::Arc;

use super::super::options::options;
use super::super::{Context, Ended, about, said};
use super::place;
use crate::testing::fake::machine::errno::Errno;
use crate::testing::fake::machine::node::{Body, Kind, Node};

pub(in super::super) async fn mkdir(context: Context) -> Ended {
    let options = options(&context.argv, "pm:")?;
    let mode = options
        .value('m')
        .and_then(|mode| u32::from_str_radix(mode, 8).ok());
    for path in &options.operands {
        let view = context.view();
        let mut at = String::new();
        if path.starts_with('/') {
            at.push('/');
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            at.push_str(part);
            let last = index + 1 == parts.len();
            let place = place(&context, &at, true)?;
            match view.look(&place) {
                Ok(node) if last && !(options.has('p') && node.is_directory()) => {
                    return Err(said(format!(
                        "can't create directory '{path}': File exists"
                    )));
                }
                Ok(_) => {}
                Err(Errno::NoEntry) if last || options.has('p') => {
                    let node = Node::new(
                        Kind::Directory(Default::default()),
                        mode.unwrap_or(0o755),
                        context.process.user,
                    );
                    let made = view.insert(&place, node);
                    made.map_err(|errno| {
                        said(format!("can't create directory '{path}': {errno}"))
                    })?;
                }
                Err(errno) => {
                    return Err(said(format!("can't create directory '{path}': {errno}")));
                }
            }
            at.push('/');
        }
    }
    Ok(0)
}

pub(in super::super) async fn mktemp(context: Context) -> Ended {
    let options = options(&context.argv, "dp:qut")?;
    let directory = options.value('p').unwrap_or("/tmp");
    let own = uuid::Uuid::new_v4().simple().to_string();
    let path = match options.operands.first() {
        Some(template) => template.replace("XXXXXX", &own[..6]),
        None => format!("{directory}/tmp.{}", &own[..6]),
    };
    let place = place(&context, &path, true)?;
    let (kind, mode) = match options.has('d') {
        true => (Kind::Directory(Default::default()), 0o700),
        false => (Kind::File(Arc::new(Body::new(None))), 0o600),
    };
    let made = context
        .view()
        .insert(&place, Node::new(kind, mode, context.process.user));
    made.map_err(about(&path))?;
    context.say(path + "\n").await?;
    Ok(0)
}
