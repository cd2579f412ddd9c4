//! What people see in a browser: pages drawn by the server from the monitor's state.
//!
//! ```text
//! Monitor ──> status, availability ──> overview, target ──┐
//!         ──> alerts ─────────────────────────────────────┼──> layout ──> response
//!         ──> probes, evidence ───────────────────────────┘
//! ```
//!
//! Every page works without its script. Must not know how targets are probed or alerts delivered, and changes nothing.

mod alerts;
mod assets;
mod availability;
mod chart;
mod evidence;
mod layout;
mod overview;
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
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use self::layout::{Page, Tab};
use crate::{
    api::Reader,
    config::{Identity, MODULE_DEFAULT},
    http::{Parameters, Turns, limits::PAGES_AT_ONCE, plain},
};

/// Where alerts link to: the addresses of the dashboards in Grafana, which lead to our own pages here.
const WEBSERVICES_DASHBOARD: &str = "/d/webservices/webservices";

/// The dashboard of one target, which the parameter `var-instance` names.
const WEBSERVICE_DASHBOARD: &str = "/d/webservice/webservice";

/// What browsers are told with every page. Nothing but our own files may be loaded, no other site may frame a page, and a
/// followed link does not tell where it was found.
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

/// What the pages need.
struct Pages {
    monitor: Arc<Reader>,
    drawing: Turns,
}

/// The pages and their files.
pub fn router(monitor: Arc<Reader>) -> Router {
    let pages = Arc::new(Pages { monitor, drawing: Turns::new(PAGES_AT_ONCE) });
    Router::new()
        .route("/", get(overview))
        .route("/targets/{*instance}", get(target))
        .route("/alerts", get(alerts))
        .route("/probes", get(probes))
        .route("/probes/{id}", get(probe))
        .route(WEBSERVICES_DASHBOARD, get(webservices_dashboard))
        .route(WEBSERVICE_DASHBOARD, get(webservice_dashboard))
        .route("/runbooks/", get(runbooks))
        .route("/runbooks/{alert}", get(runbook))
        .fallback(not_found)
        .with_state(pages)
        .merge(assets::router())
}

async fn overview(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::of_query(query.as_deref());
    draw(&pages, move |monitor| match &monitor.store {
        Some(store) => overview::page(monitor, store, &parameters),
        None => probes::page(monitor, Tab::Targets),
    })
    .await
}

async fn target(
    State(pages): State<Arc<Pages>>,
    Path(instance): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = Parameters::of_query(query.as_deref());
    draw(&pages, move |monitor| target::page(monitor, &instance, &parameters)).await
}

async fn alerts(State(pages): State<Arc<Pages>>) -> Response {
    draw(&pages, alerts::page).await
}

async fn probes(State(pages): State<Arc<Pages>>) -> Response {
    draw(&pages, |monitor| probes::page(monitor, Tab::Probes)).await
}

async fn probe(State(pages): State<Arc<Pages>>, Path(id): Path<String>) -> Response {
    draw(&pages, move |monitor| evidence::page(monitor, &id)).await
}

async fn runbooks(State(pages): State<Arc<Pages>>) -> Response {
    draw(&pages, |_| runbooks::index()).await
}

async fn runbook(State(pages): State<Arc<Pages>>, Path(alert): Path<String>) -> Response {
    draw(&pages, move |_| runbooks::runbook(&alert)).await
}

async fn webservices_dashboard() -> Redirect {
    Redirect::to("/")
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
    if identity.instance.is_empty() || pages.monitor.store.is_none() {
        return Redirect::to("/");
    }
    Redirect::to(&words::target_path(&identity))
}

async fn not_found(State(pages): State<Arc<Pages>>) -> Response {
    let page = layout::not_found(
        "There is no page at this address.",
        "The pages are in the list at the top.",
    );
    draw(&pages, move |_| page).await
}

/// Draws a page away from the tasks that serve and probe.
async fn draw(pages: &Arc<Pages>, page: impl FnOnce(&Reader) -> Page + Send + 'static) -> Response {
    let monitor = Arc::clone(&pages.monitor);
    let work = move || {
        let page = page(&monitor);
        (page.status, layout::document(&monitor, &page).into_string())
    };
    match pages.drawing.run(None, work).await {
        Ok((status, text)) => (status, HEADERS, text).into_response(),
        Err(_unfinished) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page could not be drawn; see the program's log\n",
        ),
    }
}
