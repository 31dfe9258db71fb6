//! Server-sent events, piece by piece as the network hands them over.
//!
//! The rules are those of the HTML standard, section 9.2.6: lines end with LF, CR or both; a line without a colon is a field
//! without value; a comment begins with a colon; the data lines of an event are joined by LF; an empty line ends the event.
//! Two things differ: bytes that are no UTF-8 become U+FFFD within their line, and what is left at the end counts as an event,
//! because some servers forget the last empty line. Fields other than `data` mean nothing to this interface.

/// Longest line and event that are accepted, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SseLimits {
    pub(crate) line: usize,
    pub(crate) event: usize,
}

/// A line or an event is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// An incremental reader. Its memory is bounded by the limits.
#[derive(Debug)]
pub(crate) struct SseReader {
    limits: SseLimits,
    line: Vec<u8>,
    /// Data lines of the event so far, each with an LF after it.
    data: String,
    first_line: bool,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
}

impl SseReader {
    pub(crate) fn new(limits: SseLimits) -> Self {
        Self { limits, line: Vec::new(), data: String::new(), first_line: true, after_cr: false }
    }

    /// Takes the next bytes and appends the data of the events that they complete to `events`. After an error nothing more
    /// can be read; events that were complete before it are there.
    pub(crate) fn push(&mut self, mut bytes: &[u8], events: &mut Vec<String>) -> Result<(), TooLong> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.extend(&bytes[..end])?;
            self.end_line(events)?;
            let cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.extend(bytes)
    }

    /// What is left when the stream has ended: an event without its empty line, its last line perhaps cut.
    pub(crate) fn finish(mut self) -> Option<String> {
        let mut events = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut events).ok()?;
        }
        self.end_event(&mut events);
        events.pop()
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > self.limits.line {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<String>) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if std::mem::take(&mut self.first_line) {
            text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        }
        if text.is_empty() {
            self.end_event(events);
        } else if let Some(value) = field(text) {
            if self.data.len() + value.len() > self.limits.event {
                return Err(TooLong);
            }
            self.data.push_str(&String::from_utf8_lossy(value));
            self.data.push('\n');
        }
        // Its capacity serves the next line.
        self.line = line;
        self.line.clear();
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<String>) {
        if self.data.pop().is_some() {
            events.push(std::mem::take(&mut self.data));
        }
    }
}

/// The value of a `data` line.
fn field(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    match value {
        [] => Some(value),
        [b':', rest @ ..] => Some(rest.strip_prefix(b" ").unwrap_or(rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDE: SseLimits = SseLimits { line: 1 << 20, event: 1 << 20 };

    /// Everything that comes out of these pieces, the rest included.
    fn read(pieces: &[&[u8]], limits: SseLimits) -> (Vec<String>, Result<(), TooLong>) {
        let mut reader = SseReader::new(limits);
        let mut events = Vec::new();
        for piece in pieces {
            if let Err(error) = reader.push(piece, &mut events) {
                return (events, Err(error));
            }
        }
        events.extend(reader.finish());
        (events, Ok(()))
    }

    fn events(text: &[u8]) -> Vec<String> {
        read(&[text], WIDE).0
    }

    #[test]
    fn the_rules_of_the_standard() {
        for (stream, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", vec!["a"]),
            ("data:a\ndata:  b\ndata\ndata: c\n\n", vec!["a\n b\n\nc"]),
            (": a comment\n\n:\n\ndata: a\n: between\ndata: b\n\n", vec!["a\nb"]),
            ("event: x\nid: 7\nretry: 3\ndata: a\ndatum: no\ndatax: no\n\n", vec!["a"]),
            ("data\n\n", vec![""]),
            ("\n\n\r\n\r\r", vec![]),
            ("event: only\n\n", vec![]),
            ("data: the last", vec!["the last"]),
            ("data: a\n", vec!["a"]),
            ("data: [DONE]\n\n", vec!["[DONE]"]),
        ] {
            assert_eq!(events(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_within_their_line() {
        assert_eq!(events(b"data: a\xff\xf0\x9f\nata: b\n\ndata: c\n\n"), ["a\u{fffd}\u{fffd}", "c"]);
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let limits = SseLimits { line: 16, event: 24 };
        let long = b"data: ok\n\ndata: 0123456789ab";
        assert_eq!(read(&[long], limits), (vec!["ok".to_owned()], Err(TooLong)));
        let many = b"data: ok\n\ndata: 0123456789\ndata: 0123456789\ndata: 0123456789\n\n";
        assert_eq!(read(&[many], limits), (vec!["ok".to_owned()], Err(TooLong)));
        // A line that never ends takes no memory beyond the limit.
        let mut reader = SseReader::new(limits);
        let mut none = Vec::new();
        assert!((0..1000).any(|_| reader.push(b"aaaa", &mut none).is_err()));
        assert!(none.is_empty() && reader.line.len() <= limits.line);
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"data: ".to_vec()),
            3 => prop_oneof![Just(b"\n".to_vec()), Just(b"\r".to_vec()), Just(b"\r\n".to_vec())],
            2 => Just("é😀\u{feff}".as_bytes().to_vec()),
            1 => Just(b": comment".to_vec()),
            2 => prop::collection::vec(any::<u8>(), 0..6),
            2 => "[a-z{}\":\\[\\] ]{0,12}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// However the network cuts it, the events are the same.
        #[test]
        fn any_cutting_gives_the_same_events(
            stream in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            limits in prop_oneof![Just(WIDE), Just(SseLimits { line: 20, event: 30 })],
        ) {
            let whole = read(&[&stream], limits);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            prop_assert_eq!(&read(&pieces, limits), &whole);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&read(&bytes, limits), &whole);
        }

        /// What a server writes by the rules is what is read.
        #[test]
        fn what_was_written_is_read(
            texts in prop::collection::vec("[^\r\n]{0,20}(\n[^\r\n]{0,20}){0,3}", 1..8),
            end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        ) {
            let mut written = String::new();
            for text in &texts {
                for line in text.split('\n') {
                    written.push_str(&["data: ", line, end].concat());
                }
                written.push_str(end);
            }
            prop_assert_eq!(events(written.as_bytes()), texts);
        }
    }
}
