//! What people see in a browser: pages drawn by the server from the state in memory and from what `query` answers.
//!
//! ```text
//! Monitor ──> status ──────────> overview, target ──┐
//! Query ────> availability, chart ──────────────────┼──> pages ──> layout ──> response
//!       ────> alerts ──> probes, evidence, runbooks ┘
//! ```
//!
//! To add a page: write its file with a function `page`, declare it here, and add a line to the list in `pages`.
//! Every page works without its script. Must not know how targets are probed or alerts delivered, and changes nothing.

mod alerts;
mod assets;
mod availability;
mod chart;
mod evidence;
mod layout;
mod links;
mod outcome;
mod overview;
mod page;
mod pages;
mod probes;
mod runbooks;
mod status;
mod target;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use self::{
    page::{Asked, Facts, Page},
    pages::{Entry, PAGES},
};
use crate::{
    config::{Identity, MODULE_DEFAULT},
    http::{Parameters, Turns, limits::PAGES_AT_ONCE, plain},
    query::Query,
    state::Monitor,
};

/// Where alerts link to: the addresses of the dashboards in Grafana, which lead to the internal pages here.
const WEBSERVICES_DASHBOARD: &str = "/d/webservices/webservices";

/// The dashboard of one target, which the parameter `var-instance` names.
const WEBSERVICE_DASHBOARD: &str = "/d/webservice/webservice";

/// The headers of every page. Nothing but this program's files may be loaded, no other site may frame a page, and a followed link
/// does not say where it was found.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What drawing takes.
struct Pages {
    facts: Facts,
    turns: Turns,
}

/// The pages and their files. Without a query, as in the exporter, there are only those of the probes in memory.
pub fn router(monitor: Monitor, query: Option<Arc<dyn Query>>) -> Router {
    let facts = Facts { monitor, query };
    let pages = Arc::new(Pages { facts, turns: Turns::new(PAGES_AT_ONCE) });
    let mut router = Router::new()
        .route(WEBSERVICES_DASHBOARD, get(|| async { Redirect::to("/") }))
        .route(WEBSERVICE_DASHBOARD, get(webservice_dashboard))
        .fallback(not_found);
    for entry in PAGES {
        router = if entry.path.contains('{') {
            router.route(entry.path, get(|pages, name, query| named(entry, pages, name, query)))
        } else {
            router.route(entry.path, get(|pages, query| unnamed(entry, pages, query)))
        };
    }
    router.with_state(pages).merge(assets::router())
}

async fn named(
    entry: &'static Entry,
    State(pages): State<Arc<Pages>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked { name, parameters: Parameters::of_query(query.as_deref()) };
    draw(&pages, entry.tab, move |facts| (entry.page)(facts, &asked)).await
}

async fn unnamed(entry: &'static Entry, pages: State<Arc<Pages>>, query: RawQuery) -> Response {
    named(entry, pages, Path(String::new()), query).await
}

async fn webservice_dashboard(
    State(pages): State<Arc<Pages>>,
    RawQuery(query): RawQuery,
) -> Redirect {
    let parameters = Parameters::of_query(query.as_deref());
    let of = |name: &str, default: &str| parameters.last(name).unwrap_or(default).to_owned();
    let identity = Identity {
        instance: of("var-instance", ""),
        module: of("var-module", MODULE_DEFAULT),
        prober: of("var-prober", ""),
    };
    // The exporter has no pages of targets.
    if identity.instance.is_empty() || pages.facts.query.is_none() {
        return Redirect::to("/");
    }
    Redirect::to(&links::target(&identity))
}

async fn not_found(State(pages): State<Arc<Pages>>) -> Response {
    let page = Page::not_found(
        "There is no page at this address.",
        "The pages are in the list at the top.",
    );
    draw(&pages, None, move |_| page).await
}

/// Draws a page away from the tasks that serve and probe.
async fn draw(
    pages: &Arc<Pages>,
    tab: Option<&'static str>,
    page: impl FnOnce(&Facts) -> Page + Send + 'static,
) -> Response {
    let all = Arc::clone(pages);
    let work = move || {
        let page = page(&all.facts);
        let tab = tab.filter(|_| page.status == StatusCode::OK);
        let document = layout::document(&all.facts.monitor, &page, &pages::tabs(), tab);
        (page.status, document.into_string())
    };
    match pages.turns.run(None, work).await {
        Ok((status, text)) => (status, HEADERS, text).into_response(),
        Err(_unfinished) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page could not be drawn; see the program's log\n",
        ),
    }
}
