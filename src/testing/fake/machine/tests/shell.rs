//! The shell, and the programs that it runs.

use super::{Setup, command, machine, run};

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
        (
            "x=$(seq 300 | tr '\\n' +); echo $((${x}0)) $((-(-(1 + 1))))",
            "45150 2\n",
        ),
        ("echo 'a)(b' | grep ')('", "a)(b\n"),
        ("timeout 0.01 yes > /dev/null; echo $?", "143\n"),
        ("timeout 0.01 cat /dev/zero > /dev/null; echo $?", "143\n"),
        ("timeout 0.01 sh -c 'read x < /dev/zero'; echo $?", "143\n"),
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
        ("cat /", 1, "cat: read error: Is a directory\n"),
        ("rm /tmp", 1, "rm: '/tmp' is a directory\n"),
        (
            "rm /nope; rm -f /nope",
            0,
            "rm: can't remove '/nope': No such file or directory\n",
        ),
        ("x=$(cat /dev/zero)", 2, "sh: out of memory\n"),
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
}

#[tokio::test]
async fn what_is_nested_too_deep_is_refused() {
    let around = |before: &str, within: &str, after: &str| {
        let many = 10_000;
        format!("{}{within}{}", before.repeat(many), after.repeat(many))
    };
    for (line, expected) in [
        (around("(", "echo", ")"), 2),
        (around("f() ", "{ :; }", ""), 2),
        (format!("echo {}", around("$(", "echo", ")")), 2),
        (format!("echo {}", around("$((", "1", "))")), 2),
        (format!("echo {}", around("${a:-", "b", "}")), 2),
        (format!("echo \"{}\"", around("${a:-\"", "b", "\"}")), 2),
        (format!("echo $(({}))", around("(", "1", ")")), 2),
        (format!("echo $(({}))", around("-", "1", "")), 2),
        (format!("test {}", around("! ", "x", "")), 2),
        (format!("test {} x", around("'(' ", "x", " ')'")), 2),
        (format!("grep {}", around("a", "b", "")), 1),
    ] {
        let (code, _, err) = shell(&line).await;
        let shown: String = line.chars().take(40).collect();
        assert_eq!(code, expected, "{shown}: {err}");
    }
}

#[tokio::test]
async fn nothing_is_put_deeper_than_it_can_be_walked() {
    let deep = "d/".repeat(130);
    let line = format!("cd /tmp; mkdir -p {deep} e/{deep}; mv d e/{deep}");
    let (code, _, err) = shell(&line).await;
    assert_eq!(code, 1);
    assert!(err.ends_with("File name too long\n"), "{err}");
}
