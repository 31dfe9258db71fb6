//! llama.cpp's log. It is the only place where it says why a load failed, so the last lines are kept.

use std::collections::VecDeque;
use std::sync::Mutex;

/// Lines kept.
const KEPT: usize = 400;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Continues the line before.
    Continued,
    /// For the curious.
    Info,
    /// Something is not as asked for.
    Warn,
    /// Something failed.
    Error,
}

struct Kept {
    lines: VecDeque<(Level, String)>,
    /// Lines ever pushed, so that a mark stays valid while old lines fall out.
    pushed: usize,
    open: bool,
}

static KEPT_LINES: Mutex<Kept> = Mutex::new(Kept { lines: VecDeque::new(), pushed: 0, open: false });

fn kept() -> std::sync::MutexGuard<'static, Kept> {
    KEPT_LINES.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn push(level: Level, text: &str) {
    let mut kept = kept();
    let continues = level == Level::Continued || kept.open;
    let complete = text.ends_with('\n');
    let text = text.trim_end_matches('\n');
    if continues && !kept.lines.is_empty() {
        if let Some((_, line)) = kept.lines.back_mut()
            && line.len() < 4096
        {
            line.push_str(text);
        }
    } else {
        if kept.lines.len() == KEPT {
            kept.lines.pop_front();
        }
        kept.lines.push_back((level, text.to_owned()));
        kept.pushed += 1;
        if level >= Level::Warn {
            tracing::debug!(target: "llama.cpp", "{text}");
        }
    }
    kept.open = !complete;
}

/// A place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

/// Where the log ends now.
#[must_use]
pub fn mark() -> Mark {
    Mark(kept().pushed)
}

/// Lines since the mark of at least this level; the oldest may have fallen out.
#[must_use]
pub fn since(mark: Mark, level: Level) -> Vec<String> {
    let kept = kept();
    let new = kept.pushed.saturating_sub(mark.0).min(kept.lines.len());
    kept.lines.iter().skip(kept.lines.len() - new).filter(|(l, _)| *l >= level).map(|(_, t)| t.clone()).collect()
}
