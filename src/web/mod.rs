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

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::sync::Semaphore;
use url::form_urlencoded;

use self::layout::{Page, Tab};
use crate::{
    api::Reader,
    config::{Identity, MODULE_DEFAULT},
};

/// How many pages are drawn at once. More wait their turn, so that readers never take the processor from the probes.
const DRAWING_MAX: usize = 2;

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
    drawing: Semaphore,
}

/// The parameters of a page's address; of one that stands twice the last counts.
type Parameters = BTreeMap<String, String>;

/// The pages and their files.
pub fn router(monitor: Arc<Reader>) -> Router {
    let pages = Arc::new(Pages { monitor, drawing: Semaphore::new(DRAWING_MAX) });
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
    let parameters = parameters(query.as_deref());
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
    let parameters = parameters(query.as_deref());
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
    let parameters = parameters(query.as_deref());
    let of = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let identity = Identity {
        instance: of("var-instance"),
        module: parameters.get("var-module").cloned().unwrap_or_else(|| MODULE_DEFAULT.to_owned()),
        prober: of("var-prober"),
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

fn parameters(query: Option<&str>) -> Parameters {
    form_urlencoded::parse(query.unwrap_or("").as_bytes()).into_owned().collect()
}

/// Draws a page away from the tasks that serve and probe.
async fn draw(pages: &Arc<Pages>, page: impl FnOnce(&Reader) -> Page + Send + 'static) -> Response {
    // The semaphore is never closed, so that waiting for it cannot fail.
    let _turn = pages.drawing.acquire().await;
    let monitor = Arc::clone(&pages.monitor);
    let drawn = tokio::task::spawn_blocking(move || {
        let page = page(&monitor);
        (page.status, layout::document(&monitor, &page).into_string())
    });
    match drawn.await {
        Ok((status, text)) => (status, HEADERS, text).into_response(),
        Err(error) => {
            tracing::error!(%error, "A page ended by a programming error.");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page could not be drawn; see the program's log\n",
            )
                .into_response()
        }
    }
}
