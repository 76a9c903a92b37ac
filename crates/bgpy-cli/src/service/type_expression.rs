//! Expressions that name types, such as `dict[str, int] | None`. They are data here: nothing is looked up.

use super::literal::{Lexeme, is_name, lexemes};

/// How deep annotations may nest.
const DEPTH_MAX: usize = 50;

/// A type, as an annotation names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TypeExpression {
    /// A name, perhaps with dots.
    Name(Vec<String>),
    /// Something of other types, such as `list[int]`.
    Of(Vec<String>, Vec<Self>),
    /// A list of parameters in brackets.
    List(Vec<Self>),
    Union(Vec<Self>),
    /// What stands for itself.
    Literal(String),
}

impl TypeExpression {
    /// Reads an annotation; `None` if it names no type.
    pub(super) fn read(text: &str) -> Option<Self> {
        Reader::read(text, 0)
    }
}

struct Reader<'a, 'b> {
    lexemes: &'b [Lexeme<'a>],
    depth: usize,
}

impl Reader<'_, '_> {
    fn read(text: &str, depth: usize) -> Option<TypeExpression> {
        let lexemes = lexemes(text)?;
        let mut reader = Reader { lexemes: &lexemes, depth };
        let read = reader.union(false)?;
        reader.lexemes.is_empty().then_some(read)
    }

    fn take(&mut self, sign: char) -> bool {
        let is_next = self.lexemes.first() == Some(&Lexeme::Sign(sign));
        self.lexemes = &self.lexemes[usize::from(is_next)..];
        is_next
    }

    /// Types with `|` between them; in a `Literal`, texts stand for themselves.
    fn union(&mut self, in_literal: bool) -> Option<TypeExpression> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut items = vec![self.one(in_literal)?];
        while self.take('|') {
            items.push(self.one(in_literal)?);
        }
        self.depth -= 1;
        if items.len() == 1 { items.pop() } else { Some(TypeExpression::Union(items)) }
    }

    fn one(&mut self, in_literal: bool) -> Option<TypeExpression> {
        let (first, rest) = self.lexemes.split_first()?;
        self.lexemes = rest;
        match first {
            Lexeme::String(text) if in_literal => {
                let quote = if text.contains('\'') { '"' } else { '\'' };
                Some(TypeExpression::Literal(format!("{quote}{text}{quote}")))
            }
            Lexeme::String(text) => Reader::read(text, self.depth),
            Lexeme::Number(digits) if in_literal => {
                Some(TypeExpression::Literal((*digits).to_owned()))
            }
            Lexeme::Sign('-') if in_literal => match self.one(true)? {
                TypeExpression::Literal(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                    Some(TypeExpression::Literal(format!("-{text}")))
                }
                _ => None,
            },
            Lexeme::Name(name) => self.name(name),
            _ => None,
        }
    }

    fn name(&mut self, first: &str) -> Option<TypeExpression> {
        let mut path = vec![first.to_owned()];
        while self.take('.') {
            let Some((Lexeme::Name(name), rest)) = self.lexemes.split_first() else { return None };
            self.lexemes = rest;
            path.push((*name).to_owned());
        }
        if path.len() > 1 && !path.iter().all(|part| is_name(part)) {
            return None;
        }
        if !self.take('[') {
            return Some(TypeExpression::Name(path));
        }
        let name = path.last().map(String::as_str);
        let mut items = self.items(name == Some("Literal"))?;
        if name == Some("Annotated") {
            // The rest may be any expression, but means nothing to type checkers.
            return (!items.is_empty()).then(|| items.swap_remove(0));
        }
        // None[int] would raise.
        is_name(first).then_some(TypeExpression::Of(path, items))
    }

    /// What stands in brackets, up to the closing one.
    fn items(&mut self, in_literal: bool) -> Option<Vec<TypeExpression>> {
        let mut items = Vec::new();
        loop {
            items.push(match self.lexemes.split_first()? {
                (Lexeme::Ellipsis, rest) => {
                    self.lexemes = rest;
                    TypeExpression::Literal("...".to_owned())
                }
                (Lexeme::Sign('('), [Lexeme::Sign(')'), rest @ ..]) => {
                    self.lexemes = rest;
                    TypeExpression::Literal("()".to_owned())
                }
                (Lexeme::Sign('['), [Lexeme::Sign(']'), rest @ ..]) => {
                    self.lexemes = rest;
                    TypeExpression::List(Vec::new())
                }
                (Lexeme::Sign('['), rest) => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return None;
                    }
                    self.lexemes = rest;
                    TypeExpression::List(self.items(in_literal)?)
                }
                _ => self.union(in_literal)?,
            });
            if self.take(']') {
                return Some(items);
            }
            if !self.take(',') {
                return None;
            }
        }
    }
}
