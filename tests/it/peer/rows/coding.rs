//! Rows about bodies that are compressed.

use testkit::Behaviour;

use super::row::{Row, plain};

/// "hello, compressed world" as gzip, as raw deflate, with the frame of zlib, and as brotli.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9\xd7QH\xce\xcf-(J-.NMQ(\xcf/\xcaI\x01\x00\x08\x9e45\x17\x00\x00\x00";
const DEFLATE: &[u8] = b"\xcbH\xcd\xc9\xc9\xd7QH\xce\xcf-(J-.NMQ(\xcf/\xcaI\x01\x00";
const ZLIB: &[u8] = b"x\x9c\xcbH\xcd\xc9\xc9\xd7QH\xce\xcf-(J-.NMQ(\xcf/\xcaI\x01\x00h\xb2\x08\xde";
const BROTLI: &[u8] = b"\x1b\x16\x00\xf8%A\xc8\xcar\x90M\x80\xc9\x12.\xeaHN?\xe8\x1d";

pub(super) fn rows() -> Vec<Row> {
    [codings(), faults(), checks()].into_iter().flatten().collect()
}

/// An answer with these bytes, said to be in this coding.
fn coded(coding: &str, body: &[u8]) -> Behaviour {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Behaviour::reply([head.as_bytes(), body].concat())
}

fn codings() -> Vec<Row> {
    let accepted = "compression: gzip, headers: { Accept-Encoding: 'br, gzip;q=0.5' }";
    vec![
        plain("gzip", coded("gzip", GZIP), "compression: gzip"),
        plain("gzip accepted", coded("gzip", GZIP), accepted),
        plain("gzip in capitals", coded("gzip", GZIP), "compression: GZIP"),
        plain(
            "gzip that is not announced",
            Behaviour::reply(
                [&b"HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n"[..], GZIP].concat(),
            ),
            "compression: gzip",
        ),
        plain("gzip announced as brotli", coded("br", GZIP), "compression: gzip"),
        plain(
            "gzip until the end",
            Behaviour::reply(
                [&b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"[..], GZIP].concat(),
            ),
            "compression: gzip",
        ),
        plain("deflate", coded("deflate", DEFLATE), "compression: deflate"),
        plain("deflate as zlib", coded("deflate", ZLIB), "compression: deflate"),
        plain("brotli", coded("br", BROTLI), "compression: br"),
        plain("identity", Behaviour::answer(200, "", "hello"), "compression: identity"),
        plain("identity of gzip", coded("gzip", GZIP), "compression: identity"),
        plain("gzip not asked for", coded("gzip", GZIP), ""),
        plain(
            "gzip not asked for and a wanted text",
            coded("gzip", GZIP),
            "fail_if_body_not_matches_regexp: [hello]",
        ),
    ]
}

fn faults() -> Vec<Row> {
    let broken = [&GZIP[..30], b"rubbish", &GZIP[37..]].concat();
    vec![
        plain(
            "gzip wanted of plain text",
            Behaviour::answer(200, "", "hello, world and more"),
            "compression: gzip",
        ),
        plain("gzip wanted of nothing", Behaviour::answer(200, "", ""), "compression: gzip"),
        plain("gzip wanted of HEAD", coded("gzip", b""), "method: HEAD, compression: gzip")
            .differs("no-body-to-decode", &["probe_success"]),
        plain(
            "gzip wanted of 204",
            Behaviour::reply("HTTP/1.1 204 No Content\r\n\r\n"),
            "compression: gzip",
        )
        .differs("no-body-to-decode", &["probe_success"]),
        plain("gzip broken", coded("gzip", &broken), "compression: gzip"),
        plain("gzip cut off", coded("gzip", &GZIP[..30]), "compression: gzip"),
        plain(
            "gzip with a wrong sum",
            coded("gzip", &[&GZIP[..35], &[0; 8]].concat()),
            "compression: gzip",
        ),
        plain(
            "gzip with more behind",
            coded("gzip", &[GZIP, b"more"].concat()),
            "compression: gzip",
        ),
        plain("gzip of two parts", coded("gzip", &[GZIP, GZIP].concat()), "compression: gzip"),
        plain("deflate broken", coded("deflate", b"\xff\xff\xff"), "compression: deflate"),
        plain("deflate cut off", coded("deflate", &DEFLATE[..10]), "compression: deflate"),
        plain(
            "deflate with more behind",
            coded("deflate", &[DEFLATE, b"more"].concat()),
            "compression: deflate",
        ),
        plain("brotli broken", coded("br", b"\xff\xff\xff\xff"), "compression: br"),
        plain("brotli cut off", coded("br", &BROTLI[..10]), "compression: br"),
        plain("brotli wanted of nothing", Behaviour::answer(200, "", ""), "compression: br"),
    ]
}

fn checks() -> Vec<Row> {
    let error = [&b"HTTP/1.1 500 No\r\nContent-Length: 43\r\n\r\n"[..], GZIP].concat();
    vec![
        plain(
            "gzip and a wanted text",
            coded("gzip", GZIP),
            "compression: gzip, fail_if_body_not_matches_regexp: [hello]",
        ),
        plain(
            "gzip and an unwanted text",
            coded("gzip", GZIP),
            "compression: gzip, fail_if_body_matches_regexp: [hello]",
        ),
        plain(
            "gzip broken and a wanted text",
            coded("gzip", &GZIP[..30]),
            "compression: gzip, fail_if_body_not_matches_regexp: [hello]",
        ),
        plain(
            "gzip below the limit",
            coded("gzip", GZIP),
            "compression: gzip, body_size_limit: 23B",
        ),
        plain(
            "gzip above the limit",
            coded("gzip", GZIP),
            "compression: gzip, body_size_limit: 22B",
        ),
        plain("gzip of an error", Behaviour::reply(error), "compression: gzip"),
        plain(
            "plain text of an error and gzip wanted",
            Behaviour::answer(500, "", "no"),
            "compression: gzip",
        ),
    ]
}
