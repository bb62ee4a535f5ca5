//! Image references by Docker's own grammar (github.com/distribution/reference, `reference.go`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reference::text_type;
use crate::error::{Error, Result};
use crate::quote::quote;

/// An image by name (`[domain[:port]/]path[:tag][@digest]`) or by id. The text is kept as given; engines are asked for a name with
/// neither tag nor digest as that of `latest`, and for the beginning of an id as the name that it could be.
///
/// ```
/// use catamaran::model::ImageRef;
///
/// let image = ImageRef::new("registry.example:5000/team/app:1.2")?;
/// assert_eq!(image.domain(), Some("registry.example:5000"));
/// assert_eq!((image.path(), image.tag()), ("team/app", Some("1.2")));
/// assert!(ImageRef::new("Team/App").is_err()); // a path is in lower case
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef(Arc<str>);

text_type!(ImageRef);

struct Parts<'a> {
    domain: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl ImageRef {
    /// Checks the text and keeps it.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where it isn't of Docker's grammar.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        // 255 for the name, 128 for the tag, and a digest.
        if text.len() <= 1024 && is_reference(text) {
            return Ok(Self(text.into()));
        }
        Err(Error::invalid(
            "image",
            format!(
                "{} is no image: [registry[:port]/]name[:tag][@digest] in lower case, or a whole id",
                quote(text)
            ),
        ))
    }

    /// The registry, where one is named.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        split(&self.0).domain
    }

    /// The name without registry, tag and digest.
    #[must_use]
    pub fn path(&self) -> &str {
        split(&self.0).path
    }

    /// The tag, where one is given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        split(&self.0).tag
    }

    /// The digest, where one is given.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        split(&self.0).digest
    }

    /// Registry and path: what is before the tag and the digest.
    pub(crate) fn name(&self) -> &str {
        let Parts { domain, path, .. } = split(&self.0);
        let length = domain.map_or(0, |domain| domain.len() + 1) + path.len();
        self.0.get(..length).unwrap_or(&self.0)
    }

    /// Whether it is an image's id rather than a name.
    #[must_use]
    pub fn is_id(&self) -> bool {
        is_id(&self.0)
    }

    /// The same with the tag `latest`, where it is a name with neither tag nor digest: `cafe` could as well begin the id of
    /// another image.
    #[must_use]
    pub fn with_default_tag(&self) -> Self {
        let Parts { tag, digest, .. } = split(&self.0);
        if self.is_id() || tag.is_some() || digest.is_some() {
            return self.clone();
        }
        Self(format!("{}:latest", self.0).into())
    }

    /// As it stands in a URL's path, which can't hold the brackets of an IPv6 address.
    pub(crate) fn to_path(&self) -> String {
        if self.is_id() && !self.0.starts_with("sha256:") {
            // Podman takes 64 digits alone for a name that can't be.
            format!("sha256:{}", self.0)
        } else {
            let named = self.with_default_tag();
            named.0.replace('[', "%5B").replace(']', "%5D")
        }
    }
}

fn is_id(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Takes a reference apart; whether the parts are sound is `is_reference`'s to say.
fn split(text: &str) -> Parts<'_> {
    if is_id(text) {
        return Parts {
            domain: None,
            path: text,
            tag: None,
            digest: None,
        };
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    // A colon after the last slash begins a tag; before it, a port.
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains(['/', ']']) => (name, Some(tag)),
        _ => (name, None),
    };
    // Docker's own rule: the first part is a domain if it looks like one, and can be one.
    let (domain, path) = match name.split_once('/') {
        Some((first, rest))
            if is_domain(first)
                && (first.contains(['.', ':']) || first == "localhost" || has_upper(first)) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    };
    Parts {
        domain,
        path,
        tag,
        digest,
    }
}

fn has_upper(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_reference(text: &str) -> bool {
    if is_id(text) {
        return true;
    }
    // Docker's grammar has it as a name, and its daemon takes it for the beginning of an id.
    if text.starts_with("sha256:") {
        return false;
    }
    let Parts {
        domain,
        path,
        tag,
        digest,
    } = split(text);
    // Docker counts the path alone; a domain name holds no more either (RFC 1035, section 2.3.4).
    path.len() <= 255
        && domain.is_none_or(|domain| domain.len() <= 255 && is_domain(domain))
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes.split(alphanumeric).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-')
    })
}

/// `[\w][\w.-]{0,127}`; without `..`, which must never reach a URL.
fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !text.contains("..")
}

/// `[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`
///
/// The algorithms that engines know have a length of their own, and lower case (go-digest).
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    };
    if length.is_some_and(|length| hex.len() != length || has_upper(hex)) {
        return false;
    }
    algorithm.split(['-', '_', '+', '.']).all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric())
    }) && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A host name or an IPv6 address in brackets, with or without a port.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        return !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    }
    host.split('.').all(|part| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

    #[test]
    fn takes_what_docker_takes() {
        let digest = format!("xn--n3h.com/myimage:xn--n3h.com@sha512:{HEX}{HEX}");
        let id = format!("sha256:{HEX}");
        for good in [
            "test_com",
            "test.com:tag",
            "test.com:5000",
            "test.com/repo:tag",
            "test:5000/repo",
            "test:5000/repo:tag",
            "lowercase:Uppercase",
            "a/a/a/a/a/a/a/a/a",
            "sub-dom1.foo.com/bar/baz/quux",
            "a--b/c__d",
            "localhost/x",
            "[2001:db8::1]:5000/repo",
            "[::1]/repo:tag",
            "b.gcr.io/test.example.com/my-app:test",
            "foo_bar.com:8080",
            "foo/foo_bar.com:8080",
            "Uppercase.io/lower",
            digest.as_str(),
            id.as_str(),
            HEX,
            "foo_bar.com/app",
        ] {
            assert!(ImageRef::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_what_docker_refuses() {
        let long = "a/".repeat(128) + "a:tag";
        for bad in [
            "",
            ":justtag",
            "@sha256:fff",
            "repo@sha256:ffffffffffffffffffffffffffffffffff",
            "repo@sha256:ffffffffffffff",
            "validname@invaliddigest:fff",
            "Uppercase:tag",
            "test:5000/Uppercase/lowercase:tag",
            "aa/asdf$$^/aa",
            "a//b",
            "a/",
            "/a",
            "-foo/bar",
            "foo/bar-",
            "foo.._bar",
            "a___b",
            "a:",
            "a:.b",
            "[fe80::1%25eth0]/repo",
            "a@b@c",
            long.as_str(),
            "sha256:cafe",
        ] {
            assert!(ImageRef::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn takes_references_apart() {
        let image = ImageRef::new("[2001:db8::1]:5000/team/app:1").expect("a reference");
        assert_eq!(image.domain(), Some("[2001:db8::1]:5000"));
        assert_eq!(image.name(), "[2001:db8::1]:5000/team/app");
        assert_eq!(
            (image.path(), image.tag(), image.digest()),
            ("team/app", Some("1"), None)
        );
        assert_eq!(image.to_path(), "%5B2001:db8::1%5D:5000/team/app:1");
        let id = ImageRef::new(format!("sha256:{HEX}")).expect("an id");
        assert_eq!((id.is_id(), id.path(), id.tag()), (true, id.as_str(), None));
        // Engines are asked for an id by its algorithm, however it was given.
        let digits = ImageRef::new(HEX).expect("an id");
        assert_eq!((digits.is_id(), digits.as_str()), (true, HEX));
        assert_eq!(
            (digits.to_path(), id.to_path()),
            (id.to_string(), id.to_string())
        );
        assert_eq!(digits.with_default_tag(), digits);
        let bare = ImageRef::new("busybox").expect("a reference");
        assert_eq!((id.name(), bare.name()), (id.as_str(), "busybox"));
        assert_eq!(bare.with_default_tag().as_str(), "busybox:latest");
        assert_eq!(bare.to_path(), "busybox:latest");
        assert_eq!(image.with_default_tag(), image);
    }
}
