//! One UDP socket for all questions of a probe, whatever their number: descriptors are scarce when a name server is silent and
//! everybody waits for it.
//!
//! Must not know what is asked.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, OnceLock},
    task::{Context, Poll, ready},
};

use notation::sync::lock;
use tokio::{
    io::{Interest, ReadBuf},
    net::UdpSocket,
};

/// The longest datagram that is read. Without EDNS, which is not offered, a server may send 512 bytes (RFC 1035 §2.3.4).
const DATAGRAM_BYTES_MAX: usize = 4096;

/// How many datagrams that answer no question are passed over: whoever guesses identifiers needs thousands.
const STRAYS_MAX: usize = 100;

/// How many datagrams wait for one question to be looked at.
const RECEIVED_MAX: usize = 4;

/// A socket for each family of name servers, opened when it is first needed.
pub(crate) struct Port {
    /// The only server there is. The system then listens to nobody else, and reports when nobody is there.
    only: Option<SocketAddr>,
    /// The local address to ask from.
    source: Option<IpAddr>,
    ipv4: OnceLock<UdpSocket>,
    ipv6: OnceLock<UdpSocket>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    strays: usize,
}

/// A question that was sent.
struct Waiting {
    server: SocketAddr,
    id: u16,
    /// Datagrams with its identifier from its server, or the number of an error of the system.
    received: VecDeque<Result<Vec<u8>, i32>>,
}

impl Port {
    /// Sockets for questions to these servers, from a local address where that matters.
    pub(crate) fn new(servers: &[SocketAddr], source: Option<IpAddr>) -> Self {
        let only = if let [only] = servers { Some(*only) } else { None };
        Self { only, source, ipv4: OnceLock::new(), ipv6: OnceLock::new(), state: Mutex::default() }
    }

    /// How many datagrams came that answer no question.
    pub(crate) fn strays(&self) -> usize {
        self.state().strays
    }

    /// Counts a datagram that only looked like an answer.
    pub(super) fn pass_over(&self) -> io::Result<()> {
        self.state().pass_over()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn socket(&self, server: SocketAddr) -> io::Result<&UdpSocket> {
        let (cell, any): (_, IpAddr) = match server {
            SocketAddr::V4(_) => (&self.ipv4, Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (&self.ipv6, Ipv6Addr::UNSPECIFIED.into()),
        };
        if let Some(socket) = cell.get() {
            return Ok(socket);
        }
        let socket = std::net::UdpSocket::bind((self.source.unwrap_or(any), 0))?;
        if let Some(only) = self.only {
            socket.connect(only)?;
        }
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        Ok(cell.get_or_init(|| socket))
    }

    /// Sends a question, which begins with its identifier.
    pub(super) async fn ask(&self, server: SocketAddr, bytes: &[u8]) -> io::Result<Asked<'_>> {
        let id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
        let socket = self.socket(server)?;
        // Registered before it is sent, so that no answer is a stray.
        self.state().waiting.push(Waiting { server, id, received: VecDeque::new() });
        let asked = Asked { port: self, socket, server, id };
        match self.only {
            Some(_) => socket.send(bytes).await?,
            None => socket.send_to(bytes, server).await?,
        };
        Ok(asked)
    }
}

impl State {
    fn find(&mut self, server: SocketAddr, id: u16) -> Option<&mut Waiting> {
        self.waiting.iter_mut().find(|waiting| waiting.server == server && waiting.id == id)
    }

    /// Reports an error of the socket to every question, which is not known to belong to any.
    fn fail(&mut self, error: &io::Error) {
        for waiting in &mut self.waiting {
            waiting.received.push_back(Err(error.raw_os_error().unwrap_or_default()));
        }
    }

    /// Hands a datagram to the question that it answers.
    fn sort(&mut self, from: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let id = bytes.first_chunk().map(|id| u16::from_be_bytes(*id));
        match id.and_then(|id| self.find(from, id)) {
            Some(waiting) if waiting.received.len() < RECEIVED_MAX => {
                waiting.received.push_back(Ok(bytes.to_vec()));
            }
            _ => self.pass_over()?,
        }
        Ok(())
    }

    fn pass_over(&mut self) -> io::Result<()> {
        self.strays += 1;
        if self.strays < STRAYS_MAX {
            Ok(())
        } else {
            Err(io::Error::other(format!("{STRAYS_MAX} messages that answer no question")))
        }
    }
}

/// A question that waits for its answer, and is forgotten when this is dropped.
pub(super) struct Asked<'a> {
    port: &'a Port,
    socket: &'a UdpSocket,
    server: SocketAddr,
    id: u16,
}

impl Asked<'_> {
    /// The next datagram that comes from the server with the question's identifier.
    pub(super) async fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            tokio::select! {
                biased;
                received = poll_fn(|context| self.poll(context)) => return received,
                // That nobody is there does not make a socket readable.
                ready = self.socket.ready(Interest::ERROR) => {
                    ready?;
                    let again = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    let _readiness_cleared = self.socket.try_io(Interest::ERROR, again);
                    if let Some(error) = self.socket.take_error()? {
                        self.port.state().fail(&error);
                    }
                }
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        loop {
            let mut state = self.port.state();
            let own = state.find(self.server, self.id);
            if let Some(received) = own.and_then(|own| own.received.pop_front()) {
                return Poll::Ready(received.map_err(io::Error::from_raw_os_error));
            }
            let mut datagram = ReadBuf::new(&mut buffer);
            match ready!(self.socket.poll_recv_from(context, &mut datagram)) {
                Ok(from) => state.sort(from, datagram.filled())?,
                Err(error) => state.fail(&error),
            }
            // It may be for another question, which waits in the same task.
            context.waker().wake_by_ref();
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.port.state();
        state.waiting.retain(|waiting| (waiting.server, waiting.id) != (self.server, self.id));
    }
}
