//! The head of an HTTP/1 answer: recognised, bounded, and corrected where browsers forgive.
//!
//! A head is judged line by line and handed on when it is complete, so that it does not matter in which pieces it came. Must
//! not know sockets.

use super::{
    super::cookies::COOKIES_MAX,
    seen::{INFORMATIONAL_MAX, Seen, Stop},
};
use crate::report::{Reason, Warning};

/// How many bytes all heads of an answer together may have. Browsers take a quarter of it; a server that sends more is broken.
pub(in super::super) const HEAD_BYTES_MAX: usize = 1024 * 1024;

/// How many headers an answer may have. Browsers limit their size, not their number; hyper's own limit of 100 would call
/// healthy sites down. The HTTP library takes a table of this size for each answer, so that every probe pays for more.
pub(in super::super) const HEADERS_MAX: usize = 512;

/// How many empty lines may come before the status line (RFC 9112 §2.2 knows of one).
const EMPTY_LINES_MAX: usize = 16;

/// How a status line begins, up to the minor version.
const STATUS_LINE: &[u8] = b"HTTP/1.";

/// How other protocols begin, and what they are called. A banner is enough: their servers may say no more before the client does.
const OTHERS: [(&[u8], &str); 17] = [
    (b"SSH-", "SSH"),
    (&[0x15, 3], "TLS"),
    (&[0x16, 3], "TLS"),
    (b"<", "HTML"),
    (b"{", "JSON"),
    (b"220 ", "SMTP or FTP"),
    (b"220-", "SMTP or FTP"),
    (b"421 ", "SMTP or FTP"),
    (b"554 ", "SMTP"),
    (b"+OK", "POP3"),
    (b"* OK", "IMAP"),
    (b"* BYE", "IMAP"),
    (b"RTSP/", "RTSP"),
    (b"SIP/", "SIP"),
    (b"-ERR", "Redis"),
    (b"-DENIED", "Redis"),
    (b"HTTP/", "another version of HTTP"),
];

/// What came is not what was asked for; says what it looks like.
pub(super) fn not_http(what: &str, bytes: &[u8]) -> Stop {
    let other = OTHERS.iter().find(|(start, _)| bytes.starts_with(start));
    let hint = other.map(|(_, name)| format!(": looks like {name}")).unwrap_or_default();
    Stop::new(Reason::Malformed, format!("{what}{hint}"))
}

/// Whether more bytes could still make this the beginning of a status line, or of a protocol that is known by name.
fn is_undecided(bytes: &[u8]) -> bool {
    let begins = |start: &[u8]| start.len() > bytes.len() && start.starts_with(bytes);
    begins(STATUS_LINE) || begins(b"\r\n") || OTHERS.iter().any(|(start, _)| begins(start))
}

/// The heads of an answer up to the one that is no informational answer, and what came with it.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Whether the request was a HEAD, whose answer has no body.
    bodiless: bool,
    /// What came and was not handed on.
    buffer: Vec<u8>,
    /// How much of the buffer was handed on.
    given: usize,
    /// Where the line in progress begins, and how far its end was looked for.
    line: usize,
    scanned: usize,
    /// How many bytes of heads were dropped: informational answers, and empty lines before a status line.
    dropped: usize,
    empty_lines: usize,
    informational: usize,
    complete: bool,
    message: Message,
}

/// What the lines of one head say up to now.
#[derive(Debug, Default)]
struct Message {
    status: Option<u16>,
    headers: usize,
    cookies: usize,
    /// Whether the last header was a cookie too many, so that its folded lines go with it.
    is_left_out: bool,
    length: Option<u64>,
    has_transfer_encoding: bool,
}

impl Head {
    pub(super) fn new(bodiless: bool) -> Self {
        Self { bodiless, ..Self::default() }
    }

    /// Whether only the body is still to come.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What can be handed on.
    pub(super) fn ready(&self) -> Option<&[u8]> {
        let rest = self.buffer.get(self.given..)?;
        (self.complete && !rest.is_empty()).then_some(rest)
    }

    /// Takes in how much was handed on.
    pub(super) fn given(&mut self, bytes: usize) {
        self.given += bytes;
        if self.given >= self.buffer.len() {
            self.buffer = Vec::new();
            self.given = 0;
        }
    }

    /// Takes in how many bytes came after the head; says whether they are more than it announced.
    pub(super) fn body_bytes(&mut self, bytes: u64) -> bool {
        if self.bodiless || matches!(self.message.status, Some(204 | 304)) {
            return false;
        }
        match &mut self.message.length {
            Some(left) if !self.message.has_transfer_encoding => {
                let excess = bytes > *left;
                *left = left.saturating_sub(bytes);
                excess
            }
            _ => false,
        }
    }

    /// Takes in that the connection ended before the head did.
    pub(super) fn end(&self) -> Result<(), Stop> {
        let bytes = self.buffer.as_slice();
        if self.message.status.is_some() || STATUS_LINE.starts_with(bytes) || bytes == b"\r" {
            return Ok(());
        }
        if bytes.starts_with(STATUS_LINE) { Ok(()) } else { Err(not_http("no status line", bytes)) }
    }

    /// Reads received bytes.
    pub(super) fn take(&mut self, bytes: &[u8], seen: &mut Seen) -> Result<(), Stop> {
        seen.keep(bytes);
        self.buffer.extend_from_slice(bytes);
        while !self.complete {
            let unread = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(length) = unread.iter().position(|byte| *byte == b'\n') else {
                self.scanned = self.buffer.len();
                self.check_size(self.buffer.len())?;
                return self.check_beginning();
            };
            let end = self.scanned + length + 1;
            self.check_size(end)?;
            self.scanned = end;
            let begin = std::mem::replace(&mut self.line, end);
            self.take_line(begin, end, seen)?;
        }
        Ok(())
    }

    fn check_size(&self, bytes: usize) -> Result<(), Stop> {
        if self.dropped + bytes <= HEAD_BYTES_MAX {
            return Ok(());
        }
        let detail = format!("the head of the answer is larger than {HEAD_BYTES_MAX} bytes");
        Err(Stop::new(Reason::HeaderLimit, detail))
    }

    /// Looks at a status line of which only the beginning is there.
    fn check_beginning(&self) -> Result<(), Stop> {
        let bytes = self.buffer.get(self.line..).unwrap_or_default();
        let is_fine =
            self.message.status.is_some() || bytes.starts_with(STATUS_LINE) || is_undecided(bytes);
        if is_fine { Ok(()) } else { Err(not_http("no status line", bytes)) }
    }

    /// Takes in a line of the buffer, its end included.
    fn take_line(&mut self, begin: usize, end: usize, seen: &mut Seen) -> Result<(), Stop> {
        let line = self.buffer.get_mut(begin..end).unwrap_or_default();
        let (line, is_bare) = match line {
            [text @ .., b'\r', b'\n'] => (text, false),
            [text @ .., b'\n'] => (text, true),
            _ => return Ok(()),
        };
        if !line.is_empty() {
            let wanted = self.message.take_line(line, seen)?;
            if is_bare {
                seen.warn(Warning::BareLineFeed);
            }
            if !wanted {
                self.buffer.drain(begin..end);
                self.dropped += end - begin;
                (self.line, self.scanned) = (begin, begin);
            }
            return Ok(());
        }
        let Some(status) = self.message.status else {
            self.empty_lines += 1;
            if self.empty_lines > EMPTY_LINES_MAX {
                let detail = format!("more than {EMPTY_LINES_MAX} empty lines, no status line");
                return Err(Stop::new(Reason::Malformed, detail));
            }
            self.drop_up_to(end, seen);
            return Ok(());
        };
        if is_bare {
            seen.warn(Warning::BareLineFeed);
        }
        // 101 is no informational answer in this sense: nothing of HTTP follows it.
        if (100..200).contains(&status) && status != 101 {
            self.informational += 1;
            if self.informational > INFORMATIONAL_MAX {
                return Err(Stop::too_many_informational());
            }
            self.drop_up_to(end, seen);
            self.message = Message::default();
            return Ok(());
        }
        if self.message.length.is_some() && self.message.has_transfer_encoding {
            seen.warn(Warning::LengthAndChunks);
        }
        seen.head.truncate(end);
        self.complete = true;
        if self.body_bytes((self.buffer.len() - end) as u64) {
            seen.warn(Warning::ExcessBody);
        }
        Ok(())
    }

    /// Forgets the buffer up to the end of a line; nothing behind it was touched yet.
    fn drop_up_to(&mut self, end: usize, seen: &mut Seen) {
        self.buffer.drain(..end);
        self.dropped += end;
        (self.line, self.scanned) = (0, 0);
        seen.head.clear();
        seen.keep(&self.buffer);
    }
}

impl Message {
    /// Takes in a line without its end, corrects what must be corrected, and warns of what is forgiven. Says whether the line is
    /// handed on: cookies that nobody would keep are not.
    fn take_line(&mut self, line: &mut [u8], seen: &mut Seen) -> Result<bool, Stop> {
        if self.status.is_none() {
            self.status = Some(status(line, seen)?);
            return Ok(true);
        }
        let malformed = |detail: &str| Err(Stop::new(Reason::Malformed, detail));
        if line.contains(&0) {
            return malformed("a NUL in a header");
        }
        // hyper joins folded lines.
        let folded = self.headers > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        let colon = if folded { Some(0) } else { line.iter().position(|byte| *byte == b':') };
        let Some(colon) = colon else { return malformed("a header without a colon") };
        let (name, value) = line.split_at_mut(colon);
        for byte in value.iter_mut().filter(|byte| **byte == b'\r') {
            *byte = b' ';
            seen.warn(Warning::CarriageReturn);
        }
        if folded {
            seen.warn(Warning::ObsoleteFolding);
            return Ok(!self.is_left_out);
        }
        if name.trim_ascii_end().eq_ignore_ascii_case(b"set-cookie") {
            self.cookies += 1;
            self.is_left_out = self.cookies > COOKIES_MAX;
        } else {
            self.is_left_out = false;
        }
        if self.is_left_out {
            return Ok(false);
        }
        self.headers += 1;
        if self.headers > HEADERS_MAX {
            let detail = format!("more than {HEADERS_MAX} headers");
            return Err(Stop::new(Reason::HeaderLimit, detail));
        }
        match name {
            [] => seen.warn(Warning::EmptyHeaderName),
            [.., b' ' | b'\t'] => seen.warn(Warning::SpaceBeforeColon),
            _ => {}
        }
        let name = name.trim_ascii_end();
        let value = value.get(1..).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.has_transfer_encoding = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // A list is one length when all of it is the same; what else it may be is judged by hyper.
            let first = value.split(|byte| *byte == b',').next().unwrap_or_default();
            let first = std::str::from_utf8(first.trim_ascii()).ok();
            self.length = first.and_then(|digits| digits.parse().ok()).or(self.length);
        }
        Ok(true)
    }
}

/// The status code of a status line, whose minor version is lowered to one that hyper knows.
fn status(line: &mut [u8], seen: &mut Seen) -> Result<u16, Stop> {
    if !line.starts_with(STATUS_LINE) {
        return Err(not_http("no status line", line));
    }
    let malformed = || Stop::new(Reason::Malformed, "a malformed status line");
    let (version, rest) = line.split_at_mut_checked(STATUS_LINE.len()).ok_or_else(malformed)?;
    debug_assert_eq!(version.len(), STATUS_LINE.len());
    let [minor @ b'0'..=b'9', b' ', code @ ..] = rest else { return Err(malformed()) };
    if *minor > b'1' {
        *minor = b'1';
        seen.warn(Warning::HttpVersion);
    }
    let [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = code else {
        return Err(Stop::new(Reason::Malformed, "a status that is no number from 100 to 999"));
    };
    if !matches!(rest, [] | [b' ', ..]) {
        return Err(Stop::new(Reason::Malformed, "a status that is no number from 100 to 999"));
    }
    let digit = |byte: u8| u16::from(byte - b'0');
    Ok(digit(*hundreds) * 100 + digit(*tens) * 10 + digit(*ones))
}
