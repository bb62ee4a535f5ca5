//! Variables and parameters.

use super::Shell;

impl Shell {
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|(value, _)| value.clone())
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        let entry = self.variables.entry(name.to_owned()).or_default();
        entry.0 = value;
    }

    pub(super) fn parameter_value(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.status.to_string(),
            "#" => self.positional.len().to_string(),
            "$" => self.context.process.pid.to_string(),
            "!" => self.last_background?.to_string(),
            "-" => self.options.iter().collect(),
            "0" => self.name.clone(),
            "@" | "*" => self.positional.join(" "),
            name => match name.parse::<usize>() {
                Ok(number) => self.positional.get(number.checked_sub(1)?)?.clone(),
                Err(_) => return self.variable(name),
            },
        })
    }

    /// What commands are given.
    pub(super) fn environment(&self) -> Vec<String> {
        let exported = self.variables.iter().filter(|(_, (_, exported))| *exported);
        let mut pairs: Vec<String> = exported
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        pairs.sort();
        pairs
    }
}
