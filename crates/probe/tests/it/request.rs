//! What the probe sends: one request, as the module says.

use testkit::{Behaviour, Server};

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
