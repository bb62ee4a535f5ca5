//! The conformance suite: what [`ContainerBackend`](crate::ContainerBackend) promises, as checks that run on any
//! implementation and any engine. Behind the feature `testing`.
//!
//! A check is an async function over a backend and an image; it panics where a promise isn't kept, with what
//! was expected. The image must be on the engine, and have busybox's `sh` and tools in `/bin`. Containers, networks and
//! volumes bear the label [`LABEL`] and unique names, and go however a check ends; imported images go too. An engine that
//! can't make a bridge network, as one without `iptables`, fails the checks of networks, which say so.
//!
//! [`conformance_tests!`](crate::conformance_tests) makes a test of each check; [`run_all`] runs them one after another,
//! [`report`] tells the outcome of each, and [`CHECKS`] lists them with the operations that each is about.
//!
//! An engine that is known to differ from a promise passes the check as [`DIFFERENCES`] says, and only so:
//! [`Outcome::difference`] tells it with the reason.
//!
//! ```no_run
//! use catamaran::{AsyncEngine, Config, conformance};
//! use catamaran::model::ImageRef;
//!
//! # async fn example() -> catamaran::Result<()> {
//! let backend = AsyncEngine::new(&Config::from_env()?)?;
//! conformance::run_all(&backend, &ImageRef::new("busybox")?).await;
//! # Ok(())
//! # }
//! ```

mod attach;
mod check;
mod differences;
mod events;
mod exec;
mod files;
mod follow;
mod images;
mod life;
mod limits;
mod logs;
mod memory;
mod names;
mod networks;
mod objects;
mod prune;
mod pulls;
mod refusals;
mod scratch;
mod sessions;
mod signals;
mod strict;
mod system;
mod timeouts;
mod usage;
mod volumes;
mod workspace;

pub use check::{Check, Outcome, check, report, run_all};
pub use differences::{DIFFERENCES, Difference, MEASURED};
pub use scratch::{LABEL, in_run, unique_name, with_container};

/// The one list of checks, with what each is about: handed to a macro, after the arguments given here.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_checks {
    ($($callback:tt)+) => { $($callback)+! {
        system::ping_names_the_api [Ping],
        system::version_names_the_engine [Version, Ping],
        system::info_counts_what_runs [Info, Version],
        system::deadline_that_passed_sends_nothing [List],
        system::wait_ends_at_the_callers_deadline [Wait],
        system::disk_usage_counts_what_is_there [DiskUsage],
        events::events_tell_a_containers_life [Events],
        events::events_are_told_by_filter [Events],
        events::past_events_have_an_end [Events],
        events::watch_tells_a_containers_life [Events],
        life::create_start_and_remove [Create, Start, Inspect, Remove],
        life::name_and_id_reach_the_same [Inspect],
        life::program_gets_what_was_asked [Create, Inspect, Logs],
        life::second_start_is_no_error [Start],
        life::missing_program_fails_the_start [Start],
        life::missing_image_makes_no_container [Create],
        life::stop_twice [Stop],
        life::stop_kills_what_will_not_end [Stop],
        life::restart_gives_a_new_process [Restart],
        life::health_is_told [Create, Inspect],
        life::remove_needs_force_for_what_runs [Remove],
        prune::prune_takes_what_does_not_run_by_label [PruneContainers],
        prune::prune_takes_what_is_old [PruneContainers],
        signals::kill_ends_it [Kill, Wait],
        signals::signal_reaches_the_program [Kill, Logs],
        signals::kill_a_dead_one_conflicts [Kill],
        signals::pause_and_unpause [Pause, Unpause, Inspect],
        signals::pauses_have_their_order [Pause, Unpause, Start, Exec],
        signals::wait_gives_the_exit_code [Wait, Inspect],
        signals::wait_for_the_next_exit [Wait],
        signals::wait_for_the_removal [Wait, Remove],
        signals::dropped_calls_end_only_themselves [Wait, Logs],
        names::names_conflict [Create],
        names::rename [Rename],
        names::rename_to_a_taken_name_conflicts [Rename],
        names::labels_and_filters [List],
        names::list_takes_names_exactly [List],
        exec::exec_exit_code_and_streams [Exec],
        exec::exec_gets_what_was_asked [Exec],
        exec::exec_output_is_exact [Exec],
        exec::exec_output_is_bounded [Exec],
        exec::execs_at_once_keep_apart [Exec],
        exec::exec_of_a_missing_program [Exec],
        exec::exec_needs_a_running_container [Exec],
        sessions::exec_stdin_is_exact [Exec],
        sessions::exec_in_a_terminal [Exec],
        sessions::session_talks [StartExec, InspectExec],
        sessions::session_echoes_exactly [StartExec],
        sessions::dropped_sessions_go_on [StartExec, InspectExec],
        sessions::session_is_resized [StartExec, ResizeExec],
        sessions::absent_exec_is_not_found [InspectExec, ResizeExec],
        timeouts::exec_timeout_ends_it_all [Exec],
        timeouts::exec_in_time_is_as_ever [Exec],
        timeouts::exec_timeout_that_ends_nothing [Exec],
        timeouts::sessions_are_ended [StartExec, InspectExec],
        attach::attached_program_reads_to_the_end [Attach],
        attach::attachments_come_and_go [Attach],
        attach::attached_terminal_is_resized [Attach, Resize],
        attach::attachment_takes_streams_apart [Attach],
        logs::logs_once [Logs],
        logs::logs_of_what_never_ran [Logs],
        logs::logs_are_exact [Logs],
        logs::logs_by_line_and_time [Logs],
        logs::logs_followed [Logs],
        logs::followed_log_outlives_the_timeout [Logs],
        logs::tty_logs_are_raw [Logs],
        follow::followed_to_the_end [Logs],
        follow::followed_from_its_tail [Logs],
        follow::followed_with_timestamps [Logs],
        follow::followed_over_its_runs [Logs],
        follow::followed_terminal [Logs],
        follow::following_nobody_fails [Logs],
        limits::limits_are_in_force [Create, Inspect],
        limits::memory_limit_holds [Create, Wait],
        limits::process_limit_holds [Create, Wait],
        limits::hardening_is_in_force [Create, Inspect],
        limits::loosening_is_by_name [Create],
        limits::mounted_memory_is_bounded [Create],
        limits::update [Update, Inspect],
        limits::update_of_what_is_fixed [Update],
        strict::strict_takes_what_is_as_asked [Create, Inspect],
        strict::strict_knows_networks [Create],
        strict::warnings_are_told [Create],
        usage::stats_once [Stats],
        usage::stats_stream_shows_the_load [StatsStream],
        usage::stats_end_with_their_container [StatsStream, Stats],
        exec::top_shows_the_processes [Top],
        exec::changes_are_told [Changes],
        files::files_are_told_of [StatPath],
        files::archives_go_in_and_out [PutArchive, GetArchive],
        files::absent_paths_are_not_found [PutArchive, GetArchive, StatPath],
        files::large_archives_come_as_they_are_read [PutArchive, GetArchive],
        files::escapes_are_refused_before_they_are_sent [PutArchive],
        files::limits_of_archives_hold [PutArchive, GetArchive],
        files::trees_come_back_as_they_went [PutArchive, GetArchive],
        files::the_root_comes_out [GetArchive],
        files::one_file_is_written_and_read [PutArchive, GetArchive],
        memory::memory_takes_files_unnoticed [PutArchive, GetArchive, StatPath],
        memory::links_into_memory_are_followed [PutArchive, GetArchive],
        memory::volumes_take_files_on_a_read_only_root [PutArchive],
        memory::read_only_roots_stay_as_they_are [PutArchive],
        memory::memory_needs_a_running_container [PutArchive],
        memory::files_belong_to_the_containers_user [PutArchive],
        images::image_exists [ImageExists],
        images::image_import_list_remove [ImportImage, ListImages, ImageExists, RemoveImage],
        images::broken_archive_makes_no_image [ImportImage],
        images::import_needs_a_name [ImportImage],
        images::image_inspect [InspectImage],
        images::image_tag [TagImage],
        images::digits_of_an_id_are_a_name [InspectImage, TagImage, RemoveImage, Create],
        images::prune_images_by_label [PruneImages],
        pulls::pull_from_nowhere_fails [PullImage],
        pulls::pull_needs_a_name [PullImage],
        pulls::ensure_image_by_policy [InspectImage, PullImage],
        images::remove_of_a_missing_image [RemoveImage],
        images::image_in_use_conflicts [RemoveImage],
        networks::network_from_creation_to_removal
            [CreateNetwork, InspectNetwork, ListNetworks, RemoveNetwork],
        networks::network_gets_what_was_asked [CreateNetwork, InspectNetwork],
        networks::networks_join_containers [ConnectNetwork, DisconnectNetwork],
        networks::address_and_aliases_are_the_containers [ConnectNetwork, InspectNetwork],
        networks::network_names_conflict [CreateNetwork],
        networks::network_in_use_stays [RemoveNetwork, PruneNetworks],
        networks::prune_takes_the_unused_by_label [PruneNetworks],
        networks::absent_network_is_not_found
            [InspectNetwork, ConnectNetwork, DisconnectNetwork, RemoveNetwork],
        volumes::volume_from_creation_to_removal
            [CreateVolume, InspectVolume, ListVolumes, RemoveVolume],
        volumes::volume_without_a_name_gets_one [CreateVolume],
        volumes::volume_that_exists_stays_as_it_is [CreateVolume],
        volumes::volume_keeps_what_was_written [CreateVolume],
        volumes::volume_in_use_stays [RemoveVolume, ListVolumes],
        volumes::prune_takes_unused_volumes_by_label [PruneVolumes],
        volumes::prune_spares_volumes_with_a_name [PruneVolumes],
        volumes::absent_volume_is_not_found [InspectVolume, RemoveVolume],
        refusals::absent_container_is_not_found
            [Start, Stop, Restart, Kill, Pause, Unpause, Rename, Update, Inspect, Wait, Logs, Stats, StatsStream, Top,
             Changes, PutArchive, GetArchive, StatPath, Exec, StartExec, Attach, Resize, Remove],
        refusals::bad_specs_are_refused_by_field [Create],
        refusals::bad_options_are_refused_by_field [Exec, StartExec, Attach, Events, Logs, Update],
        refusals::bad_networks_and_volumes_are_refused_by_field [CreateNetwork, ConnectNetwork, CreateVolume],
    } };
}

macro_rules! list {
    ($($module:ident::$name:ident [$($operation:ident),+],)+) => {
        $(pub use $module::$name;)+

        /// Every check.
        pub static CHECKS: &[Check] = &[$(Check::new(
            stringify!($name),
            &[$(crate::Operation::$operation),+],
            |backend, image| Box::pin($module::$name(backend, image)),
        )),+];
    };
}
__conformance_checks!(list);

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ($($module:ident::$name:ident [$($operation:ident),+],)+) => {
        $(#[test]
        fn $name() {
            run($crate::conformance::check(stringify!($name)));
        })+
    };
}

/// Makes a module of that name with a test for each check, `my_backend::second_start_is_no_error` and so
/// on. The second argument runs one: a function of a [`Check`].
///
/// ```no_run
/// use catamaran::{AsyncEngine, Config, conformance::Check, model::ImageRef};
///
/// fn on_my_backend(check: &'static Check) {
///     let runtime = tokio::runtime::Runtime::new().expect("a runtime");
///     let backend = AsyncEngine::new(&Config::from_env().expect("a config")).expect("an engine");
///     let image = ImageRef::new("busybox").expect("a reference");
///     runtime.block_on(check.run(&backend, &image));
/// }
///
/// catamaran::conformance_tests!(my_backend, on_my_backend);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($backend:ident, $run:expr) => {
        mod $backend {
            #[allow(unused_imports)]
            use super::*;

            fn run(check: &'static $crate::conformance::Check) {
                ($run)(check);
            }

            $crate::__conformance_checks!($crate::__conformance_test);
        }
    };
}
