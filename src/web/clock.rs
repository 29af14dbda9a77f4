//! The time of day, as the server's rows have it.

use jiff::Timestamp;

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A moment as it is written in answers, as in `2026-11-25T10:00:00Z`.
pub fn written(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or_default()
        .to_string()
}

/// A moment as somebody wrote it: with a zone, or a plain date, which is its beginning in UTC.
pub fn read(text: &str) -> Option<i64> {
    let moment = text.parse::<Timestamp>().ok().or_else(|| {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(moment.as_millisecond())
}

/// Whether the server's list of time zones has this one.
pub fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_written() {
        let ms = read("2026-11-25T10:00:00.5Z").expect("a moment");
        assert_eq!(written(ms), "2026-11-25T10:00:00.5Z");
        assert_eq!(read("1970-01-02"), Some(86_400_000));
        assert_eq!(read("yesterday"), None);
        assert!(is_time_zone("Europe/Paris") && !is_time_zone("Europe/Atlantis"));
    }
}
