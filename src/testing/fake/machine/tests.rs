//! What the machine does, seen from outside.

use std::time::Duration;

use bytes::Bytes;

use super::{Command, Limits, Machine, Mounted, Setup, Stream, Tree, Volume, What};

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
    let code = running
        .exit
        .wait_for(Option::is_some)
        .await
        .expect("an end");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (code.expect("an end").code, text(&out), text(&err))
}

async fn shell(line: &str) -> (i64, String, String) {
    let machine = machine(Setup::default());
    machine.boot(command(&["sleep", "1000"])).expect("a start");
    run(&machine, command(&["sh", "-c", line]), None).await
}

async fn says(line: &str, expected: &str) {
    let (code, out, err) = shell(line).await;
    assert_eq!(
        (out.as_str(), err.as_str(), code),
        (expected, "", 0),
        "{line}"
    );
}

#[tokio::test]
async fn the_shell_does_as_posix_says() {
    for (line, expected) in [
        ("echo 'a  b' \"c  d\" e   f", "a  b c  d e f\n"),
        ("x='1  2'; echo $x \"$x\" '$x'", "1 2 1  2 $x\n"),
        (
            "echo ${a:-none} ${a-none} ${a:=set} ${a:+other} ${#a}",
            "none none set other 3\n",
        ),
        (
            "p=/a/b.c; echo ${p##*/} ${p%/*} ${p#/} ${p%%.*}",
            "b.c /a a/b.c /a/b\n",
        ),
        ("echo $(echo a; echo b) `echo c`", "a b c\n"),
        (
            "echo $((2 + 3 * 4 - (1 << 2))) $((7 / 2 % 2)) $((1 < 2 && 2 == 2))",
            "10 1 1\n",
        ),
        (
            "false || echo or; true && echo and; ! false; echo $?",
            "or\nand\n0\n",
        ),
        (
            "if false; then echo a; elif true; then echo b; else echo c; fi",
            "b\n",
        ),
        (
            "i=0; while [ $i -lt 3 ]; do i=$((i + 1)); echo $i; done",
            "1\n2\n3\n",
        ),
        (
            "i=3; until [ $i = 0 ]; do i=$((i - 1)); done; echo $i",
            "0\n",
        ),
        (
            "for x in a 'b c' d; do [ \"$x\" = d ] && break; echo \"$x\"; done",
            "a\nb c\n",
        ),
        (
            "for x in 1 2 3; do [ $x = 2 ] && continue; echo $x; done",
            "1\n3\n",
        ),
        ("case abc in x|a?c) echo yes ;; *) echo no ;; esac", "yes\n"),
        (
            "case 'a*' in 'a*') echo quoted ;; esac; case ab in 'a*') ;; *) echo no ;; esac",
            "quoted\nno\n",
        ),
        (
            "f() { echo \"f $1 $#\"; return 3; }; f x y; echo $?",
            "f x 2\n3\n",
        ),
        (
            "set -- a 'b c'; for x; do echo \"<$x>\"; done; echo \"$*\"",
            "<a>\n<b c>\na b c\n",
        ),
        (
            "set -- 'a b' c; printf '[%s]' \"$@\"; echo; shift; echo $1",
            "[a b][c]\nc\n",
        ),
        ("echo one two | { read a b; echo $b $a; }", "two one\n"),
        (
            "printf 'a:b:c\\n' | while IFS=: read -r x y; do echo \"$x $y\"; done",
            "a b:c\n",
        ),
        ("cat <<EOF\na $((1 + 1))\nEOF\necho after", "a 2\nafter\n"),
        ("cat <<'EOF'\n$x\nEOF", "$x\n"),
        ("(cd /tmp; pwd); pwd", "/tmp\n/\n"),
        ("{ echo out; echo err >&2; } 2>&1 | sort", "err\nout\n"),
        (
            "echo a > /tmp/x; echo b >> /tmp/x; cat < /tmp/x; wc -l < /tmp/x",
            "a\nb\n2\n",
        ),
        ("echo /tm[p] /b*n /nothing*", "/tmp /bin /nothing*\n"),
        ("x=1 sh -c 'echo $x'; echo ${x:-unset}", "1\nunset\n"),
        ("export y=2; env | grep ^y", "y=2\n"),
        ("sleep 100 & kill $!; wait $!; echo $?", "143\n"),
        ("trap 'echo bye' EXIT; echo hi", "hi\nbye\n"),
        (
            "trap 'echo caught' USR1; kill -USR1 $$; echo after",
            "caught\nafter\n",
        ),
        (
            "eval 'echo a; echo b'; command -v sh; command -v nope || echo none",
            "a\nb\n/bin/sh\nnone\n",
        ),
        (
            "seq 3 | tr '\\n' ,; seq 10 | tail -n 2; seq 10 | head -n 1; seq 5 | grep -c '[24]'",
            "1,2,3,9\n10\n1\n2\n",
        ),
        (
            "printf '%s-%03d|%5s|%-3s|\\n' a 7 b c; printf '%s\\n' x y; printf '\\101\\x42\\n'",
            "a-007|    b|c  |\nx\ny\nAB\n",
        ),
        (
            "echo a,b,c | cut -d , -f 2-; echo abcd | cut -c 1-2; head -n 1 /etc/passwd | cut -c 1-4",
            "b,c\nab\nroot\n",
        ),
        (
            "exec 3>/tmp/f; echo three >&3; exec 3>&-; cat /tmp/f",
            "three\n",
        ),
        ("x=$(exit 3); echo $?; (exit 4); echo $?", "3\n4\n"),
        ("timeout 0.01 sleep 5; echo $?", "143\n"),
        ("yes | head -c 6; echo \"${PIPE:-}\"", "y\ny\ny\n\n"),
        ("echo \"a\\\"b\\$c\\d\"; echo a\\ b", "a\"b$c\\d\na b\n"),
        (
            "mkdir -p /tmp/a/b; touch /tmp/a/b/c; cp -r /tmp/a /tmp/d; mv /tmp/d/b /tmp/e; ls /tmp/e; rm -r /tmp/a; ls /tmp",
            "c\nd\ne\n",
        ),
        (
            "ln -s /etc/passwd /tmp/l; readlink /tmp/l; cat /tmp/l | head -n 1 | cut -d: -f1",
            "/etc/passwd\nroot\n",
        ),
        ("tar -cf - -C /etc passwd | tar -tf -", "passwd\n"),
        (
            "test -e /bin/sh -a ! -e /nope && [ -d /tmp ] && echo yes",
            "yes\n",
        ),
        (
            "cat /proc/self/cmdline | tr '\\0' ' '",
            "cat /proc/self/cmdline ",
        ),
        ("tr -d 'a-c' < /etc/group > /dev/null; echo $?", "0\n"),
        (
            "n=0; for i in $(seq 2000); do n=$((n + i)); done; echo $n",
            "2001000\n",
        ),
    ] {
        says(line, expected).await;
    }
}

#[tokio::test]
async fn the_shell_says_what_it_cannot_do() {
    for (line, code, complaint) in [
        ("nope", 127, "sh: nope: not found\n"),
        (
            "echo x > /nope/x; echo $? >&2",
            0,
            "sh: can't create /nope/x: nonexistent directory\n1\n",
        ),
        ("cat < /nope", 1, "sh: can't open /nope: no such file\n"),
        (
            "cat /nope",
            1,
            "cat: can't open '/nope': No such file or directory\n",
        ),
        (
            "if",
            2,
            "sh: syntax error: unexpected end of file (expecting \"then\")\n",
        ),
        (
            "echo 'a",
            2,
            "sh: syntax error: unterminated quoted string\n",
        ),
        ("set -e; false; echo no >&2", 1, ""),
        ("set -u; echo $nope", 2, "sh: nope: parameter not set\n"),
        ("f() { f; }; f", 2, "sh: too many nested functions\n"),
        ("kill -9 $$; echo no >&2", 137, ""),
        ("exit 300", 44, ""),
    ] {
        let (ended, out, err) = shell(line).await;
        assert_eq!(
            (ended, out.as_str(), err.as_str()),
            (code, "", complaint),
            "{line}"
        );
    }
    let deep = format!("{}echo{}", "(".repeat(100), ")".repeat(100));
    assert_eq!(shell(&deep).await.0, 2);
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
    eprintln!("{:?}", machine.processes());
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
    let script = include_str!("../../../backend/end_exec.sh");
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
