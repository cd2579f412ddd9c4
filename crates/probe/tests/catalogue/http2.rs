//! HTTP/2 that is reset, flooded or against its rules: rows 102 to 111.
//!
//! Every answer waits for the request: what comes before it would be another mistake. Must not know HTTP/1.

use std::sync::Arc;

use probe::{Net, Outcome, ProbeResult};
use testkit::{
    Behaviour, Certificates, Frames, Leaf, Server, Step, TlsSettings,
    frames::{END_HEADERS, END_STREAM, FIRST_STREAM, PADDED, block, kind},
};

use crate::{
    row::{Case, Row},
    syntax::is_clean,
};

/// The header of an answer that is fine.
const OK: (&str, &str) = (":status", "200");

/// Makes rows of servers that agree upon HTTP/2.
struct Maker(Arc<Certificates>);

impl Maker {
    fn row(
        &self,
        number: &'static str,
        name: &'static str,
        behaviour: Behaviour,
        expected: &'static str,
    ) -> Row {
        let certificates = Arc::clone(&self.0);
        Row::new(number, name, expected, move || {
            let (certificates, behaviour) = (Arc::clone(&certificates), behaviour.clone());
            async move {
                let settings = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
                let acceptor = certificates.acceptor_with(Leaf::Good, &settings);
                let server = Server::start_tls(acceptor, behaviour).await;
                let net = Net::for_tests(None, &[certificates.authority()])
                    .map_err(|error| error.to_string())?;
                Ok(Case::with(net, server.url("/"), server))
            }
        })
    }
}

/// Settings, these frames, and then silence.
fn reply(add: impl FnOnce(Frames) -> Frames) -> Behaviour {
    add(Frames::settings()).reply([Step::Silence])
}

/// Settings, these frames, and then those without end.
fn flood(begin: impl FnOnce(Frames) -> Frames, part: impl FnOnce(Frames) -> Frames) -> Behaviour {
    let part = part(Frames::default()).bytes();
    begin(Frames::settings()).reply([Step::Repeat(part.repeat(1 + 16_384 / part.len()))])
}

/// Demands words in the detail of a failure.
fn says(words: &'static str) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| match &result.outcome {
        Outcome::Down(failure) if failure.detail.contains(words) => Ok(()),
        other => Err(format!("{other:?} does not say {words}")),
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let maker = Maker(Arc::new(Certificates::new()));
    [ends(&maker), floods(&maker), violations(&maker), bodies(&maker), lists(&maker)]
        .into_iter()
        .flatten()
        .collect()
}

fn ends(maker: &Maker) -> Vec<Row> {
    let goaway = "http/h2_goaway";
    let reset = "http/h2_reset";
    let late = |frames: Frames| frames.goaway(FIRST_STREAM, 0).headers(END_STREAM, &[OK]);
    vec![
        maker
            .row("102a", "GOAWAY for an error", reply(|frames| frames.goaway(0, 11)), goaway)
            .and(says("ENHANCE_YOUR_CALM")),
        maker
            .row("102b", "graceful GOAWAY", reply(|frames| frames.goaway(0, 0)), goaway)
            .and(says("NO_ERROR")),
        maker.row(
            "102c",
            "GOAWAY, then the end",
            Frames::settings().goaway(FIRST_STREAM, 0).reply([]),
            goaway,
        ),
        maker.row("102d", "GOAWAY, then the answer", reply(late), "up"),
        maker
            .row("103a", "REFUSED_STREAM", reply(|frames| frames.reset(7)), reset)
            .and(says("REFUSED_STREAM")),
        maker
            .row("103b", "INTERNAL_ERROR", reply(|frames| frames.reset(2)), reset)
            .and(says("INTERNAL_ERROR")),
        maker
            .row("104a", "silence after SETTINGS", reply(|frames| frames), "http/timeout")
            .until_the_deadline(),
        maker.row(
            "104b",
            "a close before anything",
            Behaviour::Script(vec![Step::ReadHttp2Request]),
            "http/no_response",
        ),
        maker.row("104c", "a close after SETTINGS", Frames::settings().reply([]), "http/closed"),
        maker
            .row(
                "111a",
                "HTTP/1",
                Behaviour::Script(vec![
                    Step::ReadHttp2Request,
                    Step::Send(Behaviour::message(200, "", "ok")),
                ]),
                "http/malformed",
            )
            .and(says("looks like another version of HTTP")),
        maker
            .row(
                "111b",
                "HTML",
                Behaviour::Script(vec![
                    Step::ReadHttp2Request,
                    Step::Send(b"<html><body>hello</body></html>".to_vec()),
                ]),
                "http/malformed",
            )
            .and(says("looks like HTML")),
    ]
}

fn floods(maker: &Maker) -> Vec<Row> {
    let wrong = "http/h2_violation";
    let of = |number, name, type_of_frame: u8, flags: u8, stream: u32, payload: &[u8]| {
        let flood =
            flood(|frames| frames, |frames| frames.frame(type_of_frame, flags, stream, payload));
        maker.row(number, name, flood, wrong)
    };
    let answered = |frames: Frames| frames.headers(0, &[OK]);
    let open = |frames: Frames| frames.frame(kind::HEADERS, 0, FIRST_STREAM, &block(&[OK]));
    let continuation =
        |bytes: &[u8]| flood(open, |frames| frames.frame(kind::CONTINUATION, 0, 1, bytes));
    let field = block(&[("x", &"y".repeat(8000))]);
    let hints =
        flood(|frames| frames, |frames| frames.headers(0, &[(":status", "103"), ("link", "</a>")]));
    let empty = flood(answered, |frames| frames.data(0, &[]));
    let padding = flood(answered, |frames| frames.data(PADDED, &[9; 10]));
    vec![
        of("105a", "PING without end", kind::PING, 0, 0, &[0; 8]).and(says("PING")),
        of("105b", "SETTINGS without end", kind::SETTINGS, 0, 0, &[]).and(says("SETTINGS")),
        maker.row("105c", "informational answers without end", hints, "http/too_many_1xx"),
        of("105d", "PRIORITY without end", kind::PRIORITY, 0, 1, &[0, 0, 0, 3, 0])
            .and(says("PRIORITY")),
        of("105e", "unknown frames without end", 0x42, 0, 0, &[]).and(says("unknown")),
        of("105f", "WINDOW_UPDATE without end", kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
            .and(says("WINDOW_UPDATE")),
        maker
            .row("106a", "full CONTINUATION without end", continuation(&field), wrong)
            .and(says("CONTINUATION")),
        maker
            .row("106b", "empty CONTINUATION without end", continuation(&[]), wrong)
            .and(says("CONTINUATION")),
        maker.row("107a", "empty DATA without end", empty, wrong),
        maker.row("107b", "padding without end", padding, wrong),
    ]
}

fn violations(maker: &Maker) -> Vec<Row> {
    let wrong = "http/h2_violation";
    let headers =
        |headers: &'static [(&str, &str)]| reply(move |frames| frames.headers(END_STREAM, headers));
    let frame = |kind: u8, stream: u32, payload: Vec<u8>| {
        reply(move |frames| frames.frame(kind, END_HEADERS, stream, &payload))
    };
    let window = 0x7fff_ffff_u32.to_be_bytes().to_vec();
    // An index that neither table of RFC 7541 has.
    let bad_index = vec![0xff, 0x80, 0x01];
    let pushed = [vec![0, 0, 0, 2], block(&[(":method", "GET")])].concat();
    vec![
        maker.row("108a", "a window too large", frame(kind::WINDOW_UPDATE, 0, window), wrong),
        maker.row("108b", "a frame too large", frame(kind::DATA, 1, vec![0; 20_000]), wrong),
        maker.row("108c", "a PING of 7 bytes", frame(kind::PING, 0, vec![0; 7]), wrong),
        maker.row("108d", "bad HPACK", frame(kind::HEADERS, 1, bad_index), wrong),
        maker.row("108e", "no :status", headers(&[("server", "x")]), wrong),
        maker.row("108f", "DATA first", reply(|frames| frames.data(END_STREAM, b"ok")), wrong),
        maker.row("108g", "PUSH_PROMISE", frame(kind::PUSH_PROMISE, 1, pushed), wrong),
        maker.row("108h", "DATA of no stream", frame(kind::DATA, 0, b"ok".to_vec()), wrong),
        maker.row("108i", "upper case", headers(&[OK, ("Server", "x")]), wrong),
        maker.row(
            "108j",
            "two lengths",
            headers(&[OK, ("content-length", "0"), ("content-length", "1")]),
            wrong,
        ),
        maker.row(
            "108k",
            "a length without a body",
            headers(&[OK, ("content-length", "2")]),
            wrong,
        ),
    ]
}

fn bodies(maker: &Maker) -> Vec<Row> {
    let wrong = "http/h2_violation";
    let length = [OK, ("content-length", "5")];
    let begun = move |frames: Frames| frames.headers(0, &length).data(0, b"ok");
    let crumbs = flood(|frames| frames.headers(0, &[OK]), |frames| frames.data(0, b"x"));
    vec![
        maker.row(
            "108l",
            "more than announced",
            reply(|frames| frames.headers(0, &length).data(END_STREAM, b"hello and more")),
            wrong,
        ),
        maker.row(
            "108m",
            "less than announced",
            reply(move |frames| begun(frames).data(END_STREAM, b"")),
            wrong,
        ),
        maker.row(
            "109a",
            "an end in the body",
            begun(Frames::settings()).reply([]),
            "body/truncated",
        ),
        maker
            .row(
                "109b",
                "a reset of the stream in the body",
                reply(move |frames| begun(frames).reset(2)),
                "body/reset",
            )
            .and(says("INTERNAL_ERROR")),
        maker
            .row(
                "109d",
                "a reset without an error in the body",
                reply(move |frames| begun(frames).reset(0)),
                "body/reset",
            )
            .and(says("NO_ERROR")),
        maker.row(
            "109e",
            "a reset without an error behind the body",
            reply(|frames| frames.headers(0, &[OK]).data(END_STREAM, b"hello").reset(0)),
            "up",
        ),
        maker.row("109c", "a stall in the body", reply(begun), "body/timeout").until_the_deadline(),
        maker.row("107c", "DATA of a byte without end", crumbs, wrong),
    ]
}

fn lists(maker: &Maker) -> Vec<Row> {
    let limit = "http/header_limit";
    let list = |count: usize, bytes: usize| {
        let value = "y".repeat(bytes);
        block(&[vec![OK], vec![("x", value.as_str()); count]].concat())
    };
    let answer = |block: Vec<u8>| reply(move |frames| frames.block(END_STREAM, &block, 16_384));
    // Literal with incremental indexing (RFC 7541 §6.2.1), then the newest entry of the table over and over (§6.1).
    let entry = block(&[("x", &"y".repeat(4000))]);
    let bomb = [block(&[OK]), vec![0x40], entry[1..].to_vec(), vec![0x80 + 62; 2000]].concat();
    let full = block(&[("x", &"y".repeat(16_000))]);
    let endless = flood(
        |frames| frames.frame(kind::HEADERS, 0, FIRST_STREAM, &block(&[OK])),
        |frames| frames.frame(kind::CONTINUATION, 0, FIRST_STREAM, &full),
    );
    vec![
        maker.row("110a", "a list of 16 KB", answer(list(4, 4000)), "up").and(is_clean),
        maker.row("110b", "a list of 240 KB", answer(list(60, 4000)), "up").and(is_clean),
        maker.row("110c", "a list of 300 KB", answer(list(75, 4000)), limit),
        maker.row("110d", "a list of 300 KB in short headers", answer(list(8000, 4)), limit),
        maker.row("110g", "a list that is large only when unpacked", answer(bomb), limit),
        maker.row("110e", "a list without end", endless, limit),
        maker.row("110f", "3 000 headers", answer(list(3000, 4)), limit),
    ]
}
