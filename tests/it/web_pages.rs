//! The pages over a real socket, on a monitor whose past is known: states, hostile text, filters, headers, ten thousand
//! targets.

mod evidence;
mod plain_words;
mod setup;
mod twins;

use std::sync::Arc;

use probe::{Failure, Outcome, Phase, Reason};
use series::{
    Appender as _, Labels,
    rule::{External, GroupState, GroupView},
};
use webservice_monitor::config::Diagnostic;

use self::setup::{
    DOWN, MINUTE, NEW, NOW, RESTORED, Server, UP, append, assert_order, assert_shows, down,
    encoded, lively, monitor, result, watched,
};

#[tokio::test]
async fn the_overview_shows_every_state() {
    let monitor = lively();
    let server = Server::start(&monitor).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert_shows(
        &page.body,
        &[
            "<strong>4</strong> <span>targets</span>",
            "<strong>2</strong> <span>● up</span>",
            "<strong>1</strong> <span>✕ down</span>",
            "<strong>1</strong> <span>○ no data yet</span>",
            "98.00 %",
            "0.00 % up in the last 1h",
            "no data in the last 1h",
            "42 ms",
            "30 days",
            "the connection was refused: nothing listens on the port",
            "os error 111",
            "30 min ago",
            "payments",
            "href=\"/targets/http%3A%2F%2Fup.example%2F\"",
        ],
    );
    assert_order(
        &page.body,
        &[
            ">http://down.example/<",
            ">http://a-new.example/<",
            ">http://restored.example/<",
            ">http://up.example/<",
        ],
    );
    for range in ["6h", "24h", "7d"] {
        let page = server.get(&format!("/?range={range}")).await;
        assert_shows(
            &page.body,
            &[&format!("in the last {range}"), &format!("Availability, {range}")],
        );
    }
    assert_shows(&server.get("/?range=%3Cx%3E&range").await.body, &["in the last 1h"]);
}

#[tokio::test]
async fn the_filter_finds_addresses_labels_and_modules() {
    let server = Server::start(&lively()).await;
    for (query, shown) in [
        ("shop", &[UP][..]),
        ("service%3Dmail", &[DOWN]),
        ("UP.EXAMPLE", &[UP]),
        ("team%3Dpay+up", &[UP]),
        ("http_2xx", &[UP, DOWN, NEW, RESTORED]),
        ("%2B%28", &[]),
        ("%FF", &[]),
    ] {
        let page = server.get(&format!("/?q={query}")).await;
        assert_eq!(page.status, 200);
        for instance in [UP, DOWN, NEW, RESTORED] {
            let listed = page.body.contains(&format!(">{instance}</a>"));
            assert_eq!(listed, shown.contains(&instance), "{query}: {instance}");
        }
    }
    // The number of targets is that of all, and the ranges keep the filter.
    assert_shows(
        &server.get("/?q=shop").await.body,
        &["<strong>4</strong>", "range=7d&amp;q=shop", "value=\"shop\""],
    );
}

#[tokio::test]
async fn a_target_has_a_page() {
    let server = Server::start(&lively()).await;
    let page = server.get(&format!("/targets/{}", encoded(UP))).await;
    assert_eq!(page.status, 200);
    assert_shows(
        &page.body,
        &[
            "<h1 class=\"address\">http://up.example/</h1>",
            "98.00 %",
            "class=\"p-processing\"",
            "<td>30 ms</td>",
            " ms</text>",
            "body/truncated",
            "the body ended too early",
            "tls/reset",
            "config/targets.yml:3",
            "/api/v1/query?query=probe_success%7Binstance%3D%22http%3A%2F%2Fup.example%2F%22%7D",
            "href=\"http://up.example/\"",
            "/logs?id=1",
        ],
    );
    let page = server.get(&format!("/targets/{}?range=24h", encoded(DOWN))).await;
    assert_shows(
        &page.body,
        &["connect/refused: os error 111", "/logs?id=2", "whole probe", "250 ms", "0.00 %"],
    );
    let page = server.get(&format!("/targets/{}", encoded(NEW))).await;
    assert_shows(&page.body, &["No data yet", "No response times in this range yet"]);
}

#[tokio::test]
async fn what_does_not_exist_is_said_so() {
    let server = Server::start(&lively()).await;
    for (path, needle) in [
        ("/targets/http%3A%2F%2Fup.example", "not among the targets"),
        ("/targets/%3Cscript%3E", "&lt;script&gt;"),
        ("/nothing/here", "no page at this address"),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert_shows(&page.body, &[needle, "<nav"]);
    }
    assert_eq!(server.get("/targets/%FF").await.status, 400);
}

#[tokio::test]
async fn the_exporter_shows_its_probes_and_how_to_ask_for_them() {
    let monitor = monitor(&[], false);
    let server = Server::start(&monitor).await;
    assert_shows(
        &server.get("/").await.body,
        &["No probe yet", "/probe?target=", "metrics_path: /probe", "href=\"/config\""],
    );
    let timeout = down(Phase::Connect, Reason::Timeout, "");
    monitor.results().asked("db.example:5432", "tcp_connect", NOW - 90_000, timeout);
    monitor.results().asked(UP, "http_2xx", NOW - 2500, result(Outcome::Up, Vec::new()));
    for path in ["/", "/probes"] {
        let page = server.get(path).await;
        assert_shows(
            &page.body,
            &[
                "tcp_connect",
                "not accepted in time",
                "2025-12-31 23:58:30",
                "/logs?id=2",
                "debug output",
            ],
        );
        assert_order(&page.body, &[">http://up.example/<", ">db.example:5432<"]);
    }
    assert_shows(&server.get("/alerts").await.body, &["your Prometheus evaluates the rules"]);
    assert_eq!(server.get("/targets/x").await.status, 404);
}

#[tokio::test]
async fn newcomers_see_what_to_do() {
    let server = Server::start(&monitor(&[], true)).await;
    assert_shows(
        &server.get("/").await.body,
        &["No targets yet: add a URL to <code>config/targets.yml</code>", "within seconds"],
    );
    assert_shows(&server.get("/alerts").await.body, &["Nothing is wrong"]);
}

#[tokio::test]
async fn a_broken_configuration_is_on_every_page() {
    let monitor = lively();
    let text = "- targets: [http://a/]\n  lables: {<b>}\n";
    let diagnostic = Diagnostic::new("unknown field `lables`")
        .hint("did you mean `labels`?")
        .at(notation::Position { line: 2, column: 3 })
        .in_file("config/targets.yml".as_ref(), text);
    monitor.reloads().succeeded(monitor.config(), NOW - 7 * MINUTE);
    monitor.reloads().failed(vec![diagnostic], NOW);
    let server = Server::start(&monitor).await;
    for path in ["/", "/alerts", "/probes", "/nothing"] {
        let page = server.get(path).await;
        assert_shows(
            &page.body,
            &[
                "role=\"alert\"",
                "last good configuration",
                "7 min ago",
                "config/targets.yml:2:3",
                "2 |   lables: {&lt;b&gt;}\n  |   ^\nhint: did you mean",
            ],
        );
    }
}

#[tokio::test]
async fn text_of_targets_stays_text() {
    let hostile = "http://h/<script>alert(1)</script>\"'&";
    let script = "javascript:alert(1)";
    let label: &[(&str, &str)] = &[("service", "<img src=x onerror=alert(1)>\" onload='x'")];
    let monitor = monitor(&[(hostile, label), (script, &[])], true);
    let detail = "<script>detail</script>\u{0}\u{202e}";
    watched(&monitor, hostile, NOW, down(Phase::Check, Reason::Status, detail));
    monitor.results().asked(
        hostile,
        "<i>module</i>",
        NOW,
        down(Phase::Check, Reason::Status, detail),
    );
    watched(
        &monitor,
        script,
        NOW,
        result(Outcome::Fault(Failure::new(Phase::Internal, Reason::NoFds, detail)), Vec::new()),
    );
    append(&monitor, NOW, hostile, "probe_success", label, 0.0);
    append(
        &monitor,
        NOW,
        hostile,
        "probe_failure_info",
        &[("phase", "<b>p"), ("reason", "<b>r")],
        1.0,
    );
    let server = Server::start(&monitor).await;
    let paths = [
        "/".to_owned(),
        "/?q=%22%3E%3Cscript%3E".to_owned(),
        "/probes".to_owned(),
        format!("/targets/{}", encoded(hostile)),
        format!("/targets/{}", encoded(script)),
    ];
    for path in paths {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        for needle in
            ["<script>", "<img", "<i>", "<b>", "href=\"javascript", "\" onload", " style=", "\"'"]
        {
            assert!(!page.body.contains(needle), "{path} has {needle}:\n{}", page.body);
        }
        // The only script is the page's own.
        assert_eq!(page.body.matches("<script").count(), 1, "{path}");
    }
    assert_shows(&server.get("/").await.body, &["http://h/&lt;script&gt;alert(1)"]);
}

#[tokio::test]
async fn pages_and_files_have_their_headers() {
    let server = Server::start(&lively()).await;
    for path in ["/", "/alerts", "/probes", "/targets/x"] {
        let head = server.get(path).await.head;
        for needle in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(needle), "{path} lacks {needle}: {head}");
        }
    }
    for (path, kind) in [
        ("/assets/style.css", "text/css"),
        ("/assets/app.js", "text/javascript"),
        ("/assets/favicon.svg", "image/svg+xml"),
    ] {
        let first = server.get(path).await;
        assert_eq!(first.status, 200);
        assert!(
            first.head.contains(kind) && first.head.contains("cache-control: "),
            "{}",
            first.head
        );
        let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let again = server.get_with(path, &format!("If-None-Match: \"x\", W/{tag}\r\n")).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        assert_eq!(server.get_with(path, "If-None-Match: \"x\"\r\n").await.status, 200);
    }
}

/// Every class that a page uses has a look, so that no state is drawn black on black.
#[tokio::test]
async fn classes_of_drawings_are_in_the_style() {
    let server = Server::start(&lively()).await;
    let style = server.get("/assets/style.css").await.body;
    let mut seen = 0;
    for path in
        ["/".to_owned(), format!("/targets/{}", encoded(UP)), format!("/targets/{}", encoded(DOWN))]
    {
        let body = server.get(&path).await.body;
        for class in body.split("<rect class=\"").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(style.contains(&format!(".{class} {{")), "{class}");
            seen += 1;
        }
    }
    assert!(seen > 20);
}

#[tokio::test]
async fn ten_thousand_targets_fit_on_a_page() {
    let names: Vec<String> = (0..10_000)
        .map(|number| format!("https://service-{number:05}.example.com/health"))
        .collect();
    let targets: Vec<(&str, &[(&str, &str)])> =
        names.iter().map(|name| (name.as_str(), &[("team", "web")] as &[_])).collect();
    let monitor = monitor(&targets, true);
    let store = Arc::clone(monitor.store.as_ref().unwrap());
    let config = monitor.config();
    let mut rounds: Vec<(Labels, f64)> = config
        .targets
        .iter()
        .map(|target| (target.labels.with("__name__", "probe_success"), 1.0))
        .collect();
    for round in 0..240 {
        let at = NOW - (240 - round) * 15_000;
        rounds.iter_mut().step_by(97).for_each(|(_, value)| *value = 1.0 - *value);
        store.append(at, &rounds).unwrap();
    }
    for (number, name) in names.iter().enumerate() {
        let outcome = if number == 7777 {
            down(Phase::Http, Reason::Timeout, "")
        } else {
            result(Outcome::Up, Vec::new())
        };
        watched(&monitor, name, NOW - 1000, outcome);
    }
    let server = Server::start(&monitor).await;
    for path in ["/", "/?range=7d", "/?q=service-077"] {
        let begun = tokio::time::Instant::now();
        let page = server.get(path).await;
        println!("{path}: {} ms, {} KiB", begun.elapsed().as_millis(), page.body.len() / 1024);
        assert_eq!(page.status, 200);
        assert_shows(
            &page.body,
            &[
                "<strong>10000</strong>",
                "<strong>9999</strong>",
                "service-07777",
                "no answer in time",
            ],
        );
        assert!(page.body.matches("<tr>").count() <= 501);
    }
    assert_shows(&server.get("/").await.body, &["The first 500 of 10000 targets"]);
}

const RULES: &str = r"
groups:
  - name: services
    rules:
      - alert: ServiceDown
        expr: probe_success == 0
        labels: { severity: critical }
        annotations:
          summary: '{{ $labels.instance }} is <down>'
          description: Nobody can buy anything.
          runbook_url: 'javascript:alert(1)'
      - alert: ServiceNew
        expr: probe_success == 1
        for: 1h
      - record: broken
        expr: probe_success * on () probe_success
";

#[tokio::test]
async fn alerts_and_rules_are_shown() {
    let monitor = lively();
    let groups = series::rule::load(RULES).unwrap().groups;
    let mut states: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
    let external = External { url: "http://monitor.example".to_owned(), ..External::default() };
    let store = Arc::clone(monitor.store.as_ref().unwrap());
    states[0].evaluate(store.as_ref(), NOW, &external);
    monitor.rules.publish(states.iter().map(GroupView::of));
    let server = Server::start(&monitor).await;
    let page = server.get("/alerts").await;
    assert_shows(
        &page.body,
        &[
            "1 firing, 2 pending",
            "Alerts (1 firing)",
            "▲</span> Firing",
            "△</span> Pending",
            "http://down.example/ is &lt;down&gt;",
            "Nobody can buy anything.",
            "critical",
            "Rules: 3",
            "1 failed",
            ">err<",
            "<details>",
        ],
    );
    assert!(!page.body.contains("javascript:"), "{}", page.body);
    assert_order(&page.body, &["Service<wbr>Down", "Service<wbr>New", "broken"]);
    // The other pages know of the alerts of their targets, and what fires stands first.
    let overview = server.get("/").await.body;
    assert_shows(
        &overview,
        &[
            "<strong>1</strong> <span>▲ firing</span>",
            "<strong>2</strong> <span>△ pending</span>",
            "Service<wbr>Down",
        ],
    );
    assert_shows(
        &server.get(&format!("/targets/{}", encoded(DOWN))).await.body,
        &["Service<wbr>Down", "Nobody can buy"],
    );
    assert_shows(
        &server.get(&format!("/targets/{}", encoded(NEW))).await.body,
        &["No alert of this target"],
    );
}
