//! `df` and `du`.

use super::super::options::options;
use super::super::{Context, Ended, about};
use super::look;

pub(in super::super) async fn df(context: Context) -> Ended {
    let options = options(&context.argv, "kmhP")?;
    let mut output =
        "Filesystem           1K-blocks      Used Available Use% Mounted on\n".to_owned();
    let mut paths = options.operands;
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    for path in &paths {
        let (place, _) = look(&context, path, true)?;
        let (size, used) = context.view().room(&place).map_err(about(path))?;
        let (size, used) = (size >> 10, used.div_ceil(1 << 10));
        let share = (used * 100).checked_div(size).unwrap_or(0);
        let left = size.saturating_sub(used);
        output.push_str(&format!(
            "{:<20} {size:>9} {used:>9} {left:>9} {share:>3}% {path}\n",
            "shm"
        ));
    }
    context.say(output).await?;
    Ok(0)
}

pub(in super::super) async fn du(context: Context) -> Ended {
    let options = options(&context.argv, "skhab")?;
    for path in &options.operands {
        let (_, node) = look(&context, path, false)?;
        let size = node.total();
        let size = if options.has('b') {
            size
        } else {
            size.div_ceil(1 << 10)
        };
        context.say(format!("{size}\t{path}\n")).await?;
    }
    Ok(0)
}
