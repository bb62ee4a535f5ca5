//! Users and groups by name, as the container's own files have them.

use super::Context;

pub(super) const USERS: &str = "/etc/passwd";
pub(super) const GROUPS: &str = "/etc/group";

/// A field of the first line that fits, of all that are separated by colons.
fn field(context: &Context, file: &str, key: (usize, &str), wanted: usize) -> Option<String> {
    let text = context.view().contents("/", file).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let line = lines.find(|line| line.split(':').nth(key.0) == Some(key.1))?;
    line.split(':').nth(wanted).map(str::to_owned)
}

/// The name that a number has.
pub(super) fn name(context: &Context, file: &str, number: u32) -> Option<String> {
    field(context, file, (2, &number.to_string()), 0)
}

/// A number, or that of a name.
pub(super) fn number(context: &Context, file: &str, text: &str) -> Option<u32> {
    let named = || field(context, file, (0, text), 2)?.parse().ok();
    text.parse().ok().or_else(named)
}
