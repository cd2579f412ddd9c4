//! The runbooks of the shipped alerts as pages: part of the program, so that whoever is on call needs no other site.
//!
//! Their text is that of `docs/runbooks/`, one file for each alert. Must not know which alerts are firing.

use maud::{PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html::push_html};

use super::page::{Asked, Facts, Page};

/// Declares the runbooks: a line for each file, in the order of the index.
macro_rules! runbooks {
    ($($name:literal),+ $(,)?) => {
        /// Every runbook: the alert's name and the text.
        const RUNBOOKS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../docs/runbooks/", $name, ".md")))),+];
    };
}

runbooks![
    "AlertmanagerConfigReloadFailed",
    "AlertmanagerDown",
    "AlertmanagerNotificationsFailing",
    "PrometheusConfigReloadFailed",
    "PrometheusNotConnectedToAlertmanagers",
    "PrometheusNotificationsFailing",
    "PrometheusRuleFailures",
    "Watchdog",
    "WebserviceCertificateExpiring",
    "WebserviceCertificateExpiringVerySoon",
    "WebserviceDown",
    "WebserviceErrorBudgetBurnFast",
    "WebserviceErrorBudgetBurnSlow",
    "WebserviceExporterDown",
    "WebserviceExporterMissing",
    "WebserviceFlaky",
    "WebserviceMonitorAlertLogDown",
    "WebserviceMonitorAlertLogFailing",
    "WebserviceMonitorCommandFailing",
    "WebserviceMonitorConfigReloadFailed",
    "WebserviceMonitorHeartbeatMissing",
    "WebserviceNoData",
    "WebserviceProbersDisagree",
    "WebserviceSlow",
    "WebserviceTargetDisappeared",
    "WebserviceTargetMisconfigured",
    "WebserviceTargetsFileInvalid",
    "WebserviceTargetsMissing",
    "WebservicesMostlyFailing",
];

/// The index of the runbooks.
const INDEX: &str = include_str!("../../docs/runbooks/README.md");

/// The page of an alert's runbook, relative to this program, when the link of the alert leads to `external_url`, which is this
/// program: people may reach it by another name.
pub(super) fn own_link(alert: &str, url: &str, external_url: &str) -> Option<String> {
    let path = format!("/runbooks/{alert}");
    (url.strip_prefix(external_url) == Some(&path) && text(alert).is_some()).then_some(path)
}

/// The page `/runbooks/`: which runbooks there are.
pub(super) fn index(_facts: &Facts, _asked: &Asked) -> Page {
    page("Runbooks", INDEX)
}

/// The page `/runbooks/{alert}`.
pub(super) fn runbook(_facts: &Facts, asked: &Asked) -> Page {
    match text(&asked.name) {
        Some(text) => page(&asked.name, text),
        None => Page::not_found(
            "There is no runbook of this name.",
            "The shipped alerts have one each; the list is at /runbooks/.",
        ),
    }
}

fn text(alert: &str) -> Option<&'static str> {
    RUNBOOKS.iter().find(|(name, _)| *name == alert).map(|(_, text)| *text)
}

fn page(title: &str, markdown: &str) -> Page {
    Page::new(title, html! { article.prose { (PreEscaped(render(markdown))) } })
}

/// Internal Markdown as HTML. Links between the files become links between the pages.
fn render(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: page_of(dest_url), title, id })
        }
        other => other,
    });
    let mut html = String::with_capacity(markdown.len() * 2);
    push_html(&mut html, events);
    html
}

/// `WebserviceDown.md` is `/runbooks/WebserviceDown`; other links stay as they are.
fn page_of(link: CowStr<'_>) -> CowStr<'_> {
    let (file, fragment) =
        link.split_once('#').map_or((&*link, None), |(file, part)| (file, Some(part)));
    let Some(name) = file.strip_suffix(".md").filter(|name| !name.contains([':', '/'])) else {
        return link;
    };
    let name = if name == "README" { "" } else { name };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("/runbooks/{name}{fragment}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runbook_of_the_documents_is_a_page() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbooks");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned)
            })
            .filter(|name| name != "README")
            .collect();
        files.sort();
        let mut names: Vec<&str> = RUNBOOKS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, files);
    }

    #[test]
    fn links_between_runbooks_are_links_between_pages() {
        let html = render(
            "[down](WebserviceDown.md#what-to-do), [all](README.md), [web](https://example.com/a.md)",
        );
        for link in
            ["/runbooks/WebserviceDown#what-to-do", "\"/runbooks/\"", "https://example.com/a.md"]
        {
            assert!(html.contains(link), "{html}");
        }
        let own = "http://monitor.example:9115";
        for (url, external_url, found) in [
            ("http://monitor.example:9115/runbooks/WebserviceDown", own, true),
            ("/runbooks/WebserviceDown", "", true),
            ("https://wiki.example.com/runbooks/WebserviceDown", own, false),
            ("http://monitor.example:9115/runbooks/Other", own, false),
        ] {
            let expected = found.then_some("/runbooks/WebserviceDown");
            assert_eq!(own_link("WebserviceDown", url, external_url).as_deref(), expected, "{url}");
        }
    }
}
