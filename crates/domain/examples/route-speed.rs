//! How long the router takes: `cargo run --example route-speed`.

use pocketbench_domain::route::{CloudState, Mode, Policy, Situation, decide};
use std::time::Instant;

const REPETITIONS: usize = 200;

fn main() {
    let policy = Policy { mode: Mode::Auto, ..Policy::default() };
    let situation = Situation { cloud: CloudState::Ready, window_tokens: Some(4096), ..Situation::default() };
    let english = "Then prove the theorem, write a parser in Rust with 2,000 words of comments, and compare both. ";
    let chinese = "首先证明这个定理，然后用Python编写代码，并比较两种方法的区别。";
    let sizes = [("a question", 40), ("1 kB", 1_000), ("10 kB", 10_000), ("100 kB", 100_000), ("10 MB", 10_000_000)];
    println!("{:<12} {:<8} {:>12} {:>12} {:>12}", "prompt", "script", "median µs", "p99 µs", "most µs");
    for (name, bytes) in sizes {
        for (script, unit) in [("Latin", english), ("Chinese", chinese), ("one word", "a"), ("no word", "?")] {
            let mut prompt = unit.repeat(bytes / unit.len() + 1);
            prompt.truncate(prompt.floor_char_boundary(bytes));
            let mut times: Vec<f64> = (0..REPETITIONS)
                .map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(decide(&policy, std::hint::black_box(&prompt), &situation));
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            times.sort_by(f64::total_cmp);
            let (median, p99, most) = (times[REPETITIONS / 2], times[REPETITIONS * 99 / 100], times[REPETITIONS - 1]);
            println!("{name:<12} {script:<8} {median:>12.1} {p99:>12.1} {most:>12.1}");
        }
    }
}
