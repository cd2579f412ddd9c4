//! `healthcheck`: asks a running program whether it is healthy, where there is no curl.
//!
//! It reads no file: a program that runs on with its last good configuration is healthy.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use probe::{Module, Net, Outcome};

use super::{
    commands::HealthcheckOptions,
    common::{FAILED, runtime},
};
use crate::config::MODULE_DEFAULT;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks once.
pub(super) fn healthcheck(options: &HealthcheckOptions) -> anyhow::Result<ExitCode> {
    let url = match &options.url {
        Some(url) => url.clone(),
        None => format!("http://{}/-/healthy", reachable(options.listen.address)),
    };
    let module = Module::builtin().remove(MODULE_DEFAULT).context("no module to ask with")?;
    let target = module
        .target_lenient(&url)
        .map_err(|error| anyhow::anyhow!("`{url}` cannot be asked: {}", error.message))?;
    let result = runtime()?.block_on(module.probe(&Net::system(), &target, TIMEOUT));
    match result.outcome {
        Outcome::Up => Ok(ExitCode::SUCCESS),
        Outcome::Down(failure) | Outcome::Fault(failure) => {
            eprintln!("{url} is not healthy: {failure}");
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// The address to ask a program that listens on `address`: one that means all addresses is none to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_all_addresses_is_asked_on_the_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9115", "127.0.0.1:9115"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:2", "10.0.0.1:2"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
