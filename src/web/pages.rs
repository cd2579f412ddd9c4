//! The list of pages. A page is a file with a function that draws it, and a line here.
//!
//! Must not know how pages are served.

use super::{
    alerts, evidence, overview,
    page::{Asked, Facts, Page},
    probes, runbooks, target,
};

/// A page: where it is and what draws it.
pub(super) struct Entry {
    /// Its path; the part in braces, if there is one, is the name that is asked for.
    pub(super) path: &'static str,
    /// The entry of the navigation that it belongs to. The first page of an entry is the one that it leads to.
    pub(super) tab: Option<&'static str>,
    /// Draws it.
    pub(super) page: fn(&Facts, &Asked) -> Page,
}

/// Every page, those of the navigation in its order.
pub(super) const PAGES: &[Entry] = &[
    Entry { path: "/", tab: Some("Targets"), page: overview::page },
    Entry { path: "/targets/{*name}", tab: Some("Targets"), page: target::page },
    Entry { path: "/alerts", tab: Some("Alerts"), page: alerts::page },
    Entry { path: "/probes", tab: Some("Probes"), page: probes::page },
    Entry { path: "/probes/{name}", tab: Some("Probes"), page: evidence::page },
    Entry { path: "/runbooks/", tab: None, page: runbooks::index },
    Entry { path: "/runbooks/{name}", tab: None, page: runbooks::runbook },
];

/// The navigation: the name of each entry and where it leads.
pub(super) fn tabs() -> Vec<(&'static str, &'static str)> {
    let mut tabs: Vec<(&str, &str)> = Vec::new();
    for entry in PAGES {
        if let Some(name) = entry.tab
            && !tabs.iter().any(|(known, _)| *known == name)
        {
            tabs.push((name, entry.path));
        }
    }
    tabs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_navigation_leads_to_the_first_page_of_each_entry() {
        assert_eq!(tabs(), [("Targets", "/"), ("Alerts", "/alerts"), ("Probes", "/probes")]);
    }
}
