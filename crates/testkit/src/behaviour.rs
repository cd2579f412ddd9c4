//! What a [`Server`](crate::Server) does with each connection: a script of steps, replies by path, or real HTTP.
//!
//! A script speaks bytes and does not know whether TLS is below it. Must not know sockets.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a server does with every connection that it accepts.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Runs these steps, then shuts the connection down in good order.
    Script(Vec<Step>),
    /// Reads one HTTP request, sends the bytes that belong to its path, and shuts down. Other paths are answered with 404.
    Paths(BTreeMap<String, Vec<u8>>),
    /// Does the first of these with the first connection, and so on; the last one with all further connections.
    Sequence(Vec<Behaviour>),
    /// Reads one HTTP request and sends it back with this status code: in the body as it came, and on one line in the header
    /// `X-Echo`.
    Echo(u16),
    /// A proxy that takes CONNECT alone, and opens the tunnel that it is asked for.
    Tunnel,
    /// Speaks correct HTTP by a real implementation: HTTP/2 if it was agreed upon by ALPN, otherwise HTTP/1.1.
    Http {
        /// The status code of each answer.
        status: u16,
        /// The body of each answer.
        body: String,
    },
}

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads a whole HTTP/1 request: the head, and as much body as its `Content-Length` says.
    ReadRequest,
    /// Reads the beginning of an HTTP/2 connection up to the headers of the first request.
    ReadHttp2Request,
    /// Stops receiving, which the peer does not notice.
    StopReceiving,
    /// Reads until something came, for protocols that are not HTTP.
    ReadSome,
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes over and over, until the peer goes away.
    Repeat(Vec<u8>),
    /// Reads and ignores what comes, and says nothing, until the peer goes away.
    Silence,
    /// Ends the connection with a reset (TCP RST).
    Reset,
}

/// The head of an answer whose body is announced as longer than what the scripts send.
const LONG_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";

impl Behaviour {
    /// What this is for the connection with this number, counted from zero.
    pub(crate) fn of_connection(&self, index: usize) -> &Self {
        match self {
            Self::Sequence(parts) => match parts.get(index).or(parts.last()) {
                Some(part) => part.of_connection(index),
                None => self,
            },
            _ => self,
        }
    }

    /// Reads the request and sends these bytes, whatever they are.
    pub fn reply(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Script(vec![Step::ReadRequest, Step::Send(bytes.into())])
    }

    /// Answers with this status code, these header lines (each ended by CR LF) and this body, correctly framed.
    pub fn answer(status: u16, headers: &str, body: &str) -> Self {
        Self::reply(Self::message(status, headers, body))
    }

    /// The bytes of an HTTP/1.1 answer as [`Behaviour::answer`] sends them.
    pub fn message(status: u16, headers: &str, body: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {status} Some reason\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// The bytes of an answer with status 302 that leads to this location.
    pub fn redirect(location: &str) -> Vec<u8> {
        Self::message(302, &format!("Location: {location}\r\n"), "")
    }

    /// Replies by path; see [`Behaviour::Paths`].
    pub fn paths<'a>(replies: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        Self::Paths(replies.into_iter().map(|(path, reply)| (path.to_owned(), reply)).collect())
    }

    /// Sends these bytes without waiting for a request, then shuts down.
    pub fn greeting(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Script(vec![Step::Send(bytes.into()), Step::ReadSome])
    }

    /// Accepts and never says a word. On a TLS port without TLS below, this is a stall in the handshake.
    pub fn silence() -> Self {
        Self::Script(vec![Step::Silence])
    }

    /// Resets every connection at once.
    pub fn reset_on_accept() -> Self {
        Self::Script(vec![Step::Reset])
    }

    /// Reads the request, then resets without an answer.
    pub fn reset_before_answer() -> Self {
        Self::Script(vec![Step::ReadSome, Step::Reset])
    }

    /// Reads the request, then closes without an answer.
    pub fn close_before_answer() -> Self {
        Self::Script(vec![Step::ReadSome])
    }

    /// Closes in the middle of the header fields.
    pub fn close_mid_header() -> Self {
        Self::reply("HTTP/1.1 200 OK\r\nContent-Type: text/pl")
    }

    /// Announces 1000 bytes of body, sends five, and closes.
    pub fn close_mid_body() -> Self {
        Self::reply([LONG_HEAD, "start"].concat())
    }

    /// Announces 1000 bytes of body, sends five once the header has surely arrived, and resets.
    pub fn reset_mid_body() -> Self {
        let head = [LONG_HEAD, "start"].concat().into_bytes();
        Self::Script(vec![
            Step::ReadRequest,
            Step::Send(head),
            // A reset discards what the peer has not read yet, thus the pause: the header must be read before it comes.
            Step::Drip(b"more".to_vec(), Duration::from_millis(40)),
            Step::Reset,
        ])
    }

    /// Closes in the middle of a chunked body.
    pub fn close_mid_chunk() -> Self {
        Self::reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nstart")
    }

    /// Sends a few header bytes and stops.
    pub fn stall_mid_header() -> Self {
        let head = b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec();
        Self::Script(vec![Step::ReadRequest, Step::Send(head), Step::Silence])
    }

    /// Sends a whole header and a little body, and stops.
    pub fn stall_mid_body() -> Self {
        let head = [LONG_HEAD, "start"].concat().into_bytes();
        Self::Script(vec![Step::ReadRequest, Step::Send(head), Step::Silence])
    }

    /// Sends the header byte by byte: never idle for long, and never done within a short deadline.
    pub fn drip_header(interval: Duration) -> Self {
        let head = Self::message(200, &"X-Padding: slow\r\n".repeat(100), "");
        Self::Script(vec![Step::ReadRequest, Step::Drip(head, interval)])
    }

    /// Sends the header at once and the body byte by byte.
    pub fn drip_body(interval: Duration) -> Self {
        Self::Script(vec![
            Step::ReadRequest,
            Step::Send(LONG_HEAD.into()),
            Step::Drip(vec![b'x'; 1000], interval),
        ])
    }

    /// A body without end, delimited by nothing but the end of the connection.
    pub fn endless_body() -> Self {
        Self::endless("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 16 * 1024])
    }

    /// A body without end in chunks.
    pub fn endless_chunks() -> Self {
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000)).into_bytes();
        Self::endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk)
    }

    /// A body whose announced length is the largest signed 64-bit number, and that really goes on.
    pub fn endless_announced_body() -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", i64::MAX);
        Self::endless(&head, vec![b'x'; 16 * 1024])
    }

    /// Header fields without end.
    pub fn endless_headers() -> Self {
        let fields = "X-Padding: 0123456789012345678901234567890123456789\r\n".repeat(100);
        Self::endless("HTTP/1.1 200 OK\r\n", fields.into_bytes())
    }

    /// Informational responses without end.
    pub fn endless_informational() -> Self {
        Self::endless("", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100).into_bytes())
    }

    /// Reads a request, sends `head`, then `part` for ever.
    fn endless(head: &str, part: Vec<u8>) -> Self {
        Self::Script(vec![Step::ReadRequest, Step::Send(head.into()), Step::Repeat(part)])
    }

    /// Reads the `ClientHello` and sends the first bytes of a `ServerHello` record (RFC 8446, section 5.1), then closes.
    pub fn partial_handshake() -> Self {
        Self::Script(vec![Step::ReadSome, Step::Send(vec![0x16, 3, 3, 0, 0x7a, 2, 0, 0])])
    }

    /// Reads the `ClientHello` and answers with a fatal alert (RFC 8446, section 6).
    pub fn fatal_alert(description: u8) -> Self {
        Self::Script(vec![Step::ReadSome, Step::Send(vec![0x15, 3, 3, 0, 2, 2, description])])
    }

    /// Reads something and answers with bytes that are no protocol at all.
    pub fn garbage() -> Self {
        Self::Script(vec![
            Step::ReadSome,
            Step::Send(vec![0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1, b'\r', b'\n', b'\r', b'\n']),
        ])
    }
}
