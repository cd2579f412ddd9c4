//! The tree of a YAML document, every node with its place.
//!
//! Must not know types: a scalar stays the text that it was.

use std::{collections::HashMap, mem};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use notation::{Diagnostic, Position};

use crate::EMPTY;

/// Deeper documents are refused: no file of this program nests more than a dozen levels, and readers recurse.
const DEPTH_MAX: usize = 64;

/// More nodes than this come only from aliases that were made to explode: a hundred thousand targets make half of it.
const NODES_MAX: usize = 1_000_000;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Unique within the tree.
    pub(crate) id: usize,
    pub(crate) position: Position,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A text; `plain` when it was not quoted, so that it may also be a number, a boolean or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    /// The bytes of a `!!binary` scalar (<https://yaml.org/type/binary.html>).
    Binary(Vec<u8>),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// What was cut out of a tree.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// The mappings that lost an entry, with its key.
    pub(crate) entries: Vec<(usize, String)>,
    /// The nodes that lost something below them.
    pub(crate) damaged: Vec<usize>,
}

impl Node {
    /// Whether the node says "nothing".
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Takes the node with this id out of its list, or its entry out of its mapping, and notes what that
    /// damages. `false` when there is none below this node.
    pub(crate) fn cut(&mut self, id: usize, cut: &mut Cut) -> bool {
        match &mut self.kind {
            Kind::Scalar { .. } | Kind::Binary(_) => false,
            Kind::Sequence(items) => {
                let before = items.len();
                items.retain(|item| item.id != id);
                let found = items.len() < before || items.iter_mut().any(|item| item.cut(id, cut));
                if found {
                    cut.damaged.push(self.id);
                }
                found
            }
            Kind::Mapping(entries) => {
                if let Some(index) =
                    entries.iter().position(|(key, value)| key.id == id || value.id == id)
                {
                    let (key, _) = entries.remove(index);
                    if let Kind::Scalar { text, .. } = key.kind {
                        cut.entries.push((self.id, text));
                    }
                    cut.damaged.push(self.id);
                    return true;
                }
                let found = entries.iter_mut().any(|(_, value)| value.cut(id, cut));
                if found {
                    cut.damaged.push(self.id);
                }
                found
            }
        }
    }

    fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } | Kind::Binary(_) => 0,
            Kind::Sequence(items) => items.iter().map(Self::count).sum(),
            Kind::Mapping(entries) => {
                entries.iter().map(|(key, value)| key.count() + value.count()).sum()
            }
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } | Kind::Binary(_) => 0,
            Kind::Sequence(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Mapping(entries) => {
                entries.iter().map(|(key, value)| key.depth().max(value.depth())).max().unwrap_or(0)
            }
        }
    }
}

/// Reads the one document of a text. Mistakes that leave a tree to go on with, such as a duplicate key, come beside
/// it.
///
/// # Errors
/// The mistake after which nothing more can be read.
pub(crate) fn read(text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| syntax(*error.marker(), error.info()))?;
        builder.take(event, span)?;
    }
    let mut root = builder.root.ok_or_else(|| Diagnostic::new(EMPTY).at(Position::START))?;
    number(&mut root, &mut 0);
    Ok((root, builder.mistakes))
}

/// Gives every node its id: copies that aliases made are nodes of their own.
fn number(node: &mut Node, next: &mut usize) {
    node.id = *next;
    *next += 1;
    match &mut node.kind {
        Kind::Scalar { .. } | Kind::Binary(_) => {}
        Kind::Sequence(items) => items.iter_mut().for_each(|item| number(item, next)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                number(key, next);
                number(value, next);
            }
        }
    }
}

fn is_binary(tag: &Tag) -> bool {
    tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some("binary")
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

fn mistake(marker: Marker, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(message).at(position(marker))
}

/// A mistake of the notation itself, with a hint for the commonest one.
fn syntax(marker: Marker, message: String) -> Diagnostic {
    let about_tabs = message.contains("tab");
    let mistake = mistake(marker, message);
    if about_tabs { mistake.hint("use spaces instead of tabs") } else { mistake }
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value, in a mapping.
    key: Option<Node>,
}

/// Builds the tree from events.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    mistakes: Vec<Diagnostic>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let at = span.start;
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(mistake(at, "a second document begins here")
                    .hint("keep one document, and remove the `---` line that begins the second"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let kind = match tag.filter(|tag| is_binary(tag)) {
                    Some(_) => self.binary(&text, at),
                    None => Kind::Scalar { text: text.into_owned(), plain },
                };
                self.nodes += 1;
                self.close(Self::node(at, kind), anchor);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.begin(Self::node(at, Kind::Sequence(Vec::new())), anchor, at)?;
            }
            Event::MappingStart(_, anchor, _) => {
                self.begin(Self::node(at, Kind::Mapping(Vec::new())), anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.close(open.node, open.anchor);
                }
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let mut node =
                    node.ok_or_else(|| mistake(at, "an alias must not be inside its own anchor"))?;
                if self.open.len() + node.depth() > DEPTH_MAX {
                    return Err(mistake(at, format!("nested deeper than {DEPTH_MAX} levels")));
                }
                self.nodes += node.count();
                if self.nodes > NODES_MAX {
                    return Err(mistake(at, "aliases make the document too large"));
                }
                node.position = position(at);
                self.close(node, 0);
            }
            _ => {}
        }
        Ok(())
    }

    /// The bytes that a text in Base64 stands for, which may be broken into lines.
    fn binary(&mut self, text: &str, at: Marker) -> Kind {
        let digits: String = text.split_ascii_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(digits).unwrap_or_else(|_| {
            // The text may be a secret.
            self.mistakes.push(mistake(at, "the text behind `!!binary` is not Base64"));
            Vec::new()
        });
        Kind::Binary(bytes)
    }

    fn node(at: Marker, kind: Kind) -> Node {
        Node { id: 0, position: position(at), kind }
    }

    fn begin(&mut self, node: Node, anchor: usize, at: Marker) -> Result<(), Diagnostic> {
        if self.open.len() >= DEPTH_MAX {
            return Err(mistake(at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    /// Puts a finished node into its parent.
    fn close(&mut self, mut node: Node, anchor: usize) {
        if let Kind::Mapping(entries) = &mut node.kind {
            merge(entries);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match mem::take(&mut parent.key) {
                None => parent.key = Some(node),
                Some(key) => {
                    if let Some(duplicate) = duplicate(entries, &key) {
                        self.mistakes.push(duplicate);
                    } else {
                        entries.push((key, node));
                    }
                }
            },
            Kind::Scalar { .. } | Kind::Binary(_) => {}
        }
    }
}

/// The complaint about a key that the mapping has already.
fn duplicate(entries: &[(Node, Node)], key: &Node) -> Option<Diagnostic> {
    let Kind::Scalar { text, .. } = &key.kind else { return None };
    let same =
        |node: &Node| matches!(&node.kind, Kind::Scalar { text: other, .. } if other == text);
    let (first, _) = entries.iter().find(|(first, _)| same(first))?;
    let mistake = Diagnostic::new(format!("duplicate key `{text}`")).at(key.position);
    Some(mistake.hint(format!("the other one is in line {}", first.position.line)))
}

/// Resolves `<<: *defaults`: entries that the mapping does not have itself come from the mapping, or the list of mappings,
/// behind it (<https://yaml.org/type/merge.html>).
fn merge(entries: &mut Vec<(Node, Node)>) {
    let is_merge =
        |key: &Node| matches!(&key.kind, Kind::Scalar { text, plain: true } if text == "<<");
    let Some(index) = entries.iter().position(|(key, _)| is_merge(key)) else { return };
    let mappings = match &entries.get(index).map(|(_, value)| &value.kind) {
        Some(Kind::Mapping(mapping)) => vec![mapping.clone()],
        Some(Kind::Sequence(items)) => items
            .iter()
            .filter_map(|item| match &item.kind {
                Kind::Mapping(mapping) => Some(mapping.clone()),
                Kind::Scalar { .. } | Kind::Binary(_) | Kind::Sequence(_) => None,
            })
            .collect(),
        _ => return,
    };
    entries.remove(index);
    for (key, value) in mappings.into_iter().flatten() {
        if duplicate(entries, &key).is_none() {
            entries.push((key, value));
        }
    }
}
