//! `rm` and `rmdir`.

use super::super::options::options;
use super::super::{Context, Ended, about};
use super::look;
use crate::testing::fake::machine::errno::Errno;

pub(in super::super) async fn rm(context: Context) -> Ended {
    let options = options(&context.argv, "rRfi")?;
    let (deep, force) = (options.has('r') || options.has('R'), options.has('f'));
    let mut code = 0;
    for path in &options.operands {
        let view = context.view();
        let place = view.resolve(&context.cwd, path, false);
        let removed = place.and_then(|place| match view.look(&place)?.is_directory() && !deep {
            true => Err(Errno::IsDirectory),
            false => view.remove(&place),
        });
        let complaint = match removed {
            Ok(()) => continue,
            Err(Errno::NoEntry) if force => continue,
            Err(Errno::IsDirectory) => format!("'{path}' is a directory"),
            Err(errno) => format!("can't remove '{path}': {errno}"),
        };
        context.complain(&complaint).await;
        code = 1;
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
