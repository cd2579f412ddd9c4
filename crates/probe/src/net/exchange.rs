//! One question to one name server and its answer, over datagrams or over a connection (RFC 1035, RFC 7766, RFC 7858).
//!
//! An answer has the identifier and the question of what was asked; what has not is passed over in datagrams, which anybody can
//! send, and an error on a connection. Must not know why somebody asks, nor what the records say.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::SocketAddr,
};

use hickory_proto::{
    ProtoError,
    op::{Message, MessageType, OpCode, Query},
    serialize::binary::{BinDecodable as _, BinDecoder, DecodeError},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::port::Port;

/// The bits in a message's third byte that say "answer" and "truncated", and those in the fourth byte that are the lower part
/// of the response code (RFC 1035 §4.1.1).
const IS_ANSWER: u8 = 0x80;
const IS_TRUNCATED: u8 = 0x02;
const RESPONSE_CODE: u8 = 0x0f;

/// A question as it is sent.
#[derive(Debug)]
pub(crate) struct Question {
    query: Query,
    id: u16,
    bytes: Vec<u8>,
}

/// The way to a name server.
pub(crate) enum Channel<'a> {
    /// A datagram each way.
    Datagrams { port: &'a Port, server: SocketAddr },
    /// A connection, maybe inside TLS, with nothing on it yet.
    Stream(&'a mut dyn Stream),
}

/// A connection to a name server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What answers a question.
#[derive(Debug)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// What the system says of the socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed the connection before the answer was complete, after so many bytes of it.
    #[error("the connection was closed after {0} bytes of the answer")]
    Closed(usize),
    /// What came is no message.
    #[error("{0}")]
    Malformed(#[from] DecodeError),
    /// What came over a connection has another identifier, or is about another question.
    #[error("another question is answered")]
    OtherQuestion,
}

/// Asks, and waits for the answer: for ever when the server is silent.
///
/// # Errors
/// What the server did instead of answering.
pub(crate) async fn exchange(
    question: &Question,
    channel: Channel<'_>,
) -> Result<Reply, ExchangeError> {
    match channel {
        Channel::Datagrams { port, server } => {
            let asked = port.ask(server, &question.bytes).await?;
            loop {
                let bytes = asked.receive().await?;
                if question.is_answered_by(&bytes)? {
                    return Ok(Reply { bytes });
                }
                port.pass_over()?;
            }
        }
        Channel::Stream(stream) => {
            let bytes = question.send_over(stream).await?;
            if question.is_answered_by(&bytes)? {
                Ok(Reply { bytes })
            } else {
                Err(ExchangeError::OtherQuestion)
            }
        }
    }
}

impl Question {
    /// A question with an identifier that nobody can foresee.
    ///
    /// # Errors
    /// When the name is too long for a message.
    pub(crate) fn new(query: Query, recursion_desired: bool) -> Result<Self, ProtoError> {
        // The standard library's hash maps are keyed with random numbers that nobody outside can foresee.
        let [low, high, ..] = RandomState::new().build_hasher().finish().to_ne_bytes();
        let id = u16::from_ne_bytes([low, high]);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = recursion_desired;
        message.add_query(query.clone());
        let bytes = message.to_vec()?;
        Ok(Self { query, id, bytes })
    }

    /// One message each way, both behind their lengths (RFC 7766 §8).
    async fn send_over(&self, stream: &mut dyn Stream) -> Result<Vec<u8>, ExchangeError> {
        let length = u16::try_from(self.bytes.len()).map_err(io::Error::other)?;
        // In one piece, because some servers read no more than that.
        let question = [&length.to_be_bytes(), self.bytes.as_slice()].concat();
        stream.write_all(&question).await?;
        stream.flush().await?;
        let mut length = [0; 2];
        fill(stream, &mut length).await?;
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        fill(stream, &mut bytes).await?;
        Ok(bytes)
    }

    /// Whether these bytes are the answer. A server that could not read the question need not repeat it.
    fn is_answered_by(&self, bytes: &[u8]) -> Result<bool, DecodeError> {
        let Some((header, _)) = bytes.split_first_chunk::<12>() else {
            // Too short for a message; but is it an answer to this question?
            let is_answer = bytes.starts_with(&self.id.to_be_bytes());
            return if is_answer { Err(DecodeError::InsufficientBytes) } else { Ok(false) };
        };
        let [id_high, id_low, flags, code, questions_high, questions_low, ..] = *header;
        if [id_high, id_low] != self.id.to_be_bytes() || flags & IS_ANSWER == 0 {
            return Ok(false);
        }
        match u16::from_be_bytes([questions_high, questions_low]) {
            0 => Ok(flags & IS_TRUNCATED != 0 || code & RESPONSE_CODE != 0),
            1 => {
                let mut decoder = BinDecoder::new(bytes);
                decoder.read_slice(header.len())?;
                let query = Query::read(&mut decoder)?;
                Ok(query.name() == self.query.name()
                    && query.query_type() == self.query.query_type()
                    && query.query_class() == self.query.query_class())
            }
            _ => Ok(false),
        }
    }
}

impl Reply {
    /// The whole message.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the server says that there is more than fits into a datagram.
    pub(crate) fn is_truncated(&self) -> bool {
        self.bytes.get(2).is_some_and(|flags| flags & IS_TRUNCATED != 0)
    }
}

/// Reads until the buffer is full.
async fn fill(stream: &mut dyn Stream, buffer: &mut [u8]) -> Result<(), ExchangeError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest).await? {
            0 => return Err(ExchangeError::Closed(filled)),
            count => filled += count,
        }
    }
    Ok(())
}
