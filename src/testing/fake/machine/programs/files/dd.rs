//! `dd`.

use std::sync::Arc;

use super::super::options::count;
use super::super::{Context, Ended};
use super::{input, output};
use crate::testing::fake::machine::files::Writing;
use crate::testing::fake::machine::io::PIECE;

/// `if=… of=… bs=… count=…`
pub(in super::super) async fn dd(context: Context) -> Ended {
    let value = |name: &str| {
        let mut words = context.argv.iter().skip(1);
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let size = value("bs").map_or(Ok(512), count)?.clamp(1, PIECE as u64);
    let mut left = value("count").map(count).transpose()?.unwrap_or(u64::MAX);
    let input = input(&context, value("if"))?;
    let output = match value("of") {
        Some(path) => output(&context, path, Writing::Truncate)?,
        None => Arc::clone(context.files.get(1)?),
    };
    while left > 0 {
        let piece = input.read(usize::try_from(size).unwrap_or(PIECE)).await?;
        if piece.is_empty() {
            break;
        }
        output.write(&piece).await?;
        left -= 1;
    }
    Ok(0)
}
