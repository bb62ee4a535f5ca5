//! `tail`.

use super::super::files::input;
use super::super::options::{count, options};
use super::super::{Context, Ended};
use super::old_count;
use crate::testing::fake::machine::io::PIECE;

pub(in super::super) async fn tail(context: Context) -> Ended {
    let argv = old_count(&context.argv);
    let options = options(&argv, "n:c:fFq")?;
    let from = options.value('n').and_then(|text| text.strip_prefix('+'));
    let from = from.map(count).transpose()?;
    let bytes = options.value('c').map(count).transpose()?;
    let lines = match from {
        Some(_) => 0,
        None => options.value('n').map_or(Ok(10), count)?,
    };
    let input = input(&context, options.operands.first().map(String::as_str))?;
    // A line without an end is kept whole, which is what a memory limit is for.
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let piece = input.read(PIECE).await?;
        if piece.is_empty() {
            break;
        }
        kept.extend_from_slice(&piece);
        context.world.holds(&context.process, kept.len() as u64);
        tokio::task::yield_now().await;
        if from.is_none() && (bytes.is_some() || piece.contains(&b'\n')) {
            let begin = match bytes {
                Some(bytes) => kept
                    .len()
                    .saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX)),
                None => last_lines(&kept, lines),
            };
            kept.drain(..begin);
        }
    }
    if let Some(from) = from {
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest: Vec<&[u8]> = kept
            .split_inclusive(|byte| *byte == b'\n')
            .skip(skipped)
            .collect();
        context.out(&rest.concat()).await?;
        return Ok(0);
    }
    context.out(&kept).await?;
    if options.has('f') || options.has('F') {
        // What is added later, for as long as it runs.
        loop {
            let piece = input.read(PIECE).await?;
            match piece.is_empty() {
                true => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                false => context.out(&piece).await?,
            }
        }
    }
    Ok(0)
}

/// Where the last so many lines begin.
fn last_lines(text: &[u8], lines: u64) -> usize {
    let mut left = lines;
    let whole = text.len() - usize::from(text.last() == Some(&b'\n'));
    for (at, byte) in text[..whole].iter().enumerate().rev() {
        if *byte == b'\n' {
            left = left.saturating_sub(1);
            if left == 0 {
                return at + 1;
            }
        }
    }
    if lines == 0 { text.len() } else { 0 }
}
