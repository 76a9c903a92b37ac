//! Durations as people read and write them: `500ms`, `10s`, `2m`, `1h30m`.

use std::time::Duration;

/// Shorter durations are shown in milliseconds.
const SHORT: Duration = Duration::from_millis(100);

/// The shortest duration that [`read`] returns.
const SHORTEST: Duration = Duration::from_nanos(1);

/// The longest one, which no clock reaches; it is exact as a float.
const LONGEST: Duration = Duration::from_secs(1 << 63);

/// The units, with their lengths in seconds.
const UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// A duration in the notation that [`read`] takes, to the millisecond.
///
/// ```
/// use std::time::Duration;
///
/// use bgpy::duration::shown;
///
/// assert_eq!(shown(Duration::from_millis(50)), "50ms");
/// assert_eq!(shown(Duration::from_millis(1500)), "1.5s");
/// assert_eq!(shown(Duration::from_secs(5400)), "1h30m");
/// ```
pub fn shown(duration: Duration) -> String {
    if duration < SHORT {
        return format!("{}ms", rounded(duration.as_secs_f64() * 1000.0));
    }
    let whole = duration.as_secs();
    if whole >= 1 << 53 {
        return format!("{whole}s");
    }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let seconds = rounded(duration.as_secs_f64() - (whole / 60 * 60) as f64);
    let mut text = String::new();
    for (amount, unit) in [(hours, "h"), (minutes, "m")] {
        if amount > 0 {
            text += &format!("{amount}{unit}");
        }
    }
    if seconds > 0.0 || text.is_empty() {
        text += &format!("{seconds}s");
    }
    text
}

/// How long ago something was, in its largest unit.
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..120 => format!("{seconds}s"),
        seconds @ ..7200 => format!("{}m", seconds / 60),
        seconds @ ..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Three digits after the point are enough for people.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// A time limit above 0: a number of seconds, or numbers with units, the largest first.
///
/// # Errors
/// A text that says which forms are valid.
pub fn read(text: &str) -> Result<Duration, String> {
    seconds_in(text)
        .filter(|seconds| *seconds > 0.0)
        // Values beyond the resolution or range of a clock are clamped.
        .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).max(SHORTEST))
        .ok_or_else(|| {
            "use a duration above 0 such as 500ms, 10s, 2m, 1h or 1h30m, or a number of seconds"
                .to_owned()
        })
}

fn seconds_in(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let scale = match &text[number.len()..] {
        "" => 1.0,
        unit => scale_of(unit)?,
    };
    let finite = |number: f64| number.is_finite() && number >= 0.0;
    if let Some(number) = number.parse().ok().filter(|number| finite(*number)) {
        return Some(number * scale);
    }
    // Several units, without exponents.
    let (mut sum, mut last, mut rest) = (0.0, f64::INFINITY, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let scale = scale_of(unit).filter(|scale| *scale < last)?;
        sum += number.parse::<f64>().ok()? * scale;
        (last, rest) = (scale, after);
    }
    Some(sum)
}

fn scale_of(unit: &str) -> Option<f64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read() {
        for (ms, text) in [
            (1, "1ms"),
            (50, "50ms"),
            (100, "0.1s"),
            (500, "0.5s"),
            (1500, "1.5s"),
            (10_000, "10s"),
            (59_999, "59.999s"),
            (60_000, "1m"),
            (90_500, "1m30.5s"),
            (7_200_000, "2h"),
            (5_400_000, "1h30m"),
            (3_601_000, "1h1s"),
            (172_800_000, "48h"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!(shown(duration), text);
            assert_eq!(read(text), Ok(duration), "{text}");
        }
        assert_eq!(shown(Duration::ZERO), "0ms");
        assert_eq!(shown(Duration::from_micros(250)), "0.25ms");
        assert_eq!(shown(LONGEST), "9223372036854775808s");
        assert_eq!(shown(Duration::MAX), "18446744073709551615s");
    }

    #[test]
    fn time_limits_have_units() {
        for (text, ms) in
            [("2", 2000), ("0.5", 500), ("10s", 10_000), ("1.5m", 90_000), ("500ms", 500)]
        {
            assert_eq!(read(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(read("1d"), Ok(Duration::from_secs(86_400)));
        for long in ["99999999999999999999", "1e19", "1e308", "1e308h", "1e30ms"] {
            let read = read(long).unwrap();
            assert!(read > Duration::from_secs(1 << 62), "{long}");
            assert!(Duration::try_from_secs_f64(read.as_secs_f64()).is_ok(), "{long}");
        }
        assert_eq!(read("1e-30"), Ok(SHORTEST));
        for wrong in [
            "", "0", "-1", "s", "10 s", "10x", "inf", "nan", "1e999", "2ss", "-1e30", "0s", "0m0s",
            "30s1m", "1m1m", "1m30", "1h-1m", "1..5s2ms",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in
            [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
