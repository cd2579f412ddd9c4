//! Which events a log holds already, so that each is written once however often it is told.
//!
//! An event is one transition of one disruption. Of the disruptions that are not over the log's neighbour, a small file, keeps
//! a list: an alert may be told again days after its line was written. Must not know how a line looks, nor who tells.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{Notice, Transition};

/// How many events are remembered to recognise duplicates.
const MAX_REMEMBERED: usize = 50_000;

/// An event: the identifier of the disruption, and what happened.
type Event = (String, String);

/// The events that were written, bounded: the oldest is forgotten first.
#[derive(Default)]
pub(super) struct Remembered {
    order: VecDeque<Event>,
    set: HashSet<Event>,
    /// The disruptions that are not over: the second of their start by fingerprint. Never forgotten.
    open: BTreeMap<String, i64>,
    /// Whether `open` is other than the list that was last written.
    changed: bool,
}

impl Remembered {
    /// Takes a notice in, or `None` when it tells nothing new. What comes back is the notice to write: the resolution of a
    /// disruption carries the identifier under which its beginning was written.
    ///
    /// Alertmanager tells an alert again at each `repeat_interval`, with each change of its group, after a failed or lost
    /// answer, and from each member of a cluster; and it moves the start of an alert back when a second Prometheus had seen it
    /// earlier.
    pub(super) fn admit(&mut self, notice: &Notice) -> Option<Notice> {
        let mut notice = notice.clone();
        let fingerprint = fingerprint(notice.fingerprint());
        let begun = notice.active_at.div_euclid(1000);
        let open = self.open.get(&fingerprint).copied();
        match (notice.transition, open) {
            // The disruption that is written already, begun a little earlier than was known then.
            (Transition::Firing, Some(open)) if begun <= open => return None,
            // It came out of order: the disruption is over.
            (Transition::Firing, _)
                if self.contains(&notice.event_id(), Transition::Resolved.as_str()) =>
            {
                return None;
            }
            (Transition::Resolved, Some(open))
                if open != begun
                    && notice.at.div_euclid(1000) >= open
                    && !self.contains(&notice.event_id(), Transition::Resolved.as_str()) =>
            {
                notice.active_at = open.saturating_mul(1000);
            }
            _ => {}
        }
        let new = self.insert(notice.event_id(), notice.transition.as_str().to_owned());
        new.then_some(notice)
    }

    /// Takes an event in that is written; `false` when it was there.
    pub(super) fn insert(&mut self, id: String, action: String) -> bool {
        if let Some((fingerprint, begun)) = parts(&id) {
            if action == Transition::Firing.as_str() {
                self.changed |= self.open.insert(fingerprint.to_owned(), begun) != Some(begun);
            } else if self.open.get(fingerprint) == Some(&begun) {
                self.open.remove(fingerprint);
                self.changed = true;
            }
        }
        let event = (id, action);
        if !self.set.insert(event.clone()) {
            return false;
        }
        self.order.push_back(event);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    /// The start, in seconds since the Unix epoch, of the disruption of an alert that is not over.
    pub(super) fn open_since(&self, alert: u64) -> Option<i64> {
        self.open.get(&fingerprint(alert)).copied()
    }

    /// Reads the list of the disruptions that were not over when it was written; none where there is no list.
    pub(super) fn read_open(&mut self, log: &Path) {
        let text = list_path(log).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        for id in String::from_utf8_lossy(&text).lines().filter(|line| parts(line).is_some()) {
            self.insert(id.to_owned(), Transition::Firing.as_str().to_owned());
        }
        self.changed = false;
    }

    /// Writes the list of the disruptions that are not over, when it changed. To be called only when every line is on the
    /// disk: an event in the list is never written again.
    ///
    /// # Errors
    /// When the list cannot be written. Then the end of the log alone tells what was written.
    pub(super) fn write_open(&mut self, log: &Path) -> io::Result<()> {
        let Some(path) = list_path(log).filter(|_| self.changed) else { return Ok(()) };
        let mut ids = String::new();
        for (fingerprint, begun) in &self.open {
            // Writing to a string cannot fail.
            let _infallible = writeln!(ids, "{fingerprint}-{begun}");
        }
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(ids.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &path)?;
        self.changed = false;
        Ok(())
    }

    fn contains(&self, id: &str, action: &str) -> bool {
        self.set.contains(&(id.to_owned(), action.to_owned()))
    }
}

/// The label set's hash as it stands in identifiers.
fn fingerprint(alert: u64) -> String {
    format!("{alert:016x}")
}

/// The fingerprint and the second of the start in an identifier.
fn parts(id: &str) -> Option<(&str, i64)> {
    let (fingerprint, begun) = id.split_once('-')?;
    let hexadecimal =
        fingerprint.len() == 16 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((fingerprint, begun.parse().ok().filter(|_| hexadecimal)?))
}

/// Where the list stands: hidden beside the log, so that patterns for the log and its rotated files do not match it.
fn list_path(log: &Path) -> Option<PathBuf> {
    let name = log.file_name()?.to_str()?;
    Some(log.with_file_name(format!(".{name}.open")))
}

#[cfg(test)]
mod tests {
    use series::Labels;

    use super::*;

    fn notice(transition: Transition, begun: i64, at: i64) -> Notice {
        Notice {
            transition,
            at: at * 1000,
            told_at: at * 1000,
            active_at: begun * 1000,
            labels: Labels::new([("alertname", "Down")]),
            annotations: Labels::default(),
        }
    }

    /// What is written of each notice: the second of the start in its identifier, or nothing.
    #[test]
    fn what_an_alertmanager_tells_again_or_otherwise_is_recognised() {
        use Transition::{Firing, Resolved};
        type Told = (Transition, i64, i64, Option<i64>);
        let stories: [(&str, &[Told]); 7] = [
            (
                "repeats",
                &[
                    (Firing, 10, 11, Some(10)),
                    (Firing, 10, 50, None),
                    (Resolved, 10, 60, Some(10)),
                    (Resolved, 10, 61, None),
                ],
            ),
            (
                "a second Prometheus had seen it earlier",
                &[
                    (Firing, 10, 11, Some(10)),
                    (Firing, 8, 50, None),
                    (Resolved, 8, 60, Some(10)),
                    (Firing, 8, 61, Some(8)),
                ],
            ),
            ("out of order", &[(Resolved, 10, 60, Some(10)), (Firing, 10, 61, None)]),
            (
                "over and begun again while its group was not told",
                &[
                    (Firing, 10, 11, Some(10)),
                    (Resolved, 30, 60, Some(10)),
                    (Firing, 70, 71, Some(70)),
                ],
            ),
            (
                "begun again, told, the end of the first was never told",
                &[
                    (Firing, 10, 11, Some(10)),
                    (Firing, 30, 31, Some(30)),
                    (Resolved, 30, 60, Some(30)),
                ],
            ),
            (
                "the end of an earlier disruption comes late",
                &[
                    (Firing, 30, 31, Some(30)),
                    (Resolved, 10, 20, Some(10)),
                    (Resolved, 30, 60, Some(30)),
                ],
            ),
            (
                "a late repeat of an end does not end the next disruption",
                &[
                    (Firing, 10, 11, Some(10)),
                    (Resolved, 10, 20, Some(10)),
                    (Firing, 30, 31, Some(30)),
                    (Resolved, 10, 40, None),
                    (Resolved, 30, 60, Some(30)),
                ],
            ),
        ];
        for (story, told) in stories {
            let mut remembered = Remembered::default();
            for (transition, begun, at, expected) in told {
                let written = remembered.admit(&notice(*transition, *begun, *at));
                let begun = written.map(|notice| notice.active_at / 1000);
                assert_eq!(begun, *expected, "{story}: {transition:?} {at}");
            }
        }
    }

    #[test]
    fn the_list_of_what_is_not_over_outlives_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("alerts.jsonl");
        let mut remembered = Remembered::default();
        let firing = notice(Transition::Firing, 10, 11);
        assert!(remembered.admit(&firing).is_some());
        remembered.write_open(&log).unwrap();

        let mut restarted = Remembered::default();
        restarted.read_open(&log);
        assert_eq!(restarted.open_since(firing.fingerprint()), Some(10));
        assert_eq!(restarted.admit(&firing), None);
        assert!(restarted.admit(&notice(Transition::Resolved, 10, 20)).is_some());
        restarted.write_open(&log).unwrap();
        let mut again = Remembered::default();
        std::fs::write(list_path(&log).unwrap(), "no identifier\n-\nffff-1\n").unwrap();
        again.read_open(&log);
        assert_eq!(again.open_since(firing.fingerprint()), None);
    }
}
