//! Figures as text, with no more digits than their interval supports. For English output; the UI follows the locale.

use crate::stats::Interval;

/// Most significant digits in a table.
pub const TABLE_DIGITS: u32 = 4;
/// Most significant digits in a sentence that someone reads aloud.
pub const PROSE_DIGITS: u32 = 3;
/// Most significant digits of a percentage in a sentence.
pub const PERCENT_DIGITS: u32 = 2;

/// The figure with no more digits than its interval supports, and no more significant ones than `most`.
///
/// The last digit shown has the place of the first significant digit of the interval's half width: 1.8123 within
/// 1.71–1.92 (half width 0.105) is `1.8`, within 1.80–1.82 (half width 0.01) it is `1.81`. At least one significant
/// digit of the figure is always shown. Without an interval, or with one of no width, `most` alone decides. Places that
/// are not significant are zeros: `1234` with two digits is `1200`.
#[must_use]
pub fn significant(value: f64, interval: Option<Interval>, most: u32) -> String {
    rounded(value, place(value, interval, most))
}

/// The figure and both ends of its interval, all to the place that [`significant`] would show.
#[must_use]
pub fn with_interval(value: f64, interval: Interval, most: u32) -> [String; 3] {
    let place = place(value, Some(interval), most);
    [value, interval.low, interval.high].map(|x| rounded(x, place))
}

/// A size in decimal units with three significant digits, such as `92.1 MB`.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (mut value, mut unit) = (bytes, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // 999.5 and more would be shown as 1000.
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{} {unit}", significant(value, None, 3)) }
}

/// A number of threads in words.
#[must_use]
pub fn threads(n: u32) -> String {
    if n == 1 { "1 thread".to_owned() } else { format!("{n} threads") }
}

/// Bytes of a size as people write it, such as `2GB`, `1.5 GiB` or `1500000000`.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = (number.parse::<f64>().ok()? * factor).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1e18")]
    (0.0..1e18).contains(&bytes).then_some(bytes as u64)
}

/// Power of ten of the last place shown.
fn place(value: f64, interval: Option<Interval>, most: u32) -> i32 {
    let cap = |first: i32| first + 1 - i32::try_from(most.clamp(1, 15)).unwrap_or(15);
    let Some(first) = magnitude(value) else { return 0 };
    // 99.96 rounds to 100: the first digit moves up, and with it the last.
    let scale = 10f64.powi(cap(first));
    let first = magnitude((value / scale).round() * scale).unwrap_or(first);
    let least = cap(first);
    let supported = interval.and_then(|interval| magnitude((interval.high - interval.low) / 2.0)).unwrap_or(least);
    supported.clamp(least, first)
}

/// Power of ten of the first significant digit.
#[expect(clippy::cast_possible_truncation, reason = "an exponent of a finite f64 is within ±324")]
fn magnitude(value: f64) -> Option<i32> {
    // A relative hair more, so that 0.1 computed as 0.09999999999999998 counts as 0.1.
    let value = value.abs() * (1.0 + 1e-12);
    (value.is_finite() && value > 0.0).then(|| value.log10().floor() as i32)
}

fn rounded(value: f64, place: i32) -> String {
    let scale = 10f64.powi(place.abs());
    let (value, decimals) =
        if place > 0 { ((value / scale).round() * scale, 0) } else { (value, place.unsigned_abs()) };
    let text = format!("{value:.*}", decimals as usize);
    // A negative figure that rounds to zero is zero.
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}
