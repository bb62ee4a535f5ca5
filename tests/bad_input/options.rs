//! Options that can't be right, by the field at fault.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use catamaran::model::{
    Cidr, ConnectOptions, ContainerState, EventAction, EventKind, EventsOptions, ExecOptions,
    ImageRef, ImportOptions, LabelKey, ListOptions, NetworkRef, NetworkSpec, PullOptions,
    RegistryAuth, Subnet, TerminalSize, VolumeSpec,
};

use crate::huge;
use crate::specs::bad_env;

pub fn bad_execs() -> Vec<(&'static str, ExecOptions)> {
    let run = || ExecOptions::new(["true"]);
    let mut bad = vec![
        ("exec.command", ExecOptions::new(Vec::<String>::new())),
        ("exec.command", ExecOptions::new([""])),
        ("exec.command", ExecOptions::new(["a\0"])),
        ("exec.command", ExecOptions::new([huge()])),
        ("exec.user", run().with_user("")),
        ("exec.user", run().with_user("a b")),
        ("exec.user", run().with_user("0\n")),
        ("exec.user", run().with_user("0\0")),
        ("exec.user", run().with_user("naïve")),
        ("exec.user", run().with_user(huge())),
        ("exec.working_dir", run().with_working_dir("tmp")),
        ("exec.working_dir", run().with_working_dir("/tmp\0")),
        ("exec.timeout", run().with_timeout(Duration::ZERO)),
        (
            "exec.terminal_size",
            run().with_terminal_size(TerminalSize::new(80, 24).expect("a size")),
        ),
    ];
    bad.extend(
        bad_env()
            .into_iter()
            .map(|(key, value)| ("env", run().with_env(key, value))),
    );
    bad
}

pub fn bad_lists() -> Vec<(&'static str, ListOptions)> {
    let label =
        |value: String| ListOptions::all().with_label(LabelKey::new("a").expect("a key"), value);
    let state = |name: &str| ListOptions::all().with_state(ContainerState::from(name));
    vec![
        ("labels", label(huge())),
        ("labels", label("a\0".to_owned())),
        ("states", state("")),
        ("states", state("a b")),
        ("states", state(&huge())),
        ("limit", ListOptions::all().with_limit(0u32)),
    ]
}

pub fn bad_events() -> Vec<(&'static str, EventsOptions)> {
    let label = |value: String| {
        EventsOptions::default().with_label(LabelKey::new("a").expect("a key"), value)
    };
    let mut bad = vec![
        ("labels", label(huge())),
        ("labels", label("a\0".to_owned())),
    ];
    for word in ["", "a b", "a\n", &huge()] {
        let (kind, action) = (EventKind::from(word), EventAction::from(word));
        bad.push(("events.kinds", EventsOptions::default().with_kind(kind)));
        bad.push((
            "events.actions",
            EventsOptions::default().with_action(action),
        ));
    }
    bad
}

pub fn bad_imports() -> Vec<(&'static str, ImportOptions)> {
    let hex = "a".repeat(64);
    let named = |name: &str| ImportOptions::new(ImageRef::new(name).expect("a reference"));
    vec![
        ("image", named(&hex)),
        ("image", named(&format!("x@sha256:{hex}"))),
        ("changes", named("x").with_change(huge())),
        ("changes", named("x").with_change("CMD a\0")),
        ("message", named("x").with_message(huge())),
        ("message", named("x").with_message("\0")),
        ("platform", named("x").with_platform("linux/../x")),
        ("platform", named("x").with_platform(huge())),
    ]
}

pub fn bad_networks() -> Vec<(&'static str, NetworkSpec)> {
    let spec = || NetworkSpec::new(NetworkRef::new("net").expect("a name"));
    let cidr = |text: &str| Cidr::new(text).expect("a block");
    let block = |text: &str| Subnet::new(cidr(text));
    let label = |value: &str| spec().with_label("a", value).expect("a key");
    vec![
        ("driver", spec().with_driver("")),
        ("driver", spec().with_driver("a b")),
        ("driver", spec().with_driver(huge())),
        ("labels", label("a\0")),
        ("labels", label(&huge())),
        ("options", spec().with_option("", "x")),
        ("options", spec().with_option("a\0", "x")),
        ("options", spec().with_option(huge(), "x")),
        ("options", spec().with_option("a", huge())),
        ("subnets.subnet", spec().with_subnet(block("10.0.0.1/24"))),
        (
            "subnets.gateway",
            spec().with_subnet(block("10.0.0.0/24").with_gateway(Ipv4Addr::new(10, 0, 1, 1))),
        ),
        (
            "subnets.gateway",
            spec().with_subnet(block("10.0.0.0/24").with_gateway(Ipv6Addr::LOCALHOST)),
        ),
        (
            "subnets.ip_range",
            spec().with_subnet(block("10.0.0.0/24").with_ip_range(cidr("10.0.1.0/25"))),
        ),
        (
            "subnets.ip_range",
            spec().with_subnet(block("10.0.0.0/24").with_ip_range(cidr("10.0.0.0/16"))),
        ),
        ("ipv6", spec().with_subnet(block("fd00::/64"))),
    ]
}

pub fn bad_connections() -> Vec<(&'static str, ConnectOptions)> {
    let options = ConnectOptions::default;
    vec![
        ("aliases", options().with_alias("")),
        ("aliases", options().with_alias("a b")),
        ("aliases", options().with_alias("a\n")),
        ("aliases", options().with_alias("naïve")),
        ("aliases", options().with_alias("ok").with_alias(huge())),
        (
            "ipv4_address",
            options().with_ipv4_address(Ipv4Addr::UNSPECIFIED),
        ),
        (
            "ipv4_address",
            options().with_ipv4_address(Ipv4Addr::new(224, 0, 0, 1)),
        ),
        (
            "ipv6_address",
            options().with_ipv6_address(Ipv6Addr::UNSPECIFIED),
        ),
    ]
}

pub fn bad_volumes() -> Vec<(&'static str, VolumeSpec)> {
    let label = |value: &str| VolumeSpec::new().with_label("a", value).expect("a key");
    vec![
        ("driver", VolumeSpec::new().with_driver("")),
        ("driver", VolumeSpec::new().with_driver(huge())),
        ("options", VolumeSpec::new().with_option("", "x")),
        ("options", VolumeSpec::new().with_option("a", "\0")),
        ("options", VolumeSpec::new().with_option("a", huge())),
        ("labels", label("a\0")),
        ("labels", label(&huge())),
    ]
}

pub fn bad_pulls() -> Vec<(&'static str, ImageRef, PullOptions)> {
    let named = |name: &str| ImageRef::new(name).expect("a reference");
    let by = |auth: RegistryAuth| ("auth", named("x"), PullOptions::default().with_auth(auth));
    let on = |platform: &str| {
        let options = PullOptions::default().with_platform(platform);
        ("platform", named("x"), options)
    };
    vec![
        ("image", named(&"a".repeat(64)), PullOptions::default()),
        on(""),
        on("linux/../x"),
        on("a b"),
        on(&huge()),
        by(RegistryAuth::password("", "x")),
        by(RegistryAuth::password("x", "")),
        by(RegistryAuth::password("x", huge())),
        by(RegistryAuth::identity_token("a\0")),
        by(RegistryAuth::registry_token("x").with_server_address(huge())),
    ]
}
