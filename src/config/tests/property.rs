//! No value panics, and none is wrong without being named.

use std::fs;
use std::os::unix::net::UnixListener;

use proptest::prelude::*;

use super::*;

/// Text at large, and text that comes near to what is meant.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".*",
        "\\PC{0,200}",
        "[ \\t]?[0-9.+-]{0,5} ?(s|ms|h|y)?",
        "(v)?1\\.[0-9]{1,3}",
        "(unix|tcp|http|https|ssh|fd)://[a-z0-9.:/@\\[\\]?#-]{0,20}",
        "(true|false|on|off|0|1|default|async)",
        "/[a-z\\x00/.]{0,10}",
    ]
}

proptest! {
    #[test]
    fn any_value_configures_or_is_named(
        which in 0..vars::OF_CONFIG.len(),
        text in value(),
        other in proptest::option::of((0..vars::OF_CONFIG.len(), value())),
    ) {
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("run/podman/podman.sock");
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        let name = vars::OF_CONFIG[which];
        let mut names = vec![name];
        let mut env = Environment::empty().with_root(root.path()).with_var(name, &text);
        if let Some((which, text)) = other {
            names.push(vars::OF_CONFIG[which]);
            env = env.with_var(vars::OF_CONFIG[which], text);
        }
        match Config::from_environment(&env) {
            Ok(config) => {
                let endpoints = [Some(config.endpoint()), config.fallback_endpoint()];
                prop_assert!(endpoints.into_iter().flatten().all(|one| one.check().is_ok()));
            }
            Err(error) => {
                let shown = error.to_string();
                prop_assert!(names.iter().any(|name| shown.contains(name)), "{names:?}: {shown}");
                prop_assert!(shown.len() < 2000, "{shown}");
                prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            }
        }
    }
}
