//! The store's running totals against a walk over all it holds, and against a disk that stands still. Must not know what the
//! samples mean.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Barrier,
    time::Duration,
};

use proptest::prelude::*;

use super::{selection::Selection, *};

/// Small limits, so that few operations cut chunks and segments and reach every kind of retention.
fn options(directory: &Path, retention_bytes: Option<u64>) -> StoreOptions {
    StoreOptions {
        directory: directory.to_owned(),
        retention_ms: 30 * HOUR,
        retention_bytes,
        segment_bytes_max: 2_000,
        pending_samples_max: 700,
        ..StoreOptions::default()
    }
}

const HOUR: i64 = 3_600_000;

/// What can happen to a store.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// So many samples of the series with this number, so many milliseconds apart.
    Append(u8, u16, i64),
    /// A sample that is not newer than those before it.
    AppendOld(u8),
    Sync,
    /// A disk that takes nothing.
    FailedSync,
    /// Retention, so many milliseconds after the newest sample.
    Expire(i64),
    /// A query that takes its time: it goes on decoding while the others happen.
    Read(u16),
    Reopen,
    /// The program ends, and a byte of its oldest segment is flipped: how far into it, in parts of 255.
    Damage(u8),
    /// The program is killed in the middle of a write.
    Torn,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..6_u8, 1..300_u16, 1..HOUR).prop_map(|(series, count, step)| Operation::Append(series, count, step)),
        1 => (0..6_u8).prop_map(Operation::AppendOld),
        3 => Just(Operation::Sync),
        1 => Just(Operation::FailedSync),
        2 => (0..80 * HOUR).prop_map(Operation::Expire),
        2 => any::<u16>().prop_map(Operation::Read),
        1 => Just(Operation::Reopen),
        1 => any::<u8>().prop_map(Operation::Damage),
        1 => Just(Operation::Torn),
    ]
}

fn refuse(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::StorageFull.into())
}

fn set_flush(store: &mut Store, flush: fn(&File) -> io::Result<()>) {
    store.wal.as_mut().unwrap().get_mut().unwrap().flush = flush;
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut found: Vec<_> = files
        .filter(|path| path.extension().is_none() && path.to_string_lossy().contains("wal-"))
        .collect();
    found.sort();
    found
}

/// The sizes as a walk over every chunk and every file finds them; what only a counter can know is taken over.
fn walked(store: &Store) -> Statistics {
    let counted = store.statistics();
    let head = read(&store.head);
    let chunks: Vec<_> = head.entries.values().flat_map(|entry| &entry.chunks).collect();
    let files = segments(&store.options.directory);
    Statistics {
        series: head.entries.len(),
        samples: chunks.iter().map(|chunk| chunk.iter().count() as u64).sum(),
        chunks: chunks.len(),
        bytes: chunks.iter().map(|chunk| chunk.bytes() as u64).sum(),
        wal_bytes: files.iter().map(|path| fs::metadata(path).unwrap().len()).sum(),
        wal_segments: files.len(),
        oldest: chunks.iter().map(|chunk| chunk.first()).min(),
        newest: chunks.iter().map(|chunk| chunk.last()).max(),
        ..counted
    }
}

/// Ends the program, changes its oldest or newest segment and begins it again.
fn reopened(store: Store, change: impl FnOnce(&[PathBuf])) -> Store {
    let options = store.options.clone();
    drop(store);
    change(&segments(&options.directory));
    Store::open(options).unwrap().0
}

fn flip(path: &Path, part: u8) {
    let mut bytes = fs::read(path).unwrap();
    let offset = bytes.len().saturating_sub(1) * usize::from(part) / 255;
    if let Some(byte) = bytes.get_mut(offset) {
        *byte ^= 0xff;
    }
    fs::write(path, bytes).unwrap();
}

/// What queries hold, and what they will find in it.
type Reading = Vec<(Selection, Vec<Series>)>;

fn apply(
    mut store: Store,
    now: &mut Timestamp,
    reading: &mut Reading,
    operation: Operation,
) -> Store {
    let labels =
        |series: u8| Labels::new([("__name__", "a".to_owned()), ("n", series.to_string())]);
    match operation {
        Operation::Append(series, count, step) => {
            for _ in 0..count {
                *now += step;
                store.append(*now, &[(labels(series), f64::from(count))]).unwrap();
            }
        }
        Operation::AppendOld(series) => {
            let old = store.statistics().oldest.unwrap_or(*now) - 1;
            store.append(old, &[(labels(series), 0.0)]).unwrap();
        }
        Operation::Sync => store.sync().unwrap(),
        Operation::FailedSync => {
            set_flush(&mut store, refuse);
            let waiting = !store.pending.get_mut().unwrap().rounds.is_empty();
            assert_eq!(store.sync().is_err(), waiting);
            set_flush(&mut store, File::sync_data);
        }
        Operation::Expire(after) => store.expire(now.saturating_add(after)),
        Operation::Read(minutes) => {
            let after = *now - i64::from(minutes) * 60_000;
            let selection = read(&store.head).select(&[], after, *now);
            let found = selection.clone().decode();
            reading.push((selection, found));
        }
        Operation::Reopen => store = reopened(store, |_| {}),
        Operation::Damage(part) => {
            store = reopened(store, |found| {
                if let Some(path) = found.first() {
                    flip(path, part);
                }
            });
        }
        Operation::Torn => {
            store = reopened(store, |found| {
                if let Some(path) = found.last() {
                    let mut file = OpenOptions::new().append(true).open(path).unwrap();
                    file.write_all(&[200, 0, 0, 0, 1]).unwrap();
                }
            });
        }
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn running_totals_agree_with_a_walk_after_any_sequence(
        cap in prop_oneof![Just(None), Just(Some(12_000_u64))],
        operations in proptest::collection::vec(operation(), 1..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(options(directory.path(), cap)).unwrap();
        let (mut now, mut reading) = (1_000_000_000_000, Reading::new());
        for operation in operations {
            store = apply(store, &mut now, &mut reading, operation);
            prop_assert_eq!(store.statistics(), walked(&store), "after {:?}", operation);
        }
        for (selection, found) in reading {
            prop_assert_eq!(selection.decode(), found, "what a query holds does not change");
        }
    }
}

/// Where a disk that is asked for a flush stands still: once when it is asked, and once more until it is let go on.
static STALLED: Barrier = Barrier::new(2);

fn stall(file: &File) -> io::Result<()> {
    STALLED.wait();
    STALLED.wait();
    file.sync_data()
}

#[test]
fn nothing_but_the_writer_waits_for_a_disk_that_stands_still() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(options(directory.path(), None)).unwrap();
    set_flush(&mut store, stall);
    let labels = Labels::new([("__name__", "a")]);
    let append = |at| store.append(at, &[(labels.clone(), 1.0)]).unwrap();
    append(1);
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| store.sync());
        STALLED.wait();
        scope.spawn(|| {
            append(2);
            let samples = store.select(&[], 0, 9).unwrap().remove(0).samples.len();
            let latest = store.latest(&[], 0, 9, true).unwrap().remove(0).1.timestamp;
            let names = store.label_names(&[], 0, 9);
            done.send((samples, latest, names, store.statistics())).unwrap();
        });
        // The time is only for a store that is wrong.
        let seen = finished.recv_timeout(Duration::from_secs(30));
        let written = sync.is_finished();
        STALLED.wait();
        let (samples, latest, names, statistics) = seen.unwrap();
        assert_eq!(
            (samples, latest, names, statistics.samples),
            (2, 2, vec!["__name__".to_owned()], 2)
        );
        assert!(!written, "samples count as written only when the disk has them");
        sync.join().unwrap().unwrap();
    });
    // What came while the disk stood still is in no file yet: only what was there before counts as written.
    let store = reopened(store, |_| {});
    assert_eq!(store.statistics().samples, 1);
}

#[test]
fn what_a_failed_flush_left_open_is_written_by_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(options(directory.path(), None)).unwrap();
    let labels = Labels::new([("__name__", "a")]);
    for (at, flush) in [(1, File::sync_data as fn(&File) -> _), (2, refuse), (3, File::sync_data)] {
        set_flush(&mut store, flush);
        store.append(at, &[(labels.clone(), 1.0)]).unwrap();
        assert_eq!(store.sync().is_ok(), at != 2);
    }
    // A file whose flush failed is not written to again.
    assert_eq!(segments(directory.path()).len(), 2);
    assert_eq!(reopened(store, |_| {}).statistics().samples, 3);
}
