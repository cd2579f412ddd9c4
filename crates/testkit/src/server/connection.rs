//! One connection of a server: what a behaviour does with it, step by step, over TCP or over TLS.
//!
//! Must not know what a request means, apart from where it ends and which path it asks for.

use std::{future::Future, io, os::fd::AsFd as _};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::records::Record;
use crate::behaviour::{Behaviour, Step};

/// A byte stream that can be ended by a reset.
pub(super) trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The TCP connection below.
    fn tcp(&self) -> &TcpStream;
    /// Whether HTTP/2 was agreed upon.
    fn is_http2(&self) -> bool;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn is_http2(&self) -> bool {
        false
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn is_http2(&self) -> bool {
        self.get_ref().1.alpn_protocol() == Some(b"h2")
    }
}

/// Runs a behaviour on a connection, until one of the two ends.
pub(super) async fn run(
    mut stream: impl Connection,
    behaviour: &Behaviour,
    record: &Record,
) -> io::Result<()> {
    match behaviour.of_connection(record.index) {
        // Only an empty sequence is left here: nothing is said.
        Behaviour::Sequence(_) => {}
        Behaviour::Http { status, body } => return serve(stream, *status, body, record).await,
        Behaviour::Echo(status) => {
            read_request(&mut stream, record).await?;
            stream.write_all(&echo(*status, &record.text())).await?;
        }
        Behaviour::Tunnel => return tunnel(&mut stream, record).await,
        Behaviour::Paths(replies) => {
            let head = read_request(&mut stream, record).await?;
            let path = head.split(' ').nth(1).unwrap_or_default();
            let reply = replies
                .get(path)
                .cloned()
                .unwrap_or_else(|| Behaviour::message(404, "", "no such path"));
            stream.write_all(&reply).await?;
        }
        Behaviour::Script(steps) => {
            for step in steps {
                if matches!(step, Step::Reset) {
                    return stream.tcp().set_zero_linger();
                }
                perform(&mut stream, step, record).await?;
            }
        }
    }
    finish(&mut stream, record).await
}

/// An answer that repeats a request.
fn echo(status: u16, request: &str) -> Vec<u8> {
    let line = request.split(char::is_control).collect::<Vec<_>>().join(" ");
    Behaviour::message(status, &format!("X-Echo: {line}\r\n"), request)
}

/// Opens the tunnel that a CONNECT request asks for (RFC 9110, section 9.3.6), and relays until both sides are done.
async fn tunnel(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    let head = read_request(stream, record).await?;
    let authority = head.split(' ').nth(1).unwrap_or_default();
    let mut target = TcpStream::connect(authority).await?;
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    tokio::io::copy_bidirectional(stream, &mut target).await.map(drop)
}

/// Ends a connection in good order: closing with unread bytes would send a reset.
pub(super) async fn finish(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    stream.shutdown().await?;
    drain(stream, record).await
}

/// Takes one step of a script, apart from the reset.
pub(super) async fn perform(
    stream: &mut impl Connection,
    step: &Step,
    record: &Record,
) -> io::Result<()> {
    match step {
        Step::ReadRequest => read_request(stream, record).await.map(drop),
        Step::ReadHttp2Request => read_http2_request(stream, record).await,
        Step::StopReceiving => stop_receiving(stream.tcp()),
        Step::ReadSome => read_some(stream, record).await.map(drop),
        Step::Send(bytes) => {
            stream.write_all(bytes).await?;
            stream.flush().await
        }
        Step::Drip(bytes, interval) => {
            for byte in bytes {
                tokio::time::sleep(*interval).await;
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
            }
            Ok(())
        }
        Step::Repeat(bytes) => loop {
            stream.write_all(bytes).await?;
        },
        Step::Silence => drain(stream, record).await,
        // The caller ends the connection at this step.
        Step::Reset => Ok(()),
    }
}

async fn read_some(stream: &mut impl Connection, record: &Record) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    if stream.read_buf(&mut buffer).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    record.append(&buffer);
    Ok(buffer)
}

async fn drain(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    loop {
        match read_some(stream, record).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Reads a request with its body, and returns its head.
async fn read_request(stream: &mut impl Connection, record: &Record) -> io::Result<String> {
    let mut received = Vec::new();
    loop {
        received.extend(read_some(stream, record).await?);
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Ok(head.to_owned());
        }
    }
}

/// Reads frames (RFC 9113 §4.1) behind the preface of 24 bytes, until one has the type HEADERS.
async fn read_http2_request(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    let mut received = Vec::new();
    let mut position = 24;
    loop {
        received.extend(read_some(stream, record).await?);
        while let Some([high, middle, low, kind]) = received.get(position..position + 4) {
            if *kind == crate::frames::kind::HEADERS {
                return Ok(());
            }
            position += 9 + u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        }
    }
}

fn stop_receiving(stream: &TcpStream) -> io::Result<()> {
    let descriptor = stream.as_fd().try_clone_to_owned()?;
    std::net::TcpStream::from(descriptor).shutdown(std::net::Shutdown::Read)
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// Serves correct HTTP until the peer closes; records one line of method, URI and version and the fields of each request.
fn serve(
    stream: impl Connection,
    status: u16,
    body: &str,
    record: &Record,
) -> impl Future<Output = io::Result<()>> + Send {
    let http2 = stream.is_http2();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut line =
            format!("{} {} {:?}\r\n", request.method(), request.uri(), request.version())
                .into_bytes();
        for (name, value) in request.headers() {
            line.extend_from_slice(name.as_str().as_bytes());
            line.extend_from_slice(b": ");
            line.extend_from_slice(value.as_bytes());
            line.extend_from_slice(b"\r\n");
        }
        record.append(&line);
        // Over HTTP/2 the library leaves it to the service that HEAD has no body.
        let sent = if request.method() == http::Method::HEAD { "" } else { body };
        let response = http::Response::builder()
            .status(status)
            .header(http::header::CONTENT_LENGTH, body.len())
            .body(Full::new(Bytes::from(sent.to_owned())));
        std::future::ready(response)
    });
    async move {
        let io = TokioIo::new(stream);
        if http2 {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            connection.serve_connection(io, service).await.map_err(io::Error::other)
        } else {
            let connection = hyper::server::conn::http1::Builder::new();
            connection.serve_connection(io, service).await.map_err(io::Error::other)
        }
    }
}
