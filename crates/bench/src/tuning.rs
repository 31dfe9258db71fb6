//! The stages of tuning: short suites of random tokens, each measuring one model under several values of one setting.

use pocketbench_domain::generate::SyntheticRequest;
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::settings::{FlashAttention, KvType};
use pocketbench_domain::suite::{Category, Suite, Task, Work};
use pocketbench_domain::sweep::Sweep;
use pocketbench_domain::tuning::TuningAxis;

/// Longest context that a stage needs, in tokens.
pub const MOST_CTX: u32 = 1_024;
/// Bytes a second that decode is taken to read, for the length of a repetition. Phones and small machines lie between 5
/// and 60 GB/s.
const GUESSED_BANDWIDTH: f64 = 10e9;
/// Prompt tokens are computed together, so as many times more of them are done in the same time.
const PREFILL_GAIN: f64 = 5.0;
/// Of seven repetitions a single one that was disturbed hides nothing: it is the median of too few resamples.
const REPETITIONS: u32 = 7;
/// Of the threads, which matter most, where there is time.
const REPETITIONS_OF_THREADS: u32 = 11;

/// A stage of tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Threads for decode and for prefill.
    Threads,
    /// Micro-batch.
    MicroBatch,
    /// Fused attention.
    FlashAttention,
    /// Second copy of the weights.
    Repack,
    /// Number format of the KV cache.
    KvType,
}

/// Lengths of a repetition, in tokens.
struct Lengths {
    decode: u32,
    prefill: u32,
    depth: u32,
}

impl Lengths {
    /// Such that a repetition takes about so many seconds, were the device as fast as is guessed.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to some thousands")]
    fn of(header: &ModelHeader, seconds: f64) -> Self {
        let rate = GUESSED_BANDWIDTH / (header.tensor_bytes.max(1) as f64);
        // Random tokens must have room in what the model was trained for.
        let room = (header.n_ctx_train / 4).max(1);
        let tokens = |n: f64, least: f64, most: f64| (n.clamp(least, most) as u32).min(room);
        let prefill = rate * PREFILL_GAIN;
        Self {
            decode: tokens(rate * seconds, 4.0, 64.0),
            prefill: tokens(prefill * seconds, 32.0, 512.0),
            depth: tokens(prefill, 256.0, 512.0),
        }
    }
}

impl Stage {
    /// All, in the order in which they build on each other.
    pub const ALL: [Self; 5] = [Self::Threads, Self::MicroBatch, Self::FlashAttention, Self::Repack, Self::KvType];

    /// What is decided from its run.
    #[must_use]
    pub fn axes(self) -> &'static [TuningAxis] {
        match self {
            Self::Threads => &[TuningAxis::Threads, TuningAxis::PrefillThreads],
            Self::MicroBatch => &[TuningAxis::MicroBatch],
            Self::FlashAttention => &[TuningAxis::FlashAttention],
            Self::Repack => &[TuningAxis::Repack],
            Self::KvType => &[TuningAxis::KvType],
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::MicroBatch => "micro-batch",
            Self::FlashAttention => "flash attention",
            Self::Repack => "repacked weights",
            Self::KvType => "KV cache type",
        }
    }

    /// Its suite for a model; the larger the model, the fewer tokens. `quick`: as short as will do.
    #[must_use]
    pub fn suite(self, header: &ModelHeader, quick: bool) -> Suite {
        let lengths = Lengths::of(header, if quick { 0.15 } else { 0.3 });
        let Lengths { decode, prefill, depth } = lengths;
        let (works, sweep, repetitions): (Vec<(u32, u32, u32)>, _, _) = match self {
            Self::Threads => {
                let repetitions = if quick { REPETITIONS } else { REPETITIONS_OF_THREADS };
                (vec![(0, decode, 0), (prefill, 0, 0)], Sweep::Threads(Vec::new()), repetitions)
            }
            // A micro-batch shows in prompts that are longer than it.
            Self::MicroBatch => {
                let prompt = 512.min((header.n_ctx_train / 2).max(1));
                (vec![(prompt, 0, 0)], Sweep::MicroBatch(vec![512, 256, 128, 64]), REPETITIONS)
            }
            Self::FlashAttention => {
                let values = vec![FlashAttention::Auto, FlashAttention::On, FlashAttention::Off];
                (vec![(0, decode, depth), (prefill, 0, depth)], Sweep::FlashAttention(values), REPETITIONS)
            }
            Self::Repack => (vec![(0, decode, 0), (prefill, 0, 0)], Sweep::Repack(vec![true, false]), REPETITIONS),
            Self::KvType => {
                let values = vec![KvType::F16, KvType::Q8_0, KvType::Q4_0];
                (vec![(0, decode, depth), (prefill, 0, depth)], Sweep::KvType(values), REPETITIONS)
            }
        };
        let task = |(n_prompt, n_gen, n_depth): (u32, u32, u32)| {
            let at = if n_depth > 0 { format!("-d{n_depth}") } else { String::new() };
            let (id, title) = if n_gen > 0 {
                (format!("tg{n_gen}{at}"), format!("Decode {n_gen}"))
            } else {
                (format!("pp{n_prompt}{at}"), format!("Prefill {n_prompt}"))
            };
            let work = Work::Synthetic(SyntheticRequest { n_prompt, n_gen, n_depth });
            Task { id, category: Category::Synthetic, title, work }
        };
        let needed = works.iter().map(|(n_prompt, n_gen, n_depth)| n_prompt + n_gen + n_depth).max().unwrap_or(0);
        Suite {
            id: format!("tuning-{}", self.title().replace([' ', '-'], "")),
            version: 1,
            title: format!("Tuning: {}", self.title()),
            description: "Random tokens under several values of one setting.".into(),
            repetitions,
            warmup_max_tokens: 1,
            n_ctx: needed.next_multiple_of(256).min(header.n_ctx_train.max(1)),
            tasks: works.into_iter().map(task).collect(),
            sweep: Some(sweep),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tensor_bytes: u64, n_ctx_train: u32) -> ModelHeader {
        ModelHeader { tensor_bytes, n_ctx_train, ..ModelHeader::default() }
    }

    #[test]
    fn every_stage_is_a_valid_sweep_that_fits_its_context_whatever_the_model() {
        for (bytes, trained) in [(0, 0), (1, 1), (90 << 20, 8_192), (4 << 30, 32_768), (u64::MAX, 512), (1 << 30, 7)] {
            let header = header(bytes, trained);
            for (stage, quick) in Stage::ALL.into_iter().flat_map(|stage| [(stage, true), (stage, false)]) {
                let suite = stage.suite(&header, quick);
                suite.validate().unwrap();
                assert!(suite.n_ctx <= MOST_CTX && suite.n_ctx <= trained.max(1));
                for axis in stage.axes() {
                    assert!(!matches!(axis, TuningAxis::PrefillThreads) || stage == Stage::Threads);
                }
                for task in &suite.tasks {
                    let Work::Synthetic(work) = &task.work else { panic!("{task:?}") };
                    assert!(trained < 8 || work.n_prompt + work.n_gen + work.n_depth <= suite.n_ctx, "{task:?}");
                }
            }
        }
    }

    #[test]
    fn a_larger_model_gets_fewer_tokens_and_the_same_model_always_the_same() {
        let (small, large) = (header(90 << 20, 8_192), header(4 << 30, 8_192));
        let first = |header: &ModelHeader| Stage::Threads.suite(header, true).tasks[0].clone();
        assert_ne!(first(&small), first(&large));
        assert_eq!(Stage::Threads.suite(&small, true), Stage::Threads.suite(&small, true));
        let Work::Synthetic(work) = first(&large).work else { panic!("random tokens") };
        assert_eq!(work.n_gen, 4);
    }
}
