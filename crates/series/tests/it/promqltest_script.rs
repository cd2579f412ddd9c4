//! The language of Prometheus's `PromQL` test scripts: lines in, commands out.
//!
//! Must not know the engine.

use notation::duration;
use series::{Labels, Timestamp, labels::METRIC_NAME, stale_marker};

use crate::promqltest_source::Point;

/// One command of a script.
pub(crate) enum Command {
    /// Empties the store.
    Clear,
    /// Adds points.
    Load(Vec<(Labels, Vec<(Timestamp, Point)>)>),
    /// Evaluates a query and checks the answer.
    Evaluate(Evaluation),
}

/// An evaluation and what is expected of it.
pub(crate) struct Evaluation {
    /// The line of the script, from 1.
    pub(crate) line: usize,
    /// The query.
    pub(crate) query: String,
    /// When it is evaluated.
    pub(crate) times: Times,
    /// Whether it must fail, and a part of the message.
    pub(crate) fails: Option<String>,
    /// Whether the order of the elements counts.
    pub(crate) ordered: bool,
    /// The expected text.
    pub(crate) text: Option<String>,
    /// The expected number.
    pub(crate) scalar: Option<f64>,
    /// The expected series.
    pub(crate) series: Vec<(Labels, Vec<Option<f64>>)>,
    /// The times of an expected range vector: start and step.
    pub(crate) matrix: Option<(Timestamp, i64)>,
    /// Whether native histograms are expected.
    pub(crate) expects_histogram: bool,
}

/// The times of an evaluation.
#[derive(Clone, Copy)]
pub(crate) enum Times {
    /// One moment.
    Instant(Timestamp),
    /// From, to, step.
    Range(Timestamp, Timestamp, i64),
}

/// Parses a script.
pub(crate) fn parse(script: &str) -> Vec<Command> {
    let lines: Vec<&str> = script
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let line = lines[index];
        let end = index + 1 + lines[index + 1..].iter().take_while(|line| !line.is_empty()).count();
        if line == "clear" {
            commands.push(Command::Clear);
        } else if let Some(rest) = line.strip_prefix("load_with_nhcb ") {
            commands.push(load(rest, &lines[index + 1..end], true));
        } else if let Some(rest) = line.strip_prefix("load ") {
            commands.push(load(rest, &lines[index + 1..end], false));
        } else if line.starts_with("eval") {
            commands.push(Command::Evaluate(evaluation(index + 1, line, &lines[index + 1..end])));
        } else if !line.is_empty() {
            panic!("line {}: unknown command: {line}", index + 1);
        }
        index = if line.is_empty() || line == "clear" { index + 1 } else { end };
    }
    commands
}

fn time(text: &str) -> Timestamp {
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds * 1000;
    }
    match text.strip_prefix('-') {
        Some(positive) => -time(positive),
        None => duration::parse_prometheus(text).unwrap_or_else(|error| panic!("{error}")),
    }
}

fn load(step: &str, lines: &[&str], with_histograms: bool) -> Command {
    let step = time(step.trim());
    let mut series = Vec::new();
    for line in lines {
        let (labels, rest) = series_name(line);
        let points = points(rest).into_iter().zip(0_i64..);
        let points: Vec<(Timestamp, Point)> =
            points.filter_map(|(point, index)| Some((index * step, point?))).collect();
        if let Some(base) = labels.metric_name().strip_suffix("_bucket").filter(|_| with_histograms)
        {
            let histogram = labels.with(METRIC_NAME, base).with("le", "");
            series.push((
                histogram,
                points.iter().map(|(time, _)| (*time, Point::Histogram)).collect(),
            ));
        }
        series.push((labels, points));
    }
    Command::Load(series)
}

fn evaluation(line_number: usize, line: &str, block: &[&str]) -> Evaluation {
    let (command, rest) = line.split_once(' ').expect("a query");
    let (kind, rest) = rest.trim_start().split_once(' ').expect("times");
    let mut words = rest.trim_start();
    let mut word = || {
        let (word, rest) = words.split_once(' ').expect("a word");
        words = rest.trim_start();
        word
    };
    let times = if kind == "instant" {
        assert_eq!(word(), "at");
        Times::Instant(time(word()))
    } else {
        let [_, from, _, to, _, step] = std::array::from_fn(|_| word());
        Times::Range(time(from), time(to), time(step))
    };
    let mut evaluation = Evaluation {
        line: line_number,
        query: words.to_owned(),
        times,
        fails: (command == "eval_fail").then(String::new),
        ordered: command == "eval_ordered",
        text: None,
        scalar: None,
        series: Vec::new(),
        matrix: None,
        expects_histogram: block.iter().any(|line| line.contains("{{") || line.contains("{count:")),
    };
    for line in block {
        expectation(&mut evaluation, line);
    }
    evaluation
}

fn expectation(evaluation: &mut Evaluation, line: &str) {
    if let Some(rest) = line.strip_prefix("expect ") {
        let (what, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match what {
            "fail" => {
                let message = rest.trim().trim_start_matches("msg:").trim();
                evaluation.fails = Some(message.to_owned());
            }
            "ordered" => evaluation.ordered = true,
            "string" => evaluation.text = Some(rest.trim().trim_matches(['"', '`']).to_owned()),
            "range" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                evaluation.matrix = Some((time(words[2]), time(words[6])));
            }
            // Annotations are not part of the answer.
            "warn" | "info" | "no_warn" | "no_info" => {}
            other => panic!("unknown expectation `{other}`"),
        }
        return;
    }
    if evaluation.expects_histogram {
        return;
    }
    if let Some(number) = number(line) {
        evaluation.scalar = Some(number);
        return;
    }
    let (labels, rest) = series_name(line);
    let values = points(rest).into_iter().map(|point| match point {
        Some(Point::Float(value)) => Some(value),
        _ => None,
    });
    evaluation.series.push((labels, values.collect()));
}

/// A label set such as `name{label="value"}` and what follows it.
fn series_name(line: &str) -> (Labels, &str) {
    let end = line
        .find(|character: char| character == '{' || character.is_whitespace())
        .unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    let mut pairs = vec![(METRIC_NAME.to_owned(), name.to_owned())];
    let has_labels = !rest.trim_start().starts_with("{{");
    if let Some(inner) = rest.trim_start().strip_prefix('{').filter(|_| has_labels) {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once('=').expect("a label");
            let (value, after) = quoted(after.trim_start());
            pairs.push((label.trim().trim_matches('"').to_owned(), value));
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        rest = &rest[1..];
    }
    (Labels::new(pairs), rest)
}

fn quoted(text: &str) -> (String, &str) {
    let quote = text.chars().next().expect("a quote");
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        if character == quote {
            return (value, &text[index + 1..]);
        }
        if character == '\\' && quote != '`' {
            match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(other) => value.push(other),
                None => {}
            }
        } else {
            value.push(character);
        }
    }
    panic!("no closing quote in {text}");
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Expands `1 2+3x4 _ stale`; `None` is a gap.
fn points(text: &str) -> Vec<Option<Point>> {
    // Native histograms have spaces inside; one letter stands for each of them.
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        plain.push_str(before);
        plain.push('H');
        rest = after.split_once("}}").expect("the end of a histogram").1;
    }
    plain.push_str(rest);
    plain.split_whitespace().flat_map(expand).collect()
}

fn expand(word: &str) -> Vec<Option<Point>> {
    let (body, times) = match word.rsplit_once('x') {
        Some((body, times)) => (body, times.parse::<u32>().expect("a count")),
        None => (word, 0),
    };
    if body.starts_with('H') {
        return vec![Some(Point::Histogram); times as usize + 1];
    }
    if body == "_" {
        return vec![None; times.max(1) as usize];
    }
    if body == "stale" {
        return vec![Some(Point::Float(stale_marker())); times as usize + 1];
    }
    if let Some(value) = number(body) {
        return vec![Some(Point::Float(value)); times as usize + 1];
    }
    // The sign between start and increment is the last one that does not belong to an exponent.
    let split = body.char_indices().rev().find(|(index, character)| {
        matches!(character, '+' | '-')
            && *index > 0
            && !body[..*index].ends_with(['e', 'E', '+', '-'])
    });
    let (split, _) = split.unwrap_or_else(|| panic!("not a point: {word}"));
    let start = number(&body[..split]).expect("a start");
    let increment = number(&body[split..]).expect("an increment");
    (0..=times).map(|index| Some(Point::Float(start + increment * f64::from(index)))).collect()
}
