//! What an inspect shows, word by word.

use super::*;

#[test]
fn memory_is_as_the_kernel_makes_it_unless_told_otherwise() {
    let told = |options: &str| {
        let Tmpfs { size, mode, exec } = tmpfs(options);
        (size, mode, exec)
    };
    for (options, read) in [
        ("", (0, 0o1777, true)),
        ("rw,nosuid,nodev", (0, 0o1777, true)),
        ("noexec,size=64k", (64 << 10, 0o1777, false)),
        ("mode=0700,size=1048576", (1 << 20, 0o700, true)),
        ("size=2g,mode=1755", (2 << 30, 0o1755, true)),
        // What is no number is the default.
        ("mode=rwx,size=half", (0, 0o1777, true)),
    ] {
        assert_eq!(told(options), read, "{options}");
    }
}

#[test]
fn a_policy_that_nobody_knows_is_none() {
    let policy = |name: &str| {
        restart_policy(&Restart {
            name: name.to_owned(),
            maximum_retry_count: 3,
        })
    };
    for (name, read) in [
        ("", Some(RestartPolicy::No)),
        ("no", Some(RestartPolicy::No)),
        ("always", Some(RestartPolicy::Always)),
        ("unless-stopped", Some(RestartPolicy::UnlessStopped)),
        ("on-failure", Some(RestartPolicy::OnFailure(3))),
        ("on-full-moon", None),
    ] {
        assert_eq!(policy(name), read, "{name}");
    }
}

#[test]
fn limits_and_signals_have_the_names_that_were_asked_for() {
    assert_eq!(limit_name("RLIMIT_NOFILE"), "nofile");
    assert_eq!(limit_name("nofile"), "nofile");
    let named = |text: &str| signal_name(text.to_owned());
    assert_eq!(named("2").as_deref(), Some("SIGINT"));
    assert_eq!(named("15").as_deref(), Some("SIGTERM"));
    assert_eq!(named("SIGINT").as_deref(), Some("SIGINT"));
    for kept in ["0", "40", "x"] {
        assert_eq!(named(kept).as_deref(), Some(kept));
    }
    assert_eq!(named(""), None);
}

#[test]
fn sizes_have_the_kernels_suffixes() {
    for (text, size) in [
        ("7", Some(7)),
        ("7k", Some(7 << 10)),
        ("7M", Some(7 << 20)),
        ("7g", Some(7 << 30)),
        ("17179869185g", None), // 2^64 and 2^30
        ("g", None),
        ("", None),
    ] {
        assert_eq!(size_in_bytes(text), size, "{text}");
    }
}
