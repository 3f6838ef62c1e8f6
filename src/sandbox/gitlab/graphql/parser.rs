//! A query's tokens as a document.

use serde_json::Value;

use super::lexer::{Token, tokens};
use super::value::{Declared, Document, Error, Input, Operation, Place, Selection};

/// How deep selections and values may nest; deeper ones are nobody's in earnest.
const DEPTH_MAX: usize = 30;

/// Reads a text.
pub(super) fn document(text: &str) -> Result<Document, Error> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let mut operations = Vec::new();
    while parser.at < parser.tokens.len() {
        operations.push(parser.operation()?);
    }
    if operations.is_empty() {
        return Err(Error::new("Unexpected end of document"));
    }
    Ok(Document(operations))
}

struct Parser {
    tokens: Vec<(Token, Place)>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn place(&self) -> Place {
        let place = self.tokens.get(self.at).or_else(|| self.tokens.last());
        place.map_or(Place { line: 1, column: 1 }, |(_, place)| *place)
    }

    /// Goes on if the next token is this mark.
    fn meets(&mut self, mark: char) -> bool {
        let met = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(met);
        met
    }

    fn expect(&mut self, mark: char) -> Result<(), Error> {
        if self.meets(mark) { Ok(()) } else { Err(self.unexpected(&format!("\"{mark}\""))) }
    }

    fn name(&mut self) -> Result<String, Error> {
        let Some(Token::Name(name)) = self.peek() else { return Err(self.unexpected("a name")) };
        let name = name.clone();
        self.at += 1;
        Ok(name)
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let met = match self.peek() {
            None => "end of document".to_owned(),
            Some(Token::Mark(mark)) => format!("\"{mark}\""),
            Some(Token::Name(name)) => format!("\"{name}\""),
            Some(Token::Scalar(value)) => value.to_string(),
        };
        Error::new(format!("Parse error on {met}: expected {wanted}")).at(self.place())
    }

    fn refused(&self, what: &str) -> Error {
        Error::new(format!("{what} are not supported")).at(self.place())
    }

    fn operation(&mut self) -> Result<Operation, Error> {
        if self.peek() == Some(&Token::Mark('{')) {
            let selections = self.selections(0)?;
            return Ok(Operation { name: None, declared: Vec::new(), selections });
        }
        match self.name()?.as_str() {
            "query" => {}
            "mutation" | "subscription" => return Err(self.refused("Mutations")),
            "fragment" => return Err(self.refused("Fragments")),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("\"query\""));
            }
        }
        let named = matches!(self.peek(), Some(Token::Name(_)));
        let name = if named { Some(self.name()?) } else { None };
        let mut declared = Vec::new();
        if self.meets('(') {
            while !self.meets(')') {
                declared.push(self.declared()?);
            }
        }
        let selections = self.selections(0)?;
        Ok(Operation { name, declared, selections })
    }

    fn declared(&mut self) -> Result<Declared, Error> {
        let place = self.place();
        self.expect('$')?;
        let name = self.name()?;
        self.expect(':')?;
        let (type_name, required) = self.type_name(0)?;
        let default = if self.meets('=') { Some(self.value(0)?) } else { None };
        Ok(Declared { name, required, type_name, default, place })
    }

    fn type_name(&mut self, depth: usize) -> Result<(String, bool), Error> {
        let inner = if depth < DEPTH_MAX && self.meets('[') {
            let (inner, _) = self.type_name(depth + 1)?;
            self.expect(']')?;
            format!("[{inner}]")
        } else {
            self.name()?
        };
        let required = self.meets('!');
        Ok((if required { format!("{inner}!") } else { inner }, required))
    }

    fn selections(&mut self, depth: usize) -> Result<Vec<Selection>, Error> {
        self.expect('{')?;
        if depth > DEPTH_MAX {
            return Err(Error::new("Query is too deep").at(self.place()));
        }
        let mut selections = Vec::new();
        while !self.meets('}') {
            selections.push(self.selection(depth)?);
        }
        if selections.is_empty() {
            return Err(self.unexpected("a field"));
        }
        Ok(selections)
    }

    fn selection(&mut self, depth: usize) -> Result<Selection, Error> {
        let place = self.place();
        if self.peek() == Some(&Token::Mark('.')) {
            return Err(self.refused("Fragments"));
        }
        let first = self.name()?;
        let (alias, name) =
            if self.meets(':') { (Some(first), self.name()?) } else { (None, first) };
        let mut arguments = Vec::new();
        if self.meets('(') {
            while !self.meets(')') {
                let name = self.name()?;
                self.expect(':')?;
                arguments.push((name, self.value(0)?));
            }
        }
        if self.peek() == Some(&Token::Mark('@')) {
            return Err(self.refused("Directives"));
        }
        let nested = self.peek() == Some(&Token::Mark('{'));
        let selections = if nested { self.selections(depth + 1)? } else { Vec::new() };
        Ok(Selection { alias, name, arguments, selections, place })
    }

    fn value(&mut self, depth: usize) -> Result<Input, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::new("Value is too deep").at(self.place()));
        }
        let place = self.place();
        if self.meets('$') {
            return Ok(Input::Variable(self.name()?, place));
        }
        if self.meets('[') {
            let mut items = Vec::new();
            while !self.meets(']') {
                items.push(self.value(depth + 1)?);
            }
            return Ok(Input::List(items));
        }
        if self.meets('{') {
            let mut fields = Vec::new();
            while !self.meets('}') {
                let name = self.name()?;
                self.expect(':')?;
                fields.push((name, self.value(depth + 1)?));
            }
            return Ok(Input::Object(fields));
        }
        if let Some(Token::Scalar(value)) = self.peek() {
            let value = value.clone();
            self.at += 1;
            return Ok(Input::Plain(value));
        }
        Ok(match self.name()?.as_str() {
            "true" => Input::Plain(Value::Bool(true)),
            "false" => Input::Plain(Value::Bool(false)),
            "null" => Input::Plain(Value::Null),
            name => Input::Enum(name.to_owned()),
        })
    }
}
