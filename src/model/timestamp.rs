//! Time as engines write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The year 10000: what is later, or before 1970, can be neither written nor serialized.
const END: Duration = Duration::from_secs(253_402_300_800);

/// RFC 3339, with `Z` (Docker) or an offset (Podman); Go's zero time means "never" and is `None`, as
/// is anything that doesn't parse, and an offset that leads out of the years from 1970 to 9999.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    if text.starts_with("0001-01-01") {
        return None;
    }
    if text.ends_with('Z') {
        return humantime::parse_rfc3339(text).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60;
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let time = match offset.as_bytes().first()? {
        b'+' => local.checked_sub(Duration::from_secs(seconds)),
        b'-' => local.checked_add(Duration::from_secs(seconds)),
        _ => None,
    };
    time.filter(|time| {
        time.duration_since(UNIX_EPOCH)
            .is_ok_and(|since| since < END)
    })
}

/// Seconds since the epoch, as lists carry them; 0 and less mean "not known".
pub(crate) fn unix(seconds: i64) -> Option<SystemTime> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Seconds and nanoseconds since the epoch, as `since` and `until` take them.
pub(crate) fn format_unix(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_engines_write() {
        let noon = UNIX_EPOCH + Duration::from_secs(1_767_268_800);
        assert_eq!(parse_rfc3339("2026-01-01T12:00:00Z"), Some(noon));
        assert_eq!(parse_rfc3339("2026-01-01T14:00:00+02:00"), Some(noon));
        assert_eq!(parse_rfc3339("2026-01-01T06:30:00-05:30"), Some(noon));
        assert_eq!(
            parse_rfc3339("2026-01-01T12:00:00.123456789Z"),
            Some(noon + Duration::from_nanos(123_456_789))
        );
        for never in [
            "0001-01-01T00:00:00Z",
            "",
            "x",
            "é+02:00",
            "2026-01-01T12:00:00",
            "1970-01-01T00:59:59+01:00",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse_rfc3339(never), None, "{never}");
        }
        let first = parse_rfc3339("1970-01-01T01:00:00+01:00");
        assert_eq!(first, Some(UNIX_EPOCH));
        let last = parse_rfc3339("9999-12-31T23:58:59-00:01");
        assert_eq!(last, Some(UNIX_EPOCH + END - Duration::from_secs(1)));
        assert_eq!(unix(0), None);
        assert_eq!(unix(-5), None);
        assert_eq!(format_unix(noon), "1767268800.000000000");
    }
}
