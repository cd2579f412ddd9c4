//! Expectations of a JSON body as expressions in CEL (<https://cel.dev>), with the one variable `body`.
//!
//! An expression is checked when it is read, and evaluated on a thread of its own: counting steps, which the library does not,
//! and stopped when nobody waits any more. Must not know where the body comes from.

mod tree;

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use ::cel::{
    Context, Env, Value as Cel,
    common::{ast::IdedExpr, types::CelBool, value::CowVal},
    context::VariableResolver,
    objects::{Key, Map},
};
use notation::{
    Diagnostic,
    text::{ELLIPSIS, beginning},
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use self::tree::{STEP, prepare};
use super::json::failure;
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Reason, Stage},
};

/// The longest expression, in bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// How many elements of lists and maps one evaluation may look at, those of nested loops each time anew.
const STEPS_MAX: u32 = 1_000_000;

/// How many evaluations run at once.
static EVALUATIONS: Semaphore = Semaphore::const_new(4);

/// The stack of a thread that parses or evaluates: the library recurses with large frames. Only what is touched is used.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// How much of the library's words is quoted.
const DETAIL_BYTES_MAX: usize = 200;

/// An expression that can be evaluated.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Expression {
    text: String,
    tree: Arc<IdedExpr>,
}

impl TryFrom<String> for Expression {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let wrong = |what: Diagnostic| Diagnostic {
            message: format!("`{}` is not a CEL expression: {}", brief(&text), what.message),
            ..what
        };
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("it is longer than {TEXT_BYTES_MAX} bytes");
            return Err(wrong(Diagnostic::new(what)));
        }
        let source = text.clone();
        let parsing = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || parse(&source));
        let parsed = parsing.map_err(|error| Diagnostic::new(error.to_string()))?.join();
        let tree =
            parsed.map_err(|_| wrong(Diagnostic::new("it cannot be parsed")))?.map_err(wrong)?;
        Ok(Self { text, tree: Arc::new(tree) })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The beginning of a message from the library, in one line.
fn brief(text: &dyn fmt::Display) -> String {
    struct Brief(String);

    impl fmt::Write for Brief {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let taken = beginning(text, DETAIL_BYTES_MAX.saturating_sub(self.0.len()));
            self.0.push_str(&taken.replace('\n', " "));
            // An error ends the writing: what a value looks like can be as long as the body.
            if taken.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut brief = Brief(String::new());
    if write!(brief, "{text}").is_err() {
        brief.0.push(ELLIPSIS);
    }
    brief.0
}

fn parse(text: &str) -> Result<IdedExpr, Diagnostic> {
    let parsed = Env::stdlib().parser().parse(text);
    let mut tree = parsed.map_err(|errors| {
        let first = errors.errors.first();
        Diagnostic::new(first.map_or_else(String::new, |error| {
            format!("{} at column {}", brief(&error.msg), error.pos.1)
        }))
    })?;
    prepare(&mut tree)?;
    Ok(tree)
}

/// How far an evaluation is.
struct Steps {
    max: u32,
    taken: AtomicU32,
    /// Nobody waits any more.
    abandoned: AtomicBool,
}

impl Steps {
    fn new(max: u32) -> Self {
        Self { max, taken: AtomicU32::new(0), abandoned: AtomicBool::new(false) }
    }
}

impl VariableResolver for Steps {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable != STEP || self.abandoned.load(Ordering::Relaxed) {
            return None;
        }
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        (taken < self.max).then(|| CowVal::Owned(Box::new(CelBool::from(true))))
    }
}

/// Abandons the evaluation when it is dropped.
struct Waiting(Arc<Steps>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

/// Holds a body against expressions, each with the value that it must not have.
pub(super) async fn hold(
    expressions: Vec<(Expression, bool)>,
    body: Value,
    context: &mut ProbeContext,
) -> Result<(), Failure> {
    let fault = |reason, detail: String| Failure::new(Phase::Internal, reason, detail);
    // That others take long is not the target's fault.
    let turn = async {
        let turn = EVALUATIONS.acquire().await;
        turn.map_err(|error| fault(Reason::Bug, error.to_string()))
    };
    let turn = context
        .stage(Phase::Internal, Stage::Transfer, turn)
        .await
        .map_err(|failure| Failure { reason: Reason::Overload, ..failure })?;
    let work = async {
        let steps = Arc::new(Steps::new(STEPS_MAX));
        let _waiting = Waiting(Arc::clone(&steps));
        let (sender, receiver) = oneshot::channel();
        let evaluation = move || {
            let _turn = turn;
            // Nobody receives it when the deadline has passed.
            let _unheard = sender.send(evaluate(&expressions, body, &steps));
        };
        thread::Builder::new()
            .name("cel".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(evaluation)
            .map_err(|error| fault(Reason::Overload, error.to_string()))?;
        let dead = |_| fault(Reason::Bug, "the evaluation of a CEL expression died".to_owned());
        receiver.await.map_err(dead)?
    };
    context.stage(Phase::Check, Stage::Transfer, work).await
}

fn evaluate(expressions: &[(Expression, bool)], body: Value, steps: &Steps) -> Result<(), Failure> {
    let mut context = Context::default();
    context.add_variable_from_value("body", converted(body));
    context.set_variable_resolver(steps);
    for (expression, unwanted) in expressions {
        let quoted = brief(&expression.text);
        let result = Cel::resolve(&expression.tree, &context);
        if steps.taken.load(Ordering::Relaxed) > steps.max {
            return Err(failure(format!("`{quoted}` takes more than {} steps", steps.max)));
        }
        match result {
            Ok(Cel::Bool(found)) if found == *unwanted => {
                return Err(failure(format!("`{quoted}` is {found}")));
            }
            Ok(Cel::Bool(_)) => {}
            Ok(other) => {
                let kind = other.type_of();
                return Err(failure(format!("`{quoted}` is neither true nor false, but {kind}")));
            }
            Err(error) => {
                return Err(failure(format!("`{quoted}` cannot be evaluated: {}", brief(&error))));
            }
        }
    }
    Ok(())
}

/// JSON as CEL has it. All numbers are of the type `double`, as they are for `blackbox_exporter`.
fn converted(value: Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(value),
        Value::Number(number) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Cel::String(Arc::new(text)),
        Value::Array(values) => Cel::List(Arc::new(values.into_iter().map(converted).collect())),
        Value::Object(values) => {
            let pairs = values.into_iter().map(|(key, value)| (Key::from(key), converted(value)));
            Cel::Map(Map { map: Arc::new(pairs.collect()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{ "status": "ok", "n": 3, "half": 0.5, "flag": true, "nothing": null, "a-b": "x",
        "tags": ["a", "b"], "items": [{ "id": 1 }, { "id": 2, "error": "e" }], "map": { "x": 1, "y": 2 } }"#;

    fn expression(text: &str) -> Result<Expression, Diagnostic> {
        Expression::try_from(text.to_owned())
    }

    /// What holding a body against an expression that has to be true says.
    fn held(text: &str, body: &str) -> Result<(), String> {
        held_within(STEPS_MAX, text, body)
    }

    fn held_within(steps: u32, text: &str, body: &str) -> Result<(), String> {
        let body = crate::kind::http::json::parse(body.as_bytes()).unwrap();
        let expression = expression(text).unwrap_or_else(|error| panic!("{error}"));
        // A thread, because unoptimised code needs more stack than a test has.
        let evaluation = thread::Builder::new().stack_size(STACK_BYTES);
        let evaluation = evaluation
            .spawn(move || evaluate(&[(expression, false)], body, &Steps::new(steps)))
            .unwrap();
        evaluation.join().unwrap().map_err(|failure| failure.detail)
    }

    #[test]
    fn expressions_mean_what_they_mean_to_blackbox_exporter() {
        for text in [
            "body.status == 'ok'",
            "body.n == 3 && body.n >= 3.0 && body.n > 2 && body.n != 4",
            "body.n * 2.0 + body.half == 6.5",
            "body.n in [1, 2, 3]",
            "type(body.n) == double && string(body.n) == '3'",
            "int(body.n) % 2 == 1",
            "body.flag && !(body.nothing != null)",
            "body['a-b'] == 'x' && body.tags[0] == 'a' && body.tags == ['a', 'b']",
            "size(body.tags) == 2 && body.items.size() == 2 && size(body.status) == 2",
            "'a' in body.tags && 'status' in body && !('state' in body)",
            "has(body.map.x) && !has(body.map.z)",
            "body.status.startsWith('o') && body.status.endsWith('k') && body.status.contains('o')",
            "body.status.matches('^o.$')",
            "body.items.all(i, i.id > 0) && body.items.exists(i, i.id == 2)",
            "body.items.exists_one(i, has(i.error))",
            "body.items.map(i, i.id) == [1, 2] && body.items.map(i, i.id > 1, i.id) == [2]",
            "body.items.filter(i, has(i.error)).size() == 1",
            "body.map.all(key, body.map[key] < 3)",
            "body.items.all(i, body.tags.all(t, t != 'c' && i.id < 3))",
            "body.n > 5 ? false : true",
        ] {
            assert_eq!(held(text, BODY), Ok(()), "{text}");
        }
        for (text, detail) in [
            ("body.status == 'down'", "`body.status == 'down'` is false"),
            ("body.status", "`body.status` is neither true nor false, but string"),
            ("body.state == 'ok'", "`body.state == 'ok'` cannot be evaluated: "),
            ("body.n % 2 == 1", "`body.n % 2 == 1` cannot be evaluated: "),
            ("body.items.all(i, i.error == 'e')", "`body.items.all(i, i.error == 'e')` cannot"),
        ] {
            let found = held(text, BODY).unwrap_err();
            assert!(found.starts_with(detail) && found.len() < 500, "{found}");
        }
    }

    #[test]
    fn mistakes_are_found_when_the_expression_is_read() {
        for (text, what) in [
            ("body.status ==", "is not a CEL expression: "),
            ("", "is not a CEL expression: "),
            ("answer.status == 'ok'", "there is no variable `answer`"),
            ("body.items.all(i, j.id > 1)", "there is no variable `j`"),
            ("body.items.all(i, true) && i.id == 1", "there is no variable `i`"),
            ("body.status.lower() == 'ok'", "there is no function `lower`"),
            (
                "timestamp(body.time) > timestamp('2026-01-01T00:00:00Z')",
                "there is no function `timestamp`",
            ),
        ] {
            let error = expression(text).unwrap_err();
            assert!(error.message.contains(what), "{error}");
        }
        let deep = format!("{}true{}", "(".repeat(4000), ")".repeat(4000));
        assert!(expression(&deep).is_err());
        let long = format!("body == '{}'", "x".repeat(TEXT_BYTES_MAX));
        assert!(expression(&long).unwrap_err().message.len() < 500);
    }

    #[test]
    fn steps_are_bounded_in_every_kind_of_loop() {
        let body = format!("[{}0]", "0,".repeat(149));
        for text in [
            "body.all(x, body.all(y, true))",
            "!body.exists(x, body.exists(y, false))",
            "body.exists_one(x, body.exists_one(y, true))",
            "body.map(x, body.map(y, y)).size() == 0",
            "body.map(x, body.filter(y, true).size() > 0, x).size() == 0",
            "body.filter(x, body.map(y, [y]).size() > 0).size() == 0",
        ] {
            let found = held_within(10_000, text, &body).unwrap_err();
            assert!(found.ends_with("takes more than 10000 steps"), "{text}: {found}");
        }
    }
}
