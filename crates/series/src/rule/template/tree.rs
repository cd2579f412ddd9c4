//! The syntax trees of templates: what they mention, and how their output is printed.
//!
//! Must not know what functions do.

use std::collections::BTreeSet;

use gotmpl::{
    TemplateError,
    parse::{BranchNode, CommandNode, Expr, ListNode, Node, Parser, PipeNode},
};

/// The function that prints as Go does; no text can name it.
pub(super) const SHOW: &str = "\u{0}show";

/// The variables that every text has, and what they stand for.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("labels", "Labels"),
    ("value", "Value"),
    ("externalLabels", "ExternalLabels"),
    ("externalURL", "ExternalURL"),
];

/// A parsed text.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    /// The text itself.
    pub(super) body: ListNode,
    /// The templates that it defines, with their names.
    pub(super) defines: Vec<(String, ListNode)>,
    /// The names of labels that it mentions.
    pub(super) fields: BTreeSet<String>,
    functions: Vec<String>,
    variables: Vec<String>,
    declared: BTreeSet<String>,
}

/// A name that nothing has.
#[derive(Debug)]
pub(super) enum Problem {
    /// A function.
    Function(String),
    /// A variable, without its `$`.
    Variable(String),
}

/// Stands after a text while it is parsed: the parser takes a block without an end, and ends at an end without a block.
const LAST: &str = "\u{0}last";

/// Parses a text.
///
/// # Errors
/// When the syntax is wrong.
pub(super) fn parse(text: &str) -> Result<Parsed, TemplateError> {
    let marked = format!("{text}{{{{`{LAST}`}}}}");
    let tree = Parser::new(&marked, "{{", "}}").and_then(Parser::parse);
    let (mut body, defines) = match tree {
        Ok(tree) => tree,
        // The text without the mark says better what is wrong.
        Err(error) => return Err(plain_error(text).unwrap_or(error)),
    };
    if !body.nodes.pop().is_some_and(|node| is_last(&node)) {
        let message = "an `{{ end }}` is missing, or there is one too many".to_owned();
        return Err(TemplateError::Parse { name: None, line: 0, col: 0, message });
    }
    let declarations =
        VARIABLES.map(|(name, field)| format!("{{{{${name} := .{field}}}}}")).concat();
    let (declarations, _) = Parser::new(&declarations, "{{", "}}")?.parse()?;
    let mut parsed = Parsed {
        body: ListNode { pos: body.pos, nodes: Vec::new() },
        defines: Vec::new(),
        fields: BTreeSet::new(),
        functions: Vec::new(),
        variables: Vec::new(),
        declared: VARIABLES.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    let body = parsed.list(body);
    parsed.body.nodes = declarations.nodes;
    parsed.body.nodes.extend(body.nodes);
    for define in defines {
        let body = parsed.list(define.body);
        parsed.defines.push((define.name.to_string(), body));
    }
    Ok(parsed)
}

fn plain_error(text: &str) -> Option<TemplateError> {
    Parser::new(text, "{{", "}}").and_then(Parser::parse).err()
}

fn is_last(node: &Node) -> bool {
    let Node::Action(action) = node else { return false };
    let mut arguments = action.pipe.commands.iter().flat_map(|command| &command.args);
    matches!(arguments.next(), Some(Expr::String(_, text)) if text.as_ref() == LAST)
}

impl Parsed {
    /// The first function or variable that does not exist.
    pub(super) fn problem(&self, functions: &BTreeSet<String>) -> Option<Problem> {
        let function = self.functions.iter().find(|name| !functions.contains(*name));
        let variable = || {
            self.variables.iter().find(|name| !name.is_empty() && !self.declared.contains(*name))
        };
        function
            .map(|name| Problem::Function(name.clone()))
            .or_else(|| variable().map(|name| Problem::Variable(name.clone())))
    }

    fn list(&mut self, list: ListNode) -> ListNode {
        let nodes = list.nodes.into_iter().map(|node| self.node(node)).collect();
        ListNode { pos: list.pos, nodes }
    }

    fn node(&mut self, node: Node) -> Node {
        match node {
            Node::List(list) => Node::List(self.list(list)),
            Node::Action(mut action) => {
                self.pipe(&action.pipe);
                if action.pipe.decl.is_empty() {
                    let show = Expr::Identifier(action.pos, SHOW.into());
                    action.pipe.commands.push(CommandNode { pos: action.pos, args: vec![show] });
                }
                Node::Action(action)
            }
            Node::If(branch) => Node::If(self.branch(branch)),
            Node::Range(branch) => Node::Range(self.branch(branch)),
            Node::With(branch) => Node::With(self.branch(branch)),
            Node::Template(template) => {
                template.pipe.iter().for_each(|pipe| self.pipe(pipe));
                Node::Template(template)
            }
            Node::Define(mut define) => {
                define.body = self.list(define.body);
                Node::Define(define)
            }
            other @ (Node::Text(_) | Node::Break(_) | Node::Continue(_)) => other,
        }
    }

    fn branch(&mut self, branch: BranchNode) -> BranchNode {
        self.pipe(&branch.pipe);
        BranchNode {
            body: self.list(branch.body),
            else_body: branch.else_body.map(|body| self.list(body)),
            ..branch
        }
    }

    fn pipe(&mut self, pipe: &PipeNode) {
        let declared = pipe.decl.iter().map(|name| name.trim_start_matches('$').to_owned());
        self.declared.extend(declared);
        for expression in pipe.commands.iter().flat_map(|command| &command.args) {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Field(_, fields) => self.path(fields.iter().map(AsRef::as_ref)),
            Expr::Variable(_, name, fields) => {
                self.variables.push(name.trim_start_matches('$').to_owned());
                self.path(fields.iter().map(AsRef::as_ref));
            }
            Expr::Chain(_, inner, fields) => {
                self.expression(inner);
                self.path(fields.iter().map(AsRef::as_ref));
            }
            Expr::Identifier(_, name) => self.functions.push(name.to_string()),
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Dot(_) | Expr::String(..) | Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => {}
        }
    }

    /// Notes which label a path such as `.Labels.instance` names: what follows `Labels`, or what stands alone.
    fn path<'a>(&mut self, mut fields: impl Iterator<Item = &'a str>) {
        const CONTAINERS: [&str; 2] = ["Labels", "ExternalLabels"];
        const OTHERS: [&str; 2] = ["Value", "ExternalURL"];

        let first = fields.next();
        let label = if first.is_some_and(|first| CONTAINERS.contains(&first)) {
            fields.next()
        } else {
            first
        };
        self.fields.extend(label.filter(|label| !OTHERS.contains(label)).map(str::to_owned));
    }
}
