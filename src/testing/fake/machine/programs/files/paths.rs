//! `basename`, `dirname` and `readlink`.

use super::super::options::options;
use super::super::{Context, Ended, said};
use super::{look, place};
use crate::testing::fake::machine::files::path_of;
use crate::testing::fake::machine::node::Kind;

pub(in super::super) async fn basename(context: Context) -> Ended {
    let path = context.argv.get(1).ok_or_else(|| said("no path"))?;
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("/");
    let suffix = context.argv.get(2).map_or("", String::as_str);
    let name = name
        .strip_suffix(suffix)
        .filter(|name| !name.is_empty())
        .unwrap_or(name);
    context.say(format!("{name}\n")).await?;
    Ok(0)
}

pub(in super::super) async fn dirname(context: Context) -> Ended {
    let path = context.argv.get(1).ok_or_else(|| said("no path"))?;
    let above = match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((above, _)) => above,
        None => ".",
    };
    context.say(format!("{above}\n")).await?;
    Ok(0)
}

pub(in super::super) async fn readlink(context: Context) -> Ended {
    let options = options(&context.argv, "fn")?;
    let path = options.operands.first().ok_or_else(|| said("no path"))?;
    if options.has('f') {
        let place = place(&context, path, true)?;
        context.say(path_of(&place) + "\n").await?;
        return Ok(0);
    }
    match &look(&context, path, false)?.1.kind {
        Kind::Link(target) => {
            context.say(format!("{target}\n")).await?;
            Ok(0)
        }
        _ => Ok(1),
    }
}
