//! The credentials that `docker login` left.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::endpoint::Environment;
use crate::endpoint::context::{config_dir, read_json, wrong};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ImageRef, RegistryAuth};
use crate::quote::{quote, quote_url};

/// How `config.json` calls Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl RegistryAuth {
    /// Looks up the credentials for an image's registry where `docker login` leaves them: in
    /// `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. `None` where there are none.
    ///
    /// Reads a small file: on an async task, do it where a disk may be read.
    ///
    /// # Errors
    /// `Config` where the file can't be read or isn't what it should be, never quoting it; `Unsupported`
    /// where a helper program (`credsStore`, `credHelpers`) keeps the credentials: ask it yourself
    /// (`docker-credential-… get`), and give what it says.
    ///
    /// ```
    /// use catamaran::Environment;
    /// use catamaran::model::{ImageRef, RegistryAuth};
    ///
    /// let image = ImageRef::new("registry.example/team/app")?;
    /// assert_eq!(RegistryAuth::for_image(&image, &Environment::empty())?, None);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn for_image(image: &ImageRef, environment: &Environment) -> Result<Option<Self>> {
        let Some(dir) = config_dir(environment)? else {
            return Ok(None);
        };
        let path = dir.path.join("config.json");
        let Some(file) = read_json::<ConfigFile>(&path, dir.origin)? else {
            return Ok(None);
        };
        let registry = registry(image);
        let helpers = file.cred_helpers.unwrap_or_default();
        let helper = find(&helpers, registry).map(|(_, helper)| helper);
        if let Some(helper) = helper.or(file.creds_store.as_ref())
            && !helper.is_empty()
        {
            return Err(kept_by(helper, registry));
        }
        let auths = file.auths.unwrap_or_default();
        let Some((address, Some(entry))) = find(&auths, registry) else {
            return Ok(None);
        };
        let auth = entry
            .read()
            .map_err(|why| wrong(format!("{}: {}: {why}", dir.origin, quote_url(address))))?;
        Ok(auth.map(|auth| auth.with_server_address(address)))
    }
}

impl Entry {
    fn read(&self) -> Result<Option<RegistryAuth>, &'static str> {
        let told = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = told(&self.identitytoken) {
            return Ok(Some(RegistryAuth::identity_token(token)));
        }
        if let Some(token) = told(&self.registrytoken) {
            return Ok(Some(RegistryAuth::registry_token(token)));
        }
        if let (Some(username), Some(password)) = (told(&self.username), told(&self.password)) {
            return Ok(Some(RegistryAuth::password(username, password)));
        }
        let Some(auth) = told(&self.auth) else {
            return Ok(None);
        };
        let decoded = STANDARD.decode(auth.trim()).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or("its auth isn't base64 of text")?;
        let (username, password) = text
            .split_once(':')
            .ok_or("its auth isn't name:password in base64")?;
        // Old versions of Docker padded it so.
        let password = password.trim_end_matches('\0');
        Ok(Some(RegistryAuth::password(username, password)))
    }
}

fn kept_by(helper: &str, registry: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the credentials for {} are kept by the helper {}, which isn't asked",
            quote(host(registry)),
            quote(helper)
        ),
    )
    .with_advice("give RegistryAuth what docker-credential-… get says")
}

/// The registry as `config.json` calls it.
fn registry(image: &ImageRef) -> &str {
    match image.domain() {
        None | Some("docker.io" | "index.docker.io") => HUB,
        Some(domain) => domain,
    }
}

/// The entry of that registry; addresses may be written as URLs.
fn find<'a, T>(entries: &'a BTreeMap<String, T>, registry: &str) -> Option<(&'a str, &'a T)> {
    let same = |key: &&String| host(key).eq_ignore_ascii_case(host(registry));
    let key = entries
        .keys()
        .find(|key| *key == registry)
        .or_else(|| entries.keys().find(same))?;
    Some((key, entries.get(key)?))
}

fn host(address: &str) -> &str {
    let address = address
        .strip_prefix("https://")
        .or(address.strip_prefix("http://"))
        .unwrap_or(address);
    address.split('/').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret";

    fn look(image: &str, json: &str) -> Result<Option<RegistryAuth>> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("config.json"), json).expect("a file");
        let environment = Environment::empty().with_var("DOCKER_CONFIG", directory.path());
        RegistryAuth::for_image(&ImageRef::new(image).expect("a reference"), &environment)
    }

    fn basic(pair: &str) -> String {
        STANDARD.encode(pair)
    }

    #[test]
    fn finds_what_docker_login_left() {
        let json = serde_json::json!({
            "auths": {
                HUB: {"auth": basic("hub:s3cret\0\0")},
                "registry.example:5000": {"auth": basic("me:s3:cret")},
                "https://old.example/v2/": {"username": "old", "password": SECRET},
                "token.example": {"auth": basic("<token>:"), "identitytoken": SECRET},
                "empty.example": {},
                "null.example": null,
            },
            "credHelpers": {"helped.example": "pass"},
            "HttpHeaders": {"x": "y"},
        })
        .to_string();
        let password = |name: &str, word: &str, at: &str| {
            Some(RegistryAuth::password(name, word).with_server_address(at))
        };
        for (image, expected) in [
            ("busybox", password("hub", SECRET, HUB)),
            ("docker.io/team/app:1", password("hub", SECRET, HUB)),
            (
                "registry.example:5000/app",
                password("me", "s3:cret", "registry.example:5000"),
            ),
            ("registry.example/app", None),
            (
                "old.example/app",
                password("old", SECRET, "https://old.example/v2/"),
            ),
            (
                "token.example/app",
                Some(RegistryAuth::identity_token(SECRET).with_server_address("token.example")),
            ),
            ("empty.example/app", None),
            ("null.example/app", None),
        ] {
            assert_eq!(look(image, &json).expect(image), expected, "{image}");
        }
        let helped = look("helped.example/app", &json).expect_err("a helper");
        assert_eq!(helped.kind(), ErrorKind::Unsupported);
        assert!(helped.to_string().contains("\"pass\""), "{helped}");
    }

    #[test]
    fn a_store_is_refused_by_name() {
        let error =
            look("busybox", r#"{"credsStore": "desktop", "auths": {}}"#).expect_err("a store");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let said = error.to_string();
        assert!(
            said.contains("desktop") && said.contains("index.docker.io"),
            "{said}"
        );
        assert_eq!(
            look("busybox", r#"{"credsStore": ""}"#).expect("none"),
            None
        );
    }

    #[test]
    fn nothing_wrong_is_quoted() {
        for json in [
            format!(r#"{{"auths": {{"x.example": {{"auth": "{SECRET}!"}}}}}}"#),
            format!(
                r#"{{"auths": {{"x.example": {{"auth": "{}"}}}}}}"#,
                basic(SECRET)
            ),
            format!(r#"{{"auths": {{"x.example": {{"auth": ["{SECRET}"]}}}}}}"#),
            format!(r#"{{"auths": "{SECRET}""#),
        ] {
            let error = look("x.example/app", &json).expect_err(&json);
            assert_eq!(error.kind(), ErrorKind::Config);
            let said = format!("{error:#} {error:?}");
            assert!(
                !said.contains(SECRET) && !said.contains(&basic(SECRET)),
                "{said}"
            );
        }
        let nowhere = Environment::empty().with_home("/nonexistent");
        let image = ImageRef::new("x").expect("a reference");
        assert_eq!(
            RegistryAuth::for_image(&image, &nowhere).expect("none"),
            None
        );
    }
}
