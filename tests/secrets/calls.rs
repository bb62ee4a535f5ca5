//! Calls that carry secrets, and everything that they show of themselves.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use catamaran::model::*;
use catamaran::{ContainerBackend, ContainerBackendExt, Result};
use futures::StreamExt;
use tokio::io::AsyncWriteExt;

use super::canary::{ARGUMENT, AUTH, CONTENT, ENV, LABEL, OPTION};
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
        .with_label("note", LABEL)
        .expect("a label")
        .with_health_check(HealthCheck::command(["sh", "-c", "true", ARGUMENT]))
}

fn exec() -> ExecOptions {
    ExecOptions::new(["sh", "-c", "cat; echo \"$0 $TOKEN\"", ARGUMENT])
        .with_env("TOKEN", ENV)
        .with_stdin(CONTENT)
}

fn volume(name: VolumeName) -> VolumeSpec {
    VolumeSpec::named(name)
        .with_label("note", LABEL)
        .expect("a label")
        .with_option("type", "cifs")
        .with_option("device", "//::1/share")
        .with_option("o", format!("addr=::1,password={OPTION}"))
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

fn labelled() -> ListOptions {
    let key = LabelKey::new("note").expect("a key");
    ListOptions::all().with_label(key, LABEL.to_owned())
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
    all.extend(sessions(backend, &container).await);
    all.extend(files(backend, &container).await);
    all.extend(streams(backend, &container).await);
    all.extend(shown(backend.inspect(&container).await));
    all.extend(shown(backend.list(&labelled()).await));
    all.extend(shown(Ok(labelled())));
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
    let made = backend.create_volume(&volume(name.clone())).await;
    assert!(made.is_ok(), "{made:?}");
    all.extend(shown(made));
    all.extend(shown(backend.inspect_volume(&name).await));
    all.extend(shown(
        backend
            .remove_volume(&name, &RemoveVolumeOptions::default())
            .await,
    ));
    all
}

fn archive() -> TarArchive {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(CONTENT.len() as u64);
    let written = archive.append_data(&mut header, "secret", CONTENT.as_bytes());
    written.expect("a vector");
    archive.into_inner().expect("a vector").into()
}

fn in_memory(name: &str) -> ContainerPath {
    ContainerPath::new(format!("/tmp/{name}")).expect("a path")
}

/// A session that is given a secret and says secrets, and an attachment.
async fn sessions(backend: &Arc<dyn ContainerBackend>, container: &ContainerRef) -> Vec<String> {
    let mut options = exec();
    options.stdin = None;
    let mut session = backend
        .start_exec(container, &options)
        .await
        .expect("a session");
    let mut all = shown(Ok(&session));
    session
        .input
        .write_all(CONTENT.as_bytes())
        .await
        .expect("it reads");
    session.input.shutdown().await.expect("its end");
    while let Some(chunk) = session.output.next().await {
        assert!(chunk.is_ok(), "{chunk:?}");
        all.extend(shown(chunk));
    }
    all.extend(shown(backend.inspect_exec(&session.id).await));
    all.extend(shown(
        backend.attach(container, &AttachOptions::default()).await,
    ));
    all
}

/// Files that hold a secret, in and out.
async fn files(backend: &Arc<dyn ContainerBackend>, container: &ContainerRef) -> Vec<String> {
    let path = in_memory("secret");
    let options = WriteFileOptions::default();
    let written = backend
        .write_file(container, &path, CONTENT.into(), &options)
        .await;
    assert!(written.is_ok(), "{written:?}");
    let mut all = shown(written);
    // What is read is the caller's own.
    let read = backend.read_file(container, &path, 1 << 10).await;
    assert_eq!(read.expect("it is read"), CONTENT);
    all.extend(shown(backend.read_file(container, &path, 1).await));
    all.extend(shown(backend.stat_path(container, &path).await));
    let upload = UploadOptions::default();
    let uploaded = backend
        .upload(container, &in_memory(""), archive(), &upload)
        .await;
    assert!(uploaded.is_ok(), "{uploaded:?}");
    all.extend(shown(uploaded));
    all.extend(shown(
        backend
            .download(container, &path, &DownloadOptions::default())
            .await,
    ));
    all
}

/// What goes on after its call: the container's log and samples, and the engine's events of all of this.
async fn streams(backend: &Arc<dyn ContainerBackend>, container: &ContainerRef) -> Vec<String> {
    let began = SystemTime::now() - Duration::from_secs(60);
    let events = EventsOptions::default()
        .with_since(began)
        .with_until(SystemTime::now());
    let mut events = backend.events(&events).await.expect("events");
    let (mut all, mut execs) = (Vec::new(), 0);
    while let Some(event) = events.next().await {
        execs += usize::from(event.as_ref().is_ok_and(|event| {
            event
                .detail
                .as_ref()
                .is_some_and(|detail| detail.contains(ARGUMENT))
        }));
        all.extend(shown(event));
    }
    assert!(execs > 0, "an engine tells the arguments of commands");
    let log = LogsOptions::default().with_tail(1u64);
    all.extend(shown(backend.follow_logs(container, &log).await));
    let mut samples = backend.stats_stream(container).await.expect("samples");
    all.extend(samples.next().await.map(shown).unwrap_or_default());
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
    let path = in_memory("secret");
    let options = WriteFileOptions::default();
    all.extend(shown(
        backend
            .write_file(&nobody, &path, CONTENT.into(), &options)
            .await,
    ));
    all.extend(shown(backend.read_file(&nobody, &path, 1 << 10).await));
    let put = PutArchiveOptions::default();
    all.extend(shown(
        backend.put_archive(&nobody, &path, &put, archive()).await,
    ));
    let broken = TarArchive::from(CONTENT.repeat(100).into_bytes());
    let upload = UploadOptions::default();
    all.extend(shown(backend.upload(&nobody, &path, broken, &upload).await));
    all.extend(shown(backend.create(&spec.clone().with_strict(true)).await));
    all.extend(shown(
        backend.attach(&nobody, &AttachOptions::default()).await,
    ));
    all.extend(shown(backend.stats_stream(&nobody).await));
    all.extend(shown(
        backend.follow_logs(&nobody, &LogsOptions::default()).await,
    ));
    all.extend(shown(backend.inspect(&nobody).await));
    all.extend(shown(backend.list(&ListOptions::all()).await));
    all.extend(shown(backend.top(&nobody, &TopOptions::default()).await));
    all.extend(shown(backend.inspect_image(&nothing).await));
    let archive = TarArchive::from(CONTENT.as_bytes().to_vec());
    let import = ImportOptions::new(nothing.clone());
    // What an engine takes for an archive may make an image: this one is no archive.
    all.extend(shown(backend.import_image(&import, archive).await));
    // Neither is made: the driver knows no such option, and of this kind of network there is but one.
    let volume = VolumeSpec::named(VolumeName::new(&name).expect("a name"));
    let volume = volume
        .with_option("o", format!("password={OPTION}"))
        .with_option("no", OPTION);
    all.extend(shown(backend.create_volume(&volume).await));
    let network = network(NetworkRef::new(&name).expect("a name")).with_driver("host");
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
