//! From the files that a user edits to valid values: targets, modules and rules.
//!
//! A configuration is immutable and swapped whole. Must not know sockets, schedules or storage.

mod dependency;
pub mod diagnostic;
mod files;
mod identity;
mod load;
mod misspelling;
pub mod promise;
mod targets;
pub mod watch;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

pub use dependency::DEPENDS_ON;
pub use files::read_text;
pub use identity::{Identity, PROBER};
pub use load::Summary;
pub use notation::Diagnostic;
pub use promise::Promises;

/// The `job` of all targets: what the shipped rules, the pages and a Prometheus know them by.
pub const JOB: &str = "webservices";

/// The module of a target that names none, as in `blackbox_exporter`.
pub const MODULE_DEFAULT: &str = "http_2xx";

/// The longest time between two probes of a target. Prometheus, and the store as well, takes a series for gone 5 minutes after its
/// last sample; what is left is for a probe that comes late.
pub const INTERVAL_MAX: Duration = Duration::from_mins(4);

/// Why there is a longest interval.
pub const INTERVAL_MAX_REASON: &str = "Prometheus forgets a sample after 5 minutes, so that with longer intervals a target would seem to have no data";

/// Where the configuration's files are, and the defaults that flags set.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Target files: paths or glob patterns (`--targets.file`).
    pub targets: Vec<String>,
    /// The modules file (`--config.file`).
    pub modules: PathBuf,
    /// Whether a missing modules file is an error: only when the user named it.
    pub modules_required: bool,
    /// Rule files: paths or glob patterns (`--rules.file`).
    pub rules: Vec<String>,
    /// The interval of targets that do not set `__scrape_interval__`. Zero where no one probes and only the targets themselves are
    /// asked for: then no interval, timeout or what depends on them is looked at.
    pub interval: Duration,
    /// The timeout of targets that do not set `__scrape_timeout__`.
    pub timeout: Duration,
    /// Where the program listens: what a target that is only a path, such as `/-/healthy`, is asked of.
    pub listen: SocketAddr,
}

/// The address of a target that is only a path: this program itself, wherever it listens. `None` when it is no path.
pub fn own_url(listen: SocketAddr, target: &str) -> Option<String> {
    let mut listen = listen;
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    target.starts_with('/').then(|| format!("http://{listen}{target}"))
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is probed, in the order of the files.
    pub targets: Vec<Arc<Target>>,
    /// The built-in modules and those of the modules file, by name.
    pub modules: BTreeMap<String, Arc<probe::Module>>,
    /// The modules of the modules file that this build cannot use: name and why.
    pub unsupported_modules: BTreeMap<String, String>,
    /// The rule groups, in the order of the files.
    pub rules: Vec<series::rule::Group>,
    /// The paths that were read, for the watcher and for messages.
    pub files: Vec<PathBuf>,
    /// What is valid and yet looks like a mistake, with its place: logged when it is loaded, printed by `validate`.
    pub warnings: Vec<Diagnostic>,
}

/// One service to probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The address as the user wrote it: the `instance` label.
    pub instance: String,
    /// The address as its module's kind understands it.
    pub address: probe::Target,
    /// The name of its module.
    pub module: String,
    /// The labels of its series: `job`, `instance`, and the user's own, without those that begin with `__`.
    pub labels: series::Labels,
    /// The labels that begin with `__`, as they are in the file: settings, not facts about its series.
    pub internal_labels: Arc<[(String, String)]>,
    /// What its labels promise of it.
    pub promises: Promises,
    /// How often it is probed.
    pub interval: Duration,
    /// How long one probe may take.
    pub timeout: Duration,
    /// The file and line that it comes from.
    pub origin: String,
}

impl Target {
    /// What distinguishes it from all others.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.labels)
    }
}
