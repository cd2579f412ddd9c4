//! The parameters of a request, from its address and its form.
//!
//! A name may be given more than once, and each endpoint's contract says which of its values counts: whoever reads a parameter
//! names the rule. Must not know which endpoint takes which parameter.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{Method, header},
};
use url::form_urlencoded;

use super::limits::FORM_BYTES_MAX;

/// The parameters in their order: those of the form, then those of the address.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// The form of a request cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the form cannot be read or is larger than {FORM_BYTES_MAX} bytes")]
pub(crate) struct FormError;

impl Parameters {
    /// The parameters of an address: what follows its question mark.
    pub(crate) fn of_query(query: Option<&str>) -> Self {
        let mut parameters = Self::default();
        parameters.extend(query.unwrap_or("").as_bytes());
        parameters
    }

    /// The parameters of a request; those of a form only if it is posted.
    ///
    /// # Errors
    /// When the form is too large or does not arrive.
    pub(crate) async fn of_request(request: Request) -> Result<Self, FormError> {
        let (head, body) = request.into_parts();
        let mut parameters = Self::default();
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or("").trim();
        if head.method == Method::POST
            && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            let form = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| FormError)?;
            parameters.extend(&form);
        }
        parameters.extend(head.uri.query().unwrap_or("").as_bytes());
        Ok(parameters)
    }

    fn extend(&mut self, encoded: &[u8]) {
        self.0.extend(form_urlencoded::parse(encoded).into_owned());
    }

    /// All names with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that counts where the first one does: in Prometheus's API.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a parameter that counts where the last one does: in the addresses of pages.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).next_back()
    }

    /// A name that is given more than once, for endpoints that refuse that because nobody knows which value was meant.
    pub(crate) fn duplicate(&self) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| self.all(name).nth(1).is_some())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let parameters =
            Parameters::of_query(Some("target=http%3A%2F%2Fa%2F%3Fq%3D%2525+x&m=%2By"));
        assert_eq!(parameters.first("target"), Some("http://a/?q=%25 x"));
        assert_eq!(parameters.first("m"), Some("+y"));
        assert_eq!(Parameters::of_query(None).iter().count(), 0);
    }

    #[test]
    fn whoever_reads_says_which_value_counts() {
        let parameters = Parameters::of_query(Some("a=1&b=&a=2"));
        assert_eq!((parameters.first("a"), parameters.last("a")), (Some("1"), Some("2")));
        assert_eq!(parameters.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((parameters.first("b"), parameters.last("c")), (Some(""), None));
        assert_eq!(parameters.duplicate(), Some("a"));
        assert_eq!(Parameters::of_query(Some("a=1&b=1")).duplicate(), None);
    }

    #[tokio::test]
    async fn the_parameters_of_a_form_come_before_those_of_the_address() {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        for (method, kind, first) in
            [("POST", form, "form"), ("GET", form, "address"), ("POST", "text/plain", "address")]
        {
            let request = Request::builder().method(method).uri("/?a=address");
            let request = request.header(header::CONTENT_TYPE, kind).body(Body::from("a=form"));
            let parameters = Parameters::of_request(request.unwrap()).await.unwrap();
            assert_eq!(parameters.first("a"), Some(first), "{method} {kind}");
        }
        let long = Body::from("a".repeat(FORM_BYTES_MAX + 1));
        let request =
            Request::builder().method("POST").header(header::CONTENT_TYPE, form).body(long);
        assert!(Parameters::of_request(request.unwrap()).await.is_err());
    }
}
