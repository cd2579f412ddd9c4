//! Measures the store: appended samples a second, bytes a sample, and the time to select one target's day among 10,000.
//! Must not know the store's private parts.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a benchmark prints what it measured in real time"
)]

use std::{error::Error, time::Instant};

use series::{
    Appender as _, Labels, Matcher, Queryable as _,
    store::{Store, StoreOptions},
};

const TARGETS: u32 = 10_000;
const STEP_MS: i64 = 120_000;
const ROUNDS: i64 = 24 * 3_600_000 / STEP_MS;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let options =
        StoreOptions { directory: directory.path().to_owned(), ..StoreOptions::default() };
    let (store, _) = Store::open(options)?;
    let mut samples: Vec<(Labels, f64)> = (0..TARGETS)
        .flat_map(|target| {
            ["probe_success", "probe_duration_seconds", "probe_http_status_code"].map(|name| {
                (
                    Labels::new([
                        ("__name__", name.to_owned()),
                        ("instance", format!("https://host{target}.example")),
                    ]),
                    1.0,
                )
            })
        })
        .collect();
    let mut random = 1_u32;
    let begin = Instant::now();
    for number in 1..=ROUNDS {
        for (_, value) in samples.iter_mut().skip(1).step_by(3) {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // A duration with the resolution of a microsecond.
            *value = f64::from(50_000 + (random >> 16)) / 1e6;
        }
        store.append(number * STEP_MS, &samples)?;
        store.sync()?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let size = store.statistics();
    let count = u32::try_from(size.samples).map(f64::from)?;
    println!("append and sync: {:.0} samples/s", count / seconds);
    println!("head: {:.2} bytes/sample", u32::try_from(size.bytes).map(f64::from)? / count);
    println!("log: {:.2} bytes/sample", u32::try_from(size.wal_bytes).map(f64::from)? / count);
    let begin = Instant::now();
    let found =
        store.select(&[Matcher::equal("instance", "https://host5000.example")], 0, i64::MAX)?;
    println!(
        "one target's 24 h, {} series: {:.3} ms",
        found.len(),
        begin.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
