//! What stands in for `cel` in a program that was built without the feature of that name: it refuses every expression.
//!
//! Must not know CEL.

use notation::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{context::ProbeContext, report::Failure};

/// An expression that can be evaluated: none exists in this build.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(super) enum Expression {}

impl TryFrom<String> for Expression {
    type Error = Diagnostic;

    fn try_from(_: String) -> Result<Self, Diagnostic> {
        Err(Diagnostic::new("this program was built without CEL")
            .hint("build it with the feature `cel`, or use fail_if_body_json_not_matches"))
    }
}

/// Checks a body against expressions, of which this build has none.
#[expect(
    clippy::unused_async,
    reason = "evaluating takes time where there is something to evaluate"
)]
pub(super) async fn hold(
    _expressions: Vec<(Expression, bool)>,
    _body: Value,
    _scope: &mut ProbeContext,
) -> Result<(), Failure> {
    Ok(())
}
