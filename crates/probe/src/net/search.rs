//! Which complete names a name may mean, in which order they are asked for, and what is reported when none has an address.
//!
//! As resolv.conf(5) says and the C library does (glibc, `__res_context_search` in `resolv/res_query.c`; Go's `nameList` has the
//! same order). Must not know how a question is asked.

use std::time::Duration;

use hickory_proto::rr::Name;

use super::dns::Answer;
use crate::report::{Failure, Phase, Reason};

/// How long a name below a search domain is waited for before the next name is asked for beside it.
const SEARCHED_MAX: Duration = Duration::from_secs(2);

/// The complete names that a name may mean, each once, in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Candidates {
    names: Vec<Name>,
    /// Which of them is the name as it stands.
    as_it_stands: usize,
}

impl Candidates {
    /// A name with at least `dots` dots is asked for as it stands first and then in the search list, any other the other way
    /// round; a name with a final dot is asked for as it stands alone. `None` for what is no name in DNS.
    pub(super) fn new(name: &str, search: &[String], dots: usize) -> Option<Self> {
        let is_complete = name.ends_with('.');
        let bare = name.strip_suffix('.').unwrap_or(name);
        let itself = Name::from_ascii(format!("{bare}.")).ok()?;
        let mut names: Vec<Name> = Vec::new();
        for domain in search.iter().filter(|_| !is_complete) {
            // What is too long together is no name, which says nothing about the others.
            let below = Name::from_ascii(format!("{bare}.{domain}.")).ok();
            names.extend(below.filter(|name| *name != itself && !names.contains(name)));
        }
        let as_it_stands = if bare.matches('.').count() >= dots { 0 } else { names.len() };
        names.insert(as_it_stands, itself);
        Some(Self { names, as_it_stands })
    }

    /// The names in their order; at least one.
    pub(super) fn names(&self) -> &[Name] {
        &self.names
    }

    /// How long a candidate is waited for before the next one is asked for beside it, when so much time is left.
    ///
    /// A domain that answers for every name must not win because a name server is slow: the name as it stands, which is mostly
    /// what is meant when it comes first, has half of the time.
    pub(super) fn share(&self, index: usize, time_left: Duration) -> Duration {
        let others = u32::try_from(self.names.len().saturating_sub(index)).unwrap_or(u32::MAX);
        match (others, index) {
            (0 | 1, _) => time_left,
            (_, 0) if self.as_it_stands == 0 => time_left / 2,
            _ => (time_left / others).min(SEARCHED_MAX),
        }
    }

    /// The failure when these are the outcomes of the candidates, none of which has an address; `None` stands for a candidate
    /// that is still not answered.
    ///
    /// As in glibc, the name as it stands decides when it was asked for first. Otherwise a name that exists without an address
    /// counts most, then a candidate of which nothing could be learned, because it may be the one that was meant. A server
    /// that refuses a domain says that it is not in charge of it, which leaves the word to the name as it stands.
    pub(super) fn failure(&self, outcomes: Vec<Option<Result<Answer, Failure>>>) -> Failure {
        let mut failures: Vec<Failure> = self.names.iter().zip(outcomes).map(failure_of).collect();
        let first = |wanted: &dyn Fn(&Failure) -> bool| failures.iter().position(wanted);
        let is_unknown = |failure: &Failure| {
            !matches!(failure.reason, Reason::Nodata | Reason::Nxdomain | Reason::Refused)
        };
        let index = if self.as_it_stands == 0 {
            0
        } else {
            first(&|failure| failure.reason == Reason::Nodata)
                .or_else(|| first(&is_unknown))
                .unwrap_or(self.as_it_stands)
        };
        let reported = if index < failures.len() { Some(failures.remove(index)) } else { None };
        let no_name = || Failure::new(Phase::Internal, Reason::Bug, "no name to ask for");
        let mut failure = reported.unwrap_or_else(no_name);
        // What else went wrong may be why.
        let is_about_servers =
            |failure: &&Failure| !matches!(failure.reason, Reason::Nodata | Reason::Nxdomain);
        if let Some(other) = failures.iter().find(is_about_servers) {
            failure.detail = format!("{}; {}", failure.detail, other.detail);
        }
        failure
    }
}

/// A complete name as people write it.
pub(super) fn written(name: &Name) -> String {
    let mut text = name.to_ascii();
    text.truncate(text.trim_end_matches('.').len());
    text
}

/// The failure of one candidate without an address.
fn failure_of((name, outcome): (&Name, Option<Result<Answer, Failure>>)) -> Failure {
    let name = written(name);
    let (reason, detail) = match outcome {
        Some(Err(failure)) => return failure,
        Some(Ok(Answer::Nxdomain)) => (Reason::Nxdomain, format!("the name {name} does not exist")),
        Some(Ok(_)) => (Reason::Nodata, format!("the name {name} has no address")),
        None => (Reason::Timeout, format!("no name server answered for {name} in time")),
    };
    Failure::new(Phase::Resolve, reason, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: [&str; 4] =
        ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.internal"];

    fn candidates(name: &str, search: &[&str], dots: usize) -> Candidates {
        let search: Vec<String> = search.iter().map(|domain| (*domain).to_owned()).collect();
        Candidates::new(name, &search, dots).unwrap()
    }

    #[test]
    fn names_are_asked_for_in_the_order_of_the_c_library() {
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(55));
        for (name, search, dots, expected) in [
            ("web", &["corp.example"][..], 1, &["web.corp.example.", "web."][..]),
            ("web.dmz", &["corp.example"], 1, &["web.dmz.", "web.dmz.corp.example."]),
            ("web.dmz", &["corp.example"], 2, &["web.dmz.corp.example.", "web.dmz."]),
            ("web", &["corp.example"], 0, &["web.", "web.corp.example."]),
            ("web", &[], 1, &["web."]),
            ("web.dmz.", &["corp.example"], 5, &["web.dmz."]),
            ("web.", &["corp.example"], 1, &["web."]),
            (
                "web.shop",
                &CLUSTER,
                5,
                &[
                    "web.shop.shop.svc.cluster.local.",
                    "web.shop.svc.cluster.local.",
                    "web.shop.cluster.local.",
                    "web.shop.corp.internal.",
                    "web.shop.",
                ],
            ),
            ("a.b.c.d.e.f", &["corp.example"], 5, &["a.b.c.d.e.f.", "a.b.c.d.e.f.corp.example."]),
            (
                "web",
                &["a.example", "A.example", "b.example"],
                1,
                &["web.a.example.", "web.b.example.", "web."],
            ),
            // Only the names that are too long are left out.
            (&long, &["corp.example", "b"], 5, &[&format!("{long}.b."), &format!("{long}.")]),
        ] {
            let found = candidates(name, search, dots);
            let found: Vec<String> = found.names().iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{name} in {search:?}, {dots} dots");
        }
        for name in ["a".repeat(64), "a..b".to_owned(), format!("{}c", "a.".repeat(127))] {
            assert!(Candidates::new(&name, &[], 1).is_none(), "{name}");
        }
    }

    #[test]
    fn the_time_is_shared() {
        let shares = |name: &str, milliseconds: u64| {
            let candidates = candidates(name, &CLUSTER, 1);
            let time_left = Duration::from_millis(milliseconds);
            let all = (0..5).map(|index| candidates.share(index, time_left).as_millis());
            all.collect::<Vec<_>>()
        };
        assert_eq!(shares("web", 1000), [200, 250, 333, 500, 1000]);
        assert_eq!(shares("web", 60_000), [2000, 2000, 2000, 2000, 60_000]);
        assert_eq!(shares("web.dmz", 1000), [500, 250, 333, 500, 1000]);
        assert_eq!(shares("web.dmz", 60_000), [30_000, 2000, 2000, 2000, 60_000]);
        let only = candidates("web.", &CLUSTER, 1);
        assert_eq!(only.share(0, SEARCHED_MAX * 9), SEARCHED_MAX * 9);
    }

    #[test]
    fn the_reported_failure_is_that_of_the_c_library() {
        const GONE: Option<Result<Answer, Failure>> = Some(Ok(Answer::Nxdomain));
        const EMPTY: Option<Result<Answer, Failure>> = Some(Ok(Answer::Nodata));
        const SILENT: Option<Result<Answer, Failure>> = None;
        let failing = || Some(Err(Failure::new(Phase::Resolve, Reason::Servfail, "fails")));
        let refusing = || Some(Err(Failure::new(Phase::Resolve, Reason::Refused, "refuses")));
        // Two search domains, then the name as it stands.
        for (outcomes, expected) in [
            ([GONE, GONE, GONE], "nxdomain"),
            ([GONE, EMPTY, GONE], "nodata"),
            ([GONE, GONE, EMPTY], "nodata"),
            ([failing(), EMPTY, GONE], "nodata"),
            ([failing(), GONE, GONE], "servfail"),
            ([GONE, GONE, failing()], "servfail"),
            ([SILENT, GONE, GONE], "timeout"),
            ([SILENT, SILENT, SILENT], "timeout"),
            ([refusing(), GONE, GONE], "nxdomain"),
            ([refusing(), GONE, failing()], "servfail"),
            ([refusing(), refusing(), refusing()], "refused"),
        ] {
            let row = format!("{outcomes:?}");
            let failure =
                candidates("web", &["a.example", "b.example"], 1).failure(outcomes.into());
            assert_eq!(
                (failure.phase, failure.reason.as_str()),
                (Phase::Resolve, expected),
                "{row}"
            );
        }
        // The name as it stands, then the search domains.
        for (outcomes, expected) in [
            ([GONE, failing(), EMPTY], "nxdomain"),
            ([EMPTY, GONE, GONE], "nodata"),
            ([failing(), GONE, GONE], "servfail"),
            ([refusing(), GONE, SILENT], "refused"),
            ([SILENT, GONE, EMPTY], "timeout"),
        ] {
            let row = format!("{outcomes:?}");
            let failure =
                candidates("web.dmz", &["a.example", "b.example"], 1).failure(outcomes.into());
            assert_eq!(failure.reason.as_str(), expected, "{row}");
        }
        let failure = candidates("web", &["a.example"], 1).failure(vec![refusing(), GONE]);
        assert_eq!(failure.detail, "the name web does not exist; refuses");
    }
}
