//! `rm` and `rmdir`.

use super::super::options::options;
use super::super::{Context, Ended, Failure, about, said};
use super::look;
use crate::testing::fake::machine::errno::Errno;

pub(in super::super) async fn rm(context: Context) -> Ended {
    let options = options(&context.argv, "rRfi")?;
    let (deep, force) = (options.has('r') || options.has('R'), options.has('f'));
    let mut code = 0;
    for path in &options.operands {
        let found = look(&context, path, false);
        let removed = found.and_then(|(place, node)| match node.is_directory() && !deep {
            true => Err(said(format!("'{path}' is a directory"))),
            false => context.view().remove(&place).map_err(about(path)),
        });
        if let Err(Failure::Said(message, _)) = removed {
            if force && message.ends_with("No such file or directory") {
                continue;
            }
            context.complain(&format!("can't remove '{message}'")).await;
            code = 1;
        }
    }
    Ok(code)
}

pub(in super::super) async fn rmdir(context: Context) -> Ended {
    for path in options(&context.argv, "p")?.operands {
        let (place, node) = look(&context, &path, false)?;
        if !node.entries().map_err(about(&path))?.is_empty() {
            return Err(about(&path)(Errno::NotEmpty));
        }
        context.view().remove(&place).map_err(about(&path))?;
    }
    Ok(0)
}
