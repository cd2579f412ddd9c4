//! The floor under any probe: blocking sockets that connect, write a request, read the answer and close.
//!
//! A process of its own, so that its CPU time can be counted apart. Must not know the exporters.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    FLOOR,
    driver::CONCURRENCY,
    process::{self, Cpus, cpu_time},
};

/// What a measurement yields: how many exchanges, and the CPU time of all of them.
pub(crate) struct Exchanges {
    pub(crate) count: u32,
    pub(crate) cpu: Duration,
}

/// Runs the floor in a process of its own, on the CPU of what is measured.
pub(crate) async fn measure(
    cpus: &Cpus,
    duration: Duration,
    addresses: &[SocketAddr],
) -> anyhow::Result<Exchanges> {
    let mut command = process::command(&cpus.pin_measured(), &std::env::current_exe()?);
    command.arg(FLOOR).arg(duration.as_millis().to_string());
    command.args(addresses.iter().map(ToString::to_string)).stdin(Stdio::null());
    // The target answers on this thread meanwhile. The process ends by itself after the duration.
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8(output.stdout)?;
    let (count, milliseconds) = text.trim().split_once(' ').context("the floor says nothing")?;
    Ok(Exchanges { count: count.parse()?, cpu: Duration::from_millis(milliseconds.parse()?) })
}

/// The process itself: prints the number of exchanges and the milliseconds of CPU.
pub(crate) fn run(milliseconds: &str, addresses: &[&str]) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_millis(milliseconds.parse()?);
    let parsed: Result<Vec<SocketAddr>, _> = addresses.iter().map(|text| text.parse()).collect();
    let addresses = parsed?;
    let threads: Vec<_> = (0..CONCURRENCY)
        .map(|first| {
            let addresses = addresses.clone();
            std::thread::spawn(move || exchange(&addresses, first, end))
        })
        .collect();
    let mut count = 0;
    for thread in threads {
        let exchanged = thread.join().ok().context("a thread panicked")?;
        count += exchanged?;
    }
    println!("{count} {}", cpu_time("self")?.as_millis());
    Ok(())
}

fn exchange(addresses: &[SocketAddr], first: usize, end: Instant) -> anyhow::Result<u32> {
    let mut count = 0;
    let mut answer = [0; 4096];
    for address in addresses.iter().cycle().skip(first) {
        if Instant::now() >= end {
            break;
        }
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        while stream.read(&mut answer)? > 0 {}
        count += 1;
    }
    Ok(count)
}
