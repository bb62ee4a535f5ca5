//! Where engines themselves differ from what the suite looks for.

use crate::backend::ContainerBackend;
use crate::model::{EngineProduct, EngineVersion};

/// A difference of an engine itself, which no client can make good: a check of the suite fails there with these words. It
/// is told with its reason, and isn't a failure. A check that fails otherwise is one; so is one that passes, on a version
/// that was looked at ([`MEASURED`]) and where it always failed, so that the table stays true.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The check's name.
    pub check: &'static str,
    /// Whose engines differ.
    pub product: EngineProduct,
    /// The first version that does, major and minor; `None` for all older ones.
    pub since: Option<(u32, u32)>,
    /// The first version that no longer does; `None` for all newer ones.
    pub until: Option<(u32, u32)>,
    /// Whether it shows in every run on the versions that were looked at; what rests on how the engine is set up, or on
    /// which of two is first, may not.
    pub always: bool,
    /// What the check says there: a part of its words.
    pub shows: &'static str,
    /// Why: what the engine does.
    pub reason: &'static str,
}

const fn podman(check: &'static str, shows: &'static str, reason: &'static str) -> Difference {
    of(EngineProduct::Podman, check, shows, reason)
}

const fn docker(check: &'static str, shows: &'static str, reason: &'static str) -> Difference {
    of(EngineProduct::Docker, check, shows, reason)
}

const fn of(
    product: EngineProduct,
    check: &'static str,
    shows: &'static str,
    reason: &'static str,
) -> Difference {
    Difference {
        check,
        product,
        since: None,
        until: None,
        always: true,
        shows,
        reason,
    }
}

impl Difference {
    const fn since(mut self, major: u32, minor: u32) -> Self {
        self.since = Some((major, minor));
        self
    }

    const fn until(mut self, major: u32, minor: u32) -> Self {
        self.until = Some((major, minor));
        self
    }

    const fn sometimes(mut self) -> Self {
        self.always = false;
        self
    }
}

/// The versions of Podman, major and minor, on which the differences were seen or looked for. On others an entry may show
/// or not.
pub const MEASURED: &[(u32, u32)] = &[(4, 3), (5, 4)];

/// Every difference that is known.
pub static DIFFERENCES: &[Difference] = &[
    docker(
        "memory_limit_holds",
        "it is said to have ended for want of memory",
        "the kernel's word of it may come after the container's end, and is lost then (seen once on 20.10 under load, on cgroup \
         version 1)",
    )
    .sometimes(),
    podman(
        "events_are_told_by_filter",
        "its life in order: [",
        "events kept in a file are read only until the time has come up to which they are asked for, however many \
         of them were read by then",
    )
    .sometimes(),
    podman(
        "health_is_told",
        "the health check's verdict changes",
        "health checks are run by systemd's timers: without systemd they never run",
    )
    .sometimes(),
    podman(
        "attached_program_reads_to_the_end",
        "is read and answered within",
        "conmon writes a program's input and reads its output in turn: a program that answers more than a pipe holds \
         before it has read its input comes to a stop",
    )
    .sometimes(),
    podman(
        "attachments_come_and_go",
        "\"<four>\" is said before the log ends",
        "an attachment that ends may end the program's input, though that is to outlive it",
    )
    .sometimes(),
    podman(
        "attachments_come_and_go",
        "the output isn't framed",
        "words of Podman's own come unframed in the output of an attachment that ends",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "exec_stdin_is_exact",
        "head -c 5; exit 3",
        "the output of a command that ends before it has read its input may be lost",
    )
    .sometimes(),
    podman(
        "followed_over_its_runs",
        r#"right: "run\nno endrun"#,
        "a container that is about to be run again looks as if it had ended",
    )
    .sometimes(),
    podman(
        "attachments_come_and_go",
        "BrokenPipe",
        "an attachment may be ended by one that ended before",
    )
    .sometimes(),
    podman(
        "absent_paths_are_not_found",
        "put archive into /absent",
        "an archive put into a directory that isn't there makes it",
    ),
    podman(
        "network_gets_what_was_asked",
        "ip_range: None",
        "a network's range of addresses isn't told as Docker tells it",
    ),
    podman(
        "network_in_use_stays",
        "it is used: ()",
        "a network is removed though a running container is on it",
    ),
    podman(
        "absent_network_is_not_found",
        "invalid network mode",
        "a container without networks is refused as such before the network is looked for",
    ),
    podman(
        "volume_from_creation_to_removal",
        "a list by that something has it",
        "a list shows volumes that one of several conditions is true of, and doesn't say whether a container has one",
    ),
    podman(
        "update",
        "both updates hold",
        "an update of the CPUs by Docker's NanoCpus answers 200 and changes nothing",
    )
    .since(4, 4),
    podman(
        "update",
        "kind: NotFound",
        "Docker's call to update a container isn't there",
    )
    .until(5, 4),
    podman(
        "memory_limit_holds",
        "it is said to have ended for want of memory",
        "an end for want of memory isn't told on cgroup version 1",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "disk_usage_counts_what_is_there",
        "SpaceUsage",
        "an imported image's size is told as 0",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "disk_usage_counts_what_is_there",
        "no such container",
        "disk usage fails where a container goes while it is computed",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "prune_images_by_label",
        "filter more than once with different values",
        "a prune of all unused images by their label is refused",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "logs_followed",
        "afterwards",
        "a followed log may end before what its container wrote last",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "prune_images_by_label",
        "locating item named \\\"manifest\\\"",
        "a prune of images fails where one is being made",
    )
    .until(5, 4)
    .sometimes(),
    podman(
        "address_and_aliases_are_the_containers",
        "left: Some(\"catamaran-conformance",
        "a container's network is told by name where its id belongs",
    )
    .until(5, 4),
    podman(
        "memory_takes_files_unnoticed",
        "read unixpacket",
        "the input of a command may be cut off as it begins",
    )
    .until(5, 4)
    .sometimes(),
];

impl Difference {
    /// Whether this engine may be one that differs so. A version that can't be read is taken for the newest. A fake
    /// engine is none: whosever answers it gives, it keeps the promises.
    #[must_use]
    pub fn is_of(&self, engine: &EngineVersion) -> bool {
        if engine.version.ends_with("-fake") {
            return false;
        }
        let version = major_and_minor(&engine.version);
        self.product == engine.product
            && self.since.is_none_or(|since| since <= version)
            && self.until.is_none_or(|until| version < until)
    }
}

fn major_and_minor(version: &str) -> (u32, u32) {
    let mut parts = version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        (Some(Ok(major)), _) => (major, 0),
        _ => (u32::MAX, 0),
    }
}

/// How an engine is known to differ in a check.
#[derive(Default)]
pub(super) struct Known {
    differences: Vec<&'static Difference>,
    /// Whether they were looked for on its version.
    measured: bool,
}

impl Known {
    /// How the engine behind this backend is known to differ. One that doesn't say who it is has no known differences.
    pub(super) async fn of(check: &str, backend: &dyn ContainerBackend) -> Self {
        let differences = DIFFERENCES.iter().filter(|known| known.check == check);
        let mut differences: Vec<_> = differences.collect();
        if differences.is_empty() {
            return Self::default();
        }
        let Ok(engine) = backend.version().await else {
            return Self::default();
        };
        differences.retain(|known| known.is_of(&engine));
        Self {
            differences,
            measured: MEASURED.contains(&major_and_minor(&engine.version)),
        }
    }

    /// The failure of the check there, or the difference that it shows.
    pub(super) fn judge(
        &self,
        failure: Option<String>,
    ) -> (Option<String>, Option<&'static Difference>) {
        let mut differences = self.differences.iter();
        match failure {
            Some(failure) => match differences.find(|known| failure.contains(known.shows)) {
                Some(difference) => (None, Some(difference)),
                None => (Some(failure), None),
            },
            None => {
                let gone = differences.find(|known| known.always && self.measured);
                let gone = gone.map(|known| {
                    format!(
                        "the check passes, though this engine is known to differ ({}): conformance::DIFFERENCES isn't \
                         true of it",
                        known.reason
                    )
                });
                (gone, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::CHECKS;

    fn engine(product: EngineProduct, version: &str) -> EngineVersion {
        EngineVersion {
            product,
            version: version.to_owned(),
            api_version: None,
            min_api_version: None,
            os: String::new(),
            arch: String::new(),
            kernel: None,
        }
    }

    #[test]
    fn every_difference_is_of_a_check_and_has_its_words() {
        for difference in DIFFERENCES {
            assert!(
                CHECKS.iter().any(|check| check.name() == difference.check),
                "{difference:?}"
            );
            assert!(!difference.shows.is_empty() && !difference.reason.is_empty());
        }
    }

    #[test]
    fn a_known_failure_is_a_difference_and_a_pass_is_none() {
        static OFTEN: Difference = podman("stop_twice", "the words", "a reason");
        static SOMETIMES: Difference = podman("stop_twice", "other words", "a reason").sometimes();
        let failed = |text: &str| Some(format!("before {text} after"));
        let known = |differences: &[&'static Difference], measured| Known {
            differences: differences.to_vec(),
            measured,
        };
        for measured in [false, true] {
            let both = known(&[&SOMETIMES, &OFTEN], measured);
            assert_eq!(both.judge(failed("the words")), (None, Some(&OFTEN)));
            assert_eq!(both.judge(failed("other words")), (None, Some(&SOMETIMES)));
            assert_eq!(both.judge(failed("else")), (failed("else"), None));
            let none = known(&[], measured).judge(failed("the words"));
            assert_eq!(none, (failed("the words"), None));
            let (failure, difference) = both.judge(None);
            assert_eq!(
                failure.is_some_and(|failure| failure.contains("a reason")),
                measured
            );
            assert_eq!(difference, None);
            assert_eq!(known(&[&SOMETIMES], measured).judge(None), (None, None));
        }
    }

    #[test]
    fn versions_have_their_range() {
        let mut difference = podman("stop_twice", "words", "reason");
        assert!(difference.is_of(&engine(EngineProduct::Podman, "4.3.1")));
        assert!(!difference.is_of(&engine(EngineProduct::Docker, "4.3.1")));
        difference.since = Some((4, 4));
        difference.until = Some((5, 10));
        for (version, differs) in [
            ("4.3.1", false),
            ("4.4.0-rc1", true),
            ("5", true),
            ("5.9.2+dfsg1", true),
            ("5.10.0", false),
            ("dev", false),
        ] {
            let engine = engine(EngineProduct::Podman, version);
            assert_eq!(difference.is_of(&engine), differs, "{version}");
        }
    }
}
