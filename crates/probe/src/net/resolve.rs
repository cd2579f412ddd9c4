//! From a name to addresses, without `getaddrinfo`: that would block a thread for every slow name.
//!
//! Nothing is cached: a probe must notice that its name no longer resolves. Must not know what the addresses are for.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_proto::rr::{Name, RecordType};
use tokio::time::{Instant, sleep, timeout_at};
use url::Host;

use super::{
    dns::{self, ADDRESSES_MAX, Answer},
    names::{self, Configuration},
    port::Port,
    race::Race,
    search::{Candidates, written},
    trace::LookupTrace,
};
use crate::{
    file::Files,
    report::{Failure, Phase, Reason},
    setting::Family,
};

/// How long a name server may take before the next one is asked beside it; the first may still answer.
const STAGGER_MAX: Duration = Duration::from_secs(1);

/// How long the addresses of one family wait for those of the other. RFC 8305 §3 has 50 ms, for people who wait; a probe
/// would rather find the same family each time.
const OTHER_FAMILY_MAX: Duration = Duration::from_millis(500);

/// Where names are looked up.
pub(crate) enum Resolver {
    /// As `/etc/resolv.conf`, `/etc/hosts` and the name of this host say, each read again when it changes.
    Files { resolv_conf: String, hosts: String, hostname: String },
    /// By these name servers alone.
    Servers(Vec<SocketAddr>),
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a Host<String>,
    /// The family whose addresses come first.
    pub(crate) preferred: Family,
    /// Whether the other family's are wanted too.
    pub(crate) fallback: bool,
    /// When all of it has to end.
    pub(crate) until: Instant,
}

impl Resolver {
    pub(crate) fn system() -> Self {
        Self::Files {
            resolv_conf: "/etc/resolv.conf".to_owned(),
            hosts: "/etc/hosts".to_owned(),
            // Linux; elsewhere the domain has to be in resolv.conf.
            hostname: "/proc/sys/kernel/hostname".to_owned(),
        }
    }

    /// The addresses of a host, those of the preferred family first and then by turns; at least one.
    pub(crate) async fn resolve(
        &self,
        files: Files<'_>,
        wanted: Wanted<'_>,
        trace: &LookupTrace,
    ) -> Result<Vec<IpAddr>, Failure> {
        let found = match wanted.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address).to_canonical()],
            Host::Domain(name) => self.look_up(files, name, wanted, trace).await?,
        };
        let addresses = by_turns(found, wanted);
        if addresses.is_empty() {
            let detail = format!("{} has no address of the family asked for", wanted.host);
            return Err(Failure::new(Phase::Resolve, Reason::Nodata, detail));
        }
        Ok(addresses)
    }

    async fn look_up(
        &self,
        files: Files<'_>,
        name: &str,
        wanted: Wanted<'_>,
        trace: &LookupTrace,
    ) -> Result<Vec<IpAddr>, Failure> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        if let Some(found) = names::of_localhost(bare) {
            return Ok(found);
        }
        let configuration = match self {
            Self::Servers(servers) => Configuration::of_servers(servers.clone()),
            Self::Files { resolv_conf, hosts, hostname } => {
                // A system without a file of hosts knows none.
                let hosts = files.read(hosts).map(|file| file.bytes);
                let found = hosts.map(|bytes| names::in_hosts(&bytes, bare)).unwrap_or_default();
                if !found.is_empty() {
                    return Ok(found);
                }
                let hostname = || Some(files.read(hostname).ok()?.bytes);
                configuration(files, resolv_conf, trace)?.or_domain_of(hostname)
            }
        };
        let Some(candidates) = configuration.candidates(name) else {
            let detail = format!("{name:?} is no name that a name server can be asked for");
            return Err(Failure::new(Phase::Resolve, Reason::Malformed, detail));
        };
        let port = Port::new(&configuration.servers, None);
        let Configuration { servers, attempts, .. } = &configuration;
        let asking = Asking {
            servers,
            attempts: *attempts,
            wanted,
            trace,
            port: &port,
            share: Duration::ZERO,
        };
        let found = search(&candidates, asking).await;
        if found.is_err() && port.strays() > 0 {
            trace.note(format!("{} messages came that answer no question", port.strays()));
        }
        found
    }
}

/// Asks for one candidate after the other, until one has addresses. One that is not answered in its share of the time is
/// waited for beside the next ones: a search domain whose name server drops packets does not use up the time of the others,
/// and one that is slow is not given up.
async fn search(candidates: &Candidates, asking: Asking<'_>) -> Result<Vec<IpAddr>, Failure> {
    let until = asking.wanted.until;
    let names = candidates.names();
    let mut outcomes: Vec<_> = names.iter().map(|_| None).collect();
    let mut race = Race::new();
    for (index, name) in names.iter().enumerate() {
        let now = Instant::now();
        let share = candidates.share(index, until.saturating_duration_since(now));
        let asking = Asking { share, ..asking };
        race.add(async move { (index, asking.both_families(name).await) });
        let is_last = index + 1 == names.len();
        while let Ok(Some((ended, outcome))) = timeout_at(now + share, race.next()).await {
            match outcome {
                Ok(Answer::Addresses(addresses)) => {
                    if let Some(found) = names.get(ended).filter(|_| names.len() > 1) {
                        asking.trace.note(format!("found as {}", written(found)));
                    }
                    return Ok(addresses);
                }
                // An internal fault leaves open what the other names would have had.
                Err(fault) if fault.phase == Phase::Internal => return Err(fault),
                other => {
                    if let Some(outcome) = outcomes.get_mut(ended) {
                        *outcome = Some(other);
                    }
                }
            }
            if ended == index && !is_last {
                break;
            }
        }
    }
    Err(candidates.failure(outcomes))
}

/// Whom the system asks.
fn configuration(
    files: Files<'_>,
    path: &str,
    trace: &LookupTrace,
) -> Result<Configuration, Failure> {
    let fault = |detail: String| Failure::new(Phase::Internal, Reason::Config, detail);
    let file = files.read(path).map_err(|error| fault(error.to_string()))?;
    if let Some(stale) = file.stale {
        trace.note(stale);
    }
    let configuration = Configuration::parse(&file.bytes);
    if configuration.servers.is_empty() {
        return Err(fault(format!("{path} names no name server")));
    }
    Ok(configuration)
}

/// Addresses of the preferred family and others by turns, so that a whole family that is dead costs little (RFC 8305 §4).
fn by_turns(found: Vec<IpAddr>, wanted: Wanted<'_>) -> Vec<IpAddr> {
    let is_preferred = |address: &IpAddr| address.is_ipv6() == (wanted.preferred == Family::Ip6);
    let (preferred, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_preferred);
    let mut others = others.into_iter().filter(|_| wanted.fallback);
    let mut addresses = Vec::new();
    for address in preferred {
        addresses.push(address);
        addresses.extend(others.next());
    }
    addresses.extend(others);
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// One name being asked for.
#[derive(Clone, Copy)]
struct Asking<'a> {
    servers: &'a [SocketAddr],
    /// How often each of them is asked.
    attempts: u32,
    wanted: Wanted<'a>,
    trace: &'a LookupTrace,
    port: &'a Port,
    /// How long this name may take before another one is asked for beside it: so soon every server has to be asked.
    share: Duration,
}

impl Asking<'_> {
    /// Asks for the addresses of the wanted families at the same time.
    async fn both_families(self, name: &Name) -> Result<Answer, Failure> {
        let [first, second] = match self.wanted.preferred {
            Family::Ip6 => [RecordType::AAAA, RecordType::A],
            Family::Ip4 => [RecordType::A, RecordType::AAAA],
        };
        if !self.wanted.fallback {
            return self.follow(name, first).await;
        }
        let mut race = Race::new();
        race.add(self.follow(name, first));
        race.add(self.follow(name, second));
        let mut answers = Vec::new();
        while let Some(answer) = race.next().await {
            // A name that does not exist does so for every type; but some servers say it of the one that they do not know.
            let is_enough = matches!(answer, Ok(Answer::Addresses(_) | Answer::Nxdomain));
            answers.push(answer);
            if is_enough && answers.len() == 1 {
                let patience = OTHER_FAMILY_MAX.min(self.share / 2);
                tokio::select! {
                    Some(other) = race.next() => answers.push(other),
                    () = sleep(patience) => {
                        self.trace.note(format!("only the answer for one family of {name} came in time"));
                    }
                }
                break;
            }
        }
        join(answers)
    }

    /// Asks for one family, and for what the name is an alias of.
    async fn follow(self, name: &Name, kind: RecordType) -> Result<Answer, Failure> {
        let mut answer = self.ask_servers(name, kind, 0).await?;
        // Each turn adds an alias, of which there are not many before it is an error.
        while let Answer::Alias { name, aliases } = answer {
            answer = self.ask_servers(&name, kind, aliases).await?;
        }
        Ok(answer)
    }

    /// Asks one name server after the other, each one beside those that have not answered yet, until one answers.
    async fn ask_servers(
        self,
        name: &Name,
        kind: RecordType,
        aliases: usize,
    ) -> Result<Answer, Failure> {
        let count = u32::try_from(self.servers.len()).unwrap_or(u32::MAX).max(1);
        // As much is left to the last question as to any other.
        let questions = count.saturating_mul(self.attempts).saturating_add(1);
        let stagger = STAGGER_MAX.min(self.share / questions);
        let all = self.servers.iter().enumerate();
        let rounds = (0..self.attempts).flat_map(|_| all.clone());
        let mut waiting: VecDeque<_> = rounds.map(|(index, server)| (index, *server)).collect();
        let mut race = Race::new();
        let mut failed: Option<Failure> = None;
        loop {
            if let Some((index, server)) = waiting.pop_front() {
                race.add(
                    async move { (index, dns::ask(self.port, server, name, kind, aliases).await) },
                );
            }
            tokio::select! {
                Some((index, answered)) = race.next() => {
                    let server = self.servers.get(index).map(ToString::to_string).unwrap_or_default();
                    match answered {
                        Ok(answer) => {
                            if index > 0 {
                                self.trace.note_first_server_failed();
                                self.trace.note(format!("the name server {server} answered instead of the first one"));
                            }
                            return Ok(answer);
                        }
                        Err(fault) if fault.phase == Phase::Internal => return Err(fault),
                        Err(failure) => {
                            let name = written(name);
                            let detail = format!("{name}: name server {server}: {}", failure.detail);
                            self.trace.note(detail.clone());
                            // It keeps its place among those still to be asked: many a failure is over by the next question.
                            failed.get_or_insert(Failure { detail, ..failure });
                        }
                    }
                }
                () = sleep(stagger), if !waiting.is_empty() || failed.is_some() => {
                    self.trace.note(format!("no answer for {name} yet, asking on"));
                }
                else => {}
            }
            if let Some(failure) = failed.take_if(|_| waiting.is_empty()) {
                return Err(failure);
            }
            if waiting.is_empty() && race.is_empty() {
                let detail = format!("there is no name server to ask for {name}");
                return Err(Failure::new(Phase::Internal, Reason::Config, detail));
            }
        }
    }
}

/// What the answers for both families say together.
fn join(answers: Vec<Result<Answer, Failure>>) -> Result<Answer, Failure> {
    let mut addresses = Vec::new();
    let mut is_missing = false;
    let mut failed = None;
    for answer in answers {
        match answer {
            Ok(Answer::Addresses(some)) => addresses.extend(some),
            Ok(Answer::Nxdomain) => is_missing = true,
            Ok(Answer::Nodata | Answer::Alias { .. }) => {}
            Err(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    // An internal fault leaves open what the other family would have had.
    match failed {
        Some(fault) if fault.phase == Phase::Internal => Err(fault),
        _ if !addresses.is_empty() => Ok(Answer::Addresses(addresses)),
        // A name does not exist for one type only, whatever some servers say.
        _ if is_missing => Ok(Answer::Nxdomain),
        Some(failure) => Err(failure),
        None => Ok(Answer::Nodata),
    }
}
