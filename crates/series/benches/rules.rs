//! Measures what one evaluation of rules costs with many targets: `cargo bench -p series --bench rules -- FILE [TARGETS]`,
//! each rule by itself and the groups as they are. Must not know what the rules say.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a benchmark prints what it measured in real time"
)]

use std::{env, error::Error, fs, time::Instant};

use series::{
    Appender as _, Labels,
    promql::Options,
    rule::{External, GroupState, load},
    store::Store,
};

const STEP_MS: i64 = 15_000;
/// Two hours of history.
const ROUNDS: i64 = 480;
/// How many evaluations are measured.
const MEASURED: i64 = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/rules/webservices.rules.yml");
    let file = arguments.next().unwrap_or_else(|| shipped.to_owned());
    let targets: u32 = arguments.next().map_or(Ok(5_000), |number| number.parse())?;
    let text = String::from_utf8(fs::read(&file)?)?;
    let groups = load(&text).map_err(|problems| format!("{problems:?}"))?.groups;
    let recorded: Vec<String> = groups
        .iter()
        .flat_map(|group| &group.rules)
        .filter(|rule| !rule.is_alerting())
        .map(|rule| rule.name.clone())
        .collect();
    let store = Store::in_memory();
    let mut states: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
    let probed = probed(targets);
    let before: Vec<(Labels, f64)> = (0..targets)
        .flat_map(|target| recorded.iter().map(move |name| (labels(target, name), 0.0)))
        .collect();
    for round in 0..ROUNDS {
        store.append(round * STEP_MS, &probed)?;
        store.append(round * STEP_MS, &before)?;
    }
    println!("{file}, {targets} targets");
    let at = (ROUNDS - 1) * STEP_MS;
    for rule in states.iter().flat_map(GroupState::rules) {
        let begin = Instant::now();
        let answer = rule.rule().query.instant(&store, at, &Options::default());
        let failed = if answer.is_err() { " (failed)" } else { "" };
        let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
        println!("{milliseconds:9.2} ms  line {:4} {}{failed}", rule.rule().line, rule.rule().name);
    }
    let mut total = 0.0;
    for round in ROUNDS..ROUNDS + MEASURED {
        store.append(round * STEP_MS, &probed)?;
        let begin = Instant::now();
        for state in &mut states {
            state.evaluate(&store, round * STEP_MS, &External::default());
        }
        // The first evaluation ends what was made up as history.
        if round > ROUNDS {
            total += begin.elapsed().as_secs_f64();
        }
    }
    let measured = f64::from(i32::try_from(MEASURED - 1)?);
    println!("{:9.2} ms  one evaluation of all groups", total * 1e3 / measured);
    Ok(())
}

fn labels(target: u32, name: &str) -> Labels {
    Labels::new([
        ("__name__", name.to_owned()),
        ("job", "webservices".to_owned()),
        ("instance", format!("https://host{target}.example/health")),
        ("module", "http_2xx".to_owned()),
        ("service", format!("service{}", target / 10)),
        ("team", format!("team{}", target % 7)),
    ])
}

/// The samples of one round: a twentieth of the targets fails, and every other one was promised something.
fn probed(targets: u32) -> Vec<(Labels, f64)> {
    let mut samples = Vec::new();
    for target in 0..targets {
        let success = if target % 20 == 0 { 0.0 } else { 1.0 };
        let values = [("up", 1.0), ("probe_success", success), ("probe_duration_seconds", 0.1)];
        for (name, value) in values {
            samples.push((labels(target, name).with("prober", "one"), value));
        }
        if target % 2 == 0 {
            let name = "probe_target_alert_after_seconds";
            samples.push((labels(target, name).with("prober", "one"), 1500.0));
        }
    }
    samples
}
