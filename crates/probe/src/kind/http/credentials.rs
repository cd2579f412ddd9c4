//! Who the probe says it is: the values of headers that hold secrets, read from the settings and the files that they name.
//!
//! Whatever is read here is hidden from then on. Must not know requests.

use http::{HeaderName, HeaderValue, header};

use super::settings::{BasicAuth, HeaderSources, Identity, Source};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::Net,
    report::{Failure, Phase, Reason},
};

/// The value of the `Authorization` header, without that of `oauth2`; `None` when there is none.
///
/// # Errors
/// An internal failure, when a file never could be read.
pub(super) fn authorization(
    identity: &Identity<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Option<String>, Failure> {
    if let Some(auth) = identity.basic_auth {
        return basic_auth(auth, net, context).map(Some);
    }
    if let Some(auth) = identity.authorization {
        let source = Source::of(auth.credentials.as_ref(), auth.credentials_file.as_ref());
        let credentials = match source {
            Some(source) => secret(&source, net, context)?,
            None => String::new(),
        };
        let scheme = auth.scheme.trim();
        let scheme = if scheme.is_empty() { "Bearer" } else { scheme };
        return Ok(Some(format!("{scheme} {credentials}").trim_end().to_owned()));
    }
    let source = Source::of(identity.bearer_token, identity.bearer_token_file);
    let token = source.map(|source| secret(&source, net, context)).transpose()?;
    Ok(token.map(|token| format!("Bearer {token}")))
}

fn basic_auth(auth: &BasicAuth, net: &Net, context: &mut ProbeContext) -> Result<String, Failure> {
    let user = match &auth.username_file {
        Some(path) => text_file(path, net, context)?,
        None => auth.username.clone(),
    };
    let password = match Source::of(auth.password.as_ref(), auth.password_file.as_ref()) {
        Some(source) => secret(&source, net, context)?,
        None => String::new(),
    };
    Ok(basic(&user, &password, context))
}

/// The value of an `Authorization` or `Proxy-Authorization` header by the Basic scheme.
pub(super) fn basic(user: &str, password: &str, context: &mut ProbeContext) -> String {
    use base64::Engine as _;

    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    context.conceal(password);
    context.conceal(&encoded);
    format!("Basic {encoded}")
}

/// A secret, without the white space around it when it is from a file.
///
/// # Errors
/// An internal failure, when its file never could be read.
pub(super) fn secret(
    source: &Source<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<String, Failure> {
    let secret = match source {
        Source::Here(secret) => (*secret).to_owned(),
        Source::File(path) => text_file(path, net, context)?,
    };
    context.conceal(&secret);
    Ok(secret)
}

/// What a file holds, as text without the white space around it.
fn text_file(path: &str, net: &Net, context: &mut ProbeContext) -> Result<String, Failure> {
    let bytes = steps::file(path, net, context)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Every value of a header of `http_headers`, in the order of the keys.
///
/// # Errors
/// An internal failure, when a file never could be read or holds no value of a header.
pub(super) fn header_values(
    sources: &HeaderSources,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Vec<HeaderValue>, Failure> {
    let own = sources.values.iter().chain(&sources.secrets);
    let mut texts: Vec<String> = own.map(|secret| secret.0.clone()).collect();
    for path in &sources.files {
        texts.push(text_file(path, net, context)?);
    }
    texts.iter().map(|text| header_value(text, context)).collect()
}

/// A text as the value of a header.
///
/// # Errors
/// An internal failure, when it holds control characters.
pub(super) fn header_value(text: &str, context: &mut ProbeContext) -> Result<HeaderValue, Failure> {
    context.conceal(text);
    HeaderValue::from_str(text).map_err(|_| {
        let detail = "a header's value holds line breaks or other control characters";
        Failure::new(Phase::Internal, Reason::Config, detail)
    })
}

/// Hides the parts of a header's value that are secrets of their own: what stands behind the scheme of an identity, and the
/// value of each cookie.
pub(super) fn conceal_parts(name: &HeaderName, text: &str, context: &mut ProbeContext) {
    if *name == header::COOKIE {
        text.split(';')
            .filter_map(|pair| pair.split_once('='))
            .for_each(|(_, value)| context.conceal(value));
    } else if let Some((_, rest)) = text.trim().split_once(' ')
        && [header::AUTHORIZATION, header::PROXY_AUTHORIZATION].contains(name)
    {
        context.conceal(rest);
    }
}
