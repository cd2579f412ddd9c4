//! Rows about tokens that are fetched first (OAuth 2.0, client credentials).

use testkit::Behaviour;

use super::row::{Row, Setup, TAKEN, plain, row};

pub(super) fn rows() -> Vec<Row> {
    [tokens(), failures()].into_iter().flatten().collect()
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

/// A token server that answers with this JSON.
fn token(json: &str) -> Behaviour {
    Behaviour::answer(200, "Content-Type: application/json\r\n", json)
}

const BEARER: &str = r#"{"access_token":"t0k","token_type":"Bearer","expires_in":3600}"#;

const PLAIN: &str =
    "oauth2: { client_id: id, client_secret: hush, token_url: 'http://127.0.0.1:{second}/token' }";

fn tokens() -> Vec<Row> {
    let scopes = "oauth2: { client_id: id, client_secret: hush, scopes: [a, b], token_url: 'http://127.0.0.1:{second}/token' }";
    let parameters = "oauth2: { client_id: id, client_secret: hush, endpoint_params: { audience: 'a b', grant: c }, token_url: 'http://127.0.0.1:{second}/token' }";
    let from_file = "oauth2: { client_id: id, client_secret_file: '{files}/secret.txt', token_url: 'http://127.0.0.1:{second}/token' }";
    let odd = "oauth2: { client_id: 'i:d', client_secret: 'h u&s=h', token_url: 'http://127.0.0.1:{second}/token?x=y' }";
    let form = Behaviour::answer(
        200,
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "access_token=t0k&token_type=bearer",
    );
    vec![
        plain("token", ok(), PLAIN).second(token(BEARER)),
        plain("token with scopes", ok(), scopes).second(token(BEARER)),
        plain("token with parameters", ok(), parameters)
            .differs("token-request", &["requests"])
            .second(token(BEARER)),
        plain("token by a secret from a file", ok(), from_file).second(token(BEARER)),
        plain("token by odd names", ok(), odd).second(token(BEARER)),
        plain("token as a form", ok(), PLAIN).second(form),
        plain("token of type bearer", ok(), PLAIN)
            .second(token(r#"{"access_token":"t0k","token_type":"bearer"}"#)),
        plain("token of type MAC", ok(), PLAIN)
            .second(token(r#"{"access_token":"t0k","token_type":"MAC"}"#)),
        plain("token of another type", ok(), PLAIN)
            .second(token(r#"{"access_token":"t0k","token_type":"Own"}"#)),
        plain("token without a type", ok(), PLAIN).second(token(r#"{"access_token":"t0k"}"#)),
        plain(
            "token over a redirect",
            Behaviour::paths([
                ("/", Behaviour::redirect("/end")),
                ("/end", Behaviour::message(200, "", "there")),
            ]),
            PLAIN,
        )
        .second(token(BEARER)),
        plain("token refused by the target", Behaviour::answer(401, "", "no"), PLAIN)
            .second(token(BEARER)),
        row("token for nobody", Setup::Nobody, PLAIN).second(token(BEARER)),
    ]
}

fn failures() -> Vec<Row> {
    let missing = "oauth2: { client_id: id, client_secret_file: '{files}/missing.txt', token_url: 'http://127.0.0.1:{second}/token' }";
    let closed =
        "oauth2: { client_id: id, client_secret: hush, token_url: 'http://127.0.0.1:1/token' }";
    vec![
        plain("token refused", ok(), PLAIN).second(Behaviour::answer(
            401,
            "Content-Type: application/json\r\n",
            r#"{"error":"invalid_client"}"#,
        )),
        plain("token server broken", ok(), PLAIN).second(Behaviour::answer(500, "", "no")),
        plain("token empty", ok(), PLAIN)
            .second(token(r#"{"access_token":"","token_type":"Bearer"}"#)),
        plain("token missing", ok(), PLAIN).second(token("{}")),
        plain("token no JSON", ok(), PLAIN).second(token("t0k")),
        plain("token server closes", ok(), PLAIN).second(Behaviour::close_before_answer()),
        plain("token server is silent", ok(), PLAIN)
            .differs("token-without-end", &["status of the exporter"])
            .second(Behaviour::silence())
            .too_slow(),
        plain("token server redirects", ok(), PLAIN).differs("token-redirect", TAKEN).second(
            Behaviour::paths([
                ("/token", Behaviour::redirect("/other")),
                ("/other", Behaviour::message(200, "Content-Type: application/json\r\n", BEARER)),
            ]),
        ),
        plain("token server not there", ok(), closed),
        plain("token by a missing file", ok(), missing)
            .second(token(BEARER))
            .differs("internal-fault", &["status of the exporter"]),
    ]
}
