//! The services that are probed: a page of 1 KiB by HTTP and by HTTPS, and a port that accepts and never answers.
//!
//! On several addresses of 127.0.0.0/8, so that no probe waits for a free port. Must not know who probes.

use std::{net::SocketAddr, sync::Arc};

use testkit::{Certificates, Leaf};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// On how many addresses each service listens.
const ADDRESSES: u8 = 16;

/// The size of the page.
const PAGE_BYTES: usize = 1024;

/// The running services; they end when dropped.
pub(crate) struct Target {
    pub(crate) http: Vec<SocketAddr>,
    pub(crate) https: Vec<SocketAddr>,
    pub(crate) hanging: Vec<SocketAddr>,
    /// How many connections are held open without an answer.
    pub(crate) held: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl Target {
    pub(crate) async fn start(certificates: &Certificates) -> anyhow::Result<Self> {
        let (count, held) = watch::channel(0);
        let count = Arc::new(count);
        let (mut http, mut https, mut hanging) = (Vec::new(), Vec::new(), Vec::new());
        let mut tasks = JoinSet::new();
        let acceptor = certificates.acceptor(Leaf::Good);
        for last in 1..=ADDRESSES {
            let listener = listen(last, &mut http).await?;
            tasks.spawn(serve(listener, |stream| async move { page(stream).await }));
            let (listener, acceptor) = (listen(last, &mut https).await?, acceptor.clone());
            tasks.spawn(serve(listener, move |stream| {
                let accepting = acceptor.accept(stream);
                async move { page(accepting.await?).await }
            }));
            let (listener, count) = (listen(last, &mut hanging).await?, Arc::clone(&count));
            tasks.spawn(serve(listener, move |stream| hang(stream, Arc::clone(&count))));
        }
        Ok(Self { http, https, hanging, held, _tasks: tasks })
    }
}

async fn listen(last: u8, addresses: &mut Vec<SocketAddr>) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((format!("127.0.0.{last}"), 0)).await?;
    addresses.push(listener.local_addr()?);
    Ok(listener)
}

/// Answers each connection by itself. What goes wrong with one is seen by who probes.
async fn serve<F>(listener: TcpListener, answer: impl Fn(TcpStream) -> F)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                answering.spawn(answer(stream));
            }
            Some(_answered) = answering.join_next() => {}
        }
    }
}

/// Answers the one request of a connection.
async fn page(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {PAGE_BYTES}\r\nConnection: close\r\n\r\n"
    );
    answer.extend(std::iter::repeat_n('x', PAGE_BYTES));
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads the request and says nothing until the other side leaves.
async fn hang(mut stream: TcpStream, held: Arc<watch::Sender<usize>>) -> std::io::Result<()> {
    held.send_modify(|count| *count += 1);
    let mut request = [0; 1024];
    while stream.read(&mut request).await.is_ok_and(|length| length > 0) {}
    held.send_modify(|count| *count -= 1);
    Ok(())
}
