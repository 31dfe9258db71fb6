//! Several prompts as parallel sequences of one context.

use crate::ffi::Token;
use crate::generate::{Picker, count};
use crate::text::TextStream;
use crate::{EngineError, LoadedModel, decode_error, nanos};
use pocketbench_domain::generate::{BatchGeneration, BatchRequest, BatchSequence, GenerateRequest, InTurn, StopReason};
use std::time::Instant;

struct Sequence {
    id: usize,
    prompt: Vec<Token>,
    picker: Picker,
    stream: TextStream,
    generated: usize,
    next: Token,
    stop: Option<StopReason>,
}

/// Tokens at the beginning that all prompts share. The last token of a prompt is never among them: the logits behind it
/// are needed for each sequence.
fn shared_prefix(sequences: &[Sequence]) -> usize {
    let [first, others @ ..] = sequences else { return 0 };
    if others.is_empty() {
        return 0;
    }
    let most = sequences.iter().map(|s| s.prompt.len()).min().unwrap_or(0).saturating_sub(1);
    let is_shared = |&i: &usize| others.iter().all(|other| other.prompt[i] == first.prompt[i]);
    (0..most).take_while(is_shared).count()
}

impl LoadedModel {
    /// Generates from all prompts at once. `on_token` hears the sequence, the text that is certain with its token, and
    /// when it was picked, in nanoseconds since this call.
    ///
    /// # Errors
    /// See [`EngineError`]; prompts and their answers must fit the context together.
    pub fn generate_batch(
        &mut self,
        request: &BatchRequest,
        mut on_token: impl FnMut(usize, &str, u64),
    ) -> Result<BatchGeneration, EngineError> {
        let start = Instant::now();
        let limits = &request.limits;
        let allowed = self.loaded.effective.n_seq_max as usize;
        if request.prompts.is_empty() || request.prompts.len() > allowed || limits.max_tokens == 0 {
            return Err(EngineError::Invalid(format!(
                "a batch needs 1 to {allowed} prompts and max_tokens of at least 1"
            )));
        }
        let mut sequences = Vec::with_capacity(request.prompts.len());
        for (id, prompt) in request.prompts.iter().enumerate() {
            let (text, source) = self.render(prompt)?;
            sequences.push(Sequence {
                id,
                prompt: self.tokens(&text, source)?,
                picker: Picker::new(self, &request.sampling, limits, count(id))?,
                stream: TextStream::new(&limits.stop),
                generated: 0,
                next: 0,
                stop: None,
            });
        }
        let shared = shared_prefix(&sequences);
        let apart = |s: &Sequence| s.prompt.len() - shared + limits.max_tokens as usize;
        let needed = shared + sequences.iter().map(apart).sum::<usize>();
        if needed > self.context.n_ctx() as usize {
            return Err(EngineError::PromptTooLong { tokens: needed, n_ctx: self.context.n_ctx() });
        }
        self.forget();
        self.batch_prefill(&mut sequences, shared)?;
        let prefill_ns = nanos(start);

        let mut piece = Vec::with_capacity(64);
        loop {
            let at = nanos(start);
            let cancelled = self.cancelled();
            self.context.batch_clear();
            let mut decoding = Vec::with_capacity(sequences.len());
            for (place, sequence) in sequences.iter_mut().enumerate().filter(|(_, s)| s.stop.is_none()) {
                if self.context.model.is_end(sequence.next) {
                    sequence.stop = Some(StopReason::EndOfGeneration);
                    continue;
                }
                sequence.generated += 1;
                piece.clear();
                self.context.model.push_piece(sequence.next, &mut piece);
                on_token(sequence.id, sequence.stream.push(&piece), at);
                if sequence.stream.stopped() {
                    sequence.stop = Some(StopReason::StopText);
                } else if sequence.generated >= limits.max_tokens as usize {
                    sequence.stop = Some(StopReason::MaxTokens);
                } else if cancelled {
                    sequence.stop = Some(StopReason::Cancelled);
                } else {
                    let position = sequence.prompt.len() + sequence.generated - 1;
                    self.context.batch_add(sequence.next, position, sequence.id..sequence.id + 1, true);
                    decoding.push(place);
                }
            }
            if decoding.is_empty() {
                break;
            }
            if let Err(failure) = self.context.decode() {
                self.forget();
                let error = decode_error(failure);
                if error != EngineError::Cancelled {
                    return Err(error);
                }
                for place in decoding {
                    sequences[place].stop = Some(StopReason::Cancelled);
                }
                break;
            }
            for (row, &place) in decoding.iter().enumerate() {
                sequences[place].next = sequences[place].picker.pick(&mut self.context, row)?;
            }
        }
        let wall_ns = nanos(start);
        self.forget();
        let sequences = sequences
            .into_iter()
            .map(|s| BatchSequence {
                text: s.stream.finish(),
                prompt_tokens: count(s.prompt.len()),
                generated_tokens: count(s.generated),
                stop: s.stop.unwrap_or(StopReason::Cancelled),
            })
            .collect();
        let in_turn = if request.in_turn { Some(self.in_turn(request)?) } else { None };
        Ok(BatchGeneration { sequences, wall_ns, prefill_ns, shared_tokens: count(shared), in_turn })
    }

    /// The prompts of a batch one after another, each from an empty KV cache. Nobody hears these tokens: the answers are
    /// those of the batch, and what is asked is how long they take.
    fn in_turn(&mut self, request: &BatchRequest) -> Result<InTurn, EngineError> {
        let start = Instant::now();
        let mut generated_tokens = 0;
        for prompt in &request.prompts {
            let one = GenerateRequest {
                prompt: prompt.clone(),
                sampling: request.sampling.clone(),
                limits: request.limits.clone(),
                reuse_prefix: false,
            };
            let answer = self.generate(&one, |_, _| ())?;
            if answer.stop == StopReason::Cancelled {
                return Err(EngineError::Cancelled);
            }
            generated_tokens += u64::from(answer.generated_tokens);
        }
        Ok(InTurn { wall_ns: nanos(start), generated_tokens })
    }

    /// Evaluates all prompts, as many tokens at once as the batch holds, and picks each sequence's first token. The first
    /// `shared` tokens of every prompt are the same: they are evaluated once and belong to all sequences.
    fn batch_prefill(&mut self, sequences: &mut [Sequence], shared: usize) -> Result<(), EngineError> {
        self.context.batch_clear();
        for i in 0..shared {
            if self.context.batch_full() {
                self.decode_prefill()?;
                self.context.batch_clear();
            }
            self.context.batch_add(sequences[0].prompt[i], i, 0..sequences.len(), false);
        }
        // Sequences whose last prompt token is in the batch, and its row.
        let mut ending: Vec<(usize, usize)> = Vec::new();
        for place in 0..sequences.len() {
            for i in shared..sequences[place].prompt.len() {
                if self.context.batch_full() {
                    self.flush_prefill(sequences, &mut ending)?;
                }
                let last = i + 1 == sequences[place].prompt.len();
                if last {
                    ending.push((place, self.context.batch_len()));
                }
                let id = sequences[place].id;
                self.context.batch_add(sequences[place].prompt[i], i, id..id + 1, last);
            }
        }
        self.flush_prefill(sequences, &mut ending)
    }

    fn flush_prefill(
        &mut self,
        sequences: &mut [Sequence],
        ending: &mut Vec<(usize, usize)>,
    ) -> Result<(), EngineError> {
        self.decode_prefill()?;
        for (place, row) in ending.drain(..) {
            sequences[place].next = sequences[place].picker.pick(&mut self.context, row)?;
        }
        self.context.batch_clear();
        Ok(())
    }
}
