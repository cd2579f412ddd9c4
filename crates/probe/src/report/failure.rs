//! Why a probe failed: the phase and the reason, from closed lists, and the particulars.
//!
//! `phase` and `reason` are closed sets, safe as label values; `detail` is for people and never becomes a label. Must not
//! know how a failure is used.

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stage that failed.
    pub phase: Phase,
    /// The cause, within its stage.
    pub reason: Reason,
    /// The particulars, for people only; may hold text that the target chose.
    pub detail: String,
}

closed_set! {
    /// The stage of a probe that failed.
    Phase {
        /// The target or one of its addresses is not allowed or not a target.
        Policy => "policy",
        /// Looking up the name.
        Resolve => "resolve",
        /// Opening the TCP connection.
        Connect => "connect",
        /// Fetching an access token for the request.
        Token => "token",
        /// Asking a proxy for the connection.
        Proxy => "proxy",
        /// The TLS handshake and the verification of the certificate.
        Tls => "tls",
        /// Sending the request and reading the status line and headers.
        Http => "http",
        /// Following redirects.
        Redirect => "redirect",
        /// Reading the body.
        Body => "body",
        /// Comparing the answer with what the module expects.
        Check => "check",
        /// An internal fault.
        Internal => "internal",
    }
}

closed_set! {
    /// The cause of a failure, within its [`Phase`].
    Reason {
        /// The target is not a valid address for its module.
        InvalidTarget => "invalid_target",
        /// The name does not exist.
        Nxdomain => "nxdomain",
        /// The name exists but has no address of the wanted family.
        Nodata => "nodata",
        /// The name servers failed.
        Servfail => "servfail",
        /// An alias leads to more aliases than are followed, or back to itself.
        CnameLoop => "cname_loop",
        /// Refused: by the name server (resolve) or by a closed port (connect).
        Refused => "refused",
        /// The deadline passed in this phase.
        Timeout => "timeout",
        /// No route, or an ICMP unreachable.
        Unreachable => "unreachable",
        /// The peer reset the connection.
        Reset => "reset",
        /// The peer closed the connection too early.
        Closed => "closed",
        /// The peer closed without a single byte of an answer.
        NoResponse => "no_response",
        /// What came is not the protocol.
        Malformed => "malformed",
        /// The status line and headers are larger or more than is read.
        HeaderLimit => "header_limit",
        /// Endless informational responses.
        TooMany1xx => "too_many_1xx",
        /// Contradictory or broken message framing.
        BadFraming => "bad_framing",
        /// An HTTP/2 GOAWAY before the answer.
        H2Goaway => "h2_goaway",
        /// An HTTP/2 stream reset.
        H2Reset => "h2_reset",
        /// A violation of HTTP/2.
        H2Violation => "h2_violation",
        /// A switch of protocols that nobody asked for.
        UnexpectedUpgrade => "unexpected_upgrade",
        /// A certificate has expired.
        Expired => "expired",
        /// A certificate is not valid yet.
        NotYetValid => "not_yet_valid",
        /// The certificate is for other names.
        NameMismatch => "name_mismatch",
        /// The certificate is self-signed.
        SelfSigned => "self_signed",
        /// The issuer is not trusted.
        Untrusted => "untrusted",
        /// An intermediate certificate is missing.
        IncompleteChain => "incomplete_chain",
        /// The certificate was revoked.
        Revoked => "revoked",
        /// A key or signature is too weak.
        Weak => "weak",
        /// The certificate is not for servers.
        WrongPurpose => "wrong_purpose",
        /// The certificate is malformed or breaks a constraint.
        BadCert => "bad_cert",
        /// No common protocol version.
        Version => "version",
        /// No common cipher suite, group or signature scheme.
        NoCommonParams => "no_common_params",
        /// The server wants a client certificate.
        ClientCert => "client_cert",
        /// The server refused the offered application protocols.
        Alpn => "alpn",
        /// The server does not know the name that was asked for.
        UnrecognizedName => "unrecognized_name",
        /// What came is not TLS.
        NotTls => "not_tls",
        /// The server sent a fatal alert.
        Alert => "alert",
        /// A violation of TLS.
        Violation => "violation",
        /// More redirects than the module allows.
        TooMany => "too_many",
        /// The redirects form a loop.
        Loop => "loop",
        /// The `Location` cannot be followed.
        BadLocation => "bad_location",
        /// The redirect leads to another scheme than http and https.
        DeniedScheme => "denied_scheme",
        /// The body ended before its announced end.
        Truncated => "truncated",
        /// The body is larger than the module allows.
        TooLarge => "too_large",
        /// The body cannot be decoded.
        Decode => "decode",
        /// The decoded body is larger than the module allows.
        DecodeLimit => "decode_limit",
        /// The status code is not an expected one.
        Status => "status",
        /// The version of HTTP is not an expected one.
        HttpVersion => "http_version",
        /// A regular expression matched, or did not, contrary to what the module expects.
        Regexp => "regexp",
        /// What came is not the text that the module expects.
        MissingText => "missing_text",
        /// A header is missing or unwanted.
        Header => "header",
        /// The body is not the JSON that the module expects.
        Json => "json",
        /// The answer took longer than the module allows.
        TooSlow => "too_slow",
        /// TLS was used although the module forbids it.
        Ssl => "ssl",
        /// TLS was not used although the module requires it.
        NotSsl => "not_ssl",
        /// The proxy cannot be connected to.
        Connect => "connect",
        /// The proxy wants other credentials, or the authorization server refused the client.
        Auth => "auth",
        /// What came is not the answer of a proxy.
        BadReply => "bad_reply",
        /// A redirect leads from https to http although the module forbids it.
        Downgrade => "downgrade",
        /// The address is more private than where the probe began (redirect), or is of this program (policy).
        DeniedAddress => "denied_address",
        /// Too much was going on at once.
        Overload => "overload",
        /// No file descriptor, port or buffer was left.
        NoFds => "no_fds",
        /// The probe was cancelled, for example by a shutdown.
        Cancelled => "cancelled",
        /// A file, a name server or a local address that the module names is not there.
        Config => "config",
        /// A programming error.
        Bug => "bug",
    }
}

impl Failure {
    /// A failure with its particulars.
    pub fn new(phase: Phase, reason: Reason, detail: impl Into<String>) -> Self {
        Self { phase, reason, detail: detail.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.phase, self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}
