//! What comes out of the wire is the same, in whatever pieces it came.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    seen::{INFORMATIONAL_MAX, Seen},
    *,
};
use crate::report::Reason;

/// A stream that brings these pieces, and takes whatever is written.
struct Pieces(std::collections::VecDeque<Vec<u8>>);

impl Pieces {
    /// The bytes, cut into pieces of these lengths over and over.
    fn new(bytes: &[u8], lengths: &[usize]) -> Self {
        let mut rest = bytes;
        let mut lengths = lengths.iter().cycle();
        let mut pieces = std::collections::VecDeque::new();
        while !rest.is_empty() {
            let length = lengths.next().map_or(rest.len(), |length| rest.len().min(*length));
            let (piece, after) = rest.split_at(length);
            pieces.push_back(piece.to_vec());
            rest = after;
        }
        Self(pieces)
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Asks and reads to the end, as much at once as there is room: what came out, and what was seen.
fn read(mut wire: Wire<Pieces>, meter: &Meter, room: usize) -> (Vec<u8>, Seen) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut bytes = Vec::new();
    runtime.block_on(async {
        wire.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut buffer = vec![0; room];
        while let Ok(read @ 1..) = wire.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..read]);
        }
    });
    let seen = meter.seen().clone();
    (bytes, seen)
}

fn http1(bytes: &[u8], lengths: &[usize], room: usize) -> (Vec<u8>, Seen) {
    let meter = Arc::new(Meter::default());
    read(Wire::http1(Pieces::new(bytes, lengths), Arc::clone(&meter), false), &meter, room)
}

fn http2(bytes: &[u8], lengths: &[usize], room: usize) -> (Vec<u8>, Seen) {
    let meter = Arc::new(Meter::default());
    read(Wire::http2(Pieces::new(bytes, lengths), Arc::clone(&meter)), &meter, room)
}

/// Parts of answers, right and wrong.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.2 200\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.",
        "HTTP/",
        "SSH-2.0",
        "220 ",
        "\u{16}\u{3}",
        "<html>",
        "Content-Length: 5\r\n",
        "Content-Length : 2, 2\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Set-Cookie: a=b\r\n",
        "X: a\rb\r\n",
        " folded\r\n",
        ": nameless\r\n",
        "no colon\r\n",
        "X: \0\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
    ];
    let part = prop_oneof![
        20 => prop::sample::select(parts.to_vec()).prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(b"X: y\r\n".repeat(2001)),
    ];
    let begin = prop_oneof![
        3 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    (begin, prop::collection::vec(part, 0..24))
        .prop_map(|(begin, parts)| [begin, parts.concat()].concat())
}

/// Frames, right and wrong.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = (0_u8..12, any::<u8>(), prop::collection::vec(any::<u8>(), 0..40), 1_usize..200);
    prop::collection::vec(frame, 0..20).prop_map(|frames| {
        let mut bytes = Vec::new();
        for (kind, flags, payload, times) in frames {
            let length = u8::try_from(payload.len()).unwrap();
            let header = [0, 0, length, kind, flags, 0, 0, 0, 1];
            bytes.extend([header.as_slice(), &payload].concat().repeat(times));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_of_an_answer_do_not_matter(
        bytes in prop_oneof![4 => answers(), 1 => prop::collection::vec(any::<u8>(), 0..100)],
        lengths in prop::collection::vec(1_usize..40, 1..10),
        room in 1_usize..100,
    ) {
        let (whole, mut seen) = http1(&bytes, &[usize::MAX], 1 << 20);
        let (pieces, mut seen_in_pieces) = http1(&bytes, &lengths, room);
        prop_assert_eq!(whole, pieces);
        if seen.stop.is_some() {
            // Less may have come when it was recognised.
            for seen in [&mut seen, &mut seen_in_pieces] {
                seen.head.clear();
                seen.bytes_read = 0;
            }
        }
        prop_assert_eq!(seen, seen_in_pieces);
    }

    #[test]
    fn the_pieces_of_frames_do_not_matter(
        bytes in prop_oneof![4 => frames(), 1 => prop::collection::vec(any::<u8>(), 0..100)],
        lengths in prop::collection::vec(1_usize..40, 1..10),
        room in 1_usize..100,
    ) {
        let (whole, seen) = http2(&bytes, &[usize::MAX], 1 << 20);
        let (pieces, seen_in_pieces) = http2(&bytes, &lengths, room);
        prop_assert_eq!(&seen.stop, &seen_in_pieces.stop);
        if seen.stop.is_none() {
            prop_assert_eq!(&whole, &bytes);
            prop_assert_eq!(pieces, bytes);
        }
    }
}

#[test]
fn only_what_is_forgiven_is_changed() {
    let body = "\r\nContent-Length: 1\rHTTP/1.2 \0";
    let rest = "Content-Length: 31\r\n\r\n";
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n: d\r\nE : f\n", None),
        ("HTTP/1.0 200\r\n", None),
        ("\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200\r\n", Some("HTTP/1.1 200\r\n")),
        ("HTTP/1.9 200 OK\r\nA: b\rc\r\r\n", Some("HTTP/1.1 200 OK\r\nA: b c \r\n")),
    ] {
        let (out, seen) = http1([head, rest, body].concat().as_bytes(), &[7], 5);
        assert_eq!(seen.stop, None);
        let expected = [expected.unwrap_or(head), rest, body].concat();
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(!seen.warnings.contains(&Warning::ExcessBody), "{head:?}");
    }
}

#[test]
fn the_budgets_are_what_they_say() {
    let with = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
    let padding = |bytes: usize| format!("X: {}\r\n", "x".repeat(bytes - 5));
    let hint = "HTTP/1.1 103 Hint\r\n\r\n";
    let around = "HTTP/1.1 200 OK\r\n\r\n".len();
    for (bytes, reason) in [
        (with(&padding(HEAD_BYTES_MAX - around)), None),
        (with(&padding(HEAD_BYTES_MAX - around + 1)), Some(Reason::HeaderLimit)),
        (with(&"X: y\r\n".repeat(HEADERS_MAX)), None),
        (with(&"X: y\r\n".repeat(HEADERS_MAX + 1)), Some(Reason::HeaderLimit)),
        ([hint.repeat(INFORMATIONAL_MAX).into_bytes(), with("")].concat(), None),
        (hint.repeat(INFORMATIONAL_MAX + 1).into_bytes(), Some(Reason::TooMany1xx)),
    ] {
        let (_, seen) = http1(&bytes, &[usize::MAX], 1 << 20);
        assert_eq!(seen.stop.map(|stop| stop.reason), reason);
    }
}

#[test]
fn an_answer_waits_for_the_question() {
    let meter = Arc::new(Meter::default());
    let bytes = b"HTTP/1.1 503 Busy\r\n\r\n";
    let mut wire = Wire::http1(Pieces::new(bytes, &[usize::MAX]), Arc::clone(&meter), false);
    let mut context = Context::from_waker(Waker::noop());
    let mut space = [0; 100];
    let mut buffer = ReadBuf::new(&mut space);
    assert!(Pin::new(&mut wire).poll_read(&mut context, &mut buffer).is_pending());
    assert!(Pin::new(&mut wire).poll_write(&mut context, b"GET").is_ready());
    assert!(Pin::new(&mut wire).poll_read(&mut context, &mut buffer).is_ready());
    assert_eq!(buffer.filled(), bytes);
}
