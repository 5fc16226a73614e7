//! From words to a tree.

use serde_json::Number;

use super::functions;
use super::lex::{Piece, Token};

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Printed as it stands.
    Text(String),
    /// Printed, unless it only sets a variable.
    Print(Pipe),
    /// `if`, `else if`, `else`: the first whose condition is true.
    If(Vec<(Pipe, Vec<Node>)>, Vec<Node>),
    /// `with`: the same, and what it tests becomes `.`.
    With(Vec<(Pipe, Vec<Node>)>, Vec<Node>),
    /// `range`: once for each; `else` where there are none.
    Range(Pipe, Vec<Node>, Vec<Node>),
}

/// Commands, each with the value of the one before it as last argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipe {
    /// `$x :=`, `$k, $v :=`, `$x =`.
    pub variables: Vec<String>,
    /// `:=` and not `=`.
    pub declares: bool,
    /// At least one.
    pub commands: Vec<Command>,
}

/// A function and its arguments, or a value.
pub type Command = Vec<Operand>;

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `.A.B`: from where one stands.
    Dot(Vec<String>),
    /// `$x.A.B`.
    Variable(String, Vec<String>),
    /// `(…).A.B`.
    Group(Box<Pipe>, Vec<String>),
    /// `"text"`.
    Text(String),
    /// `7`.
    Number(Number),
    /// `true`.
    Bool(bool),
    /// `nil`.
    Nil,
    /// `join`.
    Function(String),
}

/// Makes the tree.
///
/// # Errors
/// What does not fit together.
pub fn parse(pieces: &[Piece]) -> Result<Vec<Node>, String> {
    let mut parser = Parser { pieces, at: 0, depth: 0 };
    let (nodes, end) = parser.block()?;
    match end {
        Block::Template => Ok(nodes),
        Block::End => Err("unexpected {{end}}".to_owned()),
        Block::Else(_) => Err("unexpected {{else}}".to_owned()),
    }
}

/// What a block ended with.
enum Block {
    Template,
    End,
    /// With what follows the word: `if …` and `with …`.
    Else(Vec<Token>),
}

struct Parser<'a> {
    pieces: &'a [Piece],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn block(&mut self) -> Result<(Vec<Node>, Block), String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("too many blocks in each other".to_owned());
        }
        let block = self.nodes();
        self.depth -= 1;
        block
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Block), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at) {
            self.at += 1;
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.clone()));
                    continue;
                }
                Piece::Action(tokens) => trimmed(tokens),
            };
            let (word, rest) = match tokens.split_first() {
                Some((Token::Word(word), rest)) => (word.as_str(), trimmed(rest)),
                _ => ("", tokens),
            };
            nodes.push(match word {
                "end" => return Ok((nodes, Block::End)),
                "else" => return Ok((nodes, Block::Else(rest.to_vec()))),
                "if" | "with" => self.choice(word, rest)?,
                "range" => {
                    let pipe = pipe(rest)?;
                    let (body, end) = self.block()?;
                    let other = match end {
                        Block::Template => return Err("unexpected EOF: {{range}} has no {{end}}".to_owned()),
                        Block::End => Vec::new(),
                        Block::Else(_) => self.rest_of("range")?,
                    };
                    Node::Range(pipe, body, other)
                }
                "template" | "block" | "define" | "break" | "continue" => {
                    return Err(format!("{{{{{word}}}}} is not understood here"));
                }
                _ => Node::Print(pipe(tokens)?),
            });
        }
        Ok((nodes, Block::Template))
    }

    fn choice(&mut self, word: &str, condition: &[Token]) -> Result<Node, String> {
        let mut cases = Vec::new();
        let mut condition = condition.to_vec();
        let other = loop {
            let pipe = pipe(&condition)?;
            let (body, end) = self.block()?;
            cases.push((pipe, body));
            match end {
                Block::Template => return Err(format!("unexpected EOF: {{{{{word}}}}} has no {{{{end}}}}")),
                Block::End => break Vec::new(),
                Block::Else(rest) => match rest.split_first() {
                    None => break self.rest_of(word)?,
                    Some((Token::Word(again), rest)) if again == word => condition = trimmed(rest).to_vec(),
                    Some(_) => return Err(format!("after {{{{else}}}} there can only be {word}")),
                },
            }
        };
        match word {
            "with" => Ok(Node::With(cases, other)),
            _ => Ok(Node::If(cases, other)),
        }
    }

    fn rest_of(&mut self, word: &str) -> Result<Vec<Node>, String> {
        match self.block()? {
            (nodes, Block::End) => Ok(nodes),
            (_, Block::Else(_)) => Err("unexpected {{else}} after {{else}}".to_owned()),
            (_, Block::Template) => Err(format!("unexpected EOF: {{{{{word}}}}} has no {{{{end}}}}")),
        }
    }
}

fn trimmed(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Blank, rest @ ..] = tokens {
        tokens = rest;
    }
    while let [rest @ .., Token::Blank] = tokens {
        tokens = rest;
    }
    tokens
}

fn pipe(tokens: &[Token]) -> Result<Pipe, String> {
    let mut words = Words { tokens: trimmed(tokens), at: 0 };
    let pipe = words.pipe(0)?;
    match words.next() {
        None => Ok(pipe),
        Some(other) => Err(format!("unexpected {other:?}")),
    }
}

/// How deep blocks, or parentheses, may stand in each other: each level is a call, and the stack has an end.
const DEEPEST: usize = 100;

struct Words<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(&Token::Blank) {
            self.at += 1;
        }
    }

    fn pipe(&mut self, depth: usize) -> Result<Pipe, String> {
        if depth > DEEPEST {
            return Err("too many parentheses in each other".to_owned());
        }
        let (variables, declares) = self.variables();
        let mut commands = vec![self.command(depth)?];
        while self.peek() == Some(&Token::Sign('|')) {
            self.at += 1;
            commands.push(self.command(depth)?);
        }
        Ok(Pipe { variables, declares, commands })
    }

    /// `$x :=` and its like, if there is one.
    fn variables(&mut self) -> (Vec<String>, bool) {
        let begin = self.at;
        let mut names = Vec::new();
        loop {
            self.skip_blanks();
            match self.next() {
                Some(Token::Variable(name)) => names.push(name.clone()),
                Some(Token::Sign(',')) if !names.is_empty() => {}
                Some(sign @ (Token::Declare | Token::Assign)) if !names.is_empty() => {
                    return (names, *sign == Token::Declare);
                }
                _ => break,
            }
        }
        self.at = begin;
        (Vec::new(), false)
    }

    fn command(&mut self, depth: usize) -> Result<Command, String> {
        let mut operands = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some(Token::Sign('|' | ')')) => break,
                Some(_) => operands.push(self.operand(depth)?),
            }
        }
        match operands.is_empty() {
            true => Err("missing value for command".to_owned()),
            false => Ok(operands),
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, String> {
        Ok(match self.next() {
            Some(Token::Path(path)) => Operand::Dot(path.clone()),
            Some(Token::Variable(name)) => Operand::Variable(name.clone(), self.path()),
            Some(Token::Sign('(')) => {
                let pipe = self.pipe(depth + 1)?;
                match self.next() {
                    Some(Token::Sign(')')) => Operand::Group(Box::new(pipe), self.path()),
                    _ => return Err("unclosed left paren".to_owned()),
                }
            }
            Some(Token::Text(text)) => Operand::Text(text.clone()),
            Some(Token::Number(number)) => Operand::Number(number.clone()),
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => Operand::Bool(word == "true"),
                "nil" => Operand::Nil,
                name if functions::exists(name) => Operand::Function(name.to_owned()),
                name => return Err(format!("function {name:?} not defined")),
            },
            other => return Err(format!("unexpected {other:?} in operand")),
        })
    }

    /// The path that follows without a blank between.
    fn path(&mut self) -> Vec<String> {
        match self.peek() {
            Some(Token::Path(path)) => {
                self.at += 1;
                path.clone()
            }
            _ => Vec::new(),
        }
    }
}
