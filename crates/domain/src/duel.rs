//! Two answers to one question, and what people's votes say of the models.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which of two answers is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// The left one.
    Left,
    /// The right one.
    Right,
    /// Both are equally good.
    Tie,
    /// Both are equally bad; it counts as a tie.
    BothBad,
}

/// How strong a model is by votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ModelStrength {
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// Its name for people.
    pub model: String,
    /// Times its answer was better; a tie is half a win of both.
    pub wins: f64,
    /// Votes that it was part of.
    pub votes: u32,
    /// Bradley-Terry strength on the scale of Elo, the mean of all models being 1000. Absent where votes connect it with no
    /// other model.
    pub rating: Option<f64>,
    /// 95 % interval of the rating.
    pub interval: Option<[f64; 2]>,
}
