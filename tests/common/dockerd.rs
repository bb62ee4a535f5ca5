//! A real `dockerd --tlsverify` of our own, on a port of loopback.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::tls::{Authority, Issued};

/// The daemon, in namespaces of its own. It ends with this value, or with this process.
pub struct Dockerd {
    /// Its standard input is its lifeline.
    daemon: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Dockerd {
    /// Starts as `server`, for clients of this authority. It takes root and `dockerd`: an `Err` says why
    /// there is none.
    pub fn start(server: &Issued, clients: &Authority) -> Result<Self, String> {
        let told = |error: io::Error| format!("no dockerd: {error}");
        let daemon = Self::spawn(server, clients).map_err(told)?;
        daemon.wait_until_it_serves().map_err(|error| {
            let log = fs::read_to_string(daemon.directory.path().join("log"));
            let log = log.unwrap_or_default();
            let last = log.lines().last().unwrap_or("it said nothing");
            format!("{}: {last}", told(error))
        })?;
        Ok(daemon)
    }

    fn spawn(server: &Issued, clients: &Authority) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let certs = directory.path().join("certs");
        fs::create_dir(&certs)?;
        fs::copy(clients.ca(), certs.join("ca.pem"))?;
        fs::copy(&server.cert, certs.join("cert.pem"))?;
        fs::copy(&server.key, certs.join("key.pem"))?;
        // Made here, and so reachable from here, though the daemon has a network of its own.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/private-dockerd");
        let daemon = Command::new("setsid")
            .args(["--wait", "unshare", "--mount", "--net", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "bash"])
            .args([&*script, directory.path(), &*certs])
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(listener))
            .stderr(File::create(directory.path().join("log"))?)
            .spawn()?;
        Ok(Self {
            daemon,
            port,
            directory,
        })
    }

    /// A connection waits in the socket, which is there before the daemon and goes when it does. What isn't
    /// TLS is answered in plaintext.
    fn wait_until_it_serves(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        stream.read_exact(&mut [0])
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        drop(self.daemon.stdin.take());
        let _ = self.daemon.wait();
    }
}
