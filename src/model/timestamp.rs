//! Time as engines write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// RFC 3339, with `Z` (Docker) or an offset (Podman); Go's zero time means "never" and is `None`, as
/// is anything that doesn't parse.
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
    match offset.as_bytes().first()? {
        b'+' => local.checked_sub(Duration::from_secs(seconds)),
        b'-' => local.checked_add(Duration::from_secs(seconds)),
        _ => None,
    }
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
        ] {
            assert_eq!(parse_rfc3339(never), None, "{never}");
        }
        assert_eq!(unix(0), None);
        assert_eq!(unix(-5), None);
        assert_eq!(format_unix(noon), "1767268800.000000000");
    }
}
