//! Foreign text in messages: one line, bounded, and without secrets.

use std::fmt::{self, Write as _};
use std::path::Path;

/// What a log line has room for.
const LONGEST: usize = 64;

/// The text in quotes, control characters escaped, cut after 64 characters.
pub(crate) fn quote(text: &str) -> String {
    let mut shown = String::from("\"");
    // The text may be megabytes long: what is cut off is never escaped.
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        // Writing to a string can't fail.
        let _ = write!(shown, "{}", character.escape_debug());
    }
    shown.push('"');
    shown
}

/// What a path may take of a line; the system's own limit is 4096.
const LONGEST_PATH: usize = 256;

/// A path on one line, bounded, and readable where it is an ordinary one.
pub(crate) fn one_line(path: &Path) -> String {
    line(&path.to_string_lossy(), LONGEST_PATH)
}

/// The text on one line without quotes, cut after so many characters.
pub(crate) fn line(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == longest {
            shown.push('…');
            break;
        }
        if character.is_control() {
            // Writing to a string can't fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// As [`quote`], for an address: user info, query and fragment are where people put passwords.
pub(crate) fn quote_url(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, _)) => text.split_at(scheme.len() + 3),
        None => ("", text),
    };
    let secret_free = match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}***@{host}"),
        None => text.to_owned(),
    };
    // A path of a socket may contain both characters, and never holds a password.
    let end = secret_free
        .find(['?', '#'])
        .filter(|_| scheme != "unix://" && !text.starts_with(['/', '.']));
    match end {
        Some(end) => quote(&format!("{}***", &secret_free[..=end])),
        None => quote(&secret_free),
    }
}

/// Stands in `Debug` for what may hold secrets, as what a program printed does: its size alone.
pub(crate) struct Withheld<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Withheld<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_bounded_line() {
        assert_eq!(quote("a\nb\u{1b}[0m\"é"), r#""a\nb\u{1b}[0m\"é""#);
        let long = quote(&"é".repeat(10_000_000));
        assert_eq!(long.chars().count(), LONGEST + 3);
        assert!(long.ends_with("…\""));
    }

    #[test]
    fn paths_stay_readable() {
        assert_eq!(one_line(Path::new("/a b/\n\0ü")), r"/a b/\n\u{0}ü");
        let long = one_line(Path::new(&"x".repeat(10_000)));
        assert_eq!(long.chars().count(), LONGEST_PATH + 1);
    }

    #[test]
    fn addresses_lose_their_secrets() {
        for (url, shown) in [
            ("tcp://user:hunter2@host:1", "\"tcp://***@host:1\""),
            ("user:hunt@er2@host:1", "\"***@host:1\""),
            ("tcp://host/?token=hunter2", "\"tcp://host/?***\""),
            ("tcp://host#hunter2", "\"tcp://host#***\""),
            ("ssh://me@host", "\"ssh://***@host\""),
            ("unix:///a?b#c", "\"unix:///a?b#c\""),
            ("tcp://host:2375", "\"tcp://host:2375\""),
        ] {
            assert_eq!(quote_url(url), shown);
        }
    }
}
