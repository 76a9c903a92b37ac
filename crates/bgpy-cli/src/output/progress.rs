//! How far a call has come: in words, and as a bar where there is room for one.

use bgpy::{Progress, escape};
use serde_json::{Value, json};

use super::fit::{columns, cut};

/// Columns of a bar at the least, and at the most.
const BAR_LEAST: usize = 10;
const BAR_MOST: usize = 40;

/// From here on, whole numbers are written with an exponent, too.
const LONG_NUMBER: f64 = 1e15;

/// What a float may be off after a division.
const ROUNDING: f64 = 1e-9;

/// What a task has told, such as `training 30 of 100 (30%)`, on one line; `None` if it has told nothing.
pub(crate) fn words(progress: &Progress) -> Option<String> {
    let amount = match (finite(progress.done), finite(progress.total), percent(progress)) {
        // A part of one is told by its percentage.
        (Some(_), Some(1.0), Some(percent)) => Some(percent),
        (Some(done), Some(total), Some(percent)) => {
            Some(format!("{} of {} ({percent})", number(done), number(total)))
        }
        (Some(done), _, _) => Some(number(done)),
        (None, _, _) => None,
    };
    let parts: Vec<_> = text(progress).into_iter().chain(amount).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The columns of the words with the longest bar.
pub(crate) fn columns_with_bar(progress: &Progress) -> usize {
    let words = words(progress).map_or(0, |words| columns(&words));
    words + if progress.fraction().is_some() { BAR_MOST + 1 } else { 0 }
}

/// The words in at most `width` columns: with a bar before them if it fits, else as many of them as fit, but
/// always with the percentage. Bars above each other are equally long if they leave as much for the words, `reserved`.
pub(crate) fn line(progress: &Progress, width: usize, reserved: usize) -> String {
    let Some(words) = words(progress) else { return String::new() };
    let needed = columns(&words);
    if needed > width {
        return brief(progress, width);
    }
    let room = width.saturating_sub(needed.max(reserved));
    match progress.fraction() {
        Some(fraction) if room > BAR_LEAST => {
            format!("{} {words}", bar(fraction, BAR_MOST.min(room - 1)))
        }
        _ => words,
    }
}

/// As JSON.
pub(crate) fn progress_json(progress: &Progress) -> Value {
    json!({ "done": progress.done, "total": progress.total, "text": progress.text })
}

fn brief(progress: &Progress, width: usize) -> String {
    let (text, percent) = (text(progress), percent(progress));
    match (text, percent) {
        (Some(text), Some(percent)) => match width.checked_sub(percent.len() + 1) {
            Some(room) if room > 1 => format!("{} {percent}", cut(&text, room)),
            _ => cut(&percent, width),
        },
        (None, Some(percent)) => cut(&percent, width),
        _ => cut(&words(progress).unwrap_or_default(), width),
    }
}

fn bar(fraction: f64, width: usize) -> String {
    let full = (fraction * width as f64 + ROUNDING) as usize;
    "\u{2588}".repeat(full.min(width)) + &"\u{2591}".repeat(width.saturating_sub(full))
}

/// Rounded down, so that only what is done is 100%.
fn percent(progress: &Progress) -> Option<String> {
    progress.fraction().map(|part| format!("{}%", (part * 100.0 + ROUNDING).floor()))
}

fn text(progress: &Progress) -> Option<String> {
    let text = progress.text.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
    Some(escape::line(text).into_owned())
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

/// With two decimals at most.
fn number(number: f64) -> String {
    if number.abs() >= LONG_NUMBER {
        return format!("{number:e}");
    }
    let rounded = (number * 100.0).round() / 100.0;
    // Zero has no sign.
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(done: Option<f64>, total: Option<f64>, text: Option<&str>) -> Progress {
        Progress::new(done, total, text)
    }

    #[test]
    fn words_say_what_is_known() {
        let training = Some("training");
        for (progress, expected) in [
            (told(Some(30.0), Some(100.0), training), Some("training 30 of 100 (30%)")),
            (told(Some(30.0), Some(100.0), None), Some("30 of 100 (30%)")),
            (told(Some(30.0), None, training), Some("training 30")),
            (told(None, Some(100.0), training), Some("training")),
            (told(None, None, training), Some("training")),
            (told(Some(0.29), Some(1.0), training), Some("training 29%")),
            (told(Some(1.0), Some(3.0), None), Some("1 of 3 (33%)")),
            (told(Some(999.0), Some(1000.0), None), Some("999 of 1000 (99%)")),
            (told(Some(1.25), Some(2.5), None), Some("1.25 of 2.5 (50%)")),
            (told(Some(5.0), Some(4.0), None), Some("5 of 4 (100%)")),
            (told(Some(1.0 / 3.0), None, None), Some("0.33")),
            (told(Some(-0.0001), None, None), Some("0")),
            (told(Some(2e20), None, None), Some("2e20")),
            (told(Some(f64::NAN), Some(4.0), training), Some("training")),
            (told(Some(3.0), Some(f64::INFINITY), None), Some("3")),
            (told(Some(3.0), Some(0.0), None), Some("3")),
            (told(None, Some(4.0), Some(" ")), None),
            (told(None, None, None), None),
            (told(None, None, Some("a\nb\x1b[2J")), Some("a\\nb\\x1b[2J")),
        ] {
            assert_eq!(words(&progress).as_deref(), expected, "{progress:?}");
        }
    }

    #[test]
    fn a_line_has_a_bar_where_there_is_room() {
        let progress = told(Some(30.0), Some(100.0), Some("training"));
        for (width, expected) in [
            (200, format!("{}{} training 30 of 100 (30%)", "█".repeat(12), "░".repeat(28))),
            (35, "███░░░░░░░ training 30 of 100 (30%)".to_owned()),
            (34, "training 30 of 100 (30%)".to_owned()),
            (24, "training 30 of 100 (30%)".to_owned()),
            (23, "training 30%".to_owned()),
            (11, "traini… 30%".to_owned()),
            (6, "t… 30%".to_owned()),
            (5, "30%".to_owned()),
            (2, "3…".to_owned()),
            (0, String::new()),
        ] {
            assert_eq!(line(&progress, width, 0), expected, "{width}");
        }
        assert_eq!(line(&progress, 40, 29), "███░░░░░░░ training 30 of 100 (30%)");
        assert_eq!(columns_with_bar(&progress), 65);
    }

    #[test]
    fn a_line_without_a_total_has_no_bar() {
        let progress = told(Some(30.0), None, Some("epoch 3, loss 0.21"));
        assert_eq!(line(&progress, 80, 0), "epoch 3, loss 0.21 30");
        assert_eq!(line(&progress, 12, 0), "epoch 3, lo…");
        assert_eq!(columns_with_bar(&progress), 21);
        assert_eq!(line(&told(None, None, None), 80, 0), "");
    }

    #[test]
    fn a_bar_is_full_when_all_is_done() {
        assert_eq!(bar(0.0, 10), "░░░░░░░░░░");
        assert_eq!(bar(0.3, 10), "███░░░░░░░");
        assert_eq!(bar(0.999, 10), "█████████░");
        assert_eq!(bar(1.0, 10), "██████████");
    }
}
