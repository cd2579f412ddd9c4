//! Five services on the loopback interface: steady, slow, flaky, mortal, and one with an expiring certificate.
//!
//! They answer every request alike and must not know who asks.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::clock::{Clock as _, SystemClock};

/// How long the slow service thinks: below the demo's timeout, above what it was promised.
const SLOW: Duration = Duration::from_millis(650);

/// Of how many requests of the flaky service three fail.
const FLAKY_CYCLE: u64 = 10;

/// How long the mortal service lives after a start, so that it is first seen up.
const ALIVE: Duration = Duration::from_secs(15);

/// How long it is dead: three quarters of an hour in the time of the demo, long enough for its alert to fire.
const DEAD: Duration = Duration::from_secs(45);

/// How long it lives before it dies again.
const ALIVE_AGAIN: Duration = Duration::from_mins(2);

/// How long the certificate of the last service is still valid.
const CERTIFICATE_LEFT_DAYS: i64 = 10;

/// How long a peer may take for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How many requests a service answers at once.
const CONNECTIONS_MAX: usize = 64;

/// One of the services.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, for the label `service`.
    pub name: &'static str,
    /// Where it answers.
    pub url: String,
    /// What its line of the targets file says besides `service` and `team`.
    pub labels: &'static str,
}

/// How a service answers.
#[derive(Clone)]
enum Behaviour {
    Steady,
    Slow,
    Flaky,
    Tls(TlsAcceptor),
}

/// The running services; dropping this stops them.
pub struct Services {
    list: Vec<Service>,
    tasks: JoinSet<()>,
}

impl Services {
    /// Starts all of them on ports of the system's choice.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(certificate: &Certificate) -> io::Result<Self> {
        let mut services = Self { list: Vec::new(), tasks: JoinSet::new() };
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.server));
        for (name, behaviour) in [
            ("steady", Behaviour::Steady),
            ("slow", Behaviour::Slow),
            ("flaky", Behaviour::Flaky),
            ("old-certificate", Behaviour::Tls(acceptor)),
        ] {
            let (scheme, labels) = match &behaviour {
                // The certificate is one of the demo's own authority.
                Behaviour::Tls(_) => ("https", ", module: https_demo"),
                Behaviour::Slow => ("http", ", max_latency: 500ms"),
                Behaviour::Steady | Behaviour::Flaky => ("http", ""),
            };
            let listener = services.open(name, scheme, labels).await?;
            services.tasks.spawn(serve(listener, behaviour));
        }
        let listener = services.open("mortal", "http", "").await?;
        services.tasks.spawn(live_and_die(listener));
        Ok(services)
    }

    /// The services.
    pub fn list(&self) -> &[Service] {
        &self.list
    }

    async fn open(
        &mut self,
        name: &'static str,
        scheme: &str,
        labels: &'static str,
    ) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("{scheme}://{}/", listener.local_addr()?);
        self.list.push(Service { name, url, labels });
        Ok(listener)
    }
}

/// A certificate for 127.0.0.1 that expires soon, and the authority that signed it.
pub struct Certificate {
    /// The authority, for the module's `ca_file`.
    pub ca_pem: String,
    server: Arc<ServerConfig>,
}

/// Makes the certificate.
///
/// # Errors
/// When the cryptography library refuses, which would be a programming error.
pub fn certificate() -> Result<Certificate, Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "webservice-monitor demo authority");
    let authority_key = KeyPair::generate()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let now = jiff::Timestamp::from_millisecond(SystemClock.now())?;
    leaf.not_before = date(now, -80)?;
    leaf.not_after = date(now, CERTIFICATE_LEFT_DAYS)?;
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&leaf_key, &issuer)?;
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Certificate { ca_pem, server: Arc::new(server) })
}

/// The time of day that lies `days` from now, in the type that certificates are made with.
fn date<T: From<std::time::SystemTime>>(now: jiff::Timestamp, days: i64) -> Result<T, jiff::Error> {
    let then = now.checked_add(jiff::SignedDuration::from_hours(days * 24))?;
    Ok(std::time::SystemTime::from(then).into())
}

/// Lives, dies with its port closed, and comes back on the same port, over and over.
async fn live_and_die(first: TcpListener) {
    let Ok(address) = first.local_addr() else { return };
    let mut listener = first;
    let mut life = ALIVE;
    loop {
        // The time is over when this times out, and the listener is closed by dropping it.
        let _over = timeout(life, serve(listener, Behaviour::Steady)).await;
        let reborn = Instant::now() + DEAD;
        tokio::time::sleep_until(reborn).await;
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        life = ALIVE_AGAIN;
    }
}

/// Answers requests until it is dropped.
async fn serve(listener: TcpListener, behaviour: Behaviour) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut number: u64 = 0;
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        number += 1;
        let answer = answer(&behaviour, number);
        connections.spawn(async move {
            let _permit = permit;
            // A peer that goes away early is no concern of a demo.
            let _ended = timeout(REQUEST_TIMEOUT, converse(stream, answer)).await;
        });
    }
}

/// What one request is answered with.
struct Answer {
    status: &'static str,
    delay: Duration,
    tls: Option<TlsAcceptor>,
}

fn answer(behaviour: &Behaviour, number: u64) -> Answer {
    let answer = |status, delay, tls| Answer { status, delay, tls };
    match behaviour {
        Behaviour::Slow => answer("200 OK", SLOW, None),
        // 3, 6 and 9 of each ten: three failures in ten, never in a row.
        Behaviour::Flaky if matches!(number % FLAKY_CYCLE, 3 | 6 | 9) => {
            answer("503 Service Unavailable", Duration::ZERO, None)
        }
        Behaviour::Steady | Behaviour::Flaky => answer("200 OK", Duration::ZERO, None),
        Behaviour::Tls(acceptor) => answer("200 OK", Duration::ZERO, Some(acceptor.clone())),
    }
}

async fn converse(stream: TcpStream, answer: Answer) -> io::Result<()> {
    match &answer.tls {
        Some(acceptor) => respond(acceptor.accept(stream).await?, &answer).await,
        None => respond(stream, &answer).await,
    }
}

async fn respond(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > 16 * 1024 {
            return Ok(());
        }
    }
    sleep(answer.delay).await;
    let body = "webservice-monitor demo\n";
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}
