//! All rows, one file for each topic.

mod answer;
mod auth;
mod body;
mod cel;
mod coding;
mod dns;
mod head;
mod http2;
mod oauth2;
mod proxy;
mod redirect;
mod request;
mod tcp;
mod tls;

use super::row;

/// All rows.
pub(super) fn all() -> Vec<row::Row> {
    [
        answer::rows(),
        auth::rows(),
        body::rows(),
        cel::rows(),
        coding::rows(),
        dns::rows(),
        head::rows(),
        http2::rows(),
        oauth2::rows(),
        proxy::rows(),
        redirect::rows(),
        request::rows(),
        tcp::rows(),
        tls::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
