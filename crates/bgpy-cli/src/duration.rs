//! Parses durations, as in `10s`.

use std::time::Duration;

/// The shortest time limit.
const SHORTEST: Duration = Duration::from_nanos(1);

/// The longest time limit, which no clock reaches; it is exact as a float.
const LONGEST: Duration = Duration::from_secs(1 << 63);

/// Parses a time limit above 0: a number of seconds, or of the unit that follows it.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let scale = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let number = number.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number
        .zip(scale)
        .map(|(number, scale)| number * scale)
        // Values beyond the resolution or range of a clock are clamped.
        .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).max(SHORTEST))
        .ok_or_else(|| {
            "use a number of seconds above 0, or a duration such as 500ms, 10s, 2m or 1h".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_have_units() {
        for (text, ms) in [("2", 2000), ("0.5", 500), ("10s", 10_000), ("1.5m", 90_000)] {
            assert_eq!(seconds(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(seconds("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("1h"), Ok(Duration::from_secs(3600)));
        for long in ["99999999999999999999", "1e19", "1e308", "1e308h", "1e30ms"] {
            let seconds = seconds(long).unwrap();
            assert!(seconds > Duration::from_secs(1 << 62), "{long}");
            assert!(Duration::try_from_secs_f64(seconds.as_secs_f64()).is_ok(), "{long}");
        }
        assert_eq!(seconds("1e-30"), Ok(SHORTEST));
        for wrong in ["", "0", "-1", "s", "10 s", "10x", "inf", "nan", "1e999", "2ss", "-1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
