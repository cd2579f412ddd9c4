//! A store with rules that are evaluated, edited and restarted, for the tests of what becomes of alerts.
//!
//! Must not know what is expected.

use std::collections::BTreeSet;

use series::{
    Appender as _, Labels, Matcher, Queryable as _, Timestamp, is_stale,
    labels::METRIC_NAME,
    rule::{AlertChange, AlertState, External, Group, GroupState, GroupView, RuleState, load},
    store::Store,
};

pub(crate) const MINUTE: Timestamp = 60_000;

/// Groups from files: the name of each file and its rules.
pub(crate) fn groups(files: &[(&str, &str)]) -> Vec<Group> {
    let mut all = Vec::new();
    for (file, text) in files {
        let loaded = load(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        all.extend(
            loaded.groups.into_iter().map(|group| Group { file: (*file).to_owned(), ..group }),
        );
    }
    all
}

pub(crate) fn file(rules: &str) -> String {
    format!("groups: [{{name: g, rules: [{rules}]}}]")
}

/// A program with a store and its rules.
pub(crate) struct Program {
    pub(crate) store: Store,
    pub(crate) states: Vec<GroupState>,
    /// The minute of the latest evaluation.
    pub(crate) minute: i64,
    /// What was reported, as `minute Transition labels`.
    pub(crate) reported: Vec<String>,
    /// Every change.
    pub(crate) changes: Vec<AlertChange>,
}

impl Program {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let states = groups(files).into_iter().map(GroupState::new).collect();
        let (store, reported, changes) = (Store::in_memory(), Vec::new(), Vec::new());
        Self { store, states, minute: 0, reported, changes }
    }

    fn report(&mut self, changes: Vec<AlertChange>) {
        for change in &changes {
            let labels = change.alert.labels.filtered(|name| !["job", "instance"].contains(&name));
            self.reported.push(format!("{} {:?} {labels}", self.minute, change.transition));
        }
        self.changes.extend(changes);
    }

    pub(crate) fn evaluate(&mut self, minute: i64, samples: &[(&str, f64)]) {
        self.minute = minute;
        let at = minute * MINUTE;
        let samples: Vec<(Labels, f64)> =
            samples.iter().map(|(labels, value)| (metric(labels), *value)).collect();
        self.store.append(at, &samples).unwrap();
        let mut changes = Vec::new();
        for state in &mut self.states {
            let evaluation = state.evaluate(&self.store, at, &External::default());
            assert_eq!(evaluation.errors, []);
            changes.extend(evaluation.changes);
        }
        self.report(changes);
    }

    pub(crate) fn reload(&mut self, files: &[(&str, &str)]) {
        let old = std::mem::take(&mut self.states);
        let at = self.minute * MINUTE + 30_000;
        let (states, reloaded) = GroupState::reload(old, groups(files), at);
        self.states = states;
        self.store.append(at, &reloaded.ended).unwrap();
        self.report(reloaded.changes);
    }

    /// Stops and starts again with these files.
    pub(crate) fn restart(&mut self, files: &[(&str, &str)]) -> Vec<AlertChange> {
        self.states = groups(files).into_iter().map(GroupState::new).collect();
        let now = self.minute * MINUTE + 30_000;
        GroupState::restore(&mut self.states, &self.store, now, &External::default())
    }

    /// The identities of the alerts that fire.
    pub(crate) fn firing(&self) -> BTreeSet<Labels> {
        let alerts = self.states.iter().flat_map(GroupState::rules).flat_map(RuleState::alerts);
        let firing = alerts.filter(|alert| alert.state == AlertState::Firing);
        firing.map(|alert| alert.identity.clone()).collect()
    }

    /// The groups as they are now.
    pub(crate) fn views(&self) -> Vec<GroupView> {
        self.states.iter().map(GroupView::of).collect()
    }

    /// How many staleness markers the series of a metric have.
    pub(crate) fn ends(&self, metric: &str) -> usize {
        let matchers = [Matcher::equal(METRIC_NAME, metric)];
        let all = self.store.select(&matchers, Timestamp::MIN, Timestamp::MAX).unwrap();
        all.iter()
            .flat_map(|series| &series.samples)
            .filter(|sample| is_stale(sample.value))
            .count()
    }
}

/// `up{a="b"}` from `up a=b`.
pub(crate) fn metric(text: &str) -> Labels {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let pairs = words.map(|word| word.split_once('=').unwrap());
    Labels::new(pairs.chain([(METRIC_NAME, name)]))
}

/// A series of a target.
pub(crate) const A: &str = "up job=webservices instance=http://a/";

/// A series of something else.
pub(crate) const OTHER: &str = "up job=node device=sda";

/// An alert without `for`.
pub(crate) const DOWN: &str =
    "{alert: Down, expr: up == 0, labels: {severity: critical}, annotations: {a: b}}";
