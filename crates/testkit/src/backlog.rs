//! A port on which connecting never ends, without a firewall: a listener that never accepts and whose queue is full.
//!
//! Relies on Linux, which drops a SYN when the queue is full instead of refusing it. Must not know who connects.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A loopback port whose queue of connections is full; it is free again when this is dropped.
#[derive(Debug)]
pub struct FullBacklog {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl FullBacklog {
    /// Opens a listener on a port that the system chooses and fills its queue.
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Opens a listener on this address and fills its queue. All of 127.0.0.0/8 is the loopback network on Linux.
    pub async fn start_on(address: SocketAddr) -> Self {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.expect("a socket");
        socket.bind(address).expect("a free loopback address");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("the address of a listener");
        let mut queued = Vec::new();
        // The queue holds one or two more connections than asked for; the first one that hangs shows that it is full.
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queued.push(stream.expect("a queued connection"));
            assert!(queued.len() < 64, "the queue of a listener is never full here");
        }
        Self { address, _listener: listener, _queued: queued }
    }

    /// The address to which nobody can connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}
