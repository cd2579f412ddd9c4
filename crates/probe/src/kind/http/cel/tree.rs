//! The tree of an expression: which names it may have, and a step counter in each of its loops.
//!
//! Must not know how it is evaluated.

use ::cel::common::ast::{
    CallExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, operators,
};
use notation::Diagnostic;

/// The variable that stands for the step counter; no expression can name it.
pub(super) const STEP: &str = "@step";

/// The functions that exist, besides operators and macros.
const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// The names of types, which are values, too.
const TYPES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Checks the names in a tree, and makes each turn of each loop count.
///
/// # Errors
/// Which name is unknown.
pub(super) fn prepare(tree: &mut IdedExpr) -> Result<(), Diagnostic> {
    prepare_within(tree, &mut vec!["body".to_owned(), "google".to_owned()])
}

/// The same for a part, with the variables that it sees.
fn prepare_within(tree: &mut IdedExpr, names: &mut Vec<String>) -> Result<(), Diagnostic> {
    match &mut tree.expr {
        Expr::Unspecified | Expr::Literal(_) => {}
        Expr::Ident(name) => {
            let known =
                |name: &str| TYPES.contains(&name) || names.iter().any(|known| known == name);
            if !known(name.strip_prefix('.').unwrap_or(name)) {
                return Err(Diagnostic::new(format!("there is no variable `{name}`"))
                    .hint("the body is the variable `body`"));
            }
        }
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if name.starts_with(char::is_alphabetic) && !FUNCTIONS.contains(&name) {
                return Err(Diagnostic::new(format!("there is no function `{name}`"))
                    .hint(format!("the functions are {}", FUNCTIONS.join(", "))));
            }
            for part in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
                prepare_within(part, names)?;
            }
        }
        Expr::Select(select) => prepare_within(&mut select.operand, names)?,
        Expr::List(list) => {
            for element in &mut list.elements {
                prepare_within(element, names)?;
            }
        }
        Expr::Map(map) => prepare_entries(&mut map.entries, names)?,
        Expr::Struct(made) => prepare_entries(&mut made.entries, names)?,
        Expr::Comprehension(turns) => {
            prepare_within(&mut turns.iter_range, names)?;
            prepare_within(&mut turns.accu_init, names)?;
            let outer = names.len();
            names.extend([turns.iter_var.clone(), turns.accu_var.clone()]);
            names.extend(turns.iter_var2.clone());
            for part in [&mut turns.loop_cond, &mut turns.loop_step, &mut turns.result] {
                prepare_within(part, names)?;
            }
            names.truncate(outer);
            count(&mut turns.loop_step);
        }
    }
    Ok(())
}

fn prepare_entries(
    entries: &mut [IdedEntryExpr],
    names: &mut Vec<String>,
) -> Result<(), Diagnostic> {
    for entry in entries {
        match &mut entry.expr {
            EntryExpr::StructField(field) => prepare_within(&mut field.value, names)?,
            EntryExpr::MapEntry(pair) => {
                prepare_within(&mut pair.key, names)?;
                prepare_within(&mut pair.value, names)?;
            }
        }
    }
    Ok(())
}

/// Puts the step counter into a loop's body. The library knows loops by their shape and runs some of them faster, so that the
/// counter has to go into the innermost part: the condition of a filter, the new element of a map, the condition of `all`.
fn count(step: &mut IdedExpr) {
    let Expr::Call(call) = &mut step.expr else { return counted(step) };
    let conditional = call.func_name == operators::CONDITIONAL;
    let part = if conditional { call.args.first_mut() } else { call.args.last_mut() };
    let Some(part) = part else { return };
    match &mut part.expr {
        Expr::List(list) if !conditional => list.elements.iter_mut().for_each(counted),
        _ => counted(part),
    }
}

/// Makes `x` into `@step ? x : false`, which is `x`, or an error when there were too many steps.
fn counted(tree: &mut IdedExpr) {
    let id = tree.id;
    let own = |expr| IdedExpr { id, expr };
    let args = vec![
        own(Expr::Ident(STEP.to_owned())),
        std::mem::take(tree),
        own(Expr::Literal(LiteralValue::Boolean(false.into()))),
    ];
    let func_name = operators::CONDITIONAL.to_owned();
    *tree = own(Expr::Call(CallExpr { func_name, target: None, args }));
}
