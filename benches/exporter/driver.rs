//! Asks an exporter for probes: as fast as it answers, one after the other, or many that hang.
//!
//! Connections are kept alive, as Prometheus keeps them. Must not know which exporter it asks.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How many probes are asked for at once under load.
pub(crate) const CONCURRENCY: usize = 16;

/// How many hanging probes are begun before the target has seen those before them: fewer than a backlog holds.
const AHEAD: usize = 128;

/// The time between two probes of [`one_by_one`].
const PAUSE: Duration = Duration::from_millis(10);

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The request for a probe of `url` by `module`.
pub(crate) fn request(module: &str, url: &str) -> Vec<u8> {
    format!("GET /probe?target={url}&module={module} HTTP/1.1\r\nHost: exporter\r\n\r\n")
        .into_bytes()
}

/// One connection to an exporter.
pub(crate) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn get(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.answer.clear();
        self.stream.write_all(request).await?;
        while !is_complete(&self.answer) {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the exporter closed the connection");
            }
            if self.answer.len() > ANSWER_BYTES_MAX {
                bail!("the exporter's answer has no end");
            }
        }
        Ok(&self.answer)
    }

    /// Asks for a probe; whether it succeeded.
    async fn probe(&mut self, request: &[u8]) -> anyhow::Result<bool> {
        Ok(find(self.get(request).await?, b"\nprobe_success 1").is_some())
    }
}

/// Whether an answer of HTTP/1.1 is there to its end, by its length or by its last chunk.
fn is_complete(answer: &[u8]) -> bool {
    let Some(head_end) = find(answer, b"\r\n\r\n") else { return false };
    let (head, body) = answer.split_at(head_end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"\r\n0\r\n\r\n"),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// What a closed loop yields.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) probes: u32,
    pub(crate) failed: u32,
}

/// Keeps [`CONCURRENCY`] probes in flight for a while.
pub(crate) async fn closed_loop(
    exporter: SocketAddr,
    requests: &[Vec<u8>],
    duration: Duration,
) -> anyhow::Result<Load> {
    let end = Instant::now() + duration;
    let mut tasks: JoinSet<anyhow::Result<Load>> = JoinSet::new();
    for first in 0..CONCURRENCY {
        let requests = requests.to_vec();
        tasks.spawn(async move {
            let mut client = Client::connect(exporter).await?;
            let mut load = Load::default();
            for request in requests.iter().cycle().skip(first) {
                if Instant::now() >= end {
                    break;
                }
                load.failed += u32::from(!client.probe(request).await?);
                load.probes += 1;
            }
            Ok(load)
        });
    }
    let mut sum = Load::default();
    while let Some(joined) = tasks.join_next().await {
        let load = joined??;
        sum.probes += load.probes;
        sum.failed += load.failed;
    }
    Ok(sum)
}

/// Asks for one probe after the other with pauses; the times they took in milliseconds.
pub(crate) async fn one_by_one(
    exporter: SocketAddr,
    request: &[u8],
    duration: Duration,
) -> anyhow::Result<Vec<f64>> {
    let end = Instant::now() + duration;
    let mut client = Client::connect(exporter).await?;
    let mut times = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        client.probe(request).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        sleep(PAUSE).await;
    }
    Ok(times)
}

/// Probes of targets that never answer.
pub(crate) struct Hanging {
    exporter: SocketAddr,
    requests: Vec<Vec<u8>>,
    held: watch::Receiver<usize>,
    begun: usize,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Hanging {
    pub(crate) fn new(
        exporter: SocketAddr,
        requests: Vec<Vec<u8>>,
        held: watch::Receiver<usize>,
    ) -> Self {
        Self { exporter, requests, held, begun: 0, tasks: JoinSet::new() }
    }

    /// Begins probes until `count` are in flight or `patience` ends; how many the target then holds.
    pub(crate) async fn raise(
        &mut self,
        count: usize,
        patience: Duration,
    ) -> anyhow::Result<usize> {
        let end = Instant::now() + patience;
        while self.begun < count {
            let mut client = Client::connect(self.exporter).await?;
            let request = self.requests.get(self.begun % self.requests.len().max(1));
            let request = request.context("no target hangs")?.clone();
            self.tasks.spawn(async move { client.get(&request).await.map(drop) });
            self.begun += 1;
            let due = self.begun.saturating_sub(AHEAD);
            self.wait_for(due, end).await?;
        }
        self.wait_for(count, end).await?;
        Ok(*self.held.borrow())
    }

    async fn wait_for(&mut self, count: usize, end: Instant) -> anyhow::Result<()> {
        let wait = self.held.wait_for(|held| *held >= count);
        if let Ok(reached) = timeout(end.saturating_duration_since(Instant::now()), wait).await {
            reached?;
        }
        Ok(())
    }

    /// Waits until every probe has its answer.
    pub(crate) async fn finish(mut self, patience: Duration) -> anyhow::Result<()> {
        let answered = async {
            while let Some(joined) = self.tasks.join_next().await {
                joined??;
            }
            Ok(())
        };
        timeout(patience, answered).await.context("hanging probes were not answered")?
    }
}
