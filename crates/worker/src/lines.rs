//! Lines of bounded length: a peer that never ends its line must not fill the memory.

use std::io::{self, BufRead};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its line feed.
    Text(Vec<u8>),
    /// A line longer than allowed; it was skipped.
    TooLong,
    /// The peer closed.
    Closed,
}

pub(crate) fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            // A last line without its line feed is an unfinished one: the writer died in the middle of it.
            return Ok(Line::Closed);
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if line.len() + part.len() > limit {
            too_long = true;
            line = Vec::new();
        } else if !too_long {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Text(line) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_an_unfinished_one_is_dropped() {
        let mut input = io::BufReader::with_capacity(4, &b"one\n0123456789\ntwo\nunfini"[..]);
        let mut next = || read_line(&mut input, 5).unwrap();
        assert_eq!(next(), Line::Text(b"one".into()));
        assert_eq!(next(), Line::TooLong);
        assert_eq!(next(), Line::Text(b"two".into()));
        assert_eq!(next(), Line::Closed);
    }
}
