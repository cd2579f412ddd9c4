//! One request and the head of its answer, over a connection that is used for nothing else.
//!
//! What a browser forgives is forgiven; what would never end is cut off. Must not know redirects or expectations.

use std::sync::Arc;

use http::Method;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer::Answer,
    cause::failure,
    connection::{Connection, Tasks},
    evidence::{answer_text, record, record_fields},
    request::Request,
    wire::{HEAD_BYTES_MAX, HEADER_LIST_BYTES_MAX, HEADERS_MAX, Meter, Wire},
};
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Stage},
};

/// Sends a request by HTTP/1.1.
pub(super) async fn http1<S>(
    stream: S,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let head_only = *request.method == Method::HEAD;
    let io = TokioIo::new(Wire::http1(stream, Arc::clone(&meter), head_only));
    let mut builder = http1::Builder::new();
    builder
        // As Go's client and thus blackbox_exporter writes every name, those of the module's headers as well: there are servers
        // that know `Host` only so. The user's own spelling cannot be had: hyper's `HeaderCaseMap` is private.
        .title_case_headers(true)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX + 1)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let message = request.message(false)?;
    let work = Box::pin(async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        Connection::new(Box::pin(connection), Arc::clone(&meter))
            .send(sender.send_request(message))
            .await
    });
    let outcome = context.stage(Phase::Http, Stage::Processing, work).await.map(Answer::hyper);
    record(&meter, context);
    outcome
}

/// Sends a request by HTTP/2.
pub(super) async fn http2<S>(
    stream: S,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let tasks = Tasks::default();
    let io = TokioIo::new(Wire::http2(stream, Arc::clone(&meter)));
    let mut builder = http2::Builder::new(tasks.clone());
    builder.max_header_list_size(HEADER_LIST_BYTES_MAX);
    let message = request.message(true)?;
    record_fields(&message, context);
    let work = Box::pin(async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        Connection::new(Box::pin(tasks.drive(connection)), Arc::clone(&meter))
            .send(sender.send_request(message))
            .await
    });
    let outcome = context.stage(Phase::Http, Stage::Processing, work).await.map(Answer::hyper);
    record(&meter, context);
    // The head of HTTP/2 is no text, unless it is no HTTP/2.
    if let (Ok(answer), Some(hop)) = (&outcome, context.hop()) {
        hop.keep_head(&answer_text(&answer.parts));
    }
    outcome
}

/// Sends a request over a connection that exists only in memory.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) async fn scripted(
    script: &crate::net::script::Script,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure> {
    if script.http2 {
        http2(script.connect(), request, context).await
    } else {
        http1(script.connect(), request, context).await
    }
}
