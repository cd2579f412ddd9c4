//! Bodies that are endless, in dust, encoded, not encoded or not what they claim to be: rows 33, 34, 56, 62 to 69 and 120.
//!
//! Must not know how bodies are decoded.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder},
};
use probe::ProbeResult;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use testkit::{Behaviour, Step};

use crate::row::{HTTP_BODY, Row};

const MIB: usize = 1024 * 1024;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn brotli(data: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::CompressorWriter::new(&mut encoded, 4096, 1, 22).write_all(data).unwrap();
    encoded
}

fn zstd(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, CompressionLevel::Fastest)
}

/// The `http:` section with these keys.
fn http(keys: &str) -> String {
    format!("{{ prober: http, http: {{ {keys} }} }}")
}

fn reply(headers: &str, body: &[u8]) -> Behaviour {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Behaviour::reply([head.as_bytes(), body].concat())
}

/// A head, then this over and over.
fn endless(headers: &str, part: &[u8]) -> Behaviour {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
    Behaviour::Script(vec![Step::ReadRequest, Step::Send(head.into()), Step::Repeat(part.to_vec())])
}

/// A head, then this, and nothing more.
fn stalled(headers: &str, body: &str) -> Behaviour {
    let start = format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}");
    Behaviour::Script(vec![Step::ReadRequest, Step::Send(start.into()), Step::Silence])
}

/// Whether a metric has this value.
fn has(name: &'static str, value: f64) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let found: Vec<f64> = result
            .samples
            .iter()
            .filter(|sample| sample.metric.name == name)
            .map(|sample| sample.value)
            .collect();
        if found == [value] { Ok(()) } else { Err(format!("{name} is {found:?}, not {value}")) }
    }
}

pub(crate) fn rows() -> Vec<Row> {
    [endless_bodies(), codings(), bombs(), contents(), streams()].into_iter().flatten().collect()
}

fn endless_bodies() -> Vec<Row> {
    let row = |number, name, behaviour, expected, settings: &str| {
        Row::server(number, name, behaviour, expected).module(settings)
    };
    let limited = http("body_size_limit: 1MB");
    let encoded = http("compression: gzip");
    let announced = stalled("Content-Length: 9223372036854775807\r\n", "ok");
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        row(
            "33d",
            "chunks without end, limited",
            Behaviour::endless_chunks(),
            "body/too_large",
            &limited,
        ),
        row(
            "33e",
            "a body without end, hashed",
            Behaviour::endless_body(),
            "body/too_large",
            &http("body_hash: true"),
        ),
        row(
            "34b",
            "a wanted body announced as endless",
            announced.clone(),
            "body/too_large",
            HTTP_BODY,
        ),
        row("34c", "an encoded body announced as endless", announced, "body/too_large", &encoded),
        row(
            "56c",
            "chunks of a byte, encoded",
            endless(chunked, &b"1\r\nx\r\n".repeat(4096)),
            "body/decode",
            &encoded,
        ),
        row(
            "56d",
            "chunks of a byte, hashed",
            endless(chunked, &b"1\r\nx\r\n".repeat(4096)),
            "body/too_large",
            &http("body_hash: true"),
        ),
    ]
}

fn codings() -> Vec<Row> {
    let whole = gzip(&b"some text that is worth it ".repeat(1000));
    let cut = whole[..whole.len() - 5].to_vec();
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 8].fill(0xFF);
    let asked = http("compression: gzip");
    let mut rows = vec![
        Row::server("62a", "gzip", reply("Content-Encoding: gzip\r\n", &whole), "up")
            .module(&asked)
            .and(has("probe_http_uncompressed_body_length", 27_000.0)),
    ];
    for (number, name, body) in [
        ("62b", "gzip that is none", b"plain text".to_vec()),
        ("62c", "corrupt gzip", corrupt),
        ("62d", "gzip that is cut off", cut),
        ("62e", "gzip that is empty", Vec::new()),
        ("62f", "gzip and something else", [whole.as_slice(), b"something else"].concat()),
    ] {
        let behaviour = reply("Content-Encoding: gzip\r\n", &body);
        rows.push(Row::server(number, name, behaviour.clone(), "body/decode").module(&asked));
        rows.push(Row::server(number, name, behaviour, "up"));
    }
    let unknown = reply("Content-Encoding: x-rot13\r\n", b"BX");
    rows.extend([
        Row::server("66a", "an unknown coding", unknown.clone(), "up"),
        Row::server("66b", "an unknown coding, to be decoded", unknown, "body/decode")
            .module(asked),
    ]);
    rows
}

fn bombs() -> Vec<Row> {
    let zeros = vec![0; 4 * MIB];
    // Several in a row are one, for these two.
    let gzipped = gzip(&zeros).repeat(100);
    let gzips = gzip(&gzip(&gzip(&gzip(&gzip(&gzipped)))));
    let once = has("probe_http_uncompressed_body_length", {
        let decoded = gzip(&gzip(&gzip(&gzip(&gzipped)))).len();
        f64::from(u32::try_from(decoded).unwrap())
    });
    let zeros = vec![0; 11 * MIB];
    // A frame with a window of 2 GiB and one empty block; a brotli stream with a window of 2^30 bytes.
    let window = b"\x28\xB5\x2F\xFD\x00\xA8\x01\x00\x00";
    let large_brotli = b"\x11\x1E\x03";
    let row = |number, name, body: &[u8], coding: &str, expected| {
        let keys = format!("compression: {coding}");
        Row::server(number, name, reply("", body), expected).module(http(&keys))
    };
    vec![
        row("63a", "a gzip bomb", &gzipped, "gzip", "body/decode_limit"),
        row("63b", "a deflate bomb", &deflate(&zeros), "deflate", "body/decode_limit"),
        row("63c", "a gzip bomb, wanted", &gzipped, "gzip", "body/decode_limit")
            .module(http("compression: gzip, fail_if_body_matches_regexp: [x]")),
        row("63d", "a gzip bomb, limited", &gzipped, "gzip", "body/too_large")
            .module(http("compression: gzip, body_size_limit: 512KB")),
        row("63e", "a bomb below its limit", &brotli(&zeros), "br", "body/decode_limit")
            .module(http("compression: br, body_size_limit: 100MB")),
        row("64", "gzip of gzip, six times", &gzips, "gzip", "up").and(once),
        row("65a", "a brotli bomb", &brotli(&zeros), "br", "body/decode_limit"),
        row("65b", "a zstd bomb", &zstd(&zeros).repeat(3), "zstd", "body/decode_limit"),
        row("65c", "zstd with a window of 2 GiB", window, "zstd", "body/decode_limit"),
        row("65d", "brotli with a window of 1 GiB", large_brotli, "br", "body/decode"),
    ]
}

fn contents() -> Vec<Row> {
    let row = |number, name, body: &[u8], expected, keys: &str| {
        Row::server(number, name, reply("", body), expected).module(http(keys))
    };
    let regexp = "fail_if_body_not_matches_regexp: ['o.?k']";
    let json = "fail_if_body_json_not_matches: [{ pointer: /status, equals: ok }]";
    let utf16: Vec<u8> = "\u{FEFF}ok".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let values = format!("[{}0]", "0,".repeat(MIB));
    let objects = format!("[{}0]", "{\"\":0},".repeat(MIB / 2));
    vec![
        row("67a", "a body that is no UTF-8", b"\xFF\xFE\xC0ok\x80", "up", regexp),
        row(
            "67b",
            "a body in UTF-16",
            &utf16,
            "up",
            "fail_if_body_not_matches_regexp: ['o\\x00k']",
        ),
        row(
            "67c",
            "a body with NUL",
            b"\0o\0k\0",
            "up",
            "fail_if_body_not_matches_regexp: ['o.k']",
        ),
        row("67d", "a body with a byte order mark", b"\xEF\xBB\xBFok", "up", regexp),
        row("67e", "a charset that there is not", b"ok", "up", regexp),
        row(
            "68",
            "a regular expression that others cannot bear",
            "a".repeat(64 * 1024).as_bytes(),
            "check/regexp",
            "fail_if_body_not_matches_regexp: ['(a|aa)+(a*)*$x']",
        ),
        Row::server(
            "69a",
            "JSON without end",
            endless("", "[0,".repeat(8192).as_bytes()),
            "body/too_large",
        )
        .module(http(json)),
        row("69b", "JSON as deep as it is long", nested.as_bytes(), "check/json", json),
        row("69c", "JSON of a million values", values.as_bytes(), "check/json", json),
        row("69d", "JSON of half a million objects", objects.as_bytes(), "check/json", json),
        row("69e", "a key twice", b"{\"status\":\"no\",\"status\":\"ok\"}", "up", json),
        row("69f", "JSON that is none", b"<html>ok</html>", "check/json", json),
    ]
}

fn streams() -> Vec<Row> {
    let events = stalled("Content-Type: text/event-stream\r\n", "data: 1\n\n");
    let frames = "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n";
    vec![
        Row::server("120a", "a stream of events", events.clone(), "up"),
        Row::server("120b", "a camera", endless(frames, &[b'x'; 8192]), "up"),
        Row::server("120c", "a stream of events, wanted", events, "body/timeout")
            .module(HTTP_BODY)
            .until_the_deadline(),
    ]
}
