//! Whether a request comes from a page of another site.
//!
//! Must not know what is asked for.

use axum::http::{HeaderMap, HeaderValue, header};

/// Whether a browser sent the request from a page of another site: a page that somebody looks at must not be able to
/// change anything here. Programs such as curl send neither header.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    origin.is_some_and(|origin| {
        origin.split_once("://").is_none_or(|(_, authority)| authority != host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_other_sites_are_refused() {
        for (pairs, refused) in [
            (&[("host", "127.0.0.1:9115")][..], false),
            (&[("host", "127.0.0.1:9115"), ("origin", "http://127.0.0.1:9115")], false),
            (&[("host", "127.0.0.1:9115"), ("origin", "http://evil.example")], true),
            (&[("host", "127.0.0.1:9115"), ("origin", "null")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-origin")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_cross_site(&headers), refused, "{pairs:?}");
        }
    }
}
