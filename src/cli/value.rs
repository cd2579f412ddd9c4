//! How the values of flags are read: durations, sizes, addresses, each refused in words for the terminal.
//!
//! Must not know which flags there are.

use std::{net::SocketAddr, time::Duration};

use notation::duration::{above_zero, parse_prometheus};

use crate::config::{INTERVAL_MAX, INTERVAL_MAX_REASON};

/// A duration that is longer than zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_prometheus(text).map_err(|error| error.to_string())?;
    above_zero(text).ok_or_else(|| "must be longer than zero".to_owned())
}

/// A duration that is not too long between two probes.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval > INTERVAL_MAX {
        return Err(format!("longer than 4m: {INTERVAL_MAX_REASON}"));
    }
    Ok(interval)
}

/// A number of seconds, of which zero is one.
pub(super) fn offset(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(seconds)
    } else {
        Err("must be zero or more seconds".to_owned())
    }
}

/// `127.0.0.1:9115`, `[::1]:9115`, `localhost:9115`, or `:9115` for all addresses, as in other exporters.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let hint = "an address is written as 127.0.0.1:9115, [::1]:9115, or :9115 for all addresses";
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|_| hint.to_owned())?;
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| hint.to_owned())
}

/// `512MB`, `1GB`: powers of 1024, as Prometheus reads them.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let size = notation::size::parse(text).filter(|bytes| *bytes > 0);
    size.ok_or_else(|| "a size is written as 512MB or 1GB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_users_write_them() {
        assert_eq!(listen_address(":9115").unwrap().to_string(), "0.0.0.0:9115");
        assert_eq!(listen_address("localhost:1").unwrap().to_string(), "127.0.0.1:1");
        assert!(listen_address("9115").is_err());
        assert_eq!(size("512MB"), Ok(512 << 20));
        assert_eq!(size("1GB"), Ok(1 << 30));
        for text in ["", "1", "GB", "0MB", "1.5GB", "99999999999TB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(duration("0s").is_err());
        assert_eq!(interval("4m"), Ok(Duration::from_mins(4)));
        assert!(interval("4m1s").unwrap_err().contains("forgets a sample after 5 minutes"));
        assert!(offset("NaN").is_err());
    }
}
