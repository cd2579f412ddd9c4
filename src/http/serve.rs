//! Serves the router on a listener, one task for each connection.
//!
//! In place of `axum::serve`, which looks for HTTP/2 in front of each connection and builds all routes anew for it: both
//! cost more memory than a probe that waits. Must not know the routes.

use std::pin::pin;

use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Serves until the program stops; then waits for the requests in flight.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, stop: CancellationToken) {
    // Finishes the routes, so that the copy for a connection is a reference to them.
    let router: Router = router.with_state(());
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = tokio::select! {
            () = stop.cancelled() => break,
            // Waits and tries again by itself when there is no descriptor.
            accepted = Listener::accept(&mut listener) => accepted,
        };
        connections.spawn(connection(stream, router.clone(), stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Serves one connection until it is closed, or until the answer in progress when the program stops.
async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends is the other side's business.
    let _ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
