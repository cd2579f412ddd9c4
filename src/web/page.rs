//! What a page is made from and what it comes to.
//!
//! Must not know which pages there are, nor the frame around them.

use std::sync::Arc;

use axum::http::StatusCode;
use maud::{Markup, html};

use crate::{
    http::Parameters,
    query::{Query, Unreadable},
    state::Monitor,
};

/// What the pages show.
pub(super) struct Facts {
    /// The state in memory.
    pub(super) monitor: Monitor,
    /// The past, the rules and the alerts; the exporter knows none.
    pub(super) query: Option<Arc<dyn Query>>,
}

/// What is asked for.
pub(super) struct Asked {
    /// The variable part of the page's path; empty where it has none.
    pub(super) name: String,
    /// The parameters of the address; of several values the last one counts.
    pub(super) parameters: Parameters,
}

/// A page before it is put into its frame.
pub(super) struct Page {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// The title in the browser's tab.
    pub(super) title: String,
    /// The content of `<main>`.
    pub(super) body: Markup,
}

impl Page {
    /// A page that exists.
    pub(super) fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { status: StatusCode::OK, title: title.into(), body }
    }

    /// The page for what does not exist, with what to do instead.
    pub(super) fn not_found(what: &str, instead: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "Not found".to_owned(),
            body: html! {
                h1 { "Not found" }
                p { (what) }
                p { (instead) }
                p { a href="/" { "All targets" } }
            },
        }
    }
}

/// Shown instead of data that cannot be read.
pub(super) fn unreadable(error: &Unreadable) -> Markup {
    html! { p.banner role="alert" { "The stored data cannot be read: " (error) } }
}
