//! Random tokens exactly as llama-bench does, so that figures can be compared.

use crate::ffi::Token;
use crate::{EngineError, LoadedModel, decode_error, nanos};
use pocketbench_domain::generate::{Synthetic, SyntheticRequest};
use std::time::Instant;

/// Tokens in a fixed pseudo-random order (xorshift); which ones does not matter, only that they vary.
struct RandomTokens {
    state: u32,
    n_vocab: u32,
}

impl RandomTokens {
    fn next(&mut self) -> Token {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        Token::try_from(self.state % self.n_vocab).unwrap_or(0)
    }
}

impl LoadedModel {
    /// Prefills `n_depth` tokens unmeasured, then measures `n_prompt` tokens of prefill and `n_gen` of decode.
    ///
    /// # Errors
    /// See [`EngineError`]; everything must fit the context.
    pub fn synthetic(&mut self, request: SyntheticRequest) -> Result<Synthetic, EngineError> {
        let needed = u64::from(request.n_prompt) + u64::from(request.n_gen) + u64::from(request.n_depth);
        if request.n_prompt == 0 && request.n_gen == 0 {
            return Err(EngineError::Invalid("a synthetic test needs tokens to prefill or to decode".into()));
        }
        if needed > u64::from(self.context.n_ctx()) {
            let tokens = usize::try_from(needed).unwrap_or(usize::MAX);
            return Err(EngineError::PromptTooLong { tokens, n_ctx: self.context.n_ctx() });
        }
        let n_vocab = u32::try_from(self.context.model.n_vocab()).unwrap_or(1).max(1);
        let mut random = RandomTokens { state: 0x9E37_79B9, n_vocab };
        self.forget();
        let result = self.run_synthetic(request, &mut random);
        self.forget();
        result.map(|elapsed_ns| Synthetic { request, elapsed_ns })
    }

    fn run_synthetic(&mut self, request: SyntheticRequest, random: &mut RandomTokens) -> Result<u64, EngineError> {
        let begin = self.context.model.begin_token();
        if request.n_depth > 0 {
            self.synthetic_prefill(request.n_depth, begin, random)?;
        }
        let start = Instant::now();
        if request.n_prompt > 0 {
            self.synthetic_prefill(request.n_prompt, begin.filter(|_| request.n_depth == 0), random)?;
        }
        let mut token = begin.unwrap_or_else(|| random.next());
        for _ in 0..request.n_gen {
            self.context.decode_next(&mut [token]).map_err(decode_error)?;
            token = random.next();
        }
        Ok(nanos(start))
    }

    fn synthetic_prefill(
        &mut self,
        n: u32,
        begin: Option<Token>,
        random: &mut RandomTokens,
    ) -> Result<(), EngineError> {
        let mut tokens: Vec<Token> = (0..n).map(|_| random.next()).collect();
        if let (Some(begin), Some(first)) = (begin, tokens.first_mut()) {
            *first = begin;
        }
        for chunk in tokens.chunks_mut(self.loaded.effective.n_batch as usize) {
            self.context.decode_next(chunk).map_err(decode_error)?;
        }
        Ok(())
    }
}
