//! Rows about the head of an answer: header fields, and how they frame the body.

use testkit::Behaviour;

use super::row::{Row, TAKEN, bytes, plain};

pub(super) fn rows() -> Vec<Row> {
    [
        dates(),
        unwanted_fields(),
        wanted_fields(),
        odd_fields(),
        framing(),
        lengths(),
        bodies_that_must_not_be(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn dates() -> Vec<Row> {
    let with = |fields: &str| Behaviour::answer(200, fields, "ok");
    vec![
        plain("last modified", with("Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n"), ""),
        plain(
            "last modified RFC 850",
            with("Last-Modified: Wednesday, 21-Oct-15 07:28:00 GMT\r\n"),
            "",
        ),
        plain("last modified asctime", with("Last-Modified: Wed Oct 21 07:28:00 2015\r\n"), ""),
        plain(
            "last modified with offset",
            with("Last-Modified: Wed, 21 Oct 2015 07:28:00 +0200\r\n"),
            "",
        ),
        plain("last modified nonsense", with("Last-Modified: yesterday\r\n"), ""),
        plain(
            "last modified twice",
            with(
                "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nLast-Modified: Thu, 22 Oct 2015 07:28:00 GMT\r\n",
            ),
            "",
        ),
        plain(
            "last modified of an error",
            Behaviour::answer(500, "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n", ""),
            "",
        ),
    ]
}

fn unwanted_fields() -> Vec<Row> {
    let with = |fields: &str| Behaviour::answer(200, fields, "ok");
    vec![
        plain(
            "header unwanted",
            with("X-Debug: on\r\n"),
            "fail_if_header_matches: [{ header: X-Debug, regexp: 'o.' }]",
        ),
        plain(
            "header unwanted and other",
            with("X-Debug: off\r\n"),
            "fail_if_header_matches: [{ header: X-Debug, regexp: '^on$' }]",
        ),
        plain(
            "header unwanted and missing",
            with(""),
            "fail_if_header_matches: [{ header: X-Debug, regexp: 'on' }]",
        ),
        plain(
            "header unwanted and allowed to miss",
            with(""),
            "fail_if_header_matches: [{ header: X-Debug, regexp: 'on', allow_missing: true }]",
        ),
        plain(
            "header unwanted among two",
            with("X-Debug: off\r\nX-Debug: on\r\n"),
            "fail_if_header_matches: [{ header: X-Debug, regexp: '^on$' }]",
        ),
    ]
}

fn wanted_fields() -> Vec<Row> {
    let with = |fields: &str| Behaviour::answer(200, fields, "ok");
    vec![
        plain(
            "header wanted",
            with("Content-Type: text/html\r\n"),
            "fail_if_header_not_matches: [{ header: content-type, regexp: '^text/' }]",
        ),
        plain(
            "header wanted and other",
            with("Content-Type: image/png\r\n"),
            "fail_if_header_not_matches: [{ header: Content-Type, regexp: '^text/' }]",
        ),
        plain(
            "header wanted and missing",
            with(""),
            "fail_if_header_not_matches: [{ header: Content-Type, regexp: '^text/' }]",
        ),
        plain(
            "header wanted and allowed to miss",
            with(""),
            "fail_if_header_not_matches: [{ header: Content-Type, regexp: '^text/', allow_missing: true }]",
        ),
        plain(
            "header wanted among two",
            with("X-A: 1\r\nX-A: 2\r\n"),
            "fail_if_header_not_matches: [{ header: X-A, regexp: '2' }]",
        ),
        plain(
            "header wanted and empty",
            with("X-A:\r\n"),
            "fail_if_header_not_matches: [{ header: X-A, regexp: '^$' }]",
        ),
        plain(
            "header wanted of an error",
            Behaviour::answer(500, "", ""),
            "fail_if_header_not_matches: [{ header: X-A, regexp: '2' }]",
        ),
        plain(
            "header wanted in wrong version",
            with(""),
            "valid_http_versions: [HTTP/1.0], fail_if_header_not_matches: [{ header: X-A, regexp: '2' }]",
        ).differs("first-failure", &["probe_failed_due_to_regex"]),
    ]
}

fn odd_fields() -> Vec<Row> {
    let with = |fields: &str| Behaviour::answer(200, fields, "ok");
    vec![
        plain("200 header fields", with(&"X-Many: yes\r\n".repeat(200)), ""),
        plain("3000 header fields", with(&"X-Many: yes\r\n".repeat(3000)), "")
            .differs("head-limit", TAKEN),
        plain("header field of 100 KB", with(&format!("X-Long: {}\r\n", "x".repeat(100_000))), ""),
        plain("header field of 2 MB", with(&format!("X-Long: {}\r\n", "x".repeat(2_000_000))), "")
            .differs("head-limit", TAKEN),
        plain(
            "header field in UTF-8",
            with("X-Name: Zoë\r\n"),
            "fail_if_header_not_matches: [{ header: X-Name, regexp: 'Zoë' }]",
        ),
        plain(
            "header field over two lines",
            with("X-Long: one\r\n two\r\n"),
            "fail_if_header_not_matches: [{ header: X-Long, regexp: '^one two$' }]",
        ),
        plain("space before the colon", with("X-Space : yes\r\n"), ""),
        plain("no colon", with("Nonsense\r\n"), ""),
        bytes("name that is none", "HTTP/1.1 200 OK\r\nX{}: a\r\nContent-Length: 2\r\n\r\nok", "")
            .differs("lenient-head", TAKEN),
        bytes(
            "control character in a value",
            "HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nok",
            "",
        )
        .differs("lenient-head", TAKEN),
        bytes("folded line first", "HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok", "")
            .differs("lenient-head", TAKEN),
        bytes(
            "two spaces before the status",
            "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
            "",
        )
        .differs("strict-head", TAKEN),
        bytes(
            "control character in the reason phrase",
            "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok",
            "",
        )
        .differs("strict-head", TAKEN),
        plain("name with a space", with("X Space: yes\r\n"), ""),
        plain("empty name", with(": yes\r\n"), "").differs("lenient-head", TAKEN),
        plain("NUL in a value", with("X-A: a\0b\r\n"), ""),
        plain("bare CR in a value", with("X-A: a\rb\r\n"), "").differs("lenient-head", TAKEN),
    ]
}

fn framing() -> Vec<Row> {
    vec![
        bytes("until the end", "HTTP/1.1 200 OK\r\n\r\nhello", ""),
        bytes("empty until the end", "HTTP/1.1 200 OK\r\n\r\n", ""),
        bytes(
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n yo\r\n0\r\n\r\n",
            "",
        ),
        bytes(
            "chunks with extension",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
            "",
        ),
        bytes(
            "chunks with trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
            "",
        ),
        bytes(
            "chunks of bad size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
            "",
        ),
        bytes(
            "chunk longer than its size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
            "",
        ),
        bytes(
            "chunk of huge size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
            "",
        ),
        bytes(
            "gzip in chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "",
        )
        .differs("lenient-head", TAKEN),
        bytes(
            "chunk with spaces around its size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2 \r\nok\r\n0\r\n\r\n",
            "",
        ),
        bytes(
            "chunks and a wanted length",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "fail_if_header_not_matches: [{ header: Content-Length, regexp: '5' }]",
        )
        .differs("length-beside-chunks", &["probe_failed_due_to_regex", "probe_success"]),
        bytes(
            "chunks and length",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "",
        ),
    ]
}

fn lengths() -> Vec<Row> {
    vec![
        bytes(
            "unknown transfer coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            "",
        ),
        bytes("more than the length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", ""),
        bytes(
            "same length twice",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "",
        ),
        bytes("length in a list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "")
            .differs("lenient-head", TAKEN),
        bytes(
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
            "",
        ),
        bytes("negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", ""),
        bytes("length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", ""),
        bytes("length in letters", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", ""),
        bytes("empty length", "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello", "")
            .differs("strict-head", TAKEN),
        bytes("length of an error", "HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nhello", ""),
    ]
}

fn bodies_that_must_not_be() -> Vec<Row> {
    vec![
        bytes("204 with length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ""),
        bytes("204 with body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", ""),
        bytes(
            "304 with length",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "valid_status_codes: [304]",
        ),
        bytes(
            "HEAD with length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
            "method: HEAD",
        ),
        bytes(
            "HEAD with body",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "method: HEAD",
        ),
        bytes(
            "HEAD in chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "method: HEAD",
        ),
        plain("body of 1 MB", Behaviour::answer(200, "", &"x".repeat(1_000_000)), ""),
        plain("body of 12 MB", Behaviour::answer(200, "", &"x".repeat(12_000_000)), "")
            .differs("body-of-10-mib", &["probe_http_uncompressed_body_length"]),
    ]
}
