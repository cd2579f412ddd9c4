//! What a module wants of a body.
//!
//! Must not know how a body is read.

use http::{Method, StatusCode, header, response::Parts};
use notation::Diagnostic;

use super::Http;
use crate::kind::http::{body::Wanted, decode::Coding};

/// The media types of bodies that have no end by design.
const ENDLESS: &[&str] = &["text/event-stream", "multipart/x-mixed-replace"];

impl Http {
    /// What is wanted of the body of this answer; nothing at all when the body has no end and nothing hangs on it.
    pub(in crate::kind::http) fn wanted(&self, head: &Parts) -> Option<Wanted> {
        // A body that is empty by definition has no coding either.
        let empty = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.method.0 == Method::HEAD;
        let wanted = Wanted {
            coding: self.compression.filter(|_| !empty).unwrap_or_default(),
            bytes: !self.fail_if_body_matches_regexp.is_empty()
                || !self.fail_if_body_not_matches_regexp.is_empty()
                || self.wants_json(),
            hash: self.body_hash,
            limit: self.body_size_limit.map(|size| size.0).filter(|size| *size > 0),
        };
        (wanted.is_strict() || !is_endless(head)).then_some(wanted)
    }

    /// Whether there is an expression in CEL to hold the body against.
    pub(crate) fn has_cel(&self) -> bool {
        self.fail_if_body_json_matches_cel.is_some()
            || self.fail_if_body_json_not_matches_cel.is_some()
    }

    /// Whether the body has to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        self.has_cel() || !self.fail_if_body_json_not_matches.is_empty()
    }

    /// What is wrong when a server that heeds our `Accept-Encoding` may not answer as the module wants it to.
    pub(super) fn coding_mistake(&self) -> Option<Diagnostic> {
        let coding = self.compression.unwrap_or(Coding::Identity);
        let (_, value) =
            self.headers.iter().find(|(name, _)| name.name == header::ACCEPT_ENCODING)?;
        let accepted = self.compression.is_none()
            || value.0.to_str().is_ok_and(|value| coding.is_accepted_by(value));
        (!accepted).then(|| {
            let name = coding.name();
            Diagnostic::new(format!(
                "the header `Accept-Encoding` does not accept `compression: {name}`"
            ))
            .hint(format!("add {name} to the header, or remove one of the two"))
        })
    }
}

fn is_endless(head: &Parts) -> bool {
    let told = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = told.and_then(|told| told.split(';').next()).unwrap_or_default().trim();
    ENDLESS.iter().any(|endless| media_type.eq_ignore_ascii_case(endless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_encoding_has_to_accept_the_coding() {
        for (text, accepted) in [
            ("{ compression: gzip }", true),
            ("{ headers: { Accept-Encoding: gzip } }", true),
            ("{ compression: gzip, headers: { accEpt-enCoding: 'br;q=0.1, gzip' } }", true),
            ("{ compression: gzip, headers: { accEpt-enCoding: deflate } }", false),
            ("{ compression: identity, headers: { Accept-Encoding: '*;q=0.0' } }", false),
            ("{ compression: '', headers: { Accept-Encoding: gzip } }", true),
        ] {
            let http: Http = yaml::parse(text).unwrap();
            assert_eq!(http.coding_mistake().is_none(), accepted, "{text}");
        }
    }

    #[test]
    fn a_stream_without_end_is_read_only_when_something_hangs_on_it() {
        let head = |content_type: &str| {
            let builder = http::Response::builder().header(header::CONTENT_TYPE, content_type);
            builder.body(()).unwrap().into_parts().0
        };
        let plain: Http = yaml::parse("{}").unwrap();
        let limited: Http = yaml::parse("{ body_size_limit: 1KB }").unwrap();
        for (content_type, read) in [
            ("text/event-stream", false),
            ("Text/Event-Stream; charset=utf-8", false),
            ("multipart/x-mixed-replace;boundary=a", false),
            ("text/plain", true),
            ("", true),
        ] {
            assert_eq!(plain.wanted(&head(content_type)).is_some(), read, "{content_type}");
            assert!(limited.wanted(&head(content_type)).is_some(), "{content_type}");
        }
    }
}
