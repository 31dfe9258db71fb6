//! Token bytes to text: characters may be spread over tokens, and stop texts over both.

/// Gathers an answer and says what of it is certain.
#[derive(Debug)]
pub(crate) struct TextStream {
    /// Bytes of an unfinished character.
    open: Vec<u8>,
    text: String,
    /// How much of `text` was given out.
    given: usize,
    stops: Vec<String>,
    stopped: bool,
}

impl TextStream {
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { open: Vec::new(), text: String::new(), given: 0, stops, stopped: false }
    }

    /// Adds a token's bytes and gives the text that is certain with it: whole characters that do not begin a stop text.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> &str {
        self.open.extend_from_slice(bytes);
        let from = self.text.len();
        self.take_characters(false);
        // A stop text can begin before the new characters and end among them.
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let mut look_from = from.saturating_sub(longest);
        while !self.text.is_char_boundary(look_from) {
            look_from -= 1;
        }
        let hit = self.stops.iter().filter_map(|stop| self.text[look_from..].find(stop.as_str())).min();
        if let Some(at) = hit {
            self.text.truncate(look_from + at);
            self.stopped = true;
        }
        let certain = if self.stopped { self.text.len() } else { self.text.len() - self.held_back() };
        let start = self.given.min(certain);
        self.given = certain;
        &self.text[start..certain]
    }

    /// Whether a stop text appeared.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// The answer so far; an unfinished character becomes U+FFFD.
    pub(crate) fn finish(mut self) -> String {
        if !self.stopped {
            self.take_characters(true);
        }
        self.text
    }

    fn take_characters(&mut self, all: bool) {
        loop {
            match std::str::from_utf8(&self.open) {
                Ok(text) => {
                    self.text.push_str(text);
                    self.open.clear();
                    return;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    self.text.push_str(&String::from_utf8_lossy(&self.open[..valid]));
                    match error.error_len() {
                        Some(bad) => {
                            self.text.push('\u{FFFD}');
                            self.open.drain(..valid + bad);
                        }
                        None if all => {
                            self.text.push('\u{FFFD}');
                            self.open.clear();
                            return;
                        }
                        None => {
                            self.open.drain(..valid);
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Bytes at the end that may turn out to begin a stop text.
    fn held_back(&self) -> usize {
        let end = self.text.as_bytes();
        self.stops
            .iter()
            .map(|stop| {
                let stop = stop.as_bytes();
                (1..stop.len().min(end.len() + 1)).rev().find(|&n| end.ends_with(&stop[..n])).unwrap_or(0)
            })
            .max()
            .map_or(0, |mut held| {
                while !self.text.is_char_boundary(self.text.len() - held) {
                    held += 1;
                }
                held
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, bool, String) {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut stream = TextStream::new(&stops);
        let given = pieces.iter().map(|piece| stream.push(piece).to_owned()).collect();
        (given, stream.stopped(), stream.finish())
    }

    #[test]
    fn a_character_spread_over_tokens_comes_out_whole() {
        let (given, _, text) = stream(&[], &[b"a\xe2", b"\x82", b"\xac!"]);
        assert_eq!(given, ["a", "", "€!"]);
        assert_eq!(text, "a€!");
    }

    #[test]
    fn invalid_bytes_become_the_replacement_character() {
        assert_eq!(stream(&[], &[b"a\xff\xfeb"]).2, "a\u{FFFD}\u{FFFD}b");
        assert_eq!(stream(&[], &[b"a\xe2\x82"]).2, "a\u{FFFD}");
    }

    #[test]
    fn a_stop_text_spread_over_tokens_is_never_given_out() {
        let (given, stopped, text) = stream(&["\nUser:"], &[b"Yes.", b"\nUs", b"er: more"]);
        assert_eq!(given, ["Yes.", "", ""]);
        assert!(stopped);
        assert_eq!(text, "Yes.");
    }

    #[test]
    fn what_only_looked_like_a_stop_text_is_given_out_later() {
        let (given, stopped, text) = stream(&["END"], &[b"E", b"N", b"X", b"EN"]);
        assert_eq!(given, ["", "", "ENX", ""]);
        assert!(!stopped);
        assert_eq!(text, "ENXEN");
    }

    #[test]
    fn held_back_bytes_respect_characters() {
        let (given, stopped, text) = stream(&["é!"], &["é".as_bytes(), b"?"]);
        assert_eq!(given, ["", "é?"]);
        assert!(!stopped);
        assert_eq!(text, "é?");
    }
}
