//! What all pages share: the head, the navigation, the banner about a broken configuration, and the foot.
//!
//! Must not know which pages there are.

use maud::{DOCTYPE, Markup, html};
use series::Timestamp;

use super::{page::Page, words};
use crate::{config::diagnostic::Error, state::Monitor};

/// A whole document, with the navigation and the entry of it that the page belongs to.
pub(super) fn document(
    monitor: &Monitor,
    page: &Page,
    tabs: &[(&str, &str)],
    tab: Option<&str>,
) -> Markup {
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
                        @for (name, href) in tabs {
                            a href=(href) aria-current=[(tab == Some(name)).then_some("page")] { (name) }
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
fn banner(monitor: &Monitor, now: Timestamp) -> Markup {
    let status = monitor.reloads().status();
    html! {
        @if !status.errors.is_empty() {
            section.banner role="alert" {
                h2 { "The configuration was not reloaded" }
                p {
                    "The files have " (words::count(status.errors.len(), "mistake", "mistakes"))
                    ". The last good configuration, loaded " (words::when(status.last_success, now))
                    ", runs on. Correct the files: they are read again within seconds."
                }
                @for error in &status.errors {
                    pre { (Error(error).to_string()) }
                }
            }
        }
    }
}

fn foot(monitor: &Monitor, now: Timestamp) -> Markup {
    html! {
        footer {
            "webservice-monitor " (env!("CARGO_PKG_VERSION"))
            " · configuration loaded " (words::when(monitor.reloads().status().last_success, now))
            " · started " (words::when(monitor.about().started, now))
            " · times are UTC"
        }
    }
}
