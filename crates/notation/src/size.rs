//! Sizes in bytes.
//!
//! Must not know what is measured.

/// The units, each with its power of two. As in Prometheus and `blackbox_exporter`, `KB` is 1024 bytes
/// (<https://pkg.go.dev/github.com/alecthomas/units#Base2Bytes>); `KiB` is the same.
const UNITS: [(&str, u32); 9] = [
    ("KiB", 10),
    ("MiB", 20),
    ("GiB", 30),
    ("TiB", 40),
    ("KB", 10),
    ("MB", 20),
    ("GB", 30),
    ("TB", 40),
    ("B", 0),
];

/// Parses a size with its unit, `512KB` or `10 MiB`, into bytes. `None` without a unit, with a fraction, and when it overflows.
pub fn parse(text: &str) -> Option<u64> {
    UNITS.iter().find_map(|(unit, shift)| {
        let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        number.checked_mul(1 << shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("100B", Some(100)),
            ("512KB", Some(512 << 10)),
            ("10MB", Some(10 << 20)),
            ("10 MiB", Some(10 << 20)),
            ("1GB", Some(1 << 30)),
            ("1GiB", Some(1 << 30)),
            ("2TB", Some(2 << 40)),
            ("0B", Some(0)),
            ("", None),
            ("1", None),
            ("GB", None),
            ("1kb", None),
            ("1.5GB", None),
            ("-1B", None),
            ("99999999999TB", None),
            ("ten", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }
}
