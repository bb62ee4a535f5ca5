//! `cut`.

use super::super::options::options;
use super::super::{Context, Ended, said};

pub(in super::super) async fn cut(context: Context) -> Ended {
    let options = options(&context.argv, "d:f:c:b:s")?;
    let list = ["f", "c", "b"]
        .iter()
        .find_map(|letter| options.value(letter.chars().next()?));
    let list = list.ok_or_else(|| said("expected a list of bytes, characters, or fields"))?;
    let wanted = |number: usize| {
        list.split(',').any(|range| match range.split_once('-') {
            Some((low, high)) => {
                let low = low.parse().unwrap_or(1);
                let high = high.parse().unwrap_or(usize::MAX);
                (low..=high).contains(&number)
            }
            None => range.parse() == Ok(number),
        })
    };
    let text = context.all(&options.operands).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut output = String::new();
    for line in text.lines() {
        if options.has('f') {
            let delimiter = options.value('d').unwrap_or("\t");
            let fields = line.split(delimiter).enumerate();
            let kept: Vec<&str> = fields
                .filter(|(index, _)| wanted(index + 1))
                .map(|(_, field)| field)
                .collect();
            match line.contains(delimiter) {
                true => output.push_str(&kept.join(delimiter)),
                false => output.push_str(line),
            }
        } else {
            let chars = line.chars().enumerate();
            output.extend(
                chars
                    .filter(|(index, _)| wanted(index + 1))
                    .map(|(_, char)| char),
            );
        }
        output.push('\n');
    }
    context.say(output).await?;
    Ok(0)
}
