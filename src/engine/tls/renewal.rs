//! Certificates are renewed while an engine lives: what is made of their files follows them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Files;
use crate::endpoint::TlsConfig;
use crate::error::Result;
use crate::lock::lock;

/// What a library needs for its connections, made of the files as they are.
pub(super) struct Renewed<T> {
    tls: TlsConfig,
    make: Box<dyn Fn(Files) -> Result<T> + Send + Sync>,
    generation: AtomicU64,
    state: Mutex<State<T>>,
}

/// What was made, and the how manieth it is.
pub(in crate::engine) struct Made<T> {
    pub(in crate::engine) generation: u64,
    pub(in crate::engine) value: T,
}

struct State<T> {
    made: Arc<Made<T>>,
    of: Stamp,
    /// Why the files as they are weren't taken, as far as that was told.
    told: Option<String>,
}

impl<T> Renewed<T> {
    pub(super) fn new(
        tls: &TlsConfig,
        make: impl Fn(Files) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let of = Stamp::of(tls);
        let made = Made {
            generation: 0,
            value: make(Files::read(tls)?)?,
        };
        Ok(Self {
            tls: tls.clone(),
            make: Box::new(make),
            generation: AtomicU64::new(0),
            state: Mutex::new(State {
                made: Arc::new(made),
                of,
                told: None,
            }),
        })
    }

    /// What is made of the files as they are; where they can't be used (written in part, or a certificate
    /// whose key is still to come), of the last that could. It looks at the files, and so may block.
    pub(super) fn look(&self) -> Arc<Made<T>> {
        let mut state = lock(&self.state);
        // Before they are read: what changes meanwhile shows the next time.
        let now = Stamp::of(&self.tls);
        if now == state.of {
            return Arc::clone(&state.made);
        }
        match Files::read(&self.tls).and_then(&self.make) {
            Ok(value) => {
                let generation = state.made.generation + 1;
                state.made = Arc::new(Made { generation, value });
                state.of = now;
                state.told = None;
                self.generation.store(generation, Ordering::Release);
                tracing::info!("the certificates for TLS were renewed");
            }
            Err(error) => {
                let why = error.to_string();
                if state.told.as_ref() != Some(&why) {
                    tracing::warn!(%error, advice = error.advice(), "renewed certificates can't be used: the last good ones stay");
                    state.told = Some(why);
                }
            }
        }
        Arc::clone(&state.made)
    }

    /// The latest generation that anybody has seen.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// Which files these are, without a look into them. Links are followed, since a renewal may be a link that
/// leads elsewhere.
#[derive(PartialEq, Eq)]
struct Stamp([Option<File>; 3]);

#[derive(PartialEq, Eq)]
struct File {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    /// The mode with it, and an overwrite that keeps the time of the other.
    changed: (i64, i64),
}

impl Stamp {
    fn of(tls: &TlsConfig) -> Self {
        Self([tls.ca(), tls.cert(), tls.key()].map(|path| path.and_then(File::at)))
    }
}

impl File {
    fn at(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            place: (found.dev(), found.ino()),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use rcgen::{CertificateParams, KeyPair};
    use tracing::{Level, Metadata, span, subscriber};

    use super::*;

    /// A pair that signs for itself, in a directory of Docker's names.
    fn write(directory: &Path) {
        use std::os::unix::fs::PermissionsExt;

        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(Vec::new()).expect("parameters");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        for (name, text) in [
            ("ca.pem", &pem),
            ("cert.pem", &pem),
            ("key.pem", &key.serialize_pem()),
        ] {
            let path = directory.join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
        }
    }

    /// Counts warnings.
    #[derive(Clone, Default)]
    struct Warnings(Arc<AtomicUsize>);

    impl tracing::Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn files_are_read_again_only_once_they_have_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        write(directory.path());
        let made = AtomicUsize::new(0);
        let make = move |_| Ok(made.fetch_add(1, Ordering::SeqCst));
        let tls = TlsConfig::from_dir(directory.path());
        let renewed = Renewed::new(&tls, make).expect("sound files");
        for _ in 0..3 {
            assert_eq!((renewed.look().value, renewed.generation()), (0, 0));
        }
        write(directory.path());
        for _ in 0..3 {
            assert_eq!((renewed.look().value, renewed.generation()), (1, 1));
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_once_and_tried_again() {
        let directory = tempfile::tempdir().expect("a directory");
        write(directory.path());
        let tls = TlsConfig::from_dir(directory.path());
        let renewed = Renewed::new(&tls, |_| Ok(())).expect("sound files");
        let warnings = Warnings::default();
        subscriber::with_default(warnings.clone(), || {
            for (name, told) in [("cert.pem", 1), ("ca.pem", 2), ("key.pem", 3)] {
                write(directory.path());
                assert_eq!(renewed.look().generation, told as u64);
                fs::write(directory.path().join(name), "").expect("a file");
                for _ in 0..3 {
                    assert_eq!(renewed.look().generation, told as u64);
                }
                assert_eq!(warnings.0.load(Ordering::SeqCst), told);
            }
        });
    }
}
