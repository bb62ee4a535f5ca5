//! Calls that carry secrets, and everything that they show of themselves.

use std::fmt::Debug;
use std::sync::Arc;

use catamaran::model::*;
use catamaran::{ContainerBackend, ContainerBackendExt, Result};
use futures::StreamExt;

use super::canary::{ARGUMENT, AUTH, CONTENT, ENV, OPTION};
use super::common::peer::Answer;
use super::common::{image, unique};

/// What may be shown of a value or an error: each way of printing it, with its causes.
fn shown<T: Debug>(result: Result<T>) -> Vec<String> {
    match result {
        Ok(value) => vec![format!("{value:?}"), format!("{value:#?}")],
        Err(error) => {
            let mut shown = vec![
                format!("{error}"),
                format!("{error:#}"),
                format!("{error:?}"),
                format!("{error:#?}"),
            ];
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                shown.push(format!("{error} {error:?}"));
                cause = error.source();
            }
            shown
        }
    }
}

fn spec(image: ImageRef, name: &ContainerName) -> ContainerSpec {
    ContainerSpec::untrusted(image)
        .with_name(name.clone())
        .with_entrypoint(["sh", "-c"])
        .with_command(["cat; exec sleep 600", "sh", ARGUMENT])
        .with_env("TOKEN", ENV)
        .with_health_check(HealthCheck::command(["sh", "-c", "true", ARGUMENT]))
}

fn exec() -> ExecOptions {
    ExecOptions::new(["sh", "-c", "cat; echo \"$0 $TOKEN\"", ARGUMENT])
        .with_env("TOKEN", ENV)
        .with_stdin(CONTENT)
}

fn volume(name: VolumeName) -> VolumeSpec {
    VolumeSpec::named(name).with_option("o", format!("addr=::1,password={OPTION}"))
}

fn network(name: NetworkRef) -> NetworkSpec {
    NetworkSpec::new(name).with_option("password", OPTION)
}

fn auth() -> RegistryAuth {
    RegistryAuth::password("user", AUTH).with_server_address("127.0.0.1:1")
}

fn pull() -> PullOptions {
    PullOptions::default().with_auth(auth())
}

/// What callers hold before anything is sent.
pub fn inputs() -> Vec<String> {
    let image = ImageRef::new("nobody/nothing").expect("a reference");
    let name = VolumeName::new("nothing").expect("a name");
    let mut all = shown(Ok(spec(image, &unique("secrets"))));
    all.extend(shown(Ok(exec())));
    all.extend(shown(Ok(volume(name))));
    all.extend(shown(Ok(network(
        NetworkRef::new("nothing").expect("a name"),
    ))));
    all.extend(shown(Ok(pull())));
    for auth in [
        RegistryAuth::identity_token(AUTH),
        RegistryAuth::registry_token(AUTH),
    ] {
        all.extend(shown(Ok(auth)));
    }
    all
}

/// Calls that succeed, with secrets in what is sent and in what comes back.
pub async fn well(backend: &Arc<dyn ContainerBackend>) -> Vec<String> {
    let mut all = Vec::new();
    let image = image().await;
    let name = unique("secrets");
    let container = ContainerRef::from(name.clone());
    let made = backend.create(&spec(image.clone(), &name)).await;
    assert!(made.is_ok(), "{made:?}");
    all.extend(shown(made));
    all.extend(shown(backend.start(&container).await));
    let ran = backend.exec(&container, &exec()).await;
    let told = format!("{CONTENT}{ARGUMENT} {ENV}\n");
    assert!(
        ran.as_ref().is_ok_and(|ran| ran.stdout == told),
        "it reads, and prints, what it was given"
    );
    all.extend(shown(ran));
    all.extend(shown(backend.inspect(&container).await));
    all.extend(shown(backend.list(&ListOptions::all()).await));
    all.extend(shown(backend.top(&container, &TopOptions::default()).await));
    all.extend(shown(backend.inspect_image(&image).await));
    all.extend(shown(backend.stats(&container).await));
    all.extend(shown(
        backend.remove(&container, &RemoveOptions::force()).await,
    ));

    let line = format!("echo {CONTENT}");
    let told = ContainerSpec::untrusted(image).with_command(["sh", "-c", &line]);
    let ran = backend.run(&told).await;
    assert!(ran.is_ok(), "{ran:?}");
    all.extend(shown(ran));

    let name = VolumeName::new(unique("secrets")).expect("a name");
    all.extend(shown(backend.create_volume(&volume(name.clone())).await));
    all.extend(shown(backend.inspect_volume(&name).await));
    all.extend(shown(
        backend
            .remove_volume(&name, &RemoveVolumeOptions::default())
            .await,
    ));
    all
}

/// Calls that fail: refused before they are sent, by the engine, and on the way.
pub async fn ill(backend: &Arc<dyn ContainerBackend>) -> Vec<String> {
    let mut all = Vec::new();
    let nothing = ImageRef::new("127.0.0.1:1/nobody/nothing").expect("a reference");
    let name = unique("secrets-ill");
    let nobody = ContainerRef::from(name.clone());
    let spec = spec(nothing.clone(), &name);

    for bad in [
        spec.clone().with_env(format!("{ENV}=x"), ENV),
        spec.clone().with_env("TOKEN", format!("{ENV}\0")),
        spec.clone().with_command([format!("{ARGUMENT}\0")]),
        spec.clone()
            .with_health_check(HealthCheck::shell(format!("{ARGUMENT}\0"))),
    ] {
        all.extend(shown(backend.create(&bad).await));
    }
    for bad in [
        exec().with_env("", ENV),
        exec().with_env("TOKEN", format!("{ENV}\0")),
        ExecOptions::new(["sh".to_owned(), format!("{ARGUMENT}\0")]),
    ] {
        all.extend(shown(backend.exec(&nobody, &bad).await));
    }

    all.extend(shown(backend.create(&spec).await));
    all.extend(shown(backend.run(&spec).await));
    all.extend(shown(backend.exec(&nobody, &exec()).await));
    let mut session = exec();
    session.stdin = None;
    all.extend(shown(backend.start_exec(&nobody, &session).await));
    all.extend(shown(backend.inspect(&nobody).await));
    all.extend(shown(backend.list(&ListOptions::all()).await));
    all.extend(shown(backend.top(&nobody, &TopOptions::default()).await));
    all.extend(shown(backend.inspect_image(&nothing).await));
    let archive = TarArchive::from(CONTENT.as_bytes().to_vec());
    let import = ImportOptions::new(nothing.clone());
    // What an engine takes for an archive may make an image: this one is no archive.
    all.extend(shown(backend.import_image(&import, archive).await));
    let volume = volume(VolumeName::new(&name).expect("a name")).with_driver("no-such-driver");
    all.extend(shown(backend.create_volume(&volume).await));
    let network = network(NetworkRef::new(&name).expect("a name")).with_driver("no-such-driver");
    all.extend(shown(backend.create_network(&network).await));
    all
}

/// Pulls that fail. An engine tries again and again where nobody listens.
pub async fn pulls(backend: &Arc<dyn ContainerBackend>) -> Vec<String> {
    let mut all = Vec::new();
    let nothing = ImageRef::new("127.0.0.1:1/nobody/nothing").expect("a reference");
    let ensure = EnsureOptions::default().with_auth(auth());
    let pull = pull();
    let (ensured, begun) = tokio::join!(
        backend.ensure_image(&nothing, &ensure),
        backend.pull_image(&nothing, &pull)
    );
    all.extend(shown(ensured));
    match begun {
        Ok(mut progress) => {
            while let Some(event) = progress.next().await {
                all.extend(shown(event));
            }
        }
        Err(error) => all.extend(shown(Err::<(), _>(error))),
    }
    all
}

/// Answers of an engine that is none: secrets, as they stand in true answers, where another type is promised.
pub fn odd_answers() -> Vec<Answer> {
    let secrets = [ENV, ARGUMENT, AUTH, CONTENT, OPTION].join(" ");
    let id = "a".repeat(64);
    let ok = |body: String| Answer::new(200).with_body(body);
    vec![
        Answer::new(500),
        ok(secrets.clone()),
        ok(format!("\"{secrets}\"")),
        ok(format!(
            r#"{{"Id":"{id}","Config":{{"Env":"{secrets}","Cmd":"{secrets}"}},"Options":"{secrets}"}}"#
        )),
        ok(format!(
            r#"{{"Id":"{id}","Config":{{"Env":["{secrets}"],"Cmd":["{secrets}"],"Image":7}},"State":7}}"#
        )),
        ok(format!(
            r#"[{{"Id":"{id}","Command":["{secrets}"],"Names":"{secrets}"}}]"#
        )),
        ok(format!(
            r#"{{"Titles":"{secrets}","Processes":"{secrets}"}}"#
        )),
    ]
}
