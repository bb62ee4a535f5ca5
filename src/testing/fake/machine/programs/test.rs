//! `test` and `[`.

use super::super::node::Kind;
use super::{Context, Ended, Failure};

/// How deep conditions may be nested.
const MAX_DEPTH: usize = 64;

pub(super) async fn test(context: Context) -> Ended {
    let mut words: Vec<&str> = context.argv.iter().skip(1).map(String::as_str).collect();
    if context.name() == "[" && words.pop() != Some("]") {
        return Err(Failure::Said("missing ]".to_owned(), 2));
    }
    let mut condition = Condition {
        context: &context,
        words: &words,
        at: 0,
        depth: 0,
    };
    if words.is_empty() {
        return Ok(1);
    }
    let held = condition.or()?;
    match condition.at == words.len() {
        true => Ok(i64::from(!held)),
        false => Err(bad(words.get(condition.at).copied().unwrap_or_default())),
    }
}

fn bad(word: &str) -> Failure {
    Failure::Said(format!("{word}: unknown operand"), 2)
}

struct Condition<'a> {
    context: &'a Context,
    words: &'a [&'a str],
    at: usize,
    depth: usize,
}

impl Condition<'_> {
    fn peek(&self, ahead: usize) -> Option<&str> {
        self.words.get(self.at + ahead).copied()
    }

    /// What may stand in itself.
    fn nested(
        &mut self,
        held: impl FnOnce(&mut Self) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::Said("too deep".to_owned(), 2));
        }
        self.depth += 1;
        let held = held(self);
        self.depth -= 1;
        held
    }

    fn or(&mut self) -> Result<bool, Failure> {
        let mut held = self.and()?;
        while self.peek(0) == Some("-o") {
            self.at += 1;
            held |= self.and()?;
        }
        Ok(held)
    }

    fn and(&mut self) -> Result<bool, Failure> {
        let mut held = self.one()?;
        while self.peek(0) == Some("-a") {
            self.at += 1;
            held &= self.one()?;
        }
        Ok(held)
    }

    fn one(&mut self) -> Result<bool, Failure> {
        let left = self.words.len() - self.at;
        let Some(first) = self.peek(0).map(str::to_owned) else {
            return Err(bad("argument expected"));
        };
        // Two words around an operator come before all else.
        if let (Some(operator), Some(right)) = (self.peek(1), self.peek(2))
            && let Some(held) = compared(&first, operator, right)?
        {
            self.at += 3;
            return Ok(held);
        }
        if first == "!" && left > 1 {
            self.at += 1;
            return Ok(!self.nested(Self::one)?);
        }
        if first == "(" && left > 2 {
            self.at += 1;
            let held = self.nested(Self::or)?;
            if self.peek(0) != Some(")") {
                return Err(bad("closing paren expected"));
            }
            self.at += 1;
            return Ok(held);
        }
        if left > 1 && first.len() == 2 && first.starts_with('-') {
            let operand = self.peek(1).unwrap_or_default();
            if let Some(held) = self.told(&first[1..], operand) {
                self.at += 2;
                return Ok(held);
            }
        }
        self.at += 1;
        Ok(!first.is_empty())
    }

    /// One operand; `None` where there is no such operator.
    fn told(&self, letter: &str, operand: &str) -> Option<bool> {
        let view = self.context.view();
        let found = || view.find(&self.context.cwd, operand);
        let user = self.context.process.user;
        Some(match letter {
            "n" => !operand.is_empty(),
            "z" => operand.is_empty(),
            "e" => found().is_ok(),
            "f" => found().is_ok_and(|node| matches!(node.kind, Kind::File(_))),
            "d" => found().is_ok_and(|node| node.is_directory()),
            "c" => found().is_ok_and(|node| matches!(node.kind, Kind::Device(_))),
            "s" => found().is_ok_and(|node| node.size() > 0),
            "r" => found().is_ok_and(|node| node.allows(user, 4)),
            "x" => found().is_ok_and(|node| node.allows(user, 1)),
            "w" => found().is_ok_and(|node| node.allows(user, 2)),
            "h" | "L" => {
                let place = view.resolve(&self.context.cwd, operand, false);
                let node = place.and_then(|place| view.look(&place));
                node.is_ok_and(|node| matches!(node.kind, Kind::Link(_)))
            }
            "t" => {
                let number = operand.parse().ok();
                let open = number.and_then(|number| self.context.files.get(number).ok());
                open.is_some_and(|open| open.is_terminal().is_some())
            }
            _ => return None,
        })
    }
}

fn compared(left: &str, operator: &str, right: &str) -> Result<Option<bool>, Failure> {
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| bad(text));
    Ok(Some(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "-eq" => number(left)? == number(right)?,
        "-ne" => number(left)? != number(right)?,
        "-lt" => number(left)? < number(right)?,
        "-le" => number(left)? <= number(right)?,
        "-gt" => number(left)? > number(right)?,
        "-ge" => number(left)? >= number(right)?,
        _ => return Ok(None),
    }))
}
