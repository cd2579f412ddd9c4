//! The process as the kernel sees it, under the names that every Prometheus client uses.
//!
//! On systems without `/proc` nothing is reported. Must not know who reads the numbers.

use super::{Collect, OwnSample, names, value};

/// The version of this build.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The kernel's unit of CPU time in `/proc`, fixed at 100 per second for programs on Linux (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self`.
#[derive(Debug)]
pub struct Process {
    /// When the program started, in seconds since the Unix epoch.
    pub started_seconds: f64,
}

impl Collect for Process {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        samples.push(OwnSample::labelled(&names::BUILD_INFO, "version", VERSION, 1.0));
        samples.push(OwnSample::new(&names::START_TIME, self.started_seconds));
        if let Some(ticks) = read("/proc/self/stat").as_deref().and_then(cpu_ticks) {
            samples.push(OwnSample::new(&names::CPU_SECONDS, value(ticks) / TICKS_PER_SECOND));
        }
        if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident_bytes) {
            samples.push(OwnSample::new(&names::RESIDENT_BYTES, value(bytes)));
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            samples.push(OwnSample::new(&names::OPEN_FDS, value(entries.count() as u64)));
        }
        if let Some(limit) = descriptors_max() {
            samples.push(OwnSample::new(&names::MAX_FDS, value(limit)));
        }
    }
}

/// How many descriptors the process may have open; `None` where the system does not say.
pub fn descriptors_max() -> Option<u64> {
    read("/proc/self/limits").as_deref().and_then(descriptor_limit)
}

/// How many things that take `each` descriptors the process can afford: at least one and at most `count_max`, which is also
/// what counts where the system does not say.
pub fn affordable(descriptors: Option<u64>, each: u64, count_max: usize) -> usize {
    let count = descriptors.and_then(|descriptors| usize::try_from(descriptors / each.max(1)).ok());
    count.map_or(count_max, |count| count.clamp(1, count_max))
}

fn read(path: &str) -> Option<String> {
    String::from_utf8(std::fs::read(path).ok()?).ok()
}

/// User and system time: the fields 14 and 15, counted after the name, which may hold spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn descriptor_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_shared_out() {
        for (descriptors, expected) in
            [(None, 512), (Some(1024), 512), (Some(64), 32), (Some(0), 1)]
        {
            assert_eq!(affordable(descriptors, 2, 512), expected, "{descriptors:?}");
        }
    }

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(
            descriptor_limit("Max open files            1024                 4096   files\n"),
            Some(1024)
        );
        assert_eq!(cpu_ticks(""), None);
    }
}
