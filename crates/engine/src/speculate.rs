//! Speculative decoding by prompt lookup: answers that repeat what was said before, such as corrected text or code, need
//! fewer decodes.
//!
//! The last tokens are looked up in prompt and answer; what stood behind them there is the guess. One decode computes the
//! logits behind every guessed token, and guesses are accepted as far as each is what the model would have picked. So the
//! answer is the model's own greedy one. (A batch and a single token may be computed by different kernels, whose rounding
//! differs; two tokens that are equally likely but for that can change places, as with any other size of batch.)
//!
//! Only greedy answers are speculated on: there "what the model would have picked" is one token. Off for models with a
//! recurrent state, which cannot take tokens back.

use crate::ffi::Token;
use crate::generate::{Picker, count};
use crate::{EngineError, LoadedModel, decode_error};
use pocketbench_domain::generate::Speculation;
use std::collections::VecDeque;

/// Longest run of last tokens that is looked up; shorter ones are tried if it is not found.
const LONGEST_KEY: usize = 3;

/// Guesses about one answer.
pub(crate) struct Guesses {
    /// Tokens that were checked and are still to be said; all but the last are in the KV cache.
    checked: VecDeque<Token>,
    /// Most tokens of a guess, by what the context was made for.
    most: usize,
    /// Most tokens of the next guess: it grows while guesses are right, and shrinks to what was right.
    reach: usize,
    pub(crate) figures: Speculation,
}

impl Guesses {
    pub(crate) fn next_checked(&mut self) -> Option<Token> {
        self.checked.pop_front()
    }

    fn learn(&mut self, drafted: usize, accepted: usize) {
        self.figures.drafted_tokens += count(drafted);
        self.figures.accepted_tokens += count(accepted);
        if drafted > 0 {
            let reach = if accepted == drafted { self.reach * 2 } else { accepted + 1 };
            self.reach = reach.min(self.most);
        }
    }
}

/// What stood behind the last place where `text` had the same end as now: at most `most` tokens.
fn look_up(text: &[Token], most: usize) -> &[Token] {
    for length in (1..=LONGEST_KEY.min(text.len())).rev() {
        let (before, key) = text.split_at(text.len() - length);
        // The place may overlap with the end itself, as in a row of the same token.
        let found = (0..before.len()).rev().find(|&at| text[at..at + length] == *key);
        if let Some(at) = found {
            let behind = &text[at + length..];
            return &behind[..behind.len().min(most)];
        }
    }
    &[]
}

impl LoadedModel {
    /// Guesses for an answer that is begun, where the context was made for them and they make sense.
    pub(crate) fn guesses(&self, picker: &Picker) -> Option<Guesses> {
        let most = (self.loaded.effective.draft_tokens as usize).min(self.context.batch_capacity() - 1);
        let possible = most > 0 && matches!(picker, Picker::Greedy { .. }) && self.context.can_take_back();
        let figures = Speculation::default();
        possible.then(|| Guesses { checked: VecDeque::new(), most, reach: most, figures })
    }

    /// Decodes a token with a guess at what follows, and gives the token behind it. The KV cache holds what was accepted.
    pub(crate) fn decode_with_guesses(
        &mut self,
        token: Token,
        guesses: &mut Guesses,
        picker: &mut Picker,
    ) -> Result<Token, EngineError> {
        let before = self.cached.len();
        self.cached.push(token);
        let room = self.context.n_ctx() as usize - self.cached.len();
        let guess = look_up(&self.cached, guesses.reach.min(room)).to_vec();
        self.context.batch_clear();
        for (place, &token) in std::iter::once(&token).chain(&guess).enumerate() {
            self.context.batch_add(token, before + place, 0..1, true);
        }
        self.context.decode().map_err(decode_error)?;
        let mut accepted = 0;
        let next = loop {
            let picked = picker.pick(&mut self.context, accepted)?;
            if guess.get(accepted) != Some(&picked) {
                break picked;
            }
            guesses.checked.push_back(picked);
            accepted += 1;
        };
        if accepted < guess.len() && !self.context.take_back(before + 1 + accepted) {
            return Err(EngineError::Decode { code: -1 });
        }
        self.cached.extend_from_slice(&guess[..accepted]);
        guesses.learn(guess.len(), accepted);
        guesses.checked.push_back(next);
        Ok(guesses.checked.pop_front().unwrap_or(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_place_with_the_longest_same_end_is_the_guess() {
        assert_eq!(look_up(&[1, 2, 3, 4, 5, 1, 2, 3], 8), [4, 5, 1, 2, 3]);
        assert_eq!(look_up(&[1, 2, 3, 4, 5, 1, 2, 3], 2), [4, 5]);
        assert_eq!(look_up(&[9, 3, 4, 1, 3, 5, 3], 1), [5], "one token, the latest place");
        assert_eq!(look_up(&[1, 2, 7, 3, 2, 8, 1, 2], 1), [7], "two tokens before one, however far back");
        assert_eq!(look_up(&[6, 6, 6, 6], 8), [6], "a row goes on");
        for (text, most) in [(&[1, 2, 3][..], 8), (&[1], 8), (&[], 8), (&[1, 1], 0)] {
            assert!(look_up(text, most).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn the_next_guess_is_as_long_as_guesses_deserve() {
        let mut guesses = Guesses { checked: VecDeque::new(), most: 8, reach: 8, figures: Speculation::default() };
        let reaches = [(8, 8), (8, 0), (1, 1), (2, 2), (4, 3), (0, 0)].map(|(drafted, accepted)| {
            guesses.learn(drafted, accepted);
            guesses.reach
        });
        assert_eq!(reaches, [8, 1, 2, 4, 4, 4]);
        assert_eq!((guesses.figures.drafted_tokens, guesses.figures.accepted_tokens), (23, 14));
    }
}
