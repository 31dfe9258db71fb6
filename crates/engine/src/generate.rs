//! One prompt, one answer.

use crate::ffi::{Context, Sampler, Token};
use crate::speculate::Guesses;
use crate::text::{Reasoning, TextStream};
use crate::{EngineError, LoadedModel, decode_error, nanos};
use pocketbench_domain::generate::{GenerateRequest, Generation, Limits, Sampling, StopReason};
use std::time::Instant;

/// Picks tokens: greedy without detours, everything else through llama.cpp's chain.
pub(crate) enum Picker {
    /// The likeliest token that is not banned. llama.cpp's chain would first copy the whole vocabulary into candidates.
    Greedy {
        /// Tokens that are never picked: those that end an answer, in fixed-length mode.
        banned: Vec<Token>,
    },
    /// A sampler chain.
    Chain(Sampler),
}

impl Picker {
    /// `end_tokens` are banned in fixed-length mode.
    pub(crate) fn new(
        model: &mut LoadedModel,
        sampling: &Sampling,
        limits: &Limits,
        sequence: u32,
    ) -> Result<Self, EngineError> {
        let numbers = [sampling.temperature, sampling.top_p, sampling.min_p, sampling.repeat_penalty];
        if numbers.iter().any(|n| !n.is_finite() || *n < 0.0) || sampling.repeat_penalty <= 0.0 {
            return Err(EngineError::Invalid("sampling settings must be finite and not negative".into()));
        }
        let banned = if limits.ignore_eos { model.end_tokens() } else { Vec::new() };
        if sampling.temperature <= 0.0 && (sampling.repeat_penalty - 1.0).abs() <= f32::EPSILON {
            return Ok(Self::Greedy { banned });
        }
        Sampler::new(sampling, model.context.model.n_vocab(), &banned, sequence)
            .map(Self::Chain)
            .ok_or_else(|| EngineError::Invalid("the sampler could not be made".into()))
    }

    pub(crate) fn pick(&mut self, context: &mut Context, index: usize) -> Result<Token, EngineError> {
        match self {
            Self::Greedy { banned } => context.logits(index).map(|logits| argmax_but(logits, banned)),
            Self::Chain(sampler) => sampler.sample(context, index),
        }
        .ok_or(EngineError::Decode { code: -1 })
    }
}

/// The same over all tokens but the banned ones. They are rarely the likeliest, so a second look at the row is rare.
fn argmax_but(logits: &[f32], banned: &[Token]) -> Token {
    let best = argmax(logits);
    if !banned.contains(&best) {
        return best;
    }
    let allowed = (0..).zip(logits).filter(|(token, _)| !banned.contains(token));
    let better = |best: (Token, f32), next: (Token, &f32)| if *next.1 > best.1 { (next.0, *next.1) } else { best };
    allowed.fold((0, f32::NEG_INFINITY), better).0
}

/// First place of the largest logit. Two passes over blocks let the compiler use vector instructions.
fn argmax(logits: &[f32]) -> Token {
    const BLOCK: usize = 1024;
    let (mut best, mut best_block) = (f32::NEG_INFINITY, 0);
    for (i, block) in logits.chunks(BLOCK).enumerate() {
        let mut lanes = [f32::NEG_INFINITY; 16];
        for chunk in block.chunks(16) {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane = if value > *lane { value } else { *lane };
            }
        }
        let top = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        if top > best {
            (best, best_block) = (top, i);
        }
    }
    let start = best_block * BLOCK;
    let within = logits[start..].iter().position(|&value| value >= best).unwrap_or(0);
    Token::try_from(start + within).unwrap_or(0)
}

impl LoadedModel {
    /// Generates from one prompt. `on_token` hears the text that is certain with each token (often empty) and when it was
    /// picked, in nanoseconds since this call.
    ///
    /// # Errors
    /// See [`EngineError`]. A raised cancel flag ends prefill with [`EngineError::Cancelled`]; during decode it ends the
    /// answer with [`StopReason::Cancelled`], so that nothing generated is lost.
    pub fn generate(
        &mut self,
        request: &GenerateRequest,
        mut on_token: impl FnMut(&str, u64),
    ) -> Result<Generation, EngineError> {
        let start = Instant::now();
        let (text, template) = self.render(&request.prompt)?;
        let template_ns = nanos(start);
        let tokens = self.tokens(&text, template)?;
        let tokenize_ns = nanos(start) - template_ns;
        let n_ctx = self.context.n_ctx() as usize;
        if tokens.len() >= n_ctx {
            return Err(EngineError::PromptTooLong { tokens: tokens.len(), n_ctx: self.context.n_ctx() });
        }
        if request.limits.max_tokens == 0 {
            return Err(EngineError::Invalid("max_tokens must be at least 1".into()));
        }
        let mut picker = Picker::new(self, &request.sampling, &request.limits, 0)?;
        let reused = self.keep_prefix(&tokens, request.reuse_prefix);
        let before_prefill = nanos(start);
        self.prefill(&tokens, reused)?;
        let prefill_ns = nanos(start) - before_prefill;
        let last = self.context.batch_len() - 1;
        let before_sample = nanos(start);
        let mut token = picker.pick(&mut self.context, last)?;
        let mut guesses = self.guesses(&picker);
        let mut at = nanos(start);
        let first_sample_ns = at - before_sample;

        let capacity = request.limits.max_tokens.min(self.context.n_ctx()) as usize;
        let mut token_at_ns = Vec::with_capacity(capacity);
        let mut stream = TextStream::new(&request.limits.stop);
        let mut reasoning = Reasoning::new(&text);
        let mut piece = Vec::with_capacity(64);
        let stop = loop {
            if self.context.model.is_end(token) {
                break StopReason::EndOfGeneration;
            }
            token_at_ns.push(at);
            piece.clear();
            self.context.model.push_piece(token, &mut piece);
            reasoning.push(&piece, token_at_ns.len());
            on_token(stream.push(&piece), at);
            if stream.stopped() {
                break StopReason::StopText;
            }
            if token_at_ns.len() >= request.limits.max_tokens as usize {
                break StopReason::MaxTokens;
            }
            if self.cancelled() {
                break StopReason::Cancelled;
            }
            if let Some(next) = guesses.as_mut().and_then(Guesses::next_checked) {
                token = next;
                continue;
            }
            if self.cached.len() >= n_ctx {
                break StopReason::ContextFull;
            }
            let next = match &mut guesses {
                Some(guesses) => self.decode_with_guesses(token, guesses, &mut picker),
                None => self.decode_one(token).and_then(|()| picker.pick(&mut self.context, 0)),
            };
            token = match next {
                Ok(next) => next,
                Err(EngineError::Cancelled) => {
                    self.forget();
                    break StopReason::Cancelled;
                }
                Err(error) => {
                    self.forget();
                    return Err(error);
                }
            };
            at = nanos(start);
        };
        Ok(Generation {
            text: stream.finish(),
            prompt_tokens: count(tokens.len()),
            reused_tokens: count(reused),
            generated_tokens: count(token_at_ns.len()),
            reasoning_tokens: count(reasoning.tokens()),
            stop,
            template,
            template_ns,
            tokenize_ns,
            prefill_ns,
            first_sample_ns,
            token_at_ns,
            end_at_ns: nanos(start),
            speculation: guesses.map(|guesses| guesses.figures),
        })
    }

    /// Decodes a token behind what the KV cache holds.
    fn decode_one(&mut self, token: Token) -> Result<(), EngineError> {
        self.context.batch_clear();
        self.context.batch_add(token, self.cached.len(), 0..1, true);
        self.context.decode().map_err(decode_error)?;
        self.cached.push(token);
        Ok(())
    }

    /// Forgets what the KV cache holds.
    pub(crate) fn forget(&mut self) {
        self.context.clear();
        self.cached.clear();
    }

    /// Keeps the beginning that the KV cache shares with `tokens`, but never the whole prompt: the last token's logits are
    /// needed. Gives the number of tokens kept.
    fn keep_prefix(&mut self, tokens: &[Token], reuse: bool) -> usize {
        if reuse {
            let shared = self.cached.iter().zip(tokens).take_while(|(a, b)| a == b).count().min(tokens.len() - 1);
            if shared > 0 && self.context.truncate(shared) {
                self.cached.truncate(shared);
                return shared;
            }
        }
        self.forget();
        0
    }

    /// Evaluates `tokens[from..]`, with logits for the last one.
    fn prefill(&mut self, tokens: &[Token], from: usize) -> Result<(), EngineError> {
        self.context.batch_clear();
        for (i, &token) in tokens.iter().enumerate().skip(from) {
            if self.context.batch_full() {
                self.decode_prefill()?;
                self.context.batch_clear();
            }
            self.context.batch_add(token, i, 0..1, i + 1 == tokens.len());
        }
        self.decode_prefill()?;
        self.cached.extend_from_slice(&tokens[from..]);
        Ok(())
    }

    pub(crate) fn decode_prefill(&mut self) -> Result<(), EngineError> {
        if self.cancelled() {
            self.forget();
            return Err(EngineError::Cancelled);
        }
        self.context.decode().map_err(|failure| {
            self.forget();
            decode_error(failure)
        })
    }
}

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_finds_the_first_largest() {
        let mut logits = vec![-1.0_f32; 5000];
        logits[0] = f32::NAN;
        assert_eq!(argmax(&[0.5]), 0);
        logits[4321] = 3.0;
        logits[4777] = 3.0;
        assert_eq!(argmax(&logits), 4321);
        logits[17] = 4.0;
        assert_eq!(argmax(&logits), 17);
        assert_eq!(argmax_but(&logits, &[4777]), 17);
        assert_eq!(argmax_but(&logits, &[17, 2]), 4321);
        assert_eq!(argmax_but(&logits, &[4321, 17]), 4777);
    }
}
