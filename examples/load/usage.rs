//! What this process takes of its machine, as Linux tells it.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const STATUS: &str = "/proc/self/status";
/// How often the threads are counted.
const EVERY: Duration = Duration::from_millis(10);

/// The most that there was of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Without the one that counts.
    pub threads_peak: u64,
    pub rss_peak_bytes: u64,
}

/// A thread that counts the others, whatever the event loop does.
pub struct Watch {
    end: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl Watch {
    pub fn start() -> io::Result<Self> {
        let (end, most) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ended, peak) = (Arc::clone(&end), Arc::clone(&most));
        let watching = thread::Builder::new()
            .name("usage".to_owned())
            .spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let threads = fs::read_to_string(STATUS)
                        .ok()
                        .and_then(|text| field(&text, "Threads"));
                    peak.fetch_max(threads.unwrap_or(0), Ordering::Relaxed);
                    thread::sleep(EVERY);
                }
            })?;
        Ok(Self {
            end,
            most,
            watching,
        })
    }

    pub fn finish(self) -> Usage {
        self.end.store(true, Ordering::Relaxed);
        // It doesn't panic; if it did, what it has counted still counts.
        let _ = self.watching.join();
        let text = fs::read_to_string(STATUS).unwrap_or_default();
        Usage {
            threads_peak: self.most.load(Ordering::Relaxed).saturating_sub(1),
            rss_peak_bytes: field(&text, "VmHWM").unwrap_or(0) * 1024,
        }
    }
}

/// A number out of a status file; those of memory are in kB.
fn field(status: &str, name: &str) -> Option<u64> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| *field == name)?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let status = "Name:\tload\nVmPeak:\t  999 kB\nVmHWM:\t   12345 kB\nThreads:\t7\n";
        assert_eq!(field(status, "Threads"), Some(7));
        assert_eq!(field(status, "VmHWM"), Some(12345));
        assert_eq!(field(status, "Hreads"), None);
        assert_eq!(field("Threads:\tmany\n", "Threads"), None);
    }

    #[test]
    fn threads_are_counted_at_their_peak() {
        let watch = Watch::start().unwrap();
        let nap = || thread::spawn(|| thread::sleep(Duration::from_millis(200)));
        for napping in [nap(), nap(), nap()] {
            napping.join().unwrap();
        }
        let usage = watch.finish();
        // This test's own thread among them.
        assert!(usage.threads_peak >= 4, "{usage:?}");
        assert!(usage.rss_peak_bytes > 1 << 20, "{usage:?}");
    }
}
