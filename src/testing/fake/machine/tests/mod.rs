//! What the machine does, seen from outside.

mod shell;

use std::time::Duration;

use bytes::Bytes;

use super::{Command, Limits, Machine, Mounted, Setup, Stream, Tree, Volume, What, ended};

const PATH: &str = "PATH=/bin";

fn machine(setup: Setup) -> Machine {
    Machine::new(&Tree::busybox(), setup)
}

fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![PATH.to_owned()],
        ..Command::default()
    }
}

/// Exit code, output, errors.
async fn run(
    machine: &Machine,
    mut command: Command,
    input: Option<&[u8]>,
) -> (i64, String, String) {
    command.stdin = input.is_some();
    let mut running = match machine.exec(command) {
        Ok(running) => running,
        Err(error) => return (error.code, String::new(), error.message),
    };
    let stdin = running.stdin.take();
    let input = input.unwrap_or_default().to_vec();
    let feed = async move {
        for piece in input.chunks(1000) {
            if let Some(stdin) = &stdin {
                // Nobody may be left to read it.
                let _ = stdin.send(Bytes::copy_from_slice(piece)).await;
            }
        }
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let read = async {
        while let Some((stream, bytes)) = running.output.recv().await {
            match stream {
                Stream::Out => out.extend_from_slice(&bytes),
                Stream::Err => err.extend_from_slice(&bytes),
            }
        }
    };
    tokio::join!(feed, read);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (ended(running.exit).await.code, text(&out), text(&err))
}

#[tokio::test]
async fn input_goes_through_exactly() {
    let machine = machine(Setup::default());
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let input: Vec<u8> = (0..300_000_u32)
        .flat_map(u32::to_be_bytes)
        .filter(|byte| *byte < 128)
        .collect();
    let (code, out, _) = run(&machine, command(&["cat"]), Some(&input)).await;
    assert!(
        code == 0 && out.as_bytes() == input,
        "{} of {}",
        out.len(),
        input.len()
    );
    let (code, out, _) = run(
        &machine,
        command(&["sh", "-c", "head -c 5; exit 3"]),
        Some(&input),
    )
    .await;
    assert_eq!((code, out.len()), (3, 5));
}

#[tokio::test]
async fn files_are_where_they_are_mounted() {
    let volume = Volume::new();
    let mount = |target: &str, what, read_only| Mounted {
        target: target.to_owned(),
        what,
        read_only,
    };
    let memory = What::Memory {
        bytes: Some(1 << 20),
        mode: 0o1777,
        runs: false,
    };
    let setup = Setup {
        read_only_root: true,
        mounts: vec![
            mount("/tmp", memory.clone(), false),
            mount("/vol", What::Volume(volume.clone()), false),
            mount("/etc", What::Volume(Volume::new()), true),
        ],
        ..Setup::default()
    };
    let machine = machine(setup);
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let line = "touch /x; echo a > /tmp/a; head -c 2000000 /dev/zero > /tmp/b; echo v > /vol/v; cat /etc/passwd > /dev/null && \
                touch /etc/y; cp /bin/busybox /tmp/true; /tmp/true";
    let (code, _, err) = run(&machine, command(&["sh", "-c", line]), None).await;
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(
        lines,
        [
            "touch: /x: Read-only file system",
            "head: No space left on device",
            "touch: /etc/y: Read-only file system",
            "sh: /tmp/true: Permission denied"
        ]
    );
    assert_eq!((code, volume.size()), (126, 2));
    assert!(
        machine.get_archive("/tmp/a").is_err(),
        "archives don't see memory"
    );
    assert!(machine.get_archive("/vol/v").is_ok());
    assert_eq!(machine.size_rw(), 0);
    machine
        .boot(command(&["sleep", "1000"]))
        .expect("another start");
    let (_, out, _) = run(&machine, command(&["ls", "/tmp", "/vol"]), None).await;
    assert_eq!(out, "/tmp:\n/vol:\nv\n", "memory is empty again");
}

#[tokio::test]
async fn a_terminal_shows_and_joins_lines() {
    let machine = machine(Setup::default());
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let mut asked = command(&[
        "sh",
        "-c",
        "stty size; read a; echo \"<$a>\"; test -t 0 && cat; exit 7",
    ]);
    asked.tty = true;
    asked.size = Some((33, 101));
    let running = machine.exec(asked).expect("a start");
    let mut output = running.output;
    let stdin = running.stdin.expect("a terminal has an input");
    stdin
        .send("hex\x7fllo\nmore\n\x04".into())
        .await
        .expect("it reads");
    let mut said = Vec::new();
    while let Ok(Some((_, bytes))) =
        tokio::time::timeout(Duration::from_secs(2), output.recv()).await
    {
        said.extend_from_slice(&bytes);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        said.contains("33 101\r\n") && said.contains("<hello>\r\n") && said.ends_with("more\r\n"),
        "{said:?}"
    );
    let mut exit = running.exit;
    let exit = exit.wait_for(Option::is_some).await.expect("an end");
    assert_eq!(exit.map(|exit| exit.code), Some(7));
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits {
        memory: Some(8 << 20),
        pids: Some(10),
        ..Limits::default()
    };
    let machine = machine(Setup {
        limits,
        ..Setup::default()
    });
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let running = machine
        .exec(command(&["tail", "-n", "1", "/dev/zero"]))
        .expect("a start");
    let mut exit = running.exit;
    let exit = *exit.wait_for(Option::is_some).await.expect("an end");
    assert!(
        exit.is_some_and(|exit| exit.code == 137 && exit.oom_killed),
        "{exit:?}"
    );
    let line = "for i in $(seq 20); do sleep 600 > /dev/null 2>&1 & done; wait";
    let (code, _, err) = run(&machine, command(&["sh", "-c", line]), None).await;
    assert_eq!(
        (code, err.as_str()),
        (2, "sh: can't fork: Resource temporarily unavailable\n")
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_process_is_the_kernels_child() {
    let machine = machine(Setup::default());
    let running = machine
        .boot(command(&["sh", "-c", "sleep 1000 & wait"]))
        .expect("a start");
    assert!(machine.signal(1, 15), "it is there");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        running.exit.borrow().is_none(),
        "without a handler it ignores TERM"
    );
    machine.freeze(true);
    assert!(machine.signal(1, 9));
    let mut exit = running.exit;
    let exit = *exit.wait_for(Option::is_some).await.expect("an end");
    assert_eq!(
        exit.map(|exit| exit.code),
        Some(137),
        "even while it is held"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    machine.freeze(false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        machine.processes().is_empty(),
        "all end with it: {:?}",
        machine.processes()
    );
}

#[tokio::test]
async fn an_exec_is_ended_by_the_crates_own_script() {
    let machine = machine(Setup::default());
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let mut marked = command(&[
        "sh",
        "-c",
        "trap '' TERM; sleep 7001 & (sleep 7001 &) ; setsid sleep 7001 & sh -c 'sleep 7001; :'",
    ]);
    marked.env.push("CATAMARAN_EXEC=mark".to_owned());
    let running = machine.exec(marked).expect("a start");
    let script = include_str!("../../../../backend/end_exec.sh");
    let ends = command(&["/bin/sh", "-c", script, "sh", "CATAMARAN_EXEC=mark"]);
    let (code, out, err) = run(&machine, ends.clone(), None).await;
    assert_eq!((code, out.as_str(), err.as_str()), (0, "ended\n", ""));
    let mut exit = running.exit;
    let exit = *exit.wait_for(Option::is_some).await.expect("an end");
    assert_eq!(exit.map(|exit| exit.code), Some(137));
    assert_eq!(machine.processes().len(), 1, "{:?}", machine.processes());
    let (_, out, _) = run(&machine, ends, None).await;
    assert_eq!(out, "none\n");
}

#[tokio::test]
async fn archives_and_changes_are_an_engines() {
    let machine = machine(Setup::default());
    assert_eq!(machine.changes(), []);
    let archive = machine.get_archive("/etc/passwd").expect("an archive");
    machine
        .put_archive("/root", &archive, false)
        .expect("a directory");
    assert_eq!(
        machine.stat("/root/passwd").map(|stat| stat.size),
        machine.stat("/etc/passwd").map(|stat| stat.size)
    );
    let changes: Vec<String> = machine
        .changes()
        .into_iter()
        .map(|(kind, path)| format!("{} {path}", kind as u8))
        .collect();
    assert_eq!(changes, ["0 /root", "1 /root/passwd"]);
    let root = Tree::from_tar(&machine.get_archive("/").expect("all")).expect("a tree");
    let passwd = machine.stat("/etc/passwd").map_or(0, |stat| stat.size);
    assert_eq!(root.size(), Tree::busybox().size() + passwd);
}

#[tokio::test]
async fn a_time_that_cannot_be_written_down_is_the_latest() {
    let machine = machine(Setup::default());
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mtime(u64::MAX);
    header.set_size(0);
    let added = builder.append_data(&mut header, "late", &b""[..]);
    added.expect("an entry");
    let archive = builder.into_inner().expect("an archive");
    machine
        .put_archive("/tmp", &archive, false)
        .expect("a file");
    let modified = machine.stat("/tmp/late").expect("a file").modified;
    let shown = humantime::format_rfc3339_seconds(modified).to_string();
    assert_eq!(shown, "9999-12-31T23:59:59Z");
}

#[tokio::test]
async fn after_the_first_process_nothing_is_begun() {
    let machine = machine(Setup::default());
    for _ in 0..2 {
        let running = machine.boot(command(&["sleep", "1000"])).expect("a start");
        machine.freeze(true);
        machine.signal(1, 9);
        assert_eq!(ended(running.exit).await.code, 137);
        let refused = machine
            .exec(command(&["true"]))
            .expect_err("nothing is there");
        assert_eq!(refused.code, 126);
        assert!(machine.processes().is_empty());
    }
    // What held it when it ended doesn't hold it when it is started again.
    let running = machine.boot(command(&["true"])).expect("a start");
    assert_eq!(ended(running.exit).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn who_types_waits_for_who_reads() {
    let machine = machine(Setup::default());
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    let mut asked = command(&["sh", "-c", "stty -echo; echo ready; sleep 1000"]);
    asked.tty = true;
    let mut running = machine.exec(asked).expect("a start");
    let ready = running.output.recv().await.expect("it says so");
    assert_eq!(&ready.1[..], b"ready\r\n");
    let stdin = running.stdin.expect("a terminal has an input");
    let mut sent = 0;
    let patience = Duration::from_secs(1);
    while let Ok(taken) = tokio::time::timeout(patience, stdin.send("line\n".into())).await {
        taken.expect("it is there");
        sent += 1;
        assert!(sent < 1000, "there is no end of it");
    }
    assert!(machine.signal(running.pid, 9));
    stdin.closed().await;
}
