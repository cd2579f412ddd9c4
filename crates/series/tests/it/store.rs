//! The store against interrupted writes, damage, wrong orders and a naive model. Must not know its file format beyond
//! the names of its files.
#![expect(clippy::cast_precision_loss, reason = "helpers of tests, on small numbers")]

use std::{fs, path::Path};

use proptest::prelude::*;
use regex::Regex;
use series::{
    Appender as _, Labels, Matcher, Matching, Queryable as _, Sample, is_stale,
    promql::{Options, Query, Value},
    stale_marker,
    store::{Store, StoreError, StoreOptions},
};

const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

fn options(directory: &Path) -> StoreOptions {
    StoreOptions { directory: directory.to_owned(), ..StoreOptions::default() }
}

fn open(directory: &Path) -> (Store, series::store::Replay) {
    Store::open(options(directory)).unwrap()
}

fn round(number: i64) -> Vec<(Labels, f64)> {
    ["a", "b"]
        .iter()
        .map(|name| (Labels::new([("__name__", *name)]), number as f64 * 1.5))
        .collect()
}

/// Four rounds, each synchronised; the log's bytes.
fn small_log(directory: &Path) -> Vec<u8> {
    let (store, _) = open(directory);
    for number in 1..=4 {
        store.append(number * 1000, &round(number)).unwrap();
        store.sync().unwrap();
    }
    fs::read(directory.join("wal-00000001")).unwrap()
}

/// Every series holds a prefix of what was written.
fn assert_prefix(store: &Store, context: usize) {
    for series in store.select(&[], ALWAYS.0, ALWAYS.1).unwrap() {
        for (sample, number) in series.samples.iter().zip(1..) {
            assert_eq!(
                (sample.timestamp, sample.value),
                (number * 1000, number as f64 * 1.5),
                "{context}"
            );
        }
    }
}

fn reopened(bytes: &[u8]) -> (tempfile::TempDir, Store, series::store::Replay) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("wal-00000001"), bytes).unwrap();
    let (store, replay) = open(directory.path());
    (directory, store, replay)
}

#[test]
fn a_cut_at_every_offset_leaves_the_good_prefix_and_room_for_more() {
    let source = tempfile::tempdir().unwrap();
    let bytes = small_log(source.path());
    let mut before = 0;
    for cut in 0..=bytes.len() {
        let (directory, store, replay) = reopened(&bytes[..cut]);
        assert_prefix(&store, cut);
        assert!(replay.samples >= before && replay.quarantined.is_empty(), "{cut}: {replay:?}");
        before = replay.samples;
        store.append(9_000, &round(9)).unwrap();
        store.sync().unwrap();
        drop(store);
        let (_, again) = open(directory.path());
        assert_eq!((again.samples, again.torn_bytes), (replay.samples + 2, 0), "{cut}");
    }
    assert_eq!(before, 8);
}

#[test]
fn a_flipped_byte_at_any_offset_costs_only_what_follows_it() {
    let source = tempfile::tempdir().unwrap();
    let bytes = small_log(source.path());
    for offset in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0xff;
        let (_directory, store, replay) = reopened(&damaged);
        assert_prefix(&store, offset);
        assert!(
            replay.samples < 8 && (replay.torn_bytes > 0 || replay.quarantined.len() == 1),
            "{offset}: {replay:?}"
        );
        for copy in &replay.quarantined {
            assert_eq!(fs::read(copy).unwrap(), damaged);
        }
        if offset + 30 > bytes.len() {
            assert!(replay.samples >= 4, "{offset}: {replay:?}");
        }
    }
}

#[test]
fn a_newer_format_and_a_second_process_are_refused_and_foreign_files_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = small_log(directory.path());
    fs::write(directory.path().join("wal-notes"), "mine").unwrap();
    let (first, _) = open(directory.path());
    assert!(matches!(Store::open(options(directory.path())), Err(StoreError::Locked { .. })));
    drop(first);
    bytes[6] = 2;
    let sum = crc32(&bytes[..8]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    let path = directory.path().join("wal-00000001");
    fs::write(&path, &bytes).unwrap();
    let error = Store::open(options(directory.path())).unwrap_err();
    assert!(matches!(error, StoreError::Version { version: 2, .. }), "{error}");
    assert_eq!(fs::read(path).unwrap(), bytes);
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1))
        })
    })
}

#[test]
fn a_failed_sync_keeps_samples_and_goes_on_in_a_fresh_segment() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (store, _) = open(&data);
    fs::rename(&data, directory.path().join("away")).unwrap();
    for number in 1..=2 {
        store.append(number * 1000, &round(number)).unwrap();
        assert!(store.sync().unwrap_err().to_string().contains("wal-"));
    }
    assert_eq!(store.statistics().samples, 4);
    fs::rename(directory.path().join("away"), &data).unwrap();
    store.sync().unwrap();
    drop(store);
    assert_eq!(open(&data).1.samples, 4);
}

#[test]
fn old_and_repeated_samples_are_dropped_and_counted() {
    let store = Store::in_memory();
    for at in [2000, 2000, 1000, 3000] {
        store.append(at, &round(1)).unwrap();
    }
    let statistics = store.statistics();
    assert_eq!((statistics.samples, statistics.dropped_samples), (4, 4));
    assert_eq!((statistics.oldest, statistics.newest), (Some(2000), Some(3000)));
}

#[test]
fn retention_drops_chunks_series_and_segments() {
    for cap in [None, Some(4096)] {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            retention_ms: 8_000_000,
            retention_bytes: cap,
            ..options(directory.path())
        };
        let (store, _) = Store::open(options).unwrap();
        for number in 1..=2_000 {
            store.append(number * 10_000, &round(number)).unwrap();
            store.sync().unwrap();
        }
        let before = store.statistics();
        store.expire(20_000_000);
        let after = store.statistics();
        assert!(
            after.wal_segments < before.wal_segments && after.samples < before.samples,
            "{after:?}"
        );
        assert!(
            cap.is_none_or(|cap| after.wal_bytes + after.bytes <= cap)
                && after.newest == before.newest,
            "{after:?}"
        );
        store.expire(90_000_000);
        let empty = store.statistics();
        assert_eq!((empty.series, empty.wal_segments), (0, 0));
    }
}

#[test]
fn queries_look_back_as_far_as_the_store_says_unless_they_say_so_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) =
        Store::open(StoreOptions { lookback_ms: 15_000, ..options(directory.path()) }).unwrap();
    store.append(100_000, &round(1)).unwrap();
    let query = Query::parse("a").unwrap();
    for (lookback_ms, at, seen) in [
        (None, 114_999, true),
        (None, 115_000, false),
        (Some(300_000), 399_999, true),
        (Some(1_000), 101_000, false),
    ] {
        let options = Options { lookback_ms, ..Options::default() };
        let Value::Vector(found) = query.instant(&store, at, &options).unwrap() else {
            panic!("no vector");
        };
        assert_eq!(!found.is_empty(), seen, "{lookback_ms:?} at {at}");
    }
}

#[test]
fn readers_see_whole_series_while_samples_arrive() {
    let store = Store::in_memory();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..=2000).for_each(|number| store.append(number * 1000, &round(number)).unwrap());
        });
        for turn in 0..200 {
            assert_prefix(&store, turn);
        }
    });
    assert_eq!(store.statistics().samples, 4000);
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let values = prop_oneof![Just(""), Just("1"), Just("2"), Just("3")];
    let patterns = prop_oneof![Just("1|2"), Just("|3"), Just(".+"), Just("[12]?"), Just(".*")];
    (prop_oneof![Just("a"), Just("b"), Just("z")], 0..4, values, patterns).prop_map(
        |(name, kind, value, pattern)| {
            let regex = Regex::new(&format!("^(?:{pattern})$")).unwrap();
            let matching = match kind {
                0 => Matching::Equal(value.into()),
                1 => Matching::NotEqual(value.into()),
                2 => Matching::Regex(regex),
                _ => Matching::NotRegex(regex),
            };
            Matcher { name: name.into(), matching }
        },
    )
}

proptest! {
    #[test]
    fn selectors_find_what_a_scan_finds(matchers in proptest::collection::vec(matcher(), 0..4)) {
        let store = Store::in_memory();
        let all: Vec<Labels> = ["", "1", "2", "3"].iter()
            .flat_map(|a| ["", "1", "2"].iter().map(move |b| Labels::new([("__name__", "m"), ("a", *a), ("b", *b)]))).collect();
        store.append(1, &all.iter().map(|labels| (labels.clone(), 1.0)).collect::<Vec<_>>()).unwrap();
        let mut expected: Vec<_> = all.into_iter().filter(|labels| matchers.iter().all(|matcher| matcher.matches(labels))).collect();
        expected.sort();
        prop_assert_eq!(store.series(&matchers, ALWAYS.0, ALWAYS.1), expected);
    }
}

/// What a query at one moment reads must be what it would find in all the samples.
#[test]
fn the_latest_sample_is_the_last_of_those_selected() {
    let store = Store::in_memory();
    let labels = Labels::new([("__name__", "a")]);
    // Two chunks and a bit, with an end now and then.
    for number in 0..500_i64 {
        let value = if number % 7 == 3 || number > 495 { stale_marker() } else { 1.0 };
        store.append(number * 10, &[(labels.clone(), value)]).unwrap();
    }
    let matchers = [Matcher::equal("__name__", "a")];
    for until in [-1, 0, 5, 30, 31, 2_389, 2_390, 2_400, 4_950, 4_955, 4_960, 4_990, 9_999] {
        for range in [1, 10, 11, 50, 2_400, 5_000] {
            let series = store.select(&matchers, until - range, until).unwrap();
            let samples = series.first().map(|series| series.samples.clone()).unwrap_or_default();
            for numbers in [false, true] {
                let wanted = samples.iter().rfind(|sample| !numbers || !is_stale(sample.value));
                let found = store.latest(&matchers, until - range, until, numbers).unwrap();
                let bits = |sample: &Sample| (sample.timestamp, sample.value.to_bits());
                assert_eq!(
                    found.first().map(|(_, sample)| bits(sample)),
                    wanted.map(bits),
                    "{until} {range} {numbers}"
                );
            }
        }
    }
}
