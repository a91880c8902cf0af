//! Tokens to a tree: recursive descent with a depth limit.

use super::FilterError;
use super::compare::Comparison;
use super::field::Field;
use super::lexer::{Kind, Token, tokens};
use crate::record::RecordView;

/// Most parentheses and `not`s inside one another.
pub const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Has(Field),
    Test(Field, Comparison),
}

impl Node {
    pub(super) fn matches(&self, record: RecordView<'_>) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(record)),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(record)),
            Self::Not(node) => !node.matches(record),
            Self::Has(field) => field.of(record).is_some(),
            Self::Test(field, comparison) => {
                field.of(record).is_some_and(|actual| comparison.accepts(&actual))
            }
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let node = parser.any()?;
    match parser.peek().kind {
        Kind::End => Ok(node),
        Kind::Close => Err(parser.error("this parenthesis was not opened")),
        _ => Err(parser.error("expected `and`, `or` or the end")),
    }
}

struct Parser {
    /// The last is [`Kind::End`], which is never passed.
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn take(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::new(self.peek().span, message)
    }

    /// Takes the next token if it is the given keyword.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.take();
        }
        found
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.keyword("or") {
            nodes.push(self.all()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.unary()?];
        while self.keyword("and") {
            nodes.push(self.unary()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn unary(&mut self) -> Result<Node, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let node = if self.keyword("not") {
            Node::Not(Box::new(self.unary()?))
        } else if self.peek().kind == Kind::Open {
            let open = self.take();
            let node = self.any()?;
            self.close(&open)?;
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, FilterError> {
        let key = self.take();
        let Kind::Word(word) = key.kind else {
            return Err(FilterError::new(
                key.span,
                "expected a test, such as status = error or has(http.route)",
            ));
        };
        if self.peek().kind == Kind::Open {
            return self.call(&word, key.span);
        }
        if word.starts_with('!') {
            return Err(FilterError::new(key.span, "use `not`"));
        }
        self.comparison(Field::of_word(&word), &word)
    }

    /// `has(key)`, or a comparison of `attr(key)`, `resource(key)` or `scope(key)`.
    fn call(&mut self, word: &str, span: (usize, usize)) -> Result<Node, FilterError> {
        if word == "has" {
            let open = self.take();
            let field = self.key()?;
            self.close(&open)?;
            return Ok(Node::Has(field));
        }
        let make = key_function(word).ok_or_else(|| {
            FilterError::new(span, "expected has(…), attr(…), resource(…) or scope(…) before a parenthesis")
        })?;
        let field = make(self.argument()?);
        self.comparison(field, word)
    }

    /// The key of `has`: a word, or a function of a text.
    fn key(&mut self) -> Result<Field, FilterError> {
        let token = self.take();
        let Kind::Word(word) = token.kind else {
            return Err(FilterError::new(
                token.span,
                "expected a key, such as http.route or attr(\"a key\")",
            ));
        };
        if self.peek().kind != Kind::Open {
            return Ok(Field::of_word(&word));
        }
        let make = key_function(&word).ok_or_else(|| {
            FilterError::new(token.span, "expected attr(…), resource(…) or scope(…) before a parenthesis")
        })?;
        Ok(make(self.argument()?))
    }

    /// `(text)`.
    fn argument(&mut self) -> Result<String, FilterError> {
        let open = self.take();
        let token = self.take();
        let (Kind::Word(text) | Kind::Quoted(text)) = token.kind else {
            return Err(FilterError::new(token.span, "expected an attribute's key"));
        };
        self.close(&open)?;
        Ok(text)
    }

    fn close(&mut self, open: &Token) -> Result<(), FilterError> {
        match self.peek().kind {
            Kind::Close => {
                self.take();
                Ok(())
            }
            Kind::End => Err(FilterError::new(open.span, "this parenthesis is not closed")),
            _ => Err(self.error("expected `)`")),
        }
    }

    fn comparison(&mut self, field: Field, word: &str) -> Result<Node, FilterError> {
        let token = self.peek().clone();
        let Kind::Operator(operator) = token.kind else {
            let message = format!("expected one of = != < <= > >= =~ !~ after `{word}`");
            return Err(FilterError::new(
                token.span,
                if field == Field::Attribute(word.to_owned()) {
                    format!("{message}; has({word}) asks whether it is there")
                } else {
                    message
                },
            ));
        };
        self.take();
        let token = self.take();
        let (literal, quoted) = match token.kind {
            Kind::Word(text) => (text, false),
            Kind::Quoted(text) => (text, true),
            _ => return Err(FilterError::new(token.span, "expected a value")),
        };
        Comparison::new(&field, operator, &literal, quoted)
            .map(|comparison| Node::Test(field, comparison))
            .map_err(|message| FilterError::new(token.span, message))
    }
}

/// The field that a function of a key makes.
fn key_function(word: &str) -> Option<fn(String) -> Field> {
    match word {
        "attr" => Some(Field::Attribute),
        "resource" => Some(Field::Resource),
        "scope" => Some(Field::Scope),
        _ => None,
    }
}
