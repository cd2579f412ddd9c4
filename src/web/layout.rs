//! What all pages share: the head, the navigation, the banner about a broken configuration, and the foot.

use axum::http::StatusCode;
use maud::{DOCTYPE, Markup, html};
use series::Timestamp;

use super::words;
use crate::{api::Reader, config::diagnostic::Error};

/// A page before it is put into its frame.
pub(super) struct Page {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// The title in the browser's tab.
    pub(super) title: String,
    /// The entry of the navigation that it belongs to.
    pub(super) tab: Option<Tab>,
    /// What stands in `<main>`.
    pub(super) body: Markup,
}

/// An entry of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Targets,
    Alerts,
    Probes,
}

const TABS: [(Tab, &str, &str); 3] = [
    (Tab::Targets, "/", "Targets"),
    (Tab::Alerts, "/alerts", "Alerts"),
    (Tab::Probes, "/probes", "Probes"),
];

/// A whole document.
pub(super) fn document(monitor: &Reader, page: &Page) -> Markup {
    let now = monitor.now();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · webservice-monitor" }
                link rel="icon" href="/assets/favicon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/app.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    span.brand { "webservice-monitor" }
                    nav aria-label="Pages" {
                        @for (tab, href, name) in TABS {
                            a href=(href) aria-current=[(page.tab == Some(tab)).then_some("page")] { (name) }
                        }
                        a href="/metrics" { "Metrics" }
                    }
                }
                main #content {
                    (banner(monitor, now))
                    (page.body)
                }
                (foot(monitor, now))
            }
        }
    }
}

/// Says that the files have mistakes, where, and what to do about them.
fn banner(monitor: &Reader, now: Timestamp) -> Markup {
    let status = monitor.reloads().status();
    html! {
        @if !status.errors.is_empty() {
            section.banner role="alert" {
                h2 { "The configuration was not reloaded" }
                p {
                    "The files have " (words::count(status.errors.len(), "mistake", "mistakes"))
                    ". The last good configuration, loaded " (words::when(status.last_success, now))
                    ", runs on. Mend the files: they are read again within seconds."
                }
                @for error in &status.errors {
                    pre { (Error(error).to_string()) }
                }
            }
        }
    }
}

fn foot(monitor: &Reader, now: Timestamp) -> Markup {
    html! {
        footer {
            "webservice-monitor " (env!("CARGO_PKG_VERSION"))
            " · configuration loaded " (words::when(monitor.reloads().status().last_success, now))
            " · started " (words::when(monitor.about().started, now))
            " · times are UTC"
        }
    }
}

/// The page for what does not exist, with what to do instead.
pub(super) fn not_found(what: &str, instead: &str) -> Page {
    Page {
        status: StatusCode::NOT_FOUND,
        title: "Not found".to_owned(),
        tab: None,
        body: html! {
            h1 { "Not found" }
            p { (what) }
            p { (instead) }
            p { a href="/" { "All targets" } }
        },
    }
}
