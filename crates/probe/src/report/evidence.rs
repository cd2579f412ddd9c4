//! What a probe saw, for people who ask why: requests, heads of answers, the first bytes of bodies, certificates.
//!
//! Bounded in size, free of control characters and of every secret that the probe conceals. Never a label. Must
//! not know how it is shown.

use std::{net::SocketAddr, time::Duration};

use notation::text::cut;

use super::{stage::Stage, text::printable, tls::TlsSummary};

/// How many requests of one probe are kept: the first ones and the last one.
const HOPS_MAX: usize = 12;

/// The longest text of each kind, in bytes: with [`HOPS_MAX`], what the memory of one remembered probe is bounded by.
const REQUEST_BYTES_MAX: usize = 1024;
const HEAD_BYTES_MAX: usize = 2048;
const BODY_BYTES_MAX: usize = 512;

/// What a probe saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Each request with its answer, in order; redirects, retries and further addresses included.
    pub hops: Vec<Hop>,
    /// What is wrong with answers that are accepted nevertheless.
    pub warnings: Vec<Warning>,
}

/// One request and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hop {
    /// Which attempt this belongs to, counted from 1.
    pub attempt: u32,
    /// The method and the URL.
    pub title: String,
    /// What was sent, but for bodies and secrets: the line and the fields of the request by HTTP/1.1, byte by byte as they were
    /// sent; the fields by HTTP/2 and HTTP/3; what was said in a dialogue. Empty when nothing was sent.
    pub request: String,
    /// The address that the connection goes to.
    pub peer: Option<SocketAddr>,
    /// The TLS connection, when there was a handshake.
    pub tls: Option<TlsSummary>,
    /// The status line and headers of the answer, or whatever came instead of them.
    pub head: String,
    /// The first bytes of the body, as far as it was read.
    pub body: String,
    /// How long each stage of this hop took; only those that were reached.
    pub times: Vec<(Stage, Duration)>,
}

closed_set! {
    /// Something wrong with an answer that is accepted nevertheless, because browsers do.
    Warning {
        /// A minor version of HTTP/1 above 1.
        HttpVersion => "http_version",
        /// A header that goes on in the next line (RFC 9112 §5.2).
        ObsoleteFolding => "obsolete_folding",
        /// A space between a header's name and its colon.
        SpaceBeforeColon => "space_before_colon",
        /// A header without a name.
        EmptyHeaderName => "empty_header_name",
        /// Lines that end with LF alone.
        BareLineFeed => "bare_line_feed",
        /// A carriage return inside a header's value.
        CarriageReturn => "carriage_return",
        /// Both `Content-Length` and `Transfer-Encoding`: the shape of request smuggling.
        LengthAndChunks => "length_and_chunks",
        /// More bytes than `Content-Length` announced.
        ExcessBody => "excess_body",
        /// TLS ended without `close_notify`.
        NoCloseNotify => "no_close_notify",
        /// A redirect from https to http.
        Downgrade => "downgrade",
        /// A redirect that names a user or a password.
        UserInLocation => "user_in_location",
        /// The first name server did not answer.
        NameServer => "name_server",
        /// The answer of a name server was cut to the length of a datagram.
        TruncatedAnswer => "truncated_answer",
        /// The time of day was set during the probe.
        ClockStep => "clock_step",
    }
}

impl Evidence {
    /// Begins a hop. When there are too many, the last one gives way.
    pub(crate) fn begin(&mut self, hop: Hop) {
        if self.hops.len() >= HOPS_MAX {
            self.hops.pop();
        }
        // Most probes have one request: room for four, as a vector would make at first, stays empty.
        self.hops.reserve_exact(1);
        self.hops.push(hop);
    }

    /// The hop in progress.
    pub(crate) fn hop(&mut self) -> Option<&mut Hop> {
        self.hops.last_mut()
    }

    /// Takes a warning in, once.
    pub(crate) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Bounds every text, and hides in it what `hide` does.
    pub(crate) fn seal(&mut self, hide: impl Fn(&mut String)) {
        for hop in &mut self.hops {
            for (text, bytes_max) in [
                (&mut hop.title, REQUEST_BYTES_MAX),
                (&mut hop.request, REQUEST_BYTES_MAX),
                (&mut hop.head, HEAD_BYTES_MAX),
                (&mut hop.body, BODY_BYTES_MAX),
            ] {
                hide(text);
                cut(text, bytes_max);
                text.shrink_to_fit();
            }
        }
    }

    /// How many bytes of memory this takes, about.
    pub fn bytes(&self) -> usize {
        let texts = |hop: &Hop| {
            let tls = hop.tls.as_ref().map_or(0, TlsSummary::bytes);
            let texts = hop.title.len() + hop.request.len() + hop.head.len() + hop.body.len();
            texts + tls + size_of::<Hop>()
        };
        self.hops.iter().map(texts).sum::<usize>() + size_of::<Self>()
    }
}

impl Hop {
    /// Keeps the beginning of a request.
    pub(crate) fn keep_request(&mut self, bytes: &[u8]) {
        self.request = printable(bytes, REQUEST_BYTES_MAX);
    }

    /// Keeps the beginning of an answer, as text without control characters other than line ends.
    pub(crate) fn keep_head(&mut self, bytes: &[u8]) {
        self.head = printable(bytes, HEAD_BYTES_MAX);
    }

    /// Keeps the beginning of a body.
    pub(crate) fn keep_body(&mut self, bytes: &[u8]) {
        self.body = printable(bytes, BODY_BYTES_MAX);
    }

    /// Adds to the time of a stage.
    pub(crate) fn add_time(&mut self, stage: Stage, elapsed: Duration) {
        match self.times.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, sum)) => *sum += elapsed,
            None => self.times.push((stage, elapsed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hops_and_the_last_one_are_kept() {
        let mut evidence = Evidence::default();
        for number in 0..100 {
            evidence.begin(Hop { attempt: number, ..Hop::default() });
        }
        assert_eq!(evidence.hops.len(), HOPS_MAX);
        assert_eq!(evidence.hops.last().unwrap().attempt, 99);
    }
}
