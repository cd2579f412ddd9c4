//! The addresses of pages, and which addresses of others may be followed.
//!
//! Must not know what is at an address.

use url::Url;

use crate::config::{Identity, MODULE_DEFAULT, PROBER};

/// A text as one segment of a path or one value of a query (RFC 3986: all but the unreserved characters is encoded).
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;

    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The address of a target's page. What its address alone does not say is in the query.
pub(super) fn target(identity: &Identity) -> String {
    let query = target_parameters(identity);
    let separator = if query.is_empty() { "" } else { "?" };
    format!("/targets/{}{separator}{query}", encoded(&identity.instance))
}

/// What distinguishes a target from others of its address, as parameters of its page.
pub(super) fn target_parameters(identity: &Identity) -> String {
    let module = Some(("module", &identity.module)).filter(|(_, name)| *name != MODULE_DEFAULT);
    let prober = Some((PROBER, &identity.prober)).filter(|(_, name)| !name.is_empty());
    let parameters = [module, prober].into_iter().flatten();
    let parameters: Vec<String> =
        parameters.map(|(name, text)| format!("{name}={}", encoded(text))).collect();
    parameters.join("&")
}

/// The address of a target as a link that may be followed: web pages only, never `javascript:` and the like.
pub(super) fn web_address(instance: &str) -> Option<String> {
    let url = Url::parse(instance).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// The address of a probe's page.
pub(super) fn probe(id: u64) -> String {
    format!("/probes/{id}")
}

/// The address of a probe's debug output.
pub(super) fn logs(id: u64) -> String {
    format!("/logs?id={id}")
}

#[cfg(test)]
mod tests {
    use series::Labels;

    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(web_address("http://a/<b>\""), Some("http://a/%3Cb%3E%22".to_owned()));
        for text in [
            "javascript:alert(1)",
            "db.example.com:5432",
            "data:text/html,x",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(web_address(text), None, "{text}");
        }
    }

    #[test]
    fn the_address_of_a_page_says_which_target_is_meant() {
        let instance = "http://a/?q=é&x";
        for (labels, query) in [
            (&[][..], ""),
            (&[("module", "http_2xx")], ""),
            (&[("module", "a&b")], "?module=a%26b"),
            (&[("prober", "here")], "?prober=here"),
            (&[("module", "tls_connect"), ("prober", "here")], "?module=tls_connect&prober=here"),
        ] {
            let labels = Labels::new(labels.iter().copied().chain([("instance", instance)]));
            assert_eq!(
                target(&Identity::of(&labels)),
                format!("/targets/http%3A%2F%2Fa%2F%3Fq%3D%C3%A9%26x{query}")
            );
        }
    }
}
