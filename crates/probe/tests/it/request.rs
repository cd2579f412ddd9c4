//! What the probe sends: one request, as the module says.

use testkit::{Behaviour, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{HTTP, LONG, module, plain_net, run_plain, verdict};

/// The request that a module sends to this path, with its header fields in lower case as the table has them.
async fn request(settings: &str, path: &str) -> (String, Server) {
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let result = run_plain(settings, &server.url(path)).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    assert_eq!(server.connections(), 1);
    (server.last_received(), server)
}

#[tokio::test]
async fn a_plain_request() {
    let (request, server) = request(HTTP, "/health?deep=1#part").await;
    let lower = request.to_lowercase();
    assert!(request.starts_with("GET /health?deep=1 HTTP/1.1\r\n"), "{request}");
    assert_eq!(lower.matches("\r\nhost: ").count(), 1, "{request}");
    assert!(lower.contains(&format!("\r\nhost: {}\r\n", server.address())), "{request}");
    assert_eq!(lower.matches("\r\nuser-agent: ").count(), 1, "{request}");
    // What was not asked for is not decoded either.
    assert!(!lower.contains("\r\naccept-encoding"), "{request}");
    assert!(request.ends_with("\r\n\r\n"), "{request}");
}

#[tokio::test]
async fn method_headers_and_body_of_the_module() {
    let settings = "{ prober: http, http: { method: POST, body: '{\"ping\":1}', headers: { Content-Type: application/json, User-Agent: custom/1, X-Empty: '' } } }";
    let (request, _) = request(settings, "/").await;
    let lower = request.to_lowercase();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    assert!(lower.contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(
        lower.contains("\r\nuser-agent: custom/1\r\n") && lower.matches("user-agent").count() == 1,
        "{request}"
    );
    assert!(lower.contains("\r\ncontent-length: 10\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"ping\":1}"), "{request}");
}

#[tokio::test]
async fn a_head_request_waits_for_no_body() {
    let server =
        Server::start(Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")).await;
    let result = run_plain("{ prober: http, http: { method: HEAD } }", &server.url("/")).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
}

#[tokio::test]
async fn another_host_name_can_be_asked_for() {
    let (request, _) =
        request("{ prober: http, http: { headers: { Host: www.example.com } } }", "/").await;
    let lower = request.to_lowercase();
    assert!(
        lower.contains("\r\nhost: www.example.com\r\n") && lower.matches("\r\nhost: ").count() == 1,
        "{request}"
    );

    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let module = module(HTTP);
    let target =
        module.with_hostname(module.target(&server.url("/")).unwrap(), "api.example.com").unwrap();
    let result = module.probe(&plain_net(), &target, LONG).await;
    assert_eq!(verdict(&result), "up");
    assert!(
        server.last_received().to_lowercase().contains("\r\nhost: api.example.com\r\n"),
        "{}",
        server.last_received()
    );
}

#[tokio::test]
async fn an_empty_host_header_is_none() {
    let (request, server) = request("{ prober: http, http: { headers: { Host: '' } } }", "/").await;
    let expected = format!("\r\nhost: {}\r\n", server.address());
    assert!(request.to_lowercase().contains(&expected), "{request}");
}

#[tokio::test]
async fn a_header_value_beyond_ascii_is_sent_as_it_is() {
    let (request, _) =
        request("{ prober: http, http: { headers: { X-Greeting: Grüße } } }", "/").await;
    assert!(request.to_lowercase().contains("\r\nx-greeting: grüße\r\n"), "{request}");
}

/// The evidence of the first request, and what the server got of its head.
async fn shown_and_sent(settings: &str) -> (String, String) {
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let result = run_plain(settings, &server.url("/a?b")).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    let received = server.last_received();
    let (head, _) = received.split_once("\r\n\r\n").unwrap();
    let address = server.address().to_string();
    let plain = |text: &str| text.replace(&address, "{address}").replace("\r\n", "\n");
    (plain(&result.evidence.hops[0].request), plain(head) + "\n")
}

#[tokio::test]
async fn names_are_spelled_and_ordered_as_in_go_and_the_evidence_is_what_was_sent() {
    let agent = concat!("User-Agent: webservice-monitor/", env!("CARGO_PKG_VERSION"));
    for (settings, sent, shown) in [
        (HTTP, format!("GET /a?b HTTP/1.1\nHost: {{address}}\n{agent}\nConnection: close\n"), ""),
        // However the module writes them: Go makes the same of them.
        (
            "{ prober: http, http: { headers: { host: www.example.com } } }",
            format!("GET /a?b HTTP/1.1\nHost: www.example.com\n{agent}\nConnection: close\n"),
            "",
        ),
        (
            "{ prober: http, http: { method: POST, body: text, bearer_token: hunter2, \
             headers: { x-request-id: one, X-API-Key: two, user-agent: own/1, ACCEPT: a/b, accept-encoding: gzip, cookie: c=d }, \
             http_headers: { b-C: { values: [x, y] } } } }",
            "POST /a?b HTTP/1.1\nHost: {address}\nUser-Agent: own/1\nContent-Length: 4\nAccept: a/b\n\
             Accept-Encoding: gzip\nAuthorization: Bearer hunter2\nB-C: x\nB-C: y\nCookie: c=d\nX-Api-Key: two\n\
             X-Request-Id: one\nConnection: close\n"
                .to_owned(),
            "POST /a?b HTTP/1.1\nHost: {address}\nUser-Agent: own/1\nContent-Length: 4\nAccept: a/b\n\
             Accept-Encoding: gzip\nAuthorization: <secret>\nB-C: <secret>\nB-C: <secret>\nCookie: <secret>\nX-Api-Key: <secret>\n\
             X-Request-Id: <secret>\nConnection: close\n",
        ),
        (
            "{ prober: http, http: { method: PUT } }",
            format!("PUT /a?b HTTP/1.1\nHost: {{address}}\n{agent}\nContent-Length: 0\nConnection: close\n"),
            "",
        ),
    ] {
        let found = shown_and_sent(settings).await;
        assert_eq!(found.1, sent, "{settings}");
        assert_eq!(found.0, if shown.is_empty() { sent.as_str() } else { shown }, "{settings}");
    }
}

/// Answers like a small server that compares the names of fields byte by byte, as in microcontrollers.
async fn strict_server() -> (std::net::SocketAddr, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0
            {
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let status = match head.lines().filter(|line| line.starts_with("Host: ")).count() {
                1 if head.contains("\r\nUser-Agent: ") => "200 OK",
                _ => "400 Bad Request",
            };
            let next = if head.starts_with("GET /first ") { "Location: /\r\n" } else { "" };
            let status = if next.is_empty() { status } else { "302 Found" };
            let answer = format!("HTTP/1.1 {status}\r\n{next}Content-Length: 0\r\n\r\n");
            let _peer_gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn a_server_that_knows_a_name_in_one_spelling_is_up() {
    let (address, _server) = strict_server().await;
    for settings in
        [HTTP, "{ prober: http, http: { headers: { host: a.example, user-agent: me } } }"]
    {
        for path in ["/", "/first"] {
            let result = run_plain(settings, &format!("http://{address}{path}")).await;
            assert_eq!(verdict(&result), "up", "{settings} {path}: {result:?}");
            let last = &result.evidence.hops.last().unwrap().request;
            assert!(last.contains("\nHost: ") && last.contains("\nUser-Agent: "), "{last}");
        }
    }
}

#[tokio::test]
async fn what_was_not_sent_is_not_shown() {
    let result = run_plain(HTTP, "http://127.0.0.1:1/").await;
    assert_eq!(verdict(&result), "connect/refused");
    let hop = &result.evidence.hops[0];
    assert_eq!((hop.title.as_str(), hop.request.as_str()), ("GET http://127.0.0.1:1/", ""));
    // A head that is longer than what is kept is cut, and its secrets with it.
    let value = "hunter2 ".repeat(2000);
    let settings = format!("{{ prober: http, http: {{ headers: {{ A: '{value}', Z: z }} }} }}");
    let (shown, sent) = shown_and_sent(&settings).await;
    assert!(
        sent.contains("hunter2") && shown.contains("\nA: <secret>") && !shown.contains("hunter2"),
        "{shown}"
    );
}
