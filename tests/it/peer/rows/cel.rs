//! Rows about bodies in JSON that an expression (CEL) is held against.

use testkit::Behaviour;

use super::row::{Row, plain};

/// What most of the rows look into.
const BODY: &str = r#"{"foo":"bar","n":3,"f":1.5,"list":[1,2],"o":{"x":true},"nothing":null}"#;

fn json(body: &str) -> Behaviour {
    Behaviour::answer(200, "Content-Type: application/json\r\n", body)
}

/// A row that wants an expression to be true of [`BODY`].
fn wanted(name: &'static str, http: &'static str) -> Row {
    plain(name, json(BODY), http)
}

pub(super) fn rows() -> Vec<Row> {
    [expressions(), errors(), bodies()].into_iter().flatten().collect()
}

fn expressions() -> Vec<Row> {
    vec![
        wanted("CEL text", "fail_if_body_json_not_matches_cel: body.foo == 'bar'"),
        wanted("CEL text unequal", "fail_if_body_json_not_matches_cel: body.foo == 'baz'"),
        wanted("CEL unwanted", "fail_if_body_json_matches_cel: body.foo == 'bar'"),
        wanted("CEL unwanted and untrue", "fail_if_body_json_matches_cel: body.foo == 'baz'"),
        wanted(
            "CEL wanted and unwanted",
            "fail_if_body_json_not_matches_cel: body.foo == 'bar', fail_if_body_json_matches_cel: body.n == 4",
        ),
        wanted("CEL number", "fail_if_body_json_not_matches_cel: body.n == 3"),
        wanted("CEL number as double", "fail_if_body_json_not_matches_cel: body.n == 3.0"),
        wanted(
            "CEL number compared",
            "fail_if_body_json_not_matches_cel: body.n > 2 && body.f < 2",
        ),
        wanted("CEL sum of doubles", "fail_if_body_json_not_matches_cel: body.n + 1.0 == 4.0"),
        wanted("CEL sum of double and int", "fail_if_body_json_not_matches_cel: body.n + 1 == 4"),
        wanted("CEL remainder", "fail_if_body_json_not_matches_cel: int(body.n) % 2 == 1"),
        wanted(
            "CEL list",
            "fail_if_body_json_not_matches_cel: 'size(body.list) == 2 && body.list[0] == 1'",
        ),
        wanted("CEL exists", "fail_if_body_json_not_matches_cel: 'body.list.exists(i, i > 1)'"),
        wanted("CEL all", "fail_if_body_json_not_matches_cel: 'body.list.all(i, i > 0)'"),
        wanted(
            "CEL map and filter",
            "fail_if_body_json_not_matches_cel: 'body.list.map(i, i * 2.0).filter(i, i > 2.0) == [4.0]'",
        ),
        wanted("CEL has", "fail_if_body_json_not_matches_cel: has(body.foo) && !has(body.nope)"),
        wanted(
            "CEL in",
            "fail_if_body_json_not_matches_cel: \"'x' in body.o && 2.0 in body.list\"",
        ),
        wanted("CEL index by name", "fail_if_body_json_not_matches_cel: \"body['o']['x']\""),
        wanted(
            "CEL string functions",
            "fail_if_body_json_not_matches_cel: \"body.foo.startsWith('b') && body.foo.endsWith('r') && body.foo.contains('a')\"",
        ),
        wanted("CEL matches", "fail_if_body_json_not_matches_cel: \"body.foo.matches('^b.r$')\""),
        wanted(
            "CEL conversions",
            "fail_if_body_json_not_matches_cel: \"string(body.n) == '3' && double('1.5') == body.f\"",
        ),
        wanted("CEL null", "fail_if_body_json_not_matches_cel: body.nothing == null"),
        wanted(
            "CEL choice",
            "fail_if_body_json_not_matches_cel: \"(body.o.x ? 'a' : 'b') == 'a'\"",
        ),
        wanted("CEL type", "fail_if_body_json_not_matches_cel: type(body.n) == double"),
        wanted(
            "CEL timestamps",
            "fail_if_body_json_not_matches_cel: \"timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z')\"",
        ).differs("cel-of-time", &["module"]),
        wanted(
            "CEL durations",
            "fail_if_body_json_not_matches_cel: \"duration('90s') == duration('1m30s')\"",
        ).differs("cel-of-time", &["module"]),
    ]
}

fn errors() -> Vec<Row> {
    vec![
        wanted("CEL of a missing name", "fail_if_body_json_not_matches_cel: body.nope == 1"),
        wanted("CEL unwanted of a missing name", "fail_if_body_json_matches_cel: body.nope == 1"),
        wanted(
            "CEL missing name and true",
            "fail_if_body_json_not_matches_cel: body.nope == 1 || body.foo == 'bar'",
        ),
        wanted("CEL no bool", "fail_if_body_json_not_matches_cel: body.foo"),
        wanted("CEL unwanted no bool", "fail_if_body_json_matches_cel: body.foo"),
        wanted("CEL kinds that do not compare", "fail_if_body_json_not_matches_cel: body.foo > 1"),
        wanted("CEL kinds that are not equal", "fail_if_body_json_not_matches_cel: body.foo != 1"),
        wanted("CEL beyond a list", "fail_if_body_json_not_matches_cel: 'body.list[7] == 1'"),
        wanted("CEL division by zero", "fail_if_body_json_not_matches_cel: 'int(body.n) / 0 == 1'"),
        wanted("CEL bad pattern", "fail_if_body_json_not_matches_cel: \"body.foo.matches('(')\""),
    ]
}

fn bodies() -> Vec<Row> {
    let is_up = "fail_if_body_json_not_matches_cel: body.up == true";
    let both = "fail_if_body_not_matches_regexp: [down], fail_if_body_json_not_matches_cel: body.up == true";
    vec![
        plain("CEL and no JSON", json("hello"), is_up),
        plain(
            "CEL unwanted and no JSON",
            json("hello"),
            "fail_if_body_json_matches_cel: body.up == true",
        ),
        plain("CEL and an empty body", json(""), is_up),
        plain("CEL and JSON cut off", json(r#"{"up": tr"#), is_up),
        plain("CEL and JSON with more behind", json(r#"{"up": true} {}"#), is_up),
        plain("CEL and JSON after a byte order mark", json("\u{feff}{\"up\": true}"), is_up),
        plain(
            "CEL and a list",
            json("[1, 2]"),
            "fail_if_body_json_not_matches_cel: 'body[1] == 2'",
        ),
        plain("CEL and a bare value", json("true"), "fail_if_body_json_not_matches_cel: body"),
        plain("CEL and a key twice", json(r#"{"up": false, "up": true}"#), is_up),
        plain(
            "CEL and a large number",
            json(r#"{"n": 123456789012345678901234567890}"#),
            "fail_if_body_json_not_matches_cel: body.n > 1e29",
        ),
        plain(
            "CEL and a number that is none",
            json(r#"{"n": 1e999}"#),
            "fail_if_body_json_not_matches_cel: body.n > 1",
        ),
        plain("CEL of an error", Behaviour::answer(500, "", r#"{"up": false}"#), is_up),
        plain(
            "CEL of a wanted error",
            Behaviour::answer(500, "", r#"{"up": true}"#),
            "valid_status_codes: [500], fail_if_body_json_not_matches_cel: body.up == true",
        ),
        plain(
            "CEL and a wanted text",
            json(r#"{"up": true}"#),
            "fail_if_body_not_matches_regexp: [up], fail_if_body_json_not_matches_cel: body.up == true",
        ).differs("cel-beside-regexp", &["probe_failed_due_to_cel", "probe_success"]),
        plain("CEL and a wanted text missing", json(r#"{"up": true}"#), both),
        plain(
            "CEL above the limit",
            json(r#"{"up": true}"#),
            "body_size_limit: 4B, fail_if_body_json_not_matches_cel: body.up == true",
        ),
    ]
}
