//! The syntax trees of templates: what they mention, and how their output is printed.
//!
//! Must not know what functions do.

use std::collections::BTreeSet;

use gotmpl::{
    TemplateError,
    parse::{BranchNode, CommandNode, Expr, ListNode, Node, Parser, PipeNode, Pos},
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
    /// The variables that hold a time.
    times: BTreeSet<String>,
    /// Whether `.` is a time at present.
    dot_is_time: bool,
    methods: Vec<String>,
}

/// A name that nothing has.
#[derive(Debug)]
pub(super) enum Problem {
    /// A function.
    Function(String),
    /// A variable, without its `$`.
    Variable(String),
    /// A method of a time.
    Method(String),
}

/// What gives a time, Go's `time.Time`.
const TO_TIME: &str = "toTime";

/// The methods of a time that are supported, and the functions that do their work; no text can name these.
pub(super) const METHODS: [(&str, &str); 2] = [("Format", FORMAT), ("UTC", UTC)];

/// Writes a time by an example.
pub(super) const FORMAT: &str = "\u{0}format";

/// A time as it is: there is no other zone than UTC.
pub(super) const UTC: &str = "\u{0}utc";

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
        times: BTreeSet::new(),
        dot_is_time: false,
        methods: Vec::new(),
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

/// Whether a command calls a method.
fn is_method(command: &CommandNode) -> bool {
    let Some(Expr::Identifier(_, name)) = command.args.first() else { return false };
    METHODS.iter().any(|(_, function)| *function == name.as_str())
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
            .or_else(|| self.methods.first().map(|name| Problem::Method(name.clone())))
    }

    fn list(&mut self, list: ListNode) -> ListNode {
        let nodes = list.nodes.into_iter().map(|node| self.node(node)).collect();
        ListNode { pos: list.pos, nodes }
    }

    fn node(&mut self, node: Node) -> Node {
        match node {
            Node::List(list) => Node::List(self.list(list)),
            Node::Action(mut action) => {
                action.pipe = self.pipe(action.pipe);
                if action.pipe.decl.is_empty() {
                    let show = Expr::Identifier(action.pos, SHOW.into());
                    action.pipe.commands.push(CommandNode { pos: action.pos, args: vec![show] });
                }
                Node::Action(action)
            }
            Node::If(branch) => {
                let dot = self.dot_is_time;
                Node::If(self.branch(branch, |_| dot))
            }
            Node::Range(branch) => Node::Range(self.branch(branch, |_| false)),
            Node::With(branch) => Node::With(self.branch(branch, |is_time| is_time)),
            Node::Template(mut template) => {
                template.pipe = template.pipe.map(|pipe| self.pipe(pipe));
                Node::Template(template)
            }
            Node::Define(mut define) => {
                define.body = self.list(define.body);
                Node::Define(define)
            }
            other @ (Node::Text(_) | Node::Break(_) | Node::Continue(_)) => other,
        }
    }

    /// A branch; `dot` says whether `.` is a time in its body, given whether its condition is one.
    fn branch(&mut self, branch: BranchNode, dot: impl Fn(bool) -> bool) -> BranchNode {
        let pipe = self.pipe(branch.pipe);
        let inside = dot(self.gives_time(&pipe));
        let outside = std::mem::replace(&mut self.dot_is_time, inside);
        let body = self.list(branch.body);
        self.dot_is_time = outside;
        let else_body = branch.else_body.map(|body| self.list(body));
        BranchNode { pipe, body, else_body, ..branch }
    }

    fn pipe(&mut self, mut pipe: PipeNode) -> PipeNode {
        let declared: Vec<String> =
            pipe.decl.iter().map(|name| name.trim_start_matches('$').to_owned()).collect();
        for command in &mut pipe.commands {
            let mut arguments = std::mem::take(&mut command.args).into_iter();
            let first = arguments.next().map(|first| self.expression(first));
            command.args.extend(first);
            command.args.extend(arguments.map(|argument| self.expression(argument)));
            // A method with its receiver is a command of its own here; its arguments belong into it.
            let method = match command.args.first() {
                Some(Expr::Pipe(_, pipe)) => match pipe.commands.as_slice() {
                    [inner] if is_method(inner) => Some(inner.args.clone()),
                    _ => None,
                },
                _ => None,
            };
            if let Some(mut method) = method {
                method.extend(command.args.drain(1..));
                command.args = method;
            }
        }
        if self.gives_time(&pipe) {
            self.times.extend(declared.iter().cloned());
        }
        self.declared.extend(declared);
        pipe
    }

    /// Whether a pipe gives a time.
    fn gives_time(&self, pipe: &PipeNode) -> bool {
        let Some(last) = pipe.commands.last() else { return false };
        match last.args.as_slice() {
            [Expr::Identifier(_, name), ..] => [TO_TIME, UTC].contains(&name.as_str()),
            [Expr::Variable(_, name, fields)] => {
                fields.is_empty() && self.times.contains(name.trim_start_matches('$'))
            }
            [Expr::Dot(_)] => self.dot_is_time,
            [Expr::Pipe(_, inner)] => self.gives_time(inner),
            _ => false,
        }
    }

    /// Notes what an expression mentions, and makes functions of methods.
    fn expression(&mut self, expression: Expr) -> Expr {
        match expression {
            Expr::Field(pos, fields) if self.dot_is_time => {
                self.methods(Expr::Dot(pos), pos, fields.iter().map(AsRef::as_ref))
            }
            Expr::Field(_, ref fields) => {
                self.path(fields.iter().map(AsRef::as_ref));
                expression
            }
            Expr::Variable(pos, name, fields) => {
                let bare = name.trim_start_matches('$');
                self.variables.push(bare.to_owned());
                if self.times.contains(bare) {
                    let receiver = Expr::Variable(pos, name, Vec::new());
                    return self.methods(receiver, pos, fields.iter().map(AsRef::as_ref));
                }
                self.path(fields.iter().map(AsRef::as_ref));
                Expr::Variable(pos, name, fields)
            }
            Expr::Chain(pos, inner, fields) => {
                let inner = self.expression(*inner);
                if let Expr::Pipe(_, pipe) = &inner
                    && self.gives_time(pipe)
                {
                    return self.methods(inner, pos, fields.iter().map(AsRef::as_ref));
                }
                self.path(fields.iter().map(AsRef::as_ref));
                Expr::Chain(pos, Box::new(inner), fields)
            }
            Expr::Identifier(_, ref name) => {
                self.functions.push(name.to_string());
                expression
            }
            Expr::Pipe(pos, pipe) => Expr::Pipe(pos, self.pipe(pipe)),
            Expr::Dot(_) | Expr::String(..) | Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => {
                expression
            }
        }
    }

    /// The methods of a time, one after another, as calls of functions.
    fn methods<'a>(
        &mut self,
        receiver: Expr,
        pos: Pos,
        names: impl Iterator<Item = &'a str>,
    ) -> Expr {
        names.fold(receiver, |receiver, name| {
            let Some((_, function)) = METHODS.iter().find(|(method, _)| *method == name) else {
                self.methods.push(name.to_owned());
                return receiver;
            };
            let args = vec![Expr::Identifier(pos, (*function).into()), receiver];
            let commands = vec![CommandNode { pos, args }];
            Expr::Pipe(pos, PipeNode { pos, decl: Vec::new(), commands, is_assign: false })
        })
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
