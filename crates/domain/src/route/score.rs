//! How hard a prompt looks: nine signals, each between 0 and 1 with what it rests on, and their weighted sum.
//!
//! Adding to a prompt never lowers its score: every signal counts something that is there. Only the beginning and the end
//! of a very long prompt are read for words ([`HEAD_BYTES`], [`TAIL_BYTES`]); its length is always taken whole.

use super::words::{N_SCRIPTS, N_TERMS, TERMS, Tag, Term, is_ideograph, number_word, script, script_says, words_in};
use super::{Situation, TaskKind};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Bytes at the beginning of a prompt that are read for words.
pub const HEAD_BYTES: usize = 16 * 1024;
/// Bytes at the end of a longer prompt that are read for words.
pub const TAIL_BYTES: usize = 8 * 1024;
/// Terms that a signal names.
const MOST_TERMS: usize = 6;
/// Characters of a script before it counts.
const SCRIPT_CHARS: u32 = 6;
/// The longest term has fewer bytes; longer words are not looked up.
const LONGEST_WORD: usize = 48;
/// Bytes of the instruction, that is of what stands before the first empty line or code fence.
const INSTRUCTION_BYTES: usize = 1500;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[ts(rename = "RouteSignalKind")]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Code, or a wish for code.
    Code,
    /// Mathematics: its words and signs, many numbers, large products.
    Mathematics,
    /// Length of the prompt.
    Length,
    /// A language or script that small models write badly.
    Language,
    /// Several steps or several demands.
    Steps,
    /// Words of expert work and reasoning.
    Depth,
    /// A long answer is asked for.
    AnswerLength,
    /// How much of the local model's window is needed.
    Context,
    /// The local model has just failed.
    Failures,
}

impl SignalKind {
    /// Every signal, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Code,
        Self::Mathematics,
        Self::Length,
        Self::Language,
        Self::Steps,
        Self::Depth,
        Self::AnswerLength,
        Self::Context,
        Self::Failures,
    ];

    /// Name in English, for the command line.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Code => "Code",
            Self::Mathematics => "Mathematics",
            Self::Length => "Length",
            Self::Language => "Language",
            Self::Steps => "Steps",
            Self::Depth => "Depth",
            Self::AnswerLength => "Answer length",
            Self::Context => "Context",
            Self::Failures => "Recent failures",
        }
    }
}

/// What a full signal adds to the score. How these were found: `docs/routing.md`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteWeights")]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// [`SignalKind::Code`].
    pub code: f64,
    /// [`SignalKind::Mathematics`].
    pub mathematics: f64,
    /// [`SignalKind::Length`].
    pub length: f64,
    /// [`SignalKind::Language`].
    pub language: f64,
    /// [`SignalKind::Steps`].
    pub steps: f64,
    /// [`SignalKind::Depth`].
    pub depth: f64,
    /// [`SignalKind::AnswerLength`].
    pub answer_length: f64,
    /// [`SignalKind::Context`].
    pub context: f64,
    /// [`SignalKind::Failures`].
    pub failures: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            code: 0.2,
            mathematics: 0.7,
            length: 0.2,
            language: 0.7,
            steps: 0.7,
            depth: 1.0,
            answer_length: 0.65,
            context: 0.3,
            failures: 0.5,
        }
    }
}

impl Weights {
    /// The weight of a signal.
    #[must_use]
    pub fn of(&self, kind: SignalKind) -> f64 {
        match kind {
            SignalKind::Code => self.code,
            SignalKind::Mathematics => self.mathematics,
            SignalKind::Length => self.length,
            SignalKind::Language => self.language,
            SignalKind::Steps => self.steps,
            SignalKind::Depth => self.depth,
            SignalKind::AnswerLength => self.answer_length,
            SignalKind::Context => self.context,
            SignalKind::Failures => self.failures,
        }
    }

    /// The same with another weight for one signal.
    #[must_use]
    pub fn with(mut self, kind: SignalKind, weight: f64) -> Self {
        *match kind {
            SignalKind::Code => &mut self.code,
            SignalKind::Mathematics => &mut self.mathematics,
            SignalKind::Length => &mut self.length,
            SignalKind::Language => &mut self.language,
            SignalKind::Steps => &mut self.steps,
            SignalKind::Depth => &mut self.depth,
            SignalKind::AnswerLength => &mut self.answer_length,
            SignalKind::Context => &mut self.context,
            SignalKind::Failures => &mut self.failures,
        } = weight;
        self
    }
}

/// What a signal rests on. Terms are those of our own lists, never words of the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteEvidence")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// Nothing of the kind.
    Nothing,
    /// Terms and signs that were found, the first few.
    Found {
        /// In the order in which they stand.
        terms: Vec<String>,
        /// How many more.
        more: u32,
    },
    /// Tokens of the prompt.
    Tokens {
        /// Estimated where the model's tokenizer was not asked.
        tokens: u32,
    },
    /// Words that the answer should have.
    AnswerWords {
        /// As asked for.
        words: u32,
    },
    /// Tokens that conversation, prompt and answer take.
    Window {
        /// All of them.
        needed: u32,
        /// What the local model can hold.
        window: u32,
    },
    /// The local model's window is not known.
    WindowUnknown,
    /// Failures among the latest answers of the local model.
    Failed {
        /// How many.
        answers: u32,
    },
}

/// One signal of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteSignal")]
pub struct Signal {
    /// What is looked at.
    pub signal: SignalKind,
    /// How strong it is, 0–1.
    pub value: f64,
    /// What a full one adds to the score.
    pub weight: f64,
    /// What it rests on.
    pub evidence: Evidence,
}

impl Signal {
    /// What it adds to the score.
    #[must_use]
    pub fn points(&self) -> f64 {
        self.value * self.weight
    }

    /// What it rests on, in English.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.evidence {
            Evidence::Nothing => "nothing of the kind".to_owned(),
            Evidence::Found { terms, more: 0 } => terms.join(", "),
            Evidence::Found { terms, more } => format!("{} and {more} more", terms.join(", ")),
            Evidence::Tokens { tokens } => format!("{tokens} tokens"),
            Evidence::AnswerWords { words } => format!("{words} words are asked for"),
            Evidence::Window { needed, window } => format!("{needed} of {window} tokens are needed"),
            Evidence::WindowUnknown => "the local model's window is not known".to_owned(),
            Evidence::Failed { answers: 1 } => "the local model's last answer failed".to_owned(),
            Evidence::Failed { answers } => format!("{answers} of the local model's latest answers failed"),
        }
    }
}

/// How hard a prompt looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// What kind of task it looks like.
    pub kind: TaskKind,
    /// Weighted sum of the signals, at most 1, to four decimals.
    pub total: f64,
    /// All signals in the order of [`SignalKind::ALL`].
    pub signals: Vec<Signal>,
    /// Tokens of the prompt.
    pub tokens: u32,
}

/// Scores a prompt for a local model in this situation.
#[must_use]
pub fn score(weights: &Weights, prompt: &str, situation: &Situation) -> Score {
    let tokens = situation.prompt_tokens.unwrap_or_else(|| estimate_tokens(prompt));
    let reading = Reading::of(prompt);
    let signals: Vec<Signal> = SignalKind::ALL
        .into_iter()
        .map(|signal| {
            let (value, evidence) = reading.signal(signal, tokens, situation);
            Signal { signal, value: rounded(value), weight: weights.of(signal), evidence }
        })
        .collect();
    let sum: f64 = signals.iter().map(Signal::points).sum();
    Score { kind: reading.kind(), total: rounded(sum.min(1.0)), signals, tokens }
}

/// To four decimals: what is stored reads back as it was, and a sum such as 0.35 + 0.15 reaches 0.5.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// About how many tokens a text has: four ASCII characters, two other letters of Latin, Greek, Cyrillic, Hebrew or Arabic,
/// or one character of another script make one, an emoji two. Tokenizers differ by a third and more; the model's own count
/// is better where there is one.
#[must_use]
pub fn estimate_tokens(text: &str) -> u32 {
    let mut lengths = [0_u64; 4];
    for byte in text.bytes() {
        match byte {
            0..0x80 => lengths[0] += 1,
            0x80..0xC0 => {}
            0xC0..0xE0 => lengths[1] += 1,
            0xE0..0xF0 => lengths[2] += 1,
            _ => lengths[3] += 1,
        }
    }
    let [one, two, three, four] = lengths;
    u32::try_from((one + 2 * two + 4 * three + 8 * four).div_ceil(4)).unwrap_or(u32::MAX)
}

/// What was found in a text.
#[derive(Debug)]
struct Reading {
    /// By the place of a term.
    seen: Vec<bool>,
    terms: Vec<Term>,
    words: u32,
    /// Signs of code: fences, lines that look like code, names with underscores.
    code_marks: Marks,
    /// Signs of mathematics, and products of long numbers.
    mathematics_marks: Marks,
    /// Numbers that differ.
    numbers: Vec<String>,
    /// Commas, list items and the like within the instruction.
    separators: u32,
    scripts: [u32; N_SCRIPTS],
    answer_words: f64,
    question: bool,
}

/// Marks that are no words, each kind counted once for what it is called.
#[derive(Debug, Default)]
struct Marks {
    points: f64,
    found: Vec<&'static str>,
}

impl Marks {
    fn add(&mut self, points: f64, name: &'static str) {
        self.points += points;
        if !self.found.contains(&name) {
            self.found.push(name);
        }
    }

    fn once(&mut self, points: f64, name: &'static str) {
        if !self.found.contains(&name) {
            self.add(points, name);
        }
    }
}

impl Reading {
    fn of(prompt: &str) -> Self {
        let mut reading = Self {
            seen: vec![false; *N_TERMS],
            terms: Vec::new(),
            words: 0,
            code_marks: Marks::default(),
            mathematics_marks: Marks::default(),
            numbers: Vec::new(),
            separators: 0,
            scripts: [0; N_SCRIPTS],
            answer_words: 0.0,
            question: false,
        };
        if prompt.len() <= HEAD_BYTES + TAIL_BYTES {
            reading.read(prompt);
        } else {
            reading.read(&prompt[..prompt.floor_char_boundary(HEAD_BYTES)]);
            reading.read(&prompt[prompt.ceil_char_boundary(prompt.len() - TAIL_BYTES)..]);
        }
        reading.read_instruction(prompt);
        reading
    }

    /// Words, numbers, signs and scripts.
    fn read(&mut self, text: &str) {
        // The text so far in lower case: words with one space between, ideographs as they stand. Terms are its endings.
        let mut so_far = String::with_capacity(text.len() + text.len() / 8);
        let mut word = String::new();
        let mut number = Number::default();
        for c in text.chars() {
            if is_ideograph(c) {
                self.end_word(&mut so_far, &mut word, &mut number);
                so_far.push(c);
                let mut unit = [0; 4];
                self.look_up(&so_far, c.encode_utf8(&mut unit));
                number.last_word(c.encode_utf8(&mut unit), self);
            } else if is_of_word(c, &word) {
                word.extend(c.to_lowercase());
            } else {
                self.end_word(&mut so_far, &mut word, &mut number);
                self.sign(c, &mut number);
            }
            if let Some(place) = script(c) {
                self.scripts[place] += 1;
            }
        }
        self.end_word(&mut so_far, &mut word, &mut number);
        self.read_lines(text);
    }

    fn end_word(&mut self, so_far: &mut String, word: &mut String, number: &mut Number) {
        word.truncate(word.trim_end_matches(['\'', ',', '.']).len());
        if word.is_empty() {
            return;
        }
        self.words += 1;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            number.digits(word, self);
        } else {
            number.last_word(word, self);
        }
        if !so_far.is_empty() && !so_far.ends_with(' ') {
            so_far.push(' ');
        }
        if word.len() <= LONGEST_WORD {
            so_far.push_str(word);
            self.look_up(so_far, word);
            if word.trim_matches('_').contains('_') {
                self.code_marks.once(1.0, "names_with_underscores");
            }
        } else {
            so_far.push('_');
        }
        word.clear();
    }

    /// Terms that end with what was read last.
    fn look_up(&mut self, so_far: &str, unit: &str) {
        for term in TERMS.get(unit).into_iter().flatten() {
            if self.seen[term.place] || !so_far.ends_with(term.text) {
                continue;
            }
            let before = so_far[..so_far.len() - term.text.len()].chars().next_back();
            let is_whole = before.is_none_or(|c| c == ' ' || is_ideograph(c)) || term.text.starts_with(is_ideograph);
            if is_whole {
                self.seen[term.place] = true;
                self.terms.push(*term);
            }
        }
    }

    fn sign(&mut self, c: char, number: &mut Number) {
        let mathematics = &mut self.mathematics_marks;
        match c {
            '^' => mathematics.once(2.0, "^"),
            '∫' | '∑' | '∏' | '∂' | '∇' | '∀' | '∃' | '∈' => {
                mathematics.once(3.0, "higher mathematics");
            }
            '√' | '≤' | '≥' | '≠' | '∞' | 'π' | '→' => mathematics.once(1.0, "signs of mathematics"),
            '`' => self.code_marks.once(1.0, "`"),
            '?' | '？' | '؟' => self.question = true,
            _ => {}
        }
        match c {
            '×' | '*' | '÷' | '/' | '·' => number.operator = true,
            ' ' => {}
            // The unit may still come: `2,000-word`.
            _ => number.operator = false,
        }
    }

    /// Lines that look like code.
    fn read_lines(&mut self, text: &str) {
        for line in text.lines() {
            let (start, end) = (line.trim_start(), line.trim_end());
            if start.starts_with("```") {
                self.code_marks.once(2.0, "```");
            }
            let opens = [
                "def ", "fn ", "func ", "class ", "import ", "#include", "SELECT ", "for (", "if (", "let ", "const ",
                "return ",
            ];
            if end.ends_with(['{', '}', ';']) || opens.iter().any(|word| start.starts_with(word)) {
                self.code_marks.add(0.5, "lines of code");
            }
        }
    }

    /// How many parts the instruction has: what stands before the first empty line or code fence.
    fn read_instruction(&mut self, prompt: &str) {
        let prompt = &prompt[..prompt.floor_char_boundary(prompt.len().min(INSTRUCTION_BYTES))];
        let end = ["\n\n", "```"].into_iter().filter_map(|mark| prompt.find(mark)).min().unwrap_or(prompt.len());
        let mut before = ' ';
        let mut chars = prompt[..end].chars().peekable();
        while let Some(c) = chars.next() {
            let within_number = before.is_ascii_digit() && chars.peek().is_some_and(char::is_ascii_digit);
            if matches!(c, ';' | '；' | '、' | '，' | '?' | '？' | ':' | '：') || (c == ',' && !within_number) {
                self.separators += 1;
            } else if before == '\n' && (c.is_ascii_digit() || c == '-' || c == '*') {
                self.separators += 2;
            }
            before = c;
        }
    }

    fn strength(&self, tag: Tag) -> f64 {
        self.terms.iter().filter(|term| term.tag == tag).map(|term| f64::from(term.strength)).sum()
    }

    fn code(&self) -> f64 {
        self.strength(Tag::Code) + self.code_marks.points
    }

    fn mathematics(&self) -> f64 {
        // A few numbers are in every text; word problems are made of them.
        let numbers = self.numbers.len().saturating_sub(2) as f64;
        self.strength(Tag::Mathematics) + self.mathematics_marks.points + numbers / 2.0
    }

    fn signal(&self, signal: SignalKind, tokens: u32, situation: &Situation) -> (f64, Evidence) {
        match signal {
            SignalKind::Code => (full_at(self.code(), 6.0), self.found(&[Tag::Code], &self.code_marks.found)),
            SignalKind::Mathematics => {
                let mut marks = self.mathematics_marks.found.clone();
                if self.numbers.len() > 2 {
                    marks.push("several numbers");
                }
                (full_at(self.mathematics(), 6.0), self.found(&[Tag::Mathematics], &marks))
            }
            // 16 tokens are nothing, 2,048 are full, and each doubling between counts the same.
            SignalKind::Length => {
                ((f64::from(tokens.max(1)) / 16.0).log2().clamp(0.0, 7.0) / 7.0, Evidence::Tokens { tokens })
            }
            SignalKind::Language => self.language(),
            SignalKind::Steps => {
                let verbs = (self.strength(Tag::Verb) - 1.0).max(0.0);
                let separators = f64::from(self.separators.saturating_sub(1)) / 2.0;
                let value = full_at(self.strength(Tag::Step) + verbs + separators, 8.0);
                let mut marks = Vec::new();
                if self.separators > 2 {
                    marks.push("an instruction of several parts");
                }
                let tags: &[Tag] = if verbs > 0.0 { &[Tag::Step, Tag::Verb] } else { &[Tag::Step] };
                (value, self.found(tags, &marks))
            }
            SignalKind::Depth => (full_at(self.strength(Tag::Depth), 6.0), self.found(&[Tag::Depth], &[])),
            SignalKind::AnswerLength => {
                let (asked, by_form) = (self.answer_words / 1500.0, self.strength(Tag::LongForm) / 2.0);
                if asked >= by_form && asked > 0.0 {
                    (asked.min(1.0), Evidence::AnswerWords { words: whole(self.answer_words) })
                } else {
                    (by_form.min(1.0), self.found(&[Tag::LongForm], &[]))
                }
            }
            SignalKind::Context => match situation.window_tokens {
                None => (0.0, Evidence::WindowUnknown),
                Some(window) => {
                    let needed = situation.needed(tokens).saturating_add(situation.history_tokens);
                    let share = f64::from(needed) / f64::from(window.max(1));
                    ((2.0 * share - 1.0).clamp(0.0, 1.0), Evidence::Window { needed, window })
                }
            },
            SignalKind::Failures => match situation.recent_failures {
                0 => (0.0, Evidence::Nothing),
                answers => (full_at(f64::from(answers), 2.0), Evidence::Failed { answers }),
            },
        }
    }

    /// The worst of the scripts that are used and of the languages that are named. A name counts fully only where something
    /// is to be translated.
    fn language(&self) -> (f64, Evidence) {
        let translates = self.strength(Tag::Translate) > 0.0;
        let mut value: f64 = 0.0;
        let mut found = Vec::new();
        for (place, &count) in self.scripts.iter().enumerate() {
            if count >= SCRIPT_CHARS {
                let (name, rare) = script_says(place);
                value = value.max(if rare { 1.0 } else { 0.2 });
                found.push(name);
            }
        }
        if self.strength(Tag::RareLanguage) > 0.0 {
            value = value.max(if translates { 1.0 } else { 0.2 });
        }
        if translates && self.strength(Tag::FairLanguage) > 0.0 {
            value = value.max(0.4);
        }
        let tags: &[Tag] = if translates { &[Tag::RareLanguage, Tag::FairLanguage] } else { &[Tag::RareLanguage] };
        (value, self.found(tags, &found))
    }

    fn found(&self, tags: &[Tag], marks: &[&str]) -> Evidence {
        let words = self.terms.iter().filter(|term| tags.contains(&term.tag)).map(|term| term.text);
        // A term may stand in two of the lists.
        let mut terms: Vec<String> = Vec::new();
        let mut more = 0;
        for term in marks.iter().copied().chain(words) {
            if terms.len() == MOST_TERMS {
                more += 1;
            } else if !terms.iter().any(|known| known == term) {
                terms.push(term.to_owned());
            }
        }
        if terms.is_empty() { Evidence::Nothing } else { Evidence::Found { terms, more } }
    }

    fn kind(&self) -> TaskKind {
        let (code, mathematics) = (self.code(), self.mathematics());
        let has = |tag: Tag| self.strength(tag) >= 2.0;
        if has(Tag::Translate) && code < 4.0 {
            TaskKind::Translation
        } else if (has(Tag::LongForm) || self.answer_words >= 500.0) && code < 4.0 {
            TaskKind::LongWriting
        } else if code >= 2.0 && code >= mathematics {
            TaskKind::Code
        } else if has(Tag::Text) {
            TaskKind::Text
        } else if has(Tag::Writing) {
            TaskKind::Writing
        } else if mathematics >= 2.0 || (mathematics >= 1.0 && !self.numbers.is_empty()) {
            TaskKind::Mathematics
        } else if has(Tag::Reasoning) || self.strength(Tag::Depth) >= 4.0 {
            TaskKind::Reasoning
        } else if has(Tag::Chat) || (!self.question && self.words <= 8 && self.strength(Tag::Verb) < 1.0) {
            TaskKind::Chat
        } else {
            TaskKind::Question
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of words lie between 0 and a million"
)]
fn whole(words: f64) -> u32 {
    words.round() as u32
}

fn full_at(points: f64, full: f64) -> f64 {
    (points / full).min(1.0)
}

/// Whether a character goes on with the word so far, or begins one.
fn is_of_word(c: char, word: &str) -> bool {
    let is_number = || word.starts_with(|c: char| c.is_ascii_digit());
    match c {
        '+' => word == "c" || word == "c+",
        '\'' => !word.is_empty(),
        ',' | '.' => is_number(),
        // Vowel signs and viramas, of which some are not alphabetic by themselves.
        '\u{0964}' | '\u{0965}' => false,
        '_' | '\u{0900}'..='\u{0DFF}' => true,
        _ => c.is_alphanumeric(),
    }
}

/// Numbers as they pass: what the last one was, and whether only an operator stood since.
#[derive(Debug, Default)]
struct Number {
    /// The last number and how many digits it has.
    last: Option<(f64, usize)>,
    operator: bool,
}

impl Number {
    /// A word that begins with a digit has ended.
    fn digits(&mut self, word: &str, reading: &mut Reading) {
        let groups: Vec<&str> = word.split(',').collect();
        // `2,000` is one number, `2,1,0` are three.
        let parts = if groups[1..].iter().all(|group| group.len() == 3) {
            vec![groups.concat()]
        } else {
            groups.iter().map(|&group| group.to_owned()).collect()
        };
        for part in parts {
            let digits = part.bytes().filter(u8::is_ascii_digit).count();
            let value: Option<f64> = part.parse().ok();
            if self.operator && digits >= 3 && self.last.is_some_and(|(_, before)| before >= 3) {
                reading.mathematics_marks.once(6.0, "a product of long numbers");
            }
            self.last = value.map(|value| (value, digits));
            self.operator = false;
            if reading.numbers.len() < 16 && !reading.numbers.contains(&part) {
                reading.numbers.push(part);
            }
        }
    }

    /// A word has ended: perhaps the unit of the number before it.
    fn last_word(&mut self, word: &str, reading: &mut Reading) {
        if let (Some(words), Some((count, _))) = (words_in(word), self.last) {
            reading.answer_words = reading.answer_words.max((words * count).min(1e6));
        }
        *self = Self { last: number_word(word).map(|value| (value, 1)), operator: false };
    }
}
