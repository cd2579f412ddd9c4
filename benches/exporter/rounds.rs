//! The order of the measurements: each round asks every contender for the same, one after the other.
//!
//! Must not know how a figure is taken or printed.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use testkit::Certificates;
use tokio::time::sleep;

use super::{
    driver::{self, Hanging},
    floor,
    process::{Cpus, Exporter, Program, descriptors},
    report::{Contender, Figure, Report},
    target::Target,
};

/// How often everything is measured.
const LOAD_ROUNDS: usize = 5;
const HANG_ROUNDS: usize = 3;

/// How long one measurement under load takes, after it has warmed up.
const LOAD: Duration = Duration::from_millis(2500);
const WARM_UP: Duration = Duration::from_millis(400);

/// How long an idle exporter is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(1);

/// How long good probes are timed.
const GOOD: Duration = Duration::from_secs(3);

/// How long a probe of a target that hangs lasts: longer than it takes to begin all of them and to time good ones.
const HANG_TIMEOUT: Duration = Duration::from_secs(10);

/// How many hang at first, when memory is read, and then, when good probes are timed.
const HANGING_FEW: usize = 1000;
const HANGING_MANY: usize = 4000;

/// What is left to beginning hanging probes, the rest of [`HANG_TIMEOUT`] being for good ones.
const RAISE_MAX: Duration = Duration::from_secs(5);

/// The environment variable that names another build of this program to measure beside this one, in place of `blackbox_exporter`.
const BESIDE: &str = "BESIDE";

/// The names under which `blackbox_exporter` is installed.
const BLACKBOX_NAMES: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];

/// Everything that is measured, and what it is measured against.
pub(crate) struct Bench {
    cpus: Cpus,
    target: Target,
    contenders: Vec<(Contender, Program)>,
    /// Holds the folder of the modules file and the authority's certificate.
    _certificates: Certificates,
}

impl Bench {
    pub(crate) async fn prepare(cpus: Cpus) -> anyhow::Result<Self> {
        let certificates = Certificates::new();
        let target = Target::start(&certificates).await?;
        let modules = certificates.file("modules.yml");
        std::fs::write(&modules, modules_file(&certificates.file("authority.pem")))?;
        let file = format!("--config.file={}", modules.display());
        let own = Program {
            path: PathBuf::from(env!("CARGO_BIN_EXE_webservice-monitor")),
            arguments: vec!["exporter".to_owned(), file.clone()],
        };
        let mut contenders = vec![(Contender::Monitor, own)];
        let other = env::var_os(BESIDE).map(|path| Program {
            path: path.into(),
            arguments: vec!["exporter".to_owned(), file.clone()],
        });
        match other.or_else(|| blackbox().map(|path| Program { path, arguments: vec![file] })) {
            Some(program) => {
                println!("Beside {}.", program.path.display());
                contenders.push((Contender::Other, program));
            }
            None => println!(
                "No blackbox_exporter, so no ratios: scripts/parts blackbox_exporter fetches it."
            ),
        }
        Ok(Self { cpus, target, contenders, _certificates: certificates })
    }

    /// Runs all rounds.
    pub(crate) async fn run(&self, report: &mut Report) -> anyhow::Result<()> {
        self.load_rounds(report).await?;
        let affordable = descriptors()?.saturating_sub(500) / 4;
        let many = HANGING_MANY.min(affordable);
        if many < HANGING_MANY {
            println!(
                "Only {many} instead of {HANGING_MANY} probes hang, for want of descriptors (ulimit -Hn)."
            );
        }
        for _ in 0..HANG_ROUNDS {
            for (contender, program) in &self.contenders {
                self.hang(*contender, program, many, report).await?;
            }
        }
        Ok(())
    }

    async fn load_rounds(&self, report: &mut Report) -> anyhow::Result<()> {
        let urls = |scheme: &str, addresses: &[std::net::SocketAddr]| -> Vec<Vec<u8>> {
            let url = |address| driver::request(scheme, &format!("{scheme}://{address}/"));
            addresses.iter().map(url).collect()
        };
        let requests = [
            (Figure::CpuHttp, urls("http", &self.target.http)),
            (Figure::CpuHttps, urls("https", &self.target.https)),
        ];
        let mut running = Vec::new();
        for (contender, program) in &self.contenders {
            running.push((*contender, Exporter::start(program, &self.cpus).await?));
        }
        for _ in 0..LOAD_ROUNDS {
            for (figure, requests) in &requests {
                for (contender, exporter) in &running {
                    driver::closed_loop(exporter.address, requests, WARM_UP).await?;
                    let before = exporter.cpu_time()?;
                    let load = driver::closed_loop(exporter.address, requests, LOAD).await?;
                    let cpu = exporter.cpu_time()?.saturating_sub(before);
                    report.failed(*contender, load.failed);
                    report.add(*figure, *contender, per(cpu, load.probes));
                }
            }
            let floor = floor::measure(&self.cpus, LOAD, &self.target.http).await?;
            report.add(Figure::CpuHttp, Contender::Floor, per(floor.cpu, floor.count));
        }
        Ok(())
    }

    /// Hangs probes in a fresh exporter: its memory, and what becomes of the good ones.
    async fn hang(
        &self,
        contender: Contender,
        program: &Program,
        many: usize,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let exporter = Exporter::start(program, &self.cpus).await?;
        sleep(IDLE).await;
        report.add(Figure::Idle, contender, exporter.resident_kib()? / 1024.0);
        let good = self.target.http.first().context("no target")?;
        let good = driver::request("http", &format!("http://{good}/"));
        // Warms caches and pools, so that they are not counted as of the hanging ones.
        driver::closed_loop(exporter.address, std::slice::from_ref(&good), WARM_UP).await?;
        let mut alone = driver::one_by_one(exporter.address, &good, GOOD).await?;
        report.add(Figure::P99Alone, contender, percentile(&mut alone, 0.99));

        let before = exporter.resident_kib()?;
        let url = |address| driver::request("hang", &format!("http://{address}/"));
        let requests = self.target.hanging.iter().map(url).collect();
        let mut hanging = Hanging::new(exporter.address, requests, self.target.held.clone());
        let held = hanging.raise(HANGING_FEW.min(many), RAISE_MAX).await?;
        let grown = exporter.resident_kib()? - before;
        report.add(Figure::PerHanging, contender, grown / count(held).max(1.0));

        let held = hanging.raise(many, RAISE_MAX).await?;
        report.add(Figure::Hanging, contender, count(held));
        let mut during = driver::one_by_one(exporter.address, &good, GOOD).await?;
        report.add(Figure::P99Hanging, contender, percentile(&mut during, 0.99));
        hanging.finish(HANG_TIMEOUT * 2).await?;
        sleep(IDLE).await;
        report.add(Figure::Peak, contender, exporter.resident_peak_kib()? / 1024.0);
        report.add(Figure::After, contender, exporter.resident_kib()? / 1024.0);
        Ok(())
    }
}

/// The same modules for both exporters, in the format that both read.
fn modules_file(authority: &Path) -> String {
    format!(
        "modules:\n  \
           http:\n    prober: http\n    timeout: 10s\n    http: {{ preferred_ip_protocol: ip4 }}\n  \
           https:\n    prober: http\n    timeout: 10s\n    http:\n      preferred_ip_protocol: ip4\n      \
             tls_config: {{ ca_file: {}, server_name: localhost }}\n  \
           hang:\n    prober: http\n    timeout: {}s\n    http: {{ preferred_ip_protocol: ip4 }}\n",
        authority.display(),
        HANG_TIMEOUT.as_secs()
    )
}

fn blackbox() -> Option<PathBuf> {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join(".parts");
    let mut folders = vec![parts.join("bin"), parts.join("root/usr/bin")];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let files = folders.iter().flat_map(|folder| BLACKBOX_NAMES.map(|name| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// Microseconds for each of `count`.
fn per(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count.max(1))
}

fn count(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// The smallest value that is at least as large as this share of all.
fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index of a value in a short list"
    )]
    let index = (count(values.len()) * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
