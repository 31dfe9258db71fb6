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

/// Markers around what a model thinks before it answers: those of `DeepSeek`, Qwen, `SmolLM` and `MiMo`; of Mistral's
/// reasoning models; of Granite; of Seed.
const REASONING: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
];

/// Finds the end of the section in which a model thinks, if its answer begins with one.
#[derive(Debug)]
pub(crate) struct Reasoning {
    state: Section,
    /// What was said and may still hold (a beginning of) the marker looked for.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Nothing but white space was said.
    NotBegun,
    /// Thinking, until this marker.
    Inside(&'static str),
    /// The marker ended with this token; what follows may be white space.
    Closing(usize),
    /// Over, with this many tokens; 0 if there never was one.
    Over(usize),
}

impl Reasoning {
    /// Some templates open the section themselves: then the prompt ends with its marker.
    pub(crate) fn new(prompt: &str) -> Self {
        let opened = REASONING.iter().find(|(open, _)| prompt.trim_end().ends_with(open));
        let state = opened.map_or(Section::NotBegun, |(_, close)| Section::Inside(close));
        Self { state, tail: Vec::new() }
    }

    /// Takes the bytes of the token that makes it `count` tokens in all.
    pub(crate) fn push(&mut self, bytes: &[u8], count: usize) {
        match self.state {
            Section::Over(_) => return,
            Section::Closing(_) if bytes.trim_ascii().is_empty() => {
                self.state = Section::Closing(count);
                return;
            }
            Section::Closing(tokens) => {
                self.state = Section::Over(tokens);
                return;
            }
            Section::NotBegun | Section::Inside(_) => self.tail.extend_from_slice(bytes),
        }
        if self.state == Section::NotBegun {
            let said = self.tail.trim_ascii_start();
            if let Some((open, close)) = REASONING.iter().find(|(open, _)| said.starts_with(open.as_bytes())) {
                self.tail.drain(..self.tail.len() - said.len() + open.len());
                self.state = Section::Inside(close);
            } else if !REASONING.iter().any(|(open, _)| open.as_bytes().starts_with(said)) {
                self.state = Section::Over(0);
            }
        }
        if let Section::Inside(close) = self.state {
            let close = close.as_bytes();
            if self.tail.windows(close.len()).any(|window| window == close) {
                self.state = Section::Closing(count);
            } else {
                let keep = self.tail.len().min(close.len() - 1);
                self.tail.drain(..self.tail.len() - keep);
            }
        }
    }

    /// Tokens before the answer proper; 0 if there was no section, or it did not end, or nothing came after it.
    pub(crate) fn tokens(&self) -> usize {
        if let Section::Over(tokens) = self.state { tokens } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasoning(prompt: &str, pieces: &[&str]) -> usize {
        let mut section = Reasoning::new(prompt);
        for (i, piece) in pieces.iter().enumerate() {
            section.push(piece.as_bytes(), i + 1);
        }
        section.tokens()
    }

    #[test]
    fn reasoning_ends_with_its_marker_and_the_white_space_after_it() {
        assert_eq!(reasoning("", &["<think>", "Hm", ".</", "think>", "\n\n", "Yes"]), 5);
        assert_eq!(reasoning("", &["\n", "<th", "ink>\n", "a</think>b", "c"]), 4);
        assert_eq!(reasoning("<|assistant|><think>\n", &["So", "</think>", "Yes"]), 2, "opened by the template");
        assert_eq!(reasoning("", &["[THINK]", "x", "[/THINK]", "Yes"]), 3);
    }

    #[test]
    fn an_answer_without_a_section_or_without_its_end_has_no_reasoning_tokens() {
        assert_eq!(reasoning("", &["Yes", " <think>", "x</think>", "b"]), 0);
        assert_eq!(reasoning("", &["<think>", "for", "ever"]), 0);
        assert_eq!(reasoning("", &["<think>", "x</think>", "\n"]), 0, "nothing came after it");
        assert_eq!(reasoning("", &["<b>", "x</think>", "y"]), 0);
    }

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
