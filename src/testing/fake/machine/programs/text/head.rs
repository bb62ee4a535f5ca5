//! `head`.

use super::super::files::input;
use super::super::options::{count, options};
use super::super::{Context, Ended};
use super::old_count;
use crate::testing::fake::machine::io::PIECE;

pub(in super::super) async fn head(context: Context) -> Ended {
    let argv = old_count(&context.argv);
    let options = options(&argv, "n:c:q")?;
    let bytes = options.value('c').map(count).transpose()?;
    let mut lines = options.value('n').map_or(Ok(10), count)?;
    let mut left = bytes.unwrap_or(u64::MAX);
    let input = input(&context, options.operands.first().map(String::as_str))?;
    while left > 0 && lines > 0 {
        // By lines, no more is taken than is shown where that can be told.
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let piece = input.read(most).await?;
        if piece.is_empty() {
            break;
        }
        if bytes.is_some() {
            left -= piece.len() as u64;
            context.out(&piece).await?;
            continue;
        }
        let mut end = 0;
        for (at, byte) in piece.iter().enumerate() {
            if lines == 0 {
                break;
            }
            end = at + 1;
            lines -= u64::from(*byte == b'\n');
        }
        context.out(&piece[..end]).await?;
    }
    Ok(0)
}
