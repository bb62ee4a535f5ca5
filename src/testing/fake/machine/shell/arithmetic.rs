//! Sums, as `$((…))` has them.

type Evaluated = Result<i64, String>;

/// How deep parentheses and signs may be nested.
const MAX_DEPTH: usize = 64;

/// Binary operators by how strongly they bind.
const LEVELS: [&[&str]; 8] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
];

/// The value of an expression; a name's value is asked for.
pub(super) fn evaluate(text: &str, value: &dyn Fn(&str) -> String) -> Evaluated {
    let text: Vec<char> = text.chars().filter(|char| !char.is_whitespace()).collect();
    let mut sum = Sum {
        text,
        at: 0,
        depth: 0,
        value,
    };
    if sum.text.is_empty() {
        return Ok(0);
    }
    let found = sum.level(0)?;
    match sum.at == sum.text.len() {
        true => Ok(found),
        false => Err("arithmetic syntax error".to_owned()),
    }
}

struct Sum<'a> {
    text: Vec<char>,
    at: usize,
    depth: usize,
    value: &'a dyn Fn(&str) -> String,
}

impl Sum<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let found = sign
            .chars()
            .enumerate()
            .all(|(index, char)| self.text.get(self.at + index) == Some(&char));
        // `<` isn't the beginning of `<<`, nor `&` that of `&&`.
        let doubled = sign.len() == 1 && "<>&|".contains(sign) && {
            let next = self.text.get(self.at + 1);
            next.is_some_and(|next| sign.starts_with(*next))
        };
        let found = found && !doubled;
        if found {
            self.at += sign.len();
        }
        found
    }

    fn level(&mut self, level: usize) -> Evaluated {
        let Some(signs) = LEVELS.get(level) else {
            return self.sum();
        };
        let mut left = self.level(level + 1)?;
        while let Some(sign) = signs.iter().find(|sign| self.takes(sign)) {
            let right = self.level(level + 1)?;
            left = match *sign {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                "|" => left | right,
                "^" => left ^ right,
                "&" => left & right,
                "==" => i64::from(left == right),
                "!=" => i64::from(left != right),
                "<=" => i64::from(left <= right),
                ">=" => i64::from(left >= right),
                "<" => i64::from(left < right),
                ">" => i64::from(left > right),
                "<<" => left.wrapping_shl(u32::try_from(right).unwrap_or(0)),
                _ => left.wrapping_shr(u32::try_from(right).unwrap_or(0)),
            };
        }
        Ok(left)
    }

    fn sum(&mut self) -> Evaluated {
        let mut left = self.product()?;
        loop {
            left = match () {
                () if self.takes("+") => left.wrapping_add(self.product()?),
                () if self.takes("-") => left.wrapping_sub(self.product()?),
                () => return Ok(left),
            };
        }
    }

    fn product(&mut self) -> Evaluated {
        let zero = || "divide by zero".to_owned();
        let mut left = self.unary()?;
        loop {
            left = match () {
                () if self.takes("*") => left.wrapping_mul(self.unary()?),
                () if self.takes("/") => left.checked_div(self.unary()?).ok_or_else(zero)?,
                () if self.takes("%") => left.checked_rem(self.unary()?).ok_or_else(zero)?,
                () => return Ok(left),
            };
        }
    }

    fn unary(&mut self) -> Evaluated {
        if self.depth >= MAX_DEPTH {
            return Err("arithmetic expression too deep".to_owned());
        }
        self.depth += 1;
        let value = self.operand();
        self.depth -= 1;
        value
    }

    fn operand(&mut self) -> Evaluated {
        match () {
            () if self.takes("-") => Ok(self.unary()?.wrapping_neg()),
            () if self.takes("+") => self.unary(),
            () if self.takes("!") => Ok(i64::from(self.unary()? == 0)),
            () if self.takes("~") => Ok(!self.unary()?),
            () if self.takes("(") => {
                let inner = self.level(0)?;
                match self.takes(")") {
                    true => Ok(inner),
                    false => Err("arithmetic syntax error".to_owned()),
                }
            }
            () => self.number(),
        }
    }

    fn number(&mut self) -> Evaluated {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let word: String = rest
            .iter()
            .take_while(|char| char.is_ascii_alphanumeric() || **char == '_')
            .collect();
        self.at += word.len();
        if word.is_empty() {
            return Err("arithmetic syntax error".to_owned());
        }
        let value = match word.starts_with(|first: char| first.is_ascii_digit()) {
            true => word,
            false => (self.value)(&word),
        };
        let value = value.trim();
        let bad = |_| format!("bad number: {value}");
        match value {
            "" => Ok(0),
            hex if hex.starts_with("0x") => i64::from_str_radix(&hex[2..], 16).map_err(bad),
            octal if octal.len() > 1 && octal.starts_with('0') => {
                i64::from_str_radix(octal, 8).map_err(bad)
            }
            decimal => decimal.parse().map_err(bad),
        }
    }
}
