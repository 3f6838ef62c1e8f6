//! A query's text as tokens.

use serde_json::{Value, json};

use super::value::{Error, Place};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// One of `{ } ( ) [ ] : $ ! = @`, or `.` for the spread.
    Mark(char),
    Name(String),
    Scalar(Value),
}

/// The tokens of a text, each with its place. Commas are blanks.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Place)>, Error> {
    let mut lexer = Lexer { rest: text, place: Place { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.next_of_interest() {
        let place = lexer.place;
        let token = match first {
            '"' => lexer.string()?,
            '-' | '0'..='9' => lexer.number()?,
            '.' => lexer.spread()?,
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '$' | '!' | '=' | '@' => {
                lexer.skip(1);
                Token::Mark(first)
            }
            first if first == '_' || first.is_ascii_alphabetic() => {
                let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
                Token::Name(lexer.take(word).to_owned())
            }
            other => return Err(lexer.unexpected(&other.to_string())),
        };
        tokens.push((token, place));
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Lexer<'a> {
    fn next_of_interest(&mut self) -> Option<char> {
        loop {
            self.take(|c| c.is_whitespace() || c == ',' || c == '\u{feff}');
            if !self.rest.starts_with('#') {
                return self.rest.chars().next();
            }
            self.take(|c| c != '\n');
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.skip(end)
    }

    /// Goes on by that many bytes.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in taken.chars() {
            if c == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn spread(&mut self) -> Result<Token, Error> {
        if !self.rest.starts_with("...") {
            return Err(self.unexpected("."));
        }
        self.skip(3);
        Ok(Token::Mark('.'))
    }

    fn number(&mut self) -> Result<Token, Error> {
        let text = self.take(|c| matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
        let whole = text.parse::<i64>().ok().map(|number| json!(number));
        let number = whole.or_else(|| text.parse::<f64>().ok().map(|number| json!(number)));
        number.map(Token::Scalar).ok_or_else(|| self.unexpected(text))
    }

    /// Escapes are JSON's, so JSON reads them.
    fn string(&mut self) -> Result<Token, Error> {
        if let Some(block) = self.rest.strip_prefix("\"\"\"") {
            let end = block.find("\"\"\"").ok_or_else(|| self.unexpected("\"\"\""))?;
            let text = block.get(..end).unwrap_or_default().trim().to_owned();
            self.skip(end + 6);
            return Ok(Token::Scalar(json!(text)));
        }
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or_else(|| self.unexpected("\""))?;
        let text = self.skip(end + 1);
        let read: Result<String, _> = serde_json::from_str(text);
        read.map(|text| Token::Scalar(json!(text))).map_err(|_| self.unexpected(text))
    }

    fn unexpected(&self, what: &str) -> Error {
        Error::new(format!("Parse error on \"{what}\" (error)")).at(self.place)
    }
}
