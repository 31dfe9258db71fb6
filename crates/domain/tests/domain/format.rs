//! No more digits than the interval supports.

use pocketbench_domain::format::{
    PERCENT_DIGITS, PROSE_DIGITS, TABLE_DIGITS, bytes, parse_bytes, significant, with_interval,
};
use pocketbench_domain::stats::Interval;
use proptest::prelude::*;

#[test]
fn the_interval_decides_how_many_digits() {
    let cases = [
        (1.8123, (1.71, 1.92), "1.8"),
        (1.8123, (1.80, 1.82), "1.81"),
        (1.8123, (1.7, 1.9), "1.8"),
        (104.37, (98.0, 110.0), "104"),
        (104.37, (60.0, 150.0), "100"),
        (104.37, (104.2, 104.5), "104.4"),
        (0.04567, (0.0452, 0.0461), "0.0457"),
        // Wider than the figure is large: one digit of the figure all the same.
        (2.0, (0.0, 50.0), "2"),
        // No width: the cap decides.
        (123.456, (123.456, 123.456), "123.5"),
        (0.0, (0.0, 0.0), "0"),
        (-104.37, (-110.0, -98.0), "-104"),
    ];
    for (value, (low, high), expected) in cases {
        assert_eq!(significant(value, Some(Interval { low, high }), TABLE_DIGITS), expected, "{value} in {low}–{high}");
    }
}

#[test]
fn the_cap_holds() {
    assert_eq!(significant(1234.0, None, 2), "1200");
    assert_eq!(significant(1.849, None, PROSE_DIGITS), "1.85");
    assert_eq!(significant(40.0, None, PERCENT_DIGITS), "40");
    assert_eq!(significant(99.96, None, 3), "100", "rounding adds no digit");
    assert_eq!(significant(99.94, None, 3), "99.9");
    assert_eq!(significant(-0.0, None, 3), "0");
    let interval = Interval { low: 1.71, high: 1.92 };
    assert_eq!(with_interval(1.8123, interval, PROSE_DIGITS), ["1.8", "1.7", "1.9"]);
}

#[test]
fn sizes_are_decimal() {
    let cases =
        [(0.0, "0 B"), (999.0, "999 B"), (1_000.0, "1.00 kB"), (92_123_456.0, "92.1 MB"), (999_600_000.0, "1.00 GB")];
    for (size, expected) in cases {
        assert_eq!(bytes(size), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_never_further_off_than_half_the_interval(value in 1e-3..1e6f64, width in 1e-3..1.0f64) {
        let interval = Interval { low: value * (1.0 - width / 2.0), high: value * (1.0 + width / 2.0) };
        let shown: f64 = significant(value, Some(interval), 15).parse().unwrap();
        prop_assert!((shown - value).abs() <= (interval.high - interval.low) / 2.0 * (1.0 + 1e-9));
    }
}

#[test]
fn sizes_are_read_as_people_write_them() {
    for (text, bytes) in [
        ("0", 0),
        ("1500000000", 1_500_000_000),
        ("2GB", 2_000_000_000),
        (" 1.5 GiB ", 1_610_612_736),
        ("512mib", 536_870_912),
        ("3 kB", 3_000),
    ] {
        assert_eq!(parse_bytes(text), Some(bytes), "{text}");
    }
    for text in ["", "GB", "-1GB", "1e9", "2 G B", "2XB", "1.2.3 MB", "99999999999 TB"] {
        assert_eq!(parse_bytes(text), None, "{text}");
    }
}
